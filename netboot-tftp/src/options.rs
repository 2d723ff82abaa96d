//! What the options mean: RFC 2348 (blksize), 2349 (timeout, tsize) and 7440 (windowsize). RFC 2090
//! (multicast) is left out. What two ends agree on is in `agreed`.

use core::fmt;

use crate::netascii::TransferMode;
use crate::packet::OptionsView;

/// Block size where none is agreed, RFC 1350 §2.
pub const DEFAULT_BLKSIZE: u16 = 512;

/// The smallest and the largest block size that RFC 2348 allows.
pub const BLKSIZE_RANGE: core::ops::RangeInclusive<u16> = 8..=65464;

/// The options that this crate knows, as a request or an OACK holds them.
///
/// An option that is absent, is not a decimal number or is out of its RFC's range is `None`: it is
/// left out of the answer and never fatal. Options with other names stay visible in the
/// [`OptionsView`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Options {
    /// Bytes in a block, 8 to 65464 (RFC 2348).
    pub blksize: Option<u16>,
    /// Seconds before a packet is sent again, 1 to 255 (RFC 2349).
    pub timeout: Option<u8>,
    /// Bytes in the file (RFC 2349); a read request sends 0 to ask for it.
    pub tsize: Option<u64>,
    /// Blocks in flight before an ACK, 1 to 65535 (RFC 7440).
    pub windowsize: Option<u16>,
}

impl Options {
    /// No options.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            blksize: None,
            timeout: None,
            tsize: None,
            windowsize: None,
        }
    }

    /// The same, with this block size.
    ///
    /// ```
    /// use netboot_tftp::Options;
    ///
    /// let options = Options::new().with_blksize(1428).with_windowsize(8);
    /// assert_eq!((options.blksize, options.windowsize), (Some(1428), Some(8)));
    /// ```
    #[must_use]
    pub const fn with_blksize(mut self, bytes: u16) -> Self {
        self.blksize = Some(bytes);
        self
    }

    /// The same, with this time before a packet is sent again.
    #[must_use]
    pub const fn with_timeout(mut self, seconds: u8) -> Self {
        self.timeout = Some(seconds);
        self
    }

    /// The same, with this size of the file; 0 in a read request asks for it.
    #[must_use]
    pub const fn with_tsize(mut self, bytes: u64) -> Self {
        self.tsize = Some(bytes);
        self
    }

    /// The same, with this many blocks in flight before an ACK.
    #[must_use]
    pub const fn with_windowsize(mut self, blocks: u16) -> Self {
        self.windowsize = Some(blocks);
        self
    }

    /// Reads the known options; of a repeated one the first counts.
    ///
    /// ```
    /// use netboot_tftp::{Options, Packet};
    ///
    /// let Packet::Rrq(request) = Packet::decode(b"\x00\x01f\0octet\0blksize\0abc\0tsize\x000\0")? else {
    ///     panic!("opcode 1 is a read request");
    /// };
    /// let options = Options::from_view(&request.options);
    /// assert_eq!(options.blksize, None);
    /// assert_eq!(options.tsize, Some(0));
    /// # Ok::<(), netboot_tftp::DecodeError>(())
    /// ```
    #[must_use]
    pub fn from_view(view: &OptionsView<'_>) -> Self {
        Self {
            blksize: number(view, "blksize").filter(|n| BLKSIZE_RANGE.contains(n)),
            timeout: number(view, "timeout").filter(|&n| n > 0),
            tsize: number(view, "tsize"),
            windowsize: number(view, "windowsize").filter(|&n| n > 0),
        }
    }

    /// What of them makes sense in this mode: no `tsize` in netascii, whose length on the wire
    /// nobody knows before the file has been translated.
    #[must_use]
    pub fn in_mode(self, mode: TransferMode) -> Self {
        Self {
            tsize: self.tsize.filter(|_| mode == TransferMode::Octet),
            ..self
        }
    }

    /// Whether none of the known options is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Name and value of each option that is there, as they go on the wire.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'static str, Decimal)> + use<> {
        [
            ("tsize", self.tsize),
            ("blksize", self.blksize.map(u64::from)),
            ("timeout", self.timeout.map(u64::from)),
            ("windowsize", self.windowsize.map(u64::from)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, Decimal::new(value?))))
    }
}

