//! Verification: whether the bytes in the store are still those that were published.

use std::ops::ControlFlow;

use super::{Store, StoreError};
use crate::{Digest, Generation, ImageName};

/// What a verification of one image found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The image; text, since a broken one may have a name that is none.
    pub name: String,
    /// The generation that was verified; `None` when that could not be told.
    pub generation: Option<Generation>,
    /// Files that were read.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What is wrong; empty when all is well.
    pub damage: Vec<Damage>,
}

/// One thing that is wrong with an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// A file's content is another one.
    #[error("{file}: expected {expected}, found {found}")]
    Changed {
        /// Its name.
        file: String,
        /// The digest that the manifest gives.
        expected: Digest,
        /// The digest that it has.
        found: Digest,
    },
    /// A file is not there.
    #[error("{file}: missing, expected {expected}")]
    Missing {
        /// Its name.
        file: String,
        /// The digest that the manifest gives.
        expected: Digest,
    },
    /// A file is there that the manifest does not list.
    #[error("{file}: not in the manifest")]
    Extra {
        /// Its name, as far as it is text.
        file: String,
    },
    /// `SHA256SUMS` is not the one that goes with the manifest.
    #[error("SHA256SUMS does not say what manifest.json says")]
    Sums,
    /// Something could not be read.
    #[error("{0}")]
    Unreadable(StoreError),
}

/// How far a verification is, over all images of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verifying<'a> {
    /// The image whose bytes were just read.
    pub image: &'a str,
    /// The file whose bytes were just read.
    pub file: &'a str,
    /// Bytes read so far.
    pub done: u64,
    /// Bytes to be read in all.
    pub total: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
    }
}

impl Store {
    /// Reads every file of an image's current generation, or of the one given, and compares it with the manifest.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], [`StoreError::NoSuchGeneration`], [`StoreError::Cancelled`]; damage is no error but
    /// stands in the report.
    pub fn verify(
        &self,
        name: &ImageName,
        generation: Option<Generation>,
        progress: &(dyn Fn(Verifying<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Report, StoreError> {
        let _ = (name, generation, progress);
        unimplemented!("skeleton")
    }

    /// Verifies the current generation of every image, several files at a time on as many threads as there are
    /// processors. What [`list`](Self::list) gives as problems is in the reports as damage.
    ///
    /// # Errors
    /// [`StoreError::Cancelled`], or that the store's directory cannot be read.
    pub fn verify_all(
        &self,
        progress: &(dyn Fn(Verifying<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Vec<Report>, StoreError> {
        let _ = progress;
        unimplemented!("skeleton")
    }
}
