//! The sending end of a transfer, as a state machine without I/O: RFC 1350 §4 and §6 with the
//! window of RFC 7440.
//!
//! The caller feeds datagrams to [`Sender::handle_input`] and turns the crank of
//! [`Sender::poll_output`] until it says [`Wait`](SenderOutput::Wait). Nothing of the file is kept
//! here: [`Data`](SenderOutput::Data) lays the headers of a run of blocks into the caller's buffer
//! and says which bytes of the file belong in between, again for each retransmission. So a transfer
//! costs the same few hundred bytes whatever window was asked for, and a whole window can leave in
//! one system call.
//!
//! What moves it:
//!
//! - an ACK of a block in flight acknowledges everything up to it; the window starts anew behind
//!   it, which both opens the next window and repairs a gap (RFC 7440 §4);
//! - an ACK of the block before the window is repeated evidence of what was known. In lockstep it
//!   is ignored, or each duplicate would double all that follows (the Sorcerer's Apprentice, RFC
//!   1123 §4.2.3.1). In a window it may say that the first block is lost: the window is sent again,
//!   once, and only when a round trip has passed since it was sent;
//! - the timer.

mod input;
mod output;

use alloc::boxed::Box;
use core::ops::Range;
use core::time::Duration;

pub use output::{Run, SenderOutput};

use crate::agreed::Agreed;
use crate::encode::{Direction, EncodeRequestError, encode_request};
use crate::error_code::ErrorCode;
use crate::netascii::TransferMode;
use crate::options::Options;
use crate::packet::MAX_REQUEST_LEN;
use crate::retransmit::Retransmit;
use crate::transfer::{Stats, TransferError, TransferSettings, Wrap};

/// The sending end of one transfer.
///
/// ```
/// use core::time::Duration;
/// use netboot_tftp::{Agreed, Sender, SenderOutput, TransferSettings, encode_ack};
///
/// let file = b"hello";
/// let mut now = Duration::ZERO;
/// let mut sender = Sender::reply(now, Agreed::default(), 5, &TransferSettings::default());
/// let mut buf = [0; 600];
///
/// let SenderOutput::Data(run) = sender.poll_output(now, &mut buf)? else { panic!("block 1 comes first") };
/// let mut rest = &file[..];
/// for gap in run.payloads(&mut buf) {
///     let (head, tail) = rest.split_at(gap.len());
///     gap.copy_from_slice(head);
///     rest = tail;
/// }
/// assert_eq!(&buf[..run.transmit().len], b"\x00\x03\x00\x01hello");
///
/// now += Duration::from_millis(1);
/// sender.handle_input(now, &encode_ack(1));
/// let SenderOutput::Done(stats) = sender.poll_output(now, &mut buf)? else { panic!("all is acknowledged") };
/// assert_eq!(stats.bytes, 5);
/// # Ok::<(), netboot_tftp::BufferTooSmall>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sender {
    /// What this end asks for, where it is the one that asks.
    request: Option<Request>,
    agreed: Agreed,
    wrap: Wrap,
    window: u64,
    size: u64,
    /// Bytes of the file that can be had by now.
    available: u64,
    /// Number of the last block, which is shorter than the others and may be empty.
    last: u64,
    /// Everything up to this block is acknowledged; 0 before the first, and then an OACK may be
    /// due.
    acked: u64,
    /// The next block to send.
    next: u64,
    /// The last block that has ever been sent.
    highest: u64,
    state: State,
    timer: Retransmit,
    /// The first block in flight that was sent only once and when it left: an ACK of it or of one
    /// behind it gives a round trip, whatever was sent again before it.
    timed: Option<(u64, Duration)>,
    /// When the first block behind `acked` was sent last.
    window_sent: Duration,
    /// Whether a repeated ACK has already made this window be sent again.
    repeated: bool,
    started: Duration,
    stats: Stats,
}

#[derive(Debug, Clone)]
struct Request {
    packet: Box<[u8]>,
    options: Options,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The request is to be sent, or to be sent again.
    RequestDue,
    /// The request is out; an OACK or ACK 0 opens the first window.
    Requested,
    /// The OACK is to be sent, or to be sent again.
    OackDue,
    /// The OACK is out; ACK 0 opens the first window.
    OackSent,
    /// Blocks are to be sent or in flight.
    Data,
    /// The end is decided and the peer is to be told so.
    ErrorDue(TransferError),
    Failed(TransferError),
    Done,
}

impl Sender {
    /// Answers a read request: with an OACK where options are agreed, with block 1 where not.
    ///
    /// `size` is the file's length on the wire in bytes, or `None` where only its end will show
    /// that, as in netascii mode: then [`Sender::end_of_file`] is called.
    #[must_use]
    pub fn reply(
        now: Duration,
        agreed: Agreed,
        size: impl Into<Option<u64>>,
        settings: &TransferSettings,
    ) -> Self {
        let state = if agreed.options().is_empty() {
            State::Data
        } else {
            State::OackDue
        };
        let mut sender = Self::new(now, state, size.into(), settings);
        sender.agree(agreed);
        sender
    }