impl fmt::Display for Options {
    /// `blksize=1468 windowsize=16`, or `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        self.pairs().enumerate().try_for_each(|(i, (name, value))| {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{name}={}", value.as_ref())
        })
    }
}

/// A number that is written in decimal digits and nothing else.
fn number<T: TryFrom<u64>>(view: &OptionsView<'_>, name: &str) -> Option<T> {
    let digits = view.find(name)?;
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })?;
    T::try_from(value).ok()
}

/// Decimal text of a number without allocation: 20 digits hold any `u64`.
pub(crate) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    fn new(mut value: u64) -> Self {
        let mut digits = [b'0'; 20];
        let mut start = digits.len();
        for (i, place) in digits.iter_mut().enumerate().rev() {
            let digit = u8::try_from(value % 10).unwrap_or(0);
            *place = b'0' + digit;
            value /= 10;
            start = i;
            if value == 0 {
                break;
            }
        }
        Self { digits, start }
    }
}

impl AsRef<str> for Decimal {
    fn as_ref(&self) -> &str {
        let digits = self.digits.get(self.start..).unwrap_or_default();
        core::str::from_utf8(digits).unwrap_or("0")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;
    use crate::packet::Packet;

    fn view(wire: &[u8]) -> Vec<u8> {
        [b"\x00\x06", wire].concat()
    }

    fn options(wire: &[u8]) -> Options {
        let packet = view(wire);
        let Ok(Packet::Oack(list)) = Packet::decode(&packet) else {
            panic!("not an option list");
        };
        Options::from_view(&list)
    }

    #[test]
    fn unparsable_values_are_left_out_and_do_not_spoil_the_others() {
        let asked = options(b"blksize\0abc\0windowsize\0+4\0timeout\x00256\0tsize\x000\0");
        assert_eq!(
            asked,
            Options {
                tsize: Some(0),
                ..Options::new()
            }
        );
        assert_eq!(
            options(b"tsize\x0018446744073709551616\0blksize\0 512\0"),
            Options::new()
        );
    }

    #[test]
    fn blksize_is_taken_from_8_to_65464() {
        for (text, expected) in [
            ("7", None),
            ("8", Some(8)),
            ("65464", Some(65464)),
            ("65465", None),
        ] {
            let wire = [b"blksize\0", text.as_bytes(), b"\0"].concat();
            assert_eq!(options(&wire).blksize, expected, "{text}");
        }
    }

    #[test]
    fn windowsize_is_taken_from_1_to_65535_and_timeout_from_1_to_255() {
        let window = |text: &str| options(format!("windowsize\0{text}\0").as_bytes()).windowsize;
        assert_eq!(["0", "65536"].map(window), [None; 2]);
        assert_eq!(["1", "65535"].map(window), [Some(1), Some(65535)]);
        let timeout = |text: &str| options(format!("timeout\0{text}\0").as_bytes()).timeout;
        assert_eq!(["0", "256"].map(timeout), [None; 2]);
        assert_eq!(["1", "255"].map(timeout), [Some(1), Some(255)]);
    }

    #[test]
    fn multicast_and_other_options_of_strangers_are_passed_over() {
        // RFC 2090 §3: a client asks for multicast by an empty value.
        let asked = options(b"multicast\0\0rollover\x000\0blksize\x00600\0");
        let blksize = Some(600);
        assert_eq!(
            asked,
            Options {
                blksize,
                ..Options::new()
            }
        );
    }

    #[test]
    fn the_first_of_a_repeated_option_counts_and_case_does_not() {
        assert_eq!(
            options(b"BlkSize\x00600\0blksize\x00700\0").blksize,
            Some(600)
        );
    }

    #[test]
    fn options_print_as_a_log_line_wants_them() {
        assert_eq!(Options::default().to_string(), "none");
        assert_eq!(
            options(b"windowsize\x0016\0blksize\x001468\0").to_string(),
            "blksize=1468 windowsize=16"
        );
    }
}
