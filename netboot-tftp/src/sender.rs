//! The sending end of a transfer, as a state machine without I/O: RFC 1350 §4 and §6 with the window of
//! RFC 7440.
//!
//! The caller feeds datagrams to [`Sender::handle_input`] and turns the crank of
//! [`Sender::poll_output`] until it says [`Wait`](SenderOutput::Wait). Nothing of the file is kept here:
//! [`Data`](SenderOutput::Data) lays the headers of a run of blocks into the caller's buffer and says
//! which bytes of the file belong in between, again for each retransmission. So a transfer costs the same
//! few hundred bytes whatever window was asked for, and a whole window can leave in one system call.
//!
//! What moves it:
//!
//! - an ACK of a block in flight acknowledges everything up to it; the window starts anew behind it, which
//!   both opens the next window and repairs a gap (RFC 7440 §4);
//! - an ACK of the block before the window is repeated evidence of what was known. In lockstep it is
//!   ignored, or each duplicate would double all that follows (the Sorcerer's Apprentice, RFC 1123
//!   §4.2.3.1). In a window it may say that the first block is lost: the window is sent again, once, and
//!   only when a round trip has passed since it was sent;
//! - the timer.

use alloc::boxed::Box;
use core::time::Duration;

use crate::encode::{
    BufferTooSmall, Direction, EncodeRequestError, encode_data_header, encode_error, encode_request,
};
use crate::netascii::TransferMode;
use crate::options::{Agreed, Options};
use crate::packet::{DATA_HEADER_LEN, ErrorCode, MAX_REQUEST_LEN, OptionsView, Packet};
use crate::retransmit::Retransmit;
use crate::transfer::{Stats, TransferError, TransferSettings, Transmit, Wrap};

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
    /// Number of the last block, which is shorter than the others and may be empty.
    last: u64,
    /// Everything up to this block is acknowledged; 0 before the first, and then an OACK may be due.
    acked: u64,
    /// The next block to send.
    next: u64,
    /// The last block that has ever been sent.
    highest: u64,
    state: State,
    timer: Retransmit,
    /// The first block in flight that was sent only once and when it left: an ACK of it or of one behind it
    /// gives a round trip, whatever was sent again before it.
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

/// What [`Sender::poll_output`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderOutput {
    /// Send these bytes of the buffer: a request to the server's port, everything else to the port that
    /// the peer answered from.
    Transmit(Transmit),
    /// Read the file into the gaps that [`Run::payloads`] gives, then send [`Run::transmit`].
    ///
    /// If the file ends before the gaps do, call [`Sender::end_of_file`] first; if it cannot be read, call
    /// [`Sender::abort`] and send nothing.
    Data(Run),
    /// Nothing to do until a datagram comes or this time is reached.
    Wait(Duration),
    /// The peer has everything.
    Done(Stats),
    /// The transfer is over before its end.
    Failed(TransferError, Stats),
}

/// A run of blocks of one window, whose headers are in the buffer and whose payloads are not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Where the run starts in the file, in bytes.
    pub offset: u64,
    /// Bytes of the file in the run; 0 for the empty block after a file that is a multiple of the block size.
    pub len: usize,
    blksize: usize,
    transmit: Transmit,
}

impl Run {
    /// The places in `buf` for the run's bytes, in order of the file, each of at most a block.
    pub fn payloads<'b>(&self, buf: &'b mut [u8]) -> impl Iterator<Item = &'b mut [u8]> {
        let end = self.transmit.len.min(buf.len());
        buf.get_mut(..end)
            .unwrap_or_default()
            .chunks_mut(self.transmit.segment_size)
            .filter_map(|segment| segment.get_mut(DATA_HEADER_LEN..))
    }

    /// Bytes in each payload but the last.
    #[must_use]
    pub fn blksize(&self) -> usize {
        self.blksize
    }

    /// The datagrams, once the payloads are in place.
    #[must_use]
    pub fn transmit(&self) -> Transmit {
        self.transmit
    }
}

impl Sender {
    /// Answers a read request: with an OACK where options are agreed, with block 1 where not.
    ///
    /// `size` is the file's length on the wire in bytes, or `None` where only its end will show that, as in
    /// netascii mode: then [`Sender::end_of_file`] is called.
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
    /// `size` is as for [`Sender::reply`]; the caller puts it into `asked.tsize` if the server is to know.
    ///
    /// ```
    /// use core::time::Duration;
    /// use netboot_tftp::{Options, Sender, SenderOutput, TransferMode, TransferSettings};
    ///
    /// let (now, settings) = (Duration::ZERO, TransferSettings::default());
    /// let asked = Options { tsize: Some(5), ..Options::default() };
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

