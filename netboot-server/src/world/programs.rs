//! The boot programs at hand: iPXE's builds for each kind of firmware.
//!
//! They are looked for in the state folder's `tftp/`, which the operator fills, in the folders there,
//! and then in the configuration's `program_dirs`, by default where the distribution's packages put
//! them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use netboot_image::Digest;

use crate::config::platform::Platform;

/// Where Linux distributions put iPXE's programs.
pub const DISTRIBUTION_DIRS: [&str; 3] =
    ["/usr/lib/ipxe", "/usr/share/ipxe", "/usr/lib/ipxe/x86_64"];

/// What Debian's signed packages (shim-signed, grub-efi-amd64-signed, grub-efi-arm64-signed) bring,
/// under the names that a shim asks for.
const SIGNED: [(&str, &str); 6] = [
    ("shimx64.efi", "/usr/lib/shim/shimx64.efi.signed"),
    (
        "grubx64.efi",
        "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
    ),
    ("mmx64.efi", "/usr/lib/shim/mmx64.efi.signed"),
    ("shimaa64.efi", "/usr/lib/shim/shimaa64.efi.signed"),
    (
        "grubaa64.efi",
        "/usr/lib/grub/arm64-efi-signed/grubnetaa64.efi.signed",
    ),
    ("mmaa64.efi", "/usr/lib/shim/mmaa64.efi.signed"),
];

/// The folders in the operator's folder that are looked into; a Raspberry Pi has one of its own.
const MOST_FOLDERS: usize = 64;

/// The programs found, by file name; those in a folder of the operator's as `FOLDER/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    found: BTreeMap<String, PathBuf>,
    /// The folders that were looked into.
    folders: Vec<PathBuf>,
}

/// When the folders last changed; a changed stamp means that [`Programs::scan`] may find others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp(Vec<Option<SystemTime>>);

impl Programs {
    /// The files in the operator's folder and in the first 64 of its folders, and those in the other
    /// folders that the operator did not put there. A folder that is not there holds none.
    #[must_use]
    pub fn scan(folder: &Path, others: &[PathBuf]) -> Self {
        let mut programs = Self {
            folders: vec![folder.to_owned()],
            ..Self::default()
        };
        let mut below = Vec::new();
        for (name, path) in entries(folder) {
            if leads_out(folder, &path) {
                continue;
            }
            if path.is_dir() {
                below.push((name, path));
            } else {
                programs.add(name, path);
            }
        }
        below.sort();
        below.truncate(MOST_FOLDERS);
        for (folder_name, path) in below {
            for (name, file) in entries(&path) {
                if !leads_out(folder, &file) {
                    programs.add(format!("{folder_name}/{name}"), file);
                }
            }
            programs.folders.push(path);
        }
        for other in others {
            for (name, path) in entries(other) {
                programs.add(name, path);
            }
            programs.folders.push(other.clone());
        }
        for (name, path) in SIGNED {
            programs.add(name.to_owned(), path.into());
        }
        programs
    }

    fn add(&mut self, name: String, path: PathBuf) {
        if !self.found.contains_key(&name) && path.is_file() {
            self.found.insert(name, path);
        }
    }

    /// The stamp now of the folders that these programs were found in.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let changed = |folder: &PathBuf| folder.metadata().and_then(|data| data.modified()).ok();
        Stamp(self.folders.iter().map(changed).collect())
    }

    /// The first of a platform's programs that is at hand. A Raspberry Pi's may be in a folder of
    /// its serial number, eight hex digits.
    #[must_use]
    pub fn for_platform(&self, platform: Platform) -> Option<&str> {
        let mut names = platform.programs().iter().copied();
        let is_serial = |folder: &str| {
            folder.len() == 8 && folder.bytes().all(|digit| digit.is_ascii_hexdigit())
        };
        let in_own_folder = |name: &&str| {
            self.found.keys().any(|found| {
                found
                    .split_once('/')
                    .is_some_and(|(folder, file)| is_serial(folder) && file == *name)
            })
        };
        names.find(|name| {
            self.has(name) || (platform == Platform::RaspberryPi && in_own_folder(name))
        })
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
            folders: Vec::new(),
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

fn entries(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
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
        let programs = Programs::scan(&folder, &[]);
        assert!(programs.has("own.efi"));
        assert!(programs.has("alias.efi"));
        assert!(!programs.has("leak.efi"));
    }

    #[test]
    fn the_operators_program_is_taken_before_the_distributions() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let distribution = tempfile::tempdir().expect("a temporary folder");
        for name in ["ipxe.efi", "snponly.efi"] {
            std::fs::write(distribution.path().join(name), "theirs").expect("a file");
        }
        std::fs::write(folder.path().join("ipxe.efi"), "mine").expect("a file");
        let programs = Programs::scan(folder.path(), &[distribution.path().to_owned()]);
        assert_eq!(
            programs.path("snponly.efi"),
            Some(distribution.path().join("snponly.efi").as_path())
        );
        assert_eq!(
            programs.path("ipxe.efi"),
            Some(folder.path().join("ipxe.efi").as_path())
        );
    }

    #[test]
    fn a_raspberry_pi_has_its_programs_in_a_folder_of_its_serial_number_or_in_the_root() {
        for (file, at_hand) in [
            ("start4.elf", true),
            ("1a2b3c4d/start4.elf", true),
            ("1a2b3c4d/config.txt", true),
            ("somewhere/start4.elf", false),
            ("1a2b3c4d/readme", false),
        ] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            std::fs::write(&file, "program").expect("a file");
            let programs = Programs::scan(folder.path(), &[]);
            let found = programs.for_platform(Platform::RaspberryPi).is_some();
            assert_eq!(found, at_hand, "{}", file.display());
        }
    }

    #[test]
    fn a_change_in_a_folder_below_changes_the_stamp() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let below = folder.path().join("arm64-efi");
        std::fs::create_dir(&below).expect("a folder");
        let programs = Programs::scan(folder.path(), &[]);
        let before = programs.stamp();
        assert_eq!(programs.stamp(), before);
        let at = SystemTime::UNIX_EPOCH;
        let dir = File::open(&below).expect("a folder");
        dir.set_modified(at).expect("its owner");
        assert_ne!(programs.stamp(), before);
        std::fs::write(below.join("ipxe.efi"), "program").expect("a file");
        let programs = Programs::scan(folder.path(), &[]);
        assert_eq!(
            programs.for_platform(Platform::Arm64),
            Some("arm64-efi/ipxe.efi")
        );
    }
}
