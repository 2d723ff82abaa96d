//! U-Boot on QEMU's board of 64-bit ARM boots a real Linux, by each of the ways that it has.
//!
//! Its default is to load an EFI program, where it is told one. What else it can is typed at its
//! prompt.

use netboot_server::lab::{Code, Firmware, Part, VirtualMachine};

use crate::firmware::{CONFIG, assert_shell_with, power_on, print_steps};
use crate::program::{Program, debian13};
use crate::server::{MAC, PATIENCE, Server, add_debian_for, installer, namespace_with_tap};

/// U-Boot 2023.01 of Debian 12.
const OF_2023: Firmware = Firmware {
    board: &[
        "-machine",
        "virt,accel=tcg",
        "-cpu",
        "cortex-a57",
        // It reads a wrong MAC address from a card that can be used by the old rules, too.
        "-global",
        "virtio-net-pci.disable-legacy=on",
    ],
    code: Code::Rom(Part {
        path: "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
        cure: "install the Debian package u-boot-qemu",
    }),
    ..Firmware::ARM64
};

/// U-Boot 2025.01 of Debian 13.
const OF_2025: Firmware = Firmware {
    code: Code::Rom(Part {
        path: debian13!("all/usr/lib/u-boot/qemu_arm64/u-boot.bin"),
        cure: "run .ci/debian13",
    }),
    ..OF_2023
};

/// Debian 13's signed GRUB 2.12 for arm64, which has the `http` module.
const GRUB: (&str, Program) = (
    "grubaa64.efi",
    Program::File(debian13!(
        "arm64/usr/lib/grub/arm64-efi-signed/grubnetaa64.efi.signed"
    )),
);

/// As a board boots that has no disk, in U-Boot's words.
const PXE: &str = "dhcp; pxe get; pxe boot";

/// The files by TFTP, beside the program where there is one.
fn boots(firmware: Firmware, token: &str, program: Option<(&str, Program)>, typed: Option<&str>) {
    assert_eq!(VirtualMachine::missing(firmware), []);
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian_for(&firmware, &state, token);
    let namespace = namespace_with_tap("192.168.100.1/24");
    let mut config = CONFIG.to_owned();
    if let Some((name, program)) = program {
        let path = state.join("tftp").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        program.put(&path);
        config.push_str(&format!("    program = \"{name}\"\n"));
    }
    let server = Server::start(&namespace, &state, &config, 3);
    let console = power_on(&namespace, firmware, scratch.path());
    if let Some(typed) = typed {
        let starts = console.wait_for("Hit any key to stop autoboot", PATIENCE);
        assert!(starts, "the console:\n{}", console.text());
        console.type_text(" ").expect("a keyboard");
        assert!(console.wait_for("=> ", PATIENCE), "{}", console.text());
        console
            .type_text(&format!("{typed}\n"))
            .expect("a keyboard");
    }
    assert_shell_with(&console, token);
    console.power_off();
    let decision = ["image debian @1", "target node-01"];
    let size = |file: &str| {
        let path = format!("{}/{file}", installer(&firmware));
        std::fs::metadata(path)
            .expect("the installer's files")
            .len()
    };
    let files = [("Image", size("linux")), ("initrd", size("initrd.gz"))];
    if typed == Some(PXE) {
        let by_mac = "pxelinux.cfg/01-52-54-00-12-34-56: ";
        server.assert_logged(&[&["TFTP", MAC, by_mac], &decision[..]].concat());
        for (file, size) in files {
            let sent = format!("images/debian/@1/{file}: {size} bytes");
            server.assert_logged(&["TFTP", MAC, "sent", &sent]);
        }
    } else {
        server.assert_logged(&[&["TFTP", MAC, "grub.cfg: "], &decision[..]].concat());
        for (file, size) in files {
            let sent = format!("/images/debian/@1/{file}: 200, {size} bytes");
            server.assert_logged(&["HTTP", MAC, &sent]);
        }
    }
    print_steps(&server);
    server.stop();
}

#[test]
#[ignore = "needs root, and the Debian packages qemu-system-arm, u-boot-qemu and \
            debian-installer-12-netboot-arm64"]
fn u_boot_of_2023_boots_by_pxe() {
    boots(OF_2023, "u-boot-2023-pxe", None, Some(PXE));
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-arm and \
            debian-installer-12-netboot-arm64"]
fn u_boot_of_2025_boots_by_pxe() {
    boots(OF_2025, "u-boot-2025-pxe", None, Some(PXE));
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-arm and \
            debian-installer-12-netboot-arm64"]
fn u_boot_of_2025_boots_by_pxe_beside_its_program() {
    let beside = ("arm64/grubaa64.efi", GRUB.1);
    boots(OF_2025, "u-boot-2025-beside", Some(beside), Some(PXE));
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-arm, u-boot-qemu and \
            debian-installer-12-netboot-arm64"]
fn u_boot_of_2023_boots_an_efi_program_by_itself() {
    boots(OF_2023, "u-boot-2023-efi", Some(GRUB), None);
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-arm and \
            debian-installer-12-netboot-arm64"]
fn u_boot_of_2025_boots_an_efi_program_by_bootefi() {
    let bootefi = "dhcp ${kernel_addr_r}; bootefi ${kernel_addr_r} ${fdtcontroladdr}";
    boots(OF_2025, "u-boot-2025-efi", Some(GRUB), Some(bootefi));
}
