//! A unified kernel (UKI), put together from systemd's stub and Debian's installer: as an image by
//! iPXE and by GRUB, and as the program that firmware loads first.

use std::path::{Path, PathBuf};
use std::process::Command;

use netboot_server::lab::{Console, Firmware};

use crate::firmware::{assert_shell_with, power_on, print_steps};
use crate::program::{self, Program};
use crate::server::{INSTALLER, MAC, Server, namespace_with_tap, netboot};

const STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
const NETWORK: &str = r#"
    [netboot.server]
    ip = "192.168.100.1"
    interface = "tap0"
    dhcp_range = { start = "192.168.100.100", end = "192.168.100.200" }
    [[netboot.targets]]
    name = "node-01"
    mac = "52:54:00:12:34:56"
"#;

/// A unified kernel that boots to a shell, with the token on the command line in its section
/// `.cmdline`.
fn unified(folder: &Path, token: &str) -> PathBuf {
    let (cmdline, uki) = (folder.join("cmdline"), folder.join("uki.efi"));
    let line = format!("console=ttyS0 rdinit=/bin/sh netboot-token={token}\n");
    std::fs::write(&cmdline, line).expect("written");
    let mut objcopy = Command::new("objcopy");
    // Apart from each other and from the stub, as systemd-stub(7) asks for.
    for (section, file, address) in [
        (".cmdline", cmdline.display().to_string(), "0x30000"),
        (".linux", format!("{INSTALLER}/linux"), "0x2000000"),
        (".initrd", format!("{INSTALLER}/initrd.gz"), "0x3000000"),
    ] {
        objcopy.args(["--add-section", &format!("{section}={file}")]);
        objcopy.args(["--change-section-vma", &format!("{section}={address}")]);
    }
    let made = objcopy.arg(STUB).arg(&uki).output().expect("objcopy");
    assert!(made.status.success(), "{made:?}");
    uki
}

fn add(state: &Path, uki: &Path) {
    let uki = uki.display().to_string();
    let words = ["--cmdline", "added-with=the-image"];
    netboot(
        state,
        &[&["image", "add", "uki", "--efi", &uki][..], &words].concat(),
    );
}

/// The command line that the shell's kernel was given has these words, too.
fn assert_words(console: &Console, words: &[&str]) {
    let text = console.text();
    let (_, typed) = text.split_once("~ # ").expect("the prompt");
    for word in words {
        assert!(typed.contains(word), "no {word} in:\n{typed}");
    }
}

/// Boots it by this iPXE.
fn ipxe_boots_it(programs: &[(&str, Program)], token: &str) {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add(&state, &unified(scratch.path(), token));
    let folder = state.join("tftp");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, program) in programs {
        program.put(&folder.join(name));
    }
    let namespace = namespace_with_tap("192.168.100.1/24");
    let target = "    config = \"uki\"\n    cmdline = \"own={mac-dash}\"\n";
    let server = Server::start(&namespace, &state, &[NETWORK, target].concat(), 3);
    let console = power_on(&namespace, Firmware::UEFI, scratch.path());
    assert_shell_with(&console, token);
    assert_words(&console, &["added-with=the-image", "own=52-54-00-12-34-56"]);
    console.power_off();
    server.assert_logged(&["HTTP", MAC, "/images/uki/@1/program.efi: 200"]);
    print_steps(&server);
    server.stop();
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, ipxe, systemd-boot-efi, \
            binutils and debian-installer-12-netboot-amd64"]
fn ipxe_of_2019_boots_a_unified_kernel_with_its_own_words_and_those_configured() {
    ipxe_boots_it(program::IPXE_2019, "uki-ipxe-6c0f");
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages that .ci/run installs"]
fn ipxe_of_2025_boots_a_unified_kernel_with_its_own_words_and_those_configured() {
    ipxe_boots_it(program::IPXE_2025, "uki-ipxe-a37e");
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, grub-efi-amd64-signed, \
            systemd-boot-efi, binutils and debian-installer-12-netboot-amd64"]
fn grub_boots_a_unified_kernel_with_its_own_words_and_those_configured() {
    let token = "uki-grub-1d52";
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add(&state, &unified(scratch.path(), token));
    let namespace = namespace_with_tap("192.168.100.1/24");
    let target = "    config = \"uki\"\n    program = \"grubx64.efi\"\n    cmdline = \
                  [\"own={mac-dash}\", \"dollar=$root\"]\n";
    let server = Server::start(&namespace, &state, &[NETWORK, target].concat(), 3);
    let console = power_on(&namespace, Firmware::UEFI, scratch.path());
    assert_shell_with(&console, token);
    assert_words(
        &console,
        &[
            "added-with=the-image",
            "own=52-54-00-12-34-56",
            "dollar=$root",
        ],
    );
    console.power_off();
    server.assert_logged(&["TFTP", MAC, "sent /images/uki/@1/program.efi"]);
    print_steps(&server);
    server.stop();
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, systemd-boot-efi, binutils \
            and debian-installer-12-netboot-amd64"]
fn firmware_loads_a_unified_kernel_as_its_program_which_has_its_own_words() {
    let token = "uki-program-88e3";
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    let programs = state.join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    let uki = unified(scratch.path(), token);
    std::fs::copy(uki, programs.join("uki.efi")).expect("a copy");
    let namespace = namespace_with_tap("192.168.100.1/24");
    let target = "    program = \"uki.efi\"\n";
    let server = Server::start(&namespace, &state, &[NETWORK, target].concat(), 3);
    let console = power_on(&namespace, Firmware::UEFI.by_http(), scratch.path());
    assert_shell_with(&console, token);
    console.power_off();
    server.assert_logged(&["HTTP", MAC, "/uki.efi: 200"]);
    print_steps(&server);
    server.stop();
}
