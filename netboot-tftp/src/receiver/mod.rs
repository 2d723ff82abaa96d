//! The receiving end of a transfer, as a state machine without I/O: RFC 1350 §4 and §6 with the
//! window of RFC 7440.
//!
//! [`Receiver::handle_input`] hands out the payload of each block that is next in order, borrowed
//! from the datagram, and keeps none of it: what came out of order is asked for again.
//! [`Receiver::poll_output`] gives what to send.
//!
//! It acknowledges the last block of each window; once when a gap shows, with the last block in
//! order, so that the sender goes on from there (RFC 7440 §4); and again when the sender repeats a
//! window that was acknowledged, whose ACK is then lost. After the last block it stays for a while
//! to repeat the last ACK (RFC 1350 §6, "dallying").

mod input;
mod output;

use alloc::vec::Vec;
use core::time::Duration;

pub use input::Received;
pub use output::ReceiverOutput;

use crate::agreed::Agreed;
use crate::encode::{Direction, EncodeRequestError, encode_ack, encode_request};
use crate::error_code::ErrorCode;
use crate::netascii::TransferMode;
use crate::options::Options;
use crate::packet::MAX_REQUEST_LEN;
use crate::retransmit::Retransmit;
use crate::transfer::{Stats, TransferError, TransferSettings, Wrap};

/// The receiving end of one transfer.
///
/// ```
/// use core::time::Duration;
/// use netboot_tftp::{Options, Received, Receiver, ReceiverOutput, TransferMode, TransferSettings};
///
/// let mut now = Duration::ZERO;
/// let asked = Options::new().with_tsize(0);
/// let settings = TransferSettings::default();
/// let mut receiver = Receiver::request(now, b"hello", TransferMode::Octet, asked, u64::MAX, &settings)?;
/// let mut buf = [0; 512];
///
/// let ReceiverOutput::Transmit(t) = receiver.poll_output(now, &mut buf)? else { panic!("the request comes first") };
/// assert_eq!(&buf[..t.len], b"\x00\x01hello\0octet\0tsize\x000\0");
///
/// now += Duration::from_millis(1);
/// receiver.handle_input(now, b"\x00\x06tsize\x005\0");
/// assert_eq!(receiver.agreed().and_then(|a| a.options().tsize), Some(5));
/// let data = receiver.handle_input(now, b"\x00\x03\x00\x01world");
/// assert_eq!(data, Received::Data { offset: 0, payload: b"world" });
/// assert!(receiver.is_complete());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Receiver {
    /// The first packet of this end: the request, or the answer to one.
    opening: Vec<u8>,
    asked: Options,
    agreed: Option<Agreed>,
    wrap: Wrap,
    limit: u64,
    dally: Duration,
    /// The last block that arrived in order; 0 before the first.
    got: u64,
    /// Blocks in order since the last ACK.
    unacked: u64,
    /// The last block that arrived ahead of its turn, as long as the gap is open.
    ahead: Option<u64>,
    bytes: u64,
    state: State,
    /// Whether an ACK of `got` is to be sent.
    ack_due: bool,
    /// When the ACK left that the next block answers, as long as it was sent once.
    timed: Option<Duration>,
    timer: Retransmit,
    started: Duration,
    /// When the last byte came.
    completed: Option<Duration>,
    stats: Stats,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The first packet is to be sent, or to be sent again.
    OpeningDue,
    /// The first packet is out and no block has come.
    Opened,
    Receiving,
    /// Everything is here; the time is the end of dallying.
    Dallying(Duration),
    ErrorDue(TransferError),
    Failed(TransferError),
    Done,
}

impl Receiver {
    /// Asks to read a file, with these options as far as they make sense in this mode.
    ///
    /// What [`Receiver::handle_input`] hands out is as it was on the wire: in netascii mode a
    /// [`Decoder`](crate::netascii::Decoder) makes the file of it.
    ///
    /// `limit` is the most bytes that are taken: a larger file ends the transfer with ERROR 3,
    /// before the first block where the server tells the size.
    ///
    /// # Errors
    ///
    /// [`EncodeRequestError`] where the name holds a NUL or is too long.
    pub fn request(
        now: Duration,
        filename: &[u8],
        mode: TransferMode,
        asked: Options,
        limit: u64,
        settings: &TransferSettings,
    ) -> Result<Self, EncodeRequestError> {
        let asked = asked.in_mode(mode);
        let mut request = alloc::vec![0; MAX_REQUEST_LEN];
        let pairs = asked.pairs();
        let len = encode_request(Direction::Read, filename, mode, pairs, &mut request)?;
        request.truncate(len);
        let mut receiver = Self::new(now, request, asked, limit, settings);
        let timeout = asked.timeout.map(|s| Duration::from_secs(s.into()));
        receiver.timer.lower_ceiling(timeout);
        Ok(receiver)
    }

