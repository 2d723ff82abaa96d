//! Images on a file system, published whole or not at all.
//!
//! ```text
//! <root>/NAME -> .store/images/NAME/12     the current generation, a relative link that one rename replaces
//! <root>/.store/images/NAME/12/            bzImage, initrd, SHA256SUMS, manifest.json; never written to again
//! <root>/.store/images/NAME/11/            earlier generations, until they are pruned
//! <root>/.store/blobs/<hex>                every file's content once, hard-linked into the generations that have it
//! <root>/.store/staging/N/                 what is being written; whoever writes it holds a lock on it
//! <root>/.store/lock                       held (flock) while the tree changes, never while bytes are copied
//! <root>/.store/revision                   its length counts the changes
//! ```
//!
//! Readers take no lock: they follow the link once and read a directory that does not change.
//! Writers copy into `staging` first, flush files and directories to the disk, and only then take
//! the lock and rename. A writer that dies leaves a staging directory whose lock is free: the next
//! to open the store for writing, or to publish, removes it.

mod error;
mod generations;
mod hashed_copy;
mod new_image;
mod publish;
mod read;
mod signing;
mod staging;
mod unified;
mod verify;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{Digest, Generation, ImageName};
use staging::Staging;

pub use error::StoreError;
pub use generations::Keep;
pub use new_image::{Input, NewImage, Progress, Published, Step};
pub use read::{FileRef, FileRefError, FileRole, Listing, OpenFile, UnusableImage, open_source};
pub use signing::SignatureReport;
pub use verify::{Damage, Report, Verifying};

/// A directory of images.
///
/// Any number of processes and threads may read and write one store at the same time. Every method
/// blocks: call it from a thread that may.
///
/// ```
/// # use std::{fs, ops::ControlFlow, time::SystemTime};
/// use netboot_image::{NewImage, Store};
///
/// # let dir = tempfile::tempdir()?;
/// # let mut kernel = vec![0_u8; 1040];
/// # for (at, bytes) in [(0x1f1, &b"\x01"[..]), (0x1f4, b"\x01"), (0x1fe, b"\x55\xaa"), (0x202, b"HdrS\x0f\x02"),
/// #     (0x211, b"\x01"), (0x236, b"\x01"), (0x238, b"\xff\x07")] { kernel[at..at + bytes.len()].copy_from_slice(bytes); }
/// # fs::write(dir.path().join("vmlinuz"), kernel)?;
/// # fs::write(dir.path().join("initrd.img"), "an initrd")?;
/// # let (vmlinuz, initrd) = (dir.path().join("vmlinuz"), dir.path().join("initrd.img"));
/// # let now = SystemTime::UNIX_EPOCH;
/// let store = Store::create(dir.path().join("images"))?;
/// let image = NewImage::linux("rescue".parse()?, vmlinuz).initrd(initrd).cmdline(["console=ttyS0"]).label("Rescue");
/// let published = store.publish(now, image)?;
/// assert_eq!(published.manifest.generation().number(), 1);
///
/// let file = store.open_file(&"rescue/@1/bzImage".parse()?)?;
/// assert_eq!(file.size, 1040);
/// assert!(store.root().join("rescue/SHA256SUMS").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// Which state of the store was seen: equal as long as nobody published, removed, rolled back or
/// pruned anything.
///
/// It is good for comparing with another one of the same store, within one boot of the machine; see
/// [`Store::revision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision {
    count: u64,
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

/// The directory under the root that holds everything but the links.
const HIDDEN: &str = ".store";

/// The directories in it.
const DIRS: [&str; 3] = ["images", "blobs", "staging"];

