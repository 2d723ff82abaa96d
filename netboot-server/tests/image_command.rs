//! `netboot image`, run as a program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A folder with a kernel, an initial RAM disk and a state folder.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
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

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    fn images(&self) -> PathBuf {
        self.dir.path().join("state/http/images")
    }

    fn run(&self, words: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_netboot"))
            .args(["image"])
            .args(words.split(' '))
            .args(["--state-dir", "state"])
            .current_dir(self.dir.path())
            .output()
            .expect("the program runs")
    }

    /// What a run that succeeds says.
    fn says(&self, words: &str) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words}: {output:?}");
        assert!(
            output.stderr.is_empty(),
            "no bar where there is no terminal: {output:?}"
        );
        String::from_utf8(output.stdout).expect("text")
    }

    /// What a run that fails says on standard error.
    fn refuses(&self, words: &str) -> String {
        let output = self.run(words);
        assert!(!output.status.success(), "{words}: {output:?}");
        String::from_utf8(output.stderr).expect("text")
    }

    fn json(&self, words: &str) -> (Value, Option<i32>) {
        let output = self.run(words);
        let json = serde_json::from_slice(&output.stdout).expect("JSON");
        (json, output.status.code())
    }
}

fn spoil(path: &Path) {
    fs::remove_file(path).expect("removed");
    fs::write(path, "AN ARCHIVE").expect("spoilt");
}

#[test]
fn each_kind_is_added_listed_and_removed() {
    let place = Place::new();
    place.write("live.iso", &{
        let mut disc = vec![0; 17 * 2048];
        disc[0x8000..0x8006].copy_from_slice(b"\x01CD001");
        disc
    });
    place.write("seed", b"#cloud-config\n");
    let added = place.says(
        "add linux --kernel build/bzImage --initrd build/initrd --cmdline console=ttyS0 --file user-data=seed",
    );
    assert!(
        added.starts_with("linux @1 is in the store:\n  bzImage  1040 bytes  sha256:"),
        "{added}"
    );
    place.says("add live --iso live.iso --label Live");
    place.says("add elsewhere --chain http://boot.example/menu.ipxe");

    let (listed, code) = place.json("list --json");
    assert_eq!(
        (code, listed["problems"].as_array().map(Vec::len)),
        (Some(0), Some(0))
    );
    let images = listed["images"].as_array().expect("a list");
    let kinds: Vec<_> = images
        .iter()
        .map(|image| (image["name"].as_str(), image["kind"].as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (Some("elsewhere"), Some("chain")),
            (Some("linux"), Some("linux")),
            (Some("live"), Some("iso"))
        ]
    );
    assert_eq!(images[1]["files"][0]["file"], "user-data");
    assert!(
        place
            .says("list")
            .contains("live @1  iso  any  34816 bytes  Live\n")
    );

    assert_eq!(place.says("remove live elsewhere").lines().count(), 2);
    assert_eq!(place.says("list").lines().count(), 1);
    assert!(
        place
            .refuses("remove live")
            .contains("no image is called live")
    );
}

#[test]
fn what_a_build_left_is_added_from_its_folder() {
    let place = Place::new();
    place.write(
        "build/netboot.ipxe",
        b"#!ipxe\nkernel bzImage init=/nix/store/0c5w-nixos/init initrd=initrd ${cmdline}\ninitrd initrd\nboot\n",
    );
    place.says("add nix --from build --cmdline quiet");
    let (listed, _) = place.json("list --json");
    assert_eq!(
        listed["images"][0]["cmdline"],
        serde_json::json!(["init=/nix/store/0c5w-nixos/init", "quiet"])
    );
    let refused = place.refuses("add nix --from state");
    assert!(refused.contains("no kernel in state"), "{refused}");
}

#[test]
fn an_image_is_one_thing_and_its_parts_go_together() {
    let place = Place::new();
    for wrong in [
        "add a",
        "add a --iso x --chain http://host/a",
        "add a --kernel build/bzImage",
        "add a --chain http://host/a --initrd build/initrd",
        "add a --chain http://host/a --key k",
        "add a --chain http://host/a --file seed",
        "add a --chain http://host/a --cmdline quiet",
        "add a --chain menu.ipxe",
        "sign a",
        "remove",
    ] {
        assert!(!place.refuses(wrong).is_empty(), "{wrong}");
    }
    assert!(!place.images().join("a").exists());
}

#[test]
fn damage_is_named_with_both_digests_and_exit_code_1() {
    let place = Place::new();
    place.says("add good --from build");
    place.write("build/initrd", b"another");
    place.says("add bad --from build");
    assert_eq!(
        place.says("verify"),
        format!(
            "bad: 3 files, {0} bytes: whole\ngood: 3 files, {1} bytes: whole\n",
            sum(&place, "bad"),
            sum(&place, "good")
        )
    );
    spoil(&place.images().join("bad/initrd"));
    let output = place.run("verify");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).expect("text");
    let line = said.lines().next().expect("a line");
    // `printf another | sha256sum`, and `printf 'AN ARCHIVE' | sha256sum`.
    let (expected, found) = (
        "ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5",
        "428da7967ae0aad25eac0c149be55ce2b0f8da272be05e14bdae1f92505366ce",
    );
    assert_eq!(
        line,
        format!("bad: initrd: expected sha256:{expected}, found sha256:{found}")
    );

    let (shown, code) = place.json("verify --json");
    assert_eq!((code, &shown["sound"]), (Some(1), &Value::Bool(false)));
    let damage = &shown["images"][0]["damage"][0];
    assert_eq!(
        (&damage["kind"], &damage["file"]),
        (&"changed".into(), &"initrd".into())
    );
    assert_eq!(damage["expected"], format!("sha256:{expected}"));
    assert_eq!(damage["found"], format!("sha256:{found}"));
    assert_eq!(shown["images"][1]["whole"], true);
    assert_eq!(place.run("verify good").status.code(), Some(0));
}

/// The bytes of kernel, initial RAM disk and manifest.
fn sum(place: &Place, image: &str) -> u64 {
    ["bzImage", "initrd", "manifest.json"]
        .iter()
        .map(|file| {
            fs::metadata(place.images().join(image).join(file))
                .expect("there")
                .len()
        })
        .sum()
}

#[test]
#[ignore = "needs the Debian package openssl"]
fn a_signed_image_is_verified_against_its_certificate() {
    let place = Place::new();
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=us",
        ])
        .args([
            "-addext",
            "extendedKeyUsage=codeSigning",
            "-keyout",
            "us.key",
            "-out",
            "us.crt",
        ])
        .current_dir(place.dir.path())
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    place.says("add a --from build");
    assert_eq!(
        place.run("verify --ca us.crt").status.code(),
        Some(1),
        "not signed yet"
    );
    place.says("sign a --cert us.crt --key us.key");
    let said = place.says("verify --ca us.crt");
    assert!(
        said.contains("a: bzImage: signed (cms)\n") && said.contains("SHA256SUMS: signed"),
        "{said}"
    );
    spoil(&place.images().join("a/initrd"));
    let (shown, code) = place.json("verify --json --ca us.crt");
    assert_eq!(code, Some(1));
    let broken: Vec<_> = shown["images"][0]["signatures"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|signature| signature["holds"] == false)
        .map(|signature| signature["of"].as_str())
        .collect();
    assert_eq!(broken, [Some("initrd")]);
}
