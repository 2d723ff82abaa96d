//! Files that several transfers read at one time, held in memory once.
//!
//! Machines that are powered on together ask for the same program together. The first of them reads
//! the file as it goes; from the second on the bytes are in memory, for as long as a transfer of
//! that file runs.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;

use crate::content::Content;

/// The files that are being sent.
#[derive(Debug)]
pub(crate) struct Sharing {
    max_bytes: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    files: HashMap<Identity, Entry>,
    /// Bytes that are held or about to be.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Entry {
    transfers: usize,
    /// Where the bytes are, once they are wanted; without any where the file could not be read.
    held: Option<Arc<OnceLock<Option<Bytes>>>>,
}

/// What tells a file from another, and from itself before it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    len: usize,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A transfer's part in a file; the bytes go with the last of them.
#[derive(Debug)]
pub(crate) struct Share {
    open: Arc<Mutex<Open>>,
    file: Identity,
}

impl Sharing {
    /// Files that exceed this part of what may be held are read by each transfer for itself:
    /// reading one whole holds up the others.
    const LARGEST: usize = 4;

    /// Holds no more bytes than this.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            open: Arc::default(),
        }
    }

    /// The content of a transfer that begins: what is held of its file where another transfer reads
    /// it, too.
    pub(crate) fn join(&self, content: Content) -> (Content, Option<Share>) {
        let Content::File { file, len } = content else {
            return (content, None);
        };
        let identity = Identity::of(&file, len);
        let largest = self.max_bytes / Self::LARGEST;
        let Some(identity) = identity.filter(|identity| identity.len <= largest) else {
            return (Content::File { file, len }, None);
        };
        let held = self.enter(identity);
        let share = Share {
            open: Arc::clone(&self.open),
            file: identity,
        };
        // A file that cannot be read stays with the transfer, which reads it and says so.
        let bytes = held.and_then(|held| held.get_or_init(|| whole(&file, identity.len)).clone());
        let content = bytes.map_or(Content::File { file, len }, Content::Bytes);
        (content, Some(share))
    }

    /// Counts a transfer, and gives the place for the file's bytes if it is not the only one.
    fn enter(&self, file: Identity) -> Option<Arc<OnceLock<Option<Bytes>>>> {
        let mut open = lock(&self.open);
        let room = self.max_bytes.saturating_sub(open.bytes);
        let entry = open.files.entry(file).or_default();
        entry.transfers += 1;
        if entry.transfers > 1 && entry.held.is_none() && file.len <= room {
            entry.held = Some(Arc::default());
            let held = entry.held.clone();
            open.bytes += file.len;
            return held;
        }
        entry.held.clone()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        let Some(entry) = open.files.get_mut(&self.file) else {
            return;
        };
        entry.transfers -= 1;
        if entry.transfers == 0 {
            let was_held = entry.held.is_some();
            open.files.remove(&self.file);
            if was_held {
                open.bytes -= self.file.len;
            }
        }
    }
}

impl Identity {
    #[cfg(unix)]
    fn of(file: &File, len: u64) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;

        let metadata = file.metadata().ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: usize::try_from(len).ok()?,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Not known here, so nothing is shared.
    #[cfg(not(unix))]
    fn of(_: &File, _: u64) -> Option<Self> {
        None
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All of a file, whatever its position.
#[cfg(unix)]
fn whole(file: &File, len: usize) -> Option<Bytes> {
    use std::os::unix::fs::FileExt;

    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, 0).ok()?;
    Some(bytes.into())
}

#[cfg(not(unix))]
fn whole(_: &File, _: usize) -> Option<Bytes> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use super::*;

    fn content(path: &Path) -> Content {
        Content::from_file(File::open(path).expect("a file")).expect("its length")
    }

    fn bytes(content: &Content) -> Option<&Bytes> {
        match content {
            Content::Bytes(bytes) => Some(bytes),
            Content::File { .. } | Content::Stream(_) => None,
        }
    }

    fn held(sharing: &Sharing) -> usize {
        lock(&sharing.open).bytes
    }

    #[test]
    fn a_file_is_held_from_its_second_transfer_to_its_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ipxe.efi");
        std::fs::write(&path, "program").expect("a file");
        let sharing = Sharing::new(100);
        let (first, first_share) = sharing.join(content(&path));
        assert!(bytes(&first).is_none());
        assert_eq!(held(&sharing), 0);
        let (second, second_share) = sharing.join(content(&path));
        let (third, third_share) = sharing.join(content(&path));
        let (second, third) = (bytes(&second).unwrap(), bytes(&third).unwrap());
        assert_eq!(second, "program");
        assert_eq!(second.as_ptr(), third.as_ptr());
        assert_eq!(held(&sharing), 7);
        drop((first_share, second_share));
        assert!(bytes(&sharing.join(content(&path)).0).is_some());
        drop(third_share);
        assert_eq!(held(&sharing), 0);
        assert!(lock(&sharing.open).files.is_empty());
    }

    #[test]
    fn a_file_that_was_changed_or_replaced_is_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ipxe.efi");
        std::fs::write(&path, "program").expect("a file");
        let sharing = Sharing::new(100);
        let _one = sharing.join(content(&path));
        let _two = sharing.join(content(&path));
        std::fs::write(&path, "a longer one").expect("a file");
        let (changed, _three) = sharing.join(content(&path));
        assert!(bytes(&changed).is_none());
        let new = folder.path().join("new");
        std::fs::write(&new, "another on").expect("a file");
        std::fs::rename(&new, &path).expect("its name");
        let _four = sharing.join(content(&path));
        let (replaced, _five) = sharing.join(content(&path));
        assert_eq!(bytes(&replaced).unwrap(), "another on");
    }

    #[test]
    fn no_more_is_held_than_allowed() {
        let folder = tempfile::tempdir().expect("a folder");
        let sharing = Sharing::new(40);
        let mut shares = Vec::new();
        for (name, len, shared) in [
            ("a", 10, true),
            ("b", 10, true),
            ("large", 11, false),
            ("c", 10, true),
            ("d", 9, true),
            ("no room", 2, false),
            ("e", 1, true),
            ("empty", 0, true),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, vec![0; len]).expect("a file");
            shares.push(sharing.join(content(&path)).1);
            let (second, share) = sharing.join(content(&path));
            assert_eq!(bytes(&second).is_some(), shared, "{name}");
            shares.push(share);
        }
        assert_eq!(held(&sharing), 40);
        drop(shares);
        assert_eq!(held(&sharing), 0);
    }

    #[test]
    fn a_file_that_is_shorter_than_it_was_is_left_to_its_transfer() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ipxe.efi");
        std::fs::write(&path, "program").expect("a file");
        let sharing = Sharing::new(100);
        let longer = || Content::File {
            file: File::open(&path).expect("a file"),
            len: 8,
        };
        let _one = sharing.join(longer());
        let (second, _two) = sharing.join(longer());
        assert!(bytes(&second).is_none());
    }
}