    /// Answers a write request: with an OACK where options are agreed, with ACK 0 where not.
    ///
    /// `limit` is the most bytes that are taken: a larger file ends the transfer with ERROR 3,
    /// before the first block where the client tells the size.
    ///
    /// ```
    /// use core::time::Duration;
    /// use netboot_tftp::{Agreed, Received, Receiver, ReceiverOutput, TransferSettings};
    ///
    /// let now = Duration::ZERO;
    /// let mut receiver = Receiver::reply(now, Agreed::default(), 1000, &TransferSettings::default());
    /// let mut buf = [0; 512];
    /// let ReceiverOutput::Transmit(t) = receiver.poll_output(now, &mut buf)? else { panic!("ACK 0 comes first") };
    /// assert_eq!(&buf[..t.len], [0, 4, 0, 0]);
    /// let data = receiver.handle_input(now, b"\x00\x03\x00\x01world");
    /// assert_eq!(data, Received::Data { offset: 0, payload: b"world" });
    /// # Ok::<(), netboot_tftp::BufferTooSmall>(())
    /// ```
    #[must_use]
    pub fn reply(now: Duration, agreed: Agreed, limit: u64, settings: &TransferSettings) -> Self {
        let mut answer = alloc::vec![0; MAX_REQUEST_LEN];
        // An OACK has at most four options of this crate's own wording.
        let len = match agreed.encode_oack(&mut answer) {
            Ok(len) if !agreed.options().is_empty() => len,
            _ => {
                answer = encode_ack(0).to_vec();
                answer.len()
            }
        };
        answer.truncate(len);
        let mut receiver = Self::new(now, answer, *agreed.options(), limit, settings);
        receiver.timer.lower_ceiling(agreed.timeout());
        receiver.agreed = Some(agreed);
        receiver.refuse_if_told_too_large(&agreed);
        receiver
    }

    fn new(
        now: Duration,
        opening: Vec<u8>,
        asked: Options,
        limit: u64,
        settings: &TransferSettings,
    ) -> Self {
        Self {
            opening,
            asked,
            agreed: None,
            wrap: settings.wrap,
            limit,
            dally: settings.dally,
            got: 0,
            unacked: 0,
            ahead: None,
            bytes: 0,
            state: State::OpeningDue,
            ack_due: false,
            timed: None,
            timer: Retransmit::new(now, settings),
            started: now,
            completed: None,
            stats: Stats::default(),
        }
    }

    /// Ends the transfer from this side; the peer is told by an ERROR with this code and text.
    ///
    /// This is also how a size probe ends: by [`ErrorCode::OPTION_REFUSED`] once
    /// [`Receiver::agreed`] has the size. Without effect where the transfer is over already, or
    /// complete and acknowledged.
    pub fn abort(&mut self, code: ErrorCode, message: &'static str) {
        let acknowledged = matches!(self.state, State::Dallying(_)) && !self.ack_due;
        if !acknowledged
            && !matches!(
                self.state,
                State::ErrorDue(_) | State::Failed(_) | State::Done
            )
        {
            self.state = State::ErrorDue(TransferError::Aborted { code, message });
        }
    }

    /// What was agreed, once that is known: from the start where this end answers.
    #[must_use]
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Whether every byte has been handed out. [`ReceiverOutput::Done`] comes later, after
    /// dallying.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Dallying(_) | State::Done)
    }

    /// Whether a peer that has answered nothing has had all that it is sent: one that asks the same
    /// again is to be answered anew ([`TransferSettings::max_first_retries`]).
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.timer.is_quiet()
    }

    /// The counters at this moment; elapsed time ends with the last byte, before dallying.
    #[must_use]
    pub fn stats_at(&self, now: Duration) -> Stats {
        Stats {
            bytes: self.bytes,
            elapsed: self.completed.unwrap_or(now).saturating_sub(self.started),
            ..self.stats
        }
    }
}
