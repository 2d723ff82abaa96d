//! Files of a directory, and never of anything outside it.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::content::Content;
use crate::error_code::ErrorCode;
use crate::name::RelativePath;
use crate::server::folder::Folder;
use crate::server::new_file::{NewFile, TEMPORARY_PREFIX};
use crate::server::root::{LookupError, Root};
use crate::server::source::{Refusal, Request, Source, WRITING_REFUSED};
use crate::server::upload::{self, Upload};

/// A directory whose files, and those below it, anyone may read, and may write where that is
/// allowed.
///
/// Names are checked by [`RelativePath`], symbolic links are followed as long as they stay below
/// the root, and only regular files are opened. On Linux since 5.6 the kernel keeps the lookup
/// below the root; elsewhere whoever can write below the root can race a symbolic link against the
/// check, so the directory has to belong to someone trusted. Looking up, opening, reading and
/// writing happen on the calling task.
#[derive(Debug, Clone)]
pub struct Directory {
    root: Root,
    writing: Option<Writing>,
    ignores_case: bool,
}

/// What clients may write into a [`Directory`].
///
/// Files only: directories have to be there. A file is under its name when the client has sent all
/// of it and it is on the disk, and before that it is not. Only on Unix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Writing {
    /// The largest file, in bytes on the wire. Default 64 MiB.
    ///
    /// As many transfers as may run at one time may each hold a file of this size.
    pub max_len: u64,
    /// Whether a regular file may be replaced. Default false: the client gets ERROR 6.
    pub overwrite: bool,
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            max_len: 64 << 20,
            overwrite: false,
        }
    }
}

impl Writing {
    /// Sets [`max_len`](field@Self::max_len).
    #[must_use]
    pub fn max_len(self, max_len: u64) -> Self {
        Self { max_len, ..self }
    }

    /// Sets [`overwrite`](field@Self::overwrite).
    #[must_use]
    pub fn overwrite(self, overwrite: bool) -> Self {
        Self { overwrite, ..self }
    }
}

impl Directory {
    /// Serves what is below `root`, for reading only.
    ///
    /// # Errors
    ///
    /// Where `root` is not a directory or cannot be reached.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self {
            root: Root::new(root.as_ref())?,
            writing: None,
            ignores_case: false,
        })
    }

    /// Has a name that no file has to the letter mean one in which ASCII letters are of another
    /// case: Windows' boot programs ask for `\boot\bcd` where the disc has `Boot/BCD`. Of several
    /// it is the first in the order of bytes. Only for reading, and only on Unix; in a directory of
    /// more than 4096 entries the others are not looked at.
    ///
    /// ```
    /// use netboot_tftp::server::Directory;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let root = tempfile::tempdir()?;
    /// # std::fs::create_dir(root.path().join("Boot"))?;
    /// # std::fs::write(root.path().join("Boot/BCD"), b"")?;
    /// let exact = Directory::new(root.path())?;
    /// assert!(exact.open_file(br"\boot\bcd").is_err());
    /// assert!(exact.ignoring_case().open_file(br"\boot\bcd").is_ok());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ignoring_case(self) -> Self {
        Self {
            ignores_case: true,
            ..self
        }
    }

    /// Lets anyone write, as far as `writing` goes: TFTP knows no passwords.
    ///
    /// ```
    /// use netboot_tftp::server::{Directory, Writing};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let root = tempfile::tempdir()?;
    /// let writing = Writing::default().max_len(1 << 20);
    /// let inbox = Directory::new(root.path())?.writable(writing);
    /// let mut upload = inbox.create_file(b"switch-1.cfg").expect("a name that is free");
    /// upload.write(b"hostname switch-1\n").await?;
    /// assert!(!root.path().join("switch-1.cfg").exists());
    /// upload.commit().await?;
    /// assert!(root.path().join("switch-1.cfg").exists());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn writable(self, writing: Writing) -> Self {
        Self {
            writing: Some(writing),
            ..self
        }
    }

    /// Opens the file of a name that a client sent.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with ERROR 1 where there is no such regular file, and with ERROR 2 where the
    /// name or a symbolic link leads out of the root or the server may not read the file.
    pub fn open_file(&self, name: &[u8]) -> Result<Content, Refusal> {
        let path = native(name)?;
        let opened = self.root.open_file(&path).or_else(|error| {
            let similar = self.ignores_case.then(|| self.similar(&path)).flatten();
            similar.map_or(Err(error), |path| self.root.open_file(&path))
        });
        let file = opened.map_err(|error| lookup_refusal(&error))?;
        let metadata = file.metadata().map_err(|error| refusal(&error))?;
        if !metadata.is_file() {
            return Err(Refusal::not_found().with_detail("not a regular file"));
        }
        let len = metadata.len();
        Ok(Content::File { file, len })
    }

    /// The path of what is there and differs from this one in the case of letters at most.
    fn similar(&self, path: &Path) -> Option<PathBuf> {
        path.iter().try_fold(PathBuf::new(), |found, name| {
            let folder = Folder::open(&self.root, &found).ok()?;
            let name = folder.similar(name)?;
            let is_upload = name
                .as_encoded_bytes()
                .starts_with(TEMPORARY_PREFIX.as_bytes());
            (!is_upload).then(|| found.join(name))
        })
    }

    /// Makes room for a file under a name that a client sent.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with ERROR 2 where writing is not allowed, the name or a symbolic link leads out
    /// of the root, or something other than a regular file has the name; with ERROR 6 where a file
    /// has it that must not be replaced; with ERROR 1 where its directory is missing.
    pub fn create_file(&self, name: &[u8]) -> Result<Upload, Refusal> {
        let Some(writing) = self.writing else {
            return Err(WRITING_REFUSED);
        };
        let path = native(name)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Refusal::access_violation().with_detail("the name is empty"));
        };
        let folder = Folder::open(&self.root, parent).map_err(|error| lookup_refusal(&error))?;
        let file = NewFile::create(folder, name, writing.overwrite)
            .map_err(|error| upload::refusal(&error))?;
        Ok(Upload::new(file, writing.max_len))
    }
}

