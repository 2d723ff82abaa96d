//! SHA-256 digests: of bytes, of streams and files, and of what passes by while it is copied.
//!
//! The text is that of the OCI image specification (`sha256:` and 64 lower-case hex digits); the bare 64 digits of
//! coreutils are read too. SHA-256 is FIPS 180-4.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// Bytes read at a time: large enough that system calls cost nothing beside hashing, small enough for the cache.
const CHUNK: usize = 128 * 1024;

/// A SHA-256 digest.
///
/// Shown as `sha256:` and 64 lower-case hex digits, as OCI writes it; [`hex`](Self::hex) gives the bare digits of
/// coreutils. Parsing takes both: after `sha256:` the digits must be lower case, as OCI has it; bare digits may be of
/// either case, as `sha256sum -c` takes them.
///
/// ```
/// use netboot_image::Digest;
///
/// let digest = Digest::of(b"abc");
/// // FIPS 180-2, appendix B.1
/// let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// assert_eq!(digest.to_string(), text);
/// assert_eq!(text.parse::<Digest>()?, digest);
/// assert_eq!(digest.hex().to_string(), &text[7..]);
/// # Ok::<(), netboot_image::DigestError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// There are not 64 hex digits.
    #[error("a SHA-256 digest has 64 hex digits, not {found} characters")]
    Length {
        /// Characters found in the place of the digits.
        found: usize,
    },
    /// A character is no hex digit, or an upper-case one after `sha256:`.
    #[error("byte {at} of the digest is no hex digit")]
    Digit {
        /// Offset in the whole text, in bytes.
        at: usize,
    },
    /// The text before the colon names another algorithm.
    #[error("digest algorithm {algorithm:?} is not sha256")]
    Algorithm {
        /// The text before the colon, cut at 32 characters.
        algorithm: String,
    },
}

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of all that a reader gives, and how many bytes that was.
    ///
    /// ```
    /// let (digest, len) = netboot_image::Digest::of_reader(&b"abc"[..])?;
    /// assert_eq!((digest, len), (netboot_image::Digest::of(b"abc"), 3));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the reader failed with.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = Hasher::new();
        let mut chunk = vec![0; CHUNK];
        while let Some(bytes) = read_some(&mut reader, &mut chunk)? {
            hasher.update(bytes);
        }
        Ok((hasher.digest(), hasher.len()))
    }

    /// The digest of a file's content, and its length.
    ///
    /// # Errors
    /// What opening or reading the file failed with. A directory is an error.
    pub fn of_file(path: impl AsRef<Path>) -> io::Result<(Self, u64)> {
        Self::of_reader(File::open(path)?)
    }

    /// The digest from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Shows the 64 lower-case hex digits alone.
    pub fn hex(&self) -> impl fmt::Display + use<> {
        Hex(self.0)
    }
}

/// Takes bytes piece by piece and tells their [`Digest`].
///
/// It is a [`Write`] that never fails, so it can stand wherever bytes go by.
///
/// ```
/// use netboot_image::{Digest, Hasher};
///
/// let mut hasher = Hasher::new();
/// hasher.update(b"a");
/// hasher.update(b"bc");
/// assert_eq!(hasher.len(), 3);
/// assert_eq!(hasher.digest(), Digest::of(b"abc"));
/// ```
#[derive(Clone, Default)]
pub struct Hasher {
    state: sha2::Sha256,
    len: u64,
}

impl Hasher {
    /// A hasher that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.len = self
            .len
            .saturating_add(bytes.len().try_into().unwrap_or(u64::MAX));
    }

    /// How many bytes it has seen.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has seen none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The digest of all that it has seen; more may follow.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(self.state.clone().finalize().into())
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Why [`copy`] stopped: whose fault it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The source failed.
    #[error("reading failed after {at} bytes")]
    Read {
        /// Bytes that had been copied by then.
        at: u64,
        /// What the reader said.
        source: io::Error,
    },
    /// The destination failed, as when the disk is full.
    #[error("writing failed after {at} bytes")]
    Write {
        /// Bytes that had been copied by then.
        at: u64,
        /// What the writer said.
        source: io::Error,
    },
    /// The progress callback asked for it.
    #[error("cancelled after {at} bytes")]
    Cancelled {
        /// Bytes that had been copied by then.
        at: u64,
    },
}

