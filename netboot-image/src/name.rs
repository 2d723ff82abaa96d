//! Names of images and of the files within one.
//!
//! A name ends up in a URL, in a directory, in an iPXE script and in a menu, so it is held to what
//! all of them take as it is: nothing here ever needs quoting or escaping, and no name can leave
//! the directory that it is joined to. What comes in is text from the command line, a
//! configuration, a URL or a manifest; what comes out is a type that cannot be wrong.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of an image: the directory, the menu key and the URL part that all its files share.
///
/// 1 to 63 ASCII letters, digits, `-`, `.` and `_`; it begins and ends with a letter or digit,
/// holds no `..`, and its part before the first dot is none of the device names that Windows
/// reserves (`con`, `nul`, `com1`, …), so that a tree of images can be unpacked anywhere. Case is
/// kept and is significant.
///
/// ```
/// use netboot_image::ImageName;
///
/// let name: ImageName = "debian-12.5_amd64".parse()?;
/// assert_eq!(name.as_str(), "debian-12.5_amd64");
/// for wrong in ["", ".", "..", "a/b", ".store", "-x", "a..b", "NUL.txt", "naïve", "a b"] {
///     assert!(wrong.parse::<ImageName>().is_err(), "{wrong:?}");
/// }
/// # Ok::<(), netboot_image::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ImageName(String);

/// The name of a file within an image, such as `bzImage`, `initrd-2` or `SHA256SUMS`.
///
/// 1 to 128 ASCII letters, digits, `-`, `.`, `_` and `+`; it begins and ends with a letter, a digit
/// or `_`, holds no `..`, and is no Windows device. `@12` is none, so a generation in a URL is
/// never taken for a file.
///
/// ```
/// use netboot_image::FileName;
///
/// let name: FileName = "vmlinuz-6.1.0+deb12".parse()?;
/// assert_eq!(name.as_str(), "vmlinuz-6.1.0+deb12");
/// assert!("../etc/passwd".parse::<FileName>().is_err());
/// assert!("/etc/passwd".parse::<FileName>().is_err());
/// # Ok::<(), netboot_image::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FileName(String);

/// Why a text is no name of an image or of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is no character.
    #[error("name is empty")]
    Empty,
    /// It is longer than its kind may be.
    #[error("name of {len} bytes is longer than {max}")]
    TooLong {
        /// Bytes that were given.
        len: usize,
        /// Bytes that are allowed.
        max: usize,
    },
    /// A character is not in the set, or not at this place.
    #[error("{found:?} is not allowed at byte {at} of the name")]
    Character {
        /// The character.
        found: char,
        /// Its offset in bytes.
        at: usize,
    },
    /// `..` occurs in it.
    #[error("name holds two dots in a row at byte {at}")]
    Dots {
        /// Offset of the first of the two, in bytes.
        at: usize,
    },
    /// Windows takes it for a device.
    #[error("{device:?} is the name of a device on Windows")]
    Device {
        /// The part that is reserved, as it was written.
        device: String,
    },
}

impl ImageName {
    /// The longest image name, in bytes: that of a DNS label (RFC 1035 section 2.3.4).
    pub const MAX_LEN: usize = 63;

