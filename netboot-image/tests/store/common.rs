//! What the store's tests share: files to publish, and a look at what is on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use netboot_image::{ImageName, NewImage, Progress, Published, Store, StoreError};

/// Monday, 23 November 2026, 05:26:58 UTC.
pub(crate) const NOW: Duration = Duration::from_secs(1_795_411_618);

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + NOW
}

pub(crate) fn name(text: &str) -> ImageName {
    text.parse().expect("a valid name")
}

pub(crate) fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A directory with a kernel and an initrd, and a store beside them.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::create(dir.path().join("images")).expect("a new store");
        Self { dir, store }
    }

    /// Writes a file beside the store.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, content).expect("a file beside the store");
        path
    }

    /// An image whose kernel and initrd hold `mark`.
    pub(crate) fn image(&self, name_: &str, mark: &str) -> NewImage {
        let kernel = self.file(&format!("{name_}-{mark}.kernel"), kernel(mark));
        let initrd = self.file(&format!("{name_}-{mark}.initrd"), format!("initrd {mark}"));
        NewImage::linux(name(name_), kernel)
            .initrd(initrd)
            .cmdline(["console=ttyS0"])
    }

    pub(crate) fn publish(&self, image: NewImage) -> Result<Published, StoreError> {
        self.store.publish(now(), image)
    }

    /// How many staging directories there are.
    pub(crate) fn staged(&self) -> usize {
        fs::read_dir(self.store.root().join(".store/staging"))
            .expect("the staging directory")
            .count()
    }
}

/// A kernel's first sectors, by hand from the kernel's x86 boot protocol: version 2.15, one setup
/// sector, 64 bytes of protected-mode code, in which `mark` stands.
pub(crate) fn kernel(mark: &str) -> Vec<u8> {
    let mut image = vec![0; 1024 + 64];
    for (at, bytes) in [
        (0x1f1, &b"\x01"[..]),
        (0x1f4, b"\x04"),
        (0x1fe, b"\x55\xaa"),
        (0x202, b"HdrS\x0f\x02"),
        (0x211, b"\x01"),
        (0x236, b"\x01"),
        (0x238, b"\xff\x07"),
        (1024, mark.as_bytes()),
    ] {
        image[at..at + bytes.len()].copy_from_slice(bytes);
    }
    image
}

/// Every file and link below a directory, with its content or target; directories end in `/`.
pub(crate) fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(dir: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).expect("a readable directory") {
            let path = entry.expect("an entry").path();
            let name = format!("{prefix}{}", path.file_name().expect("a name").display());
            let kind = path.symlink_metadata().expect("metadata").file_type();
            if kind.is_symlink() {
                let target = fs::read_link(&path)
                    .expect("a link")
                    .into_os_string()
                    .into_encoded_bytes();
                found.insert(name, target);
            } else if kind.is_dir() {
                found.insert(format!("{name}/"), Vec::new());
                walk(&path, &format!("{name}/"), found);
            } else {
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, "", &mut found);
    found
}

pub(crate) fn links(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).expect("metadata").nlink()
}