    /// Asks to write a file, with these options as far as they make sense in this mode.
    ///
    /// `size` is as for [`Sender::reply`]; the caller puts it into `asked.tsize` if the server is
    /// to know.
    ///
    /// ```
    /// use core::time::Duration;
    /// use netboot_tftp::{Options, Sender, SenderOutput, TransferMode, TransferSettings};
    ///
    /// let (now, settings) = (Duration::ZERO, TransferSettings::default());
    /// let asked = Options::new().with_tsize(5);
    /// let mut sender = Sender::request(now, b"log", TransferMode::Octet, asked, 5, &settings)?;
    /// let mut buf = [0; 600];
    /// let SenderOutput::Transmit(t) = sender.poll_output(now, &mut buf)? else { panic!("the request comes first") };
    /// assert_eq!(&buf[..t.len], b"\x00\x02log\0octet\0tsize\x005\0");
    /// sender.handle_input(now, b"\x00\x06tsize\x005\0");
    /// assert!(matches!(sender.poll_output(now, &mut buf)?, SenderOutput::Data(run) if run.len == 5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EncodeRequestError`] where the name holds a NUL or is too long.
    pub fn request(
        now: Duration,
        filename: &[u8],
        mode: TransferMode,
        asked: Options,
        size: impl Into<Option<u64>>,
        settings: &TransferSettings,
    ) -> Result<Self, EncodeRequestError> {
        let options = asked.in_mode(mode);
        let mut packet = [0; MAX_REQUEST_LEN];
        let pairs = options.pairs();
        let len = encode_request(Direction::Write, filename, mode, pairs, &mut packet)?;
        let packet = packet.get(..len).unwrap_or_default().into();
        let mut sender = Self::new(now, State::RequestDue, size.into(), settings);
        let timeout = asked.timeout.map(|s| Duration::from_secs(s.into()));
        sender.timer.lower_ceiling(timeout);
        sender.request = Some(Request { packet, options });
        Ok(sender)
    }

    fn new(now: Duration, state: State, size: Option<u64>, settings: &TransferSettings) -> Self {
        Self {
            request: None,
            agreed: Agreed::default(),
            wrap: settings.wrap,
            window: 1,
            size: size.unwrap_or(u64::MAX),
            available: u64::MAX,
            last: u64::MAX,
            acked: 0,
            next: 1,
            highest: 0,
            state,
            timer: Retransmit::new(now, settings),
            timed: None,
            window_sent: now,
            repeated: false,
            started: now,
            stats: Stats::default(),
        }
    }

    fn agree(&mut self, agreed: Agreed) {
        self.agreed = agreed;
        self.window = agreed.windowsize().min(self.wrap.max_window()).into();
        self.last = (self.size / u64::from(agreed.blksize())).saturating_add(1);
        self.timer.lower_ceiling(agreed.timeout());
    }

    /// Says how many bytes of the file can be had by now, of one that is still coming in itself.
    ///
    /// Without this all of them can. A window is sent when all of it can be had, and as long as
    /// that keeps the peer waiting nothing is sent again and the peer's silence is not counted.
    ///
    /// ```
    /// use core::time::Duration;
    /// use netboot_tftp::{Agreed, Sender, SenderOutput, TransferSettings};
    ///
    /// let (now, settings) = (Duration::ZERO, TransferSettings::default());
    /// let mut sender = Sender::reply(now, Agreed::default(), 700, &settings);
    /// let mut buf = [0; 600];
    /// sender.set_available(100);
    /// assert_eq!(sender.window(), 0..512);
    /// assert!(matches!(sender.poll_output(now, &mut buf)?, SenderOutput::Wait(_)));
    /// sender.set_available(600);
    /// assert!(matches!(sender.poll_output(now, &mut buf)?, SenderOutput::Data(run) if run.len == 512));
    /// # Ok::<(), netboot_tftp::BufferTooSmall>(())
    /// ```
    pub fn set_available(&mut self, bytes: u64) {
        self.available = bytes;
    }

    /// The bytes of the file that may have to be sent before the next ACK, again or for the first
    /// time; those before them are not asked for again. Empty before the peer has answered the
    /// first packet.
    #[must_use]
    pub fn window(&self) -> Range<u64> {
        if self.state != State::Data {
            return 0..0;
        }
        self.bytes_in(self.acked)..self.bytes_in(self.window_end())
    }

    /// Ends the transfer from this side; the peer is told by an ERROR with this code and text.
    ///
    /// Without effect where the transfer is over already.
    pub fn abort(&mut self, code: ErrorCode, message: &'static str) {
        if !self.is_over() {
            self.state = State::ErrorDue(TransferError::Aborted { code, message });
        }
    }

    /// What was agreed; nothing before the server has answered where this end asks.
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// The counters at this moment.
    #[must_use]
    pub fn stats_at(&self, now: Duration) -> Stats {
        Stats {
            bytes: self.bytes_in(self.acked),
            elapsed: now.saturating_sub(self.started),
            ..self.stats
        }
    }

    /// Whether the transfer has begun to move and now waits for a retry: a client that asks for the
    /// same file again has then started over, and is not merely repeating its request. Nor is it
    /// where it has had all that a silent peer is sent
    /// ([`TransferSettings::max_first_retries`]).
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.timer.is_quiet() || (self.acked > 0 && self.timer.is_backing_off())
    }

    fn is_over(&self) -> bool {
        matches!(
            self.state,
            State::ErrorDue(_) | State::Failed(_) | State::Done
        )
    }

    fn window_end(&self) -> u64 {
        self.acked.saturating_add(self.window).min(self.last)
    }

    /// The last block that can be sent: the window's if all of it can be had, or else one that was
    /// sent before.
    fn sendable_end(&self) -> u64 {
        let end = self.window_end();
        // Asked once a window: where nothing is held back, it multiplies nothing.
        if self.available == u64::MAX || self.available >= self.bytes_in(end) {
            end
        } else {
            end.min(self.highest)
        }
    }

    /// Bytes in the first so many blocks.
    fn bytes_in(&self, blocks: u64) -> u64 {
        blocks
            .saturating_mul(self.agreed.blksize().into())
            .min(self.size)
    }
}
