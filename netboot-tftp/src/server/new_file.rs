//! A file of a directory on its way in: whole under its name in the end, or not there at all.
//!
//! It is written beside its place under a name of its own, flushed to the disk and then renamed.
//! Whatever ends the transfer before that, a dropped future included, removes it; only a process
//! that is killed leaves it behind, under a name that starts with [`TEMPORARY_PREFIX`] and that
//! nobody is served.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::server::folder::Folder;
use crate::server::upload::Sink;

/// How the temporary files of uploads begin.
pub(crate) const TEMPORARY_PREFIX: &str = ".netboot-tftp-upload-";

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: File,
    overwrite: bool,
    name: OsString,
    temporary: Temporary,
}

impl NewFile {
    pub(crate) fn create(folder: Folder, name: &OsStr, overwrite: bool) -> io::Result<Self> {
        match folder.is_regular_file(name) {
            Ok(true) if overwrite => {}
            Ok(true) => return Err(io::ErrorKind::AlreadyExists.into()),
            // A directory, a device or a link is nothing that an upload may take the place of.
            Ok(false) => return Err(io::ErrorKind::PermissionDenied.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (file, temporary) = Temporary::create(folder)?;
        Ok(Self {
            file,
            overwrite,
            name: name.to_owned(),
            temporary,
        })
    }

    /// Puts the file under its name, once it is on the disk. This waits for the disk.
    fn publish(self) -> io::Result<()> {
        let Self {
            file,
            overwrite,
            name,
            mut temporary,
        } = self;
        file.sync_all()?;
        let Temporary { folder, name: own } = &temporary;
        let Some(own) = own else {
            return Ok(());
        };
        if overwrite {
            folder.rename(own, &name)?;
        } else {
            folder.rename_to_free_name(own, &name)?;
        }
        temporary.name = None;
        match temporary.folder.sync() {
            // Some file systems have no such call for directories; the file itself is on the disk.
            Err(error)
                if [io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported]
                    .contains(&error.kind()) =>
            {
                Ok(())
            }
            synced => synced,
        }
    }
}

impl Sink for NewFile {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    async fn commit(self) -> io::Result<()> {
        // Waiting for the disk must not hold up the other transfers.
        let published = tokio::task::spawn_blocking(move || self.publish()).await;
        published.map_err(io::Error::other)?
    }
}

/// A file that goes away unless it has been renamed.
#[derive(Debug)]
struct Temporary {
    folder: Folder,
    /// `None` once it has its real name.
    name: Option<OsString>,
}

impl Temporary {
    fn create(folder: Folder) -> io::Result<(File, Self)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{TEMPORARY_PREFIX}{}-{number}", std::process::id());
            let name = OsString::from(name);
            match folder.create_new(&name) {
                Ok(file) => {
                    let name = Some(name);
                    return Ok((file, Self { folder, name }));
                }
                // Left behind by a process of the same number that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // There is nobody left to tell; what stays behind is never served.
            let _left_behind = self.folder.remove(name);
        }
    }
}
