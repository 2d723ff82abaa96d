//! Reading a run of blocks of a [`Content`] into the gaps of a send buffer.

use std::fs::File;
use std::io::{self, IoSliceMut, Read, Seek, SeekFrom};

use crate::sender::Run;
use crate::server::source::Content;

/// A content and how far its file has been read.
#[derive(Debug)]
pub(crate) struct Reader {
    content: Content,
    position: u64,
}

impl Reader {
    pub(crate) fn new(content: Content) -> Self {
        // The caller may have read from the file: a position that cannot be makes the first read seek.
        Self {
            content,
            position: u64::MAX,
        }
    }

    /// Fills the gaps of `run` in `buf`.
    ///
    /// # Errors
    ///
    /// Those of reading, and `UnexpectedEof` where the file has become shorter.
    pub(crate) fn fill(&mut self, run: &Run, buf: &mut [u8]) -> io::Result<()> {
        match &mut self.content {
            Content::Bytes(bytes) => {
                let start =
                    usize::try_from(run.offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
                let mut rest = bytes.get(start..).ok_or(io::ErrorKind::UnexpectedEof)?;
                for gap in run.payloads(buf) {
                    let (head, tail) = rest
                        .split_at_checked(gap.len())
                        .ok_or(io::ErrorKind::UnexpectedEof)?;
                    gap.copy_from_slice(head);
                    rest = tail;
                }
                Ok(())
            }
            Content::File { file, .. } => {
                if self.position != run.offset {
                    file.seek(SeekFrom::Start(run.offset))?;
                }
                // Known again only once the read has succeeded.
                self.position = u64::MAX;
                read_exact_vectored(file, run.payloads(buf).map(IoSliceMut::new).collect())?;
                self.position = run.offset + run.len as u64;
                Ok(())
            }
        }
    }
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
