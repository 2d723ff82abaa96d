//! The boot programs at hand: iPXE's builds for each kind of firmware.
//!
//! They are looked for in the state folder's `tftp/`, which the operator fills, in the folders
//! there, and then in the configuration's `program_dirs`, by default where the distribution's
//! packages put them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use netboot_image::{Digest, Pe, open_source};

use crate::config::platform::Platform;

/// What Debian's packages besides iPXE's bring (shim-signed, grub-efi-amd64-signed,
/// grub-efi-arm64-signed, pxelinux, syslinux-common), under the names that a shim and PXELINUX ask
/// for.
const OF_DEBIAN: [(&str, &str); 9] = [
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
    ("pxelinux.0", "/usr/lib/PXELINUX/pxelinux.0"),
    ("lpxelinux.0", "/usr/lib/PXELINUX/lpxelinux.0"),
    ("ldlinux.c32", "/usr/lib/syslinux/modules/bios/ldlinux.c32"),
];

/// The folders in the operator's folder that are looked into; a Raspberry Pi has one of its own.
const MOST_FOLDERS: usize = 64;

/// The programs found, by file name; those in a folder of the operator's as `FOLDER/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    found: BTreeMap<String, Program>,
    /// The folders that were looked into, and what they were before that.
    folders: BTreeMap<PathBuf, Mark>,
}

/// When a file or folder last changed, and how long it is.
type Mark = Option<(SystemTime, u64)>;

/// A file that may be a boot program.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    path: PathBuf,
    /// What its header says that it is for, where it has one. Names do not tell: `ipxe.efi` is for
    /// x86-64 in one distribution's package and for ARM in another's.
    built_for: Option<Platform>,
    /// Whether it is a GRUB that was built without HTTP.
    grub_without_http: bool,
    /// What the file was before it was looked into, where it was.
    looked_into: Option<Mark>,
}

/// When the folders and the programs last changed; a changed stamp means that [`Programs::scan`]
/// may find others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp(Vec<Mark>);

impl Programs {
    /// The files in the operator's folder, in the first 64 of its folders and in a `pxelinux.cfg/`
    /// of these, and those in the other folders that the operator did not put there. A folder that
    /// is not there holds none.
    #[must_use]
    pub fn scan(folder: &Path, others: &[PathBuf]) -> Self {
        let mut programs = Self::default();
        let mut below = programs.look_into(folder, folder, "");
        below.sort();
        below.truncate(MOST_FOLDERS);
        for (name, path) in below {
            // Where PXELINUX or what U-Boot starts is in a folder, its configurations are below
            // that.
            let below = programs.look_into(folder, &path, &format!("{name}/"));
            let is_config = |(name, _): &(String, _)| name.ends_with("/pxelinux.cfg");
            if let Some((name, path)) = below.into_iter().find(is_config) {
                programs.look_into(folder, &path, &format!("{name}/"));
            }
        }
        for other in others {
            programs.note(other.clone());
            for (name, path) in entries(other) {
                programs.add(name, path);
            }
            for name in all_names() {
                if let Some((folder, _)) = name.split_once('/') {
                    programs.note(other.join(folder));
                    programs.add(name.to_owned(), other.join(name));
                }
            }
        }
        for (name, path) in OF_DEBIAN {
            programs.add(name.to_owned(), path.into());
        }
        programs
    }

    /// Adds what the operator has in one folder, by names that begin with `before`, and gives the
    /// folders in it.
    fn look_into(
        &mut self,
        operators: &Path,
        folder: &Path,
        before: &str,
    ) -> Vec<(String, PathBuf)> {
        self.note(folder.to_owned());
        let mut below = Vec::new();
        for (name, path) in entries(folder) {
            let name = format!("{before}{name}");
            if leads_out(operators, &path) {
                continue;
            }
            if path.is_dir() {
                below.push((name, path));
            } else {
                self.add(name, path);
            }
        }
        below
    }

