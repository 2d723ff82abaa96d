//! One open directory, in which files are made, renamed and removed by name.
//!
//! It is held open and not gone to by path again, so that a symbolic link that is changed meanwhile
//! leads nowhere. Only Unix has such calls; elsewhere no folder can be opened, and so nothing be
//! written.

#[cfg(unix)]
pub(crate) use unix::Folder;

#[cfg(not(unix))]
pub(crate) use elsewhere::Folder;

#[cfg(unix)]
mod unix {
    use std::ffi::{OsStr, OsString};
    use std::fs::File;
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use rustix::fd::OwnedFd;
    use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

    use crate::server::root::{LookupError, Root};

    /// Entries that are compared with a name; more are not looked at.
    const MOST_ENTRIES: usize = 4096;

    /// An open directory; names are single components.
    #[derive(Debug)]
    pub(crate) struct Folder {
        fd: OwnedFd,
    }

    impl Folder {
        pub(crate) fn open(root: &Root, relative: &Path) -> Result<Self, LookupError> {
            let fd = root.open_folder(relative)?;
            Ok(Self { fd })
        }

        /// The name in it that is this one, else the first one that differs in the case of ASCII
        /// letters only.
        pub(crate) fn similar(&self, name: &OsStr) -> Option<OsString> {
            let mut similar = None;
            let entries = Dir::read_from(&self.fd).ok()?;
            for entry in entries.take(MOST_ENTRIES) {
                let entry = entry.ok()?;
                let bytes = entry.file_name().to_bytes();
                if bytes == name.as_bytes() {
                    return Some(name.to_owned());
                }
                let found = OsStr::from_bytes(bytes);
                let is_first = || similar.as_deref().is_none_or(|first| found < first);
                if found.eq_ignore_ascii_case(name) && is_first() {
                    similar = Some(found.to_owned());
                }
            }
            similar
        }

        pub(crate) fn is_regular_file(&self, name: &OsStr) -> io::Result<bool> {
            let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        }

        pub(crate) fn create_new(&self, name: &OsStr) -> io::Result<File> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
            Ok(rustix::fs::openat(&self.fd, name, flags, mode)?.into())
        }

        pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
        }

        /// Renames unless `to` is there.
        pub(crate) fn rename_to_free_name(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            // A second name that must be new and the first one gone do the same in two steps, on
            // file systems and kernels that do not know the one.
            #[cfg(target_os = "linux")]
            {
                use rustix::fs::RenameFlags;
                use rustix::io::Errno;

                let flags = RenameFlags::NOREPLACE;
                match rustix::fs::renameat_with(&self.fd, from, &self.fd, to, flags) {
                    Err(Errno::INVAL | Errno::NOSYS) => {}
                    renamed => return Ok(renamed?),
                }
            }
            rustix::fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty())?;
            self.remove(from)
        }

        pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
            Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
        }

        /// Waits until the names are on the disk.
        pub(crate) fn sync(&self) -> io::Result<()> {
            Ok(rustix::fs::fsync(&self.fd)?)
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::ffi::{OsStr, OsString};
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use crate::server::root::{LookupError, Root};

    /// No directory.
    #[derive(Debug)]
    pub(crate) enum Folder {}

    impl Folder {
        pub(crate) fn open(_: &Root, _: &Path) -> Result<Self, LookupError> {
            Err(LookupError::System(io::ErrorKind::PermissionDenied.into()))
        }

        pub(crate) fn similar(&self, _: &OsStr) -> Option<OsString> {
            match *self {}
        }

        pub(crate) fn is_regular_file(&self, _: &OsStr) -> io::Result<bool> {
            match *self {}
        }

        pub(crate) fn create_new(&self, _: &OsStr) -> io::Result<File> {
            match *self {}
        }

        pub(crate) fn rename(&self, _: &OsStr, _: &OsStr) -> io::Result<()> {
            match *self {}
        }

        pub(crate) fn rename_to_free_name(&self, _: &OsStr, _: &OsStr) -> io::Result<()> {
            match *self {}
        }

        pub(crate) fn remove(&self, _: &OsStr) -> io::Result<()> {
            match *self {}
        }

        pub(crate) fn sync(&self) -> io::Result<()> {
            match *self {}
        }
    }
}
