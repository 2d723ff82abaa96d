//! Platforms: what a boot program is built for, and the names that programs for each go by.

use std::fmt;

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::{Arch, raspberry_pi};
use netboot_image::PeMachine;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a boot program is built for. Over TFTP and over HTTP it is the same program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// A PC's BIOS.
    Bios,
    /// 32-bit UEFI on x86.
    X86,
    /// 64-bit UEFI on x86.
    X64,
    /// 32-bit UEFI on ARM.
    Arm32,
    /// 64-bit UEFI on ARM.
    Arm64,
    /// 64-bit UEFI on RISC-V.
    Riscv64,
    /// 64-bit UEFI on LoongArch.
    Loongarch64,
    /// A Raspberry Pi's own boot ROM, which knows the names that it loads.
    RaspberryPi,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 8] = [
        Self::Bios,
        Self::X86,
        Self::X64,
        Self::Arm32,
        Self::Arm64,
        Self::Riscv64,
        Self::Loongarch64,
        Self::RaspberryPi,
    ];

    /// The platform of what firmware says in option 93, and `None` where no program is known for
    /// it. A Raspberry Pi's ROM says that it is a BIOS; its MAC address or its UUID tells
    /// otherwise.
    ///
    /// RFC 4578 and the registry differ on 7 and 9; firmware for x86-64 sends either. U-Boot starts
    /// programs for UEFI.
    #[must_use]
    pub fn of(arch: Arch, mac: Option<MacAddr>, uuid: Option<Uuid>) -> Option<Self> {
        if raspberry_pi::is_boot_rom(arch, mac, uuid.map(Uuid::into_bytes)) {
            return Some(Self::RaspberryPi);
        }
        Some(match arch.0 {
            0 | 20 => Self::Bios,
            6 | 15 => Self::X86,
            7 | 9 | 16 | 17 => Self::X64,
            10 | 18 | 21 | 23 => Self::Arm32,
            11 | 19 | 22 | 24 => Self::Arm64,
            27 | 28 => Self::Riscv64,
            39 | 40 => Self::Loongarch64,
            _ => return None,
        })
    }

    /// The platform of an EFI program for this processor.
    #[must_use]
    pub fn of_machine(machine: PeMachine) -> Option<Self> {
        Some(match machine {
            PeMachine::I386 => Self::X86,
            PeMachine::X86_64 => Self::X64,
            PeMachine::ARM32 => Self::Arm32,
            PeMachine::ARM64 => Self::Arm64,
            PeMachine::RISCV64 => Self::Riscv64,
            PeMachine::LOONGARCH64 => Self::Loongarch64,
            _ => return None,
        })
    }

    /// The names of its programs, the one to prefer first: those of iPXE's builds, and of the
    /// folders in which iPXE's project lays them out. A Raspberry Pi has none, and its own.
    #[must_use]
    pub const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Bios => &["undionly.kpxe"],
            Self::X86 => &[
                "ipxe-i386.efi",
                "snponly-i386.efi",
                "i386-efi/ipxe.efi",
                "i386-efi/snponly.efi",
            ],
            Self::X64 => &[
                "ipxe.efi",
                "snponly.efi",
                // As nixpkgs' iPXE has it: for whatever network card the firmware drives.
                "snp.efi",
                // As Debian's iPXE of 2025 has it.
                "ipxe-amd64.efi",
                "x86_64-efi/ipxe.efi",
                "x86_64-efi/snponly.efi",
            ],
            Self::Arm32 => &[
                "ipxe-arm32.efi",
                "snponly-arm32.efi",
                "arm32-efi/ipxe.efi",
                "arm32-efi/snponly.efi",
            ],
            Self::Arm64 => &[
                "ipxe-arm64.efi",
                "snponly-arm64.efi",
                "arm64-efi/ipxe.efi",
                "arm64-efi/snponly.efi",
            ],
            Self::Riscv64 => &[
                "ipxe-riscv64.efi",
                "snponly-riscv64.efi",
                "riscv64-efi/ipxe.efi",
                "riscv64-efi/snponly.efi",
            ],
            Self::Loongarch64 => &[
                "ipxe-loong64.efi",
                "snponly-loong64.efi",
                "loong64-efi/ipxe.efi",
                "loong64-efi/snponly.efi",
            ],
            // The 3 begins with the first, the 4 and the 5 with the others. What the offer names
            // they do not look at.
            Self::RaspberryPi => &["bootcode.bin", "start4.elf", "config.txt"],
        }
    }

    /// Whether its firmware is UEFI.
    #[must_use]
    pub const fn is_efi(self) -> bool {
        !matches!(self, Self::Bios | Self::RaspberryPi)
    }

    /// Its name in a configuration: `bios`, `x64`, `raspberry-pi`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::X86 => "x86",
            Self::X64 => "x64",
            Self::Arm32 => "arm32",
            Self::Arm64 => "arm64",
            Self::Riscv64 => "riscv64",
            Self::Loongarch64 => "loongarch64",
            Self::RaspberryPi => "raspberry-pi",
        }
    }
}

