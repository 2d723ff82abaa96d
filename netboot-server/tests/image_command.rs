//! `netboot image`, run as a program.

mod support;

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use serde_json::{Value, json};
use support::client::get;
use support::{Running, Site};

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

/// Makes a generation one that nobody has used for years.
fn forget(images: &Path, generation: &str) {
    let dir = images.join(".store/images").join(generation);
    let forgotten = File::open(dir).and_then(|dir| dir.set_modified(SystemTime::UNIX_EPOCH));
    forgotten.expect("the time is set");
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

#[test]
fn what_stands_in_the_store_and_is_no_image_is_named_without_moving_the_cursor() {
    let place = Place::new();
    place.says("add a --from build");
    fs::write(place.images().join("\u{1b}[2Jline\nfeed"), "").expect("planted");
    symlink("/etc", place.images().join("outside")).expect("planted");
    fs::write(place.images().join("a/ext\nra"), "").expect("planted");
    let output = place.run("verify");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<_> = said.lines().collect();
    let planted = r"\u{1b}[2Jline\nfeed";
    let not_ours =
        |name| format!("{name}: state/http/images/{name} was not published by this store");
    assert_eq!(
        lines,
        [
            not_ours(planted),
            r"a: ext\nra: not in the manifest".to_owned(),
            not_ours("outside"),
        ]
    );
    let listed = String::from_utf8(place.run("list").stderr).expect("text");
    assert!(
        listed.starts_with(&format!("netboot: {planted} cannot be used: ")),
        "{listed}"
    );
    assert_eq!(listed.lines().count(), 2, "{listed}");
}

#[test]
fn generations_are_listed_gone_back_to_and_pruned() {
    let place = Place::new();
    for content in ["one", "two", "three", "four", "five"] {
        place.write("build/initrd", content.as_bytes());
        place.says("add a --from build");
    }
    place.says("add b --from build");
    assert_eq!(place.says("rollback a"), "a @4 is current\n");
    assert_eq!(place.says("rollback a --to @5"), "a @5 is current\n");
    assert_eq!(place.says("rollback a --to 2"), "a @2 is current\n");
    assert!(
        place
            .refuses("rollback a --to 9")
            .contains("no generation @9")
    );
    assert!(place.refuses("rollback c").contains("no image is called c"));
    assert_eq!(place.says("rollback a"), "a @1 is current\n");
    assert!(place.refuses("rollback a").contains("no generation before"));
    place.says("rollback a --to @2");

    let listed = place.says("list --generations");
    let lines: Vec<_> = listed.lines().collect();
    assert!(lines[0].starts_with("a @2  linux  x86_64  "), "{listed}");
    assert!(lines[1].starts_with("  @1  20") && lines[1].ends_with("Z  1043 bytes"));
    assert!(lines[2].starts_with("  @2  20") && lines[2].ends_with("Z  1043 bytes  current"));
    assert!(lines[5].ends_with("Z  1044 bytes"), "{listed}");
    assert_eq!((lines[6].split(' ').next(), lines.len()), (Some("b"), 8));
    let (listed, _) = place.json("list --json");
    let first = &listed["generations"]["a"][0];
    assert_eq!(
        (&first["generation"], &first["current"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(listed["generations"]["a"][1]["current"], true);

    assert_eq!(
        place.says("prune --keep 1"),
        "",
        "all were used within a day"
    );
    for generation in ["a/1", "a/2", "a/3", "a/5"] {
        forget(&place.images(), generation);
    }
    let foretold = place.says("prune --dry-run --keep 1");
    assert_eq!(foretold, "a @1 would be removed\na @3 would be removed\n");
    assert_eq!(place.says("prune b --keep 0"), "");
    assert_eq!(place.says("prune"), "a @1 removed\n");
    assert_eq!(
        place.says("prune a --keep 0"),
        "a @3 removed\na @5 removed\n"
    );
    assert_eq!(place.says("list --generations").lines().count(), 5);
    assert!(place.refuses("prune c").contains("no image is called c"));
    assert_eq!(place.run("verify").status.code(), Some(0));
}

#[test]
fn a_generation_that_is_broken_is_named_gone_back_from_and_pruned() {
    let place = Place::new();
    for content in ["one", "two", "three"] {
        place.write("build/initrd", content.as_bytes());
        place.says("add a --from build");
    }
    let manifest = |number: u32| {
        place
            .images()
            .join(format!(".store/images/a/{number}/manifest.json"))
    };
    fs::remove_file(manifest(1)).expect("removed");
    let output = place.run("list --generations");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.starts_with("netboot: a/@1 cannot be used: "), "{said}");
    fs::remove_file(manifest(3)).expect("removed");
    assert_eq!(place.says("rollback a"), "a @2 is current\n");
    fs::remove_file(manifest(2)).expect("removed");
    for generation in ["a/1", "a/3"] {
        forget(&place.images(), generation);
    }
    assert_eq!(place.says("prune --keep 0"), "a @1 removed\na @3 removed\n");
}

#[test]
fn what_a_script_of_the_server_names_is_spared_by_pruning() {
    let site = Site::new(&json!([]));
    for mark in ["one", "two", "three"] {
        site.add("debian", mark);
    }
    let images = site.state().join("http/images");
    for generation in ["debian/1", "debian/2", "debian/3"] {
        forget(&images, generation);
    }
    let _serving = Running::serve(&site);
    let script = get(&site, Ipv4Addr::new(127, 0, 0, 9), "/boot.ipxe");
    let script = script.text();
    assert!(script.contains("/images/debian/@3/bzImage"), "{script}");
    // By hand, since the store itself notes the time when it makes another generation current.
    symlink(".store/images/debian/2", images.join(".new")).expect("a link");
    fs::rename(images.join(".new"), images.join("debian")).expect("switched");
    let pruned = site.run(["image", "prune", "--keep", "0"]);
    assert_eq!(
        (pruned.code, pruned.out.as_str()),
        (Some(0), "debian @1 removed\n")
    );
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
