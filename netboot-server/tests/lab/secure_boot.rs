//! A machine that enforces Secure Boot with Microsoft's keys, and what it starts and what it
//! refuses.

use std::path::Path;
use std::process::Command;

use netboot_server::lab::{Console, Firmware};

use crate::firmware::{CONFIG, assert_shell_with, power_on, print_steps};
use crate::server::{INSTALLER, MAC, PATIENCE, Server, add_debian, namespace_with_tap, netboot};

/// What makes the target one that loads Debian's shim, and by it Debian's GRUB.
const BY_SHIM: &str = r#"
    program = "shimx64.efi"
    cmdline = ["dollar=$root", "semicolon=a;reboot", "brace={x", "bootif=01-{mac-dash}", "hash=#1"]
"#;

fn assert_printed(console: &Console, wanted: &str) {
    let printed = console.wait_for(wanted, PATIENCE);
    assert!(printed, "no {wanted:?}; the console:\n{}", console.text());
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, shim-signed, \
            grub-efi-amd64-signed, curl and debian-installer-12-netboot-amd64"]
fn secure_boot_loads_shim_and_grub_whose_configuration_boots_its_image() {
    let token = "shim-grub-40ce";
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, token);
    let namespace = namespace_with_tap("192.168.100.1/24");
    let config = [CONFIG, BY_SHIM].concat();
    let server = Server::start(&namespace, &state, &config, 3);
    let console = power_on(&namespace, Firmware::UEFI_SECURE_BOOT, scratch.path());
    assert_shell_with(&console, token);
    let text = console.text();
    // The kernel's own word for it.
    assert!(text.contains("secureboot: Secure boot enabled"), "{text}");
    // GRUB's shell took nothing of it, and the kernel has it to the letter.
    let line = "dollar=$root semicolon=a;reboot brace={x bootif=01-52-54-00-12-34-56 hash=#1";
    let (_, typed) = text.split_once("~ # ").expect("the prompt");
    assert!(typed.contains(line), "another command line:\n{typed}");
    console.power_off();
    let machines = ["-sS", "http://127.0.0.1:9069/api/v1/machines"];
    let machines = namespace.output("curl", machines).expect("curl").stdout;
    let machines: serde_json::Value = serde_json::from_slice(&machines).expect("JSON");
    let boot = &machines[0]["boot"];
    assert_eq!(
        (boot["progress"].as_str(), boot["failed"].as_str()),
        (Some("image"), None)
    );
    server.assert_logged(&["DHCPACK(tap0)", MAC, "boots shimx64.efi"]);
    server.assert_logged(&["TFTP", MAC, "grub.cfg: image debian @1"]);
    // This GRUB has no HTTP.
    for sent in [
        "shimx64.efi",
        "grubx64.efi",
        "grub.cfg",
        "images/debian/@1/bzImage",
    ] {
        server.assert_logged(&["TFTP", MAC, &format!("{sent}: ")]);
    }
    print_steps(&server);
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, ipxe and \
            debian-installer-12-netboot-amd64"]
fn secure_boot_refuses_a_program_that_is_not_signed() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, "not-signed-7d10");
    let namespace = namespace_with_tap("192.168.100.1/24");
    let server = Server::start(&namespace, &state, CONFIG, 3);
    let console = power_on(&namespace, Firmware::UEFI_SECURE_BOOT, scratch.path());
    assert_printed(&console, ": Access Denied");
    let text = console.text();
    assert!(text.contains("BdsDxe: failed to load "), "{text}");
    assert!(!text.contains("iPXE"), "{text}");
    console.power_off();
    server.assert_logged(&["TFTP", MAC, "sent ipxe.efi: "]);
    print_steps(&server);
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, ipxe, shim-signed and \
            debian-installer-12-netboot-amd64"]
fn shim_refuses_what_is_not_signed_and_gets_the_program_that_enrols_keys() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, "not-signed-2e9c");
    // The operator's own GRUB is taken before the distribution's.
    let programs = state.join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    std::fs::copy("/usr/lib/ipxe/ipxe.efi", programs.join("grubx64.efi"))
        .expect("the Debian package ipxe");
    let namespace = namespace_with_tap("192.168.100.1/24");
    let config = [CONFIG, BY_SHIM].concat();
    let server = Server::start(&namespace, &state, &config, 3);
    let console = power_on(&namespace, Firmware::UEFI_SECURE_BOOT, scratch.path());
    assert_printed(&console, "Security Violation");
    console.type_text("\r").expect("a keyboard");
    assert_printed(&console, "Shim UEFI key management");
    assert!(!console.text().contains("iPXE"), "{}", console.text());
    console.power_off();
    server.assert_logged(&["TFTP", MAC, "sent grubx64.efi: "]);
    server.assert_logged(&["TFTP", MAC, "sent mmx64.efi: "]);
    print_steps(&server);
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, shim-signed, \
            grub-efi-amd64-signed and debian-installer-12-netboot-amd64"]
