//! What sender and receiver share: settings, counters, how a transfer ends, and block numbers.
//!
//! Inside, blocks are counted from 1 in 64 bits; [`Wrap`] is the only place that knows the 16 bits
//! of the wire (RFC 1350 §2, RFC 7440 §4).

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use thiserror::Error;

use crate::agreed::OackError;
use crate::error_code::ErrorCode;

/// The longest text of a peer's ERROR that is kept, in characters.
const MAX_PEER_MESSAGE: usize = 128;

/// How patient a transfer is, and how it counts.
///
/// All durations are of the caller's clock, the same that gives `now`.
///
/// ```
/// use core::time::Duration;
/// use netboot_tftp::TransferSettings;
///
/// let patient = TransferSettings::default().max_retries(20).max_rto(Duration::from_secs(10));
/// assert_eq!(patient.max_retries, 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferSettings {
    /// Time before the first packet is sent again, as long as no round trip has been measured.
    ///
    /// Default 300 ms: a local network answers in far less, and a first packet is lost often, while
    /// a switch port comes up.
    pub initial_rto: Duration,
    /// The least time before anything is sent again, however short the measured round trips.
    ///
    /// Default 20 ms: firmware polls its network card from a timer tick and answers late now and
    /// then.
    pub min_rto: Duration,
    /// The most time before anything is sent again, after back-off.
    ///
    /// Default 5 s. A `timeout` option that the client asked for lowers it, and never raises it.
    pub max_rto: Duration,
    /// How often in a row something is sent again without progress before the transfer is given up.
    ///
    /// Default 12: at least 20 s, since each wait is twice the one before, up to `max_rto`.
    pub max_retries: u32,
    /// How often the first packet is sent again to a peer that has answered none yet: who only wrote
    /// its address into a request gets no more than that. Its answer is waited for as long as
    /// `max_retries` has it, all the same.
    ///
    /// Default no fewer than `max_retries`.
    pub max_first_retries: u32,
    /// The most time that a whole transfer may take.
    ///
    /// Default one hour.
    pub max_duration: Duration,
    /// The least number of bytes that have to arrive in each minute in which the peer owes an
    /// answer; a transfer that falls behind is given up. 0 lets it last [`Self::max_duration`].
    ///
    /// Default 4096: eight blocks of 512 bytes, which firmware passes that loses every second
    /// packet and waits seconds for each.
    pub min_bytes_a_minute: u64,
    /// How long a receiver that has everything stays to answer a sender that has not heard so.
    ///
    /// Default 250 ms: over twice the time after which a sender of this crate asks again on a local
    /// network.
    pub dally: Duration,
    /// What follows block number 65535.
    pub wrap: Wrap,
}

impl Default for TransferSettings {
    fn default() -> Self {
        Self {
            initial_rto: Duration::from_millis(300),
            min_rto: Duration::from_millis(20),
            max_rto: Duration::from_secs(5),
            max_retries: 12,
            max_first_retries: u32::MAX,
            max_duration: Duration::from_secs(3600),
            min_bytes_a_minute: 4096,
            dally: Duration::from_millis(250),
            wrap: Wrap::Zero,
        }
    }
}

impl TransferSettings {
    /// Sets [`initial_rto`](field@Self::initial_rto).
    #[must_use]
    pub fn initial_rto(self, initial_rto: Duration) -> Self {
        Self {
            initial_rto,
            ..self
        }
    }

    /// Sets [`min_rto`](field@Self::min_rto).
    #[must_use]
    pub fn min_rto(self, min_rto: Duration) -> Self {
        Self { min_rto, ..self }
    }

    /// Sets [`max_rto`](field@Self::max_rto).
    #[must_use]
    pub fn max_rto(self, max_rto: Duration) -> Self {
        Self { max_rto, ..self }
    }

    /// Sets [`max_retries`](field@Self::max_retries).
    #[must_use]
    pub fn max_retries(self, max_retries: u32) -> Self {
        Self {
            max_retries,
            ..self
        }
    }

