//! Response bodies: bytes in memory, a part of a file, or pieces as they come.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::downloads::Shown;

/// How much of a file is read at a time, in bytes. One such piece is in memory for each download.
const PIECE: usize = 256 << 10;

/// How a body went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes handed to the connection.
    pub(crate) bytes: u64,
    /// Whether that was all of it.
    pub(crate) complete: bool,
}

type OnEnd = Box<dyn FnOnce(Sent) + Send>;

/// The body of a response.
pub(crate) struct Body {
    source: Source,
    left: u64,
    sent: u64,
    on_end: Option<OnEnd>,
    shown: Option<Shown>,
    held: Option<Arc<()>>,
}

enum Source {
    Bytes(Bytes),
    File(File),
    Reading(JoinHandle<io::Result<(File, Bytes)>>),
    Live(mpsc::Receiver<Bytes>),
}

impl Body {
    /// Bytes in memory.
    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            left: bytes.len() as u64,
            source: Source::Bytes(bytes),
            sent: 0,
            on_end: None,
            shown: None,
            held: None,
        }
    }

    /// So many bytes of a file from an offset on.
    ///
    /// # Errors
    ///
    /// Where the file cannot be positioned.
    pub(crate) fn file(mut file: File, offset: u64, length: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            source: Source::File(file),
            left: length,
            sent: 0,
            on_end: None,
            shown: None,
            held: None,
        })
    }

    /// Pieces as they come, until their sender is dropped.
    pub(crate) fn live(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self {
            source: Source::Live(pieces),
            left: u64::MAX,
            sent: 0,
            on_end: None,
            shown: None,
            held: None,
        }
    }

    /// Whether it is of a file.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.source, Source::File(_) | Source::Reading(_))
    }

    /// How many bytes are still to go out.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Shows how far it is, for as long as it is there.
    pub(super) fn show(mut self, shown: Shown) -> Self {
        self.shown = Some(shown);
        self
    }

    /// Holds this until all of it is out or the connection is gone.
    pub(super) fn holding(mut self, held: Arc<()>) -> Self {
        self.held = Some(held);
        self
    }

    /// Calls this once when all of it is out or the connection is gone.
    pub(super) fn on_end(mut self, on_end: impl FnOnce(Sent) + Send + 'static) -> Self {
        self.on_end = Some(Box::new(on_end));
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
        if self.left == 0 {
            return Poll::Ready(None);
        }
        loop {
            let source = std::mem::replace(&mut self.source, Source::Bytes(Bytes::new()));
            let piece = match source {
                Source::Bytes(bytes) => bytes,
                Source::File(file) => {
                    let wanted = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
                    self.source = Source::Reading(tokio::task::spawn_blocking(move || {
                        read_piece(file, wanted)
                    }));
                    continue;
                }
                Source::Reading(mut reading) => {
                    let Poll::Ready(read) = Pin::new(&mut reading).poll(context) else {
                        self.source = Source::Reading(reading);
                        return Poll::Pending;
                    };
                    match read.map_err(io::Error::other).flatten() {
                        Ok((file, piece)) => {
                            self.source = Source::File(file);
                            piece
                        }
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
                Source::Live(mut pieces) => {
                    let received = pieces.poll_recv(context);
                    self.source = Source::Live(pieces);
                    return received.map(|piece| piece.map(|piece| Ok(Frame::data(piece))));
                }
            };
            let length = piece.len() as u64;
            self.left = self.left.saturating_sub(length);
            self.sent += length;
            if let Some(shown) = &self.shown {
                shown.download.add(length);
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
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

fn read_piece(mut file: File, wanted: usize) -> io::Result<(File, Bytes)> {
    let mut piece = BytesMut::zeroed(wanted);
    let read = file.read(&mut piece)?;
    if read == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the file is shorter than its manifest says",
        ));
    }
    piece.truncate(read);
    Ok((file, piece.freeze()))
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(on_end) = self.on_end.take() {
            on_end(Sent {
                bytes: self.sent,
                complete: self.left == 0,
            });
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("left", &self.left)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