fn secure_boot_refuses_a_kernel_that_was_changed_and_says_so() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    let mut kernel = std::fs::read(format!("{INSTALLER}/linux"))
        .expect("the Debian package debian-installer-12-netboot-amd64");
    let middle = kernel.len() / 2;
    kernel[middle] ^= 1;
    let changed = scratch.path().join("linux");
    std::fs::write(&changed, kernel).expect("a file");
    let changed = changed.to_str().expect("text");
    let initrd = format!("{INSTALLER}/initrd.gz");
    let files = ["--kernel", changed, "--initrd", &initrd];
    netboot(&state, &[&["image", "add", "debian"], &files[..]].concat());
    let namespace = namespace_with_tap("192.168.100.1/24");
    let config = [CONFIG, BY_SHIM].concat();
    let server = Server::start(&namespace, &state, &config, 3);
    let console = power_on(&namespace, Firmware::UEFI_SECURE_BOOT, scratch.path());
    assert_printed(&console, "bad shim signature");
    assert_printed(&console, "Could not boot image debian.");
    let text = console.text();
    assert!(!text.contains("Linux version"), "{text}");
    console.power_off();
    server.assert_logged(&["TFTP", MAC, "images/debian/@1/bzImage: "]);
    print_steps(&server);
}

/// Why a machine that is to load this GRUB has to start by PXE.
#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, shim-signed, \
            grub-efi-amd64-signed and debian-installer-12-netboot-amd64"]
fn a_grub_without_http_finds_no_configuration_after_http_boot() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, "http-grub-93a5");
    let namespace = namespace_with_tap("192.168.100.1/24");
    let config = [CONFIG, BY_SHIM].concat();
    let server = Server::start(&namespace, &state, &config, 3);
    let console = power_on(&namespace, Firmware::UEFI.by_http(), scratch.path());
    assert_printed(&console, "grub> ");
    console.power_off();
    server.assert_logged(&["HTTP", MAC, "/grubx64.efi: 200"]);
    server.assert_logged(&["WARN", MAC, "grubx64.efi at hand was built without HTTP"]);
    assert!(!server.log().contains("grub.cfg"), "{}", server.log());
    print_steps(&server);
}

const LOCAL: &str = r#"
    [netboot.server]
    ip = "192.168.100.1"
    interface = "tap0"
    dhcp_range = { start = "192.168.100.100", end = "192.168.100.200" }
    program = "shimx64.efi"
    [netboot.menu]
    unknown = "local"
"#;

/// Makes a disk as Debian's installer leaves it, but for a GRUB that says only a word.
fn make_disk(folder: &Path, word: &str) {
    const SIGNED: &str = "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed";
    const SHIM: &str = "/usr/lib/shim/shimx64.efi.signed";
    let grub = format!("echo {word}\nsleep 600\n");
    std::fs::write(folder.join("grub.cfg"), grub).expect("a file");
    let made = Command::new("sh")
        .arg("-ec")
        .arg(format!(
            "truncate -s 64M disk.img
            printf 'label: gpt\nstart=2048, type=uefi\n' | sfdisk -q disk.img
            mkfs.vfat --offset=2048 disk.img 60000
            mmd -i disk.img@@1M ::/EFI ::/EFI/debian
            mcopy -i disk.img@@1M {SHIM} ::/EFI/debian/shimx64.efi
            mcopy -i disk.img@@1M {SIGNED} ::/EFI/debian/grubx64.efi
            mcopy -i disk.img@@1M grub.cfg ::/EFI/debian/grub.cfg"
        ))
        .current_dir(folder)
        .output()
        .expect("sh");
    assert!(made.status.success(), "{made:?}");
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-x86, ovmf, shim-signed, \
            grub-efi-amd64-signed, fdisk, dosfstools and mtools"]
fn secure_boot_goes_on_by_shim_and_grub_to_the_local_disk() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    make_disk(scratch.path(), "from-the-disk");
    let namespace = namespace_with_tap("192.168.100.1/24");
    let server = Server::start(&namespace, &state, LOCAL, 3);
    let console = power_on(&namespace, Firmware::UEFI_SECURE_BOOT, scratch.path());
    assert_printed(&console, "from-the-disk");
    console.power_off();
    server.assert_logged(&["TFTP", MAC, "grub.cfg: the local disk"]);
    print_steps(&server);
}
