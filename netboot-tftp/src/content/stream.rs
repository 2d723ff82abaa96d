//! A content that comes in as it goes out, a proxy's for one.
//!
//! Nothing before the window is asked for again, so no more than a window is kept. It is kept as it
//! goes on the wire: netascii is made of it when it comes in.

use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::netascii::{Encoder, TransferMode};
use crate::sender::Run;

/// Bytes that are read as they are sent, from [`Content::stream`](crate::server::Content::stream).
pub struct Stream {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    len: u64,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Stream {
    pub(crate) fn new(reader: impl AsyncRead + Send + 'static, len: u64) -> Self {
        Self {
            reader: Box::pin(reader),
            len,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}

/// Where the reading of one stream is.
#[derive(Debug)]
pub(crate) struct StreamReader {
    stream: Stream,
    mode: TransferMode,
    /// Bytes that have been taken from the stream.
    taken: u64,
    /// What may have to be sent or sent again, as it is on the wire.
    kept: Vec<u8>,
    /// Where on the wire that begins.
    start: u64,
}

/// The most bytes that one call takes from a stream: room is made for them beforehand.
const PIECE_LEN: u64 = 64 << 10;

impl StreamReader {
    pub(crate) fn new(stream: Stream, mode: TransferMode) -> Self {
        Self {
            stream,
            mode,
            taken: 0,
            kept: Vec::new(),
            start: 0,
        }
    }

    pub(crate) fn wire_len(&self) -> Option<u64> {
        (self.mode == TransferMode::Octet).then_some(self.stream.len)
    }

    /// How far on the wire [`StreamReader::fill`] can go; without bound where the stream has been
    /// read.
    pub(crate) fn available(&self) -> u64 {
        if self.taken == self.stream.len {
            u64::MAX
        } else {
            self.end()
        }
    }

    /// Takes from the stream until this part of the wire is there, and forgets what is before it.
    ///
    /// Never ready where it is there already. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// Those of reading, and `UnexpectedEof` where the stream is shorter than was said.
    pub(crate) async fn read(&mut self, window: Range<u64>) -> io::Result<()> {
        self.forget(window.start);
        if self.available() >= window.end {
            return std::future::pending().await;
        }
        while self.available() < window.end {
            let most = (window.end - self.end())
                .min(self.stream.len - self.taken)
                .min(PIECE_LEN);
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let before = self.kept.len();
            self.kept.reserve(most);
            let mut room = (&mut self.kept).limit(most);
            let taken = self.stream.reader.read_buf(&mut room).await?;
            if taken == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.taken += taken as u64;
            if self.mode == TransferMode::Netascii {
                let piece = self.kept.split_off(before);
                // Twice as long at most, so that no half of a pair is left over.
                self.kept.resize(before + 2 * piece.len(), 0);
                let place = self.kept.get_mut(before..).unwrap_or_default();
                let (_, written) = Encoder::default().encode(&piece, place);
                self.kept.truncate(before + written);
            }
        }
        Ok(())
    }

    /// Fills the gaps of `run` in `buf`, and says how many bytes there were: fewer than the gaps
    /// hold only where a netascii file is at its end.
    pub(crate) fn fill(&self, run: &Run, buf: &mut [u8]) -> io::Result<usize> {
        let start = run.offset.checked_sub(self.start);
        let mut held = start
            .and_then(|start| self.kept.get(usize::try_from(start).ok()?..))
            .ok_or_else(|| io::Error::other("a block outside the window"))?;
        let mut filled = 0;
        for gap in run.payloads(buf) {
            let (head, tail) = held.split_at(gap.len().min(held.len()));
            gap.get_mut(..head.len())
                .unwrap_or_default()
                .copy_from_slice(head);
            filled += head.len();
            held = tail;
        }
        if filled < run.len && self.available() < u64::MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(filled)
    }

    fn end(&self) -> u64 {
        self.start + self.kept.len() as u64
    }

    fn forget(&mut self, before: u64) {
        let gone = before.saturating_sub(self.start);
        let gone = usize::try_from(gone).map_or(self.kept.len(), |n| n.min(self.kept.len()));
        self.kept.drain(..gone);
        self.start += gone as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_than_a_window_is_kept() {
        for (mode, most) in [(TransferMode::Octet, 1000), (TransferMode::Netascii, 2000)] {
            let stream = Stream::new(&[b'\n'; 10_000][..], 10_000);
            let mut reader = StreamReader::new(stream, mode);
            for start in (0..5000).step_by(1000) {
                let window = start..start + 1000;
                // A slice is read at once; what netascii has made longer may be there already.
                tokio::select! {
                    biased;
                    read = reader.read(window.clone()) => read.unwrap(),
                    () = std::future::ready(()) => {}
                }
                assert!(reader.kept.len() <= most, "{mode:?} {}", reader.kept.len());
                assert!(reader.available() >= window.end);
            }
        }
    }

    #[tokio::test]
    async fn a_stream_is_read_no_further_than_was_said() {
        let mut reader = StreamReader::new(Stream::new(&b"abcdef"[..], 4), TransferMode::Octet);
        reader.read(0..4).await.unwrap();
        assert_eq!(
            (reader.available(), &*reader.kept),
            (u64::MAX, &b"abcd"[..])
        );
    }

    #[tokio::test]
    async fn a_stream_that_is_shorter_than_was_said_is_an_error() {
        let mut reader = StreamReader::new(Stream::new(&b"abc"[..], 4), TransferMode::Octet);
        let error = reader.read(0..4).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
