//! Certificate and key in PEM, and connections that are served with them.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::Tls;
use crate::failure::Failure;
use crate::files;
use crate::telemetry::host_time;

/// Serves connections with one certificate.
#[derive(Clone)]
pub(crate) struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// Shakes hands on a new connection.
    ///
    /// # Errors
    ///
    /// Where the client does not speak TLS, or goes away.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

/// The host's clock. The one that rustls has panics where that is before 1970.
#[derive(Debug)]
struct HostTime;

impl TimeProvider for HostTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(host_time()))
    }
}

/// A time before 1970 is taken for the first of it.
fn unix_time(at: jiff::Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(at.as_duration().try_into().unwrap_or_default())
}

/// Reads certificate and key.
pub(super) fn read(tls: &Tls) -> Result<Acceptor, Failure> {
    let certificates = files::read(&tls.cert)
        .map_err(pem::Error::Io)
        .and_then(|text| CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>())
        .map_err(|error| unreadable("certificate", &tls.cert, &error))?;
    if certificates.is_empty() {
        let error = pem::Error::NoItemsFound;
        return Err(unreadable("certificate", &tls.cert, &error));
    }
    let key = files::read(&tls.key)
        .map_err(pem::Error::Io)
        .and_then(|text| PrivateKeyDer::from_pem_slice(&text))
        .map_err(|error| unreadable("key", &tls.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(HostTime))
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
    Ok(Acceptor(TlsAcceptor::from(Arc::new(config))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_goes_on_where_the_clock_is_before_1970() {
        for (seconds, unix) in [
            (-1, 0),
            (-86_400 * 365, 0),
            (0, 0),
            (1_795_896_000, 1_795_896_000),
        ] {
            let at = jiff::Timestamp::from_second(seconds).expect("a time");
            assert_eq!(unix_time(at).as_secs(), unix, "{seconds}");
        }
    }
}
