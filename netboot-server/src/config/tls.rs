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
