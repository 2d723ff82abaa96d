//! Publishing an image, and taking one away.

use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Store, StoreError};
use crate::{FileName, Generation, ImageName, Manifest, Source};

/// An image to be published.
///
/// The kernel becomes `bzImage` (x86) or `Image` (arm64), as its header says; the initial RAM disks become `initrd`,
/// `initrd-2`, `initrd-3` and so on, in the order given.
#[derive(Debug)]
pub struct NewImage {
    name: ImageName,
    label: Option<String>,
    description: Option<String>,
    kernel: Input,
    initrds: Vec<Input>,
    cmdline: Vec<String>,
    source: Option<Source>,
}

/// Where the bytes of a file come from: a path, or anything that reads.
pub struct Input {
    from: From_,
}

enum From_ {
    Path(PathBuf),
    Reader {
        label: String,
        reader: Box<dyn Read + Send>,
    },
}

/// What was published.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Published {
    /// The manifest as it was written.
    pub manifest: Manifest,
    /// The generation that was current before, if there was an image of this name.
    pub replaced: Option<Generation>,
}

/// How far a publication is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// Bytes of a file were copied and hashed.
    Copied {
        /// The name the file will have; the kernel's is `kernel` until its header was read.
        file: &'a str,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, where the source has a length.
        total: Option<u64>,
    },
    /// A stage is over.
    Step(Step),
}

/// The stages of a publication, in order. A callback that breaks before `Switched` leaves nothing behind; after it the
/// image is published and breaking does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Step {
    /// There is a place for the copies.
    Staged,
    /// All files are copied, checked and on the disk.
    Copied,
    /// No other writer changes the store now.
    Locked,
    /// Contents that the store already had are shared.
    Shared,
    /// `SHA256SUMS` and `manifest.json` are written.
    Described,
    /// The generation stands in its final place; the previous one is still current.
    Placed,
    /// The generation is current.
    Switched,
}

impl NewImage {
    /// A Linux kernel, to be published under a name.
    pub fn linux(name: ImageName, kernel: impl Into<Input>) -> Self {
        Self {
            name,
            label: None,
            description: None,
            kernel: kernel.into(),
            initrds: Vec::new(),
            cmdline: Vec::new(),
            source: None,
        }
    }

    /// Adds an initial RAM disk after those that are there.
    #[must_use]
    pub fn initrd(mut self, initrd: impl Into<Input>) -> Self {
        self.initrds.push(initrd.into());
        self
    }

    /// Appends kernel arguments, one an item.
    #[must_use]
    pub fn cmdline<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.cmdline.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// What a menu calls the image; its name by default.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// A longer text for people.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Where the image came from; by default the paths of its files.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }
}

impl Input {
    /// The bytes that a reader gives until its end; `label` stands for it in messages.
    pub fn reader(label: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self {
            from: From_::Reader {
                label: label.into(),
                reader: Box::new(reader),
            },
        }
    }
}

impl<T: AsRef<Path>> From<T> for Input {
    fn from(path: T) -> Self {
        Self {
            from: From_::Path(path.as_ref().to_owned()),
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            From_::Path(path) => f.debug_tuple("Input").field(path).finish(),
            From_::Reader { label, .. } => f.debug_tuple("Input").field(label).finish(),
        }
    }
}

impl Store {
    /// Publishes an image as the next generation of its name, whole or not at all.
    ///
    /// The files are copied into the store, hashed as they pass, checked and flushed to the disk; then one rename makes
    /// them current. `now` becomes the manifest's `created`.
    ///
    /// # Errors
    /// What is wrong with the image, or what the file system refused. Nothing is left behind then.
    pub fn publish(
        &self,
        now: SystemTime,
        image: NewImage,
        progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Published, StoreError> {
        let _ = (now, image, progress);
        unimplemented!("skeleton")
    }

    /// Removes an image with all its generations; the next image of that name goes on with the next generation number.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], or what the file system refused.
    pub fn remove(&self, name: &ImageName) -> Result<(), StoreError> {
        let _ = name;
        unimplemented!("skeleton")
    }
}

#[expect(dead_code, reason = "skeleton")]
fn file_name(_: &FileName) {}
