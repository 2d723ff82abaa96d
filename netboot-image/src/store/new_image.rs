//! What is given to a store to be published, and what the store says meanwhile and after.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::{FileName, Generation, ImageName, Manifest, Signer, Source};

/// An image to be published.
///
/// The kernel becomes `bzImage` (x86) or `Image` (arm64), as its header says; the initial RAM disks
/// become `initrd`, `initrd-2`, `initrd-3` and so on, in the order given.
///
/// ```
/// # use std::{fs, time::SystemTime};
/// use netboot_image::{BootMethod, NewImage, Store};
///
/// # let dir = tempfile::tempdir()?;
/// # let store = Store::create(dir.path().join("images"))?;
/// # let (seed, now) = (dir.path().join("seed"), SystemTime::UNIX_EPOCH);
/// # fs::write(&seed, "#cloud-config\n")?;
/// let image = NewImage::chain("cloud".parse()?, "https://boot.example/cloud.ipxe").file("user-data".parse()?, seed);
/// let manifest = store.publish(now, image)?.manifest;
/// assert!(matches!(manifest.boot(), BootMethod::Chain(_)));
/// assert_eq!(manifest.beside()[0].name().as_str(), "user-data");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NewImage {
    pub(super) name: ImageName,
    pub(super) label: Option<String>,
    pub(super) description: Option<String>,
    pub(super) boots: Boots,
    pub(super) initrds: Vec<Input>,
    pub(super) cmdline: Vec<String>,
    pub(super) files: Vec<(FileName, Input)>,
    pub(super) source: Option<Source>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) signers: Vec<Signer>,
    /// What it is a publication of once more, only to be signed.
    pub(super) again: Option<Manifest>,
}

/// What an image is made of, by its kind.
#[derive(Debug)]
pub(super) enum Boots {
    Linux(Input),
    Efi(Input),
    Chain(String),
    Iso(Input),
}

/// Where the bytes of a file come from: the path of a regular file, or anything that reads.
pub struct Input(pub(super) Origin);

pub(super) enum Origin {
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
    /// Bytes of a file were copied; the hash of them may follow a little later.
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

/// The stages of a publication, in order. A callback that breaks before `Switched` leaves nothing
/// behind; after it the image is published and breaking does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Step {
    /// There is a place for the copies.
    Staged,
    /// All files are copied, checked and on the disk.
    Copied,
    /// No other writer changes the store now.
    Locked,
    /// `SHA256SUMS` and `manifest.json` are written.
    Described,
    /// The generation stands in its final place; the previous one is still current.
    Placed,
    /// The generation is current.
    Switched,
}

impl Boots {
    /// The word for it in a manifest.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Linux(_) => "linux",
            Self::Efi(_) => "efi",
            Self::Chain(_) => "chain",
            Self::Iso(_) => "iso",
        }
    }
}

impl NewImage {
    /// A Linux kernel, to be published under a name; initial RAM disks and arguments are added with
    /// [`initrd`](Self::initrd) and [`cmdline`](Self::cmdline).
    pub fn linux(name: ImageName, kernel: impl Into<Input>) -> Self {
        Self::new(name, Boots::Linux(kernel.into()))
    }

    /// An EFI program, which becomes `program.efi`; its header says for which processor it is. Of a
    /// unified kernel the command line is read; see [`UnifiedKernel`](crate::UnifiedKernel).
    pub fn efi(name: ImageName, program: impl Into<Input>) -> Self {
        Self::new(name, Boots::Efi(program.into()))
    }

    /// The address of a boot script or boot program elsewhere; see
    /// [`ChainImage`](crate::ChainImage) for what it may be. Nothing is fetched.
    pub fn chain(name: ImageName, url: impl Into<String>) -> Self {
        Self::new(name, Boots::Chain(url.into()))
    }

    /// A disc image (ISO 9660), which becomes `disc.iso`.
    pub fn iso(name: ImageName, disc: impl Into<Input>) -> Self {
        Self::new(name, Boots::Iso(disc.into()))
    }

    pub(super) fn new(name: ImageName, boots: Boots) -> Self {
        Self {
            name,
            label: None,
            description: None,
            boots,
            initrds: Vec::new(),
            cmdline: Vec::new(),
            files: Vec::new(),
            source: None,
            annotations: BTreeMap::new(),
            signers: Vec::new(),
            again: None,
        }
    }

    /// Adds an initial RAM disk after those that are there. Only a kernel takes one: with another
    /// kind, publishing fails.
    #[must_use]
    pub fn initrd(mut self, initrd: impl Into<Input>) -> Self {
        self.initrds.push(initrd.into());
        self
    }

    /// Appends arguments for the kernel or the EFI program, one an item. With another kind,
    /// publishing fails.
    #[must_use]
    pub fn cmdline<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.cmdline.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds a file that is served beside those that are booted, under a name of its own: a
    /// squashfs, a preseed, an Ignition configuration, a seed of cloud-init. What is in it is not
    /// looked at.
    #[must_use]
    pub fn file(mut self, name: FileName, content: impl Into<Input>) -> Self {
        self.files.push((name, content.into()));
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

    /// Signs the image, at most once in each form: `SHA256SUMS` and with it everything
    /// (`SHA256SUMS.p7s` with CMS, `SHA256SUMS.sig` with OpenPGP), and with CMS also every file
    /// that is booted or beside (`bzImage.p7s`), as iPXE checks them. Nothing is signed by default.
    ///
    /// `SHA256SUMS` is signed while other writers of the store wait, so have a key's passphrase at
    /// hand.
    #[must_use]
    pub fn sign(mut self, signer: Signer) -> Self {
        self.signers.push(signer);
        self
    }

    /// Notes something about the image that this crate does not look at: who is to be asked, a
    /// ticket, a commit. A second note under the same key replaces the first. See
    /// [`Manifest::annotations`] for what may be noted.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use netboot_image::{NewImage, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let store = Store::create(dir.path().join("images"))?;
    /// let image = NewImage::chain("cloud".parse()?, "https://boot.example/cloud.ipxe")
    ///     .annotation("example.org/owner", "the cloud team");
    /// let manifest = store.publish(SystemTime::UNIX_EPOCH, image)?.manifest;
    /// assert_eq!(manifest.annotations()["example.org/owner"], "the cloud team");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Where the image came from; nothing is said by default.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }
}

impl Input {
    /// The bytes that a reader gives until its end; `label` stands for it in messages.
    pub fn reader(label: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self(Origin::Reader {
            label: label.into(),
            reader: Box::new(reader),
        })
    }

    /// What to call it in messages.
    pub(super) fn label(&self) -> String {
        match &self.0 {
            Origin::Path(path) => path.display().to_string(),
            Origin::Reader { label, .. } => label.clone(),
        }
    }
}

impl<T: AsRef<Path>> From<T> for Input {
    fn from(path: T) -> Self {
        Self(Origin::Path(path.as_ref().to_owned()))
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Input").field(&self.label()).finish()
    }
}
