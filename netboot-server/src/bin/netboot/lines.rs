//! The lines of a service's log, written by a thread of their own: who does not read them cannot
//! hold up who has something to say.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use netboot_server::Failure;

/// Bytes that wait to be read; what does not fit is dropped.
const ROOM: usize = 1 << 20;

/// Lines on their way out. Its clones are the same ones.
#[derive(Debug, Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    output: Mutex<Box<dyn Write + Send>>,
    waiting: Mutex<Waiting>,
    /// Rung where there is something to write.
    filled: Condvar,
    /// Rung where all is written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    /// Bytes that are being written now.
    under_way: usize,
    /// Lines that found no room since that was last said.
    dropped: u64,
    /// Whether the thread is there.
    has_thread: bool,
}

impl Lines {
    /// Lines to this output. Until [`Self::start`] who has something to say writes it.
    pub(super) fn to(output: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Shared {
            output: Mutex::new(Box::new(output)),
            waiting: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }))
    }

    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Where none can be started.
    pub(super) fn start(&self) -> Result<(), Failure> {
        let shared = Arc::clone(&self.0);
        thread::Builder::new()
            .name("log".into())
            .spawn(move || shared.write_on())
            .map_err(|error| {
                Failure::new("starting a thread", error, "raise the process limits")
            })?;
        self.0.waiting().has_thread = true;
        Ok(())
    }

    /// Waits until all is written, for so long at most, and says whether it is.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let under_way = |waiting: &mut Waiting| waiting.under_way > 0 || !waiting.text.is_empty();
        let waited = self
            .0
            .emptied
            .wait_timeout_while(self.0.waiting(), patience, under_way);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if !waiting.has_thread {
            drop(waiting);
            return self.write(line);
        }
        if waiting.under_way + waiting.text.len() + line.len() > ROOM {
            waiting.dropped += 1;
            return;
        }
        waiting.text.extend_from_slice(line);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Writes what comes, as long as the process is there.
    fn write_on(&self) {
        loop {
            let waiting = self.waiting();
            let waited = self
                .filled
                .wait_while(waiting, |waiting| waiting.text.is_empty());
            let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
            let text = std::mem::take(&mut waiting.text);
            waiting.under_way = text.len();
            drop(waiting);
            self.write(&text);
            let mut waiting = self.waiting();
            waiting.under_way = 0;
            let dropped = std::mem::take(&mut waiting.dropped);
            if dropped == 0 && waiting.text.is_empty() {
                self.emptied.notify_all();
            }
            drop(waiting);
            if dropped > 0 {
                tracing::warn!("{dropped} lines were dropped, as nobody read them in time");
            }
        }
    }

    /// Where nobody reads any more, that is no reason to stop.
    fn write(&self, text: &[u8]) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = output.write_all(text).and_then(|()| output.flush());
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl<'l> MakeWriter<'l> for Lines {
    type Writer = &'l Self;

    fn make_writer(&'l self) -> Self::Writer {
        self
    }
}

/// Takes a line whole, as the log gives it.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};

    use tracing_subscriber::fmt::format::FmtSpan;

    use super::*;

    #[test]
    fn lines_that_nobody_reads_are_dropped_counted_and_hold_nobody_up() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let lines = Lines::to(writer);
        lines.start().expect("a thread");
        let log = tracing_subscriber::fmt()
            .with_span_events(FmtSpan::NONE)
            .without_time()
            .with_writer(lines.clone());
        let said = 2 * ROOM / 1000;
        // The thread says itself what was dropped, so that it has to be everybody's.
        tracing::subscriber::set_global_default(log.finish()).expect("the only one here");
        for number in 0..said {
            tracing::info!("{number} {}", "x".repeat(1000));
        }
        assert!(!lines.flush(Duration::from_millis(10)), "nobody has read");

        let mut read = BufReader::new(&mut reader).lines().map_while(Result::ok);
        let mut whole = 0;
        let dropped = loop {
            let line = read.next().expect("the pipe is open");
            match line.split_once(" lines were dropped") {
                Some((before, _)) => break before.rsplit(' ').next().map(str::to_owned),
                None => {
                    assert!(line.contains(&format!(" {whole} x")), "{line}");
                    whole += 1;
                }
            }
        };
        assert_eq!(dropped, Some((said - whole).to_string()));
        assert!(lines.flush(Duration::from_secs(60)));
        let _ = reader.read(&mut []);
    }
}