/// Copies a reader into a writer and hashes what passes, in one pass; gives the digest and the number of bytes.
///
/// `progress` is told the bytes copied so far after each piece, at most 128 KiB of it, and stops the copy by
/// [`ControlFlow::Break`]. The writer is not flushed.
///
/// ```
/// use std::ops::ControlFlow;
/// use netboot_image::{Digest, copy};
///
/// let mut out = Vec::new();
/// let mut seen = 0;
/// let (digest, len) = copy(&b"abc"[..], &mut out, |bytes| { seen = bytes; ControlFlow::Continue(()) })?;
/// assert_eq!((out.as_slice(), len, seen), (&b"abc"[..], 3, 3));
/// assert_eq!(digest, Digest::of(b"abc"));
/// # Ok::<(), netboot_image::CopyError>(())
/// ```
///
/// # Errors
/// What the reader or the writer failed with, or that it was cancelled.
pub fn copy(
    mut reader: impl Read,
    mut writer: impl Write,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<(Digest, u64), CopyError> {
    let mut hasher = Hasher::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let at = hasher.len();
        let read =
            read_some(&mut reader, &mut chunk).map_err(|source| CopyError::Read { at, source })?;
        let Some(bytes) = read else {
            return Ok((hasher.digest(), at));
        };
        writer
            .write_all(bytes)
            .map_err(|source| CopyError::Write { at, source })?;
        hasher.update(bytes);
        if progress(hasher.len()).is_break() {
            return Err(CopyError::Cancelled { at: hasher.len() });
        }
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (digits, offset) = match text.split_once(':') {
            Some(("sha256", digits)) => (digits, "sha256:".len()),
            Some((algorithm, _)) => {
                return Err(DigestError::Algorithm {
                    algorithm: algorithm.chars().take(32).collect(),
                });
            }
            None => (text, 0),
        };
        let digest = Self::from_hex(digits.as_bytes()).map_err(|error| match error {
            DigestError::Digit { at } => DigestError::Digit { at: at + offset },
            other => other,
        })?;
        match digits.bytes().position(|byte| byte.is_ascii_uppercase()) {
            Some(at) if offset > 0 => Err(DigestError::Digit { at: at + offset }),
            _ => Ok(digest),
        }
    }
}

impl Digest {
    /// The digest from 64 hex digits of either case, and nothing else.
    pub(crate) fn from_hex(digits: &[u8]) -> Result<Self, DigestError> {
        if digits.len() != 64 {
            return Err(DigestError::Length {
                found: String::from_utf8_lossy(digits).chars().count(),
            });
        }
        let mut bytes = [0; 32];
        for (index, (pair, byte)) in digits.chunks_exact(2).zip(&mut bytes).enumerate() {
            for (half, &digit) in pair.iter().enumerate() {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    b'A'..=b'F' => digit - b'A' + 10,
                    _ => {
                        return Err(DigestError::Digit {
                            at: index * 2 + half,
                        });
                    }
                };
                *byte = *byte << 4 | value;
            }
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", Hex(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Hex([u8; 32]);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The next bytes of a reader, or `None` at its end; an interrupted call is made again.
pub(crate) fn read_some<'a>(
    reader: &mut impl Read,
    chunk: &'a mut [u8],
) -> io::Result<Option<&'a [u8]>> {
    loop {
        match reader.read(chunk) {
            Ok(0) => return Ok(None),
            Ok(len) => {
                return chunk.get(..len).map(Some).ok_or_else(|| {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        "reader claims more bytes than there was room for",
                    )
                });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_digests_are_those_of_fips_180() {
        assert_eq!(Digest::of(b"abc").hex().to_string(), ABC);
        assert_eq!(
            Digest::of(b"").hex().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let million = io::repeat(b'a').take(1_000_000);
        let (digest, len) = Digest::of_reader(million).expect("a reader that cannot fail");
        assert_eq!(len, 1_000_000);
        assert_eq!(
            digest.hex().to_string(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }

    #[test]
    fn text_is_read_as_oci_and_as_coreutils_write_it() {
        let upper = ABC.to_uppercase();
        assert_eq!(ABC.parse(), Ok(Digest::of(b"abc")));
        assert_eq!(upper.parse(), Ok(Digest::of(b"abc")));
        assert_eq!(format!("sha256:{ABC}").parse(), Ok(Digest::of(b"abc")));
        assert_eq!(
            format!("sha256:{upper}").parse::<Digest>(),
            Err(DigestError::Digit { at: 7 })
        );
        assert_eq!(
            format!("sha512:{ABC}").parse::<Digest>(),
            Err(DigestError::Algorithm {
                algorithm: "sha512".to_owned()
            })
        );
        assert_eq!("".parse::<Digest>(), Err(DigestError::Length { found: 0 }));
        assert_eq!(
            ABC[1..].parse::<Digest>(),
            Err(DigestError::Length { found: 63 })
        );
        assert_eq!(
            ABC.replace('5', "x").parse::<Digest>(),
            Err(DigestError::Digit { at: 24 })
        );
    }

    #[test]
    fn copying_tells_whose_fault_it_was() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let go_on = |_| ControlFlow::Continue(());
        assert!(matches!(
            copy(&b"abc"[..], Full, go_on),
            Err(CopyError::Write { at: 0, .. })
        ));
        assert!(matches!(
            copy((&b"abc"[..]).chain(Broken), io::sink(), go_on),
            Err(CopyError::Read { at: 3, .. })
        ));
        let stop = |_| ControlFlow::Break(());
        assert!(matches!(
            copy(&b"abc"[..], io::sink(), stop),
            Err(CopyError::Cancelled { at: 3 })
        ));
    }

    #[test]
    fn a_reader_that_lies_about_its_length_is_an_error() {
        struct Liar;
        impl Read for Liar {
            fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
                Ok(chunk.len() + 1)
            }
        }
        assert!(Digest::of_reader(Liar).is_err());
    }
}
