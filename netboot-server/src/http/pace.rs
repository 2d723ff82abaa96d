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

/// How long a reader may take for [`LEAST`].
const SPAN: Duration = Duration::from_secs(60);
/// How many bytes a reader must take in each [`SPAN`] in which there is something for it.
const LEAST: usize = 60 << 10;

/// A connection whose writes fail when its reader is too slow. While it keeps up there is no timer.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    activity: Arc<Activity>,
    behind: Option<Behind>,
}

/// A reader that did not take all at once.
#[derive(Debug)]
struct Behind {
    until: Pin<Box<Sleep>>,
    taken: usize,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            activity,
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
            if let Ok(taken) = written {
                self.activity.moved(taken);
                if let Some(behind) = &mut self.behind {
                    behind.taken = behind.taken.saturating_add(taken);
                }
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
            until: Box::pin(tokio::time::sleep(SPAN)),
            taken: 0,
        });
        while behind.until.as_mut().poll(context).is_ready() {
            if behind.taken < LEAST {
                return Poll::Ready(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client reads too slowly",
                ));
            }
            behind.taken = 0;
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream, duplex};

    use super::*;

    /// Sends a megabyte to a reader that takes so much each second of a paused clock.
    async fn send_to_reader_of(bytes_a_second: usize) -> io::Result<()> {
        let (stream, mut reader) = duplex(1024);
        let mut paced = Paced::new(stream, Arc::default());
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

    #[tokio::test(start_paused = true)]
    async fn what_a_layer_below_holds_is_not_held_for_ever() {
        let (stream, _reader): (_, DuplexStream) = duplex(16);
        let mut paced = Paced::new(BufWriter::with_capacity(1024, stream), Arc::default());
        paced.write_all(&[0; 1000]).await.expect("room");
        let cut = paced.flush().await.map_err(|error| error.kind());
        assert_eq!(cut, Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_cut_and_one_that_is_sent_nothing_is_not() {
        let (stream, _reader): (_, DuplexStream) = duplex(16);
        let mut paced = Paced::new(stream, Arc::default());
        paced.write_all(&[0; 16]).await.expect("room");
        paced.flush().await.expect("a reader");
        tokio::time::sleep(SPAN * 10).await;
        let cut = paced.write_all(&[0]).await.map_err(|error| error.kind());
        assert_eq!(cut, Err(io::ErrorKind::TimedOut));
    }
}
