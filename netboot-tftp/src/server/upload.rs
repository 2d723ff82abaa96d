//! What a client writes, on its way to where it is kept: all of it in the end, or nothing.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use crate::error_code::ErrorCode;
use crate::server::source::Refusal;

/// Takes what one client writes: a file of a [`Directory`](crate::server::Directory), or whatever
/// the caller makes an [`Upload`] of.
///
/// Nothing of it may be seen before [`Sink::commit`]. A sink that is dropped without that was of a
/// transfer which failed, or of a server which stopped: its [`Drop`] takes away what it has put
/// anywhere.
///
/// The client is told by the ERROR that suits the [`io::ErrorKind`] of what failed: 6 for
/// `AlreadyExists`, 3 for `StorageFull` and its like, 2 for `PermissionDenied`, 1 for `NotFound`, 0
/// for any other.
///
/// ```
/// use std::io;
/// use std::sync::mpsc;
/// use netboot_tftp::server::{Refusal, Request, Sink, Source, Upload};
/// # use netboot_tftp::server::Content;
///
/// /// Passes on whole files, and nothing of one that was broken off.
/// struct Whole {
///     bytes: Vec<u8>,
///     to: mpsc::Sender<Vec<u8>>,
/// }
///
/// impl Sink for Whole {
///     async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
///         self.bytes.extend_from_slice(bytes);
///         Ok(())
///     }
///
///     async fn commit(self) -> io::Result<()> {
///         self.to.send(self.bytes).map_err(io::Error::other)
///     }
/// }
///
/// struct Inbox(mpsc::Sender<Vec<u8>>);
///
/// impl Source for Inbox {
///     async fn create(&self, request: &Request<'_>) -> Result<Upload, Refusal> {
///         let (bytes, to) = (Vec::new(), self.0.clone());
///         Ok(Upload::new(Whole { bytes, to }, 1 << 20))
///     }
/// #   async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
/// #       Err(Refusal::not_found())
/// #   }
/// }
/// ```
pub trait Sink: Send + 'static {
    /// Appends these bytes, a few kilobytes at a time.
    ///
    /// The client waits meanwhile: answer in bounded time.
    ///
    /// # Errors
    ///
    /// The transfer ends, and the sink is dropped.
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// Every byte has been written: puts the whole where it belongs.
    ///
    /// The last block is acknowledged after that, so a client that has its ACK may rely on it.
    ///
    /// # Errors
    ///
    /// The transfer has failed, and nothing may be left of it.
    fn commit(self) -> impl Future<Output = io::Result<()>> + Send;
}

/// A place for the bytes that a client writes, from [`Upload::new`] or
/// [`Directory::create_file`](crate::server::Directory::create_file).
pub struct Upload {
    sink: Box<dyn DynSink>,
    limit: u64,
    /// Bytes that the sink has yet to get.
    gathered: Vec<u8>,
}

/// Bytes gathered before they are written; each upload that runs holds as many.
const GATHERED_LEN: usize = 16 << 10;

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Upload {
    /// Puts what a client writes into this sink, at most `limit` bytes of it.
    #[must_use]
    pub fn new(sink: impl Sink, limit: u64) -> Self {
        Self {
            sink: Box::new(sink),
            limit,
            gathered: Vec::new(),
        }
    }

    /// The most bytes that are taken.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Appends to the file. The limit is the caller's to keep.
    ///
    /// # Errors
    ///
    /// Those of the sink; the upload is then of no more use.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.gathered.len() + bytes.len() > GATHERED_LEN {
            self.flush().await?;
        }
        if bytes.len() > GATHERED_LEN {
            return self.sink.write(bytes).await;
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// Puts the file where it belongs. One of a [`Directory`](crate::server::Directory) is then on
    /// the disk and has its name.
    ///
    /// # Errors
    ///
    /// Those of the sink, as `AlreadyExists` where another file has come to have the name and must
    /// not be replaced. Then nothing of the file is left.
    pub async fn commit(mut self) -> io::Result<()> {
        self.flush().await?;
        self.sink.commit().await
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.gathered.is_empty() {
            self.sink.write(&self.gathered).await?;
            self.gathered.clear();
        }
        Ok(())
    }
}

/// What a client is told of an upload that failed.
pub(crate) fn refusal(error: &io::Error) -> Refusal {
    let refusal = match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Refusal::new(ErrorCode::FILE_EXISTS, "the file exists already")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Refusal::new(ErrorCode::DISK_FULL, "no room for the file")
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            Refusal::not_found()
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Refusal::access_violation()
        }
        _ => Refusal::new(ErrorCode::NOT_DEFINED, "the file cannot be written"),
    };
    refusal.with_detail(error)
}

type Boxed<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

/// [`Sink`] as an object.
trait DynSink: Send {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a>;
    fn commit(self: Box<Self>) -> Boxed<'static>;
}

impl<S: Sink> DynSink for S {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a> {
        Box::pin(Sink::write(self, bytes))
    }

    fn commit(self: Box<Self>) -> Boxed<'static> {
        Box::pin(Sink::commit(*self))
    }
}
