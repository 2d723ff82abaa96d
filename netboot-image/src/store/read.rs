//! Reading a store: which images there are, and their files.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{Store, StoreError, is_missing, read_dir};
use crate::{Digest, FileName, Generation, ImageName, Manifest, NameError};

/// The images of a store, and what is wrong with those that cannot be used.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The current manifest of each image that is whole, in order of their names.
    pub images: Vec<Manifest>,
    /// What else stands in the store, in order of the names.
    pub unusable: Vec<UnusableImage>,
}

/// Something in the store's directory that is no usable image.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnusableImage {
    /// Its name in the directory, as far as it is text.
    pub name: String,
    /// What is wrong.
    pub error: StoreError,
}

/// Where a file is in a store: image, generation (the current one if none is given) and file name.
///
/// Its text is the path in a URL: `NAME/FILE` or `NAME/@GENERATION/FILE`.
///
/// ```
/// use netboot_image::FileRef;
///
/// let file: FileRef = "debian-12/@3/bzImage".parse()?;
/// assert_eq!(file.name, "debian-12");
/// assert_eq!(file.generation.map(|generation| generation.number()), Some(3));
/// assert_eq!(file.to_string(), "debian-12/@3/bzImage");
/// for wrong in ["debian-12", "/etc/passwd", "debian-12/../x", "debian-12/@0/bzImage", ".store/lock", "a/b/c"] {
///     assert!(wrong.parse::<FileRef>().is_err(), "{wrong}");
/// }
/// # Ok::<(), netboot_image::FileRefError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileRef {
    /// The image.
    pub name: ImageName,
    /// The generation; `None` is the one that is current when the file is opened.
    pub generation: Option<Generation>,
    /// The file.
    pub file: FileName,
}

/// Why a path is none to a file of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileRefError {
    /// It does not have two or three parts.
    #[error("a file of an image is NAME/FILE or NAME/@GENERATION/FILE")]
    Shape,
    /// The image's name is none.
    #[error("image {0}")]
    Image(NameError),
    /// The middle part is no generation.
    #[error("{0}")]
    Generation(crate::GenerationError),
    /// The file's name is none.
    #[error("file {0}")]
    File(NameError),
}

/// A file of an image, opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenFile {
    /// Open for reading, at its beginning. It stays whole even when the image is removed meanwhile.
    pub file: File,
    /// Where it is, generation and all.
    pub path: PathBuf,
    /// The generation it is of.
    pub generation: Generation,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest, from the manifest; for an entity tag.
    pub digest: Digest,
    /// What it is for.
    pub role: FileRole,
}

/// What a file of an image is for; a server may choose its media type by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileRole {
    /// A file that the manifest lists: a kernel, a disc, a file beside them; bytes.
    Boot,
    /// `manifest.json`.
    Manifest,
    /// `SHA256SUMS`: text.
    Sums,
    /// A signature over `SHA256SUMS`: bytes.
    Signature,
}

impl FromStr for FileRef {
    type Err = FileRefError;

    fn from_str(text: &str) -> Result<Self, FileRefError> {
        let mut parts = text.split('/');
        let (name, middle, last, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(name), Some(middle), None) = (name, middle, rest) else {
            return Err(FileRefError::Shape);
        };
        let (generation, file) = match last {
            None => (None, middle),
            Some(file) if middle.starts_with('@') => (
                Some(middle.parse().map_err(FileRefError::Generation)?),
                file,
            ),
            Some(_) => return Err(FileRefError::Shape),
        };
        Ok(Self {
            name: ImageName::parse(name).map_err(FileRefError::Image)?,
            generation,
            file: FileName::parse(file).map_err(FileRefError::File)?,
        })
    }
}

impl fmt::Display for FileRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            Some(generation) => write!(f, "{}/{generation}/{}", self.name, self.file),
            None => write!(f, "{}/{}", self.name, self.file),
        }
    }
}

