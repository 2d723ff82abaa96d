//! Debian's Nix on the expressions of this folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::nixos::{REPOSITORY, said};
use crate::support::nix::use_nix;

/// What nixpkgs' builders bring, as far as the package asks for it.
const BUILDERS: &str = r#"
    substituteInPlace() {
        [ "$2" = --replace-fail ] && grep --quiet --fixed-strings -- "$3" "$1"
        sed --in-place "s|$3|$4|g" "$1"
    }
    installManPage() { install -Dm644 -t "$out/share/man/man1" "$@"; }
    installShellCompletion() {
        [ "$*" = "--cmd netboot --bash $4 --zsh $6 --fish $8" ]
        mkdir "$out/completions"
        cat "$4" >"$out/completions/bash"
        cat "$6" >"$out/completions/zsh"
        cat "$8" >"$out/completions/fish"
    }
"#;

/// Nix with a store of its own, without a network and without build users.
pub(crate) struct Nix(TempDir);

impl Nix {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let bin = dir.path().join("package/bin");
        fs::create_dir_all(&bin).expect("a folder");
        symlink(env!("CARGO_BIN_EXE_netboot"), bin.join("netboot")).expect("a link");
        Self(dir)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/nixos"));
        use_nix(&mut command, self.0.path());
        command
    }

    /// The package with what its expression installs beside the program.
    pub(crate) fn installed(&self) -> PathBuf {
        let package = self.0.path().join("package");
        let flake = self.value("import ./flake.nix { }");
        let install = flake["postInstall"].as_str().expect("a script");
        // The sources are in the folder that a builder works in.
        let sources = tempfile::tempdir().expect("a folder");
        let link = sources.path().join("netboot-server");
        symlink(env!("CARGO_MANIFEST_DIR"), link).expect("a link");
        let script = format!("set -euo pipefail\n{BUILDERS}\n{install}");
        let output = Command::new("bash")
            .args(["-c", &script])
            .env("out", &package)
            .current_dir(sources.path())
            .output()
            .expect("bash");
        assert!(output.status.success(), "{}", said(&output));
        package
    }

    /// The module with the guide's options, and some laid over them; `network` is the guide's.
    pub(crate) fn module(&self, over: &str) -> String {
        format!("import ./evaluate.nix ({})", self.arguments(over))
    }

    /// What that is evaluated from.
    pub(crate) fn arguments(&self, over: &str) -> String {
        let package = self.0.path().join("package");
        format!(
            "(let guide = import ./guide.nix; network = builtins.head guide.settings.networks; \
             inherit ((import ./module_system.nix).lib) recursiveUpdate; \
             in {{ package = \"{}\"; set = recursiveUpdate guide {{ {over} }}; }})",
            package.display()
        )
    }

    pub(crate) fn evaluate(&self, expression: &str) -> Output {
        let mut command = self.command("nix-instantiate");
        command.args(["--eval", "--strict", "--json", "-E", expression]);
        command.output().expect("nix-instantiate")
    }

    pub(crate) fn value(&self, expression: &str) -> Value {
        let output = self.evaluate(expression);
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub(crate) fn error(&self, expression: &str) -> String {
        let output = self.evaluate(expression);
        assert!(!output.status.success(), "{expression} was accepted");
        said(&output)
    }

    pub(crate) fn build(&self, expression: &str) -> Output {
        let mut command = self.command("nix-build");
        command.args(["--no-out-link", "-E", expression]);
        command.output().expect("nix-build")
    }

    /// Builds the configuration file that the module makes.
    pub(crate) fn configuration(&self, over: &str) -> Output {
        let file = "config.environment.etc.\"netboot/netboot.json\".source";
        self.build(&format!("({}).{file}", self.module(over)))
    }

    /// The same, of options that the check accepts.
    pub(crate) fn document(&self, over: &str) -> Value {
        let output = self.configuration(over);
        assert!(output.status.success(), "{}", said(&output));
        let path = String::from_utf8(output.stdout).expect("a path");
        serde_json::from_slice(&fs::read(path.trim()).expect("the file")).expect("JSON")
    }
}

/// The first block of Nix in the guide.
pub(crate) fn block_of_the_guide() -> String {
    let guide = fs::read_to_string(format!("{REPOSITORY}/examples/guide.md")).expect("the guide");
    let (_, rest) = guide.split_once("```nix\n").expect("a block");
    rest.split("```").next().expect("its end").to_owned()
}
