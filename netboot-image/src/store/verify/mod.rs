//! Verification: whether the bytes in the store are still those that were published.

mod reading;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use reading::run;

use super::read::{open_regular, read_small};
use super::{Store, StoreError, read_dir};
use crate::{Digest, Generation, ImageName, Manifest, Sha256Sums};

/// What a verification of one image found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The image; text, since a broken one may have a name that is none.
    pub name: String,
    /// The generation that was verified; `None` when that could not be told.
    pub generation: Option<Generation>,
    /// Files that were looked at.
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
    /// A signature over `SHA256SUMS` is not there.
    #[error("{file}: missing")]
    Unsigned {
        /// Its name.
        file: String,
    },
    /// `SHA256SUMS` is missing, or not the one that goes with the manifest.
    #[error("SHA256SUMS: missing, or other files than in manifest.json")]
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
    /// Files that were read to their end so far.
    pub files_done: usize,
    /// Files to be read in all.
    pub files: usize,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
    }
}

impl Store {
    /// Reads every file of an image's current generation, or of the one given, and compares it with
    /// the manifest.
    ///
    /// Several files are read at a time, on as many threads as there are processors.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], [`StoreError::NoSuchGeneration`]; damage is no error but stands
    /// in the report.
    pub fn verify(
        &self,
        name: &ImageName,
        generation: Option<Generation>,
    ) -> Result<Report, StoreError> {
        self.verify_with(name, generation, &|_| ControlFlow::Continue(()))
    }

    /// Verifies as [`verify`](Self::verify) does. `progress` is called from all the threads;
    /// breaking cancels.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and [`StoreError::Cancelled`].
    pub fn verify_with(
        &self,
        name: &ImageName,
        generation: Option<Generation>,
        progress: &(dyn Fn(Verifying<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Report, StoreError> {
        let plan = match self.image(name, generation) {
            Ok(manifest) => self.plan(&manifest),
            Err(error @ (StoreError::NoSuchImage { .. } | StoreError::NoSuchGeneration { .. })) => {
                return Err(error);
            }
            Err(error) => Plan::broken(name.to_string(), generation, error),
        };
        let mut reports = run(vec![plan], progress)?;
        reports
            .pop()
            .ok_or_else(|| StoreError::NoSuchImage { name: name.clone() })
    }

    /// Verifies the current generation of every image as [`verify`](Self::verify) does, all files
    /// of all images side by side. What [`list`](Self::list) gives as unusable is in the reports as
    /// damage. In order of the names.
    ///
    /// # Errors
    /// [`StoreError::Cancelled`], or that the store's directory cannot be read.
    pub fn verify_all(&self) -> Result<Vec<Report>, StoreError> {
        self.verify_all_with(&|_| ControlFlow::Continue(()))
    }

    /// Verifies as [`verify_all`](Self::verify_all) does, with `progress` as in
    /// [`verify_with`](Self::verify_with).
    ///
    /// # Errors
    /// As [`verify_all`](Self::verify_all), and [`StoreError::Cancelled`].
    pub fn verify_all_with(
        &self,
        progress: &(dyn Fn(Verifying<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Vec<Report>, StoreError> {
        let listing = self.list()?;
        let whole = listing.images.iter().map(|manifest| self.plan(manifest));
        let broken = listing
            .unusable
            .into_iter()
            .map(|problem| Plan::broken(problem.name, None, problem.error));
        let mut plans: Vec<Plan> = whole.chain(broken).collect();
        plans.sort_by(|one, other| one.report.name.cmp(&other.report.name));
        run(plans, progress)
    }

    /// What is to be read of one generation, and what is wrong with it at first sight.
    fn plan(&self, manifest: &Manifest) -> Plan {
        let dir = self.generation_dir(manifest.name(), manifest.generation());
        let mut plan = Plan {
            report: Report::new(manifest.name().to_string(), Some(manifest.generation())),
            jobs: Vec::new(),
        };
        for file in manifest.files() {
            plan.add(&dir, file.name().as_str(), file.digest(), file.size());
        }
        match read_sums(&dir) {
            Err(error) => plan.report.damage.push(Damage::Unreadable(error)),
            Ok(None) => plan.report.damage.push(Damage::Sums),
            Ok(Some(sums)) => {
                let listed = manifest
                    .files()
                    .map(|file| (file.name().as_str().as_bytes(), file.digest()));
                let written = sums
                    .entries()
                    .iter()
                    .map(|entry| (entry.name(), entry.digest()));
                let written = written.filter(|(name, _)| *name != b"manifest.json");
                if !listed.eq(written) {
                    plan.report.damage.push(Damage::Sums);
                }
                match sums.digest_of("manifest.json") {
                    Some(digest) => plan.add(&dir, "manifest.json", digest, written_len(&dir)),
                    None => plan.report.damage.push(Damage::Sums),
                }
            }
        }
        for signature in manifest.signatures() {
            let file = signature.file().as_str();
            if manifest.has_unlisted(file) && !dir.join(file).is_file() {
                plan.report.damage.push(Damage::Unsigned {
                    file: file.to_owned(),
                });
            }
        }
        match read_dir(&dir) {
            Err(error) => plan.report.damage.push(Damage::Unreadable(error)),
            Ok(paths) => {
                for path in paths {
                    let name = path
                        .file_name()
                        .map(|name| name.to_string_lossy())
                        .unwrap_or_default();
                    if manifest.file(&name).is_none()
                        && !manifest.has_unlisted(&name)
                        && !matches!(&*name, "manifest.json" | "SHA256SUMS")
                    {
                        plan.report.damage.push(Damage::Extra {
                            file: name.into_owned(),
                        });
                    }
                }
            }
        }
        plan
    }
}

/// One image's report as it stands, and what is yet to be read for it.
struct Plan {
    report: Report,
    jobs: Vec<Job>,
}

/// One file that is to be read.
struct Job {
    path: PathBuf,
    file: String,
    expected: Digest,
    size: u64,
}

impl Plan {
    fn broken(name: String, generation: Option<Generation>, error: StoreError) -> Self {
        let mut report = Report::new(name, generation);
        report.damage.push(Damage::Unreadable(error));
        Self {
            report,
            jobs: Vec::new(),
        }
    }

    fn add(&mut self, dir: &Path, file: &str, expected: Digest, size: u64) {
        self.jobs.push(Job {
            path: dir.join(file),
            file: file.to_owned(),
            expected,
            size,
        });
    }
}

impl Report {
    fn new(name: String, generation: Option<Generation>) -> Self {
        Self {
            name,
            generation,
            files: 0,
            bytes: 0,
            damage: Vec::new(),
        }
    }
}

/// How long `manifest.json` is, for the sum of all bytes; reading it tells what is wrong with it.
fn written_len(dir: &Path) -> u64 {
    std::fs::symlink_metadata(dir.join("manifest.json")).map_or(0, |found| found.len())
}

/// `SHA256SUMS` of a generation, or nothing where it is missing or no such file.
fn read_sums(dir: &Path) -> Result<Option<Sha256Sums>, StoreError> {
    let path = dir.join("SHA256SUMS");
    match open_regular(&path) {
        Ok(file) => Ok(Sha256Sums::decode(&read_small(&file, &path)?).ok()),
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