    /// Says that the file ended after `len` bytes of this run, and gives what is left of the run to be sent.
    ///
    /// For a file whose size was not known before; `len` is less than [`Run::len`], since a file whose end
    /// is that of a run shows it in the next one.
    #[must_use]
    pub fn end_of_file(&mut self, run: &Run, len: usize) -> Run {
        let len = len.min(run.len);
        self.size = run.offset.saturating_add(len as u64);
        self.last = (self.size / u64::from(self.agreed.blksize())).saturating_add(1);
        let laid = run.transmit.len.div_ceil(run.transmit.segment_size);
        let blocks = (len / run.blksize + 1).min(laid);
        // What is left out was never sent before, or the end would have been known.
        let left_out = (laid - blocks) as u64;
        self.stats.packets_sent = self.stats.packets_sent.saturating_sub(left_out);
        self.highest = self.highest.min(self.last);
        self.next = self.next.min(self.last.saturating_add(1));
        Run {
            len,
            transmit: Transmit {
                len: len + blocks * DATA_HEADER_LEN,
                ..run.transmit
            },
            ..*run
        }
    }

    /// Takes one datagram from the peer; its source has been checked by the caller.
    ///
    /// What does not fit is counted in [`Stats::ignored`] and changes nothing.
    pub fn handle_input(&mut self, now: Duration, datagram: &[u8]) {
        if self.is_over() {
            return;
        }
        match Packet::decode(datagram) {
            Ok(Packet::Ack { block }) => self.handle_ack(now, block),
            Ok(Packet::Oack(options)) => self.handle_oack(now, &options),
            Ok(Packet::Error { code, message }) => self.handle_error(code, message),
            _ => self.stats.ignored += 1,
        }
    }

    /// Ends the transfer from this side; the peer is told by an ERROR with this code and text.
    ///
    /// Without effect where the transfer is over already.
    pub fn abort(&mut self, code: ErrorCode, message: &'static str) {
        if !self.is_over() {
            self.state = State::ErrorDue(TransferError::Aborted { code, message });
        }
    }

    /// The next thing to do. Call it after each input and when its deadline is reached, until it waits.
    ///
    /// `buf` has to hold one block and its header, and at least 128 bytes, or 512 where this end asks. The
    /// more blocks of a window it holds, the more are in one [`Run`].
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; the state is unchanged.
    pub fn poll_output(
        &mut self,
        now: Duration,
        buf: &mut [u8],
    ) -> Result<SenderOutput, BufferTooSmall> {
        match &self.state {
            State::Failed(error) => {
                return Ok(SenderOutput::Failed(error.clone(), self.stats_at(now)));
            }
            State::Done => return Ok(SenderOutput::Done(self.stats_at(now))),
            State::ErrorDue(error) => return self.poll_error(now, error.clone(), buf),
            State::RequestDue => return self.poll_request(now, buf),
            State::OackDue => return self.poll_oack(now, buf),
            State::Requested | State::OackSent | State::Data => {}
        }
        if self.state == State::Data && self.next <= self.window_end() {
            return self.poll_data(now, buf);
        }
        match self.timer.expired(now, self.highest == self.last) {
            Ok(false) => Ok(SenderOutput::Wait(self.timer.deadline())),
            Ok(true) => {
                self.stats.timeouts += 1;
                match self.state {
                    State::Requested => self.state = State::RequestDue,
                    State::OackSent => self.state = State::OackDue,
                    _ => self.resend_window(),
                }
                self.poll_output(now, buf)
            }
            Err(error) => {
                self.state = State::ErrorDue(error);
                self.poll_output(now, buf)
            }
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
            bytes: self
                .acked
                .saturating_mul(self.agreed.blksize().into())
                .min(self.size),
            elapsed: now.saturating_sub(self.started),
            ..self.stats
        }
    }

    /// Whether the transfer has begun to move and now waits for a retry: a client that asks for the same
    /// file again has then started over, and is not merely repeating its request.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.acked > 0 && self.timer.is_backing_off()
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

    fn handle_ack(&mut self, now: Duration, wire: u16) {
        match self.state {
            // ACK 0 answers the OACK or a request without it, which must have been sent for that.
            State::OackDue | State::OackSent | State::RequestDue | State::Requested => {
                if wire != 0 || self.stats.packets_sent == 0 {
                    self.stats.ignored += 1;
                    return;
                }
                if self.request.is_some() {
                    self.agree(Agreed::default());
                }
                return self.open(now);
            }
            _ => {}
        }
        match self.wrap.ahead(self.acked, wire) {
            Some(0) => self.handle_repeated_ack(now),
            Some(ahead) if self.acked.saturating_add(ahead) <= self.highest => {
                let block = self.acked.saturating_add(ahead);
                if let Some((first, sent)) = self.timed.take()
                    && first <= block
                {
                    let rtt = now.saturating_sub(sent);
                    if block == self.window_end() {
                        self.timer.measured(rtt);
                    } else {
                        // A gap is acknowledged at once, but the loss of the window's end only when the
                        // receiver has waited for it.
                        self.timer.measured_at_most(rtt);
                    }
                }
                self.timer.progress();
                self.acked = block;
                self.next = block.saturating_add(1);
                self.repeated = false;
                if block == self.last {
                    self.state = State::Done;
                }
            }
            _ => self.stats.ignored += 1,
        }
    }

