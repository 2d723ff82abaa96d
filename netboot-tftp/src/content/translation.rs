//! A file on its way through netascii.
//!
//! A place on the wire says nothing of the place in the file, so the way back to a block that is to
//! be sent again goes by marks. They are set along the way and kept for one window, since nothing
//! before the window is asked for again.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};

use crate::content::{Seekable, from};
use crate::netascii::Encoder;
use crate::sender::Run;

/// Where the translation is, and the marks behind it.
#[derive(Debug)]
pub(crate) struct Translation {
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
    pub(crate) fn new() -> Self {
        Self {
            at: Mark::default(),
            marks: VecDeque::from([Mark::default()]),
        }
    }

    /// Fills the gaps of `run`, and says how many bytes there were: fewer only at the end of the
    /// file.
    pub(crate) fn fill(
        &mut self,
        content: &mut Seekable,
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

    fn go_to(&mut self, wire: u64, content: &mut Seekable, window: u64) -> io::Result<()> {
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
    fn translate(&mut self, content: &mut Seekable, out: &mut [u8]) -> io::Result<usize> {
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
fn piece<'a>(content: &'a mut Seekable, at: u64, chunk: &'a mut [u8]) -> io::Result<&'a [u8]> {
    match content {
        Seekable::Bytes(bytes) => from(bytes, at),
        Seekable::File { file, len } => {
            let rest = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX);
            let room = rest.min(chunk.len());
            let chunk = chunk.get_mut(..room).unwrap_or_default();
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(chunk)?;
            Ok(chunk)
        }
    }
}
