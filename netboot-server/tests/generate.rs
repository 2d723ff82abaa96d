//! `netboot image generate` with real Nix, offline, on an expression tree that stands in for nixpkgs; and with none.

mod support;
#[path = "support/nix.rs"]
mod use_nix;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde_json::{Value, json};
use support::{Done, Site, kernel, netboot, wait_until, write};
use use_nix::use_nix;

/// A site with configurations, and a Nix of its own.
struct Builder {
    site: Site,
}

impl Builder {
    fn new() -> Self {
        let site = Site::new(&json!([]));
        let builder = Self { site };
        fs::create_dir_all(builder.path("state/configs")).expect("a folder");
        write(builder.site.folder.path(), "linux", &kernel("linux"));
        write(builder.site.folder.path(), "initrd.gz", b"an archive");
        builder
    }

    fn path(&self, path: &str) -> PathBuf {
        self.site.folder.path().join(path)
    }

    /// Writes `configs/NAME.nix` with more attributes than those that every machine has.
    fn configure(&self, name: &str, more: &str) {
        let (linux, initrd) = (self.path("linux"), self.path("initrd.gz"));
        let text = format!(
            "{{ hostName = \"{name}\"; initrd = {}; kernel = {}; {more} }}",
            initrd.display(),
            linux.display()
        );
        self.write(name, &text);
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(&format!("state/configs/{name}.nix")), text).expect("written");
    }

    fn command(&self, words: &str) -> Command {
        let mut command = netboot(self.site.arguments(words.split(' ')));
        use_nix(&mut command, &self.path("nix"));
        command
    }

    fn run(&self, words: &str) -> Done {
        self.command(words).output().expect("the command").into()
    }

    fn list(&self) -> Value {
        let listed = self.run("image list --json");
        assert_eq!(listed.code, Some(0), "{}", listed.err);
        serde_json::from_str(&listed.out).expect("JSON")
    }

    /// The folders of an image's roots.
    fn roots(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(&format!("state/nix-roots/{name}")));
        let names = entries.into_iter().flatten().map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("text")
        });
        let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
        names.sort();
        names
    }

    /// Asserts that image `a` stands as its only generation, whole, and that only its roots are there.
    #[track_caller]
    fn assert_untouched(&self) {
        let listed = self.list();
        let history = listed["generations"]["a"].as_array().expect("a list");
        assert_eq!(history.len(), 1, "{listed}");
        assert_eq!(self.run("image verify").code, Some(0));
        assert_eq!(self.roots("a"), ["1"]);
        let auto = fs::read_dir(self.path("nix/var/gcroots/auto")).expect("Nix's roots");
        let alive = auto.filter(|root| root.as_ref().expect("a root").path().exists());
        assert_eq!(alive.count(), 3, "other roots than those of a @1");
    }
}

