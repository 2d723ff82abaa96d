//! The certificate of HTTPS: read at the start and anew with each reload, and looked at by `check`.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod pem;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, PoisonError};

#[cfg(not(feature = "tls"))]
use absent as acceptor;
#[cfg(feature = "tls")]
use pem as acceptor;

use crate::config::{Problems, Tls};
use crate::failure::Failure;

pub(crate) use acceptor::Acceptor;

/// The permissions of those who are neither the file's owner nor in its group.
const OTHERS: u32 = 0o007;

/// The certificate that new connections are served with; those that are open keep theirs.
#[derive(Debug, Default)]
pub(crate) struct Certificate(Mutex<Option<Acceptor>>);

impl Certificate {
    /// Serves new connections with what was read.
    pub(crate) fn put(&self, read: Option<Acceptor>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = read;
    }

    /// What a new connection is to be served with.
    pub(crate) fn acceptor(&self) -> Option<Acceptor> {
        let acceptor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        acceptor.clone()
    }
}

/// Reads certificate and key where HTTPS is configured.
///
/// # Errors
///
/// Where one of the files cannot be read, is no PEM of its kind, or they do not belong together.
pub(crate) fn read(tls: Option<&Tls>) -> Result<Option<Acceptor>, Failure> {
    tls.map(acceptor::read).transpose()
}

/// Adds what is wrong with the files: an error where the service would not start with them, and a
/// warning where the key is no secret.
pub(crate) fn check(tls: &Tls, problems: &mut Problems) {
    if let Some(failure) = acceptor::read(tls).err() {
        problems.error(failure.tried, failure.why, failure.cure);
    }
    let mode = fs::metadata(&tls.key).map(|data| data.permissions().mode());
    if mode.is_ok_and(|mode| mode & OTHERS != 0) {
        let key = tls.key.display();
        problems.warning(
            "netboot.tls.key",
            format!("every user of this host may read {key}"),
            format!("`chmod o= {key}`"),
        );
    }
}
