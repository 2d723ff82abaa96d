//! `netboot image generate` with real Nix, offline, on an expression tree that stands in for
//! nixpkgs; and with none.

mod built;
mod failing;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::nix::use_nix;
use crate::support::{Done, Site, kernel, netboot, write};

/// A site with configurations, and a Nix of its own.
pub(crate) struct Builder {
    site: Site,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let site = Site::new(&json!([]));
        let builder = Self { site };
        fs::create_dir_all(builder.path("state/configs")).expect("a folder");
        write(builder.site.folder.path(), "linux", &kernel("linux"));
        write(builder.site.folder.path(), "initrd.gz", b"an archive");
        builder
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.site.folder.path().join(path)
    }

    /// Writes `configs/NAME.nix` with more attributes than those that every machine has.
    pub(crate) fn configure(&self, name: &str, more: &str) {
        let (linux, initrd) = (self.path("linux"), self.path("initrd.gz"));
        let text = format!(
            "{{ hostName = \"{name}\"; initrd = {}; kernel = {}; {more} }}",
            initrd.display(),
            linux.display()
        );
        self.write(name, &text);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(&format!("state/configs/{name}.nix")), text).expect("written");
    }

    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = netboot(self.site.arguments(words.split(' ')));
        use_nix(&mut command, &self.path("nix"));
        command
    }

    pub(crate) fn run(&self, words: &str) -> Done {
        self.command(words).output().expect("the command").into()
    }

    pub(crate) fn list(&self) -> Value {
        let listed = self.run("image list --json");
        assert_eq!(listed.code, Some(0), "{}", listed.err);
        serde_json::from_str(&listed.out).expect("JSON")
    }

    /// Writes a flake whose image `a` is the one of this folder.
    pub(crate) fn write_flake(&self) -> PathBuf {
        let flake = self.path("flake");
        fs::create_dir(&flake).expect("a folder");
        for file in ["linux", "initrd.gz"] {
            fs::copy(self.path(file), flake.join(file)).expect("copied");
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
        flake
    }

    /// The same in a git repository.
    pub(crate) fn write_repository(&self) -> PathBuf {
        let flake = self.write_flake();
        let git = |arguments: &str| {
            let mut command = Command::new("git");
            command.arg("-C").arg(&flake).args(arguments.split(' '));
            let done = command.output().expect("git");
            assert!(done.status.success(), "{done:?}");
        };
        git("init --quiet");
        git("add .");
        git("-c user.name=a -c user.email=a@example.org commit --quiet --message=a");
        flake
    }

    /// Has image `a` built from a flake.
    pub(crate) fn build_from(&self, reference: &str) {
        let images = json!({ "a": { "flake": reference } });
        self.site.configure(&json!([]), json!({ "images": images }));
    }

    /// The folders of an image's roots.
    pub(crate) fn roots(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(&format!("state/nix-roots/{name}")));
        let names = entries.into_iter().flatten().map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("text")
        });
        let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
        names.sort();
        names
    }

    /// Asserts that image `a` stands as its only generation, whole, and that only its roots are
    /// there.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
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
pub(crate) fn assert_failed(done: &Done, parts: &[&str], by_nix: &str) {
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
