//! The example images, and the script that fetches their machine's state.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use netboot_image::Digest;

use crate::nixos::nix::Nix;
use crate::nixos::{REPOSITORY, answer_once, said};

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn an_example_image_without_an_ssh_key_is_not_built() {
    let nix = Nix::new();
    for name in ["workstation", "proxmox-host", "installer", "install-once"] {
        for (keys, builds) in [
            ("", false),
            ("\"your key here\"", false),
            ("\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@desk\"", true),
        ] {
            let set = format!(
                "{{ netboot.image.authorizedKeys = [ {keys} ]; {} }}",
                if name == "install-once" {
                    "netboot.install.system = { type = \"derivation\"; outPath = \"/system\"; };"
                } else {
                    ""
                }
            );
            let host = format!(
                "import ./images.nix {{ module = ../../../../examples/nixos/{name}.nix; set = {set}; \
                 }}"
            );
            // All of the image is looked at, not only what is asserted.
            let host = nix.value(&host);
            let assertion = &host["assertions"][0];
            assert_eq!(assertion["assertion"], builds, "{name} with {keys}");
            assert!(
                assertion["message"]
                    .to_string()
                    .contains("holds no SSH key")
            );
            assert_eq!(
                host["services"]["openssh"]["settings"]["PasswordAuthentication"],
                false
            );
        }
    }
}

/// Runs the script of the image with a kernel command line.
fn fetch_state(cmdline: &str, dir: &Path) -> Output {
    let file = dir.join("cmdline");
    fs::write(&file, cmdline).expect("a command line");
    Command::new("bash")
        .arg(format!("{REPOSITORY}/examples/nixos/fetch-state.sh"))
        .arg(dir.join("etc/state.json"))
        .env("CMDLINE", file)
        .output()
        .expect("bash")
}

const STATE: &str = r#"{"plugins":{}}"#;
const STATE_ANSWER: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{\"plugins\":{}}";

#[test]
#[ignore = "needs the Debian package curl"]
fn a_state_is_taken_only_where_it_is_what_the_command_line_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("etc/state.json");
    let digest = Digest::of(STATE.as_bytes());
    let (address, served) = answer_once(STATE_ANSWER);
    let output = fetch_state(
        &format!(
            "quiet netboot.state=http://{address}/states/a.json netboot.state-digest={digest}\n"
        ),
        dir.path(),
    );
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        served.join().expect("a request"),
        "GET /states/a.json HTTP/1.1"
    );
    assert_eq!(fs::read_to_string(&file).expect("the state"), STATE);

    let (address, _served) = answer_once(STATE_ANSWER);
    let other = Digest::of(b"another");
    let output = fetch_state(
        &format!("netboot.state=http://{address}/ netboot.state-digest={other}"),
        dir.path(),
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("it has changed since"),
        "{}",
        said(&output)
    );
    assert_eq!(fs::read_to_string(&file).expect("the old state"), STATE);
    let beside = fs::read_dir(dir.path().join("etc"))
        .expect("the folder")
        .count();
    assert_eq!(beside, 1, "a temporary file is left");

    let output = fetch_state(
        "netboot.state=http://127.0.0.1:9/ netboot.state-digest=none",
        dir.path(),
    );
    assert!(output.status.success());
    let output = fetch_state("quiet", dir.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("has no netboot.state=URL"),
        "{}",
        said(&output)
    );
}
