//! The compressed kernel that is an EFI program.

use super::{CMDLINE_LIMIT, Kernel, KernelError, KernelFormat};
use crate::bytes::u32_at;
use crate::{Architecture, Pe};

/// Reads its beginning: "MZ", two bytes, "zimg", then where the compressed payload is and how long.
pub(super) fn efi_zboot(head: &[u8], len: u64) -> Result<Kernel, KernelError> {
    let payload = u32_at(head, 8).zip(u32_at(head, 12));
    let expected = payload.map_or(0x40, |(offset, size)| u64::from(offset) + u64::from(size));
    if len < expected {
        return Err(KernelError::Truncated { len, expected });
    }
    let Some(pe) = Pe::decode(head) else {
        return Err(KernelError::Unsupported {
            reason: "its PE header is missing",
        });
    };
    let Some(architecture @ (Architecture::Arm64 | Architecture::X86_64)) =
        pe.machine().architecture()
    else {
        return Err(KernelError::Unsupported {
            reason: "its architecture is neither x86 nor arm64",
        });
    };
    Ok(Kernel {
        format: KernelFormat::EfiZboot,
        architecture,
        version: None,
        cmdline_limit: CMDLINE_LIMIT,
    })
}