    /// Sets [`max_first_retries`](field@Self::max_first_retries).
    #[must_use]
    pub fn max_first_retries(self, max_first_retries: u32) -> Self {
        Self {
            max_first_retries,
            ..self
        }
    }

    /// Sets [`max_duration`](field@Self::max_duration).
    #[must_use]
    pub fn max_duration(self, max_duration: Duration) -> Self {
        Self {
            max_duration,
            ..self
        }
    }

    /// Sets [`min_bytes_a_minute`](field@Self::min_bytes_a_minute).
    #[must_use]
    pub fn min_bytes_a_minute(self, min_bytes_a_minute: u64) -> Self {
        Self {
            min_bytes_a_minute,
            ..self
        }
    }

    /// Sets [`dally`](field@Self::dally).
    #[must_use]
    pub fn dally(self, dally: Duration) -> Self {
        Self { dally, ..self }
    }

    /// Sets [`wrap`](field@Self::wrap).
    #[must_use]
    pub fn wrap(self, wrap: Wrap) -> Self {
        Self { wrap, ..self }
    }
}

/// The block number that follows 65535; no RFC says, and both ends have to do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrap {
    /// 0, as nearly every implementation does.
    #[default]
    Zero,
    /// 1, so that 0 stays the number of the OACK.
    One,
}

impl Wrap {
    /// The number of the `index`-th block on the wire, where the first block is 1 and 0 stands for
    /// the OACK.
    pub(crate) fn on_wire(self, index: u64) -> u16 {
        let value = match self {
            Self::Zero => index % 65536,
            Self::One if index == 0 => 0,
            Self::One => (index - 1) % 65535 + 1,
        };
        u16::try_from(value).unwrap_or(u16::MAX)
    }

    /// How far `wire` is ahead of the block `base`: 0 for `base` itself, and never 65536 or more.
    pub(crate) fn ahead(self, base: u64, wire: u16) -> Option<u64> {
        let reference = self.on_wire(base);
        match self {
            Self::Zero => Some(wire.wrapping_sub(reference).into()),
            Self::One if base == 0 => Some(wire.into()),
            Self::One if wire == 0 => None,
            Self::One => Some((u64::from(wire) + 65535 - u64::from(reference)) % 65535),
        }
    }

    /// The largest window whose block numbers are still told apart.
    pub(crate) fn max_window(self) -> u16 {
        match self {
            Self::Zero => 65535,
            Self::One => 65534,
        }
    }
}

/// Datagrams to send, laid one after the other in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// Bytes of the buffer to send.
    pub len: usize,
    /// Length of each datagram but the last, which may be shorter.
    pub segment_size: usize,
}

impl Transmit {
    pub(crate) fn one(len: usize) -> Self {
        Self {
            len,
            segment_size: len,
        }
    }
}

/// What a transfer has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// File bytes that are known to have arrived.
    pub bytes: u64,
    /// Packets sent, each block of a window counted.
    pub packets_sent: u64,
    /// Packets sent more than once, each block of a window counted.
    pub retransmissions: u64,
    /// Times a timer ran out.
    pub timeouts: u64,
    /// Whether the peer has answered the first packet, by an OACK, an ACK or a block. Where it has
    /// and `bytes` is 0, small packets come through and blocks perhaps do not.
    pub answered: bool,
    /// Packets that belong to no transfer state: old, repeated, or not TFTP at all.
    pub ignored: u64,
    /// Time from the first packet to the end, or to now.
    pub elapsed: Duration,
}

