//! Why something in the store could not be done.

use std::io;
use std::path::{Path, PathBuf};

use crate::{FileName, Generation, ImageName, KernelError, Looks, ManifestError, SignatureError};

/// Why something in the store could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory is there and no store, or not there at all.
    #[error("{path} is no image store")]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// No image has the name.
    #[error("no image is called {name}")]
    NoSuchImage {
        /// The name.
        name: ImageName,
    },
    /// The image does not have the generation, or no longer.
    #[error("image {name} has no generation {generation}")]
    NoSuchGeneration {
        /// The image.
        name: ImageName,
        /// The generation.
        generation: Generation,
    },
    /// Generations of the image are in the store, and none is current: its link was removed.
    #[error(
        "none of its generations is current, and {} in the store",
        listed(generations)
    )]
    NotCurrent {
        /// Those that are there, oldest first.
        generations: Vec<Generation>,
    },
    /// The image's manifest does not list the file.
    #[error("image {name} has no file {file}")]
    NoSuchFile {
        /// The image.
        name: ImageName,
        /// The file.
        file: FileName,
    },
    /// What stands at the image's place was not published by a store.
    #[error("{path} was not published by this store")]
    NotOurs {
        /// The place.
        path: PathBuf,
    },
    /// The kernel is refused.
    #[error("{file}: {reason}")]
    Kernel {
        /// Where the kernel came from.
        file: String,
        /// Why.
        reason: KernelError,
    },
    /// The initial RAM disk is refused.
    #[error("{file} is no initial RAM disk: it looks like {looks}")]
    Initrd {
        /// Where it came from.
        file: String,
        /// What it is.
        looks: Looks,
    },
    /// The EFI program or disc image is refused.
    #[error("{file} is no {wanted}: it looks like {looks}")]
    Unsuitable {
        /// Where it came from.
        file: String,
        /// What it should have been.
        wanted: &'static str,
        /// What it is.
        looks: Looks,
    },
    /// A signature was not made.
    #[error("image {name} was not signed")]
    Unsigned {
        /// The image.
        name: ImageName,
        /// Why not.
        source: SignatureError,
    },
    /// Somebody else published the image while it was being signed. Nothing was published.
    #[error("image {name} was published anew meanwhile")]
    Overtaken {
        /// The image.
        name: ImageName,
    },
    /// What was to be published, or what is in the store, makes no manifest.
    #[error("image {name}: {reason}")]
    Manifest {
        /// The image.
        name: ImageName,
        /// What is wrong.
        reason: ManifestError,
    },
    /// A published file is not what its manifest says.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// The disk, or the owner's share of it, is full. Nothing was published.
    #[error("no space left while writing {path}")]
    Full {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The image was published, or rolled back: `generation` is current, and readers have it. Only
    /// what should have followed failed: counting the change or flushing the directory to the disk.
    /// A loss of power may still undo it. Doing it again would make another generation.
    #[error("image {name} {generation} is current, but a loss of power may still undo that")]
    Unsettled {
        /// The image.
        name: ImageName,
        /// The generation that is current.
        generation: Generation,
        /// What failed.
        source: Box<StoreError>,
    },
    /// The progress callback stopped it. Nothing was published.
    #[error("cancelled")]
    Cancelled,
    /// The file system refused something else.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// The path that this user may not read or write, where that is what it failed for.
    #[must_use]
    pub fn denied(&self) -> Option<&Path> {
        match self {
            Self::Io { path, source, .. } => {
                let denied = source.kind() == io::ErrorKind::PermissionDenied;
                denied.then_some(path.as_path())
            }
            Self::Unsettled { source, .. } => source.denied(),
            _ => None,
        }
    }

    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if Self::is_full(&source) {
            Self::Full { path, source }
        } else {
            Self::Io {
                action,
                path,
                source,
            }
        }
    }

    pub(super) fn is_full(error: &io::Error) -> bool {
        matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

fn listed(generations: &[Generation]) -> String {
    match generations {
        [one] => format!("{one} is"),
        [first, .., last] => format!("{first} to {last} are"),
        [] => "none is".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writing(kind: io::ErrorKind) -> StoreError {
        StoreError::io("write", "/images/a".as_ref(), kind.into())
    }

    #[test]
    fn a_disk_that_is_full_is_told_from_what_else_may_fail() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(matches!(writing(kind), StoreError::Full { .. }));
        }
        let error = writing(io::ErrorKind::Other).to_string();
        assert_eq!(error, "cannot write /images/a");
    }

    #[test]
    fn what_a_user_may_not_do_names_the_path_behind_other_errors_too() {
        let denied = || writing(io::ErrorKind::PermissionDenied);
        let path = Some(Path::new("/images/a"));
        assert_eq!(denied().denied(), path);
        assert_eq!(writing(io::ErrorKind::NotFound).denied(), None);
        let unsettled = StoreError::Unsettled {
            name: "a".parse().expect("a name"),
            generation: Generation::FIRST,
            source: Box::new(denied()),
        };
        assert_eq!(unsettled.denied(), path);
    }

    #[test]
    fn generations_of_which_none_is_current_are_listed_by_the_ends() {
        let says = |numbers: &[u32]| {
            let generations = numbers.iter().filter_map(|&number| Generation::new(number));
            let generations = generations.collect();
            StoreError::NotCurrent { generations }.to_string()
        };
        let none = "none of its generations is current, and";
        assert_eq!(says(&[7]), format!("{none} @7 is in the store"));
        assert_eq!(
            says(&[2, 5, 9]),
            format!("{none} @2 to @9 are in the store")
        );
    }
}
