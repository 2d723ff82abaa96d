//! Option 93: which platforms a client can boot (RFC 4578 section 2.1, and the IANA registry
//! "Processor Architecture Types").

use super::{Value, ValueError, items};
use alloc::vec::Vec;
use core::fmt;

/// A client's platform: an open registry.
///
/// RFC 4578 and the registry differ on 7 and 9; firmware for x86-64 sends either, so both count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Arch(pub u16);

macro_rules! archs {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl Arch {
            $(#[doc = concat!($text, ".")] pub const $name: Self = Self($value);)*

            /// The registered name, where there is one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

archs! {
    X86_BIOS = 0, "x86 BIOS";
    NEC_PC98 = 1, "NEC/PC98";
    ITANIUM = 2, "Itanium";
    ALPHA = 3, "DEC Alpha";
    ARC_X86 = 4, "Arc x86";
    INTEL_LEAN_CLIENT = 5, "Intel Lean Client";
    X86_UEFI = 6, "x86 UEFI";
    X64_UEFI = 7, "x64 UEFI";
    XSCALE = 8, "EFI Xscale";
    EBC = 9, "EBC";
    ARM32_UEFI = 10, "ARM 32-bit UEFI";
    ARM64_UEFI = 11, "ARM 64-bit UEFI";
    POWERPC_OPENFW = 12, "PowerPC Open Firmware";
    POWERPC_EPAPR = 13, "PowerPC ePAPR";
    POWER_OPAL = 14, "POWER OPAL v3";
    X86_UEFI_HTTP = 15, "x86 uefi boot from http";
    X64_UEFI_HTTP = 16, "x64 uefi boot from http";
    EBC_HTTP = 17, "ebc boot from http";
    ARM32_UEFI_HTTP = 18, "arm uefi 32 boot from http";
    ARM64_UEFI_HTTP = 19, "arm uefi 64 boot from http";
    X86_BIOS_HTTP = 20, "pc/at bios boot from http";
    ARM32_UBOOT = 21, "arm 32 uboot";
    ARM64_UBOOT = 22, "arm 64 uboot";
    ARM32_UBOOT_HTTP = 23, "arm uboot 32 boot from http";
    ARM64_UBOOT_HTTP = 24, "arm uboot 64 boot from http";
    RISCV32_UEFI = 25, "RISC-V 32-bit UEFI";
    RISCV32_UEFI_HTTP = 26, "RISC-V 32-bit UEFI boot from http";
    RISCV64_UEFI = 27, "RISC-V 64-bit UEFI";
    RISCV64_UEFI_HTTP = 28, "RISC-V 64-bit UEFI boot from http";
    RISCV128_UEFI = 29, "RISC-V 128-bit UEFI";
    RISCV128_UEFI_HTTP = 30, "RISC-V 128-bit UEFI boot from http";
    S390_BASIC = 31, "s390 Basic";
    S390_EXTENDED = 32, "s390 Extended";
    MIPS32_UEFI = 33, "MIPS 32-bit UEFI";
    MIPS64_UEFI = 34, "MIPS 64-bit UEFI";
    SUNWAY32_UEFI = 35, "Sunway 32-bit UEFI";
    SUNWAY64_UEFI = 36, "Sunway 64-bit UEFI";
    LOONGARCH32_UEFI = 37, "LoongArch 32-bit UEFI";
    LOONGARCH32_UEFI_HTTP = 38, "LoongArch 32-bit UEFI boot from http";
    LOONGARCH64_UEFI = 39, "LoongArch 64-bit UEFI";
    LOONGARCH64_UEFI_HTTP = 40, "LoongArch 64-bit UEFI boot from http";
    ARM_RPIBOOT = 41, "arm rpiboot";
}

impl Arch {
    /// Whether the platform's firmware is UEFI.
    #[must_use]
    pub const fn is_uefi(self) -> bool {
        matches!(self.0, 2 | 6..=11 | 15..=19 | 25..=30 | 33..=40)
    }

    /// Whether it is U-Boot that says so of itself.
    #[must_use]
    pub const fn is_u_boot(self) -> bool {
        matches!(self.0, 21..=24)
    }

    /// Whether the platform asks for its program by HTTP.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self.0, 15..=20 | 23 | 24 | 26 | 28 | 30 | 38 | 40)
    }
}

/// At least one platform.
impl Value for Vec<Arch> {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        items::<2, _>(data, |arch| Arch(u16::from_be_bytes(arch)))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.iter().flat_map(|arch| arch.0.to_be_bytes()));
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "arch {}", self.0),
        }
    }
}

