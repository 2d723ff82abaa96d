//! What the options mean, and what two ends agree on: RFC 2347 with 2348 (blksize), 2349 (timeout, tsize)
//! and 7440 (windowsize).
//!
//! Negotiation is a function of the request and the limits, nothing else: [`Agreed::by_server`] on the
//! side that answers, [`Agreed::by_client`] on the side that asked. RFC 2090 (multicast) is left out.

use core::fmt;
use core::time::Duration;

use thiserror::Error;

use crate::encode::{BufferTooSmall, encode_oack};
use crate::netascii::TransferMode;
use crate::packet::OptionsView;

/// Block size where none is agreed, RFC 1350 §2.
pub const DEFAULT_BLKSIZE: u16 = 512;

/// The smallest and the largest block size that RFC 2348 allows.
pub const BLKSIZE_RANGE: core::ops::RangeInclusive<u16> = 8..=65464;

/// The options that this crate knows, as a request or an OACK holds them.
///
/// An option that is absent, is not a decimal number or is out of its RFC's range is `None`: it is left
/// out of the answer and never fatal. Options with other names stay visible in the [`OptionsView`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

    /// What of them makes sense in this mode: no `tsize` in netascii, whose length on the wire nobody
    /// knows before the file has been translated.
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

/// What a server is willing to agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest block, in bytes, 8 to 65464 (values outside are taken as the nearest).
    ///
    /// Default 1468: what fits an Ethernet frame of 1500 bytes after 20 bytes of IPv4, 8 of UDP and 4 of
    /// TFTP, since many boot ROMs cannot put IP fragments together.
    pub max_blksize: u16,
    /// Largest window, in blocks, 1 to 65535 (0 is taken as 1).
    ///
    /// Default 64: beyond that a client's receive buffer overflows sooner than the link gets faster.
    pub max_windowsize: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_blksize: 1468,
            max_windowsize: 64,
        }
    }
}

/// What two ends agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agreed {
    options: Options,
}

impl Agreed {
    /// The answer to a request: what was asked for, cut down to the limits.
    ///
    /// `size` is the file's length for a read, and `None` for a write, where the client's own figure is
    /// echoed. Nothing is in the answer that was not asked for (RFC 2347 §3).
    ///
    /// ```
    /// use netboot_tftp::{Agreed, Limits, Options};
    ///
    /// let asked = Options { blksize: Some(8192), tsize: Some(0), ..Options::default() };
    /// let agreed = Agreed::by_server(&asked, &Limits::default(), Some(70_000));
    /// assert_eq!(agreed.blksize(), 1468);
    /// assert_eq!(agreed.options().tsize, Some(70_000));
    /// assert_eq!(agreed.windowsize(), 1);
    /// ```
    #[must_use]
    pub fn by_server(asked: &Options, limits: &Limits, size: Option<u64>) -> Self {
        let max_blksize = limits
            .max_blksize
            .clamp(*BLKSIZE_RANGE.start(), *BLKSIZE_RANGE.end());
        Self {
            options: Options {
                blksize: asked.blksize.map(|n| n.min(max_blksize)),
                timeout: asked.timeout,
                tsize: asked.tsize.map(|told| size.unwrap_or(told)),
                windowsize: asked
                    .windowsize
                    .map(|n| n.min(limits.max_windowsize.max(1))),
            },
        }
    }

    /// What a server's OACK makes of our request.
    ///
    /// # Errors
    ///
    /// [`OackError`] where the OACK holds an option that was not asked for, or a value that RFC 2348, 2349
    /// or 7440 does not allow as an answer; the transfer then ends with ERROR 8.
    pub fn by_client(asked: &Options, oack: &OptionsView<'_>) -> Result<Self, OackError> {
        let told = Options::from_view(oack);
        for (name, _) in oack.iter() {
            let (name, asked, answered, allowed) = if name.eq_ignore_ascii_case(b"blksize") {
                let allowed = told.blksize.zip(asked.blksize).is_some_and(|(t, a)| t <= a);
                (
                    "blksize",
                    asked.blksize.is_some(),
                    told.blksize.is_some(),
                    allowed,
                )
            } else if name.eq_ignore_ascii_case(b"timeout") {
                let allowed = told.timeout == asked.timeout;
                (
                    "timeout",
                    asked.timeout.is_some(),
                    told.timeout.is_some(),
                    allowed,
                )
            } else if name.eq_ignore_ascii_case(b"tsize") {
                ("tsize", asked.tsize.is_some(), told.tsize.is_some(), true)
            } else if name.eq_ignore_ascii_case(b"windowsize") {
                let allowed = told
                    .windowsize
                    .zip(asked.windowsize)
                    .is_some_and(|(t, a)| t <= a);
                (
                    "windowsize",
                    asked.windowsize.is_some(),
                    told.windowsize.is_some(),
                    allowed,
                )
            } else {
                return Err(OackError::NotAsked { option: "unknown" });
            };
            if !asked {
                return Err(OackError::NotAsked { option: name });
            }
            if !answered || !allowed {
                return Err(OackError::BadValue { option: name });
            }
        }
        Ok(Self { options: told })
    }

