//! Reading a store: which images there are, and their files.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Store, StoreError};
use crate::{Digest, FileName, Generation, ImageName, Manifest, NameError};

/// The images of a store, and what is wrong with those that cannot be used.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The current manifest of each image that is whole, in order of their names.
    pub images: Vec<Manifest>,
    /// What else stands in the store, in order of the names.
    pub problems: Vec<Problem>,
}

/// Something in the store's directory that is no usable image.
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem {
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
    pub content: Content,
}

/// What a file of an image is for; a server may choose its media type by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content {
    /// A kernel or an initial RAM disk: bytes.
    Boot,
    /// `manifest.json`.
    Manifest,
    /// `SHA256SUMS`: text.
    Sums,
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
            name: ImageName::new(name).map_err(FileRefError::Image)?,
            generation,
            file: FileName::new(file).map_err(FileRefError::File)?,
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
    /// Every image that can be used, and what is wrong with the others. One broken image stops no other.
    ///
    /// # Errors
    /// That the store's directory itself cannot be read.
    pub fn list(&self) -> Result<Listing, StoreError> {
        unimplemented!("skeleton")
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
        let _ = (name, generation);
        unimplemented!("skeleton")
    }

    /// The generations of an image that are in the store, oldest first.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`] when the image has none.
    pub fn generations(&self, name: &ImageName) -> Result<Vec<Generation>, StoreError> {
        let _ = name;
        unimplemented!("skeleton")
    }

    /// Opens a file of an image: one that its manifest lists, or `SHA256SUMS` or `manifest.json`.
    ///
    /// # Errors
    /// That there is no such image, generation or file; that the file is not what the manifest says by its size.
    pub fn open_file(&self, file: &FileRef) -> Result<OpenFile, StoreError> {
        let _ = file;
        unimplemented!("skeleton")
    }

    /// Opens a file of the generation that a manifest describes, without reading the manifest again.
    ///
    /// # Errors
    /// As [`open_file`](Self::open_file).
    pub fn open_file_of(
        &self,
        manifest: &Manifest,
        file: &FileName,
    ) -> Result<OpenFile, StoreError> {
        let _ = (manifest, file);
        unimplemented!("skeleton")
    }
}
