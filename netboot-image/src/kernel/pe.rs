//! EFI programs: their PE header, and the compressed kernel that is one.

use super::{CMDLINE_LIMIT, Kernel, KernelError, KernelFormat, u16_at, u32_at};
use crate::Architecture;

/// The compressed EFI kernel: "MZ", two bytes, "zimg", then where the compressed payload is and how long.
pub(super) fn efi_zboot(head: &[u8], len: u64) -> Result<Kernel, KernelError> {
    let payload = u32_at(head, 8).zip(u32_at(head, 12));
    let expected = payload.map_or(0x40, |(offset, size)| u64::from(offset) + u64::from(size));
    if len < expected {
        return Err(KernelError::Truncated { len, expected });
    }
    let architecture = match pe_machine(head) {
        Some(PE_ARM64) => Architecture::Arm64,
        Some(PE_X86_64) => Architecture::X86_64,
        Some(_) => {
            return Err(KernelError::Unsupported {
                reason: "its architecture is neither x86 nor arm64",
            });
        }
        None => {
            return Err(KernelError::Unsupported {
                reason: "its PE header is missing",
            });
        }
    };
    Ok(Kernel {
        format: KernelFormat::EfiZboot,
        architecture,
        version: None,
        cmdline_limit: CMDLINE_LIMIT,
    })
}

/// Machine types of the PE format, "Machine Types" in Microsoft's specification.
pub(super) const PE_X86_64: u16 = 0x8664;
const PE_ARM64: u16 = 0xaa64;
#[cfg(all(unix, feature = "store"))]
const PE_I386: u16 = 0x014c;

impl Architecture {
    /// The processor of an EFI program with this beginning.
    #[cfg(all(unix, feature = "store"))]
    pub(crate) fn of_program(head: &[u8]) -> Option<Self> {
        match pe_machine(head)? {
            PE_X86_64 => Some(Self::X86_64),
            PE_I386 => Some(Self::I386),
            PE_ARM64 => Some(Self::Arm64),
            _ => None,
        }
    }
}

/// The machine of a PE program: "MZ", at 0x3c the offset of "PE\0\0", and the machine after it.
pub(super) fn pe_machine(head: &[u8]) -> Option<u16> {
    if !head.starts_with(b"MZ") {
        return None;
    }
    let header = usize::try_from(u32_at(head, 0x3c)?).ok()?;
    let machine = header.checked_add(4)?;
    (head.get(header..machine)? == b"PE\0\0")
        .then(|| u16_at(head, machine))
        .flatten()
}
