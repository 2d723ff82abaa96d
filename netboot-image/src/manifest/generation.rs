//! The number of a publication.

use std::fmt;
use std::str::FromStr;

/// The number of one publication of an image, counted from 1; no number of an image is ever used
/// again.
///
/// Its text is `@12`, as in a URL; `12` is read too.
///
/// ```
/// use netboot_image::Generation;
///
/// let generation: Generation = "@12".parse()?;
/// assert_eq!((generation.number(), generation.to_string().as_str()), (12, "@12"));
/// assert!("@0".parse::<Generation>().is_err() && "@012".parse::<Generation>().is_err());
/// # Ok::<(), netboot_image::GenerationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u32);

/// The text is no generation: not `@` and a number from 1 to 4294967295 without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a generation is written @ and a number from 1 up")]
#[non_exhaustive]
pub struct GenerationError;

impl Generation {
    /// That of an image's first publication.
    pub const FIRST: Self = Self(1);

    /// The generation of that number, if it is above 0.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl FromStr for Generation {
    type Err = GenerationError;

    fn from_str(text: &str) -> Result<Self, GenerationError> {
        let digits = text.strip_prefix('@').unwrap_or(text);
        let canonical =
            !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .parse()
            .ok()
            .filter(|_| canonical)
            .and_then(Self::new)
            .ok_or(GenerationError)
    }
}
