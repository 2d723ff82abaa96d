//! Boot programs, of Debian 12 where it is installed and of Debian 13 where `.ci/debian13` put it.

use std::path::Path;
use std::process::Command;

/// The path of a file below what `.ci/debian13` fetches.
macro_rules! debian13 {
    ($path:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debian13/", $path)
    };
}

pub(crate) use debian13;

/// A boot program.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    /// A file.
    File(&'static str),
    /// GRUB with its `http` module, which no signed one but Red Hat's has: made of the modules in
    /// this folder.
    Grub(&'static str),
}

/// iPXE of 2019-01-25, 2025-05-01 and so on, by the name that the server knows it by.
pub(crate) const IPXE_2019: &[(&str, Program)] =
    &[("ipxe.efi", Program::File("/usr/lib/ipxe/ipxe.efi"))];
pub(crate) const IPXE_2025: &[(&str, Program)] = &[(
    "ipxe.efi",
    Program::File(debian13!("all/usr/lib/ipxe/ipxe.efi")),
)];
pub(crate) const SNPONLY_2025: &[(&str, Program)] = &[(
    "snponly.efi",
    Program::File(debian13!("all/usr/lib/ipxe/snponly.efi")),
)];
pub(crate) const IPXE_ARM64_2025: &[(&str, Program)] = &[(
    "ipxe-arm64.efi",
    Program::File(debian13!("all/usr/lib/ipxe/ipxe-arm64.efi")),
)];
/// Debian 13's shim 16.1 and GRUB 2.12.
pub(crate) const SHIM_16: &[(&str, Program)] = &[
    (
        "shimx64.efi",
        Program::File(debian13!("amd64/usr/lib/shim/shimx64.efi.signed")),
    ),
    (
        "grubx64.efi",
        Program::File(debian13!(
            "amd64/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed"
        )),
    ),
];
pub(crate) const SHIM_16_ARM64: &[(&str, Program)] = &[
    (
        "shimaa64.efi",
        Program::File(debian13!("arm64/usr/lib/shim/shimaa64.efi.signed")),
    ),
    (
        "grubaa64.efi",
        Program::File(debian13!(
            "arm64/usr/lib/grub/arm64-efi-signed/grubnetaa64.efi.signed"
        )),
    ),
];
pub(crate) const GRUB_2_06: &[(&str, Program)] =
    &[("grub.efi", Program::Grub("/usr/lib/grub/x86_64-efi"))];
pub(crate) const GRUB_2_12: &[(&str, Program)] = &[(
    "grub.efi",
    Program::Grub(debian13!("amd64/usr/lib/grub/x86_64-efi")),
)];

impl Program {
    /// Puts it where the server looks for it.
    pub(crate) fn put(self, path: &Path) {
        match self {
            Self::File(file) => {
                std::fs::copy(file, path).expect(file);
            }
            Self::Grub(modules) => {
                let made = Command::new("grub-mkimage")
                    .args(["-O", "x86_64-efi", "-p", "(http,192.168.100.1)/grub"])
                    .args(["-d", modules, "-o"])
                    .arg(path)
                    .args(["normal", "configfile", "test", "echo", "sleep", "reboot"])
                    .args(["linux", "boot", "efinet", "http", "tftp"])
                    .output()
                    .expect("the Debian package grub-common");
                assert!(made.status.success(), "{made:?}");
            }
        }
    }
}
