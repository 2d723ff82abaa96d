//! Verification: whether the bytes in the store are still those that were published.

mod reading;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use reading::run;

use super::read::{open_regular, read_small};
use super::{Listing, Store, StoreError, UnusableImage, read_dir};
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
    /// The bytes of these files. What several generations share is read once and counts in each.
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

    /// Verifies every generation of an image as [`verify`](Self::verify) does, oldest first, with
    /// `progress` as in [`verify_with`](Self::verify_with). A file that several generations share
    /// is read once.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], and [`StoreError::Cancelled`].
    pub fn verify_image_with(
        &self,
        name: &ImageName,
        progress: &(dyn Fn(Verifying<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Vec<Report>, StoreError> {
        run(self.plans(name)?, progress)
    }

    /// Verifies the current generation of every image as [`verify`](Self::verify) does, all files
    /// of all images side by side, with `progress` as in [`verify_with`](Self::verify_with). What
    /// [`list`](Self::list) gives as unusable is in the reports as damage. In order of the names.
    ///
    /// # Errors
    /// [`StoreError::Cancelled`], or that the store's directory cannot be read.
    pub fn verify_current_with(
        &self,
        progress: &(dyn Fn(Verifying<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Vec<Report>, StoreError> {
        let Listing { images, unusable } = self.list()?;
        let whole = images.iter().map(|manifest| self.plan(manifest));
        let broken = unusable
            .into_iter()
            .map(|problem| Plan::broken(problem.name, None, problem.error));
        run(in_order(whole.chain(broken)), progress)
    }

    /// Verifies every generation of every image as [`verify`](Self::verify) does. What
    /// [`list`](Self::list) gives as unusable is in the reports as damage. In order of the names,
    /// oldest first.
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
        let Listing { images, unusable } = self.list()?;
        let mut plans = Vec::new();
        for manifest in &images {
            match self.plans(manifest.name()) {
                Ok(of_image) => plans.extend(of_image),
                // Removed since the images were listed.
                Err(StoreError::NoSuchImage { .. }) => {}
                Err(error) => plans.push(Plan::broken(manifest.name().to_string(), None, error)),
            }
        }
        for UnusableImage { name, error } in unusable {
            let generations = ImageName::parse(&name).ok().map(|name| self.plans(&name));
            let generations = generations.and_then(Result::ok).unwrap_or_default();
            let is_of_one = matches!(
                error,
                StoreError::Manifest { .. } | StoreError::Damaged { .. }
            );
            // Where it is a generation that cannot be used, that one says so.
            if !is_of_one || generations.iter().all(|plan| plan.report.is_whole()) {
                plans.push(Plan::broken(name, None, error));
            }
            plans.extend(generations);
        }
        run(in_order(plans), progress)
    }

    /// What is to be read of every generation of an image, oldest first.
    fn plans(&self, name: &ImageName) -> Result<Vec<Plan>, StoreError> {
        let plan = |generation| match self.manifest(name, generation) {
            Ok(manifest) => Some(self.plan(&manifest)),
            // Pruned since the generations were listed.
            Err(StoreError::NoSuchGeneration { .. }) => None,
            Err(error) => Some(Plan::broken(name.to_string(), Some(generation), error)),
        };
        Ok(self
            .generations(name)?
            .into_iter()
            .filter_map(plan)
            .collect())
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
            if !manifest.has_unlisted(file) {
                continue;
            }
            match open_regular(&dir.join(file)) {
                Ok(_) => {}
                Err(error) if error.denied().is_some() => {
                    plan.report.damage.push(Damage::Unreadable(error));
                }
                Err(_) => plan.report.damage.push(Damage::Unsigned {
                    file: file.to_owned(),
                }),
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

fn in_order(plans: impl IntoIterator<Item = Plan>) -> Vec<Plan> {
    let mut plans: Vec<Plan> = plans.into_iter().collect();
    plans.sort_by(|one, other| one.report.name.cmp(&other.report.name));
    plans
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
