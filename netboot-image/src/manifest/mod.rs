//! What an image is, as its `manifest.json` says it.
//!
//! A [`Manifest`] cannot be wrong: JSON comes in raw, is checked as a whole and only then becomes
//! one, and one that is made here goes through the same checks. Fields that this version does not
//! know are kept and written back, at every level. There is no clock here: `created` is what the
//! caller said. The JSON itself is in `manifest/json.rs`, and its schema in `manifest.schema.json`
//! beside the crate's `Cargo.toml`.

mod boot;
mod check;
mod generation;
mod json;
mod signed;
mod time;

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{Digest, FileName, ImageName};

pub use boot::{BootMethod, ChainImage, EfiImage, IsoImage, LinuxImage, UnifiedKernel};
#[cfg(all(unix, feature = "store"))]
pub(crate) use check::check;
pub use generation::{Generation, GenerationError};
pub(crate) use json::Extra;
pub use signed::{Signature, SignatureForm};
#[cfg(all(unix, feature = "store"))]
pub(crate) use time::created;

/// An image's description: what it boots, from which files, with which digests.
///
/// ```
/// use netboot_image::{BootMethod, Manifest};
///
/// let manifest = Manifest::decode(br#"{
///     "version": "1.0", "name": "rescue", "generation": 3, "created": "2026-11-23T05:26:58Z",
///     "architecture": "x86_64", "kind": "linux",
///     "kernel": { "file": "bzImage", "size": 3, "cmdline_limit": 2047,
///                 "digest": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
///     "initrds": [],
///     "cmdline": ["console=ttyS0", "quiet"],
///     "signed_by": "a field of a later version"
/// }"#)?;
/// assert_eq!(manifest.label(), "rescue");
/// let BootMethod::Linux(linux) = manifest.boot() else { unreachable!() };
/// assert_eq!(linux.cmdline().join(" "), "console=ttyS0 quiet");
/// assert!(manifest.to_json().contains("signed_by"));
/// # Ok::<(), netboot_image::ManifestError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub(crate) version: ManifestVersion,
    pub(crate) name: ImageName,
    pub(crate) generation: Generation,
    pub(crate) created: SystemTime,
    pub(crate) label: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) architecture: Option<Architecture>,
    pub(crate) boot: BootMethod,
    pub(crate) files: Vec<ImageFile>,
    pub(crate) signatures: Vec<Signature>,
    pub(crate) source: Option<Source>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) extra: Extra,
}

/// One file of an image: its name, size and digest.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageFile {
    pub(crate) name: FileName,
    pub(crate) size: u64,
    pub(crate) digest: Digest,
    pub(crate) extra: Extra,
}

/// Where an image came from: for people, and never used to boot it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Source {
    pub(crate) tool: Option<String>,
    pub(crate) from: Vec<String>,
    pub(crate) extra: Extra,
}

/// The processor that an image is for, named as Linux distributions do: `x86_64`, `i386`, `arm64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 32-bit x86, which also runs on 64-bit machines.
    #[serde(rename = "i386")]
    I386,
    /// 64-bit ARM.
    #[serde(rename = "arm64")]
    Arm64,
}

/// The version of a manifest's form: `1.1` now. A later minor version adds fields, which are kept
/// though not understood; a later major version is refused. Since 1.1 an EFI program may have
/// arguments (`program.cmdline`, `program.unified`): a reader of 1.0 starts it without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestVersion {
    /// Refused when above 1.
    pub major: u16,
    /// Any is read.
    pub minor: u16,
}

