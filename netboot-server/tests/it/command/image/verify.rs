//! Verifying: damage, strangers in the store, signatures.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::image::Place;

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

fn spoil(path: &Path) {
    fs::remove_file(path).expect("removed");
    fs::write(path, "AN ARCHIVE").expect("spoilt");
}
