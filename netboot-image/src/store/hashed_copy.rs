//! Copying a file's content into the store and hashing it at the same time.
//!
//! Where the file system can share extents, nothing is copied (`FICLONE`) and the clone is hashed. Elsewhere this thread
//! copies, within the kernel where that works (`copy_file_range`), and a second one follows at most [`AHEAD`] pieces
//! behind and hashes what it reads back from the copy, out of the page cache. So it costs about the slower of the two,
//! the memory is bounded whatever the file's length, and the digest is that of what was written. A hard link to the
//! source would cost less still, but whoever owns the source could go on writing to it.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::{CopyError, Digest, Hasher, copy};

/// Bytes that are copied at a time.
const PIECE: usize = 1 << 20;

/// Pieces that the copy may be ahead of the hash: few enough for them to be in the page cache still.
const AHEAD: usize = 8;

/// Bytes that are hashed at a time.
const CHUNK: usize = 128 * 1024;

/// Where the content comes from.
pub(super) enum Content {
    /// A file at its beginning; it need not be a regular one.
    File(File),
    Reader(Box<dyn Read + Send>),
}

/// Copies all of `from` into the file `to`, which is empty, and gives the digest and the length of what `to` has then.
///
/// `progress` is told the bytes so far after each piece and stops it by breaking.
pub(super) fn hashed_copy(
    from: Content,
    to: &File,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<(Digest, u64), CopyError> {
    if let Content::File(file) = &from
        && cloned(file, to)
    {
        return copy(to, io::sink(), progress);
    }
    let (copied, pieces) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let hashing = thread::Builder::new()
            .spawn_scoped(scope, move || hash_pieces(to, &pieces))
            .map_err(|source| CopyError::Read { at: 0, source })?;
        let written = copy_pieces(from, to, copied, &mut progress);
        let hashed = match hashing.join() {
            Ok(hashed) => hashed,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // What the hashing met is told first: it is why the copy ended then.
        let hasher = hashed?;
        written?;
        Ok((hasher.digest(), hasher.len()))
    })
}

/// Whether `to` now shares all that `from` holds.
fn cloned(from: &File, to: &File) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::fs::ioctl_ficlone(to, from).is_ok();
    #[cfg(not(target_os = "linux"))]
    return {
        let _ = (from, to);
        false
    };
}