/// Why a manifest, or what was to become one, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is longer than [`Manifest::MAX_LEN`].
    #[error("manifest of {len} bytes is longer than {max}", max = Manifest::MAX_LEN)]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// It is no JSON, or a field is missing or of the wrong type.
    #[error("manifest at line {line}, column {column}: {message}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A later major version wrote it.
    #[error("manifest version {version:?} is not 1.x")]
    Version {
        /// What stands in the field.
        version: String,
    },
    /// This version does not know the kind of image.
    #[error("images of kind {kind:?} are not known to this version")]
    Kind {
        /// What stands in the field.
        kind: String,
    },
    /// The kind of image needs the field.
    #[error("an image of kind {kind} needs the field {field}")]
    Missing {
        /// The kind.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// The field belongs to another kind of image.
    #[error("an image of kind {kind} has no field {field}")]
    Foreign {
        /// The kind.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field's value does not fit.
    #[error("{field} {value:?}: {reason}")]
    Value {
        /// Where in the manifest.
        field: &'static str,
        /// The value, cut at 80 characters.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Manifest {
    /// The longest manifest that is read, in bytes: 1 MiB.
    pub const MAX_LEN: usize = 1 << 20;

    /// The most files beside those that are booted.
    pub const MAX_FILES: usize = 256;

    /// The most annotations.
    pub const MAX_ANNOTATIONS: usize = 64;

    /// The most signatures.
    pub const MAX_SIGNATURES: usize = 1024;

    /// Reads and checks the text of a `manifest.json`.
    ///
    /// # Errors
    /// What is wrong with it: the JSON, a field, or how fields go together.
    pub fn decode(text: &[u8]) -> Result<Self, ManifestError> {
        json::read(text)
    }

    /// The text of `manifest.json`: indented JSON that ends in a line feed, with the fields of
    /// later versions that were read. The same manifest always gives the same text.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::write(self)
    }

    /// The version of the form it was read in.
    #[must_use]
    pub fn version(&self) -> ManifestVersion {
        self.version
    }

    /// The image's name.
    #[must_use]
    pub fn name(&self) -> &ImageName {
        &self.name
    }

    /// Which publication of the image this is.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// When it was published, in whole seconds, as the publisher's clock had it.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// What a menu calls it: one line of at most 200 bytes; the name where no label was given.
    #[must_use]
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(self.name.as_str())
    }

    /// A longer text for people, at most 4096 bytes.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The processor it is for, as the header of its kernel or program says; a URL and a disc do
    /// not tell.
    #[must_use]
    pub fn architecture(&self) -> Option<Architecture> {
        self.architecture
    }

    /// What a machine does with it.
    #[must_use]
    pub fn boot(&self) -> &BootMethod {
        &self.boot
    }

    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// What whoever published it has noted, by key; nothing of it is used to boot.
    ///
    /// At most [`MAX_ANNOTATIONS`](Self::MAX_ANNOTATIONS). A key is 1 to 128 ASCII letters, digits
    /// and `._-/`, best with a domain of one's own before a `/`; a value is text of at most 4096
    /// bytes, without control characters other than line feeds.
    #[must_use]
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// The files that are served beside those that are booted: a squashfs, a preseed or Ignition
    /// file, cloud-init's seeds. At most [`MAX_FILES`](Self::MAX_FILES).
    #[must_use]
    pub fn beside(&self) -> &[ImageFile] {
        &self.files
    }

    /// The detached signatures that stand beside the files. That one is listed says nothing about
    /// whether it holds.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Every file of the image: those that are booted, the kernel first, then those beside, then
    /// the signatures over them. `SHA256SUMS`, `manifest.json` and the signatures over `SHA256SUMS`
    /// are not among them.
    pub fn files(&self) -> impl Iterator<Item = &ImageFile> {
        let signatures = self.signatures.iter().filter_map(Signature::listed);
        self.contents().chain(signatures)
    }

    /// The files without the signatures over them.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &ImageFile> {
        self.boot.files().chain(&self.files)
    }

    /// Whether a file of this name is a signature over `SHA256SUMS`, which cannot list it.
    #[cfg(all(unix, feature = "store"))]
    pub(crate) fn has_unlisted(&self, name: &str) -> bool {
        self.signatures
            .iter()
            .any(|signature| signature.listed.is_none() && signature.file == *name)
    }

    /// The file of that name, if it is one of [`files`](Self::files).
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&ImageFile> {
        self.files().find(|file| file.name == *name)
    }
}

impl ImageFile {
    /// Its name in the image's directory.
    #[must_use]
    pub fn name(&self) -> &FileName {
        &self.name
    }

    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Source {
    /// A source: the program that made the image, and the paths or URLs that it took.
    ///
    /// ```
    /// let source = netboot_image::Source::new("netboot image add", ["/boot/vmlinuz", "/boot/initrd.img"]);
    /// assert_eq!(source.from().len(), 2);
    /// ```
    pub fn new<T: Into<String>>(
        tool: impl Into<String>,
        from: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            tool: Some(tool.into()),
            from: from.into_iter().map(Into::into).collect(),
            extra: Extra::default(),
        }
    }

    /// The program that made the image.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        self.tool.as_deref()
    }

    /// The paths or URLs that the files were taken from.
    #[must_use]
    pub fn from(&self) -> &[String] {
        &self.from
    }
}

impl Architecture {
    /// The name, as in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::I386 => "i386",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ManifestVersion {
    /// The version that this crate writes for a new image.
    pub const CURRENT: Self = Self { major: 1, minor: 1 };
}

impl fmt::Display for ManifestVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
