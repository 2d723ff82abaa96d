//! A client reads: a [`Sender`], its line and its file.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::content::Reader;
use crate::packet::{DATA_HEADER_LEN, ErrorCode};
use crate::sender::{Sender, SenderOutput};
use crate::server::line::Line;
use crate::server::table::Control;
use crate::server::transfer::{End, Shared};
use crate::transfer::{Stats, TransferError};

/// Sends the file to its end.
pub(crate) async fn run<S>(
    shared: &Shared<S>,
    line: &mut Line<'_, S>,
    control: &Control,
    sender: Sender,
    reader: Reader,
) -> (End, Stats) {
    let mut driver = Driver {
        shared,
        line,
        sender,
        reader,
        started: Instant::now(),
        unreadable: None,
    };
    loop {
        let mut buffer = shared.buffers.lend();
        let turn = driver.send_what_is_due(&mut buffer).await;
        shared.buffers.take_back(buffer);
        let deadline = match turn {
            Turn::Wait(deadline) => driver.started + deadline,
            Turn::End(end, stats) => return (end, stats),
        };
        let stalled = driver.sender.is_stalled();
        control.stalled.store(stalled, Ordering::Relaxed);
        tokio::select! {
            biased;
            () = driver.line.ready() => driver.take_what_came(),
            () = tokio::time::sleep_until(deadline) => {}
            () = control.superseded.notified() => {
                return (End::Superseded, driver.sender.stats_at(driver.started.elapsed()));
            }
        }
    }
}

struct Driver<'a, 'b, S> {
    shared: &'a Shared<S>,
    line: &'a mut Line<'b, S>,
    sender: Sender,
    reader: Reader,
    started: Instant,
    unreadable: Option<std::io::Error>,
}

enum Turn {
    Wait(Duration),
    End(End, Stats),
}

impl<S> Driver<'_, '_, S> {
    /// Turns the sender's crank until it waits.
    async fn send_what_is_due(&mut self, buffer: &mut [u8]) -> Turn {
        let segment = usize::from(self.sender.agreed().blksize()) + DATA_HEADER_LEN;
        let room = self
            .shared
            .offload
            .run_len(segment)
            .max(128)
            .min(buffer.len());
        let Some(buffer) = buffer.get_mut(..room) else {
            return Turn::Wait(Duration::ZERO);
        };
        loop {
            let output = match self.sender.poll_output(self.started.elapsed(), buffer) {
                Ok(output) => output,
                Err(error) => {
                    let end = End::File(std::io::Error::other(error));
                    return Turn::End(end, self.sender.stats_at(self.started.elapsed()));
                }
            };
            match output {
                SenderOutput::Transmit(transmit) => self.line.send(transmit, buffer).await,
                SenderOutput::Data(run) => {
                    match self.reader.fill(&run, buffer, self.sender.agreed()) {
                        Ok(len) => {
                            let run = if len < run.len {
                                self.sender.end_of_file(&run, len)
                            } else {
                                run
                            };
                            self.line.send(run.transmit(), buffer).await;
                        }
                        Err(error) => {
                            self.unreadable = Some(error);
                            self.sender
                                .abort(ErrorCode::NOT_DEFINED, "the file cannot be read");
                        }
                    }
                }
                SenderOutput::Wait(deadline) => return Turn::Wait(deadline),
                SenderOutput::Done(stats) => return Turn::End(End::Done, stats),
                SenderOutput::Failed(error, stats) => return Turn::End(self.end(error), stats),
            }
        }
    }

    fn end(&mut self, error: TransferError) -> End {
        match self.unreadable.take() {
            Some(cause) => End::File(cause),
            None => End::Failed(error),
        }
    }

    fn take_what_came(&mut self) {
        // More than an ACK or an ERROR cannot be meant for a sender.
        let mut buf = [0; MAX_ANSWER_LEN];
        while let Some(bytes) = self.line.take(&mut buf) {
            self.sender.handle_input(self.started.elapsed(), bytes);
        }
    }
}

/// Bytes of a packet that a sender looks at.
pub(crate) const MAX_ANSWER_LEN: usize = 1024;
