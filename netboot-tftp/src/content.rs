//! Files to send: held in memory or read a run of blocks at a time, as they are or as netascii.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut, Read, Seek, SeekFrom};

use bytes::Bytes;

use crate::netascii::{Encoder, TransferMode};
use crate::options::Agreed;
use crate::sender::Run;

/// The bytes of a file to send, held or to be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Content {
    /// Bytes in memory, shared between transfers.
    Bytes(Bytes),
    /// An open file.
    ///
    /// It is read a run of blocks at a time, from the task of the transfer: that waits for the disk where
    /// the page cache does not have it. Its position moves, so each transfer needs a handle of its own.
    File {
        /// The handle.
        file: File,
        /// Bytes to send; if the file turns out to be shorter, the transfer fails.
        len: u64,
    },
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

    /// Bytes in the file.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
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
pub(crate) struct Reader {
    content: Content,
    /// How far the file has been read; unknown after a read that failed.
    position: Option<u64>,
    netascii: Option<Translation>,
}

impl Reader {
    pub(crate) fn new(content: Content, mode: TransferMode) -> Self {
        Self {
            content,
            // The caller may have read from the file.
            position: None,
            netascii: (mode == TransferMode::Netascii).then(Translation::new),
        }
    }

    /// Bytes on the wire, where that is known before they have been read.
    pub(crate) fn wire_len(&self) -> Option<u64> {
        self.netascii.is_none().then(|| self.content.len())
    }

    /// Fills the gaps of `run` in `buf`, and says how many bytes there were: fewer than the gaps hold only
    /// where a netascii file is at its end.
    ///
    /// # Errors
    ///
    /// Those of reading, and `UnexpectedEof` where the file has become shorter.
    pub(crate) fn fill(&mut self, run: &Run, buf: &mut [u8], agreed: &Agreed) -> io::Result<usize> {
        if let Some(translation) = &mut self.netascii {
            let window = u64::from(agreed.windowsize()) * u64::from(agreed.blksize());
            return translation.fill(&mut self.content, run, buf, window);
        }
        match &mut self.content {
            Content::Bytes(bytes) => {
                let mut rest = from(bytes, run.offset)?;
                for gap in run.payloads(buf) {
                    let (head, tail) = rest
                        .split_at_checked(gap.len())
                        .ok_or(io::ErrorKind::UnexpectedEof)?;
                    gap.copy_from_slice(head);
                    rest = tail;
                }
            }
            Content::File { file, .. } => {
                if self.position.take() != Some(run.offset) {
                    file.seek(SeekFrom::Start(run.offset))?;
                }
                read_exact_vectored(file, run.payloads(buf).map(IoSliceMut::new).collect())?;
                self.position = Some(run.offset + run.len as u64);
            }
        }
        Ok(run.len)
    }
}

/// A file on its way through netascii.
///
/// A place on the wire says nothing of the place in the file, so the way back to a block that is to be
/// sent again goes by marks. They are set along the way and kept for one window, since nothing before the
/// window is asked for again.
#[derive(Debug)]
struct Translation {
    at: Mark,
    marks: VecDeque<Mark>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    wire: u64,
    file: u64,
    encoder: Encoder,
}

/// Bytes on the wire between two marks: what a step back translates in vain, at most.
const MARK_DISTANCE: u64 = 1 << 16;

impl Translation {
    fn new() -> Self {
        Self {
            at: Mark::default(),
            marks: VecDeque::from([Mark::default()]),
        }
    }

    fn fill(
        &mut self,
        content: &mut Content,
        run: &Run,
        buf: &mut [u8],
        window: u64,
    ) -> io::Result<usize> {
        self.go_to(run.offset, content, window)?;
        let mut filled = 0;
        for gap in run.payloads(buf) {
            let len = self.translate(content, gap)?;
            filled += len;
            if len < gap.len() {
                break;
            }
        }
        Ok(filled)
    }

    fn go_to(&mut self, wire: u64, content: &mut Content, window: u64) -> io::Result<()> {
        let oldest = wire.saturating_sub(window);
        while self.marks.get(1).is_some_and(|mark| mark.wire <= oldest) {
            self.marks.pop_front();
        }
        if self.at.wire > wire {
            let before = self.marks.iter().rev().find(|mark| mark.wire <= wire);
            self.at = *before.ok_or_else(|| io::Error::other("a block before the window"))?;
        }
        let mut skipped = [0; 4096];
        while self.at.wire < wire {
            let len = usize::try_from(wire - self.at.wire).unwrap_or(usize::MAX);
            let room = skipped.len().min(len);
            let skipped = skipped.get_mut(..room).unwrap_or_default();
            if self.translate(content, skipped)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let newest = self.marks.back().map_or(0, |mark| mark.wire);
        if self.at.wire >= newest.saturating_add(MARK_DISTANCE) {
            self.marks.push_back(self.at);
        }
        Ok(())
    }

    /// Goes on into `out`; fewer bytes than it holds mean the end of the file.
    fn translate(&mut self, content: &mut Content, out: &mut [u8]) -> io::Result<usize> {
        let end = content.len();
        let mut filled = 0;
        let mut chunk = [0; 4096];
        while filled < out.len() && (self.at.file < end || self.at.encoder.is_pending()) {
            let piece = piece(content, self.at.file, &mut chunk)?;
            let room = out.get_mut(filled..).unwrap_or_default();
            let (read, written) = self.at.encoder.encode(piece, room);
            self.at.file += read as u64;
            self.at.wire += written as u64;
            filled += written;
        }
        Ok(filled)
    }
}

/// The next bytes of a content from this place on: none only at its end.
fn piece<'a>(content: &'a mut Content, at: u64, chunk: &'a mut [u8]) -> io::Result<&'a [u8]> {
    match content {
        Content::Bytes(bytes) => from(bytes, at),
        Content::File { file, len } => {
            let rest = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX);
            let room = rest.min(chunk.len());
            let chunk = chunk.get_mut(..room).unwrap_or_default();
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(chunk)?;
            Ok(chunk)
        }
    }
}

fn from(bytes: &Bytes, offset: u64) -> io::Result<&[u8]> {
    let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
    bytes
        .get(start..)
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// One system call for all gaps, more only where the file gives less than asked.
fn read_exact_vectored(file: &mut File, mut gaps: Vec<IoSliceMut<'_>>) -> io::Result<()> {
    let mut gaps = gaps.as_mut_slice();
    IoSliceMut::advance_slices(&mut gaps, 0);
    while !gaps.is_empty() {
        match file.read_vectored(gaps) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => IoSliceMut::advance_slices(&mut gaps, n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