/// Asserts that it failed with one sentence that holds these, and what Nix said last below it.
#[track_caller]
fn assert_failed(done: &Done, parts: &[&str], by_nix: &str) {
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(1), ""),
        "{}",
        done.err
    );
    let mut lines = done.err.lines();
    let sentence = lines.next().expect("a sentence");
    assert!(
        sentence.starts_with("netboot: generating image "),
        "{sentence}"
    );
    assert_eq!(
        sentence.matches("; ").count().min(1),
        1,
        "no cure: {sentence}"
    );
    for part in parts {
        assert!(sentence.contains(part), "no {part:?} in {}", done.err);
    }
    let said: Vec<_> = lines.collect();
    assert!(
        said.iter().all(|line| line.starts_with("  nix: ")),
        "{}",
        done.err
    );
    assert!(
        said.concat().contains(by_nix),
        "no {by_nix:?} in {}",
        done.err
    );
    assert_eq!(said.is_empty(), by_nix.is_empty(), "{}", done.err);
}

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
fn whatever_is_wrong_with_a_configuration_the_image_in_service_stays() {
    let builder = Builder::new();
    builder.configure("a", "");
    assert_eq!(builder.run("image generate a").code, Some(0));
    builder.assert_untouched();
    let generate = || builder.run("image generate a");

    builder.write("a", "{ hostName = ");
    let parts = ["nix-build ended with exit code 1", "correct what Nix says"];
    assert_failed(&generate(), &parts, "syntax error");
    builder.assert_untouched();

    builder.configure("a", "params = no-such-thing;");
    assert_failed(&generate(), &parts, "undefined variable 'no-such-thing'");
    builder.assert_untouched();
    // Where an error comes from is told when it is asked for.
    builder.configure("a", "params = (x: throw \"it \" + \"rains\") 1;");
    let traced = builder.run("image generate a --show-trace");
    assert!(traced.err.contains("configs/a.nix"), "{}", traced.err);

    builder.write("a", "{ hostName = \"a\"; initrd = ../../initrd.gz; }");
    assert_failed(
        &generate(),
        &["no kernel in", "config.system.build.kernel"],
        "",
    );
    builder.assert_untouched();

    builder.configure("a", "init = \"/nix/store/.../init\";");
    assert_failed(
        &generate(),
        &[
            "init=/nix/store/.../init",
            "placeholder",
            "; correct the configuration",
        ],
        "",
    );
    builder.assert_untouched();

    builder.configure(
        "a",
        "before = \"echo cannot write: No space left on device >&2; exit 1\\n\";",
    );
    assert_failed(
        &generate(),
        &["make room on the disk of the Nix store"],
        "No space left",
    );
    builder.assert_untouched();

    fs::remove_file(builder.path("state/configs/a.nix")).expect("removed");
    assert_failed(&generate(), &["configs/a.nix is not there; "], "");
    builder.assert_untouched();
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn a_build_that_is_cut_off_or_already_under_way_leaves_the_image_in_service() {
    let builder = Builder::new();
    builder.configure("a", "");
    assert_eq!(builder.run("image generate a").code, Some(0));
    let begun = builder.path("begun");
    for signal in ["-KILL", "-TERM"] {
        let wait = format!("echo $PPID > {}; sleep 600", begun.display());
        builder.configure("a", &format!("before = \"{wait}\\n# {signal}\\n\";"));
        let mut command = builder.command("image generate a");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let generating = command.spawn().expect("the command");
        let nix = || {
            fs::read_to_string(&begun)
                .ok()
                .filter(|pid| pid.ends_with('\n'))
        };
        wait_until("it builds", || nix().is_some());
        let second = builder.run("image generate a");
        assert_failed(
            &second,
            &["another `netboot image generate` builds it now; "],
            "",
        );
        // Nix itself is killed, or this command told to end.
        let pid = match signal {
            "-KILL" => nix().expect("a process").trim().to_owned(),
            _ => generating.id().to_string(),
        };
        let killed = Command::new("kill").args([signal, &pid]).status();
        assert!(killed.expect("kill runs").success());
        let done = Done::from(generating.wait_with_output().expect("it ends"));
        match signal {
            "-KILL" => {
                let parts = ["nix-build was cut off by signal 9; generate it again"];
                assert_failed(&done, &parts, "building");
            }
            _ => assert_failed(&done, &["it was told to end; generate it again"], ""),
        }
        builder.assert_untouched();
        fs::remove_file(&begun).expect("removed");
    }
}

#[test]
#[ignore = "needs root and the Debian package nix-bin"]
fn a_disk_that_is_full_leaves_the_image_in_service() {
    let builder = Builder::new();
    builder.configure("a", "");
    fs::create_dir(builder.path("state/http")).expect("a folder");
    // The mount is in a namespace of its own, and goes with it.
    let script = "mount -t tmpfs -o size=256k none state/http && \"$@\" && \
        head -c 1000000 /dev/urandom > initrd.gz && { \"$@\"; echo \"code $?\"; \
        \"$1\" image list --generations --state-dir state; \"$1\" image verify --state-dir state; }";
    let ours = builder.command("image generate a");
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(ours.get_program())
        .args(ours.get_args())
        .current_dir(builder.site.folder.path());
    use_nix(&mut command, &builder.path("nix"));
    let done = Done::from(command.output().expect("unshare runs"));
    let said: Vec<_> = done.out.lines().collect();
    assert_eq!(said[..2], ["a @1 is in the store", "code 1"], "{done:?}");
    assert!(
        said[3].starts_with("  @1 ") && said[3].ends_with("current"),
        "{done:?}"
    );
    assert!(said[4].ends_with(": whole") && said.len() == 5, "{done:?}");
    let sentence = done.err.lines().next().expect("a sentence");
    assert!(
        sentence.contains("no space left while writing"),
        "{sentence}"
    );
    assert!(
        sentence.ends_with("; make room there, and generate it again"),
        "{sentence}"
    );
    assert_eq!(
        (done.err.lines().count(), builder.roots("a")),
        (1, vec!["1".to_owned()])
    );
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
fn without_nix_and_with_one_that_is_too_old_it_says_what_to_do() {
    let builder = Builder::new();
    builder.configure("a", "");
    let bin = builder.path("bin");
    fs::create_dir(&bin).expect("a folder");
    let generate = || {
        let mut command = builder.command("image generate a");
        Done::from(command.env("PATH", &bin).output().expect("the command"))
    };
    let instead = "`netboot image add NAME --from DIR`";
    assert_failed(
        &generate(),
        &["nix-build is not on this machine; ", "nix-bin", instead],
        "",
    );
    for (version, is_old) in [("2.2.1", true), ("2.3.0", false)] {
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo 'nix-build (Nix) {version}' && exit\n\
             echo 'error: it rains' >&2; exit 100\n"
        );
        let program = write(&bin, "nix-build", script.as_bytes());
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("executable");
        let (part, by_nix) = match is_old {
            true => ("Nix 2.2.1 is too old: 2.3 is the oldest that can; ", ""),
            false => ("nix-build ended with exit code 100; ", "error: it rains"),
        };
        assert_failed(&generate(), &[part], by_nix);
    }
    assert!(builder.roots("a").is_empty());
    let none = builder.run("image generate --all");
    assert!(
        none.err.contains("says for none what it is built from; "),
        "{}",
        none.err
    );
    assert_eq!(builder.run("image generate").code, Some(2));
}
