//! `netboot image`, run as a program.

mod add;
mod generations;
mod listed;
mod verify;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use serde_json::Value;

/// A folder with a kernel, an initial RAM disk and a state folder.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let place = Self { dir };
        // Sectors of a bzImage, by hand from the kernel's x86 boot protocol.
        let mut kernel = vec![0_u8; 1040];
        for (at, bytes) in [
            (0x1f1, &b"\x01"[..]),
            (0x1f4, b"\x01"),
            (0x1fe, b"\x55\xaa"),
            (0x202, b"HdrS\x0f\x02"),
            (0x211, b"\x01"),
            (0x236, b"\x01"),
            (0x238, b"\xff\x07"),
        ] {
            kernel[at..at + bytes.len()].copy_from_slice(bytes);
        }
        place.write("build/bzImage", &kernel);
        place.write("build/initrd", b"an archive");
        place
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.dir.path().join("state/http/images")
    }

    pub(crate) fn run(&self, words: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_netboot"))
            .args(["image"])
            .args(words.split(' '))
            .args(["--state-dir", "state"])
            .current_dir(self.dir.path())
            .output()
            .expect("the program runs")
    }

    /// What a run that succeeds says.
    pub(crate) fn says(&self, words: &str) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words}: {output:?}");
        assert!(
            output.stderr.is_empty(),
            "no bar where there is no terminal: {output:?}"
        );
        String::from_utf8(output.stdout).expect("text")
    }

    /// What a run that fails says on standard error.
    pub(crate) fn refuses(&self, words: &str) -> String {
        let output = self.run(words);
        assert!(!output.status.success(), "{words}: {output:?}");
        String::from_utf8(output.stderr).expect("text")
    }

    pub(crate) fn json(&self, words: &str) -> (Value, Option<i32>) {
        let output = self.run(words);
        let json = serde_json::from_slice(&output.stdout).expect("JSON");
        (json, output.status.code())
    }
}

/// Makes a generation one that nobody has used for years.
pub(crate) fn forget(images: &Path, generation: &str) {
    let dir = images.join(".store/images").join(generation);
    let forgotten = File::open(dir).and_then(|dir| dir.set_modified(SystemTime::UNIX_EPOCH));
    forgotten.expect("the time is set");
}
