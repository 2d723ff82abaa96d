//! Reading a file by runs of blocks, with few system calls.
//!
//! A window is read into its place in one call. Where a run is short, as in lockstep, a call for
//! each would cost more than all the rest of the step, so more is read at once and copied from.

use std::io::{self, IoSliceMut, Read, Seek, SeekFrom};

use crate::content::copy_to_gaps;
use crate::sender::Run;

/// Bytes read at once where a run is shorter than that; each transfer of that kind holds as many.
const AHEAD_LEN: usize = 16 << 10;

/// Where the reading of one file is.
#[derive(Debug, Default)]
pub(crate) struct FileReader {
    /// How far the file has been read; unknown before the first read, since the caller may have
    /// read from it, and after one that failed.
    position: Option<u64>,
    /// Bytes that were read and where in the file they are.
    ahead: Vec<u8>,
    ahead_offset: u64,
}

impl FileReader {
    /// Fills the gaps of `run` in `buf` from a file of `len` bytes.
    ///
    /// # Errors
    ///
    /// Those of reading, and `UnexpectedEof` where the file has become shorter.
    pub(crate) fn fill(
        &mut self,
        file: &mut (impl Read + Seek),
        len: u64,
        run: &Run,
        buf: &mut [u8],
    ) -> io::Result<()> {
        // Whole blocks, so that the next read goes on where this one ended.
        let ahead = AHEAD_LEN - AHEAD_LEN % run.blksize().max(1);
        if run.len > ahead {
            self.go_to(file, run.offset)?;
            read_exact_vectored(file, run.payloads(buf).map(IoSliceMut::new).collect())?;
            self.position = Some(run.offset + run.len as u64);
            return Ok(());
        }
        if self.held(run).is_none() {
            self.read_ahead(file, run.offset, len, ahead)?;
        }
        let held = self.held(run).ok_or(io::ErrorKind::UnexpectedEof)?;
        copy_to_gaps(held, run, buf)
    }

    /// The bytes of a run, if they are all held.
    fn held(&self, run: &Run) -> Option<&[u8]> {
        let start = usize::try_from(run.offset.checked_sub(self.ahead_offset)?).ok()?;
        self.ahead.get(start..start.checked_add(run.len)?)
    }

    fn read_ahead(
        &mut self,
        file: &mut (impl Read + Seek),
        offset: u64,
        len: u64,
        ahead: usize,
    ) -> io::Result<()> {
        self.go_to(file, offset)?;
        let rest = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.ahead.resize(rest.min(ahead), 0);
        self.ahead_offset = offset;
        if let Err(error) = file.read_exact(&mut self.ahead) {
            self.ahead.clear();
            return Err(error);
        }
        self.position = Some(offset + self.ahead.len() as u64);
        Ok(())
    }

    /// Goes there unless the file is there already; then its position counts as unknown until the
    /// next read is done.
    fn go_to(&mut self, file: &mut impl Seek, offset: u64) -> io::Result<()> {
        if self.position.take() != Some(offset) {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(())
    }
}

/// One system call for all gaps, more only where the file gives less than asked.
fn read_exact_vectored(file: &mut impl Read, mut gaps: Vec<IoSliceMut<'_>>) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::time::Duration;

    use super::*;
    use crate::agreed::{Agreed, Limits};
    use crate::options::Options;
    use crate::sender::{Sender, SenderOutput};
    use crate::transfer::TransferSettings;

    /// A file of which each call gives at most 700 bytes, less than a block.
    struct Slow(Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let len = buf.len().min(700);
            self.0.read(&mut buf[..len])
        }
    }

    impl Seek for Slow {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    fn sent(held: usize, len: u64, blksize: u16, windowsize: u16) -> io::Result<Vec<u8>> {
        sent_from(Cursor::new(content(held)), len, blksize, windowsize)
    }

    /// The payloads of a file that is sent as one of `len` bytes, each window acknowledged.
    fn sent_from(
        mut file: impl Read + Seek,
        len: u64,
        blksize: u16,
        windowsize: u16,
    ) -> io::Result<Vec<u8>> {
        let asked = Options::new()
            .with_blksize(blksize)
            .with_windowsize(windowsize);
        let agreed = Agreed::by_server(&asked, &Limits::default(), None);
        let settings = TransferSettings::default();
        let mut sender = Sender::reply(Duration::ZERO, agreed, len, &settings);
        let (mut reader, mut buf, mut out) = (FileReader::default(), vec![0; 65507], Vec::new());
        let mut block = 0_u16;
        loop {
            match sender.poll_output(Duration::ZERO, &mut buf).expect("room") {
                SenderOutput::Data(run) => {
                    reader.fill(&mut file, len, &run, &mut buf)?;
                    for payload in run.payloads(&mut buf) {
                        out.extend_from_slice(payload);
                        block += 1;
                    }
                }
                SenderOutput::Done(_) => return Ok(out),
                SenderOutput::Wait(_) => {
                    sender.handle_input(Duration::ZERO, &crate::encode_ack(block));
                }
                _ => {}
            }
        }
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len)
            .map(|i| u8::try_from(i * 31 % 251).unwrap())
            .collect()
    }

    #[test]
    fn runs_shorter_and_longer_than_what_is_read_ahead_give_the_same_file() {
        // 11 blocks of 1468 bytes are all that is read ahead, and 16,300 bytes are a little more.
        for len in [0, 1, 1468, 16_148, 16_300, 16_384, 50_000] {
            for (blksize, windowsize) in [(8, 1), (512, 1), (1468, 1), (1468, 12), (1468, 64)] {
                let bytes = sent(len, len as u64, blksize, windowsize).unwrap();
                assert!(bytes == content(len), "{len} by {blksize} × {windowsize}");
            }
        }
    }

    #[test]
    fn a_short_read_is_no_end_of_the_file() {
        for windowsize in [1, 64] {
            let file = Slow(Cursor::new(content(50_000)));
            let bytes = sent_from(file, 50_000, 1468, windowsize).unwrap();
            assert!(bytes == content(50_000), "windows of {windowsize}");
        }
    }

    #[test]
    fn a_file_that_has_become_shorter_is_an_error_in_either_way_of_reading() {
        for windowsize in [1, 64] {
            let error = sent(30_000, 40_000, 1468, windowsize).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