    /// Notes a folder that is about to be looked into.
    fn note(&mut self, folder: PathBuf) {
        let mark = mark(&folder);
        self.folders.entry(folder).or_insert(mark);
    }

    fn add(&mut self, name: String, path: PathBuf) {
        if !self.found.contains_key(&name) && path.is_file() {
            let looked_into = is_efi(&path).then(|| mark(&path));
            let program = Program {
                built_for: built_for(&path),
                grub_without_http: is_grub(&name) && !knows_http(&path),
                looked_into,
                path,
            };
            self.found.insert(name, program);
        }
    }

    /// The stamp of the folders and of the files that were looked into, as they were when that
    /// began.
    #[must_use]
    pub fn scanned(&self) -> Stamp {
        let files = self.found.values().filter_map(|it| it.looked_into);
        Stamp(self.folders.values().copied().chain(files).collect())
    }

    /// The same stamp now: a file may be written over, or not have been whole.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let files = self.found.values().filter(|it| it.looked_into.is_some());
        let folders = self.folders.keys().map(|folder| mark(folder));
        Stamp(folders.chain(files.map(|it| mark(&it.path))).collect())
    }

    /// The first of a platform's programs that is at hand: of its own names, where the file is not
    /// for another platform, then of the others', where the file is for this one. A Raspberry Pi's
    /// may be in a folder of its serial number, eight hex digits.
    #[must_use]
    pub fn for_platform(&self, platform: Platform) -> Option<&str> {
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
        let own = platform.programs().iter().copied().find(|name| {
            let is_for_it = |program: &Program| program.built_for.is_none_or(|it| it == platform);
            self.found.get(*name).is_some_and(is_for_it)
                || (platform == Platform::RaspberryPi && in_own_folder(name))
        });
        own.or_else(|| all_names().find(|name| self.built_for(name) == Some(platform)))
    }

    /// The platform's own names that are at hand and are for another, with that one.
    #[must_use]
    pub fn for_others(&self, platform: Platform) -> Vec<(&'static str, Platform)> {
        let names = platform.programs().iter();
        let other = names.filter_map(|&name| Some((name, self.built_for(name)?)));
        other.filter(|(_, other)| *other != platform).collect()
    }

    /// The platform that the program of this name says it is for, in its header.
    #[must_use]
    pub fn built_for(&self, name: &str) -> Option<Platform> {
        self.found.get(name)?.built_for
    }

    /// The GRUB that this program is or, where it is a shim, goes on with, if that was built
    /// without HTTP: behind UEFI's HTTP boot it finds no configuration.
    #[must_use]
    pub fn grub_without_http(&self, name: &str) -> Option<&str> {
        let (folder, file) = match name.rsplit_once('/') {
            Some((folder, file)) => (format!("{folder}/"), file),
            None => (String::new(), name),
        };
        let second = file.strip_prefix("shim").map(|arch| format!("grub{arch}"));
        let grub = second.map_or_else(|| name.to_owned(), |file| folder + &file);
        let (name, program) = self.found.get_key_value(&grub)?;
        program.grub_without_http.then_some(name)
    }

    /// The names by which they are asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }

    /// Whether a program of this name is at hand.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// Whether files are at hand in a folder of this name.
    #[must_use]
    pub fn has_folder(&self, name: &str) -> bool {
        let in_it = |file: &String| {
            file.strip_prefix(name)
                .is_some_and(|it| it.starts_with('/'))
        };
        self.found.keys().any(in_it)
    }

    /// Where the program of this name is.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.found.get(name).map(|program| program.path.as_path())
    }
}

/// Every name that a platform's program goes by.
fn all_names() -> impl Iterator<Item = &'static str> {
    let names = Platform::ALL.into_iter().map(Platform::programs);
    names.flatten().copied()
}

/// What the header of an EFI program says that it is for. Files that are not called so are not
/// read: the folder may hold a whole tree of others.
fn built_for(path: &Path) -> Option<Platform> {
    if !is_efi(path) {
        return None;
    }
    let pe = Pe::read(&mut open_source(path).ok()?).ok()??;
    pe.is_efi().then(|| Platform::of_machine(pe.machine()))?
}

