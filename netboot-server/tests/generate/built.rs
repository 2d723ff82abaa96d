//! What is built, and what keeps it.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use serde_json::json;

use crate::support::{Done, write};
use crate::{Builder, assert_failed};

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn of_three_images_that_are_built_at_once_the_two_good_ones_are_in_the_menu() {
    let builder = Builder::new();
    builder.configure("a", "params = \"console=ttyS0 quiet\";");
    builder.configure("b", "before = \"echo it rains >&2; exit 3\\n\";");
    builder.configure("c", "");
    let images = json!({
        "a": { "nix": "configs/a.nix", "label": "The first" },
        "b": { "nix": builder.path("state/configs/b.nix") },
        "c": { "nix": "configs/c.nix" },
        "other": { "label": "Not built here" },
    });
    builder
        .site
        .configure(&json!([]), json!({ "images": images }));
    let done = builder.run("image generate --all --jobs 3");
    assert_eq!(done.code, Some(1), "{}", done.err);
    let mut said: Vec<_> = done.out.lines().collect();
    said.sort_unstable();
    assert_eq!(said, ["a @1 is in the store", "c @1 is in the store"]);
    let failed = Done {
        out: String::new(),
        ..done
    };
    let sentence = [
        "generating image b: nix-build ended with exit code 100; ",
        "--show-trace",
    ];
    assert_failed(&failed, &sentence, "it rains");

    let menu = builder.run("menu").out;
    assert!(
        menu.contains("The first") && menu.contains("/images/a/@1/bzImage"),
        "{menu}"
    );
    assert!(
        menu.contains("/images/c/@1/initrd") && !menu.contains("/images/b/"),
        "{menu}"
    );
    let listed = builder.list();
    let cmdline = listed["images"][0]["cmdline"].as_array().expect("a list");
    let init = cmdline[0].as_str().expect("text");
    let init = init.strip_prefix("init=").expect("init=");
    assert!(
        init.starts_with(builder.path("nix/store").to_str().expect("text")),
        "{init}"
    );
    assert!(
        init.ends_with("-nixos-system-a-23.11/init") && Path::new(init).exists(),
        "{init}"
    );
    assert_eq!(cmdline[1..], ["console=ttyS0", "quiet"]);
    let source = &listed["images"][0]["source"];
    assert_eq!(source["tool"], "netboot image generate");
    assert_eq!(source["from"].as_array().map(Vec::len), Some(4), "{source}");
    assert_eq!(builder.run("image verify").code, Some(0));
    assert_eq!(
        (builder.roots("a"), builder.roots("b")),
        (vec!["1".to_owned()], Vec::new())
    );
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn a_flake_is_built_by_its_reference() {
    let builder = Builder::new();
    let flake = builder.path("flake");
    fs::create_dir(&flake).expect("a folder");
    for file in ["linux", "initrd.gz"] {
        fs::copy(builder.path(file), flake.join(file)).expect("copied");
    }
    let nixpkgs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/nixpkgs/nixos/default.nix"
    );
    fs::copy(nixpkgs, flake.join("nixos.nix")).expect("copied");
    write(
        &flake,
        "a.nix",
        b"{ hostName = \"a\"; kernel = ./linux; initrd = ./initrd.gz; }",
    );
    let text = "{ outputs = { self }: { nixosConfigurations.a = \
        import ./nixos.nix { configuration = ./a.nix; system = \"x86_64-linux\"; }; }; }";
    write(&flake, "flake.nix", text.as_bytes());
    let reference = format!("path:{}#nixosConfigurations.a", flake.display());
    let images = json!({ "a": { "flake": reference } });
    builder
        .site
        .configure(&json!([]), json!({ "images": images }));
    let done = builder.run("image generate a");
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "a @1 is in the store\n"),
        "{}",
        done.err
    );
    builder.assert_untouched();
    let images = json!({ "a": { "flake": reference + "x" } });
    builder
        .site
        .configure(&json!([]), json!({ "images": images }));
    let failed = builder.run("image generate a");
    assert_failed(
        &failed,
        &["nix ended with exit code 1"],
        "does not provide attribute",
    );
    builder.assert_untouched();
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn roots_stay_as_long_as_their_generation_is_in_the_store() {
    let builder = Builder::new();
    for params in ["one", "two"] {
        builder.configure("a", &format!("params = \"{params}\";"));
        let done = builder.run("image generate a");
        assert_eq!(done.code, Some(0), "{}", done.err);
    }
    assert_eq!(builder.roots("a"), ["1", "2"]);
    let generation = builder.path("state/http/images/.store/images/a/1");
    let old = File::open(generation).and_then(|dir| dir.set_modified(SystemTime::UNIX_EPOCH));
    old.expect("the time is set");
    assert_eq!(builder.run("image prune --keep 1").out, "a @1 removed\n");
    assert_eq!(builder.roots("a"), ["2"]);
    assert_eq!(builder.run("image remove a").code, Some(0));
    assert!(builder.roots("a").is_empty());
}
