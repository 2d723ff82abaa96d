//! The certificate of HTTPS: read at the start and anew with each reload, and looked at by `check`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::{Problems, Tls};
use crate::failure::Failure;

/// The permissions of those who are neither the file's owner nor in its group.
const OTHERS: u32 = 0o007;

/// The certificate that new connections are served with; those that are open keep theirs.
#[derive(Debug, Default)]
pub(crate) struct Certificate(Mutex<Option<Arc<ServerConfig>>>);

impl Certificate {
    /// Serves new connections with what was read.
    pub(crate) fn put(&self, read: Option<Arc<ServerConfig>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = read;
    }

    /// What a new connection is to be served with.
    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        let config = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        config.clone().map(TlsAcceptor::from)
    }
}

/// Reads certificate and key where HTTPS is configured.
///
/// # Errors
///
/// Where one of the files cannot be read, is no PEM of its kind, or they do not belong together.
pub(crate) fn read(tls: Option<&Tls>) -> Result<Option<Arc<ServerConfig>>, Failure> {
    tls.map(read_both).transpose()
}

/// Adds what is wrong with the files: an error where the service would not start with them, and a
/// warning where the key is no secret.
pub(crate) fn check(tls: &Tls, problems: &mut Problems) {
    if let Err(failure) = read_both(tls) {
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

fn read_both(tls: &Tls) -> Result<Arc<ServerConfig>, Failure> {
    let certificates = CertificateDer::pem_file_iter(&tls.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable("certificate", &tls.cert, &error))?;
    if certificates.is_empty() {
        let error = pem::Error::NoItemsFound;
        return Err(unreadable("certificate", &tls.cert, &error));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| unreadable("key", &tls.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(certificates, key)
        })
        .map_err(|error| {
            let (cert, key) = (tls.cert.display(), tls.key.display());
            Failure::new(
                format!("serving HTTPS with the certificate {cert} and the key {key}"),
                said_by_rustls(&error),
                "name a certificate and the key that it was made for",
            )
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn unreadable(what: &str, path: &Path, error: &pem::Error) -> Failure {
    let why = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("it holds no {what} in PEM"),
        _ => "it is no PEM".into(),
    };
    Failure::new(
        format!("reading the {what} {}", path.display()),
        why,
        "name a file in PEM that the service's user may read",
    )
}

fn said_by_rustls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "they do not belong together".into(),
        other => other.to_string(),
    }
}
