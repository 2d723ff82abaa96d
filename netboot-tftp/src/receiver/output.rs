//! What a receiver sends: its opening packet, ACKs, and the end.

use core::time::Duration;

use crate::encode::{BufferTooSmall, encode_ack, encode_error};
use crate::receiver::{Receiver, State};
use crate::transfer::{Stats, TransferError, Transmit};

/// What [`Receiver::poll_output`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverOutput {
    /// Send these bytes of the buffer: a request to the server's port, everything else to the port
    /// that the peer answered from.
    Transmit(Transmit),
    /// Nothing to do until a datagram comes or this time is reached.
    Wait(Duration),
    /// The file is here and the sender has been given time to hear so.
    Done(Stats),
    /// The transfer is over before its end.
    Failed(TransferError, Stats),
}

impl Receiver {
    /// The next thing to do. Call it after each input and when its deadline is reached, until it
    /// waits.
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
        match self.timer.expired(now, false, self.bytes) {
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

    fn sent(&mut self, now: Duration, len: usize) -> ReceiverOutput {
        // A packet that is repeated tells no round trip: its answer may be that to the first.
        self.timed = (!self.timer.is_backing_off()).then_some(now);
        self.stats.packets_sent += 1;
        self.timer.arm(now);
        ReceiverOutput::Transmit(Transmit::one(len))
    }

    fn poll_error(
        &mut self,
        now: Duration,
        error: TransferError,
        buf: &mut [u8],
    ) -> Result<ReceiverOutput, BufferTooSmall> {
        let Some((code, message)) = self.timer.tells(&error) else {
            self.state = State::Failed(error);
            return self.poll_output(now, buf);
        };
        let len = encode_error(code, message, buf)?;
        self.stats.packets_sent += 1;
        self.state = State::Failed(error);
        Ok(ReceiverOutput::Transmit(Transmit::one(len)))
    }
}
