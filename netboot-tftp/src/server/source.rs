//! Where files come from: the [`Source`] trait, and files in memory.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

use crate::content::Content;
use crate::error_code::ErrorCode;
use crate::name::RelativePath;
use crate::netascii::TransferMode;
use crate::options::Options;
use crate::server::upload::Upload;
use crate::transfer::TransferSettings;

/// Gives the content for a name: [`Directory`](crate::server::Directory), [`Memory`], or a policy
/// of the caller's that knows the client by its address.
pub trait Source: Send + Sync + 'static {
    /// Finds what this client gets for this request.
    ///
    /// It is called once for each transfer, from a task of its own, and counts against the caps
    /// while it runs: answer in bounded time.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: what the client is told instead, if anything.
    fn open(&self, request: &Request<'_>) -> impl Future<Output = Result<Content, Refusal>> + Send;

    /// How patient the transfer of this request is, from what the server's settings say; called
    /// behind [`Source::open`] and [`Source::create`].
    ///
    /// A source that knows which addresses are surely their clients' own sends others less
    /// ([`TransferSettings::max_first_retries`]). Unless it says otherwise all are alike.
    fn patience(&self, request: &Request<'_>, settings: TransferSettings) -> TransferSettings {
        let _all_are_alike = request;
        settings
    }

    /// Makes room for a file that this client wants to write; called as [`Source::open`] is.
    ///
    /// Unless a source has its own, nothing may be written.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: what the client is told instead, if anything.
    fn create(
        &self,
        request: &Request<'_>,
    ) -> impl Future<Output = Result<Upload, Refusal>> + Send {
        let _refused_whatever_it_is = request;
        async { Err(WRITING_REFUSED) }
    }
}

impl<S: Source> Source for Arc<S> {
    fn patience(&self, request: &Request<'_>, settings: TransferSettings) -> TransferSettings {
        S::patience(self, request, settings)
    }

    fn open(&self, request: &Request<'_>) -> impl Future<Output = Result<Content, Refusal>> + Send {
        S::open(self, request)
    }

    fn create(
        &self,
        request: &Request<'_>,
    ) -> impl Future<Output = Result<Upload, Refusal>> + Send {
        S::create(self, request)
    }
}

/// A request as a [`Source`] sees it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The client's address and port.
    pub client: SocketAddr,
    /// The address of ours that the client asked, where the platform tells.
    pub local: Option<IpAddr>,
    /// The file name as it was sent: untrusted bytes. [`RelativePath::decode`] makes a safe path of
    /// it.
    pub name: &'a [u8],
    /// Whether the bytes go over the wire as they are or as netascii; the server sees to that.
    pub mode: TransferMode,
    /// The options that were asked for.
    pub options: Options,
}

/// Why a client does not get a file.
///
/// The text that the client sees is fixed at compile time, so that no path of the server gets into
/// it; what else there is to say goes into the detail, which only the observer sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: Option<ErrorCode>,
    message: &'static str,
    detail: Option<Box<str>>,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    /// Everything, the detail included: for a log, and not for the client.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "refused with error {}", code.with_message(self.message))?,
            None => f.write_str("not answered")?,
        }
        self.detail
            .as_ref()
            .map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

/// The answer to a write request where nothing may be written.
pub(crate) const WRITING_REFUSED: Refusal = Refusal {
    code: Some(ErrorCode::ACCESS_VIOLATION),
    message: "writing is not allowed",
    detail: None,
};

impl Refusal {
    /// An ERROR with this code and text.
    #[must_use]
    pub fn new(code: ErrorCode, message: &'static str) -> Self {
        Self {
            code: Some(code),
            message,
            detail: None,
        }
    }

    /// ERROR 1: there is no such file.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(ErrorCode::FILE_NOT_FOUND, "file not found")
    }

    /// ERROR 2: the file is not for this client.
    #[must_use]
    pub fn access_violation() -> Self {
        Self::new(ErrorCode::ACCESS_VIOLATION, "access violation")
    }

    /// No answer at all, as if there were no server.
    #[must_use]
    pub fn silent() -> Self {
        Self {
            code: None,
            message: "",
            detail: None,
        }
    }

    /// Adds what only the observer is to see.
    #[must_use]
    pub fn with_detail(self, detail: impl fmt::Display) -> Self {
        Self {
            detail: Some(detail.to_string().into_boxed_str()),
            ..self
        }
    }

    /// The code of the ERROR, or `None` for silence.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        self.code
    }

    /// The text of the ERROR.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// What only the observer is to see.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

/// A fixed set of files in memory, by path below an imagined root.
///
/// ```
/// use netboot_tftp::server::Memory;
///
/// let files = Memory::from_iter([("autoexec.ipxe", "#!ipxe\nshell\n")]);
/// assert_eq!(files.len(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Memory {
    files: HashMap<String, Bytes>,
}

impl Memory {
    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl<N: Into<String>, B: Into<Bytes>> FromIterator<(N, B)> for Memory {
    /// Collects pairs of path and content. A path has `/` between its components and none in front.
    fn from_iter<I: IntoIterator<Item = (N, B)>>(files: I) -> Self {
        Self {
            files: files
                .into_iter()
                .map(|(name, content)| (name.into(), content.into()))
                .collect(),
        }
    }
}

impl Source for Memory {
    async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
        let path = RelativePath::decode(request.name)
            .map_err(|error| Refusal::access_violation().with_detail(error))?;
        self.files
            .get(&path.to_string())
            .map(|bytes| Content::Bytes(bytes.clone()))
            .ok_or_else(Refusal::not_found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_error_that_says_all_there_is() {
        for (refusal, expected) in [
            (
                Refusal::access_violation(),
                "refused with error 2: access violation",
            ),
            (
                WRITING_REFUSED.with_detail("read only"),
                "refused with error 2 (access violation): writing is not allowed: read only",
            ),
            (
                Refusal::silent().with_detail("unknown"),
                "not answered: unknown",
            ),
        ] {
            let error: Box<dyn std::error::Error> = refusal.into();
            assert_eq!(error.to_string(), expected);
        }
    }
}
