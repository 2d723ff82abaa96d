//! Clients that are not worth waiting for: who is being sent something takes it at a least pace,
//! and who is sent what has no end is there.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::places::Activity;

/// How long what is sent may stand still before anybody looks how fast its reader is.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a reader may take for [`LEAST`]. Its system takes as much as 64 KiB at a time, so that
/// in a minute the same reader is seen to take one of these, or two.
const SPAN: Duration = Duration::from_secs(180);
/// How many bytes a reader must take in each [`SPAN`] in which there is something for it.
const LEAST: u64 = 180 << 10;

/// Tells how much of what was written the system still holds for the reader.
pub(super) type Held = Box<dyn Fn() -> u64 + Send>;

/// A connection whose writes fail when its reader is too slow. While it keeps up there is no timer.
pub(super) struct Paced<S> {
    stream: S,
    activity: Arc<Activity>,
    written: u64,
    held: Held,
    behind: Option<Behind>,
}

/// A reader that did not take all at once.
struct Behind {
    until: Pin<Box<Sleep>>,
    /// How much it had taken where the span began.
    taken: Option<u64>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, held: Held) -> Self {
        Self {
            stream,
            activity,
            written: 0,
            held,
            behind: None,
        }
    }

    /// Counts what was taken, and fails where that is too little.
    fn watch(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let Ok(more) = written {
                self.activity.moved(more);
                self.written += more as u64;
            }
            return Poll::Ready(written);
        }
        self.poll_patience(context).map(Err)
    }

    /// Ends with an error when the client of an answer without an end has shut its side, or says
    /// more, to which nothing would ever be answered. hyper does not look, so that clients that shut
    /// theirs get all of an answer that has an end.
    fn poll_departure(&mut self, context: &mut Context<'_>) -> Poll<io::Error>
    where
        S: AsyncRead + Unpin,
    {
        if !self.activity.is_endless() {
            return Poll::Pending;
        }
        let mut byte = [0];
        let read = Pin::new(&mut self.stream).poll_read(context, &mut ReadBuf::new(&mut byte));
        read.map(|read| match read {
            Ok(()) => io::ErrorKind::ConnectionAborted.into(),
            Err(error) => error,
        })
    }

    /// Ends with an error when the reader has taken too little for a whole span.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let behind = self.behind.get_or_insert_with(|| Behind {
            until: Box::pin(tokio::time::sleep(SETTLE)),
            taken: None,
        });
        while behind.until.as_mut().poll(context).is_ready() {
            // Not what the system took for it, which may be megabytes at once.
            let taken = self.written.saturating_sub((self.held)());
            let before = behind.taken.replace(taken);
            if before.is_some_and(|before| taken.saturating_sub(before) < LEAST) {
                return Poll::Ready(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client reads too slowly",
                ));
            }
            behind.until.as_mut().reset(Instant::now() + SPAN);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(gone) = self.poll_departure(context) {
            return Poll::Ready(Err(gone));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.behind = None;
            return flushed;
        }
        // TLS holds what it has encrypted.
        self.poll_patience(context).map(Err)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        let came = into.filled().len().saturating_sub(before);
        if came > 0 {
            self.activity.moved(came);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard};
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream, duplex};

    use super::*;

    /// Sends a megabyte to a reader that takes so much each second of a paused clock.
    async fn send_to_reader_of(bytes_a_second: usize) -> io::Result<()> {
        let (stream, mut reader) = duplex(1024);
        let mut paced = Paced::new(stream, Arc::default(), Box::new(|| 0));
        let read = async move {
            let mut taken = vec![0; bytes_a_second];
            while reader.read_exact(&mut taken).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            reader.read_to_end(&mut taken).await
        };
        let write = async move {
            paced.write_all(&vec![0; 1 << 20]).await?;
            paced.flush().await
        };
        tokio::select! {
            written = write => written,
            _ = read => unreachable!("the writer ends first"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_below_the_least_pace_is_cut() {
        for bytes_a_second in [1, 500, 1000] {
            let cut = send_to_reader_of(bytes_a_second).await;
            let kind = cut.map_err(|error| error.kind());
            assert_eq!(kind, Err(io::ErrorKind::TimedOut), "{bytes_a_second}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_at_the_least_pace_gets_all_of_it() {
        for bytes_a_second in [1100, 4096] {
            let sent = send_to_reader_of(bytes_a_second).await;
            assert!(sent.is_ok(), "{bytes_a_second}: {sent:?}");
        }
    }

    /// What a system holds for its clients: it takes a megabyte, and more when a third of that is
    /// gone (`sk_stream_is_writeable` of Linux's `include/net/sock.h`).
    #[derive(Clone, Default)]
    struct System(Arc<Mutex<Queue>>);

    #[derive(Default)]
    struct Queue {
        held: usize,
        is_full: bool,
        writer: Option<Waker>,
    }

    impl System {
        const ROOM: usize = 1 << 20;

        fn lock(&self) -> MutexGuard<'_, Queue> {
            self.0.lock().expect("no panic")
        }

        /// Hands so much on to the client.
        fn hand_on(&self, bytes: usize) {
            let mut queue = self.lock();
            queue.held = queue.held.saturating_sub(bytes);
            if queue.held < Self::ROOM / 3 * 2 {
                queue.is_full = false;
                if let Some(writer) = queue.writer.take() {
                    writer.wake();
                }
            }
        }
    }

    impl AsyncWrite for System {
        fn poll_write(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let mut queue = self.lock();
            let taken = bytes.len().min(Self::ROOM - queue.held);
            if queue.is_full || taken == 0 {
                queue.is_full = true;
                queue.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            queue.held += taken;
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncRead for System {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_readers_pace_is_what_it_takes_and_not_what_the_system_takes_for_it() {
        /// The window over loopback, which opens when a segment fits.
        const WINDOW: usize = 65_483;
        for (bytes_a_second, is_served) in [(700, false), (1500, true), (8000, true)] {
            let system = System::default();
            let queue = system.clone();
            let held = move || queue.lock().held as u64;
            let mut paced = Paced::new(system.clone(), Arc::default(), Box::new(held));
            let read = async {
                let mut read = 0;
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    read += bytes_a_second;
                    if read >= WINDOW {
                        system.hand_on(WINDOW);
                        read -= WINDOW;
                    }
                }
            };
            let bytes = vec![0; 3 << 20];
            let written = tokio::select! {
                written = paced.write_all(&bytes) => written,
                () = read => unreachable!("it goes on"),
            };
            let kind = written.map_err(|error| error.kind());
            let cut = Err(io::ErrorKind::TimedOut);
            assert_eq!(
                kind,
                if is_served { Ok(()) } else { cut },
                "{bytes_a_second}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_layer_below_holds_is_not_held_for_ever() {
        let (stream, _reader): (_, DuplexStream) = duplex(16);
        let mut paced = Paced::new(
            BufWriter::with_capacity(1024, stream),
            Arc::default(),
            Box::new(|| 0),
        );
        paced.write_all(&[0; 1000]).await.expect("room");
        let cut = paced.flush().await.map_err(|error| error.kind());
        assert_eq!(cut, Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_cut_and_one_that_is_sent_nothing_is_not() {
        let (stream, _reader): (_, DuplexStream) = duplex(16);
        let mut paced = Paced::new(stream, Arc::default(), Box::new(|| 0));
        paced.write_all(&[0; 16]).await.expect("room");
        paced.flush().await.expect("a reader");
        tokio::time::sleep(SPAN * 10).await;
        let cut = paced.write_all(&[0]).await.map_err(|error| error.kind());
        assert_eq!(cut, Err(io::ErrorKind::TimedOut));
    }
}