    fn handle_oack(&mut self, now: Duration, options: &OptionsView<'_>) {
        let Some(request) = &self.request else {
            self.stats.ignored += 1;
            return;
        };
        match self.state {
            State::RequestDue | State::Requested if self.stats.packets_sent > 0 => {
                match Agreed::by_client(&request.options, options) {
                    Ok(agreed) => {
                        self.agree(agreed);
                        self.open(now);
                    }
                    Err(error) => self.state = State::ErrorDue(error.into()),
                }
            }
            // The server has not seen block 1: what an ACK 0 would say.
            State::Data if self.acked == 0 => self.handle_repeated_ack(now),
            _ => self.stats.ignored += 1,
        }
    }

    /// The peer has answered the first packet: the first window may leave.
    fn open(&mut self, now: Duration) {
        if self.stats.retransmissions == 0 {
            self.timer.measured(now.saturating_sub(self.window_sent));
        }
        self.timer.progress();
        self.state = State::Data;
    }

    fn handle_repeated_ack(&mut self, now: Duration) {
        let a_round_trip_ago = now.saturating_sub(self.window_sent) >= self.timer.srtt();
        if self.window > 1 && self.highest > self.acked && !self.repeated && a_round_trip_ago {
            self.repeated = true;
            self.resend_window();
        } else {
            self.stats.ignored += 1;
        }
    }

    fn handle_error(&mut self, code: ErrorCode, message: &[u8]) {
        let only_asked_the_size = self.request.is_none()
            && self.acked == 0
            && self.agreed.options().tsize.is_some()
            && [ErrorCode::OPTION_REFUSED, ErrorCode::NOT_DEFINED].contains(&code);
        self.state = State::Failed(if only_asked_the_size {
            TransferError::SizeProbe
        } else {
            TransferError::peer(code, message)
        });
    }

    fn resend_window(&mut self) {
        self.next = self.acked.saturating_add(1);
        self.timed = None;
    }

    fn poll_error(
        &mut self,
        now: Duration,
        error: TransferError,
        buf: &mut [u8],
    ) -> Result<SenderOutput, BufferTooSmall> {
        let Some((code, message)) = error.to_wire() else {
            self.state = State::Failed(error);
            return self.poll_output(now, buf);
        };
        let len = encode_error(code, message, buf)?;
        self.stats.packets_sent += 1;
        self.state = State::Failed(error);
        Ok(SenderOutput::Transmit(Transmit::one(len)))
    }

    fn poll_oack(&mut self, now: Duration, buf: &mut [u8]) -> Result<SenderOutput, BufferTooSmall> {
        let len = self.agreed.encode_oack(buf)?;
        self.state = State::OackSent;
        Ok(self.opening_sent(now, len))
    }

    fn poll_request(
        &mut self,
        now: Duration,
        buf: &mut [u8],
    ) -> Result<SenderOutput, BufferTooSmall> {
        let packet = self.request.as_ref().map_or(&[][..], |r| &r.packet);
        let (len, have) = (packet.len(), buf.len());
        let Some(place) = buf.get_mut(..len) else {
            return Err(BufferTooSmall { needed: len, have });
        };
        place.copy_from_slice(packet);
        self.state = State::Requested;
        Ok(self.opening_sent(now, len))
    }

    fn opening_sent(&mut self, now: Duration, len: usize) -> SenderOutput {
        if self.stats.packets_sent > 0 {
            self.stats.retransmissions += 1;
        }
        self.stats.packets_sent += 1;
        self.window_sent = now;
        self.timer.arm(now);
        SenderOutput::Transmit(Transmit::one(len))
    }

    fn poll_data(&mut self, now: Duration, buf: &mut [u8]) -> Result<SenderOutput, BufferTooSmall> {
        let blksize = usize::from(self.agreed.blksize());
        let segment_size = blksize + DATA_HEADER_LEN;
        let room = buf.len() / segment_size;
        if room == 0 {
            return Err(BufferTooSmall {
                needed: segment_size,
                have: buf.len(),
            });
        }
        let first = self.next;
        let wanted = self.window_end() - first + 1;
        let blocks = usize::try_from(wanted).map_or(room, |n| n.min(room));
        let end = first + blocks as u64 - 1;
        for (segment, block) in buf.chunks_mut(segment_size).zip(first..=end) {
            if let Some(head) = segment.first_chunk_mut() {
                *head = encode_data_header(self.wrap.on_wire(block));
            }
        }
        let offset = (first - 1) * blksize as u64;
        let rest = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = rest.min(blocks * blksize);

        let again = self
            .highest
            .min(end)
            .saturating_add(1)
            .saturating_sub(first);
        self.stats.retransmissions += again;
        self.stats.packets_sent += blocks as u64;
        if first == self.acked + 1 {
            self.window_sent = now;
        }
        let fresh = self.highest.saturating_add(1).max(first);
        if self.timed.is_none() && fresh <= end {
            self.timed = Some((fresh, now));
        }
        self.highest = self.highest.max(end);
        self.next = end + 1;
        self.timer.arm(now);
        Ok(SenderOutput::Data(Run {
            offset,
            len,
            blksize,
            transmit: Transmit {
                len: len + blocks * DATA_HEADER_LEN,
                segment_size,
            },
        }))
    }
}
