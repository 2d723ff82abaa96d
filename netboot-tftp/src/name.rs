//! File names as clients send them, made into paths below a root.
//!
//! RFC 1350 says nothing of names but that they end with a zero byte. They are a stranger's bytes:
//! this is the one place that decides which of them may reach a file system.

use core::fmt;

use thiserror::Error;

/// A path below some root: components that are neither empty, `.` nor `..`, of which there is at
/// least one.
///
/// Case is kept as it is. The check is of the text alone: a source that opens files still has to
/// see that no symbolic link leads out of its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelativePath<'a> {
    text: &'a str,
}

/// Why a name is no path below a root; the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing is left of the name once separators and `.` are gone.
    #[error("the name is empty")]
    Empty,
    /// The name holds a NUL or another control character.
    #[error("the name holds a control character at offset {offset}")]
    Control {
        /// Bytes from the start of the name.
        offset: usize,
    },
    /// The name is not UTF-8.
    #[error("the name is not valid UTF-8 from offset {offset}")]
    NotUtf8 {
        /// Bytes from the start of the name.
        offset: usize,
    },
    /// A component is `..`.
    #[error("the name leads upwards")]
    Upwards,
}

impl<'a> RelativePath<'a> {
    /// Checks a name. `\` separates components as `/` does, since firmware sends both; a leading
    /// separator means the root itself.
    ///
    /// ```
    /// use netboot_tftp::{NameError, RelativePath};
    ///
    /// let path = RelativePath::decode(br"\boot\x64//ipxe.efi")?;
    /// assert_eq!(path.to_string(), "boot/x64/ipxe.efi");
    /// assert_eq!(RelativePath::decode(b"../secret"), Err(NameError::Upwards));
    /// # Ok::<(), NameError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn decode(name: &'a [u8]) -> Result<Self, NameError> {
        let text = core::str::from_utf8(name).map_err(|error| NameError::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
        if let Some(offset) = text.find(char::is_control) {
            return Err(NameError::Control { offset });
        }
        let path = Self { text };
        if path.components().any(|part| part == "..") {
            return Err(NameError::Upwards);
        }
        if path.components().next().is_none() {
            return Err(NameError::Empty);
        }
        Ok(path)
    }

    /// The components from the root down.
    pub fn components(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text
            .split(['/', '\\'])
            .filter(|part| !part.is_empty() && *part != ".")
    }
}

impl fmt::Display for RelativePath<'_> {
    /// The components with `/` between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.components().enumerate().try_for_each(|(i, part)| {
            if i > 0 {
                f.write_str("/")?;
            }
            f.write_str(part)
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_as_firmware_sends_them_become_paths() {
        for (name, path) in [
            (&b"undionly.kpxe"[..], "undionly.kpxe"),
            (
                b"/pxelinux.cfg/01-52-54-00-12-34-56",
                "pxelinux.cfg/01-52-54-00-12-34-56",
            ),
            (br"Boot\x64\wdsnbp.com", "Boot/x64/wdsnbp.com"),
            (b"./a/./b//c/", "a/b/c"),
            (b"...", "..."),
            (b"a..b", "a..b"),
        ] {
            assert_eq!(RelativePath::decode(name).unwrap().to_string(), path);
        }
    }

    #[test]
    fn names_that_lead_out_or_mean_nothing_are_refused() {
        for (name, error) in [
            (&b""[..], NameError::Empty),
            (b"/./", NameError::Empty),
            (b"..", NameError::Upwards),
            (b"a/../../b", NameError::Upwards),
            (br"a\..\b", NameError::Upwards),
            (b"a\0b", NameError::Control { offset: 1 }),
            (b"a\nb", NameError::Control { offset: 1 }),
            (b"ab\xff", NameError::NotUtf8 { offset: 2 }),
        ] {
            assert_eq!(RelativePath::decode(name), Err(error));
        }
    }
}
