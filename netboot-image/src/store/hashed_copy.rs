//! Copying a file's content into the store and hashing it at the same time.
//!
//! Where the file system can share extents, nothing is copied (`FICLONE`) and the clone is hashed.
//! Elsewhere this thread reads and writes and a second one hashes the same bytes, out of a ring of
//! [`PIECES`] buffers that go to and fro between them; the kernel writes to the disk meanwhile. So
//! it costs the slower of the two, the memory is bounded whatever the file's length, and the digest
//! is that of what was written. A hard link to the source would cost less still, but whoever owns
//! the source could go on writing to it.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::copy::read_some;
use crate::{CopyError, Digest, Hasher, copy};

/// Bytes of a buffer: few enough that what was just read is still in the processor's cache when it
/// is hashed.
const PIECE: usize = 256 * 1024;

/// Buffers in the ring: enough that neither thread waits for a short delay of the other.
const PIECES: usize = 4;

/// Bytes after which what was written begins to go to the disk: large enough for large extents, and
/// few enough that the disk is busy from the start and little is left at the end.
const FLUSHED: u64 = 2 << 20;

/// Where the content comes from.
pub(super) enum CopySource {
    /// A file at its beginning.
    File(File),
    Reader(Box<dyn Read + Send>),
}

/// A buffer, and how much of it is filled.
type Piece = (Vec<u8>, usize);

/// Copies all of `from` into the file `to`, which is empty, and gives the digest and the length of
/// what `to` has then.
///
/// `progress` is told the bytes so far after each piece and stops it by breaking.
pub(super) fn hashed_copy(
    from: CopySource,
    to: &File,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<(Digest, u64), CopyError> {
    let from: Box<dyn Read> = match from {
        CopySource::File(file) if cloned(&file, to) => return copy(to, io::sink(), progress),
        CopySource::File(file) => Box::new(file),
        CopySource::Reader(reader) => reader,
    };
    let (filled, written) = channel();
    let (hashed, free) = channel();
    for _ in 0..PIECES {
        // The other end is in this function.
        drop(hashed.send(vec![0; PIECE]));
    }
    thread::scope(|scope| {
        let hashing = thread::Builder::new()
            .spawn_scoped(scope, move || hash_pieces(&written, &hashed))
            .map_err(|source| CopyError::Read { at: 0, source })?;
        let copied = copy_pieces(from, to, &free, filled, &mut progress);
        let hasher = match hashing.join() {
            Ok(hasher) => hasher,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        copied?;
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

/// Copies piece by piece, and hands each on when it is written.
fn copy_pieces(
    mut from: Box<dyn Read>,
    to: &File,
    free: &Receiver<Vec<u8>>,
    filled: Sender<Piece>,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<(), CopyError> {
    let (mut at, mut begun) = (0, 0);
    loop {
        // Nobody hashes any longer only when that thread panicked, which is told when it is joined.
        let Ok(mut buffer) = free.recv() else {
            return Err(CopyError::Cancelled { at });
        };
        let read = read_some(&mut from, &mut buffer);
        let Some(bytes) = read.map_err(|source| CopyError::Read { at, source })? else {
            return Ok(());
        };
        to.write_all_at(bytes, at)
            .map_err(|source| CopyError::Write { at, source })?;
        let len = bytes.len();
        at += u64::try_from(len).unwrap_or(u64::MAX);
        if at - begun >= FLUSHED {
            begin_flush(to, begun, at - begun);
            begun = at;
        }
        if filled.send((buffer, len)).is_err() || progress(at).is_break() {
            return Err(CopyError::Cancelled { at });
        }
    }
}

/// Lets the kernel begin to write a part to the disk, so that the flush at the end has little left
/// to wait for. Linux takes this advice so; what is on its way to the disk stays in the page cache.
fn begin_flush(to: &File, at: u64, len: u64) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(
        to,
        at,
        std::num::NonZero::new(len),
        rustix::fs::Advice::DontNeed,
    );
    #[cfg(not(target_os = "linux"))]
    let _ = (to, at, len);
}

/// Hashes the pieces one after the other, and gives their buffers back.
fn hash_pieces(written: &Receiver<Piece>, hashed: &Sender<Vec<u8>>) -> Hasher {
    let mut hasher = Hasher::new();
    for (buffer, len) in written {
        hasher.update(buffer.get(..len).unwrap_or_default());
        // At the end nobody waits for them.
        drop(hashed.send(buffer));
    }
    hasher
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Several pieces and a rest, no two chunks alike.
    fn content() -> Vec<u8> {
        (0..2 * PIECES * PIECE + 17)
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
                CopySource::File(on_disk(&content)),
                CopySource::Reader(Box::new(io::Cursor::new(content.clone()))),
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

    /// A file system in a file, mounted as long as the value lives.
    struct Mounted(tempfile::TempDir);

    impl Mounted {
        fn xfs() -> Self {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let (image, at) = (dir.path().join("image"), dir.path().join("at"));
            let file = File::create(&image).expect("a file");
            file.set_len(400 << 20).expect("as small as XFS may be");
            std::fs::create_dir(&at).expect("a directory");
            for (program, options) in [
                ("mkfs.xfs", &["-q", "-m", "reflink=1"][..]),
                ("mount", &["-o", "loop"]),
            ] {
                let mut command = std::process::Command::new(program);
                command.args(options).arg(&image);
                if program == "mount" {
                    command.arg(&at);
                }
                assert!(command.status().expect("it runs").success(), "{program}");
            }
            Self(dir)
        }
    }

    impl Drop for Mounted {
        fn drop(&mut self) {
            let mut command = std::process::Command::new("umount");
            drop(command.arg(self.0.path().join("at")).status());
        }
    }

    #[test]
    #[ignore = "needs root and the Debian package xfsprogs"]
    fn where_extents_can_be_shared_they_are_and_the_copy_stays_what_it_was() {
        let mounted = Mounted::xfs();
        let at = |name: &str| mounted.0.path().join("at").join(name);
        std::fs::write(at("source"), content()).expect("written");
        let clone = File::create(at("clone")).expect("created");
        assert!(cloned(&File::open(at("source")).expect("opened"), &clone));
        assert!(!cloned(&on_disk(b"abc"), &clone), "of another file system");

        let options = || {
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .to_owned()
        };
        let to = options().open(at("copy")).expect("created");
        let from = CopySource::File(File::open(at("source")).expect("opened"));
        let copied = hashed_copy(from, &to, |_| ControlFlow::Continue(()));
        assert_eq!(copied.expect("copied").0, Digest::of(&content()));
        let source = options().open(at("source")).expect("opened");
        source.write_all_at(b"altered", 0).expect("altered");
        assert!(read_back(&to) == content());
    }

    #[test]
    fn it_ends_with_the_first_piece_when_told_to() {
        for from in [
            CopySource::File(on_disk(&content())),
            CopySource::Reader(Box::new(io::Cursor::new(content()))),
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
        let broken = CopySource::Reader(Box::new((&b"abc"[..]).chain(Broken)));
        assert!(matches!(
            hashed_copy(broken, &to, go_on),
            Err(CopyError::Read { at: 3, .. })
        ));
        // Opened for reading alone, it takes nothing.
        let named = tempfile::NamedTempFile::new().expect("a temporary file");
        let read_only = File::open(named.path()).expect("opened");
        for from in [
            CopySource::File(on_disk(b"abc")),
            CopySource::Reader(Box::new(&b"abc"[..])),
        ] {
            assert!(matches!(
                hashed_copy(from, &read_only, go_on),
                Err(CopyError::Write { at: 0, .. })
            ));
        }
    }
}