impl Store {
    /// Every image that can be used, and what is wrong with the others, those whose link was
    /// removed by hand included. One broken image stops no other.
    ///
    /// Names that begin with a dot are passed over.
    ///
    /// # Errors
    /// That the store's directory itself cannot be read.
    pub fn list(&self) -> Result<Listing, StoreError> {
        let mut paths = read_dir(&self.root)?;
        paths.sort_unstable();
        let mut listing = Listing::default();
        for path in paths {
            let Some(file_name) = path.file_name() else {
                continue;
            };
            let name = file_name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let image = match file_name.to_str().map(ImageName::parse) {
                Some(Ok(name)) => self.image(&name, None),
                _ => Err(StoreError::NotOurs { path: path.clone() }),
            };
            match image {
                Ok(manifest) => listing.images.push(manifest),
                // Removed since the directory was read.
                Err(StoreError::NoSuchImage { .. }) => {}
                Err(error) => listing.unusable.push(UnusableImage {
                    name: name.into_owned(),
                    error,
                }),
            }
        }
        self.list_unlinked(&mut listing)?;
        Ok(listing)
    }

    /// Adds the images of which there are generations and no link.
    fn list_unlinked(&self, listing: &mut Listing) -> Result<(), StoreError> {
        for path in read_dir(&self.hidden("images"))? {
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(Ok(name)) = name.map(ImageName::parse) else {
                continue;
            };
            let is_unlinked = || matches!(self.current(&name), Ok(None));
            if !is_unlinked() {
                continue;
            }
            let error = match self.generations(&name) {
                Ok(generations) => StoreError::NotCurrent { generations },
                // What an image that was removed leaves is its next number.
                Err(StoreError::NoSuchImage { .. }) => continue,
                Err(error) => error,
            };
            // It may be one that was just being published.
            if is_unlinked() {
                let name = name.to_string();
                listing.unusable.push(UnusableImage { name, error });
            }
        }
        listing
            .unusable
            .sort_by(|one, other| one.name.cmp(&other.name));
        Ok(())
    }

    /// The manifest of an image: of its current generation, or of the one given.
    ///
    /// # Errors
    /// That there is none, or what is wrong with it.
    pub fn image(
        &self,
        name: &ImageName,
        generation: Option<Generation>,
    ) -> Result<Manifest, StoreError> {
        if let Some(generation) = generation {
            return self.manifest(name, generation);
        }
        let no_image = || StoreError::NoSuchImage { name: name.clone() };
        let mut current = self.current(name)?.ok_or_else(no_image)?;
        loop {
            let error = match self.manifest(name, current) {
                Ok(manifest) => return Ok(manifest),
                Err(error) => error,
            };
            // It may have been replaced and pruned since the link was read.
            let now = self.current(name)?.ok_or_else(no_image)?;
            if now == current {
                return Err(error);
            }
            current = now;
        }
    }

    /// Opens a file of an image: one that its manifest lists, `SHA256SUMS`, `manifest.json` or a
    /// signature.
    ///
    /// The manifest is read for it; [`open_file_of`](Self::open_file_of) saves that where it is at
    /// hand.
    ///
    /// # Errors
    /// That there is no such image, generation or file; that the file is missing or not as long as
    /// the manifest says.
    pub fn open_file(&self, file: &FileRef) -> Result<OpenFile, StoreError> {
        self.open_file_of(&self.image(&file.name, file.generation)?, &file.file)
    }

