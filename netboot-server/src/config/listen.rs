//! Where the API is served, as it is written: an address with a port, or `off`.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::field::{Field, Wanted};
use super::problem::Problems;

/// Where the API and metrics are served when the configuration says nothing.
pub const DEFAULT_ADMIN_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9069);

/// The value of `admin_listen`; `None` is `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AdminListen(pub(super) Option<SocketAddr>);

impl Wanted for AdminListen {
    const WANTED: &'static str = "an address and port such as \"127.0.0.1:9069\", or \"off\"";
}

impl<'de> Deserialize<'de> for AdminListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self(None));
        }
        let address: SocketAddr = text.parse().map_err(serde::de::Error::custom)?;
        if address.port() == 0 {
            return Err(serde::de::Error::custom("0 is no port"));
        }
        Ok(Self(Some(address)))
    }
}

impl Serialize for AdminListen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(address) => serializer.collect_str(&address),
            None => serializer.serialize_str("off"),
        }
    }
}

/// Gives the address; one that others can reach is told.
pub(super) fn resolve_admin_listen(
    written: Option<Field<AdminListen>>,
    place: &str,
    problems: &mut Problems,
) -> Option<SocketAddr> {
    let Some(written) = written else {
        return Some(DEFAULT_ADMIN_LISTEN);
    };
    let AdminListen(address) = written.check(place, problems)?;
    if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
        problems.note(
            place,
            format!("whoever reaches {address} can read leases, events and metrics there"),
        );
    }
    address
}
