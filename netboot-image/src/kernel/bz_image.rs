//! The header of a bzImage, as the kernel's `Documentation/arch/x86/boot.rst` has it.

use super::{Kernel, KernelError, KernelFormat};
use crate::bytes::{u16_at, u32_at};
use crate::{Architecture, Pe, PeMachine};

/// Reads it from the beginning of a file of `len` bytes.
pub(super) fn bz_image(head: &[u8], len: u64) -> Result<Kernel, KernelError> {
    let protocol = u16_at(head, 0x206).unwrap_or(0);
    if protocol < 0x0202 {
        return Err(KernelError::Unsupported {
            reason: "its boot protocol is older than 2.02 (Linux 2.4)",
        });
    }
    let load_flags = head.get(0x211).copied().unwrap_or(0);
    if load_flags & 1 == 0 {
        return Err(KernelError::Unsupported {
            reason: "it is a zImage, which loads below 1 MiB",
        });
    }
    // A setup_sects of 0 stands for 4, as boot.rst has it.
    let setup_sects = match head.get(0x1f1).copied().unwrap_or(0) {
        0 => 4,
        sects => u64::from(sects),
    };
    if protocol >= 0x0204 {
        let paragraphs = u64::from(u32_at(head, 0x1f4).unwrap_or(0));
        let expected = (setup_sects + 1) * 512 + paragraphs * 16;
        if len < expected {
            return Err(KernelError::Truncated { len, expected });
        }
    }
    let cmdline_limit = match (protocol >= 0x0206).then(|| u32_at(head, 0x238)).flatten() {
        Some(limit) if limit > 0 => limit,
        _ => 255,
    };
    let is_64_bit = match protocol >= 0x020c {
        true => u16_at(head, 0x236).unwrap_or(0) & 1 == 1,
        false => Pe::decode(head).is_some_and(|pe| pe.machine() == PeMachine::X86_64),
    };
    Ok(Kernel {
        format: KernelFormat::BzImage,
        architecture: if is_64_bit {
            Architecture::X86_64
        } else {
            Architecture::I386
        },
        version: bz_image_version(head),
        cmdline_limit,
    })
}

/// The text at 0x200 plus the header's `kernel_version`; 0 there means that there is none.
fn bz_image_version(head: &[u8]) -> Option<String> {
    let offset = u16_at(head, 0x20e).filter(|&offset| offset != 0)?;
    let text = head.get(usize::from(offset) + 0x200..)?;
    let text = text.get(..text.iter().position(|&byte| byte == 0)?)?;
    let text: String = text
        .iter()
        .map(|&byte| char::from(byte))
        .filter(|c| c.is_ascii() && !c.is_ascii_control())
        .collect();
    let text = text.trim();
    (!text.is_empty() && text.len() <= 256).then(|| text.to_owned())
}
