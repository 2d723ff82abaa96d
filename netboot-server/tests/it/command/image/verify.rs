//! Verifying: damage, strangers in the store, signatures.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
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
            "bad @1: 3 files, {0:.2} KiB: whole\ngood @1: 3 files, {1:.2} KiB: whole\n",
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
        format!("bad @1: initrd: expected sha256:{expected}, found sha256:{found}")
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
fn a_damaged_generation_is_found_by_verify_and_is_not_gone_back_to() {
    let place = Place::new();
    for content in ["one", "two", "three"] {
        place.write("build/initrd", content.as_bytes());
        place.says("add a --from build");
    }
    spoil(&place.images().join(".store/images/a/2/initrd"));
    let output = place.run("verify");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("a @1: 3 files, "), "{said}");
    assert!(lines[1].starts_with("a @2: initrd: expected "), "{said}");
    assert!(lines[2].starts_with("a @3: 3 files, "), "{said}");
    assert_eq!(place.run("verify a").status.code(), Some(1));
    assert_eq!(place.run("verify a --generation 2").status.code(), Some(1));
    for whole in ["verify a --generation @3", "verify a --generation 1"] {
        assert_eq!(place.says(whole).lines().count(), 1, "{whole}");
    }
    for current in [
        "verify --generation current",
        "verify a --generation current",
    ] {
        assert!(place.says(current).starts_with("a @3: "), "{current}");
    }
    assert!(
        place
            .refuses("verify --generation 3")
            .contains("name the images")
    );

    let refused = place.refuses("rollback a");
    assert!(
        refused.contains("generation @2 is damaged: initrd: expected sha256:"),
        "{refused}"
    );
    assert!(refused.contains("`netboot image verify a`"), "{refused}");
    assert!(
        place.says("list").contains("\na      @3  "),
        "nothing has changed"
    );
    assert_eq!(place.says("rollback a --to @1"), "a @1 is current\n");
    assert_eq!(
        place.says("rollback a --to @2 --force"),
        "a @2 is current\n"
    );
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
            r"a @1: ext\nra: not in the manifest".to_owned(),
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
    make_key(&place, "us");
    place.says("add a --from build");
    assert_eq!(
        place.run("verify --ca us.crt").status.code(),
        Some(1),
        "not signed yet"
    );
    place.says("sign a --cert us.crt --key us.key");
    let said = place.says("verify --ca us.crt");
    assert!(
        said.contains("a @2: bzImage: signed (cms)\n") && said.contains("SHA256SUMS: signed"),
        "{said}"
    );
    spoil(&place.images().join("a/initrd"));
    let (shown, code) = place.json("verify --json --ca us.crt");
    assert_eq!(code, Some(1));
    let broken: Vec<_> = shown["images"][1]["signatures"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|signature| signature["holds"] == false)
        .map(|signature| signature["of"].as_str())
        .collect();
    assert_eq!(broken, [Some("initrd")]);
}

#[test]
#[ignore = "needs the Debian packages openssl and gnupg"]
fn signatures_that_a_new_one_leaves_behind_are_told() {
    let place = Place::new();
    make_key(&place, "us");
    make_key(&place, "them");
    place.says("add a --from build");
    let said = place.says("sign a --cert us.crt --key us.key");
    assert!(!said.contains("only"), "none was there before: {said}");
    // One that a boot program can use holds the new signature alone: iPXE's `cms_verify` refuses a
    // file that a signer signed, too, whom it does not trust.
    let said = place.says("sign a --cert them.crt --key them.key");
    let replaced = "its cms signatures take the place of those before, which only @2 has\n";
    assert!(said.ends_with(replaced), "{said}");
    assert_eq!(place.run("verify --ca them.crt").status.code(), Some(0));
    assert_eq!(place.run("verify --ca us.crt").status.code(), Some(1));
    let before = place.says("verify a --ca us.crt --generation 2");
    assert!(
        before.contains("a @2: SHA256SUMS: signed (cms)"),
        "{before}"
    );

    let home = place.dir.path().join("keys");
    fs::create_dir(&home).expect("a folder");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("one's own folder");
    let made = Command::new("gpg")
        .args([
            "--homedir",
            "keys",
            "--batch",
            "--quiet",
            "--passphrase",
            "",
        ])
        .args([
            "--quick-generate-key",
            "us@example.org",
            "ed25519",
            "sign",
            "1d",
        ])
        .current_dir(place.dir.path())
        .output()
        .expect("gpg runs");
    assert!(made.status.success(), "{made:?}");
    let said = place.says("sign a --gpg --gpg-home keys");
    let lost = "SHA256SUMS is another file now: its cms signature is in @3 only; sign with all \
                keys at once to have each\n";
    assert!(said.ends_with(lost), "{said}");
    assert!(!said.contains("take the place"), "{said}");
}

/// A key and its certificate, as `WHO.key` and `WHO.crt`.
fn make_key(place: &Place, who: &str) {
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", &format!("/CN={who}")])
        .args(["-addext", "extendedKeyUsage=codeSigning"])
        .args([
            "-keyout",
            &format!("{who}.key"),
            "-out",
            &format!("{who}.crt"),
        ])
        .current_dir(place.dir.path())
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
}

/// The KiB of kernel, initial RAM disk and manifest.
fn sum(place: &Place, image: &str) -> f64 {
    let bytes: u64 = ["bzImage", "initrd", "manifest.json"]
        .iter()
        .map(|file| {
            fs::metadata(place.images().join(image).join(file))
                .expect("there")
                .len()
        })
        .sum();
    f64::from(u32::try_from(bytes).expect("small")) / 1024.0
}

fn spoil(path: &Path) {
    fs::remove_file(path).expect("removed");
    fs::write(path, "AN ARCHIVE").expect("spoilt");
}