impl fmt::Debug for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arch({} {self})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{string::ToString, vec};

    #[test]
    fn option_93_is_a_list() {
        assert_eq!(
            Vec::<Arch>::decode(&[0, 7, 0, 9]),
            Ok(vec![Arch::X64_UEFI, Arch::EBC])
        );
        assert_eq!(
            Vec::<Arch>::decode(&[0, 7, 0]),
            Err(ValueError::ListLength { item: 2, found: 3 })
        );
    }

    /// The registry's rows, each with whether it is UEFI, and whether it loads by HTTP.
    const REGISTRY: [(u16, &str, bool, bool); 42] = [
        (0x00, "x86 BIOS", false, false),
        (0x01, "NEC/PC98", false, false),
        (0x02, "Itanium", true, false),
        (0x03, "DEC Alpha", false, false),
        (0x04, "Arc x86", false, false),
        (0x05, "Intel Lean Client", false, false),
        (0x06, "x86 UEFI", true, false),
        (0x07, "x64 UEFI", true, false),
        (0x08, "EFI Xscale", true, false),
        (0x09, "EBC", true, false),
        (0x0a, "ARM 32-bit UEFI", true, false),
        (0x0b, "ARM 64-bit UEFI", true, false),
        (0x0c, "PowerPC Open Firmware", false, false),
        (0x0d, "PowerPC ePAPR", false, false),
        (0x0e, "POWER OPAL v3", false, false),
        (0x0f, "x86 uefi boot from http", true, true),
        (0x10, "x64 uefi boot from http", true, true),
        (0x11, "ebc boot from http", true, true),
        (0x12, "arm uefi 32 boot from http", true, true),
        (0x13, "arm uefi 64 boot from http", true, true),
        (0x14, "pc/at bios boot from http", false, true),
        (0x15, "arm 32 uboot", false, false),
        (0x16, "arm 64 uboot", false, false),
        (0x17, "arm uboot 32 boot from http", false, true),
        (0x18, "arm uboot 64 boot from http", false, true),
        (0x19, "RISC-V 32-bit UEFI", true, false),
        (0x1a, "RISC-V 32-bit UEFI boot from http", true, true),
        (0x1b, "RISC-V 64-bit UEFI", true, false),
        (0x1c, "RISC-V 64-bit UEFI boot from http", true, true),
        (0x1d, "RISC-V 128-bit UEFI", true, false),
        (0x1e, "RISC-V 128-bit UEFI boot from http", true, true),
        (0x1f, "s390 Basic", false, false),
        (0x20, "s390 Extended", false, false),
        (0x21, "MIPS 32-bit UEFI", true, false),
        (0x22, "MIPS 64-bit UEFI", true, false),
        (0x23, "Sunway 32-bit UEFI", true, false),
        (0x24, "Sunway 64-bit UEFI", true, false),
        (0x25, "LoongArch 32-bit UEFI", true, false),
        (0x26, "LoongArch 32-bit UEFI boot from http", true, true),
        (0x27, "LoongArch 64-bit UEFI", true, false),
        (0x28, "LoongArch 64-bit UEFI boot from http", true, true),
        (0x29, "arm rpiboot", false, false),
    ];

    #[test]
    fn every_row_of_the_registry_is_known() {
        for (number, name, uefi, http) in REGISTRY {
            let arch = Arch(number);
            assert_eq!(arch.to_string(), name);
            assert_eq!((arch.is_uefi(), arch.is_http()), (uefi, http), "{name}");
        }
        assert_eq!(Arch(0x2a).to_string(), "arch 42");
    }
}