/// The architecture that a person means by a platform's name, with `-http` behind it for UEFI's
/// HTTP boot, or by the number of option 93.
#[must_use]
pub fn arch_of(text: &str) -> Option<Arch> {
    if let Ok(number) = text.parse() {
        return Some(Arch(number));
    }
    let (name, by_http) = match text.strip_suffix("-http") {
        Some(name) => (name, true),
        None => (text, false),
    };
    let platform = Platform::ALL.into_iter().find(|it| it.name() == name)?;
    Some(match (platform, by_http) {
        (Platform::Bios, false) => Arch::X86_BIOS,
        (Platform::Bios, true) => Arch::X86_BIOS_HTTP,
        (Platform::X86, false) => Arch::X86_UEFI,
        (Platform::X86, true) => Arch::X86_UEFI_HTTP,
        (Platform::X64, false) => Arch::X64_UEFI,
        (Platform::X64, true) => Arch::X64_UEFI_HTTP,
        (Platform::Arm32, false) => Arch::ARM32_UEFI,
        (Platform::Arm32, true) => Arch::ARM32_UEFI_HTTP,
        (Platform::Arm64, false) => Arch::ARM64_UEFI,
        (Platform::Arm64, true) => Arch::ARM64_UEFI_HTTP,
        (Platform::Riscv64, false) => Arch::RISCV64_UEFI,
        (Platform::Riscv64, true) => Arch::RISCV64_UEFI_HTTP,
        (Platform::Loongarch64, false) => Arch::LOONGARCH64_UEFI,
        (Platform::Loongarch64, true) => Arch::LOONGARCH64_UEFI_HTTP,
        (Platform::RaspberryPi, false) => Arch::ARM_RPIBOOT,
        (Platform::RaspberryPi, true) => return None,
    })
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_registry_has_the_platform_of_its_programs_or_none() {
        let expected = |arch: u16| match arch {
            0 | 20 => Some(Platform::Bios),
            6 | 15 => Some(Platform::X86),
            // RFC 4578 and the registry differ on 7 and 9; both are sent by x64 firmware.
            7 | 9 | 16 | 17 => Some(Platform::X64),
            10 | 18 | 21 | 23 => Some(Platform::Arm32),
            11 | 19 | 22 | 24 => Some(Platform::Arm64),
            27 | 28 => Some(Platform::Riscv64),
            39 | 40 => Some(Platform::Loongarch64),
            41 => Some(Platform::RaspberryPi),
            _ => None,
        };
        for arch in 0..=42 {
            let platform = Platform::of(Arch(arch), None, None);
            assert_eq!(platform, expected(arch), "{:?}", Arch(arch));
        }
    }

    #[test]
    fn a_platform_and_its_architecture_name_each_other() {
        for platform in Platform::ALL {
            for text in [platform.name().to_owned(), format!("{platform}-http")] {
                let arch = arch_of(&text);
                assert_eq!(arch.is_none(), text == "raspberry-pi-http", "{text}");
                if let Some(arch) = arch {
                    assert_eq!(Platform::of(arch, None, None), Some(platform), "{text}");
                    assert_eq!(arch.is_http(), text.ends_with("-http"), "{text}");
                }
            }
        }
        assert_eq!(arch_of("11"), Some(Arch::ARM64_UEFI));
        assert_eq!(arch_of("pdp11"), None);
    }

    #[test]
    fn a_raspberry_pi_that_says_bios_is_known_by_its_mac_or_its_uuid() {
        let board = MacAddr([0xdc, 0xa6, 0x32, 1, 2, 3]);
        let pc = MacAddr([0x52, 0x54, 0, 1, 2, 3]);
        let named = Uuid::from_bytes(*b"RPi4\x11\x31\xc0\x00\x12\x34\x56\x78\x9a\xbc\xde\xf0");
        let of = |mac, uuid| Platform::of(Arch::X86_BIOS, Some(mac), uuid);
        assert_eq!(of(board, None), Some(Platform::RaspberryPi));
        assert_eq!(of(pc, Some(named)), Some(Platform::RaspberryPi));
        assert_eq!(of(pc, None), Some(Platform::Bios));
        let uefi = Platform::of(Arch::ARM64_UEFI, Some(board), Some(named));
        assert_eq!(uefi, Some(Platform::Arm64));
    }
}
