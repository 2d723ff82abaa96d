//! Response bodies: bytes in memory, a part of a file, or pieces as they come.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use rustix::io::ReadWriteFlags;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::sendfile::{Due, WINDOW};
use super::transfer::Transfer;

/// How much of a file is copied at a time, in bytes, where it cannot go straight to the socket. One
/// such piece is in memory for each download.
const PIECE: usize = 256 << 10;

/// The body of a response. Its length is known before it goes out.
pub struct Body {
    source: Source,
    left: u64,
    transfer: Arc<Transfer>,
}

enum Source {
    Bytes(Bytes),
    File(FilePart),
    Live(mpsc::Receiver<Bytes>),
}

/// What is left of a part of a file.
struct FilePart {
    file: Arc<File>,
    offset: u64,
    /// Where the socket takes it from the file.
    due: Option<Due>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Body {
    /// Bytes in memory.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::of(bytes.len() as u64, Source::Bytes(bytes))
    }

    /// So many bytes of a file from an offset on. They go out without being in memory; where the
    /// file is shorter, the connection is cut.
    #[must_use]
    pub fn file(file: File, offset: u64, length: u64) -> Self {
        let part = FilePart {
            file: Arc::new(file),
            offset,
            due: None,
            reading: None,
        };
        Self::of(length, Source::File(part))
    }

    /// Pieces as they come, until their sender is dropped.
    pub(crate) fn live(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self::of(u64::MAX, Source::Live(pieces))
    }

    fn of(left: u64, source: Source) -> Self {
        Self {
            source,
            left,
            transfer: Arc::new(Transfer::new(left)),
        }
    }

    /// Whether it is of a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// Whether it goes on until its client leaves.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.source, Source::Live(_))
    }

    /// All of it, where it is in memory.
    pub(super) fn in_memory(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// How many bytes are still to be given out.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Has the socket send what is of a file.
    pub(super) fn through(mut self, due: &Due) -> Self {
        if let Source::File(part) = &mut self.source {
            part.due = Some(due.clone());
        }
        self
    }

    /// Says what is to be told of it while it goes out, and in the end. Nothing of it may be out.
    pub(crate) fn watch(mut self, watch: impl FnOnce(&mut Transfer)) -> Self {
        if let Some(transfer) = Arc::get_mut(&mut self.transfer) {
            watch(transfer);
        }
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let piece = match &mut this.source {
            Source::Bytes(bytes) => std::mem::take(bytes),
            Source::File(part) => match ready!(part.poll_piece(context, this.left, &this.transfer))
            {
                Ok(piece) => piece,
                Err(error) => return Poll::Ready(Some(Err(error))),
            },
            Source::Live(pieces) => match ready!(pieces.poll_recv(context)) {
                Some(piece) => piece,
                None => return Poll::Ready(None),
            },
        };
        let length = piece.len() as u64;
        this.left = this.left.saturating_sub(length);
        // What the socket takes from a file counts when it is taken.
        if !this.source.is_due() {
            this.transfer.add(length);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        match self.source {
            Source::Live(_) => SizeHint::default(),
            _ => SizeHint::with_exact(self.left),
        }
    }
}

impl Source {
    fn is_due(&self) -> bool {
        matches!(self, Self::File(FilePart { due: Some(_), .. }))
    }
}

impl FilePart {
    /// The next piece: a copy, or a blank for what the socket takes from the file. A worker never
    /// waits for a disk here: what is not in memory is read where waiting is allowed.
    fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        left: u64,
        transfer: &Arc<Transfer>,
    ) -> Poll<io::Result<Bytes>> {
        let most = if self.due.is_some() { WINDOW } else { PIECE };
        let length = usize::try_from(left).unwrap_or(most).min(most);
        let piece = match &mut self.reading {
            Some(reading) => {
                let read = ready!(Pin::new(reading).poll(context));
                self.reading = None;
                read.map_err(io::Error::other).flatten()?
            }
            None if self.due.is_some() && is_in_memory(&self.file, self.offset, length) => {
                Bytes::new()
            }
            None => {
                let (file, offset) = (Arc::clone(&self.file), self.offset);
                let keep = self.due.is_none();
                self.reading = Some(tokio::task::spawn_blocking(move || {
                    if keep {
                        read_piece(&file, offset, length)
                    } else {
                        read_ahead(&file, offset, length).map(|()| Bytes::new())
                    }
                }));
                return self.poll_piece(context, left, transfer);
            }
        };
        let piece = match &self.due {
            Some(due) => due.give(&self.file, self.offset, length, transfer),
            None => piece,
        };
        self.offset += piece.len() as u64;
        Poll::Ready(Ok(piece))
    }
}

/// Whether the end of a part is in the page cache, and so most likely all of it.
fn is_in_memory(file: &File, offset: u64, length: usize) -> bool {
    let last = offset + (length as u64).saturating_sub(1);
    let mut byte = [0];
    let mut into = [IoSliceMut::new(&mut byte)];
    rustix::io::preadv2(file, &mut into, last, ReadWriteFlags::NOWAIT).is_ok()
}

fn read_piece(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(length);
    let read = file.read_at(&mut piece, offset)?;
    if read == 0 {
        return Err(shorter());
    }
    piece.truncate(read);
    Ok(piece.freeze())
}

/// Reads a part into the page cache.
fn read_ahead(file: &File, offset: u64, length: usize) -> io::Result<()> {
    let mut buffer = vec![0; length.min(PIECE)];
    let end = offset + length as u64;
    let mut at = offset;
    while at < end {
        let read = file.read_at(&mut buffer, at)?;
        if read == 0 {
            return Err(shorter());
        }
        at += read as u64;
    }
    Ok(())
}

fn shorter() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file is shorter than its manifest says",
    )
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("left", &self.left)
            .field("transfer", &self.transfer)
            .finish_non_exhaustive()
    }
}
