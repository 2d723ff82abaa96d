//! What is built, and what keeps it.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::json;

use crate::command::generate::{Builder, assert_failed};
use crate::support::Done;
use crate::support::nix::use_nix;

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn of_three_images_that_are_built_at_once_the_two_good_ones_are_in_the_menu() {
    let builder = Builder::new();
    // Of several that find no store at once, Nix 2.8 lets only the first make it.
    let mut init = Command::new("nix-store");
    use_nix(init.arg("--init"), &builder.path("nix"));
    assert!(init.status().expect("nix-store").success());
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
    let both = ["a @1 is in the store", "c @1 is in the store"];
    assert_eq!(said, both, "{}", done.err);
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
    let flake = builder.write_flake();
    let reference = format!("path:{}#nixosConfigurations.a", flake.display());
    builder.build_from(&reference);
    let done = builder.run("image generate a");
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "a @1 is in the store\n"),
        "{}",
        done.err
    );
    builder.assert_untouched();
    builder.build_from(&(reference + "x"));
    let failed = builder.run("image generate a");
    assert_failed(
        &failed,
        &["nix ended with exit code 1"],
        "does not provide attribute",
    );
    builder.assert_untouched();
}

#[test]
#[ignore = "needs the Debian packages nix-bin and git"]
fn a_flake_in_a_git_repository_is_built_by_its_folder() {
    let builder = Builder::new();
    let flake = builder.write_repository();
    builder.build_from(&format!("{}#nixosConfigurations.a", flake.display()));
    let done = builder.run("image generate a");
    assert_eq!(done.code, Some(0), "{}", done.err);
    builder.assert_untouched();
}

#[test]
#[ignore = "needs root, and the Debian packages nix-bin and git"]
fn a_flake_in_another_users_repository_is_built_once_git_trusts_it() {
    let builder = Builder::new();
    let flake = builder.write_repository();
    builder.build_from(&format!("{}#nixosConfigurations.a", flake.display()));
    // The user of the service, here nobody, reads the repository; all else is its own.
    let folder = builder.site.folder.path();
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-euc", script, "sh"]).arg(folder);
        let done = Done::from(command.output().expect("sh"));
        assert_eq!(done.code, Some(0), "{done:?}");
    };
    shell("chmod 755 \"$1\" && mkdir \"$1/nix\" && chown -R nobody \"$1/state\" \"$1/nix\"");
    let ours = builder.command("image generate a");
    let generate = || {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=nobody", "--clear-groups"])
            .arg(ours.get_program())
            .args(ours.get_args())
            .current_dir(folder);
        use_nix(&mut command, &builder.path("nix"));
        Done::from(command.output().expect("setpriv"))
    };
    let cure = "run `git config --global --add safe.directory FOLDER`";
    assert_failed(&generate(), &["another user owns", cure], "git");

    let trust = "HOME=\"$1/nix\" git config --global --add safe.directory \"$1/flake\"";
    shell(trust);
    let done = generate();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(done.out, "a @1 is in the store\n");
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
