//! Garbage collection roots: what Nix must not collect, since an image that is in the store was
//! built from it.
//!
//! ```text
//! <state>/nix-roots/NAME/lock          held (flock) while the image is being built
//! <state>/nix-roots/NAME/3/result…     Nix's own out-links, which are roots while they are there
//! <state>/nix-roots/NAME/3/generation  the generation that was published from them
//! ```
//!
//! A folder without `generation` is of a build that came to nothing.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use netboot_image::{Generation, ImageName, Store};

use netboot_server::state_dir;

use super::NixError;

/// The roots of one image, which nobody else changes meanwhile.
#[derive(Debug)]
pub(crate) struct Roots {
    dir: PathBuf,
    _lock: File,
}

/// The roots of one build. They go with the value unless they are kept.
#[derive(Debug)]
pub(crate) struct Root {
    dir: PathBuf,
    is_kept: bool,
}

impl Roots {
    /// Locks an image's roots, and removes what a build left that was cut off.
    pub(crate) fn lock(state: &Path, name: &ImageName) -> Result<Self, NixError> {
        let dir = dir_of(state, name);
        let failed = |action, path: &Path, source| NixError::Io {
            action,
            path: path.to_owned(),
            source,
        };
        state_dir::make_dir(&dir).map_err(|source| failed("cannot create", &dir, source))?;
        let path = dir.join("lock");
        let file = File::options()
            .append(true)
            .create(true)
            .mode(0o644)
            .open(&path);
        let file = file.map_err(|source| failed("cannot create", &path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NixError::Busy),
            Err(TryLockError::Error(source)) => return Err(failed("cannot lock", &path, source)),
        }
        let roots = Self { dir, _lock: file };
        let leftovers = builds(&roots.dir).into_iter();
        for leftover in leftovers.filter(|build| !build.join("generation").exists()) {
            fs::remove_dir_all(&leftover)
                .map_err(|source| failed("cannot remove", &leftover, source))?;
        }
        Ok(roots)
    }

    /// A place for the roots of another build.
    pub(crate) fn another(&self) -> Result<Root, NixError> {
        let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u64>().ok();
        let highest = builds(&self.dir).iter().filter_map(number).max();
        let next = highest.unwrap_or(0).saturating_add(1);
        let dir = self.dir.join(next.to_string());
        match fs::create_dir(&dir) {
            Ok(()) => Ok(Root {
                dir,
                is_kept: false,
            }),
            Err(source) => Err(NixError::Io {
                action: "cannot create",
                path: dir,
                source,
            }),
        }
    }
}

impl Root {
    /// The link that Nix makes for the first result; those of the others are beside it.
    pub(crate) fn out_link(&self) -> PathBuf {
        self.dir.join("result")
    }

    /// The results that are there.
    pub(crate) fn results(&self) -> Vec<PathBuf> {
        let mut results = entries(&self.dir);
        results.retain(|path| path.is_dir());
        results.sort_unstable();
        results
    }

    /// Keeps the roots as long as this generation is in the store.
    pub(crate) fn keep(mut self, generation: Generation) -> Result<(), NixError> {
        let path = self.dir.join("generation");
        match fs::write(&path, format!("{generation}\n")) {
            Ok(()) => {
                self.is_kept = true;
                Ok(())
            }
            Err(source) => Err(NixError::Io {
                action: "cannot write",
                path,
                source,
            }),
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if !self.is_kept {
            // What stays is removed by the next build.
            drop(fs::remove_dir_all(&self.dir));
        }
    }
}

/// Removes the roots of an image's generations that are no longer in the store, which is in
/// `http/images` of the state folder. What cannot be removed only keeps room taken, and is tried
/// again the next time.
pub(crate) fn let_go(store: &Store, name: &ImageName) {
    let Some(state) = store.root().ancestors().nth(2) else {
        return;
    };
    if dir_of(state, name).is_dir()
        && let Ok(roots) = Roots::lock(state, name)
    {
        roots.let_go(store, name);
    }
}

impl Roots {
    /// As [`let_go`], of the image that is locked.
    pub(crate) fn let_go(&self, store: &Store, name: &ImageName) {
        let Ok(there) = known_generations(store, name) else {
            return;
        };
        for build in builds(&self.dir) {
            let generation = fs::read_to_string(build.join("generation"));
            let generation = generation.ok().and_then(|text| text.trim().parse().ok());
            if generation.is_some_and(|generation| !there.contains(&generation)) {
                drop(fs::remove_dir_all(build));
            }
        }
    }
}

fn known_generations(
    store: &Store,
    name: &ImageName,
) -> Result<Vec<Generation>, netboot_image::StoreError> {
    match store.generations(name) {
        Err(netboot_image::StoreError::NoSuchImage { .. }) => Ok(Vec::new()),
        generations => generations,
    }
}

fn dir_of(state: &Path, name: &ImageName) -> PathBuf {
    state.join("nix-roots").join(name.as_str())
}

/// The folders of builds.
fn builds(dir: &Path) -> Vec<PathBuf> {
    let mut builds = entries(dir);
    builds.retain(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()));
    builds
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<io::Result<Vec<_>>>()
    });
    entries.unwrap_or_default()
}
