//! File bytes straight from the page cache to the socket, by `sendfile(2)`, under hyper.
//!
//! hyper owns the connection and writes the slices that a body gave it, uncopied where the socket
//! below takes several at once (read in 1.12.0; Cargo.toml holds the minor version). A body that is
//! a part of a file gives blanks: slices of a region that stands for file bytes, whose content is
//! never looked at. The stream below hyper knows them by their address and sends the file in
//! their place. What is due is kept between the two; should hyper ever copy a blank, that stream
//! sees that file bytes are still due when it is told to flush, and cuts the connection.

use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustix::fs::sendfile;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::pace::Reset;
use super::transfer::Transfer;

/// How many bytes of a file a body gives at a time.
pub(super) const WINDOW: usize = 1 << 20;

/// Never written, so that it takes addresses and no memory.
static BLANK: LazyLock<&'static [u8]> = LazyLock::new(|| vec![0; WINDOW].leak());

/// A TCP connection that also sends files.
#[derive(Debug)]
pub(super) struct SendfileStream {
    stream: TcpStream,
    due: Due,
}

/// The file bytes that a body gave blanks for and that are not sent yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Due(Arc<Mutex<Option<DuePart>>>);

#[derive(Debug)]
struct DuePart {
    file: Arc<File>,
    offset: u64,
    length: usize,
    transfer: Arc<Transfer>,
}

impl Due {
    /// Has this part of the file sent in place of the blank that is given back. Parts of a file
    /// follow each other; `length` is at most [`WINDOW`].
    pub(super) fn give(
        &self,
        file: &Arc<File>,
        offset: u64,
        length: usize,
        transfer: &Arc<Transfer>,
    ) -> Bytes {
        let length = length.min(WINDOW);
        let mut due = self.lock();
        match &mut *due {
            Some(part) => part.length += length,
            None => {
                *due = Some(DuePart {
                    file: Arc::clone(file),
                    offset,
                    length,
                    transfer: Arc::clone(transfer),
                });
            }
        }
        Bytes::from_static(&BLANK[..length])
    }

    fn lock(&self) -> MutexGuard<'_, Option<DuePart>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends up to `most` of the bytes that are due.
    fn send(&self, stream: &TcpStream, most: usize) -> io::Result<usize> {
        let mut due = self.lock();
        let lost = || io::Error::other("a blank was written for which no file bytes are due");
        let part = due.as_mut().ok_or_else(lost)?;
        let sent = sendfile(
            stream,
            &*part.file,
            Some(&mut part.offset),
            most.min(part.length),
        )?;
        if sent == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is shorter than it was",
            ));
        }
        part.length -= sent;
        part.transfer.add(sent as u64);
        if part.length == 0 {
            *due = None;
        }
        Ok(sent)
    }
}

fn is_blank(slice: &[u8]) -> bool {
    BLANK.as_ptr_range().contains(&slice.as_ptr())
}

impl SendfileStream {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            due: Due::default(),
        }
    }

    /// Where a body leaves what is to be sent of a file.
    pub(super) fn due(&self) -> Due {
        self.due.clone()
    }

    fn poll_send(&self, context: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            let send = || self.due.send(&self.stream, most);
            match self.stream.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }
}

impl Reset for SendfileStream {
    fn reset(&self) {
        self.stream.reset();
    }
}

impl AsyncWrite for SendfileStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let skipped = slices.iter().take_while(|slice| slice.is_empty()).count();
        let slices = slices.get(skipped..).unwrap_or_default();
        if let Some(first) = slices.first().filter(|first| is_blank(first)) {
            return self.poll_send(context, first.len());
        }
        let bytes = slices.iter().take_while(|slice| !is_blank(slice)).count();
        let bytes = slices.get(..bytes).unwrap_or_default();
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.due.lock().is_some() {
            return Poll::Ready(Err(io::Error::other(
                "a blank was written in place of file bytes",
            )));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for SendfileStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (SendfileStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("a connection");
        let (stream, _) = listener.accept().await.expect("a connection");
        (SendfileStream::new(stream), client)
    }

    fn file(content: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content).expect("room");
        Arc::new(file)
    }

    #[tokio::test]
    async fn a_blank_goes_out_as_the_part_of_the_file_that_it_stands_for() {
        let (mut stream, mut client) = pair().await;
        let file = file(b"0123456789");
        let sent = Arc::new(Mutex::new(None));
        let told = Arc::clone(&sent);
        let mut transfer = Transfer::new(5);
        transfer.on_end(move |sent| *told.lock().expect("no panic") = Some(sent));
        let blank = stream.due().give(&file, 2, 5, &Arc::new(transfer));
        assert_eq!(blank.len(), 5);
        // Written in two pieces, with bytes before and behind it.
        let (first, second) = blank.split_at(3);
        let slices = [&b"<"[..], first, second, b">"].map(IoSlice::new);
        let mut rest = &slices[..];
        while let Some(slice) = rest.first() {
            let written = stream.write_vectored(rest).await.expect("a reader");
            assert_eq!(written, slice.len());
            rest = &rest[1..];
        }
        let sent = sent.lock().expect("no panic").take().expect("an end");
        assert_eq!((sent.bytes, sent.complete), (5, true));
        stream.shutdown().await.expect("a reader");
        let mut got = String::new();
        client.read_to_string(&mut got).await.expect("bytes");
        assert_eq!(got, "<23456>");
    }

    #[tokio::test]
    async fn a_blank_that_was_copied_cuts_the_connection() {
        let (mut stream, _client) = pair().await;
        let due = stream.due();
        due.give(&file(b"0123456789"), 0, 10, &Arc::default());
        stream.write_all(&[0; 10]).await.expect("a reader");
        assert!(stream.flush().await.is_err());
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let (mut stream, _client) = pair().await;
        let blank = stream
            .due()
            .give(&file(b"0123456789"), 8, 4, &Arc::default());
        let error = stream.write_all(&blank).await.expect_err("two bytes only");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
