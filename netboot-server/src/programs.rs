//! The boot programs at hand: iPXE's builds for each kind of firmware.
//!
//! They are looked for in the state folder's `tftp/`, which the operator fills, and then where the
//! distribution's iPXE package puts them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use netboot_image::Digest;

/// Where Linux distributions put iPXE's programs.
pub const DISTRIBUTION_DIRS: [&str; 3] =
    ["/usr/lib/ipxe", "/usr/share/ipxe", "/usr/lib/ipxe/x86_64"];

/// The programs found, by file name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    found: BTreeMap<String, PathBuf>,
}

/// When the folders last changed; a changed stamp means that [`Programs::scan`] may find others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp(Vec<Option<SystemTime>>);

impl Programs {
    /// The files directly in the operator's folder, and those in the distribution's that the
    /// operator did not put there. A folder that is not there holds none.
    #[must_use]
    pub fn scan(folder: &Path) -> Self {
        let mut found = BTreeMap::new();
        for (index, folder) in folders(folder).enumerate() {
            let operators = index == 0;
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if let Ok(name) = entry.file_name().into_string()
                    && path.is_file()
                    && !(operators && leads_out(&folder, &path))
                {
                    found.entry(name).or_insert(path);
                }
            }
        }
        Self { found }
    }

    /// The folders' stamp now.
    #[must_use]
    pub fn stamp(folder: &Path) -> Stamp {
        let changed = |folder: PathBuf| folder.metadata().and_then(|data| data.modified()).ok();
        Stamp(folders(folder).map(changed).collect())
    }

    /// Whether a program of this name is at hand.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// Where the program of this name is.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.found.get(name).map(PathBuf::as_path)
    }
}

impl<const N: usize> From<[&str; N]> for Programs {
    /// Programs of these names, in a folder that need not exist: what a policy can be asked about.
    fn from(names: [&str; N]) -> Self {
        let found = names.map(|name| (name.to_owned(), Path::new("tftp").join(name)));
        Self {
            found: found.into(),
        }
    }
}

/// The digests of programs, each file read once for every version of it.
#[derive(Debug, Default)]
pub(crate) struct Digests(Mutex<BTreeMap<PathBuf, (Version, Digest)>>);

/// Changes whenever a file does: device, inode, length, and the time of its last change.
type Version = (u64, u64, u64, i64, i64);

impl Digests {
    /// The most files whose digests are remembered; then all are read anew.
    const MOST: usize = 1024;

    /// The length and the digest of an open program, which is left at its beginning.
    ///
    /// # Errors
    ///
    /// Those of reading, and where it is no regular file.
    pub(crate) fn of(&self, path: &Path, file: &mut File) -> io::Result<(u64, Digest)> {
        let data = file.metadata()?;
        if !data.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let version = (
            data.dev(),
            data.ino(),
            data.len(),
            data.ctime(),
            data.ctime_nsec(),
        );
        let known = self.lock().get(path).copied();
        if let Some((_, digest)) = known.filter(|(known, _)| *known == version) {
            return Ok((data.len(), digest));
        }
        let (digest, length) = Digest::of_reader(&mut *file)?;
        file.rewind()?;
        if length == data.len() {
            let mut digests = self.lock();
            if digests.len() >= Self::MOST {
                digests.clear();
            }
            digests.insert(path.to_owned(), (version, digest));
        }
        Ok((length, digest))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, (Version, Digest)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a symbolic link leads out of its folder: what the operator's folder shows is only what is
/// in it. The distribution links its own files.
fn leads_out(folder: &Path, path: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    match (real(folder), real(path)) {
        (Some(folder), Some(path)) => !path.starts_with(folder),
        _ => true,
    }
}

fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::iter::once(folder.to_owned()).chain(DISTRIBUTION_DIRS.map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_out_of_the_operators_folder_is_no_program() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let folder = state.path().join("tftp");
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(state.path().join("leases"), "secret").expect("a file");
        std::fs::write(folder.join("own.efi"), "program").expect("a file");
        std::os::unix::fs::symlink("own.efi", folder.join("alias.efi")).expect("a link");
        std::os::unix::fs::symlink("../leases", folder.join("leak.efi")).expect("a link");
        let programs = Programs::scan(&folder);
        assert!(programs.has("own.efi"));
        assert!(programs.has("alias.efi"));
        assert!(!programs.has("leak.efi"));
    }

    #[test]
    fn the_operators_program_is_taken_before_the_distributions() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ipxe.efi"), "mine").expect("a file");
        let programs = Programs::scan(folder.path());
        assert_eq!(
            programs.path("ipxe.efi"),
            Some(folder.path().join("ipxe.efi").as_path())
        );
    }
}