fn is_efi(path: &Path) -> bool {
    let mut parts = path.to_str().into_iter().flat_map(|path| path.rsplit('.'));
    let extension = parts.find(|it| *it != "signed");
    extension.is_some_and(|it| it.eq_ignore_ascii_case("efi"))
}

fn mark(path: &Path) -> Mark {
    let data = path.metadata().ok()?;
    Some((data.modified().ok()?, data.len()))
}

fn is_grub(name: &str) -> bool {
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    file.starts_with("grub") && file.ends_with(".efi")
}

/// Whether a GRUB has what it asks by HTTP with: its own client, or Red Hat's by the firmware's.
/// One that cannot be read is left to whoever serves it.
fn knows_http(path: &Path) -> bool {
    const LARGEST: u64 = 16 << 20;
    let mut bytes = Vec::new();
    let read = open_source(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    read.is_err() || has(b" HTTP/1.1\r\n") || has(b"UefiHttpBoot/")
}

impl<const N: usize> From<[&str; N]> for Programs {
    /// Programs of these names, in a folder that need not exist: what a policy can be asked about.
    fn from(names: [&str; N]) -> Self {
        let program = |name: &str| Program {
            path: Path::new("tftp").join(name),
            built_for: None,
            grub_without_http: false,
            looked_into: None,
        };
        let found = names.map(|name| (name.to_owned(), program(name)));
        Self {
            found: found.into(),
            folders: BTreeMap::new(),
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

/// Whether a symbolic link leads out of its folder: what the operator's folder shows is only what
/// is in it. The distribution links its own files.
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
    fn configurations_beside_a_program_in_a_folder_are_the_operators_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("boot/pxelinux.cfg");
        std::fs::create_dir_all(&config).expect("folders");
        std::fs::create_dir_all(folder.path().join("boot/deeper")).expect("folders");
        std::fs::write(folder.path().join("boot/deeper/file"), "").expect("a file");
        let dir = File::open(&config).expect("a folder");
        dir.set_modified(SystemTime::UNIX_EPOCH).expect("its owner");
        let empty = Programs::scan(folder.path(), &[]);
        assert!(!empty.has_folder("boot/pxelinux.cfg"));
        std::fs::write(config.join("C0A8"), "mine").expect("a file");
        assert_ne!(empty.stamp(), empty.scanned());
        let programs = Programs::scan(folder.path(), &[]);
        assert!(programs.has_folder("boot/pxelinux.cfg"));
        assert!(!programs.has_folder("boot/deeper"));
    }

    /// The strings are those of `grub-core/net/http.c` and of Red Hat's `grub-core/net/efi/http.c`.
    #[test]
    fn a_grub_that_has_no_http_is_told_from_one_that_has() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("sb")).expect("a folder");
        for (name, holds) in [
            ("grubx64.efi", "GNU GRUB and tftp"),
            ("grubaa64.efi", "GET \0 HTTP/1.1\r\nHost: "),
            ("sb/grubx64.efi", "UefiHttpBoot/1.0"),
            ("shimx64.efi", ""),
            ("shimaa64.efi", ""),
            ("sb/shimx64.efi", ""),
            ("ipxe.efi", ""),
        ] {
            std::fs::write(folder.path().join(name), holds).expect("a file");
        }
        let programs = Programs::scan(folder.path(), &[]);
        for (program, grub) in [
            ("shimx64.efi", Some("grubx64.efi")),
            ("grubx64.efi", Some("grubx64.efi")),
            ("shimaa64.efi", None),
            ("sb/shimx64.efi", None),
            ("ipxe.efi", None),
            ("shimia32.efi", None),
        ] {
            assert_eq!(programs.grub_without_http(program), grub, "{program}");
        }
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

    /// The header of an EFI program, by hand from Microsoft's PE format specification: its machine,
    /// and subsystem 10.
    fn efi(machine: u16) -> Vec<u8> {
        let mut program = vec![0; 0x200];
        program[..2].copy_from_slice(b"MZ");
        program[0x3c] = 0x40;
        program[0x40..0x44].copy_from_slice(b"PE\0\0");
        program[0x44..0x46].copy_from_slice(&machine.to_le_bytes());
        program[0x54] = 0xf0;
        program[0x58 + 68] = 10;
        program
    }

    #[test]
    fn a_program_that_is_written_after_it_was_looked_into_is_looked_into_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ipxe.efi");
        std::fs::write(&path, b"").expect("a file");
        let programs = Programs::scan(folder.path(), &[]);
        assert_eq!(programs.stamp(), programs.scanned());
        std::fs::write(&path, efi(0xaa64)).expect("the same file");
        assert_ne!(programs.stamp(), programs.scanned());
    }

    #[test]
    fn a_program_is_for_the_platform_in_its_header_whatever_its_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).expect("a file");
        };
        write("ipxe.efi", &efi(0xaa64));
        write("undionly.kpxe", b"no header");
        let programs = Programs::scan(folder.path(), &[]);
        assert_eq!(programs.for_platform(Platform::Arm64), Some("ipxe.efi"));
        assert_eq!(programs.for_platform(Platform::X64), None);
        let others = [("ipxe.efi", Platform::Arm64)];
        assert_eq!(programs.for_others(Platform::X64), others);
        assert_eq!(programs.for_platform(Platform::Bios), Some("undionly.kpxe"));

        // Its own name first, and what is written over an old file is seen.
        write("ipxe-arm64.efi", &efi(0xaa64));
        let programs = Programs::scan(folder.path(), &[]);
        assert_eq!(
            programs.for_platform(Platform::Arm64),
            Some("ipxe-arm64.efi")
        );
        let before = programs.stamp();
        let program = File::options()
            .append(true)
            .open(folder.path().join("ipxe.efi"));
        let program = program.expect("a file");
        program
            .set_modified(SystemTime::UNIX_EPOCH)
            .expect("its owner");
        assert_ne!(programs.stamp(), before);
    }

    /// What nixpkgs' iPXE installs, each for the platform that the package is built on.
    #[test]
    fn the_programs_of_nixpkgs_are_found_on_each_platform() {
        for (machine, platform) in [(0x8664, Platform::X64), (0xaa64, Platform::Arm64)] {
            let (state, package) = (tempfile::tempdir(), tempfile::tempdir());
            let state = state.expect("a temporary folder");
            let package = package.expect("a temporary folder");
            for name in ["snp.efi", "ipxe.efi"] {
                std::fs::write(package.path().join(name), efi(machine)).expect("a file");
                let programs = Programs::scan(state.path(), &[package.path().to_owned()]);
                assert_eq!(programs.for_platform(platform), Some(name));
            }
        }
    }

    #[test]
    #[ignore = "needs the Debian packages pxelinux, syslinux-common and shim-signed"]
    fn programs_of_debians_other_packages_are_at_hand_without_being_copied() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let programs = Programs::scan(folder.path(), &[]);
        for name in ["pxelinux.0", "ldlinux.c32", "shimx64.efi"] {
            assert!(programs.has(name), "{name}");
        }
    }

    #[test]
    #[ignore = "needs Debian 13's ipxe, fetched by .ci/debian13"]
    fn debians_programs_are_for_the_platforms_in_their_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let of_debian =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debian13/all/usr/lib/ipxe");
        let programs = Programs::scan(folder.path(), &[of_debian]);
        for (platform, name) in [
            (Platform::X64, "ipxe.efi"),
            (Platform::Arm64, "ipxe-arm64.efi"),
            (Platform::Riscv64, "ipxe-riscv64.efi"),
            (Platform::Loongarch64, "ipxe-loong64.efi"),
        ] {
            assert_eq!(programs.for_platform(platform), Some(name));
            assert_eq!(programs.built_for(name), Some(platform));
        }
    }
}
