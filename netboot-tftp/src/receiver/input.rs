//! What a receiver makes of the packets of its peer.

use core::time::Duration;

use crate::agreed::Agreed;
use crate::packet::{OptionsView, Packet};
use crate::receiver::{Receiver, State};
use crate::transfer::TransferError;

/// What a datagram brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received<'p> {
    /// The next bytes of the file. They are acknowledged by the next [`Receiver::poll_output`]:
    /// write them before, or call [`Receiver::abort`].
    Data {
        /// Where they belong, in bytes from the start of the file.
        offset: u64,
        /// The bytes; empty in the last block of a file that is a multiple of the block size.
        payload: &'p [u8],
    },
    /// Nothing for the file.
    Nothing,
}

impl Receiver {
    /// Takes one datagram from the peer; its source has been checked by the caller.
    ///
    /// What does not fit is counted in [`Stats::ignored`](crate::Stats::ignored) and changes
    /// nothing.
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
                // Once for a gap; again only where the sender has gone back and the gap is still
                // there.
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

    /// Whether blocks of a window can come: not before an OACK has been seen or sent, nor after the
    /// end.
    fn knows_window(&self) -> bool {
        match self.state {
            State::Receiving => true,
            State::Opened => self.agreed.is_some(),
            _ => false,
        }
    }

    pub(super) fn refuse_if_told_too_large(&mut self, agreed: &Agreed) {
        if agreed.options().tsize.is_some_and(|size| size > self.limit) {
            self.state = State::ErrorDue(TransferError::TooLarge { limit: self.limit });
        }
    }

    fn heard(&mut self, now: Duration) {
        self.stats.answered = true;
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
}
