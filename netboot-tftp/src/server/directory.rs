//! Files of a directory, and never of anything outside it.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::name::RelativePath;
use crate::server::source::{Content, Refusal, Request, Source};

/// A directory whose files, and those below it, anyone may read.
///
/// Names are checked by [`RelativePath`], symbolic links are followed as long as they stay below the
/// root, and only regular files are opened. Looking up and opening happen on the calling task, as does
/// reading. Whoever can write below the root can race a symbolic link against the check: the directory has
/// to belong to someone trusted.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Serves what is below `root`.
    ///
    /// # Errors
    ///
    /// Where `root` is not a directory or cannot be reached.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref().canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                "the root is not a directory",
            ));
        }
        Ok(Self { root })
    }

    /// Opens the file of a name that a client sent.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with ERROR 1 where there is no such regular file, and with ERROR 2 where the name or a
    /// symbolic link leads out of the root or the server may not read the file.
    pub fn open_file(&self, name: &[u8]) -> Result<Content, Refusal> {
        let relative = RelativePath::parse(name)
            .map_err(|error| Refusal::access_violation().with_detail(error))?;
        let mut path = self.root.clone();
        for part in relative.components() {
            // What is one component to a client may be more to the platform: `C:x`, for one.
            let mut native = Path::new(part).components();
            let (Some(Component::Normal(part)), None) = (native.next(), native.next()) else {
                return Err(Refusal::access_violation()
                    .with_detail("a component of the name has a meaning here"));
            };
            path.push(part);
        }
        let path = path.canonicalize().map_err(|error| refusal(&error))?;
        if !path.starts_with(&self.root) {
            return Err(
                Refusal::access_violation().with_detail("a symbolic link leads out of the root")
            );
        }
        // Opening a FIFO would wait for its writer, so the kind is checked before and not only after.
        if !path.metadata().map_err(|error| refusal(&error))?.is_file() {
            return Err(Refusal::not_found().with_detail("not a regular file"));
        }
        File::open(&path)
            .and_then(Content::from_file)
            .map_err(|error| refusal(&error))
    }
}

impl Source for Directory {
    async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
        self.open_file(request.name)
    }
}

fn refusal(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            Refusal::not_found()
        }
        io::ErrorKind::PermissionDenied => Refusal::access_violation().with_detail(error),
        _ => Refusal::new(
            crate::packet::ErrorCode::NOT_DEFINED,
            "the file cannot be read",
        )
        .with_detail(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::ErrorCode;

    fn code(directory: &Directory, name: &[u8]) -> Option<ErrorCode> {
        directory
            .open_file(name)
            .expect_err("the name is to be refused")
            .code()
    }

    #[test]
    fn files_below_the_root_are_found_by_slash_and_backslash() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("boot")).unwrap();
        std::fs::write(root.path().join("boot/ipxe.efi"), b"12345").unwrap();
        let directory = Directory::new(root.path()).unwrap();
        for name in [
            &b"boot/ipxe.efi"[..],
            b"/boot/ipxe.efi",
            br"\boot\ipxe.efi",
            b"boot//./ipxe.efi",
        ] {
            assert_eq!(directory.open_file(name).unwrap().len(), 5);
        }
    }

    #[test]
    fn what_is_missing_or_no_regular_file_is_error_1() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("boot")).unwrap();
        std::fs::write(root.path().join("file"), b"").unwrap();
        let directory = Directory::new(root.path()).unwrap();
        for name in [&b"grubx64.efi"[..], b"boot", b"file/below", &[b'x'; 400]] {
            assert_eq!(code(&directory, name), Some(ErrorCode::FILE_NOT_FOUND));
        }
    }

    #[test]
    fn names_that_lead_upwards_are_error_2() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::new(root.path()).unwrap();
        for name in [&b"../etc/passwd"[..], b"a/../../b", br"..\x", b"", b"a\0b"] {
            assert_eq!(code(&directory, name), Some(ErrorCode::ACCESS_VIOLATION));
        }
        assert_eq!(
            code(&directory, b"/etc/passwd"),
            Some(ErrorCode::FILE_NOT_FOUND)
        );
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_are_followed_inside_the_root_only() {
        use std::os::unix::fs::symlink;

        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), b"secret").unwrap();
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("real"), b"real").unwrap();
        symlink("real", root.path().join("inside")).unwrap();
        symlink(outside.path().join("secret"), root.path().join("file")).unwrap();
        symlink(outside.path(), root.path().join("directory")).unwrap();
        let directory = Directory::new(root.path()).unwrap();
        assert_eq!(directory.open_file(b"inside").unwrap().len(), 4);
        assert_eq!(code(&directory, b"file"), Some(ErrorCode::ACCESS_VIOLATION));
        assert_eq!(
            code(&directory, b"directory/secret"),
            Some(ErrorCode::ACCESS_VIOLATION)
        );
    }

    #[test]
    fn what_a_client_is_told_never_holds_a_path() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::new(root.path()).unwrap();
        let place = root.path().to_str().unwrap();
        for name in [&b"missing"[..], b"../x", b"."] {
            let refusal = directory.open_file(name).unwrap_err();
            assert!(!refusal.message().contains('/') && !refusal.message().contains(place));
        }
    }
}
