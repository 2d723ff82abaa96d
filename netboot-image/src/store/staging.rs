//! What is being written, and what those left who died over it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::{Lock, Store, StoreError, read_dir};

/// A directory under `staging` and the lock on it.
pub(super) struct Staging {
    pub(super) path: PathBuf,
    _held: File,
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next writer, who can say so.
        drop(fs::remove_dir_all(&self.path));
    }
}

impl Store {
    /// A directory for what is about to be published or thrown away. It vanishes with the value,
    /// or, when the process dies, with the next call of this.
    pub(super) fn stage(&self) -> Result<Staging, StoreError> {
        let lock = self.lock()?;
        self.clear_staging(&lock)?;
        let parent = self.hidden("staging");
        for number in 0_u32.. {
            let path = parent.join(number.to_string());
            if !self.make_dir(&path)? {
                continue;
            }
            let held = File::open(&path).and_then(|dir| dir.lock().map(|()| dir));
            return match held {
                Ok(dir) => Ok(Staging { path, _held: dir }),
                Err(error) => Err(StoreError::io("lock", &path, error)),
            };
        }
        Err(StoreError::io(
            "find a free place in",
            &parent,
            io::ErrorKind::AlreadyExists.into(),
        ))
    }

    /// Removes the staging directories whose writers are gone: nobody holds their lock. A living
    /// writer took it before it let go of the store's. What belongs to another user, as after root
    /// was killed, is left for them to remove.
    pub(super) fn clear_staging(&self, _lock: &Lock) -> Result<(), StoreError> {
        let parent = self.hidden("staging");
        for entry in read_dir(&parent)? {
            if fs::symlink_metadata(&entry).is_ok_and(|found| !found.is_dir()) {
                // No writer makes one. It may be a link to somewhere else, or a pipe to wait at.
                match fs::remove_file(&entry) {
                    Err(error) if !is_passing(&error) => {
                        return Err(StoreError::io("remove", &entry, error));
                    }
                    _ => continue,
                }
            }
            let dir = match File::open(&entry) {
                Ok(dir) => dir,
                // Its writer has just finished, or was another user.
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(StoreError::io("open", &entry, error)),
            };
            match dir.try_lock() {
                Ok(()) => match fs::remove_dir_all(&entry) {
                    Err(error) if !is_passing(&error) => {
                        return Err(StoreError::io("remove", &entry, error));
                    }
                    _ => {}
                },
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::io("lock", &entry, error));
                }
            }
        }
        Ok(())
    }

    /// Removes the contents that no generation has any longer: the only link to them is the one in
    /// `blobs`.
    pub(super) fn clear_blobs(&self, _lock: &Lock) -> Result<(), StoreError> {
        for path in read_dir(&self.hidden("blobs"))? {
            let links = fs::symlink_metadata(&path)
                .map_err(|source| StoreError::io("look at", &path, source))?
                .nlink();
            if links == 1 {
                fs::remove_file(&path).map_err(|source| StoreError::io("remove", &path, source))?;
            }
        }
        Ok(())
    }
}

/// Whether a leftover is no longer there, or another user's.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
    )
}
