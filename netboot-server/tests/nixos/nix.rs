//! Debian's Nix on the expressions of this folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::said;
use crate::use_nix::use_nix;

const GUIDE: &str = "import ./guide.nix";

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

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nixos"));
        use_nix(&mut command, self.0.path());
        command
    }

    /// The module with the guide's options, and some laid over them.
    pub(crate) fn module(&self, over: &str) -> String {
        let package = self.0.path().join("package");
        format!(
            "import ./evaluate.nix {{ package = \"{}\"; set = {GUIDE} // {{ {over} }}; }}",
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

    /// Builds the configuration file that the module makes.
    pub(crate) fn configuration(&self, over: &str) -> Output {
        let file = "config.environment.etc.\"netboot/netboot.json\".source";
        let mut command = self.command("nix-build");
        command.args(["--no-out-link", "-E"]);
        command.arg(format!("({}).{file}", self.module(over)));
        command.output().expect("nix-build")
    }
}
