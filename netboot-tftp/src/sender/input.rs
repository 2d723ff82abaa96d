//! What a sender makes of the packets of its peer.

use core::time::Duration;

use crate::agreed::Agreed;
use crate::error_code::ErrorCode;
use crate::packet::{OptionsView, Packet};
use crate::sender::{Sender, State};
use crate::transfer::TransferError;

impl Sender {
    /// Takes one datagram from the peer; its source has been checked by the caller.
    ///
    /// What does not fit is counted in [`Stats::ignored`](crate::Stats::ignored) and changes
    /// nothing.
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
                self.stats.answered = true;
                if let Some((first, sent)) = self.timed.take()
                    && first <= block
                {
                    let rtt = now.saturating_sub(sent);
                    if block == self.window_end() {
                        self.timer.measured(rtt);
                    } else {
                        // A gap is acknowledged at once, but the loss of the window's end only when
                        // the receiver has waited for it.
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
        self.stats.answered = true;
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
}
