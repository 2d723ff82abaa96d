//! The folder that the lease database is in. Every file there is opened, made and put in place by
//! this, below an open folder and through no link.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Uid, fchmod, fchown, linkat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

/// What its files may be: its owner's, and read by its group.
const MODE: Mode = Mode::from_bits_retain(0o640);

/// A folder, open.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    file: File,
}

impl Folder {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())?.into();
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    /// The path of a file in it, for people.
    pub(super) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file of it; `None` where there is none. What is no regular file is refused.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn file(&self, name: &OsStr, write: bool) -> io::Result<Option<File>> {
        let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
        match self.at(name, access) {
            Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
            Ok(_) => Err(io::Error::other("it is no file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a file, in the place of one that was left behind. It is readable to the folder's group
    /// whatever the process's mask is, and belongs to whom the folder does, as far as this process
    /// may give it away.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn create(&self, name: &OsStr) -> io::Result<File> {
        self.remove(name);
        let file = self.at(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        fchmod(&file, MODE)?;
        let (folder, made) = (self.file.metadata()?, file.metadata()?);
        let is_another = (folder.uid(), folder.gid()) != (made.uid(), made.gid());
        if is_another && geteuid().is_root() {
            let (user, group) = (Uid::from_raw(folder.uid()), Gid::from_raw(folder.gid()));
            fchown(&file, Some(user), Some(group))?;
        }
        Ok(file)
    }

    /// Removes a file, where that can be done.
    pub(super) fn remove(&self, name: &OsStr) {
        let _ = unlinkat(&self.file, name, AtFlags::empty());
    }

    /// Puts a file in the place of another, which keeps a name of its own where one is given: at
    /// each moment there is one of the two.
    ///
    /// # Errors
    ///
    /// Those of the system; then the other one is in its place.
    pub(super) fn replace(
        &self,
        new: &OsStr,
        old: &OsStr,
        aside: Option<&OsStr>,
    ) -> io::Result<()> {
        if let Some(aside) = aside {
            match linkat(&self.file, old, &self.file, aside, AtFlags::empty()) {
                // By a process that was killed then.
                Err(Errno::EXIST) if self.inode(old)? == self.inode(aside)? => {}
                linked => linked?,
            }
        }
        renameat(&self.file, new, &self.file, old).inspect_err(|_| {
            if let Some(aside) = aside {
                self.remove(aside);
            }
        })?;
        Ok(())
    }

    fn inode(&self, name: &OsStr) -> io::Result<u64> {
        let about = statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(about.st_ino)
    }

    /// Has what was put in place be there behind a crash, too.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// The one place where a file is opened.
    fn at(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        // A planted pipe is not waited for.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(&self.file, name, flags, MODE)?.into())
    }
}
