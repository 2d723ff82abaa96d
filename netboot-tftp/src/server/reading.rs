//! A client reads: a [`Sender`], its line and its file.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Clock;
use crate::content::Reader;
use crate::error_code::ErrorCode;
use crate::packet::DATA_HEADER_LEN;
use crate::sender::{Sender, SenderOutput};
use crate::server::line::Line;
use crate::server::table::Control;
use crate::server::transfer::{End, Next, Shared};
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
        clock: Clock::start(),
        unreadable: None,
    };
    let mut timer = pin!(tokio::time::sleep_until(driver.clock.never()));
    let mut bell = pin!(control.bell.notified());
    let (mut begun, mut rung) = (false, false);
    loop {
        let mut buffer = shared.buffers.lend();
        let now = driver.clock.now();
        // Whoever woke it: in lockstep something may be left from the last time.
        if std::mem::replace(&mut begun, true) {
            driver.take_what_came(now, &mut buffer);
        }
        let next = driver.send_what_is_due(now, &mut buffer).await;
        shared.buffers.take_back(buffer);
        let deadline = match next {
            Next::Wait(deadline) => driver.clock.at(deadline),
            Next::End(end, stats) => return (end, stats),
        };
        if std::mem::take(&mut rung) {
            control.repeated.store(false, Ordering::Relaxed);
        }
        let stalled = driver.sender.is_stalled();
        control.stalled.store(stalled, Ordering::Relaxed);
        let unanswered = !driver.line.heard && driver.sender.stats_at(now).timeouts > 0;
        control.unanswered.store(unanswered, Ordering::Relaxed);
        let arrived = driver.sender.stats_at(now).bytes;
        control.arrived.store(arrived, Ordering::Relaxed);
        // A timer that rings too early now and then costs less than one that is put off with each
        // block.
        if timer.is_elapsed() || deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        tokio::select! {
            biased;
            () = driver.line.ready() => {}
            () = &mut timer => {}
            () = &mut bell => {
                if let Some(end) = End::by_listener(control) {
                    return (end, driver.sender.stats_at(driver.clock.now()));
                }
                bell.set(control.bell.notified());
                rung = true;
            }
            read = driver.reader.read(driver.sender.window()) => match read {
                Ok(()) => driver.sender.set_available(driver.reader.available()),
                Err(error) => driver.give_up(error),
            }
        }
    }
}

struct Driver<'a, 'b, S> {
    shared: &'a Shared<S>,
    line: &'a mut Line<'b, S>,
    sender: Sender,
    reader: Reader,
    clock: Clock,
    unreadable: Option<std::io::Error>,
}

impl<S> Driver<'_, '_, S> {
    /// Turns the sender's crank until it waits.
    async fn send_what_is_due(&mut self, mut now: Duration, buffer: &mut [u8]) -> Next {
        let segment = usize::from(self.sender.agreed().blksize()) + DATA_HEADER_LEN;
        let room = self
            .shared
            .offload
            .run_len(segment)
            .max(128)
            .min(buffer.len());
        let Some(buffer) = buffer.get_mut(..room) else {
            return Next::Wait(Duration::ZERO);
        };
        loop {
            let output = match self.sender.poll_output(now, buffer) {
                Ok(output) => output,
                Err(error) => {
                    let end = End::File(std::io::Error::other(error));
                    return Next::End(end, self.sender.stats_at(now));
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
                        Err(error) => self.give_up(error),
                    }
                }
                SenderOutput::Wait(deadline) => return Next::Wait(deadline),
                SenderOutput::Done(stats) => return Next::End(End::Done, stats),
                SenderOutput::Failed(error, stats) => return Next::End(self.end(error), stats),
            }
            // A window may be as long as its limits say; the other transfers go on meanwhile.
            tokio::task::consume_budget().await;
            now = self.clock.now();
        }
    }

    /// Tells the client that the file cannot be read.
    fn give_up(&mut self, error: std::io::Error) {
        self.unreadable = Some(error);
        self.sender
            .abort(ErrorCode::NOT_DEFINED, "the file cannot be read");
    }

    fn end(&mut self, error: TransferError) -> End {
        match self.unreadable.take() {
            Some(cause) => End::File(cause),
            None => End::Failed(error),
        }
    }

    fn take_what_came(&mut self, now: Duration, buffer: &mut [u8]) {
        let sender = &mut self.sender;
        if sender.agreed().windowsize() > 1 {
            return self
                .line
                .take_all(buffer, |packet| sender.handle_input(now, packet));
        }
        self.line.take_until(buffer, |packet| {
            let ignored = sender.stats_at(now).ignored;
            sender.handle_input(now, packet);
            sender.stats_at(now).ignored == ignored
        });
    }
}

/// Bytes of a packet that a sender looks at: more than an ACK or an ERROR cannot be meant for it.
pub(crate) const MAX_ANSWER_LEN: usize = 1024;
