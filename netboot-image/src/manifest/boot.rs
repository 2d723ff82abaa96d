//! The kinds of images: what a machine does with one, and which files or address that takes.

use super::{Extra, ImageFile};

/// What a machine does with an image.
///
/// A manifest of a kind that a later version knows is
/// [`ManifestError::Kind`](crate::ManifestError::Kind) for this one.
///
/// ```
/// use netboot_image::{BootMethod, Manifest};
///
/// let manifest = Manifest::decode(br#"{
///     "version": "1.0", "name": "elsewhere", "generation": 1, "created": "2026-11-23T05:26:58Z",
///     "kind": "chain", "url": "http://boot.example/menu.ipxe"
/// }"#)?;
/// let BootMethod::Chain(chain) = manifest.boot() else { unreachable!() };
/// assert_eq!(chain.url(), "http://boot.example/menu.ipxe");
/// assert_eq!((manifest.files().count(), manifest.architecture()), (0, None));
/// # Ok::<(), netboot_image::ManifestError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BootMethod {
    /// Loads a Linux kernel and its initial RAM disks. In JSON: `"kind": "linux"`.
    Linux(LinuxImage),
    /// Starts an EFI program, such as a boot loader, a memory test or a unified kernel. `"kind":
    /// "efi"`.
    Efi(EfiImage),
    /// Goes on with what is at another address. `"kind": "chain"`.
    Chain(ChainImage),
    /// Boots from a disc image, as from a drive. `"kind": "iso"`.
    Iso(IsoImage),
}

/// A Linux kernel, its initial RAM disks and its command line.
#[derive(Debug, Clone, PartialEq)]
pub struct LinuxImage {
    pub(crate) kernel: ImageFile,
    pub(crate) kernel_version: Option<String>,
    pub(crate) cmdline_limit: u32,
    pub(crate) initrds: Vec<ImageFile>,
    pub(crate) cmdline: Vec<String>,
}

/// An EFI program, and what it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct EfiImage {
    pub(crate) program: ImageFile,
    pub(crate) unified: Option<UnifiedKernel>,
    pub(crate) cmdline: Vec<String>,
}

/// What a unified kernel (UKI) says of itself: it is an EFI program with a kernel in its section
/// `.linux`, which systemd's stub starts.
///
/// The stub gives the kernel the command line of its section `.cmdline`, unless it is told another
/// one: that is then the whole. iPXE always tells one. Where Secure Boot is on, the stub keeps to
/// its section, if it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct UnifiedKernel {
    pub(crate) cmdline_limit: u32,
    pub(crate) cmdline: Vec<String>,
    pub(crate) extra: Extra,
}

/// The address of a boot script or boot program that is not in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainImage {
    pub(crate) url: String,
}

/// A disc image.
#[derive(Debug, Clone, PartialEq)]
pub struct IsoImage {
    pub(crate) disc: ImageFile,
}

impl BootMethod {
    /// The word for it in a manifest: `linux`, `efi`, `chain` or `iso`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Linux(_) => "linux",
            Self::Efi(_) => "efi",
            Self::Chain(_) => "chain",
            Self::Iso(_) => "iso",
        }
    }

    /// The files of the store that it loads, in their order.
    pub fn files(&self) -> impl Iterator<Item = &ImageFile> {
        let (first, rest) = match self {
            Self::Linux(linux) => (Some(&linux.kernel), linux.initrds.as_slice()),
            Self::Efi(efi) => (Some(&efi.program), &[][..]),
            Self::Chain(_) => (None, &[][..]),
            Self::Iso(iso) => (Some(&iso.disc), &[][..]),
        };
        first.into_iter().chain(rest)
    }
}

impl LinuxImage {
    /// The most initial RAM disks of one image.
    pub const MAX_INITRDS: usize = 32;

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &ImageFile {
        &self.kernel
    }

    /// The kernel's own account of its version, as far as its header has it: `6.1.0-49-amd64 (…) #1
    /// SMP …`.
    #[must_use]
    pub fn kernel_version(&self) -> Option<&str> {
        self.kernel_version.as_deref()
    }

    /// The longest command line that the kernel takes, in bytes; it cuts what is longer without a
    /// word. Whoever adds arguments must count against it.
    #[must_use]
    pub fn cmdline_limit(&self) -> u32 {
        self.cmdline_limit
    }

    /// The initial RAM disks, in the order in which the kernel unpacks them.
    #[must_use]
    pub fn initrds(&self) -> &[ImageFile] {
        &self.initrds
    }

    /// The kernel command line, one argument an item. An argument holds white space only between
    /// double quotes, and no control characters.
    #[must_use]
    pub fn cmdline(&self) -> &[String] {
        &self.cmdline
    }
}

impl EfiImage {
    /// The program.
    #[must_use]
    pub fn program(&self) -> &ImageFile {
        &self.program
    }

    /// What it is as a unified kernel; `None` for any other program, and for an image that was
    /// published before this was looked at.
    #[must_use]
    pub fn unified(&self) -> Option<&UnifiedKernel> {
        self.unified.as_ref()
    }

    /// The arguments that were added to it, without those of a unified kernel's own.
    #[must_use]
    pub fn cmdline(&self) -> &[String] {
        &self.cmdline
    }

    /// All arguments that it is to be given, one an item: a unified kernel's own, then those that
    /// were added.
    pub fn arguments(&self) -> impl Iterator<Item = &String> {
        let own = self.unified.iter().flat_map(|unified| &unified.cmdline);
        own.chain(&self.cmdline)
    }
}

impl UnifiedKernel {
    /// The longest command line that its kernel takes, in bytes.
    #[must_use]
    pub fn cmdline_limit(&self) -> u32 {
        self.cmdline_limit
    }

    /// The command line in its section `.cmdline`, one argument an item; none where it has no such
    /// section.
    #[must_use]
    pub fn cmdline(&self) -> &[String] {
        &self.cmdline
    }
}

impl ChainImage {
    /// The longest address, in bytes.
    pub const MAX_URL: usize = 2048;

    /// The schemes that an address may have: those that iPXE loads from.
    pub const SCHEMES: [&str; 5] = ["http", "https", "tftp", "ftp", "nfs"];

    /// The address: absolute, of one of the [`SCHEMES`](Self::SCHEMES), without white space or iPXE
    /// settings.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is wrong with an address, if anything.
    pub(super) fn fault(url: &str) -> Option<&'static str> {
        let known = url.split_once("://").filter(|(scheme, _)| {
            Self::SCHEMES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(scheme))
        });
        match known {
            _ if url.len() > Self::MAX_URL => Some("is longer than 2048 bytes"),
            _ if !url.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Some("holds white space or what is not ASCII")
            }
            _ if url.contains("${") => Some("holds an iPXE setting"),
            None => Some("is not an absolute http, https, tftp, ftp or nfs URL"),
            Some((_, rest)) if rest.starts_with(['/', '?', '#']) || rest.is_empty() => {
                Some("names no host")
            }
            Some(_) => None,
        }
    }
}

impl IsoImage {
    /// The disc image.
    #[must_use]
    pub fn disc(&self) -> &ImageFile {
        &self.disc
    }
}
