//! Adding, listing and removing.

use std::process::Command;

use serde_json::json;

use crate::command::image::Place;
use crate::support::{Site, write};

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
        "add linux --kernel build/bzImage --initrd build/initrd --cmdline console=ttyS0 --file \
         user-data=seed",
    );
    assert!(
        added.starts_with("linux @1 is in the store:\n  bzImage  1.02 KiB  sha256:"),
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
    let listed = place.says("list");
    let lines: Vec<_> = listed.lines().map(words).collect();
    let head = [
        "IMAGE",
        "GENERATION",
        "KIND",
        "ARCH",
        "SIZE",
        "ON",
        "DISK",
        "LABEL",
    ];
    assert_eq!(lines[0], head);
    let [name, generation, kind, arch, size, unit, .., label] = &lines[3][..] else {
        panic!("{listed}");
    };
    let live = [name, generation, kind, arch, size, unit, label];
    assert_eq!(
        live,
        [&"live", &"@1", &"iso", &"any", &"34.00", &"KiB", &"Live"]
    );

    assert_eq!(place.says("remove live elsewhere").lines().count(), 2);
    assert_eq!(place.says("list").lines().count(), 2, "a header and one");
    assert!(
        place
            .refuses("remove live")
            .contains("no image is called live")
    );
}

/// What `du` counts is the right value: each file once, however many links it has.
#[test]
fn an_image_takes_the_disk_that_its_files_take_once_each() {
    let place = Place::new();
    place.write("build/initrd", &vec![7; 3 << 20]);
    for label in ["one", "two", "three"] {
        place.says(&format!("add a --from build --label {label}"));
    }
    let (listed, _) = place.json("list --json");
    let files = "du --block-size=1 --total state/http/images/.store/images/a/*/*";
    let counted = Command::new("sh")
        .args(["-c", files])
        .current_dir(place.dir.path())
        .output()
        .expect("coreutils");
    let counted = String::from_utf8(counted.stdout).expect("text");
    let total = counted
        .lines()
        .last()
        .and_then(|line| line.split('\t').next());
    assert_eq!(
        listed["disk_bytes"]["a"].to_string(),
        total.expect("a total")
    );
    assert!(place.says("list").contains("  3.0"), "once and not thrice");
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn what_a_build_left_is_added_from_its_folder() {
    let place = Place::new();
    place.write(
        "build/netboot.ipxe",
        b"#!ipxe\nkernel bzImage init=/nix/store/0c5w-nixos/init initrd=initrd ${cmdline}\ninitrd \
          initrd\nboot\n",
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
fn a_device_in_the_place_of_a_file_is_refused() {
    let place = Place::new();
    for part in [
        "--efi /dev/zero",
        "--iso /dev/zero",
        "--kernel /dev/zero --initrd build/initrd",
        "--kernel build/bzImage --initrd /dev/zero",
        "--chain http://host/a --file seed=/dev/zero",
        "--from /dev/zero",
    ] {
        let refused = place.refuses(&format!("add a {part}"));
        let why = "cannot read /dev/zero: it is no regular file";
        assert!(refused.contains(why), "{part}: {refused}");
    }
    assert!(!place.images().join("a").exists());
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
fn words_that_are_likely_not_meant_are_told_and_taken() {
    let site = Site::new(&json!([]));
    let folder = site.folder.path();
    let kernel = write(folder, "bzImage", &crate::support::kernel("a"));
    let initrd = write(folder, "initrd", b"an initrd");
    let script =
        "#!ipxe\nkernel bzImage init=/nix/store/x/init initrd=initrd\ninitrd initrd\nboot\n";
    write(folder, "netboot.ipxe", script.as_bytes());
    let by_hand = ["--kernel", &kernel, "--initrd", &initrd, "--cmdline"];
    let from = folder.display().to_string();
    let built = ["--from", &from, "--cmdline"];
    let misspelled = "warning: \"host={nmae}\" in its command line holds the placeholder {nmae}, \
                      which is not known and stays as it is\n  cure: did you mean {name}?\n";
    // Linux' init/main.c and NixOS' stage-1-init.sh take the last of several.
    let second = "warning: its command line has init=/nix/store/x/init and, behind it, init=/bin/sh, \
                  which holds\n  cure: leave init= out of --cmdline";
    for (given, words, warning) in [
        (by_hand.as_slice(), "host={nmae}", Some(misspelled)),
        (&by_hand, "host={name} init=/nix/store/x/init", None),
        (&built, "quiet init=/bin/sh", Some(second)),
        (&built, "quiet", None),
    ] {
        let arguments = ["image", "add", "a"].iter().chain(given).chain([&words]);
        let done = site.run(arguments.copied());
        assert_eq!(done.code, Some(0), "{words}: {}", done.err);
        assert_eq!(
            done.err.contains("warning: "),
            warning.is_some(),
            "{words}: {}",
            done.err
        );
        assert!(
            done.err.contains(warning.unwrap_or_default()),
            "{words}: {}",
            done.err
        );
    }
}

#[test]
fn a_folder_above_that_of_the_image_is_cured_by_the_right_one() {
    let site = Site::new(&json!([]));
    let right = site.folder.path().join("images/12/amd64/text");
    std::fs::create_dir_all(&right).expect("folders");
    write(&right, "linux", &crate::support::kernel("a"));
    write(&right, "initrd.gz", b"an initrd");
    let from = site.folder.path().display().to_string();
    let done = site.run(["image", "add", "debian", "--from", &from]);
    assert_eq!(done.code, Some(1));
    let cure = format!("; did you mean --from {}?", right.display());
    assert!(done.err.contains(&cure), "{}", done.err);
    assert!(!done.err.contains("nixpkgs"), "{}", done.err);
    let elsewhere = right.join("none");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let from = elsewhere.display().to_string();
    let done = site.run(["image", "add", "debian", "--from", &from]);
    assert!(
        done.err.contains("; name the folders that hold kernel"),
        "{}",
        done.err
    );
}
