//! What a server tells its observer, for log lines, counters and a machine's history.
//!
//! One event is one step of one transfer, at most one for a datagram and none for a block: the rate
//! is bounded by the rate of requests. Everything is borrowed; an observer that wants to keep it
//! copies it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::agreed::Agreed;
use crate::encode::Direction;
use crate::error_code::ErrorCode;
use crate::netascii::TransferMode;
use crate::options::Options;
use crate::packet::DecodeError;
use crate::transfer::{Stats, TransferError};

/// One step of the server's work.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A file was found and its first packet is about to leave.
    Started {
        /// Which transfer.
        transfer: &'a Transfer,
    },
    /// The client has acknowledged every byte, or has sent every byte and the file has its name.
    Finished {
        /// Which transfer.
        transfer: &'a Transfer,
        /// Bytes, retransmissions, elapsed time.
        stats: &'a Stats,
    },
    /// The client asked for the size and left, by ERROR 8 or 0 before it acknowledged a block, as
    /// EDK2 and PXE ROMs do before the real transfer.
    SizeProbe {
        /// Which transfer.
        transfer: &'a Transfer,
        /// How long it took.
        elapsed: Duration,
    },
    /// Everything was sent, and the client that had answered until then did not acknowledge the
    /// last of it. It most likely has the file and has gone on, as boot programs do that start what
    /// they have just read; no failure, but nobody can be sure.
    Unconfirmed {
        /// Which transfer.
        transfer: &'a Transfer,
        /// Bytes that were acknowledged, retransmissions, elapsed time.
        stats: &'a Stats,
    },
    /// A transfer that had started ended before its end.
    Failed {
        /// Which transfer.
        transfer: &'a Transfer,
        /// How it ended.
        failure: Failure<'a>,
        /// What was done until then.
        stats: &'a Stats,
    },
    /// A request was not served.
    Refused {
        /// Who asked.
        client: SocketAddr,
        /// The file name as it was sent.
        name: &'a [u8],
        /// The code of the ERROR, or `None` where the source asked for silence.
        code: Option<ErrorCode>,
        /// The text of the ERROR.
        message: &'a str,
        /// What the source has to say beyond that, for the log only.
        detail: Option<&'a str>,
    },
    /// A request came while a cap was reached.
    OverCap {
        /// Who asked.
        client: SocketAddr,
        /// The file name as it was sent.
        name: &'a [u8],
        /// The cap; it decides whether the client was told.
        cap: Cap,
    },
    /// A client repeated the request of a transfer that is running: nothing new is started, unless
    /// it shows that the client has had the file already.
    Repeated {
        /// Who asked.
        client: SocketAddr,
        /// The file name as it was sent.
        name: &'a [u8],
    },
    /// A datagram at the listening port is not TFTP; it was dropped.
    Malformed {
        /// Where it says it came from.
        client: SocketAddr,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A packet at the listening port belongs to no request; it was dropped without an answer,
    /// since it may come from another server.
    Stray {
        /// Where it says it came from.
        client: SocketAddr,
    },
    /// A packet at a transfer's port came from elsewhere than the client; it was answered with
    /// ERROR 5 and the transfer goes on. At most one event a transfer.
    WrongTid {
        /// Which transfer.
        transfer: &'a Transfer,
        /// Where the packet says it came from.
        from: SocketAddr,
    },
    /// The operating system refused to take several datagrams in one call: they went one by one,
    /// and so will all of this length or longer. Nothing is lost but speed.
    OffloadRefused {
        /// Which transfer.
        transfer: &'a Transfer,
        /// Bytes in each of the datagrams.
        datagram_len: usize,
    },
    /// The operating system refused something that concerns no single transfer; the client was not
    /// answered and will ask again.
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        error: &'a io::Error,
    },
}

/// Who gets what, from where, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Transfer {
    /// A number that no other transfer of this server has, counted from 1.
    pub id: u64,
    /// The client's address and port.
    pub client: SocketAddr,
    /// The address of ours that the client asked, where the platform tells.
    pub local: Option<IpAddr>,
    /// Whether the client reads or writes.
    pub direction: Direction,
    /// Whether the bytes go over the wire as they are or as netascii.
    pub mode: TransferMode,
    /// The file name as it was sent.
    pub name: Box<[u8]>,
    /// The options that were asked for.
    pub asked: Options,
    /// The options that are agreed.
    pub agreed: Agreed,
    /// Bytes in the file here, before they become netascii; of a file that is written what the
    /// client's `tsize` says, or 0.
    pub size: u64,
}

/// How a transfer failed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Failure<'a> {
    /// Between the two ends.
    Transfer(&'a TransferError),
    /// The file could not be read, or is shorter than it was.
    Read(&'a io::Error),
    /// What the client wrote could not be kept; nothing is left of it.
    Write(&'a io::Error),
    /// The socket refused to send, and nothing came through by other means until the end.
    Send(&'a io::Error),
    /// The client asked for something else from the same port, or for the same again after a
    /// standstill.
    Superseded,
    /// All places were taken when another client asked, and this one had not answered for a first
    /// retry, or its transfer was the slowest of the address that had most: neither requests with
    /// forged addresses nor slow readers keep the others out.
    Displaced,
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transfer(error) => write!(f, "{error}"),
            Self::Read(error) => write!(f, "the file cannot be read: {error}"),
            Self::Write(error) => write!(f, "the file cannot be written: {error}"),
            Self::Send(error) => write!(f, "the client cannot be reached: {error}"),
            Self::Superseded => f.write_str("the client asked again for this or something else"),
            Self::Displaced => f.write_str("its place went to another client"),
        }
    }
}

/// Which cap was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cap {
    /// [`max_transfers`](crate::server::Settings::max_transfers): the client is not answered, so
    /// that its firmware asks again in a second or so and finds a free place. An address that has
    /// no transfer is over the cap only where every other has one, too.
    Transfers,
    /// [`max_transfers_per_client`](crate::server::Settings::max_transfers_per_client): the client
    /// gets ERROR 0, since it is its own transfers that are in the way.
    TransfersPerClient,
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transfers => "too many transfers at once, not answered",
            Self::TransfersPerClient => "too many transfers at once for one client",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_caps_say_in_words_what_happened() {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        for (shown, expected) in [
            (
                Failure::Transfer(&TransferError::TooLong).to_string(),
                "the transfer exceeded its time limit",
            ),
            (
                Failure::Write(&error).to_string(),
                "the file cannot be written: no storage space",
            ),
            (
                Failure::Superseded.to_string(),
                "the client asked again for this or something else",
            ),
            (
                Failure::Displaced.to_string(),
                "its place went to another client",
            ),
            (
                Cap::Transfers.to_string(),
                "too many transfers at once, not answered",
            ),
        ] {
            assert_eq!(shown, expected);
        }
    }
}
