//! What two ends agree on: RFC 2347.
//!
//! Negotiation is a function of the request and the limits, nothing else: [`Agreed::by_server`] on
//! the side that answers, [`Agreed::by_client`] on the side that asked.

use core::time::Duration;

use thiserror::Error;

use crate::encode::{BufferTooSmall, encode_oack};
use crate::options::{BLKSIZE_RANGE, DEFAULT_BLKSIZE, Options};
use crate::packet::OptionsView;

/// What a server is willing to agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest block, in bytes, 8 to 65464 (values outside are taken as the nearest).
    ///
    /// Default 1468: what fits an Ethernet frame of 1500 bytes after 20 bytes of IPv4, 8 of UDP and
    /// 4 of TFTP, since many boot ROMs cannot put IP fragments together.
    pub max_blksize: u16,
    /// Largest window, in blocks, 1 to 65535 (0 is taken as 1).
    ///
    /// Default 64: beyond that a client's receive buffer overflows sooner than the link gets
    /// faster.
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

impl Limits {
    /// Sets [`max_blksize`](field@Self::max_blksize).
    #[must_use]
    pub fn max_blksize(self, max_blksize: u16) -> Self {
        Self {
            max_blksize,
            ..self
        }
    }

    /// Sets [`max_windowsize`](field@Self::max_windowsize).
    #[must_use]
    pub fn max_windowsize(self, max_windowsize: u16) -> Self {
        Self {
            max_windowsize,
            ..self
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
    /// `size` is the file's length for a read, and `None` for a write, where the client's own
    /// figure is echoed. Nothing is in the answer that was not asked for (RFC 2347 §3).
    ///
    /// ```
    /// use netboot_tftp::{Agreed, Limits, Options};
    ///
    /// let asked = Options::new().with_blksize(8192).with_tsize(0);
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
    /// [`OackError`] where the OACK holds an option that was not asked for, or a value that RFC
    /// 2348, 2349 or 7440 does not allow as an answer; the transfer then ends with ERROR 8.
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

#[cfg(test)]
mod tests {
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
        let limits = Limits::default().max_blksize(0).max_windowsize(0);
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
            ..Options::new()
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
}
