#![doc = include_str!("../README.md")]

mod digest;
mod kernel;
mod manifest;
mod name;
#[cfg(all(unix, feature = "store"))]
mod store;
mod sums;

pub use digest::{CopyError, Digest, DigestError, Hasher, copy};
pub use kernel::{Kernel, KernelError, KernelFormat, Looks};
pub use manifest::{
    Architecture, Boot, Generation, GenerationError, ImageFile, LinuxBoot, Manifest, ManifestError,
    ManifestVersion, Source,
};
pub use name::{FileName, ImageName, NameError};
#[cfg(all(unix, feature = "store"))]
pub use store::{
    Content, Damage, FileRef, FileRefError, Input, Keep, Listing, NewImage, OpenFile, Problem,
    Progress, Published, Report, Revision, Step, Store, StoreError, Verifying,
};
pub use sums::{Sha256Sums, SumsEntry, SumsError, SumsErrorReason, SumsForm};
