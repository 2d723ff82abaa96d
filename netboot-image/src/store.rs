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
//! Readers take no lock: they follow the link once and read a directory that does not change. Writers copy into
//! `staging` first, flush files and directories to the disk, and only then take the lock and rename. A writer that dies
//! leaves a staging directory whose lock is free: the next to open the store for writing, or to publish, removes it.

mod publish;
mod read;
mod verify;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{FileName, Generation, ImageName, KernelError, ManifestError};

pub use publish::{Input, NewImage, Progress, Published, Step};
pub use read::{Content, FileRef, FileRefError, Listing, OpenFile, Problem};
pub use verify::{Damage, Report, Verifying};

/// A directory of images.
///
/// Any number of processes and threads may read and write one store at the same time. Every method blocks: call it from
/// a thread that may.
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
/// let published = store.publish(now, image, &mut |_| ControlFlow::Continue(()))?;
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

/// Which state of the store was seen: equal as long as nobody published, removed, rolled back or pruned anything.
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

/// Why something in the store could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory is there and no store, or not there at all.
    #[error("{path} is no image store")]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// No image has the name.
    #[error("no image is called {name}")]
    NoSuchImage {
        /// The name.
        name: ImageName,
    },
    /// The image does not have the generation, or no longer.
    #[error("image {name} has no generation {generation}")]
    NoSuchGeneration {
        /// The image.
        name: ImageName,
        /// The generation.
        generation: Generation,
    },
    /// The image's manifest does not list the file.
    #[error("image {name} has no file {file}")]
    NoSuchFile {
        /// The image.
        name: ImageName,
        /// The file.
        file: FileName,
    },
    /// What stands at the image's place was not published by a store.
    #[error("{path} was not published by this store")]
    NotOurs {
        /// The place.
        path: PathBuf,
    },
    /// The kernel is refused.
    #[error("{file}: {reason}")]
    Kernel {
        /// Where the kernel came from.
        file: String,
        /// Why.
        reason: KernelError,
    },
    /// The initial RAM disk is refused.
    #[error("{file} is no initial RAM disk: it looks like {looks}")]
    Initrd {
        /// Where it came from.
        file: String,
        /// What it is.
        looks: crate::Looks,
    },
    /// What was to be published, or what is in the store, makes no manifest.
    #[error("image {name}: {reason}")]
    Manifest {
        /// The image.
        name: ImageName,
        /// What is wrong.
        reason: ManifestError,
    },
    /// A published file is not what its manifest says.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// The disk, or the owner's share of it, is full. Nothing was published.
    #[error("no space left while writing {path}")]
    Full {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The progress callback stopped it. Nothing was published.
    #[error("cancelled")]
    Cancelled,
    /// The file system refused something else.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The directory under the root that holds everything but the links.
const HIDDEN: &str = ".store";

impl Store {
    /// Opens the store at `root`, and makes the directory and the store where they are missing. Leftovers of writers
    /// that died are removed.
    ///
    /// # Errors
    /// That a directory could not be made.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self { root: root.into() };
        for dir in ["images", "blobs", "staging"] {
            let path = store.hidden(dir);
            fs::create_dir_all(&path).map_err(|source| StoreError::io("create", &path, source))?;
        }
        Ok(store)
    }

    /// Opens the store at `root` and changes nothing in it: enough for a reader without the right to write.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] where there is none.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self { root: root.into() };
        if store.hidden("images").is_dir() {
            Ok(store)
        } else {
            Err(StoreError::NotAStore { path: store.root })
        }
    }

    /// The directory that the store is in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Which state the store is in: compare it with an earlier one to learn whether to read the images again.
    ///
    /// It costs two `stat` calls and reads nothing. It has changed by the time a publication, a removal, a roll back or
    /// a pruning returns, whichever process did it.
    ///
    /// # Errors
    /// That the store is not there or cannot be looked at.
    pub fn revision(&self) -> Result<Revision, StoreError> {
        unimplemented!("skeleton")
    }

    fn hidden(&self, name: &str) -> PathBuf {
        self.root.join(HIDDEN).join(name)
    }
}

impl StoreError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { path, source }
            }
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}
