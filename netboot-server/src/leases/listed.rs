//! A lease as it is shown: by the API, and by the command.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Lease, LeaseState};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::leases::clock::Clock;

/// A lease for people and programs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listed {
    /// What is lent.
    pub address: Ipv4Addr,
    /// The network's name; its number where the configuration has it no more.
    network: String,
    /// A hardware address, or a client identifier.
    pub client: String,
    /// What the client calls itself.
    pub host_name: Option<String>,
    /// `bound`, `expired`, `released` or `declined`.
    pub state: Cow<'static, str>,
    /// By the host's clock; `None` for a time that no calendar has, as of a lease that does not
    /// end.
    pub expires: Option<jiff::Timestamp>,
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
