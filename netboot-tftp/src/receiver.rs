//! The receiving end of a transfer, as a state machine without I/O: RFC 1350 §4 and §6 with the window of
//! RFC 7440.
//!
//! [`Receiver::handle_input`] hands out the payload of each block that is next in order, borrowed from the
//! datagram, and keeps none of it: what came out of order is asked for again. [`Receiver::poll_output`]
//! gives what to send.
//!
//! It acknowledges the last block of each window; once when a gap shows, with the last block in order, so
//! that the sender goes on from there (RFC 7440 §4); and again when the sender repeats a window that was
//! acknowledged, whose ACK is then lost. After the last block it stays for a while to repeat the last ACK
//! (RFC 1350 §6, "dallying").

use alloc::vec::Vec;
use core::time::Duration;

use crate::encode::{
    BufferTooSmall, Direction, EncodeRequestError, encode_ack, encode_error, encode_request,
};
use crate::netascii::TransferMode;
use crate::options::{Agreed, Options};
use crate::packet::{ErrorCode, MAX_REQUEST_LEN, OptionsView, Packet};
use crate::retransmit::Retransmit;
use crate::transfer::{Stats, TransferError, TransferSettings, Transmit, Wrap};

/// The receiving end of one transfer.
///
/// ```
/// use core::time::Duration;
/// use netboot_tftp::{Options, Received, Receiver, ReceiverOutput, TransferMode, TransferSettings};
///
/// let mut now = Duration::ZERO;
/// let asked = Options { tsize: Some(0), ..Options::default() };
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

/// What a datagram brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received<'p> {
    /// The next bytes of the file. They are acknowledged by the next [`Receiver::poll_output`]: write them
    /// before, or call [`Receiver::abort`].
    Data {
        /// Where they belong, in bytes from the start of the file.
        offset: u64,
        /// The bytes; empty in the last block of a file that is a multiple of the block size.
        payload: &'p [u8],
    },
    /// Nothing for the file.
    Nothing,
}

/// What [`Receiver::poll_output`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverOutput {
    /// Send these bytes of the buffer: a request to the server's port, everything else to the port that
    /// the peer answered from.
    Transmit(Transmit),
    /// Nothing to do until a datagram comes or this time is reached.
    Wait(Duration),
    /// The file is here and the sender has been given time to hear so.
    Done(Stats),
    /// The transfer is over before its end.
    Failed(TransferError, Stats),
}

impl Receiver {
    /// Asks to read a file, with these options as far as they make sense in this mode.
    ///
    /// What [`Receiver::handle_input`] hands out is as it was on the wire: in netascii mode a
    /// [`Decoder`](crate::netascii::Decoder) makes the file of it.
    ///
    /// `limit` is the most bytes that are taken: a larger file ends the transfer with ERROR 3, before the
    /// first block where the server tells the size.
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
    /// `limit` is the most bytes that are taken: a larger file ends the transfer with ERROR 3, before the
    /// first block where the client tells the size.
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

