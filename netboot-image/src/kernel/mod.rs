//! What a Linux kernel says of itself in its own header: architecture, version, longest command
//! line.
//!
//! Three forms are known: the x86 `bzImage` (the kernel's `Documentation/arch/x86/boot.rst`), the
//! arm64 `Image` (`Documentation/arch/arm64/booting.rst`) and the compressed EFI kernel
//! (`drivers/firmware/efi/libstub/zboot-header.S`). What comes in is the beginning of a file and
//! the file's length; a file that is no kernel is refused with what it looks like instead, which
//! `kernel/looks.rs` tells.

mod bz_image;
mod looks;
mod zboot;

use crate::{Architecture, FileName};

pub use looks::Looks;

use bz_image::bz_image;
use zboot::efi_zboot;

/// A Linux kernel's header, checked.
///
/// ```
/// use netboot_image::{Kernel, KernelError, Looks};
///
/// // A vmlinux.gz is no bzImage, and the error says so.
/// let error = Kernel::decode(&[0x1f, 0x8b, 8, 0], 8_000_000).unwrap_err();
/// assert_eq!(error, KernelError::NotAKernel { looks: Looks::Gzip });
/// assert_eq!(error.to_string(), "not a Linux kernel: it looks like gzip data");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    format: KernelFormat,
    architecture: Architecture,
    version: Option<String>,
    cmdline_limit: u32,
}

/// The form of a kernel file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KernelFormat {
    /// The x86 boot protocol's compressed kernel.
    BzImage,
    /// The plain arm64 kernel.
    Image,
    /// A compressed kernel that is an EFI program (`vmlinuz.efi`), of any architecture; only EFI
    /// firmware starts it.
    EfiZboot,
}

/// Why a file is refused as a kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// It is something else.
    #[error("not a Linux kernel: it looks like {looks}")]
    NotAKernel {
        /// What it is.
        looks: Looks,
    },
    /// It begins as a kernel, and then stops short.
    #[error("kernel is cut short: {len} bytes of at least {expected}")]
    Truncated {
        /// The file's length in bytes.
        len: u64,
        /// What its header promises.
        expected: u64,
    },
    /// It is a kernel that network boot does not start.
    #[error("kernel cannot be booted: {reason}")]
    Unsupported {
        /// Why not.
        reason: &'static str,
    },
}

impl Kernel {
    /// How much of the beginning of a file [`decode`](Self::decode) looks at, in bytes: 64 KiB. A
    /// shorter piece is enough when the file is no longer.
    pub const HEAD_LEN: usize = 64 * 1024;

    /// Reads the header from the beginning of a file of `len` bytes.
    ///
    /// # Errors
    /// That it is no kernel, with what it looks like; that it is shorter than its header says; that
    /// it is a kernel which cannot be booted.
    pub fn decode(head: &[u8], len: u64) -> Result<Self, KernelError> {
        if head.get(0x202..0x206) == Some(b"HdrS") && head.get(0x1fe..0x200) == Some(&[0x55, 0xaa])
        {
            bz_image(head, len)
        } else if head.get(56..60) == Some(b"ARM\x64") {
            Ok(Self {
                format: KernelFormat::Image,
                architecture: Architecture::Arm64,
                version: None,
                cmdline_limit: CMDLINE_LIMIT,
            })
        } else if head.starts_with(b"MZ") && head.get(4..8) == Some(b"zimg") {
            efi_zboot(head, len)
        } else {
            Err(KernelError::NotAKernel {
                looks: Looks::like(head, len),
            })
        }
    }

    /// The form of the file.
    #[must_use]
    pub fn format(&self) -> KernelFormat {
        self.format
    }

    /// The processor that it runs on.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Its version as the header of a bzImage has it (`6.1.0-49-amd64 (builder) #1 SMP …`), at most
    /// 256 characters; the other forms do not say.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The longest command line that it takes, in bytes without the terminating NUL. From the
    /// header of a bzImage (255 before boot protocol 2.06); a constant of the kernel's sources
    /// elsewhere.
    #[must_use]
    pub fn cmdline_limit(&self) -> u32 {
        self.cmdline_limit
    }

    /// The name that the file goes by: `bzImage` on x86, else `Image`.
    #[must_use]
    pub fn file_name(&self) -> FileName {
        FileName::of_image(match self.architecture {
            Architecture::X86_64 | Architecture::I386 => "bzImage",
            Architecture::Arm64 => "Image",
        })
    }
}

