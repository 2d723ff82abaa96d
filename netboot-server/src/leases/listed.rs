//! A lease as it is shown: by the API, and by the command.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Lease, LeaseState};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::leases::clock::Clock;

/// A lease for people and programs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listed {
    address: Ipv4Addr,
    /// The network's name; its number where the configuration has it no more.
    network: String,
    /// A hardware address, or a client identifier.
    pub client: String,
    host_name: Option<String>,
    /// `bound`, `expired`, `released` or `declined`.
    state: Cow<'static, str>,
    /// By the host's clock; `None` for a time that no calendar has, as of a lease that does not
    /// end.
    expires: Option<jiff::Timestamp>,
    updated: Option<jiff::Timestamp>,
}

impl Listed {
    /// The lease as it is now, with the network's name in this configuration.
    pub fn of(lease: &Lease, config: Option<&Config>, clock: &Clock) -> Self {
        let networks = config.map_or(&[][..], |config| &config.networks);
        let mut networks = networks.iter();
        let network = networks.find(|network| network.id() == lease.network);
        Self {
            address: lease.address,
            network: network.map_or_else(
                || lease.network.0.to_string(),
                |network| network.name.clone(),
            ),
            client: lease.client.to_string(),
            host_name: lease.host_name.clone(),
            state: state(lease, clock.now()).into(),
            expires: calendar(clock.host_time(lease.expires)),
            updated: calendar(clock.host_time(lease.updated)),
        }
    }
}

/// What became of a lease.
pub fn state(lease: &Lease, now: Timestamp) -> &'static str {
    match lease.state {
        LeaseState::Bound if lease.expires > now => "bound",
        LeaseState::Bound => "expired",
        LeaseState::Released => "released",
        LeaseState::Declined => "declined",
    }
}

fn calendar(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.to_string();
        write!(f, "{address:<15} {:<17} {:<8} ", self.client, self.state)?;
        match self.expires {
            Some(at) => write!(f, "{at:.0}")?,
            None => f.write_str("for ever")?,
        }
        match &self.host_name {
            Some(name) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}
