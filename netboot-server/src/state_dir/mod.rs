//! How folders and files are made in the state folder: with modes of their own, whatever mask the
//! process was given, and whole; and who may read them (`access`).

mod access;

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

pub use access::{cure, may_read, who_may};

/// What a file has as its name until it is whole, with six letters or digits behind.
const UNFINISHED: &str = ".tmp";
/// A file is whole within a moment. What is older was left by a process that was killed.
const LEFT: Duration = Duration::from_secs(60 * 60);

/// Makes a folder and those above it where they are missing: for their owner to write, and for
/// others to read at most.
///
/// # Errors
///
/// That the system does not let it, or that something else is in the place.
pub fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Puts a file in a path's place, whole and on the disk when this returns.
///
/// # Errors
///
/// That it cannot be written; what was there before still is.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let file = unfinished(path, content, mode)?;
    file.persist(path)?;
    flush_names(path)
}

/// As [`replace`], but leaves alone what is there.
///
/// # Errors
///
/// That it cannot be written, or that something is there.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let file = unfinished(path, content, mode)?;
    file.persist_noclobber(path)?;
    flush_names(path)
}

/// Removes what those left who were killed while they wrote, an hour before `now` or earlier. What
/// cannot be removed only takes room.
pub fn clear_leftovers(state_dir: &Path, now: SystemTime) {
    for folder in [state_dir.to_owned(), state_dir.join("configs")] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let letters = name.to_str().and_then(|name| name.strip_prefix(UNFINISHED));
            let is_unfinished = letters.is_some_and(|letters| {
                letters.len() == 6 && letters.bytes().all(|letter| letter.is_ascii_alphanumeric())
            });
            // Of the entry itself, where it is a link.
            let is_old = entry.metadata().is_ok_and(|found| {
                let written = found.modified().ok();
                let age = written.and_then(|written| now.duration_since(written).ok());
                found.is_file() && age.is_some_and(|age| age >= LEFT)
            });
            if is_unfinished && is_old {
                drop(fs::remove_file(entry.path()));
            }
        }
    }
}

fn unfinished(path: &Path, content: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(folder_of(path))?;
    file.write_all(content)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn flush_names(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().unwrap_or(path);
    match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_an_hour_ago_is_cleared_and_nothing_else() {
        let state = tempfile::tempdir().expect("a folder");
        make_dir(&state.path().join("configs")).expect("a folder");
        let names = [
            ".tmpAbC123",
            "configs/.tmp000000",
            ".tmpfiles.d",
            ".tmpAbC1234",
            "leases",
        ];
        for name in names {
            fs::write(state.path().join(name), "half").expect("a file");
        }
        std::os::unix::fs::symlink("leases", state.path().join(".tmplink00")).expect("a link");
        let written = fs::metadata(state.path().join("leases")).and_then(|data| data.modified());
        let written = written.expect("a time");
        let is_there = |name: &&str| fs::symlink_metadata(state.path().join(name)).is_ok();
        clear_leftovers(state.path(), written + Duration::from_secs(60));
        assert!(names.iter().all(is_there), "none is an hour old");
        clear_leftovers(state.path(), written + 2 * LEFT);
        let left: Vec<_> = names.iter().filter(|name| is_there(name)).collect();
        assert_eq!(left, [&".tmpfiles.d", &".tmpAbC1234", &"leases"]);
        assert!(
            is_there(&".tmplink00"),
            "a link is nothing that was written here"
        );
    }

    #[test]
    fn a_file_has_its_mode_and_is_replaced_or_left_alone() {
        let state = tempfile::tempdir().expect("a folder");
        let path = state.path().join("file");
        let found = || {
            let mode = fs::metadata(&path).expect("a file").permissions().mode();
            (mode & 0o777, fs::read(&path).expect("a file"))
        };
        create(&path, b"one", 0o600).expect("room");
        assert_eq!(found(), (0o600, b"one".to_vec()));
        let again = create(&path, b"two", 0o600).expect_err("it is there");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        replace(&path, b"three", 0o644).expect("room");
        assert_eq!(found(), (0o644, b"three".to_vec()));
        assert_eq!(fs::read_dir(state.path()).expect("a folder").count(), 1);
    }
}