impl Store {
    /// Opens the store at `root`, and makes the directory and the store where they are missing.
    /// What writers left that died is removed.
    ///
    /// # Errors
    /// That a directory could not be made, or a leftover not removed.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self { root: root.into() };
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&store.root);
        made.map_err(|source| StoreError::io("create", &store.root, source))?;
        store.make_dir(&store.root.join(HIDDEN))?;
        for dir in DIRS {
            store.make_dir(&store.hidden(dir))?;
        }
        let lock = store.lock()?;
        store.change_counter()?;
        for name in ["lock", "revision"] {
            store.hand_over(&store.hidden(name))?;
        }
        store.clear_staging(&lock)?;
        store.clear_blobs(&lock)?;
        sync_dir(&store.root.join(HIDDEN))?;
        sync_dir(&store.root)?;
        Ok(store)
    }

    /// Opens the store at `root` and changes nothing in it: enough for a reader without the right
    /// to write.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] where there is none, or that it cannot be looked at.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self { root: root.into() };
        let images = store.hidden("images");
        match fs::metadata(&images) {
            Ok(found) if found.is_dir() => Ok(store),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(StoreError::io("look at", &images, error))
            }
            _ => Err(StoreError::NotAStore { path: store.root }),
        }
    }

    /// The directory that the store is in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Which state the store is in: compare it with an earlier one to learn whether to read the
    /// images again.
    ///
    /// It costs two `stat` calls and reads nothing, so a server may ask before every answer. It has
    /// changed by the time a publication, a removal, a roll back or a pruning returns, whichever
    /// process did it; a link that is removed or put into the directory by hand changes it too.
    /// Should a writer be killed between its switch and its count, the time stamp of the directory
    /// tells, unless another change came within the same tick of the kernel's clock.
    ///
    /// Ask for the revision first and read the images after: what changes in between is then seen
    /// the next time.
    ///
    /// # Errors
    /// That the store is not there or cannot be looked at.
    pub fn revision(&self) -> Result<Revision, StoreError> {
        let look = |path: &Path| {
            fs::metadata(path).map_err(|source| StoreError::io("look at", path, source))
        };
        let counter = look(&self.hidden("revision"))?;
        let root = look(&self.root)?;
        Ok(Revision {
            count: counter.len(),
            device: root.dev(),
            inode: root.ino(),
            changed: (root.ctime(), root.ctime_nsec()),
        })
    }

    /// The generation that readers get, whether it is whole or not; `None` where no image has the
    /// name.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`] where something else stands in the image's place, or that it cannot
    /// be looked at.
    pub fn current(&self, name: &ImageName) -> Result<Option<Generation>, StoreError> {
        let path = self.link(name);
        let target = match fs::read_link(&path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(StoreError::NotOurs { path });
            }
            Err(error) => return Err(StoreError::io("read the link", &path, error)),
        };
        let number = target
            .file_name()
            .and_then(|number| number.to_str())
            .and_then(|number| number.parse().ok());
        match number {
            Some(generation) if target == link_target(name, generation) => Ok(Some(generation)),
            _ => Err(StoreError::NotOurs { path }),
        }
    }

    /// Makes a directory that all may read, whatever the process's mask, and tells whether it was
    /// missing. A link to one is refused: root may be publishing into what another user owns.
    fn make_dir(&self, path: &Path) -> Result<bool, StoreError> {
        match fs::create_dir(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let path = path.to_owned();
                return match fs::symlink_metadata(&path) {
                    Ok(found) if !found.is_dir() => Err(StoreError::NotOurs { path }),
                    _ => Ok(false),
                };
            }
            Err(error) => return Err(StoreError::io("create", path, error)),
        }
        let set = fs::set_permissions(path, Permissions::from_mode(0o755));
        set.map_err(|source| StoreError::io("set the mode of", path, source))?;
        self.hand_over(path)?;
        Ok(true)
    }

    fn hidden(&self, name: &str) -> PathBuf {
        self.root.join(HIDDEN).join(name)
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        self.hidden("blobs").join(digest.hex().to_string())
    }

    fn link(&self, name: &ImageName) -> PathBuf {
        self.root.join(name.as_str())
    }

    fn generations_dir(&self, name: &ImageName) -> PathBuf {
        self.hidden("images").join(name.as_str())
    }

    fn generation_dir(&self, name: &ImageName, generation: Generation) -> PathBuf {
        self.generations_dir(name)
            .join(generation.number().to_string())
    }

    /// Waits until no other process or thread changes the tree.
    fn lock(&self) -> Result<Lock, StoreError> {
        for dir in DIRS {
            let path = self.hidden(dir);
            if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_dir()) {
                return Err(StoreError::NotOurs { path });
            }
        }
        let path = self.hidden("lock");
        let file = open_own(&path)?;
        file.lock()
            .map_err(|source| StoreError::io("lock", &path, source))?;
        Ok(Lock { _file: file })
    }

    /// The file whose length counts the changes. It is opened before a change, so that counting
    /// after it cannot fail for want of a right or of space.
    fn change_counter(&self) -> Result<ChangeCounter, StoreError> {
        let path = self.hidden("revision");
        let file = open_own(&path)?;
        Ok(ChangeCounter { file, path })
    }

    /// Gives what root made to the owner of the store's directory, so that the service can prune
    /// what the administrator published. Who is not root keeps what is theirs.
    fn hand_over(&self, path: &Path) -> Result<(), StoreError> {
        let look = |path: &Path| {
            fs::symlink_metadata(path).map_err(|source| StoreError::io("look at", path, source))
        };
        let root = fs::metadata(&self.root)
            .map_err(|source| StoreError::io("look at", &self.root, source))?;
        let found = look(path)?;
        if (found.uid(), found.gid()) == (root.uid(), root.gid()) {
            return Ok(());
        }
        match std::os::unix::fs::lchown(path, Some(root.uid()), Some(root.gid())) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                Err(StoreError::io("change the owner of", path, error))
            }
            _ => Ok(()),
        }
    }
}