/// Why a transfer ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The client only wanted to know the size: it asked for `tsize` and ended the transfer with
    /// ERROR 8 (EDK2) or 0 (PXE ROMs, iPXE) before it acknowledged any block. Not a failure.
    #[error("the client asked for the size only")]
    SizeProbe,
    /// The peer sent an ERROR.
    #[error("the peer ended the transfer with error {}", .code.with_message(.message))]
    Peer {
        /// Its code.
        code: ErrorCode,
        /// Its text, at most 128 characters, without control characters.
        message: Box<str>,
    },
    /// Nothing was heard for as long as the settings allow.
    #[error("no answer from the peer after {retries} retries")]
    TimedOut {
        /// Retries since the last progress.
        retries: u32,
        /// Whether the last block had been sent, so that the peer may have everything and only its
        /// last ACK be lost.
        all_sent: bool,
    },
    /// The transfer took longer than [`TransferSettings::max_duration`].
    #[error("the transfer exceeded its time limit")]
    TooLong,
    /// Less arrived in a minute than [`TransferSettings::min_bytes_a_minute`].
    #[error("the peer is too slow")]
    TooSlow,
    /// The server's OACK is not one that RFC 2347 allows.
    #[error(transparent)]
    Oack(#[from] OackError),
    /// The file is larger than the receiver takes.
    #[error("the file exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// This end gave up, by `abort`.
    #[error("ended on this side with error {}", .code.with_message(.message))]
    Aborted {
        /// The code that was sent.
        code: ErrorCode,
        /// The text that was sent.
        message: &'static str,
    },
}

impl TransferError {
    /// The ERROR packet that tells the peer, where it is to be told: RFC 1350 §7 ends a transfer
    /// with an ERROR that is neither acknowledged nor repeated, and never answers one ERROR by
    /// another.
    #[must_use]
    pub fn to_wire(&self) -> Option<(ErrorCode, &'static str)> {
        match self {
            Self::SizeProbe | Self::Peer { .. } => None,
            Self::TimedOut { .. } => Some((ErrorCode::NOT_DEFINED, "timed out")),
            Self::TooLong => Some((
                ErrorCode::NOT_DEFINED,
                "the transfer exceeded its time limit",
            )),
            Self::TooSlow => Some((ErrorCode::NOT_DEFINED, "the transfer is too slow")),
            Self::Oack(_) => Some((
                ErrorCode::OPTION_REFUSED,
                "the options are not what was asked for",
            )),
            Self::TooLarge { .. } => Some((ErrorCode::DISK_FULL, "the file is too large")),
            Self::Aborted { code, message } => Some((*code, message)),
        }
    }

    pub(crate) fn peer(code: ErrorCode, message: &[u8]) -> Self {
        let text = String::from_utf8_lossy(message);
        let clean: String = text
            .chars()
            .take(MAX_PEER_MESSAGE)
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        Self::Peer {
            code,
            message: clean.into_boxed_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_numbers_wrap_to_zero_or_one() {
        assert_eq!(
            [65535, 65536, 65537].map(|n| Wrap::Zero.on_wire(n)),
            [65535, 0, 1]
        );
        assert_eq!(
            [0, 65535, 65536, 131_070, 131_071].map(|n| Wrap::One.on_wire(n)),
            [0, 65535, 1, 65535, 1]
        );
    }

    #[test]
    fn distance_is_counted_across_the_wrap() {
        assert_eq!(Wrap::Zero.ahead(65535, 2), Some(3));
        assert_eq!(
            Wrap::Zero.ahead(70_000, Wrap::Zero.on_wire(70_064)),
            Some(64)
        );
        assert_eq!(Wrap::One.ahead(65535, 2), Some(2));
        assert_eq!(Wrap::One.ahead(65535, 0), None);
        assert_eq!(Wrap::One.ahead(0, 0), Some(0));
        assert_eq!(Wrap::One.ahead(65536, 1), Some(0));
    }

    #[test]
    fn a_peers_text_is_cut_and_cleaned_for_the_log() {
        let TransferError::Peer { message, .. } =
            TransferError::peer(ErrorCode(0), b"a\nb\x1b[0m\xff")
        else {
            panic!("not the peer's error");
        };
        assert_eq!(&*message, "a\u{fffd}b\u{fffd}[0m\u{fffd}");
        let TransferError::Peer { message, .. } = TransferError::peer(ErrorCode(0), &[b'x'; 500])
        else {
            panic!("not the peer's error");
        };
        assert_eq!(message.len(), 128);
    }
}