    /// The options as they stand in the OACK; empty where no OACK is sent.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Bytes in a block: as agreed, or 512.
    #[must_use]
    pub fn blksize(&self) -> u16 {
        self.options.blksize.unwrap_or(DEFAULT_BLKSIZE)
    }

    /// Blocks in flight before an ACK: as agreed, or 1.
    #[must_use]
    pub fn windowsize(&self) -> u16 {
        self.options.windowsize.unwrap_or(1)
    }

    /// The agreed time before a packet is sent again.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.options.timeout.map(|s| Duration::from_secs(s.into()))
    }

    /// Writes the OACK and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`].
    pub fn encode_oack(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        encode_oack(self.options.pairs(), buf)
    }
}

/// What is wrong with a server's OACK; the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OackError {
    /// RFC 2347 §3: only what was asked for may be acknowledged.
    #[error("the server acknowledged an option that was not asked for: {option}")]
    NotAsked {
        /// The option's name, or `unknown`.
        option: &'static str,
    },
    /// The value is no number, out of range, or larger than what was asked for.
    #[error("the server acknowledged {option} with a value that is not allowed")]
    BadValue {
        /// The option's name.
        option: &'static str,
    },
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

    fn client(asked: &Options, wire: &[u8]) -> Result<Agreed, OackError> {
        let packet = view(wire);
        let Ok(Packet::Oack(list)) = Packet::decode(&packet) else {
            panic!("not an option list");
        };
        Agreed::by_client(asked, &list)
    }

    #[test]
    fn unparsable_values_are_left_out_and_do_not_spoil_the_others() {
        let asked = options(b"blksize\0abc\0windowsize\0+4\0timeout\x00256\0tsize\x000\0");
        assert_eq!(
            asked,
            Options {
                tsize: Some(0),
                ..Options::default()
            }
        );
        assert_eq!(
            options(b"tsize\x0018446744073709551616\0blksize\0 512\0"),
            Options::default()
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
    fn the_first_of_a_repeated_option_counts_and_case_does_not() {
        assert_eq!(
            options(b"BlkSize\x00600\0blksize\x00700\0").blksize,
            Some(600)
        );
    }

    #[test]
    fn the_answer_holds_only_what_was_asked_for() {
        let mut buf = [0; 80];
        let asked = options(b"blksize\x0065464\0");
        let agreed = Agreed::by_server(&asked, &Limits::default(), Some(9));
        let n = agreed.encode_oack(&mut buf).unwrap();
        assert_eq!(&buf[..n], b"\x00\x06blksize\x001468\0");

        let asked = options(b"windowsize\x00300\0tsize\x000\0timeout\x005\0blksize\x001024\0");
        let agreed = Agreed::by_server(&asked, &Limits::default(), Some(u64::MAX));
        let n = agreed.encode_oack(&mut buf).unwrap();
        assert_eq!(
            &buf[..n],
            b"\x00\x06tsize\x0018446744073709551615\0blksize\x001024\0timeout\x005\0windowsize\x0064\0"
        );
        assert_eq!(agreed.timeout(), Some(Duration::from_secs(5)));
    }

    #[test]
    fn limits_outside_the_rfc_are_taken_as_the_nearest_value() {
        let limits = Limits {
            max_blksize: 0,
            max_windowsize: 0,
        };
        let asked = options(b"blksize\x001024\0windowsize\x004\0");
        let agreed = Agreed::by_server(&asked, &limits, None);
        assert_eq!((agreed.blksize(), agreed.windowsize()), (8, 1));
    }

    #[test]
    fn a_client_refuses_an_oack_that_says_more_than_was_asked() {
        let asked = Options {
            blksize: Some(1024),
            windowsize: Some(4),
            timeout: Some(3),
            ..Options::default()
        };
        assert_eq!(
            client(&asked, b"blksize\x00512\0windowsize\x004\0timeout\x003\0")
                .unwrap()
                .blksize(),
            512
        );
        for (wire, error) in [
            (
                &b"blksize\x001025\0"[..],
                OackError::BadValue { option: "blksize" },
            ),
            (b"blksize\0x\0", OackError::BadValue { option: "blksize" }),
            (
                b"windowsize\x005\0",
                OackError::BadValue {
                    option: "windowsize",
                },
            ),
            (b"timeout\x004\0", OackError::BadValue { option: "timeout" }),
            (b"tsize\x004\0", OackError::NotAsked { option: "tsize" }),
            (
                b"utimeout\x004\0",
                OackError::NotAsked { option: "unknown" },
            ),
        ] {
            assert_eq!(client(&asked, wire), Err(error));
        }
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
