//! Generations: their numbers, their places, which one is current, and taking them away.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{
    ChangeCounter, Lock, Staging, Store, StoreError, link_target, open_own, read_dir, rename,
    sync_dir,
};
use crate::{Generation, ImageName, Manifest};

/// Which generations [`Store::prune`] leaves in the store, the current one apart, which always
/// stays.
///
/// ```
/// use std::time::Duration;
/// use netboot_image::Keep;
///
/// let keep = Keep::default();
/// assert_eq!((keep.newest, keep.handed_out), (3, Duration::from_secs(24 * 60 * 60)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keep {
    /// How many of the newest ones stay, the current one counted where it is among them. 3 by
    /// default: two to roll back to.
    pub newest: usize,
    /// How long a generation stays after it was last handed out, was last current or was published.
    /// 24 hours by default: a machine that got a boot script has fetched what the script names by
    /// then.
    pub handed_out: Duration,
}

impl Keep {
    /// So many of the newest ones, and those that were handed out within the default time.
    ///
    /// ```
    /// use netboot_image::Keep;
    ///
    /// assert_eq!(Keep::newest(2).newest, 2);
    /// ```
    #[must_use]
    pub fn newest(newest: usize) -> Self {
        Self {
            newest,
            ..Self::default()
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            newest: 3,
            handed_out: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl Store {
    /// Makes another generation that is still in the store the current one, by the same rename as a
    /// publication.
    ///
    /// Gives the manifest of what is current then. `now` is noted as the time when the one before
    /// was last current, for [`prune`](Self::prune).
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], [`StoreError::NoSuchGeneration`], that the generation's
    /// manifest cannot be used, or what the file system refused; the current generation stays what
    /// it is then. [`StoreError::Unsettled`] is the one error after which `to` is current.
    pub fn roll_back(
        &self,
        now: SystemTime,
        name: &ImageName,
        to: Generation,
    ) -> Result<Manifest, StoreError> {
        let staging = self.stage()?;
        let lock = self.lock()?;
        let before = self.current(name)?;
        if before.is_none() && self.numbers(name)?.is_empty() {
            return Err(StoreError::NoSuchImage { name: name.clone() });
        }
        let manifest = self.manifest(name, to)?;
        if before != Some(to) {
            let counter = self.change_counter()?;
            if let Some(before) = before {
                self.last_current(now, name, before)?;
            }
            self.switch(&lock, &staging, name, to)?;
            self.settle(&counter, name, to)?;
        }
        Ok(manifest)
    }

    /// Notes that a boot script which names this generation was handed out, so that
    /// [`prune`](Self::prune) spares it.
    ///
    /// It costs a few system calls and no write to the disk of its own; once a minute for each
    /// generation is often enough. An earlier time than the one noted already changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NoSuchGeneration`], or that the generation belongs to another user.
    pub fn mark_handed_out(
        &self,
        now: SystemTime,
        name: &ImageName,
        generation: Generation,
    ) -> Result<(), StoreError> {
        let dir = self.generation_dir(name, generation);
        let marked = File::open(&dir).and_then(|open| {
            if open.metadata()?.modified()? < now {
                open.set_modified(now)?;
            }
            Ok(())
        });
        marked.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::NoSuchGeneration {
                name: name.clone(),
                generation,
            },
            _ => StoreError::io("note the time on", &dir, error),
        })
    }

    /// Removes the generations of an image that nobody needs any longer, and gives their numbers,
    /// oldest first.
    ///
    /// The current one stays, and so do those that `keep` names. A generation whose noted time is
    /// after `now`, as when the clock was put back, stays too.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], or what the file system refused. Some generations may be gone
    /// by then: pruning again goes on with the others.
    pub fn prune(
        &self,
        now: SystemTime,
        name: &ImageName,
        keep: Keep,
    ) -> Result<Vec<Generation>, StoreError> {
        let staging = self.stage()?;
        let lock = self.lock()?;
        let gone = self.prunable(now, name, keep)?;
        if !gone.is_empty() {
            let counter = self.change_counter()?;
            self.mark_used(name, &gone)?;
            self.discard(&lock, &staging, name, &gone)?;
            counter.count()?;
        }
        Ok(gone)
    }

