//! Current iPXE under UEFI: it runs `autoexec.ipxe` from beside itself before any of its network
//! cards has an address.

use std::path::Path;

use netboot_server::lab::{Firmware, Machine};

use crate::firmware::{CONFIG, assert_image_served, assert_shell_with, print_steps};
use crate::server::{MAC, Server, TAP, add_debian, namespace_with_tap};

/// iPXE of 2025-05-01, where `.ci/debian13` puts it.
const DEBIAN_13: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/debian13/all/usr/lib/ipxe"
);
/// A card on another network, where nobody gives addresses. It is `net0`.
const OTHER: (&str, &str) = ("52:54:00:99:99:99", "tap1");

/// Boots a machine with its target's program from Debian 13, down to a shell.
fn boots(firmware: Firmware, program: &str, others: &[(&str, &str)], token: &str) {
    assert_eq!(Machine::missing(firmware), []);
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let state = scratch.path().join("state");
    add_debian(&state, token);
    let programs = state.join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    let file = Path::new(DEBIAN_13).join(program);
    std::fs::copy(&file, programs.join(program)).expect(".ci/debian13 has run");
    let namespace = namespace_with_tap("192.168.100.1/24");
    for (_, tap) in others {
        for words in [
            format!("tuntap add {tap} mode tap"),
            format!("link set {tap} up"),
        ] {
            namespace.ip(&words).expect("ip of iproute2");
        }
    }
    let config = format!("{CONFIG}    program = \"{program}\"\n");
    let server = Server::start(&namespace, &state, &config, 3);
    let machine = Machine {
        firmware,
        mac: MAC.into(),
        tap: TAP.into(),
        others: others
            .iter()
            .map(|(mac, tap)| ((*mac).into(), (*tap).into()))
            .collect(),
        memory_mib: 1024,
    };
    let console = machine.power_on(&namespace, scratch.path());
    let console = console.expect("QEMU starts");
    assert_shell_with(&console, token);
    console.power_off();
    let by = match firmware {
        Firmware::UefiHttp => "HTTP",
        _ => "TFTP",
    };
    server.assert_logged(&[by, MAC, program]);
    server.assert_logged(&[by, MAC, "autoexec.ipxe"]);
    server.assert_logged(&["DHCPACK(tap0)", MAC, "boots http://192.168.100.1/boot.ipxe"]);
    server.assert_logged(&["/boot.ipxe", MAC, "image debian @1", "target node-01"]);
    assert_image_served(&server);
    print_steps(&server);
    server.stop();
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-x86, ovmf and debian-installer-12-netboot-amd64"]
fn ipxe_of_2025_by_tftp_gets_an_address_and_boots_its_image() {
    boots(Firmware::Uefi, "ipxe.efi", &[], "autoexec-tftp-0e31");
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-x86, ovmf and debian-installer-12-netboot-amd64"]
fn ipxe_of_2025_by_url_gets_an_address_and_boots_its_image() {
    boots(Firmware::UefiHttp, "ipxe.efi", &[], "autoexec-http-5b7d");
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-x86, ovmf and debian-installer-12-netboot-amd64"]
fn snponly_of_2025_uses_the_firmwares_driver_and_boots_its_image() {
    boots(Firmware::Uefi, "snponly.efi", &[], "autoexec-snponly-c2f8");
    boots(
        Firmware::UefiHttp,
        "snponly.efi",
        &[],
        "autoexec-snponly-77a0",
    );
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-x86, ovmf and debian-installer-12-netboot-amd64"]
fn with_two_cards_the_one_that_it_was_loaded_by_is_asked_on() {
    boots(Firmware::Uefi, "ipxe.efi", &[OTHER], "autoexec-cards-91b4");
    boots(
        Firmware::UefiHttp,
        "ipxe.efi",
        &[OTHER],
        "autoexec-cards-3d06",
    );
}
