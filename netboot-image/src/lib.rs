#![doc = include_str!("../README.md")]

mod boot_line;
mod bytes;
mod copy;
mod digest;
#[cfg(all(unix, feature = "store"))]
mod import;
mod kernel;
mod manifest;
mod name;
mod pe;
#[cfg(all(unix, feature = "store"))]
mod signature;
#[cfg(all(unix, feature = "store"))]
mod store;
mod sums;

pub use boot_line::{BootLine, BootLineError, split_cmdline};
pub use copy::{CopyError, Hasher, copy};
pub use digest::{Digest, DigestError};
#[cfg(all(unix, feature = "store"))]
pub use import::{Import, ImportError, Links};
pub use kernel::{Kernel, KernelError, KernelFormat, Looks};
pub use manifest::{
    Architecture, BootMethod, ChainImage, EfiImage, Generation, GenerationError, ImageFile,
    IsoImage, LinuxImage, Manifest, ManifestError, ManifestVersion, Signature, SignatureForm,
    Source, UnifiedKernel,
};
pub use name::{FileName, ImageName, NameError};
pub use pe::{Pe, PeMachine, PeSection};
#[cfg(all(unix, feature = "store"))]
pub use signature::{SignatureError, Signer, Trust};
#[cfg(all(unix, feature = "store"))]
pub use store::{
    Damage, FileRef, FileRefError, FileRole, Input, Keep, Listing, NewImage, OpenFile, Progress,
    Published, Report, Revision, SignatureReport, Step, Store, StoreError, UnusableImage,
    Verifying, open_source,
};
pub use sums::{Sha256Sums, SumsEntry, SumsError, SumsErrorReason, SumsForm};
