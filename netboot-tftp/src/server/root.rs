//! Opening what is below a root, and nothing else.
//!
//! On Linux the kernel itself keeps a lookup below the root (`openat2` with `RESOLVE_BENEATH`), so
//! that nobody who moves symbolic links about can race it. Where there is no such call, in old
//! kernels and other systems, the path is resolved and checked and then opened, which a race can
//! get between.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use rustix::fs::{Mode, OFlags};

/// A directory that lookups stay below.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    path: PathBuf,
}

/// Why something below the root was not opened.
#[derive(Debug)]
pub(crate) enum LookupError {
    /// A symbolic link leads out of the root.
    Outside,
    /// The system says so.
    System(io::Error),
}

impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Root {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        if !path.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                "the root is not a directory",
            ));
        }
        Ok(Self { path })
    }

    /// Opens a file for reading. It may turn out to be no regular file; opening it has not waited
    /// for another process even then.
    pub(crate) fn open_file(&self, relative: &Path) -> Result<File, LookupError> {
        // Most names that are asked for lead nowhere, which one call tells.
        if let Ok(false) = self.path.join(relative).try_exists() {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        }
        #[cfg(target_os = "linux")]
        match self.open_beneath(relative, READ) {
            Err(LookupError::System(error)) if is_unsupported(&error) => {}
            // What cannot be opened by name, a socket for one, is no file.
            Err(LookupError::System(error)) if is_no_file(&error) => {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            opened => return Ok(opened?.into()),
        }
        let path = self.resolve(relative)?;
        // Opening a FIFO would wait for its writer, so the kind is checked before and not only
        // after.
        if !path.metadata()?.is_file() {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        }
        Ok(File::open(path)?)
    }

    /// Opens a directory to work in.
    #[cfg(unix)]
    pub(crate) fn open_folder(&self, relative: &Path) -> Result<rustix::fd::OwnedFd, LookupError> {
        let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        #[cfg(target_os = "linux")]
        match self.open_beneath(relative, folder) {
            Err(LookupError::System(error)) if is_unsupported(&error) => {}
            opened => return opened,
        }
        let path = self.resolve(relative)?;
        Ok(rustix::fs::open(path, folder, Mode::empty()).map_err(io::Error::from)?)
    }

    /// The path without symbolic links, if it is below the root at this moment.
    fn resolve(&self, relative: &Path) -> Result<PathBuf, LookupError> {
        let path = self.path.join(relative).canonicalize()?;
        if path.starts_with(&self.path) {
            Ok(path)
        } else {
            Err(LookupError::Outside)
        }
    }

    #[cfg(target_os = "linux")]
    fn open_beneath(
        &self,
        relative: &Path,
        flags: OFlags,
    ) -> Result<rustix::fd::OwnedFd, LookupError> {
        use rustix::fs::{ResolveFlags, open, openat2};
        use rustix::io::Errno;

        // By its path each time, so that a root that is replaced by another is the other.
        let root = open(
            &self.path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(io::Error::from)?;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let open = |path: &Path, resolve| {
            // The kernel asks for another try where something was renamed at the same time.
            (0..RENAME_RETRIES)
                .map(|_| openat2(&root, path, flags, Mode::empty(), resolve))
                .find(|opened| !matches!(opened, Err(Errno::AGAIN)))
                .unwrap_or(Err(Errno::AGAIN))
        };
        let relative = if relative.as_os_str().is_empty() {
            Path::new(".")
        } else {
            relative
        };
        match open(relative, beneath) {
            Err(Errno::XDEV) => {}
            opened => return Ok(opened.map_err(io::Error::from)?),
        }
        // An absolute link, which may lead below the root all the same: then what it leads to has a
        // path without any link.
        let resolved = self.resolve(relative)?;
        let inside = resolved
            .strip_prefix(&self.path)
            .map_err(|_| LookupError::Outside)?;
        match open(inside, beneath | ResolveFlags::NO_SYMLINKS) {
            Err(Errno::LOOP | Errno::XDEV) => Err(LookupError::Outside),
            opened => Ok(opened.map_err(io::Error::from)?),
        }
    }
}

/// Lookups in a row that a rename elsewhere may spoil.
#[cfg(target_os = "linux")]
const RENAME_RETRIES: usize = 16;

/// A FIFO or a device is opened without waiting, and a terminal does not become ours.
#[cfg(target_os = "linux")]
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// Whether the kernel does not know `openat2`, or a sandbox that does not know it forbids it.
#[cfg(target_os = "linux")]
fn is_unsupported(error: &io::Error) -> bool {
    use rustix::io::Errno;

    [Errno::NOSYS, Errno::PERM]
        .map(|errno| Some(errno.raw_os_error()))
        .contains(&error.raw_os_error())
}

#[cfg(target_os = "linux")]
fn is_no_file(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn read(file: impl Into<File>) -> String {
        let mut text = String::new();
        file.into().read_to_string(&mut text).unwrap();
        text
    }

    /// A root with links, and a secret beside it.
    fn place() -> (tempfile::TempDir, Root) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("boot")).unwrap();
        std::fs::write(place.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("boot/real"), "real").unwrap();
        symlink("boot/real", root.join("relative")).unwrap();
        symlink(root.join("boot/real"), root.join("absolute")).unwrap();
        symlink("boot/../boot/real", root.join("winding")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(place.path().join("secret"), root.join("far")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let root = Root::new(&root).unwrap();
        (place, root)
    }

    #[test]
    fn the_kernels_lookup_and_the_checked_path_agree_on_links() {
        let (_place, root) = place();
        for (name, inside) in [
            ("boot/real", true),
            ("relative", true),
            ("absolute", true),
            ("winding", true),
            ("out", false),
            ("far", false),
        ] {
            let beneath = root.open_beneath(Path::new(name), READ);
            let resolved = root.resolve(Path::new(name));
            if inside {
                assert_eq!(read(beneath.unwrap()), "real", "{name}");
                assert_eq!(std::fs::read(resolved.unwrap()).unwrap(), b"real", "{name}");
            } else {
                assert!(matches!(beneath, Err(LookupError::Outside)), "{name}");
                assert!(matches!(resolved, Err(LookupError::Outside)), "{name}");
            }
        }
        for name in ["loop", "missing"] {
            assert!(matches!(
                root.open_file(Path::new(name)),
                Err(LookupError::System(_))
            ));
        }
    }

    #[test]
    fn a_link_that_is_swapped_during_lookups_never_leads_out() {
        let (place, root) = place();
        let (good, bad) = (place.path().join("good"), place.path().join("bad"));
        let link = place.path().join("root/swapped");
        let swapping = std::thread::spawn(move || {
            for _ in 0..3000 {
                for (target, name) in [("boot", &good), ("..", &bad)] {
                    symlink(target, name).unwrap();
                    std::fs::rename(name, &link).unwrap();
                }
            }
        });
        let mut opened = 0;
        while !swapping.is_finished() {
            for name in ["swapped/real", "swapped/secret"] {
                if let Ok(file) = root.open_file(Path::new(name)) {
                    assert_eq!(read(file), "real");
                    opened += 1;
                }
            }
        }
        swapping.join().unwrap();
        assert!(opened > 0, "the link led to the file now and then");
    }

    #[test]
    fn a_root_that_is_replaced_is_the_new_one() {
        let (place, root) = place();
        std::fs::rename(place.path().join("root"), place.path().join("old")).unwrap();
        std::fs::create_dir(place.path().join("root")).unwrap();
        std::fs::write(place.path().join("root/new"), "new").unwrap();
        assert_eq!(read(root.open_file(Path::new("new")).unwrap()), "new");
    }

    #[test]
    fn a_fifo_is_opened_without_waiting_for_a_writer() {
        let (place, root) = place();
        let fifo = place.path().join("root/fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        let file = root.open_file(Path::new("fifo")).unwrap();
        assert!(!file.metadata().unwrap().is_file());
    }
}