    /// Checks a text and takes a copy of it.
    ///
    /// # Errors
    /// What is wrong with the name, and where.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check(text, Self::MAX_LEN, |c, edge| {
            c.is_ascii_alphanumeric() || (!edge && matches!(c, '-' | '.' | '_'))
        })?;
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FileName {
    /// A name that this crate gives to a file itself.
    pub(crate) fn of_image(name: &str) -> Self {
        debug_assert!(Self::parse(name).is_ok());
        Self(name.to_owned())
    }

    /// The longest file name, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Checks a text and takes a copy of it.
    ///
    /// # Errors
    /// What is wrong with the name, and where.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check(text, Self::MAX_LEN, |c, edge| {
            c.is_ascii_alphanumeric() || c == '_' || (!edge && matches!(c, '-' | '.' | '+'))
        })?;
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_type {
    ($name:ident) => {
        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_type!(ImageName);
text_type!(FileName);

fn check(text: &str, max: usize, allowed: impl Fn(char, bool) -> bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > max {
        return Err(NameError::TooLong {
            len: text.len(),
            max,
        });
    }
    for (at, found) in text.char_indices() {
        let edge = at == 0 || at + found.len_utf8() == text.len();
        if !allowed(found, edge) {
            return Err(NameError::Character { found, at });
        }
    }
    if let Some(at) = text.find("..") {
        return Err(NameError::Dots { at });
    }
    let stem = text.split('.').next().unwrap_or(text);
    if is_device(stem) {
        return Err(NameError::Device {
            device: stem.to_owned(),
        });
    }
    Ok(())
}

/// Whether Windows takes a file of this name, with any extension, for a device.
fn is_device(stem: &str) -> bool {
    let lower = stem.to_ascii_lowercase();
    match lower.as_str() {
        "con" | "prn" | "aux" | "nul" => true,
        numbered => numbered
            .strip_prefix("com")
            .or_else(|| numbered.strip_prefix("lpt"))
            .is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9'])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_use_are_taken() {
        for name in [
            "a",
            "proxmox-host",
            "debian-12.5_amd64",
            "NixOS",
            "10",
            "x".repeat(63).as_str(),
            "console",
            "com10",
        ] {
            assert_eq!(
                ImageName::parse(name).map(|n| n.to_string()).as_deref(),
                Ok(name)
            );
        }
        for name in [
            "bzImage",
            "initrd-2",
            "SHA256SUMS",
            "manifest.json",
            "vmlinuz-6.1.0+deb12",
            "_x",
            "x_",
        ] {
            assert_eq!(
                FileName::parse(name).map(|n| n.to_string()).as_deref(),
                Ok(name)
            );
        }
    }

    #[test]
    fn a_name_says_what_is_wrong_and_where() {
        let cases = [
            ("", NameError::Empty),
            (".", NameError::Character { found: '.', at: 0 }),
            ("..", NameError::Character { found: '.', at: 0 }),
            (".store", NameError::Character { found: '.', at: 0 }),
            ("a/b", NameError::Character { found: '/', at: 1 }),
            ("a\\b", NameError::Character { found: '\\', at: 1 }),
            ("a\0b", NameError::Character { found: '\0', at: 1 }),
            ("a\n", NameError::Character { found: '\n', at: 1 }),
            ("a-", NameError::Character { found: '-', at: 1 }),
            ("a.", NameError::Character { found: '.', at: 1 }),
            ("@12", NameError::Character { found: '@', at: 0 }),
            ("nä", NameError::Character { found: 'ä', at: 1 }),
            ("a..b", NameError::Dots { at: 1 }),
            (
                "Con",
                NameError::Device {
                    device: "Con".to_owned(),
                },
            ),
            (
                "lpt9.cfg",
                NameError::Device {
                    device: "lpt9".to_owned(),
                },
            ),
        ];
        for (text, error) in cases {
            assert_eq!(ImageName::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(
            ImageName::parse(&"x".repeat(64)),
            Err(NameError::TooLong { len: 64, max: 63 })
        );
        assert_eq!(
            FileName::parse("a+"),
            Err(NameError::Character { found: '+', at: 1 })
        );
        assert_eq!(
            FileName::parse("-rf"),
            Err(NameError::Character { found: '-', at: 0 })
        );
    }

    #[test]
    fn serde_refuses_what_parsing_refuses() {
        assert_eq!(
            serde_json::from_str::<ImageName>("\"a.b\"").expect("a valid name"),
            "a.b"
        );
        assert!(serde_json::from_str::<ImageName>("\"../b\"").is_err());
        assert!(serde_json::from_str::<FileName>("\"a/b\"").is_err());
    }
}