    /// The generations that [`prune`](Self::prune) would remove, oldest first. Nothing is changed.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], or that the store cannot be read.
    pub fn prunable(
        &self,
        now: SystemTime,
        name: &ImageName,
        keep: Keep,
    ) -> Result<Vec<Generation>, StoreError> {
        let current = self.current(name)?;
        let numbers = self.generations(name)?;
        let old = numbers.len().saturating_sub(keep.newest);
        let mut unneeded = Vec::new();
        for generation in numbers.into_iter().take(old) {
            let dir = self.generation_dir(name, generation);
            let used = fs::metadata(&dir).and_then(|found| found.modified());
            let used = used.map_err(|source| StoreError::io("look at", &dir, source))?;
            let idle = now
                .duration_since(used)
                .is_ok_and(|idle| idle >= keep.handed_out);
            if idle && current != Some(generation) {
                unneeded.push(generation);
            }
        }
        Ok(unneeded)
    }

    /// The generations of an image that are in the store, oldest first.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`] when the image has none.
    pub fn generations(&self, name: &ImageName) -> Result<Vec<Generation>, StoreError> {
        let numbers = self.numbers(name)?;
        if numbers.is_empty() {
            Err(StoreError::NoSuchImage { name: name.clone() })
        } else {
            Ok(numbers)
        }
    }

    /// The bytes that all generations of an image take on the disk, what several of them have in
    /// common counted once.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], or that the store cannot be read.
    pub fn disk_use(&self, name: &ImageName) -> Result<u64, StoreError> {
        let mut known = HashSet::new();
        let mut bytes = 0_u64;
        for generation in self.generations(name)? {
            for path in read_dir(&self.generation_dir(name, generation))? {
                let found = fs::symlink_metadata(&path)
                    .map_err(|source| StoreError::io("look at", &path, source))?;
                if known.insert((found.dev(), found.ino())) {
                    // `st_blocks` counts units of 512 bytes, whatever the file system's blocks are.
                    bytes = bytes.saturating_add(found.blocks().saturating_mul(512));
                }
            }
        }
        Ok(bytes)
    }

    /// Removes an image with all its generations; the next image of that name goes on with the next
    /// generation number.
    ///
    /// It is gone for readers at once; files that are open stay readable.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], or what the file system refused. Readers may be without the
    /// image by then though some of its files remain: removing it again goes on with those, until
    /// this is no error.
    pub fn remove(&self, name: &ImageName) -> Result<(), StoreError> {
        let staging = self.stage()?;
        let lock = self.lock()?;
        let linked = self.current(name)?.is_some();
        let generations = self.numbers(name)?;
        if !linked && generations.is_empty() {
            return Err(StoreError::NoSuchImage { name: name.clone() });
        }
        let counter = self.change_counter()?;
        self.mark_used(name, &generations)?;
        if linked {
            let link = self.link(name);
            fs::remove_file(&link).map_err(|source| StoreError::io("remove", &link, source))?;
            counter.count()?;
            sync_dir(&self.root)?;
        }
        self.discard(&lock, &staging, name, &generations)?;
        counter.count()
    }

