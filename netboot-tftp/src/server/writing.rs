//! A client writes: a [`Receiver`], its line and the file it makes.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Clock;
use crate::error_code::ErrorCode;
use crate::netascii::{Decoder, TransferMode};
use crate::receiver::{Received, Receiver, ReceiverOutput};
use crate::server::line::Line;
use crate::server::table::Control;
use crate::server::transfer::{End, Next, Shared};
use crate::server::upload::{self, Upload};
use crate::transfer::{Stats, TransferError};

/// Takes the file to its end. The last block is acknowledged when the upload has been committed.
pub(crate) async fn run<S>(
    shared: &Shared<S>,
    line: &mut Line<'_, S>,
    control: &Control,
    receiver: Receiver,
    upload: Upload,
    mode: TransferMode,
) -> (End, Stats) {
    let mut driver = Driver {
        line,
        receiver,
        upload: Some(upload),
        decoder: (mode == TransferMode::Netascii).then(Decoder::default),
        clock: Clock::start(),
        patience: shared.settings.transfer.max_duration,
        unwritable: None,
    };
    let mut was_complete = false;
    loop {
        let deadline = match driver.send_what_is_due().await {
            Next::Wait(deadline) => driver.clock.at(deadline),
            Next::End(end, stats) => return (end, stats),
        };
        let complete = driver.receiver.is_complete();
        if complete && !was_complete {
            control.leaving.store(true, Ordering::Relaxed);
        }
        was_complete = complete;
        let now = driver.clock.now();
        let unanswered = !driver.line.heard && driver.receiver.stats_at(now).timeouts > 0;
        control.unanswered.store(unanswered, Ordering::Relaxed);
        let stalled = driver.receiver.is_stalled();
        control.stalled.store(stalled, Ordering::Relaxed);
        let arrived = driver.receiver.stats_at(now).bytes;
        control.arrived.store(arrived, Ordering::Relaxed);
        tokio::select! {
            biased;
            () = driver.line.ready() => {}
            () = tokio::time::sleep_until(deadline) => continue,
            () = control.bell.notified() => {
                let Some(end) = End::by_listener(control) else {
                    // Who writes a file has not had the answer to its last block before this end
                    // has it.
                    control.repeated.store(false, Ordering::Relaxed);
                    continue;
                };
                let stats = driver.receiver.stats_at(driver.clock.now());
                let complete = driver.receiver.is_complete();
                return (if complete { End::Done } else { end }, stats);
            }
        }
        let mut buffer = shared.buffers.lend();
        let next = driver.take_what_came(&mut buffer).await;
        shared.buffers.take_back(buffer);
        if let Some(Next::End(end, stats)) = next {
            return (end, stats);
        }
    }
}

struct Driver<'a, 'b, S> {
    line: &'a mut Line<'b, S>,
    receiver: Receiver,
    /// `None` once it has been committed or given up.
    upload: Option<Upload>,
    decoder: Option<Decoder>,
    clock: Clock,
    /// How long a sink may take, so that one that hangs does not keep its place for ever.
    patience: Duration,
    unwritable: Option<io::Error>,
}

impl<S> Driver<'_, '_, S> {
    /// Turns the receiver's crank until it waits.
    async fn send_what_is_due(&mut self) -> Next {
        let mut buffer = [0; 512];
        loop {
            let now = self.clock.now();
            match self.receiver.poll_output(now, &mut buffer) {
                Ok(ReceiverOutput::Transmit(transmit)) => self.line.send(transmit, &buffer).await,
                Ok(ReceiverOutput::Wait(deadline)) => return Next::Wait(deadline),
                Ok(ReceiverOutput::Done(stats)) => return Next::End(End::Done, stats),
                Ok(ReceiverOutput::Failed(error, stats)) => {
                    return Next::End(self.end(error), stats);
                }
                Err(error) => {
                    let end = End::File(io::Error::other(error));
                    return Next::End(end, self.receiver.stats_at(now));
                }
            }
        }
    }

    fn end(&mut self, error: TransferError) -> End {
        match self.unwritable.take() {
            Some(cause) => End::File(cause),
            None => End::Failed(error),
        }
    }

    /// Writes what came, and answers as often as the receiver wants to: the next window may be
    /// among it.
    async fn take_what_came(&mut self, buffer: &mut [u8]) -> Option<Next> {
        while let Some(bytes) = self.line.take(buffer) {
            let received = self.receiver.handle_input(self.clock.now(), bytes);
            if let Received::Data { payload, .. } = received
                && let Err(error) = self.write(payload).await
            {
                let refusal = upload::refusal(&error);
                let code = refusal.code().unwrap_or(ErrorCode::NOT_DEFINED);
                self.receiver.abort(code, refusal.message());
                self.unwritable = Some(error);
                self.upload = None;
            }
            match self.send_what_is_due().await {
                Next::Wait(_) => {}
                end @ Next::End(..) => return Some(end),
            }
        }
        None
    }

    /// Writes the next bytes, and puts the file where it belongs where they were its last.
    async fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let written = tokio::time::timeout(self.patience, self.write_unbounded(payload)).await;
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn write_unbounded(&mut self, payload: &[u8]) -> io::Result<()> {
        let Some(upload) = &mut self.upload else {
            return Ok(());
        };
        match &mut self.decoder {
            None => upload.write(payload).await?,
            Some(decoder) => {
                let mut file = Vec::new();
                decoder.decode(payload, &mut file);
                if self.receiver.is_complete() {
                    decoder.finish(&mut file);
                }
                upload.write(&file).await?;
            }
        }
        if self.receiver.is_complete()
            && let Some(upload) = self.upload.take()
        {
            upload.commit().await?;
        }
        Ok(())
    }
}
