//! Nix with a store and settings of its own, and a stand-in for nixpkgs.

use std::path::Path;
use std::process::Command;

/// Has a command use the Nix of a folder: everything that Nix keeps is in there, and nothing is
/// fetched.
pub(crate) fn use_nix(command: &mut Command, folder: &Path) {
    let conf = folder.join("conf");
    std::fs::create_dir_all(&conf).expect("a folder");
    let settings = "sandbox = false\nbuild-users-group =\nsubstituters =\nflake-registry =\n";
    std::fs::write(conf.join("nix.conf"), settings).expect("settings");
    let nixpkgs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nixpkgs");
    command
        .env("NIX_STORE_DIR", folder.join("store"))
        .env("NIX_STATE_DIR", folder.join("var"))
        .env("NIX_LOG_DIR", folder.join("log"))
        .env("NIX_CONF_DIR", conf)
        .env("HOME", folder)
        .env("NIX_PATH", format!("nixpkgs={nixpkgs}"));
}
