//! Files that a configuration or an operator names, read whole.
//!
//! A path may name a device without an end, or a pipe that nobody writes to: neither may stop the
//! server or use up its memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Bytes of the longest file that is read whole: a configuration of some fifty thousand machines.
const MAX_LENGTH: u64 = 16 << 20;

/// All of a regular file, where it has no more than 16 MiB.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_from(netboot_image::open_source(path)?)
}

/// All of a file that may be a pipe, and so says by itself where it ends, if it does; 16 MiB at
/// most.
pub(crate) fn read_stream(path: &Path) -> io::Result<Vec<u8>> {
    read_from(File::open(path)?)
}

fn read_from(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_LENGTH + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_LENGTH {
        let why = format!("it is longer than {} MiB", MAX_LENGTH >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once_and_one_without_end_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let mode = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(&pipe, mode).expect("a pipe");
        for path in [&pipe, folder.path(), Path::new("/dev/zero")] {
            let error = read(path).expect_err("no regular file");
            assert_eq!(error.to_string(), "it is no regular file", "{path:?}");
        }
        let endless = folder.path().join("endless");
        let file = File::create(&endless).expect("a file");
        file.set_len(MAX_LENGTH + 1).expect("a sparse one");
        assert_eq!(
            read(&endless).map_err(|e| e.kind()),
            Err(ErrorKind::FileTooLarge)
        );
        file.set_len(MAX_LENGTH).expect("a sparse one");
        assert_eq!(
            read(&endless).map(|all| all.len() as u64).ok(),
            Some(MAX_LENGTH)
        );
    }
}
