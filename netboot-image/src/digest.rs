//! SHA-256 digests of bytes, streams and files.
//!
//! The text is that of the OCI image specification (`sha256:` and 64 lower-case hex digits); the
//! bare 64 digits of coreutils are read too. SHA-256 is FIPS 180-4.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::copy::hashed;

/// A SHA-256 digest.
///
/// Shown as `sha256:` and 64 lower-case hex digits, as OCI writes it; [`hex`](Self::hex) gives the
/// bare digits of coreutils. Parsing takes both: after `sha256:` the digits must be lower case, as
/// OCI has it; bare digits may be of either case, as `sha256sum -c` takes them.
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
    pub fn of_reader(reader: impl Read) -> io::Result<(Self, u64)> {
        let hasher = hashed(reader)?;
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
        let digest = Self::decode_hex(digits.as_bytes()).map_err(|error| match error {
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
    pub(crate) fn decode_hex(digits: &[u8]) -> Result<Self, DigestError> {
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
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
        // Written in one piece, since each response by HTTP has one.
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
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
}
