//! What a sender sends: its opening packet, runs of blocks, and the end.

use core::time::Duration;

use crate::encode::{BufferTooSmall, encode_data_header, encode_error};
use crate::packet::DATA_HEADER_LEN;
use crate::sender::{Sender, State};
use crate::transfer::{Stats, TransferError, Transmit};

/// What [`Sender::poll_output`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderOutput {
    /// Send these bytes of the buffer: a request to the server's port, everything else to the port
    /// that the peer answered from.
    Transmit(Transmit),
    /// Read the file into the gaps that [`Run::payloads`] gives, then send [`Run::transmit`].
    ///
    /// If the file ends before the gaps do, call [`Sender::end_of_file`] first; if it cannot be
    /// read, call [`Sender::abort`] and send nothing.
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
    /// Bytes of the file in the run; 0 for the empty block after a file that is a multiple of the
    /// block size.
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
    /// The next thing to do. Call it after each input and when its deadline is reached, until it
    /// waits.
    ///
    /// `buf` has to hold one block and its header, and at least 128 bytes, or 512 where this end
    /// asks. The more blocks of a window it holds, the more are in one [`Run`].
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
        let arrived = self.bytes_in(self.acked);
        if self.state == State::Data {
            let end = self.sendable_end();
            if self.next <= end {
                return self.poll_data(now, end, buf);
            }
            if self.highest == self.acked {
                // It is the file that keeps the peer waiting.
                match self.timer.idle(now, arrived) {
                    Ok(end) => return Ok(SenderOutput::Wait(end)),
                    Err(error) => self.state = State::ErrorDue(error),
                }
                return self.poll_output(now, buf);
            }
        }
        match self.timer.expired(now, self.highest == self.last, arrived) {
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

    /// Says that the file ended after `len` bytes of this run, and gives what is left of the run to
    /// be sent.
    ///
    /// For a file whose size was not known before; `len` is less than [`Run::len`], since a file
    /// whose end is that of a run shows it in the next one.
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

    pub(super) fn resend_window(&mut self) {
        self.next = self.acked.saturating_add(1);
        self.timed = None;
    }

    fn poll_error(
        &mut self,
        now: Duration,
        error: TransferError,
        buf: &mut [u8],
    ) -> Result<SenderOutput, BufferTooSmall> {
        let Some((code, message)) = self.timer.tells(&error) else {
            self.state = State::Failed(error);
            return self.poll_output(now, buf);
        };
        let len = encode_error(code, message, buf)?;
        self.stats.packets_sent += 1;
        self.state = State::Failed(error);
        Ok(SenderOutput::Transmit(Transmit::one(len)))
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

    fn poll_oack(&mut self, now: Duration, buf: &mut [u8]) -> Result<SenderOutput, BufferTooSmall> {
        let len = self.agreed.encode_oack(buf)?;
        self.state = State::OackSent;
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

    /// Lays out the next blocks up to this one, as many as there is room for.
    fn poll_data(
        &mut self,
        now: Duration,
        end: u64,
        buf: &mut [u8],
    ) -> Result<SenderOutput, BufferTooSmall> {
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
        let wanted = end - first + 1;
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
