//! The `netboot` command as people run it: what it says where, how it ends, and what it leaves.

mod check;
mod control;
mod demo;
mod doctor;
mod explain;
mod generate;
mod image;
mod ordinary_user;
mod planted;
mod probe;
mod serve;

use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Done, Reads, Running, SERVER, Site, netboot, run, write};
use nix::sys::signal::Signal;
use serde_json::json;

fn target(image: &str) -> serde_json::Value {
    json!([{ "name": "node-01", "mac": "02:00:00:00:00:01", "ip": "127.0.0.50", "config": image,
             "cmdline": "BOOTIF=01-{mac-dash} ip={ip} host={name} from={server}" }])
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}

fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for path in [path, path.parent().expect("a folder")] {
        let mut mode = path.metadata().expect("metadata").permissions();
        mode.set_mode(mode.mode() | 0o200);
        std::fs::set_permissions(path, mode).expect("one's own file");
    }
}