    /// Takes one datagram from the peer; its source has been checked by the caller.
    ///
    /// What does not fit is counted in [`Stats::ignored`] and changes nothing.
    pub fn handle_input<'p>(&mut self, now: Duration, datagram: &'p [u8]) -> Received<'p> {
        if matches!(
            self.state,
            State::ErrorDue(_) | State::Failed(_) | State::Done
        ) {
            return Received::Nothing;
        }
        match Packet::decode(datagram) {
            Ok(Packet::Data { block, payload }) => return self.handle_data(now, block, payload),
            Ok(Packet::Oack(options)) => self.handle_oack(now, &options),
            Ok(Packet::Error { code, message }) if !self.is_complete() => {
                self.state = State::Failed(TransferError::peer(code, message));
            }
            _ => self.stats.ignored += 1,
        }
        Received::Nothing
    }

    /// Ends the transfer from this side; the peer is told by an ERROR with this code and text.
    ///
    /// This is also how a size probe ends: by [`ErrorCode::OPTION_REFUSED`] once [`Receiver::agreed`] has
    /// the size. Without effect where the transfer is over already, or complete and acknowledged.
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

    /// The next thing to do. Call it after each input and when its deadline is reached, until it waits.
    ///
    /// `buf` has to hold the request, and at least 128 bytes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; the state is unchanged.
    pub fn poll_output(
        &mut self,
        now: Duration,
        buf: &mut [u8],
    ) -> Result<ReceiverOutput, BufferTooSmall> {
        match &self.state {
            State::Failed(error) => {
                return Ok(ReceiverOutput::Failed(error.clone(), self.stats_at(now)));
            }
            State::Done => return Ok(ReceiverOutput::Done(self.stats_at(now))),
            State::ErrorDue(error) => return self.poll_error(now, error.clone(), buf),
            State::OpeningDue => {
                let (len, have) = (self.opening.len(), buf.len());
                let Some(place) = buf.get_mut(..len) else {
                    return Err(BufferTooSmall { needed: len, have });
                };
                place.copy_from_slice(&self.opening);
                self.state = State::Opened;
                return Ok(self.sent(now, len));
            }
            _ if self.ack_due => {
                let have = buf.len();
                let Some(place) = buf.first_chunk_mut() else {
                    return Err(BufferTooSmall { needed: 4, have });
                };
                *place = encode_ack(self.wrap.on_wire(self.got));
                self.ack_due = false;
                self.unacked = 0;
                return Ok(self.sent(now, 4));
            }
            State::Dallying(end) if now >= *end => {
                self.state = State::Done;
                return Ok(ReceiverOutput::Done(self.stats_at(now)));
            }
            State::Dallying(end) => return Ok(ReceiverOutput::Wait(*end)),
            State::Opened | State::Receiving => {}
        }
        match self.timer.expired(now, false) {
            Ok(false) => Ok(ReceiverOutput::Wait(self.timer.deadline())),
            Ok(true) => {
                self.stats.timeouts += 1;
                self.stats.retransmissions += 1;
                self.timed = None;
                self.ahead = None;
                if self.state == State::Opened {
                    self.state = State::OpeningDue;
                } else {
                    self.ack_due = true;
                }
                self.poll_output(now, buf)
            }
            Err(error) => {
                self.state = State::ErrorDue(error);
                self.poll_output(now, buf)
            }
        }
    }

    /// What was agreed, once that is known: from the start where this end answers.
    #[must_use]
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Whether every byte has been handed out. [`ReceiverOutput::Done`] comes later, after dallying.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Dallying(_) | State::Done)
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

    fn sent(&mut self, now: Duration, len: usize) -> ReceiverOutput {
        // A packet that is repeated tells no round trip: its answer may be that to the first.
        self.timed = (!self.timer.is_backing_off()).then_some(now);
        self.stats.packets_sent += 1;
        self.timer.arm(now);
        ReceiverOutput::Transmit(Transmit::one(len))
    }

    fn handle_oack(&mut self, now: Duration, options: &OptionsView<'_>) {
        match self.state {
            State::Opened if self.agreed.is_none() => match Agreed::by_client(&self.asked, options)
            {
                Ok(agreed) => {
                    self.agreed = Some(agreed);
                    self.heard(now);
                    self.state = State::Receiving;
                    self.ack_due = true;
                    self.refuse_if_told_too_large(&agreed);
                }
                Err(error) => self.state = State::ErrorDue(error.into()),
            },
            // Our ACK 0 was lost.
            State::Receiving if self.got == 0 => self.repeat_ack(),
            _ => self.stats.ignored += 1,
        }
    }

    fn handle_data<'p>(&mut self, now: Duration, wire: u16, payload: &'p [u8]) -> Received<'p> {
        if self.state == State::OpeningDue {
            self.stats.ignored += 1;
            return Received::Nothing;
        }
        let agreed = self.agreed.unwrap_or_default();
        let blksize = usize::from(agreed.blksize());
        let window = u64::from(agreed.windowsize());
        if payload.len() > blksize {
            self.stats.ignored += 1;
            return Received::Nothing;
        }
        match self.wrap.ahead(self.got, wire) {
            Some(1) if !self.is_complete() => self.handle_next(now, payload, blksize, window),
            Some(0) if self.got > 0 && self.unacked == 0 => {
                self.repeat_ack();
                Received::Nothing
            }
            Some(ahead) if (2..=window).contains(&ahead) && self.knows_window() => {
                let block = self.got.saturating_add(ahead);
                // Once for a gap; again only where the sender has gone back and the gap is still there.
                if self.ahead.is_none_or(|before| block <= before) {
                    self.repeat_ack();
                }
                self.ahead = Some(block);
                Received::Nothing
            }
            _ => {
                self.stats.ignored += 1;
                Received::Nothing
            }
        }
    }

    fn handle_next<'p>(
        &mut self,
        now: Duration,
        payload: &'p [u8],
        blksize: usize,
        window: u64,
    ) -> Received<'p> {
        let offset = self.bytes;
        let bytes = offset.saturating_add(payload.len() as u64);
        if bytes > self.limit {
            self.state = State::ErrorDue(TransferError::TooLarge { limit: self.limit });
            return Received::Nothing;
        }
        // Block 1 in place of an OACK: the server knows no options (RFC 2347 §2).
        self.agreed.get_or_insert_default();
        self.state = State::Receiving;
        self.heard(now);
        self.timer.arm(now);
        self.bytes = bytes;
        self.got = self.got.saturating_add(1);
        self.unacked += 1;
        self.ahead = None;
        if payload.len() < blksize {
            self.state = State::Dallying(now.saturating_add(self.dally));
            self.completed = Some(now);
            self.ack_due = true;
        } else if self.unacked >= window {
            self.ack_due = true;
        }
        Received::Data { offset, payload }
    }

    /// Whether blocks of a window can come: not before an OACK has been seen or sent, nor after the end.
    fn knows_window(&self) -> bool {
        match self.state {
            State::Receiving => true,
            State::Opened => self.agreed.is_some(),
            _ => false,
        }
    }

    fn refuse_if_told_too_large(&mut self, agreed: &Agreed) {
        if agreed.options().tsize.is_some_and(|size| size > self.limit) {
            self.state = State::ErrorDue(TransferError::TooLarge { limit: self.limit });
        }
    }

    fn heard(&mut self, now: Duration) {
        if let Some(sent) = self.timed.take() {
            self.timer.measured(now.saturating_sub(sent));
        }
        self.timer.progress();
    }

    fn repeat_ack(&mut self) {
        if !self.ack_due {
            self.ack_due = true;
            self.stats.retransmissions += 1;
        }
    }

    fn poll_error(
        &mut self,
        now: Duration,
        error: TransferError,
        buf: &mut [u8],
    ) -> Result<ReceiverOutput, BufferTooSmall> {
        let Some((code, message)) = error.to_wire() else {
            self.state = State::Failed(error);
            return self.poll_output(now, buf);
        };
        let len = encode_error(code, message, buf)?;
        self.stats.packets_sent += 1;
        self.state = State::Failed(error);
        Ok(ReceiverOutput::Transmit(Transmit::one(len)))
    }
}
