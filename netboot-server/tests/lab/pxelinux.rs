//! PXELINUX boots a real Linux, from a BIOS PXE ROM behind a relay.

use crate::firmware::boots_behind_a_relay;
use crate::program::{Program, debian13};
use crate::server::{INSTALLER, MAC};

/// Boots through PXELINUX with its `ldlinux.c32` in a folder.
fn boots(token: &str, program: &'static str, ldlinux: &'static str) {
    let programs = [
        ("boot/pxelinux.0", Program::File(program)),
        ("boot/ldlinux.c32", Program::File(ldlinux)),
    ];
    boots_behind_a_relay(token, &programs, |server| {
        server.assert_logged(&["TFTP", MAC, "sent boot/ldlinux.c32: "]);
        let by_mac = "boot/pxelinux.cfg/01-52-54-00-12-34-56: ";
        server.assert_logged(&["TFTP", MAC, by_mac, "image debian @1", "target node-01"]);
        for (file, path) in [("linux", "bzImage"), ("initrd.gz", "initrd")] {
            let file = std::fs::metadata(format!("{INSTALLER}/{file}"));
            let size = file.expect("the installer's files").len();
            let sent = format!("sent boot/images/debian/@1/{path}: {size} bytes");
            server.assert_logged(&["TFTP", MAC, &sent]);
        }
    });
}

#[test]
#[ignore = "needs root, .ci/debian13, and the Debian packages qemu-system-x86, seabios, ipxe-qemu \
            and debian-installer-12-netboot-amd64"]
fn pxelinux_of_debian_13_boots_its_image() {
    let program = debian13!("all/usr/lib/PXELINUX/pxelinux.0");
    let ldlinux = debian13!("all/usr/lib/syslinux/modules/bios/ldlinux.c32");
    boots("pxelinux-13", program, ldlinux);
}

/// Debian 12's is of the same version: `.ci/soak` has it.
mod rare {
    use super::*;

    #[test]
    #[ignore = "needs root, and the Debian packages pxelinux, syslinux-common, qemu-system-x86, \
                seabios, ipxe-qemu and debian-installer-12-netboot-amd64"]
    fn pxelinux_of_debian_12_boots_its_image() {
        let ldlinux = "/usr/lib/syslinux/modules/bios/ldlinux.c32";
        boots("pxelinux-12", "/usr/lib/PXELINUX/pxelinux.0", ldlinux);
    }
}