    /// Notes when a generation was last current. One that is lost or another user's is no reason to
    /// keep it so.
    pub(super) fn last_current(
        &self,
        now: SystemTime,
        name: &ImageName,
        generation: Generation,
    ) -> Result<(), StoreError> {
        match self.mark_handed_out(now, name, generation) {
            Err(StoreError::NoSuchGeneration { .. }) => Ok(()),
            Err(StoreError::Io { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Ok(())
            }
            marked => marked,
        }
    }

    /// Moves generations out of readers' sight, and deletes them then.
    fn discard(
        &self,
        lock: &Lock,
        staging: &Staging,
        name: &ImageName,
        generations: &[Generation],
    ) -> Result<(), StoreError> {
        let gone = staging.path.join("gone");
        self.make_dir(&gone)?;
        for &generation in generations {
            let place = self.generation_dir(name, generation);
            rename(&place, &gone.join(generation.number().to_string()))?;
        }
        if !generations.is_empty() {
            sync_dir(&self.generations_dir(name))?;
        }
        // Not the staging directory itself: until its value is dropped, its name must not be free
        // for another writer.
        fs::remove_dir_all(&gone).map_err(|source| StoreError::io("remove", &gone, source))?;
        self.clear_blobs(lock)
    }

    /// Leaves `NUMBER.gone` for the highest of the generations that are to go, so that no number is
    /// used again.
    fn mark_used(&self, name: &ImageName, generations: &[Generation]) -> Result<(), StoreError> {
        let Some(highest) = generations.last() else {
            return Ok(());
        };
        let dir = self.generations_dir(name);
        let mark = dir.join(format!("{}.gone", highest.number()));
        open_own(&mark)?;
        self.hand_over(&mark)?;
        for entry in self.entries(name)? {
            let earlier = entry.strip_suffix(".gone").and_then(read_number);
            if earlier.is_some_and(|earlier| earlier < *highest) {
                let path = dir.join(&entry);
                fs::remove_file(&path).map_err(|source| StoreError::io("remove", &path, source))?;
            }
        }
        sync_dir(&dir)
    }

    /// One more than the highest number that was ever used.
    pub(super) fn next_generation(&self, name: &ImageName) -> Result<Generation, StoreError> {
        let entries = self.entries(name)?;
        let used = entries
            .iter()
            .filter_map(|entry| read_number(entry.strip_suffix(".gone").unwrap_or(entry)));
        let highest = used.map(Generation::number).max().unwrap_or(0);
        highest
            .checked_add(1)
            .and_then(Generation::new)
            .ok_or_else(|| StoreError::Io {
                action: "number another generation in",
                path: self.generations_dir(name),
                source: io::Error::other("the numbers are used up"),
            })
    }

    /// Moves the files of a generation to where it stays; no link names it yet.
    pub(super) fn place(
        &self,
        _lock: &Lock,
        files: &Path,
        manifest: &Manifest,
    ) -> Result<PathBuf, StoreError> {
        let dir = self.generations_dir(&manifest.name);
        if self.make_dir(&dir)? {
            sync_dir(&self.hidden("images"))?;
        }
        let place = self.generation_dir(&manifest.name, manifest.generation);
        rename(files, &place)?;
        if let Err(error) = sync_dir(&dir) {
            self.take_back(files, manifest)?;
            return Err(error);
        }
        Ok(place)
    }

    /// Undoes [`place`](Self::place): the files are leftovers again, which go with the staging
    /// directory.
    pub(super) fn take_back(&self, files: &Path, manifest: &Manifest) -> Result<(), StoreError> {
        rename(
            &self.generation_dir(&manifest.name, manifest.generation),
            files,
        )?;
        // It stays when other generations are in it.
        drop(fs::remove_dir(self.generations_dir(&manifest.name)));
        Ok(())
    }

    /// Makes a generation that is in its place the current one. After an error it is not.
    pub(super) fn switch(
        &self,
        _lock: &Lock,
        staging: &Staging,
        name: &ImageName,
        generation: Generation,
    ) -> Result<(), StoreError> {
        let new = staging.path.join("link");
        symlink(link_target(name, generation), &new)
            .map_err(|source| StoreError::io("create", &new, source))?;
        self.hand_over(&new)?;
        rename(&new, &self.link(name))
    }

    /// Counts a switch and flushes it to the disk, both whatever becomes of the other.
    pub(super) fn settle(
        &self,
        counter: &ChangeCounter,
        name: &ImageName,
        generation: Generation,
    ) -> Result<(), StoreError> {
        let (counted, flushed) = (counter.count(), sync_dir(&self.root));
        counted.and(flushed).map_err(|error| StoreError::Unsettled {
            name: name.clone(),
            generation,
            source: Box::new(error),
        })
    }

    /// The generations whose directories are there, oldest first, whether they are whole or not.
    pub(super) fn numbers(&self, name: &ImageName) -> Result<Vec<Generation>, StoreError> {
        let mut numbers: Vec<_> = self
            .entries(name)?
            .iter()
            .filter_map(|entry| read_number(entry))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn entries(&self, name: &ImageName) -> Result<Vec<String>, StoreError> {
        let dir = self.generations_dir(name);
        if fs::symlink_metadata(&dir).is_ok_and(|found| !found.is_dir()) {
            // What a link leads to is not for pruning.
            return Err(StoreError::NotOurs { path: dir });
        }
        match read_dir(&dir) {
            Ok(paths) => Ok(paths
                .iter()
                .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
                .collect()),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }
}

/// The number of a generation's directory, which has no `@`.
fn read_number(entry: &str) -> Option<Generation> {
    if entry.starts_with('@') {
        None
    } else {
        entry.parse().ok()
    }
}