/// `COMMAND_LINE_SIZE` of arm64 and x86 less the NUL (`arch/*/include/uapi/asm/setup.h`).
pub(crate) const CMDLINE_LIMIT: u32 = 2047;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A bzImage's first sectors, written by hand from boot.rst: protocol 2.15, one setup sector,
    /// 16 bytes of protected-mode code, XLF_KERNEL_64.
    pub(crate) fn tiny_bz_image() -> Vec<u8> {
        let mut image = vec![0; 1024 + 16];
        image[0x1f1] = 1;
        image[0x1f4] = 1;
        image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206..0x208].copy_from_slice(&[0x0f, 0x02]);
        image[0x20e..0x210].copy_from_slice(&[0x00, 0x01]);
        image[0x211] = 1;
        image[0x236] = 1;
        image[0x238..0x23c].copy_from_slice(&[0xff, 0x07, 0, 0]);
        image[0x300..0x30d].copy_from_slice(b"6.1.0-test #1");
        image
    }

    fn read(image: &[u8]) -> Result<Kernel, KernelError> {
        Kernel::decode(image, u64::try_from(image.len()).expect("a small file"))
    }

    #[test]
    fn a_bz_image_tells_architecture_version_and_command_line_limit() {
        let kernel = read(&tiny_bz_image()).expect("a bzImage");
        assert_eq!(kernel.format(), KernelFormat::BzImage);
        assert_eq!(kernel.architecture(), Architecture::X86_64);
        assert_eq!(kernel.version(), Some("6.1.0-test #1"));
        assert_eq!(kernel.cmdline_limit(), 2047);
        assert_eq!(kernel.file_name(), "bzImage");
    }

    #[test]
    fn a_32_bit_bz_image_is_i386() {
        let mut image = tiny_bz_image();
        image[0x236] = 0;
        assert_eq!(
            read(&image).map(|kernel| kernel.architecture()),
            Ok(Architecture::I386)
        );
    }

    #[test]
    fn before_protocol_2_06_a_command_line_has_255_bytes() {
        let mut image = tiny_bz_image();
        image[0x206] = 0x05;
        assert_eq!(read(&image).map(|kernel| kernel.cmdline_limit()), Ok(255));
    }

    #[test]
    fn a_bz_image_that_stops_short_is_refused() {
        let image = tiny_bz_image();
        let short = &image[..image.len() - 1];
        assert_eq!(
            read(short),
            Err(KernelError::Truncated {
                len: 1039,
                expected: 1040
            })
        );
        let mut no_setup_sects = image.clone();
        no_setup_sects[0x1f1] = 0;
        assert_eq!(
            read(&no_setup_sects),
            Err(KernelError::Truncated {
                len: 1040,
                expected: 2576
            })
        );
    }

    #[test]
    fn a_z_image_and_a_kernel_before_2_4_are_refused() {
        let mut image = tiny_bz_image();
        image[0x211] = 0;
        assert!(matches!(read(&image), Err(KernelError::Unsupported { .. })));
        let mut image = tiny_bz_image();
        image[0x206] = 0x01;
        assert!(matches!(read(&image), Err(KernelError::Unsupported { .. })));
    }

    #[test]
    fn the_arm64_image_and_the_compressed_efi_kernel_are_known() {
        let mut image = vec![0; 64];
        image[56..60].copy_from_slice(b"ARM\x64");
        let kernel = read(&image).expect("an arm64 Image");
        assert_eq!(
            (kernel.format(), kernel.architecture()),
            (KernelFormat::Image, Architecture::Arm64)
        );
        assert_eq!(kernel.file_name(), "Image");

        // zboot-header.S: MZ, 0, "zimg", payload offset 0x80, payload size 8; PE header at 0x40
        // with machine AA64.
        let mut image = vec![0; 0x88];
        image[..2].copy_from_slice(b"MZ");
        image[4..8].copy_from_slice(b"zimg");
        image[8] = 0x80;
        image[12] = 8;
        image[0x3c] = 0x40;
        image[0x40..0x46].copy_from_slice(b"PE\0\0\x64\xaa");
        let kernel = read(&image).expect("a compressed EFI kernel");
        assert_eq!(
            (kernel.format(), kernel.architecture()),
            (KernelFormat::EfiZboot, Architecture::Arm64)
        );
        assert!(matches!(
            read(&image[..0x87]),
            Err(KernelError::Truncated { .. })
        ));
        image[0x44..0x46].copy_from_slice(&[0x64, 0x50]);
        assert!(matches!(read(&image), Err(KernelError::Unsupported { .. })));
    }

    #[test]
    #[ignore = "needs /usr/lib/debian-installer of the Debian package debian-installer-12-netboot-amd64"]
    fn the_kernel_of_the_debian_installer_is_read() {
        let path = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux";
        let image = std::fs::read(path).expect("the kernel");
        let kernel = read(&image).expect("a bzImage");
        assert_eq!(kernel.architecture(), Architecture::X86_64);
        assert_eq!(kernel.cmdline_limit(), 2047);
        assert!(
            kernel
                .version()
                .is_some_and(|version| version.starts_with("6.1.0-")),
            "{kernel:?}"
        );
        let half = &image[..image.len() / 2];
        assert!(matches!(read(half), Err(KernelError::Truncated { .. })));
    }
}
