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
    use std::vec;

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

    #[test]
    fn uefi_platforms_are_those_whose_name_says_so() {
        // Itanium, Xscale and "ebc" have had no other firmware; the registry says it of some only.
        let unnamed = [2, 8, 9, 17];
        for arch in (0..=41).map(Arch) {
            let name = arch.name().unwrap().to_ascii_lowercase();
            let named = name.contains("uefi") || unnamed.contains(&arch.0);
            assert_eq!(arch.is_uefi(), named, "{arch:?}");
        }
    }

    #[test]
    fn http_platforms_are_those_whose_name_says_so() {
        for arch in (0..=41).map(Arch) {
            let named = arch.name().is_some_and(|name| name.ends_with("http"));
            assert_eq!(arch.is_http(), named, "{arch:?}");
        }
    }
}
