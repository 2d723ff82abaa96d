//! Files to send: held in memory or read a run of blocks at a time, as they are or as netascii.

mod file;
mod translation;

use std::fs::File;
use std::io;

use bytes::Bytes;

use crate::agreed::Agreed;
use crate::content::file::FileReader;
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
    /// It is read a run of blocks at a time or 16 KiB, whichever is more, from the task of the transfer:
    /// that waits for the disk where the page cache does not have it. Its position moves, so each transfer
    /// needs a handle of its own. A server reads one whole that another transfer has open, within
    /// [`Settings::max_shared_bytes`](crate::server::Settings::max_shared_bytes).
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
    file: FileReader,
    netascii: Option<Translation>,
}

impl Reader {
    pub(crate) fn new(content: Content, mode: TransferMode) -> Self {
        Self {
            content,
            file: FileReader::default(),
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
                copy_to_gaps(from(bytes, run.offset)?, run, buf)?;
            }
            Content::File { file, len } => self.file.fill(file, *len, run, buf)?,
        }
        Ok(run.len)
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
