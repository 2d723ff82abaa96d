//! What the DHCP logic is told: the configuration in its terms, and the leases on disk.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use netboot_dhcp::server::{
    AddressRange, Allow, ExtraOption, Lease, Link, Mode, Network, NetworkId, Reservation, Server,
    Settings, SettingsErrors,
};
use netboot_dhcp::{Seconds, Timestamp};

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::leases::LeaseTable;

/// The DHCP logic for a configuration, with the leases that are on disk.
///
/// # Errors
///
/// Where the leases cannot be read, or the settings are not accepted.
pub(crate) fn new_server(
    config: &Config,
    interfaces: &Interfaces,
    begun: Timestamp,
    leases: Vec<Lease>,
) -> Result<Server, Failure> {
    let settings = settings(config, interfaces, begun);
    let mut server = Server::new(settings).map_err(|why| refused(&why))?;
    for lease in leases {
        let address = lease.address;
        if let Err(error) = server.restore(lease) {
            tracing::warn!("the lease of {address} is kept on disk but not used: {error}");
        }
    }
    Ok(server)
}

/// As [`Dhcp::reconfigure`](super::Dhcp::reconfigure).
pub(super) fn reconfigure(
    leases: &LeaseTable,
    begun: Timestamp,
    stored: Vec<Lease>,
    interfaces: &Interfaces,
    config: &Config,
) -> Result<(), Failure> {
    let settings = settings(config, interfaces, begun);
    let mut server = leases.lock();
    let networks = server.settings().networks.iter();
    let known: BTreeSet<NetworkId> = networks.map(|network| network.id).collect();
    server.reconfigure(settings).map_err(|why| refused(&why))?;
    for lease in stored {
        if !known.contains(&lease.network) {
            // One of a network that is not served is kept on disk.
            let _ = server.restore(lease);
        }
    }
    Ok(())
}

fn refused(why: &SettingsErrors) -> Failure {
    Failure::new(
        "setting up DHCP",
        why,
        "correct the networks in the configuration",
    )
}

/// The number of each interface in the DHCP logic's terms, by its name; it stays the same for as
/// long as the service runs.
#[derive(Debug, Default)]
pub(crate) struct Interfaces(Mutex<Vec<String>>);

impl Interfaces {
    pub(crate) fn number(&self, name: &str) -> u32 {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = names.iter().position(|known| known == name);
        let at = at.unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// The name of the interface with this number; empty where there is none.
    pub(super) fn name(&self, number: u32) -> String {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = usize::try_from(number).ok().and_then(|at| names.get(at));
        name.cloned().unwrap_or_default()
    }
}

/// What the DHCP logic is told. Whatever it would refuse is refused, with its place, where the
/// configuration is read.
fn settings(config: &Config, interfaces: &Interfaces, begun: Timestamp) -> Settings {
    let mut settings = Settings::default();
    settings.server_port = config.ports.dhcp.get();
    settings.client_port = config.ports.dhcp_client.get();
    settings.boot_server_port = config.ports.boot_server.get();
    // By then every lease has ended that the database cannot know.
    let longest = config.networks.iter().map(lease_time).max();
    settings.adopt_until = begun.after(longest.unwrap_or_default());
    for network in &config.networks {
        let network = new_network(config, interfaces, network);
        settings.networks.push(network);
    }
    settings
}

fn lease_time(network: &config::Network) -> Seconds {
    Seconds(u32::try_from(network.lease_time.as_secs()).unwrap_or(u32::MAX))
}

fn new_network(config: &Config, interfaces: &Interfaces, from: &config::Network) -> Network {
    let link = match &from.interface {
        Some(name) => Link::Interface(interfaces.number(name)),
        None => Link::Relay,
    };
    let id = from.id();
    let mut network = Network::new(id, link, from.subnet, from.server);
    let range = |&(start, end): &(Ipv4Addr, Ipv4Addr)| AddressRange::new(start, end);
    network.ranges = from.ranges.iter().map(range).collect();
    network.exclude = from.exclude.iter().map(|&one| range(&(one, one))).collect();
    network.gateways = from.gateway.into_iter().collect();
    network.dns.clone_from(&from.dns);
    network.domain.clone_from(&from.domain);
    network.lease_time = lease_time(from);
    network.mode = match from.mode {
        config::Mode::Authoritative => Mode::Server,
        config::Mode::Proxy => Mode::Proxy,
    };
    network.authoritative = from.authoritative;
    network.probe = from.probe;
    network.relays.clone_from(&from.relays);
    network.trust_option_82 = from.trust_option_82;
    network.offer_delay_ms = u32::try_from(from.reply_delay.as_millis()).unwrap_or(u32::MAX);
    // Who is known is for the boot policy to say: machines are, too, by UUID and circuit.
    network.allow = Allow::Any;
    network.options = from
        .options
        .iter()
        .map(|option| ExtraOption {
            code: option.code,
            data: option.data.clone(),
        })
        .collect();
    network.reservations = config
        .targets
        .iter()
        .filter_map(|target| {
            let mut reservation = Reservation::new(target.mac?);
            reservation.address = target.ip.filter(|ip| from.subnet.contains(*ip));
            reservation.host_name = Some(target.name.clone());
            Some(reservation)
        })
        .collect();
    network
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::{Flags, Host, load_text};

    /// An address of a network of eight, or next to it.
    fn near(network: u8) -> impl Strategy<Value = String> {
        (0_u8..=8).prop_map(move |last| format!("10.0.0.{}", network + last))
    }

    fn network(at: u8) -> impl Strategy<Value = serde_json::Value> {
        let range =
            || (near(at), near(at)).prop_map(|(start, end)| json!({ "start": start, "end": end }));
        (
            proptest::option::of(proptest::sample::select(vec!["eth0", "eth1"])),
            near(at),
            proptest::option::of(near(at)),
            proptest::collection::vec(range(), 0..3),
            proptest::collection::vec(near(at), 0..3),
        )
            .prop_map(move |(interface, server, gateway, ranges, exclude)| {
                json!({
                    "name": format!("n{at}"), "subnet": format!("10.0.0.{at}/29"),
                    "interface": interface, "server": server, "gateway": gateway,
                    "ranges": ranges, "exclude": exclude,
                })
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn what_the_configuration_lets_through_the_dhcp_logic_accepts(
            first in network(0),
            second in proptest::option::of(network(8)),
            reserved in proptest::collection::vec(near(0), 0..3),
        ) {
            let targets = reserved.iter().enumerate().map(|(index, ip)| {
                let mac = format!("02:00:00:00:00:0{index}");
                json!({ "name": format!("t{index}"), "mac": mac, "ip": ip })
            });
            let document = json!({ "netboot": {
                "networks": std::iter::once(first).chain(second).collect::<Vec<_>>(),
                "targets": targets.collect::<Vec<_>>(),
            }});
            let (config, _) = load_text(
                "n.json",
                &document.to_string(),
                true,
                &Flags::default(),
                &Host::default(),
            );
            if let Some(config) = config {
                let settings = settings(&config, &Interfaces::default(), Timestamp(0));
                prop_assert_eq!(settings.check(), Ok(()), "{}", document);
            }
        }
    }
}
