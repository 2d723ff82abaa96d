//! HTTPS beside HTTP, where a certificate is named.

use std::num::NonZeroU16;
use std::path::PathBuf;

use super::document::{self, Table};
use super::field::Field;
use super::normal::shown;
use super::problem::Problems;
use super::{Ports, Tls};

/// The port of HTTPS when the configuration says nothing.
const DEFAULT_PORT: u16 = 443;

/// Gives the table, which needs both files; they are read where the service starts.
pub(super) fn resolve_tls(
    written: Option<Table<document::Tls>>,
    ports: Ports,
    problems: &mut Problems,
) -> Option<Tls> {
    let Table(written) = written?;
    let place = written.place;
    if !cfg!(feature = "tls") {
        problems.error(
            &place,
            "asks for HTTPS, which this program was built without",
            "leave it out, or build netboot-server with its feature `tls`",
        );
    }
    let mut file = |given: Option<PathBuf>, key: &str| {
        let file = given.filter(|path| path.is_absolute());
        if file.is_none() {
            problems.error(
                place.key(key),
                "names no file",
                "write the whole path of a file in PEM; HTTPS needs both `cert` and `key`",
            );
        }
        file
    };
    let (cert, key) = (file(written.cert, "cert"), file(written.key, "key"));
    let port = match written.port {
        Some(given) => given.check(place.key("port"), problems)?,
        None => NonZeroU16::new(DEFAULT_PORT)?,
    };
    if port == ports.http {
        problems.error(
            place.key("port"),
            format!("{port} is the port of HTTP, too"),
            "give each of them a port of its own",
        );
    }
    Some(Tls {
        cert: cert?,
        key: key?,
        port,
    })
}

/// The table as it is written.
pub(super) fn document(tls: &Tls) -> document::Tls {
    document::Tls {
        cert: Some(shown(&tls.cert)),
        key: Some(shown(&tls.key)),
        port: Some(Field::Right(tls.port)),
        ..document::Tls::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Host;
    use super::super::document::{Document, Network, Tls};

    #[test]
    fn https_is_refused_where_it_was_not_compiled() {
        let network = Network::on("eth1", [192, 168, 100, 1].into());
        let tls = Tls::new("/srv/cert.pem", "/srv/key.pem");
        let document = Document::new().network(network).tls(tls);
        let (config, problems) = document.check(&Host::default());
        let refused = "error: netboot.tls: asks for HTTPS, which this program was built without";
        assert_eq!(config.is_some(), cfg!(feature = "tls"), "{problems}");
        assert_eq!(problems.to_string().contains(refused), config.is_none());
    }
}
