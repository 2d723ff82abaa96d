//! Files to send: held in memory, read a run of blocks at a time or read as they come in; as they
//! are or as netascii.

mod file;
mod stream;
mod translation;

use std::fs::File;
use std::io;
use std::ops::Range;

use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::agreed::Agreed;
use crate::content::file::FileReader;
pub use crate::content::stream::Stream;
use crate::content::stream::StreamReader;
use crate::content::translation::Translation;
use crate::netascii::TransferMode;
use crate::sender::Run;

/// The bytes of a file to send, held or to be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Content {
    /// Bytes in memory, shared between transfers.
    Bytes(Bytes),
    /// An open file.
    ///
    /// It is read a run of blocks at a time or 16 KiB, whichever is more, from the task of the
    /// transfer: that waits for the disk where the page cache does not have it. Its position moves,
    /// so each transfer needs a handle of its own. A server reads one whole that another transfer
    /// has open, within [`Settings::max_shared_bytes`](crate::server::Settings::max_shared_bytes).
    File {
        /// The handle.
        file: File,
        /// Bytes to send; if the file turns out to be shorter, the transfer fails.
        len: u64,
    },
    /// Bytes that come in as they go out, from [`Content::stream`].
    Stream(Stream),
}

impl Content {
    /// A regular file as long as it is now.
    ///
    /// # Errors
    ///
    /// Where its length cannot be had, or it is not a regular file.
    pub fn from_file(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        Ok(Self::File {
            file,
            len: metadata.len(),
        })
    }

    /// The next `len` bytes of a reader, the body of an HTTP response for example: that of a proxy.
    ///
    /// They are read once, when the client is ready for them, and kept as long as they may have to
    /// be sent again. So a transfer holds a window: at most
    /// [`max_blksize`](field@crate::Limits::max_blksize) times
    /// [`max_windowsize`](field@crate::Limits::max_windowsize) bytes, 94 KB by default, and in
    /// netascii at most twice that. A client that only asks for the size has nothing read. A reader
    /// that is slow keeps the client waiting, as long as the client has the patience; one that ends
    /// early makes the transfer fail.
    ///
    /// ```
    /// use netboot_tftp::client::Client;
    /// use netboot_tftp::server::{Content, Refusal, Request, Server, Settings, Source};
    ///
    /// struct Proxy;
    ///
    /// impl Source for Proxy {
    ///     async fn open(&self, _: &Request<'_>) -> Result<Content, Refusal> {
    ///         let upstream = tokio::io::repeat(b'x');
    ///         Ok(Content::stream(upstream, 10_000))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::bind("127.0.0.1:0".parse()?, Settings::default(), Proxy)?;
    /// let client = Client::new(server.local_addr()?).windowsize(4);
    /// tokio::spawn(server.serve(std::future::pending()));
    /// assert_eq!(client.get_bytes("any", 20_000).await?, [b'x'; 10_000][..]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stream(reader: impl AsyncRead + Send + 'static, len: u64) -> Self {
        Self::Stream(Stream::new(reader, len))
    }

    /// Bytes in the file.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
            Self::Stream(stream) => stream.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// A content on its way to the wire.
#[derive(Debug)]
pub(crate) enum Reader {
    Seekable {
        content: Seekable,
        file: FileReader,
        netascii: Option<Translation>,
    },
    Stream(StreamReader),
}

/// A content that can be read from any place and more than once.
#[derive(Debug)]
pub(crate) enum Seekable {
    Bytes(Bytes),
    File { file: File, len: u64 },
}

impl Reader {
    pub(crate) fn new(content: Content, mode: TransferMode) -> Self {
        let content = match content {
            Content::Bytes(bytes) => Seekable::Bytes(bytes),
            Content::File { file, len } => Seekable::File { file, len },
            Content::Stream(stream) => return Self::Stream(StreamReader::new(stream, mode)),
        };
        Self::Seekable {
            content,
            file: FileReader::default(),
            netascii: (mode == TransferMode::Netascii).then(Translation::new),
        }
    }

    /// Bytes on the wire, where that is known before they have been read.
    pub(crate) fn wire_len(&self) -> Option<u64> {
        match self {
            Self::Seekable {
                content, netascii, ..
            } => netascii.is_none().then(|| content.len()),
            Self::Stream(stream) => stream.wire_len(),
        }
    }

    /// How far on the wire [`Reader::fill`] can go by now.
    pub(crate) fn available(&self) -> u64 {
        match self {
            Self::Seekable { .. } => u64::MAX,
            Self::Stream(stream) => stream.available(),
        }
    }

    /// Waits until this window can be filled, and forgets what is before it. Never ready where it
    /// can be already; nothing is lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// Those of reading, and `UnexpectedEof` where a stream is shorter than was said.
    pub(crate) async fn read(&mut self, window: Range<u64>) -> io::Result<()> {
        match self {
            Self::Seekable { .. } => std::future::pending().await,
            Self::Stream(stream) => stream.read(window).await,
        }
    }

    /// Fills the gaps of `run` in `buf`, and says how many bytes there were: fewer than the gaps
    /// hold only where a netascii file is at its end.
    ///
    /// # Errors
    ///
    /// Those of reading, and `UnexpectedEof` where the file has become shorter.
    pub(crate) fn fill(&mut self, run: &Run, buf: &mut [u8], agreed: &Agreed) -> io::Result<usize> {
        let (content, reader, netascii) = match self {
            Self::Seekable {
                content,
                file,
                netascii,
            } => (content, file, netascii),
            Self::Stream(stream) => return stream.fill(run, buf),
        };
        if let Some(translation) = netascii {
            let window = u64::from(agreed.windowsize()) * u64::from(agreed.blksize());
            return translation.fill(content, run, buf, window);
        }
        match content {
            Seekable::Bytes(bytes) => copy_to_gaps(from(bytes, run.offset)?, run, buf)?,
            Seekable::File { file, len } => reader.fill(file, *len, run, buf)?,
        }
        Ok(run.len)
    }
}

impl Seekable {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }
}

fn from(bytes: &Bytes, offset: u64) -> io::Result<&[u8]> {
    let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
    bytes
        .get(start..)
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Fills the gaps of `run` with the first of these bytes.
fn copy_to_gaps(mut bytes: &[u8], run: &Run, buf: &mut [u8]) -> io::Result<()> {
    for gap in run.payloads(buf) {
        let (head, tail) = bytes
            .split_at_checked(gap.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        gap.copy_from_slice(head);
        bytes = tail;
    }
    Ok(())
}
