//! A disc image is booted over HTTP by iPXE's `sanboot`.

use std::path::Path;
use std::process::Command;

use netboot_server::lab::{Console, Firmware, Namespace};

use crate::firmware::{assert_shell_with, power_on};
use crate::server::{INSTALLER, MAC, PATIENCE, Server, namespace_with_tap, netboot};

const CONFIG: &str = r#"
    [netboot.server]
    ip = "192.168.100.1"
    interface = "tap0"
    dhcp_range = { start = "192.168.100.100", end = "192.168.100.200" }
    [[netboot.targets]]
    name = "node-01"
    mac = "52:54:00:12:34:56"
    config = "rescue"
"#;

/// What has `grub-mkrescue` make a disc for BIOS only.
const FOR_BIOS: &[&str] = &["--directory=/usr/lib/grub/i386-pc"];

/// Makes a disc whose GRUB boots the Debian installer's kernel to a shell, under BIOS and UEFI
/// where no option says otherwise.
fn make_disc(folder: &Path, token: &str, options: &[&str]) -> String {
    let tree = folder.join("tree");
    let grub = tree.join("boot/grub");
    std::fs::create_dir_all(&grub).expect("a folder");
    for file in ["linux", "initrd.gz"] {
        std::fs::copy(format!("{INSTALLER}/{file}"), tree.join(file))
            .expect("the Debian package debian-installer-12-netboot-amd64");
    }
    let menu = format!(
        "linux /linux console=ttyS0 rdinit=/bin/sh netboot-token={token}\ninitrd /initrd.gz\nboot\n"
    );
    std::fs::write(grub.join("grub.cfg"), menu).expect("a file");
    let disc = folder.join("rescue.iso");
    let made = Command::new("grub-mkrescue")
        .args(options)
        .arg("--output")
        .args([&disc, &tree])
        .output()
        .expect("the Debian package grub-common");
    assert!(made.status.success(), "{made:?}");
    disc.into_os_string().into_string().expect("text")
}

/// Powers on a machine that is to boot the disc, in a namespace that it lives as long as.
fn power_on_with(disc: &str, scratch: &Path, firmware: Firmware) -> (Namespace, Server, Console) {
    let state = scratch.join("state");
    netboot(&state, &["image", "add", "rescue", "--iso", disc]);
    let namespace = namespace_with_tap("192.168.100.1/24");
    let server = Server::start(&namespace, &state, CONFIG, 3);
    let console = power_on(&namespace, firmware, scratch);
    (namespace, server, console)
}

fn boots_its_disc(firmware: Firmware, token: &str) {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let disc = make_disc(scratch.path(), token, &[]);
    let (_namespace, server, console) = power_on_with(&disc, scratch.path(), firmware);
    assert_shell_with(&console, token);
    console.power_off();
    // It is read in parts, as it is needed.
    server.assert_logged(&["HTTP", MAC, "/images/rescue/@1/disc.iso: 206"]);
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, seabios, ipxe-qemu, grub-common, \
            grub-pc-bin, xorriso and debian-installer-12-netboot-amd64"]
fn a_disc_image_boots_over_http_under_bios() {
    boots_its_disc(Firmware::BIOS, "disc-3f6b");
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, ipxe, grub-common, \
            grub-efi-amd64-bin, mtools, xorriso and debian-installer-12-netboot-amd64"]
fn a_disc_image_boots_over_http_under_uefi() {
    boots_its_disc(Firmware::UEFI, "disc-8e24");
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, ipxe, grub-common, \
            grub-pc-bin, xorriso and debian-installer-12-netboot-amd64"]
fn a_disc_that_is_for_bios_only_tells_what_to_look_at_under_uefi() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let disc = make_disc(scratch.path(), "disc-b105", FOR_BIOS);
    let (_namespace, _server, console) = power_on_with(&disc, scratch.path(), Firmware::UEFI);
    let wanted = "Look at: whether the disc has a boot image for efi. \
                  On the server: netboot image verify rescue";
    let told = console.wait_for(wanted, PATIENCE);
    assert!(told, "the console:\n{}", console.text());
}
