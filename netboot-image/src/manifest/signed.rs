//! The detached signatures that a manifest lists.

use std::fmt;

use super::{Extra, ImageFile};
use crate::FileName;

/// A detached signature: a file beside the one that it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    pub(crate) form: SignatureForm,
    pub(crate) of: FileName,
    pub(crate) file: FileName,
    /// Size and digest, save for one over `SHA256SUMS`: that list holds the manifest's digest, and
    /// the manifest could not hold that of what was signed after it.
    pub(crate) listed: Option<ImageFile>,
    pub(crate) extra: Extra,
}

/// The form of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureForm {
    /// CMS in DER (RFC 5652), as iPXE's `imgverify` takes it. In JSON: `cms`.
    Cms,
    /// OpenPGP, binary (RFC 9580), as `gpg --detach-sign` writes it. In JSON: `openpgp`.
    OpenPgp,
    /// One that a later version knows: what stands in the manifest.
    Other(String),
}

impl Signature {
    /// Its form.
    #[must_use]
    pub fn form(&self) -> &SignatureForm {
        &self.form
    }

    /// The file that it is over.
    #[must_use]
    pub fn of(&self) -> &FileName {
        &self.of
    }

    /// The file that it is in.
    #[must_use]
    pub fn file(&self) -> &FileName {
        &self.file
    }

    /// Its size and digest; none for a signature over `SHA256SUMS`.
    #[must_use]
    pub fn listed(&self) -> Option<&ImageFile> {
        self.listed.as_ref()
    }
}

impl SignatureForm {
    /// The word for it in a manifest.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Cms => "cms",
            Self::OpenPgp => "openpgp",
            Self::Other(form) => form,
        }
    }

    pub(super) fn read(form: String) -> Self {
        match form.as_str() {
            "cms" => Self::Cms,
            "openpgp" => Self::OpenPgp,
            _ => Self::Other(form),
        }
    }
}

impl fmt::Display for SignatureForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