    /// Opens a file of the generation that a manifest describes, without reading the manifest
    /// again.
    ///
    /// # Errors
    /// As [`open_file`](Self::open_file).
    pub fn open_file_of(
        &self,
        manifest: &Manifest,
        file: &FileName,
    ) -> Result<OpenFile, StoreError> {
        let generation = manifest.generation();
        let dir = self.generation_dir(manifest.name(), generation);
        let path = dir.join(file.as_str());
        let role = match (file.as_str(), manifest.file(file.as_str())) {
            ("manifest.json", _) => FileRole::Manifest,
            ("SHA256SUMS", _) => FileRole::Sums,
            (_, Some(_)) => FileRole::Boot,
            (name, None) if manifest.has_unlisted(name) => FileRole::Signature,
            _ => {
                return Err(StoreError::NoSuchFile {
                    name: manifest.name().clone(),
                    file: file.clone(),
                });
            }
        };
        let mut opened = match open_regular(&path) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(match is_missing(&dir) {
                    false => StoreError::Damaged {
                        path,
                        reason: "it is missing".to_owned(),
                    },
                    true => StoreError::NoSuchGeneration {
                        name: manifest.name().clone(),
                        generation,
                    },
                });
            }
            opened => opened?,
        };
        let size = opened
            .metadata()
            .map_err(|source| StoreError::io("look at", &path, source))?
            .len();
        let digest = match manifest.file(file.as_str()) {
            Some(listed) if listed.size() == size => listed.digest(),
            Some(listed) => {
                let reason = format!("it has {size} bytes instead of {}", listed.size());
                return Err(StoreError::Damaged { path, reason });
            }
            None => {
                let text = read_small(&opened, &path)?;
                opened
                    .rewind()
                    .map_err(|source| StoreError::io("read", &path, source))?;
                Digest::of(&text)
            }
        };
        Ok(OpenFile {
            file: opened,
            path,
            generation,
            size,
            digest,
            role,
        })
    }

    pub(super) fn manifest(
        &self,
        name: &ImageName,
        generation: Generation,
    ) -> Result<Manifest, StoreError> {
        let dir = self.generation_dir(name, generation);
        let path = dir.join("manifest.json");
        let text = match open_regular(&path) {
            Err(StoreError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && is_missing(&dir) =>
            {
                return Err(StoreError::NoSuchGeneration {
                    name: name.clone(),
                    generation,
                });
            }
            opened => read_small(&opened?, &path)?,
        };
        let refused = |reason| StoreError::Manifest {
            name: name.clone(),
            reason,
        };
        let manifest = Manifest::decode(&text).map_err(refused)?;
        if manifest.name() != name || manifest.generation() != generation {
            let says = format!(
                "it says that it is {}/{}",
                manifest.name(),
                manifest.generation()
            );
            return Err(StoreError::Damaged { path, reason: says });
        }
        Ok(manifest)
    }
}

/// Opens a file of the store's: a regular one and no link.
pub(super) fn open_regular(path: &Path) -> Result<File, StoreError> {
    let damaged = |reason: &str| StoreError::Damaged {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    match open(path, OFlags::NOFOLLOW) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(damaged(IRREGULAR)),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
            Err(damaged("it is a symbolic link"))
        }
        Err(error) => Err(StoreError::io("open", path, error)),
    }
}

/// Opens a file that somebody names to be read to its end, and follows links. A device may have no
/// end, and a pipe nobody who writes: it is a regular file, or an error.
///
/// ```
/// let endless = netboot_image::open_source("/dev/zero".as_ref()).unwrap_err();
/// assert_eq!(endless.to_string(), "it is no regular file");
/// ```
///
/// # Errors
/// What opening it failed with, and that it is no regular file.
pub fn open_source(path: &Path) -> io::Result<File> {
    let irregular = || io::Error::new(io::ErrorKind::InvalidInput, IRREGULAR);
    open(path, OFlags::empty())?.ok_or_else(irregular)
}

const IRREGULAR: &str = "it is no regular file";

/// Opens a file without waiting at a pipe; `None` where it is no regular one.
fn open(path: &Path, flags: OFlags) -> io::Result<Option<File>> {
    let flags = flags | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::from_ne_bytes(flags.bits().to_ne_bytes()))
        .open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Reads `manifest.json` or `SHA256SUMS`, which are never longer than the longest manifest.
pub(super) fn read_small(file: &File, path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::new();
    let max = Manifest::MAX_LEN;
    let mut limited = file.take(u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1));
    limited
        .read_to_end(&mut text)
        .map_err(|source| StoreError::io("read", path, source))?;
    if text.len() > max {
        return Err(StoreError::Damaged {
            path: path.to_owned(),
            reason: format!("it is longer than {max} bytes"),
        });
    }
    Ok(text)
}