/// Held while the tree changes; the lock goes with the file.
struct Lock {
    _file: File,
}

struct ChangeCounter {
    file: File,
    path: PathBuf,
}

impl ChangeCounter {
    /// Counts a change that is visible already. The caller holds the store's lock.
    fn count(&self) -> Result<(), StoreError> {
        let counted = self
            .file
            .metadata()
            .and_then(|counter| self.file.set_len(counter.len().wrapping_add(1)));
        counted.map_err(|source| StoreError::io("count a change in", &self.path, source))
    }
}

/// The link in the store's directory, relative so that the whole store may be moved.
fn link_target(name: &ImageName, generation: Generation) -> PathBuf {
    [
        HIDDEN,
        "images",
        name.as_str(),
        &generation.number().to_string(),
    ]
    .iter()
    .collect()
}

/// Opens a file of the store's own for writing, and makes it where it is missing. A link in its
/// place is not followed: root may be publishing into what another user owns.
fn open_own(path: &Path) -> Result<File, StoreError> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(i32::from_ne_bytes(flags.bits().to_ne_bytes()))
        .open(path);
    match opened.and_then(|file| Ok((file.metadata()?.is_file(), file))) {
        Ok((true, file)) => Ok(file),
        Err(error) if !fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
            Err(StoreError::io("open", path, error))
        }
        _ => Err(StoreError::NotOurs {
            path: path.to_owned(),
        }),
    }
}

/// Whether nothing is there. What cannot be looked at may be.
fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

fn read_dir(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries =
        fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    entries.map_err(|source| StoreError::io("list", path, source))
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|source| StoreError::io("rename into place", to, source))
}

/// Makes the names in a directory survive a loss of power. Some network and FUSE file systems
/// cannot; they say so, and there is nothing more that could be done.
fn sync_dir(path: &Path) -> Result<(), StoreError> {
    match File::open(path).and_then(|dir| dir.sync_all()) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Err(StoreError::io("flush", path, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux has no `fsync` for the directories of procfs (`EINVAL`).
    #[test]
    #[cfg(target_os = "linux")]
    fn a_directory_is_flushed_where_its_file_system_can_do_that() {
        assert!(sync_dir("/proc".as_ref()).is_ok());
        let error = sync_dir("/proc/none".as_ref()).expect_err("nothing is there");
        assert_eq!(error.to_string(), "cannot flush /proc/none");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_store_where_nothing_can_be_made_says_what_could_not() {
        let error = Store::create("/proc/self").expect_err("procfs has its own");
        assert_eq!(error.to_string(), "cannot create /proc/self/.store");
    }
}
