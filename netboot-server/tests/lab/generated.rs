//! A machine boots an image that real Nix built from a configuration.

use std::process::Command;

use netboot_server::lab::Firmware;

use crate::firmware::{assert_shell_with, power_on};
use crate::server::{INSTALLER, MAC, Server, namespace_with_tap};
use crate::use_nix::use_nix;

const CONFIG: &str = r#"
    [netboot.server]
    ip = "192.168.100.1"
    interface = "tap0"
    dhcp_range = { start = "192.168.100.100", end = "192.168.100.200" }
    [netboot.images.workstation]
    nix = "workstation.nix"
    [[netboot.targets]]
    name = "node-01"
    mac = "52:54:00:12:34:56"
    config = "workstation"
"#;

#[test]
#[ignore = "needs root, and the Debian packages nix-bin, qemu-system-x86, seabios, ipxe-qemu and \
            debian-installer-12-netboot-amd64"]
fn a_generated_image_boots_and_prints_the_init_that_it_was_given() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    std::fs::create_dir(&state).expect("a folder");
    let configuration = format!(
        "{{ hostName = \"workstation\"; kernel = {INSTALLER}/linux; \
         initrd = {INSTALLER}/initrd.gz; \
         params = \"console=ttyS0 rdinit=/bin/sh netboot-token=nix-40e1\"; }}"
    );
    std::fs::write(state.join("workstation.nix"), configuration).expect("written");
    let config = scratch.path().join("netboot.toml");
    std::fs::write(&config, CONFIG).expect("written");
    let mut generate = Command::new(env!("CARGO_BIN_EXE_netboot"));
    generate
        .args(["image", "generate", "workstation", "--config"])
        .arg(&config)
        .arg("--state-dir")
        .arg(&state);
    use_nix(&mut generate, &scratch.path().join("nix"));
    let generated = generate.output().expect("it runs");
    assert!(generated.status.success(), "{generated:?}");

    let namespace = namespace_with_tap("192.168.100.1/24");
    let server = Server::start(&namespace, &state, CONFIG, 3);
    let console = power_on(&namespace, Firmware::BIOS, scratch.path());
    assert_shell_with(&console, "nix-40e1");
    let text = console.text();
    console.power_off();
    let (_, typed) = text.split_once("~ # ").expect("the prompt");
    let store = scratch.path().join("nix/store").display().to_string();
    let init = typed
        .split_whitespace()
        .find_map(|word| word.strip_prefix("init="));
    let init = init.expect("init= among the kernel's arguments");
    assert!(init.starts_with(&store), "{init}");
    assert!(
        init.ends_with("-nixos-system-workstation-23.11/init"),
        "{init}"
    );
    println!("console: init={init}");
    server.assert_logged(&["/boot.ipxe", MAC, "image workstation @1", "target node-01"]);
    server.stop();
}