impl Source for Directory {
    async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
        self.open_file(request.name)
    }

    async fn create(&self, request: &Request<'_>) -> Result<Upload, Refusal> {
        self.create_file(request.name)
    }
}

/// The path below the root that a client's name means on this platform.
fn native(name: &[u8]) -> Result<PathBuf, Refusal> {
    let relative = RelativePath::decode(name)
        .map_err(|error| Refusal::access_violation().with_detail(error))?;
    let mut path = PathBuf::new();
    for part in relative.components() {
        // What is one component to a client may be more to the platform: `C:x`, for one.
        let mut native = Path::new(part).components();
        let (Some(Component::Normal(native)), None) = (native.next(), native.next()) else {
            return Err(Refusal::access_violation()
                .with_detail("a component of the name has a meaning here"));
        };
        if part.starts_with(TEMPORARY_PREFIX) {
            return Err(Refusal::not_found().with_detail("an upload that is not complete"));
        }
        path.push(native);
    }
    Ok(path)
}

fn lookup_refusal(error: &LookupError) -> Refusal {
    match error {
        LookupError::Outside => {
            Refusal::access_violation().with_detail("a symbolic link leads out of the root")
        }
        LookupError::System(error) => refusal(error),
    }
}

fn refusal(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            Refusal::not_found()
        }
        io::ErrorKind::PermissionDenied => Refusal::access_violation().with_detail(error),
        _ => Refusal::new(ErrorCode::NOT_DEFINED, "the file cannot be read").with_detail(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// As `bootmgfw.efi` asks for them, and as they are on Windows' installation disc.
    #[cfg(unix)]
    #[test]
    fn a_name_in_another_case_is_found_where_there_is_none_to_the_letter() {
        use std::os::unix::fs::symlink;

        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), b"secret").unwrap();
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        write("Boot/BCD", b"123");
        write("Boot/Fonts/wgl4_boot.ttf", b"1234");
        write("both", b"1");
        write("BOTH", b"12");
        write("Both", b"12345");
        symlink(outside.path(), root.path().join("Out")).unwrap();
        let exact = Directory::new(root.path()).unwrap();
        let directory = exact.clone().ignoring_case();
        for (name, len) in [
            (&br"\boot\bcd"[..], 3),
            (b"BOOT/Bcd", 3),
            (br"\Boot\fonts\WGL4_boot.TTF", 4),
            (b"both", 1),
            (b"bOTH", 2),
        ] {
            assert_eq!(directory.open_file(name).unwrap().len(), len);
        }
        for name in [
            &b"boot/bcd2"[..],
            b"boot",
            b"boot/bcd/below",
            b"b\xc3\xb6th",
        ] {
            assert_eq!(code(&directory, name), Some(ErrorCode::FILE_NOT_FOUND));
        }
        for name in [&b"out/secret"[..], b"OUT/SECRET", b"../BOOT/bcd"] {
            assert!(directory.open_file(name).is_err());
        }
        assert_eq!(code(&exact, b"boot/bcd"), Some(ErrorCode::FILE_NOT_FOUND));
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

    fn entries(directory: &Path) -> Vec<String> {
        let names = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn write_code(directory: &Directory, name: &[u8]) -> Option<ErrorCode> {
        directory
            .create_file(name)
            .expect_err("the name is to be refused")
            .code()
    }

    #[test]
    fn nothing_can_be_written_unless_it_is_allowed() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::new(root.path()).unwrap();
        assert_eq!(
            write_code(&directory, b"new"),
            Some(ErrorCode::ACCESS_VIOLATION)
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_is_under_its_name_when_it_is_published_and_gone_when_it_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("in")).unwrap();
        let directory = Directory::new(root.path())
            .unwrap()
            .writable(Writing::default());
        let mut upload = directory.create_file(br"\in\new").unwrap();
        upload.write(&[7; 100_000]).await.unwrap();
        let [temporary] = &entries(&root.path().join("in"))[..] else {
            panic!("not one temporary file");
        };
        let served = format!("in/{temporary}");
        assert_eq!(
            code(&directory, served.as_bytes()),
            Some(ErrorCode::FILE_NOT_FOUND)
        );
        upload.commit().await.unwrap();
        assert_eq!(entries(&root.path().join("in")), ["new"]);
        assert_eq!(directory.open_file(b"in/new").unwrap().len(), 100_000);

        let mut upload = directory.create_file(b"in/other").unwrap();
        upload.write(b"half").await.unwrap();
        drop(upload);
        assert_eq!(entries(&root.path().join("in")), ["new"]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_is_there_is_replaced_only_where_that_is_allowed() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("old"), b"old").unwrap();
        std::fs::create_dir(root.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("old", root.path().join("link")).unwrap();
        let writing = Writing::default();
        let strict = Directory::new(root.path()).unwrap().writable(writing);
        let writing = writing.overwrite(true);
        let free = Directory::new(root.path()).unwrap().writable(writing);
        assert_eq!(write_code(&strict, b"old"), Some(ErrorCode::FILE_EXISTS));
        for name in [&b"folder"[..], b"link"] {
            assert_eq!(write_code(&free, name), Some(ErrorCode::ACCESS_VIOLATION));
        }
        let mut upload = free.create_file(b"old").unwrap();
        upload.write(b"new").await.unwrap();
        upload.commit().await.unwrap();
        assert_eq!(std::fs::read(root.path().join("old")).unwrap(), b"new");

        // Of two that began with the name free, the second finds it taken.
        let first = strict.create_file(b"race").unwrap();
        let second = strict.create_file(b"race").unwrap();
        first.commit().await.unwrap();
        let error = second.commit().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(entries(root.path()), ["folder", "link", "old", "race"]);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_outside_the_root() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("out")).unwrap();
        let directory = Directory::new(root.path())
            .unwrap()
            .writable(Writing::default());
        for name in [&b"../new"[..], b"out/new", b""] {
            assert_eq!(
                write_code(&directory, name),
                Some(ErrorCode::ACCESS_VIOLATION)
            );
        }
        assert_eq!(
            write_code(&directory, b"missing/new"),
            Some(ErrorCode::FILE_NOT_FOUND)
        );
        assert!(entries(outside.path()).is_empty());
    }
}
