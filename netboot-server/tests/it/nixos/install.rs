//! The script that installs to a disk, on file-backed disks.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::nixos::{REPOSITORY, answer_once, said};

/// A file as a block device, for as long as it lives.
struct Disk {
    device: PathBuf,
    _file: tempfile::NamedTempFile,
}

impl Disk {
    fn new(gib: u64) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        file.as_file().set_len(gib << 30).expect("a sparse file");
        let output = Command::new("losetup")
            .args(["--find", "--partscan", "--show"])
            .arg(file.path())
            .output()
            .expect("losetup");
        assert!(output.status.success(), "{}", said(&output));
        let device = String::from_utf8(output.stdout).expect("a path");
        Self {
            device: device.trim().into(),
            _file: file,
        }
    }

    fn part(&self, number: u8) -> PathBuf {
        format!("{}p{number}", self.device.display()).into()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup")
            .arg("--detach")
            .arg(&self.device)
            .status();
    }
}

/// What stands in for the machine that installs: `nixos-install`, and a `mount` for kernels without
/// FAT, which this repository is tested on.
struct Installer {
    dir: TempDir,
}

impl Installer {
    fn new(nixos_install: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("bin")).expect("a folder");
        fs::create_dir(dir.path().join("system")).expect("a folder");
        let installer = Self { dir };
        installer.program("nixos-install", nixos_install);
        installer.program(
            "mount",
            "case $1 in *p2) exec /usr/bin/mount -t tmpfs esp \"$2\" ;; *) exec /usr/bin/mount \
             \"$@\" ;; esac",
        );
        installer
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.dir.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\nset -eu\n{script}\n")).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let path = format!(
            "{}:/usr/sbin:/usr/bin:/sbin:/bin",
            self.dir.path().join("bin").display()
        );
        Command::new("bash")
            .arg(format!("{REPOSITORY}/examples/nixos/install-to-disk.sh"))
            .arg("--system")
            .arg(self.dir.path().join("system"))
            .args(arguments)
            .env("PATH", path)
            .output()
            .expect("bash")
    }

    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments:?}: {}",
            said(&output)
        );
        said(&output)
    }
}

const INSTALL: &str = "echo \"$*\" >\"$2/installed\"; echo boot >\"$2/boot/loader\"";

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// What is on the disk, from its first MiB.
fn head(disk: &Disk) -> Vec<u8> {
    let mut head = Vec::new();
    let file = fs::File::open(&disk.device).expect("the disk");
    file.take(1 << 20).read_to_end(&mut head).expect("its head");
    head
}

#[test]
#[ignore = "needs root, loop devices and the Debian packages fdisk, dosfstools and e2fsprogs"]
fn an_empty_disk_is_installed_to_and_the_server_is_told_afterwards() {
    let installer = Installer::new(INSTALL);
    let disk = Disk::new(3);
    let (address, served) = answer_once("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    let report = format!("http://{address}/machines/node-01/installed?token=abc");
    let output = installer.run(&["--among", text(&disk.device), "--report", &report]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        served.join().expect("a report"),
        "POST /machines/node-01/installed?token=abc HTTP/1.1"
    );

    let root = tempfile::tempdir().expect("a folder");
    let mounted = |options: &[&str]| {
        Command::new("mount")
            .args(options)
            .status()
            .expect("mount")
            .success()
    };
    assert!(mounted(&[
        "-o",
        "ro",
        text(&disk.part(3)),
        text(root.path())
    ]));
    let installed = fs::read_to_string(root.path().join("installed"));
    // In use now, so that not even consent lets it be written.
    let refused = installer.refusal(&["--disk", text(&disk.device), "--consent", "wipe"]);
    assert!(
        Command::new("umount")
            .arg(root.path())
            .status()
            .expect("umount")
            .success()
    );
    assert!(installed.expect("the marker").contains("--no-root-passwd"));
    assert!(
        refused.contains(&format!("is in use: {}", root.path().display())),
        "{refused}"
    );
}

#[test]
#[ignore = "needs root, loop devices and the Debian packages fdisk, dosfstools and e2fsprogs"]
fn a_disk_that_is_not_empty_is_only_written_with_consent() {
    let installer = Installer::new(INSTALL);
    let disk = Disk::new(3);
    let made = Command::new("mkfs.ext4")
        .arg("-q")
        .arg(&disk.device)
        .status();
    assert!(made.expect("mkfs.ext4").success());
    let before = head(&disk);
    let refused = installer.refusal(&["--among", text(&disk.device)]);
    assert!(refused.contains("is not empty: ext4"), "{refused}");
    assert!(refused.contains("netboot.wipe=yes"), "{refused}");
    assert!(head(&disk) == before, "a disk without consent was written");

    let output = installer.run(&["--among", text(&disk.device), "--consent", "wipe"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(head(&disk) != before);
}

#[test]
#[ignore = "needs root, loop devices and the Debian packages fdisk, dosfstools and e2fsprogs"]
fn of_several_disks_none_is_guessed() {
    let installer = Installer::new(INSTALL);
    let (small, large, tiny) = (Disk::new(3), Disk::new(4), Disk::new(1));
    let among = [
        "--among",
        text(&small.device),
        "--among",
        text(&large.device),
        "--among",
        text(&tiny.device),
    ];
    let empty = head(&small);
    let refused = installer.refusal(&among);
    assert!(refused.contains("several disks would do"), "{refused}");
    assert!(head(&small) == empty && head(&large) == empty);

    let largest = [&among[..], &["--disk", "largest"]].concat();
    let output = installer.run(&largest);
    assert!(output.status.success(), "{}", said(&output));
    assert!(head(&small) == empty && head(&large) != empty);

    let refused = installer.refusal(&["--among", text(&tiny.device)]);
    assert!(refused.contains("is smaller than 2 GiB"), "{refused}");
    let refused = installer.refusal(&["--disk", "/dev/null"]);
    assert!(
        refused.contains("/dev/null is no block device"),
        "{refused}"
    );
    let refused = installer.refusal(&["--disk", "fastest", "--among", text(&small.device)]);
    assert!(
        refused.contains("the rule fastest is not known"),
        "{refused}"
    );
}

#[test]
#[ignore = "needs root, loop devices and the Debian packages fdisk, dosfstools and e2fsprogs"]
fn an_installation_that_fails_is_not_reported_and_leaves_nothing_mounted() {
    let installer = Installer::new("echo \"$2\" >\"${0%/*}/root\"; exit 3");
    let disk = Disk::new(3);
    // A report would be tried on a port where nobody listens, and fail with another code.
    let output = installer.run(&[
        "--among",
        text(&disk.device),
        "--report",
        "http://127.0.0.1:9/",
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let root =
        fs::read_to_string(installer.dir.path().join("bin/root")).expect("where it was mounted");
    assert!(!Path::new(root.trim()).exists(), "{root} is still there");
}