/// Copies piece by piece, and sends the length of each when it is there to be read.
fn copy_pieces(
    mut from: Content,
    to: &File,
    copied: SyncSender<usize>,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<(), CopyError> {
    let mut at = 0;
    let mut done = |at: u64, len: usize| {
        // When nobody hashes any longer, that thread has the error to tell.
        if copied.send(len).is_err() || progress(at).is_break() {
            return Err(CopyError::Cancelled { at });
        }
        Ok(())
    };
    if let Content::File(file) = &from {
        while let Some(len) = copy_within_kernel(file, to, at) {
            at += u64::try_from(len).unwrap_or(u64::MAX);
            done(at, len)?;
        }
    }
    // What the kernel could not copy, and the end of what it could. An error that it met comes up here again, and says
    // on which side it was.
    let mut piece = vec![0; PIECE];
    loop {
        let read = match &mut from {
            Content::File(file) => file.read(&mut piece),
            Content::Reader(reader) => reader.read(&mut piece),
        };
        let bytes = match read {
            Ok(0) => return Ok(()),
            Ok(len) => piece.get(..len).ok_or_else(|| CopyError::Read {
                at,
                source: io::Error::new(
                    io::ErrorKind::InvalidData,
                    "reader claims more bytes than there was room for",
                ),
            })?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(CopyError::Read { at, source }),
        };
        to.write_all_at(bytes, at)
            .map_err(|source| CopyError::Write { at, source })?;
        at += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        done(at, bytes.len())?;
    }
}

/// Copies the next piece from where `from` is read to `at`, and tells how long it was; nothing at the end, and where the
/// kernel cannot.
fn copy_within_kernel(from: &File, to: &File, at: u64) -> Option<usize> {
    #[cfg(target_os = "linux")]
    return rustix::io::retry_on_intr(|| {
        let mut at = at;
        rustix::fs::copy_file_range(from, None, to, Some(&mut at), PIECE)
    })
    .ok()
    .filter(|len| *len > 0);
    #[cfg(not(target_os = "linux"))]
    return {
        let _ = (from, to, at);
        None
    };
}

/// Hashes the pieces that were copied, one after the other.
fn hash_pieces(to: &File, pieces: &Receiver<usize>) -> Result<Hasher, CopyError> {
    let mut hasher = Hasher::new();
    let mut chunk = vec![0; CHUNK];
    for piece in pieces {
        let mut rest = piece;
        while rest > 0 {
            let wanted = rest.min(CHUNK);
            let at = hasher.len();
            let bytes = chunk.get_mut(..wanted).unwrap_or_default();
            to.read_exact_at(bytes, at)
                .map_err(|source| CopyError::Write { at, source })?;
            hasher.update(bytes);
            rest -= wanted;
        }
    }
    Ok(hasher)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Several pieces and a rest, no two chunks alike.
    fn content() -> Vec<u8> {
        (0..3 * PIECE + CHUNK + 17)
            .map(|at| (at / 251 % 256).to_le_bytes()[0])
            .collect()
    }

    fn on_disk(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(content).expect("written");
        io::Seek::rewind(&mut file).expect("rewound");
        file
    }

    fn read_back(to: &File) -> Vec<u8> {
        let mut copy =
            vec![0; usize::try_from(to.metadata().expect("metadata").len()).expect("small")];
        to.read_exact_at(&mut copy, 0).expect("read");
        copy
    }

    #[test]
    fn a_file_and_a_reader_arrive_whole_with_the_digest_of_their_bytes() {
        for content in [content(), Vec::new(), b"abc".to_vec(), vec![7; PIECE]] {
            let len = u64::try_from(content.len()).expect("small");
            for from in [
                Content::File(on_disk(&content)),
                Content::Reader(Box::new(io::Cursor::new(content.clone()))),
            ] {
                let to = tempfile::tempfile().expect("a temporary file");
                let mut last = 0;
                let copied = hashed_copy(from, &to, |at| {
                    assert!(at > last && at <= len);
                    last = at;
                    ControlFlow::Continue(())
                });
                assert_eq!(copied.expect("copied"), (Digest::of(&content), len));
                assert_eq!(last, len);
                assert!(read_back(&to) == content);
            }
        }
    }

    #[test]
    fn it_ends_with_the_first_piece_when_told_to() {
        for from in [
            Content::File(on_disk(&content())),
            Content::Reader(Box::new(io::Cursor::new(content()))),
        ] {
            let to = tempfile::tempfile().expect("a temporary file");
            let mut calls = 0;
            let copied = hashed_copy(from, &to, |_| {
                calls += 1;
                ControlFlow::Break(())
            });
            assert!(matches!(copied, Err(CopyError::Cancelled { .. })));
            assert_eq!(calls, 1);
        }
    }

    #[test]
    fn an_error_says_on_which_side_it_was() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let go_on = |_| ControlFlow::Continue(());
        let to = tempfile::tempfile().expect("a temporary file");
        let broken = Content::Reader(Box::new((&b"abc"[..]).chain(Broken)));
        assert!(matches!(
            hashed_copy(broken, &to, go_on),
            Err(CopyError::Read { at: 3, .. })
        ));
        // Opened for reading alone, it takes nothing.
        let named = tempfile::NamedTempFile::new().expect("a temporary file");
        let read_only = File::open(named.path()).expect("opened");
        for from in [
            Content::File(on_disk(b"abc")),
            Content::Reader(Box::new(&b"abc"[..])),
        ] {
            assert!(matches!(
                hashed_copy(from, &read_only, go_on),
                Err(CopyError::Write { at: 0, .. })
            ));
        }
    }
}
