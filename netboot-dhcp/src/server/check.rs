//! What can be wrong with settings: all of it at once, each with its place and the value.

use super::{ExtraOption, Link, Network, NetworkId, Settings, Subnet};
use crate::MacAddr;
use crate::wire::OptionCode;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::fmt;
use core::net::Ipv4Addr;
use thiserror::Error;

/// One thing wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Two networks have one id.
    #[error("two networks have the id {}", .network.0)]
    DuplicateNetwork {
        /// The id.
        network: NetworkId,
    },
    /// Two subnets share addresses.
    #[error("the subnets {first} and {second} overlap")]
    OverlappingSubnets {
        /// The subnet of one.
        first: Subnet,
        /// The subnet of the other.
        second: Subnet,
    },
    /// On a link of its own, the server's address must be one of the subnet.
    #[error("the server address {server} is no host address of {subnet}")]
    ServerOutside {
        /// The server's address.
        server: Ipv4Addr,
        /// The subnet.
        subnet: Subnet,
    },
    /// A range ends before it begins.
    #[error("the range {start}-{end} ends before it begins")]
    ReversedRange {
        /// Its first address.
        start: Ipv4Addr,
        /// Its last address.
        end: Ipv4Addr,
    },
    /// A range leaves the subnet.
    #[error("the range {start}-{end} is not inside {subnet}")]
    RangeOutside {
        /// Its first address.
        start: Ipv4Addr,
        /// Its last address.
        end: Ipv4Addr,
        /// The subnet.
        subnet: Subnet,
    },
    /// A range holds an address of the network's own, which no client may get.
    #[error("the range {start}-{end} holds {address}, the {role}; shorten or exclude it")]
    RangeHolds {
        /// Its first address.
        start: Ipv4Addr,
        /// Its last address.
        end: Ipv4Addr,
        /// The address.
        address: Ipv4Addr,
        /// What it is: `server` or `gateway`.
        role: &'static str,
    },
    /// A reserved address that no machine can have there.
    #[error("the address {address} reserved for {mac} is no host address of {subnet}")]
    ReservationOutside {
        /// The machine.
        mac: MacAddr,
        /// Its address.
        address: Ipv4Addr,
        /// The subnet.
        subnet: Subnet,
    },
    /// A reserved address that is the server's or the gateway's.
    #[error("the address {address} reserved for {mac} is the {role}")]
    ReservationTaken {
        /// The machine.
        mac: MacAddr,
        /// Its address.
        address: Ipv4Addr,
        /// Whose it is: `server` or `gateway`.
        role: &'static str,
    },
    /// Two reservations in a network are for one machine.
    #[error("{mac} has two reservations in {subnet}")]
    DuplicateMac {
        /// The machine.
        mac: MacAddr,
        /// The subnet.
        subnet: Subnet,
    },
    /// Two machines have one address.
    #[error("{address} is reserved for {first} and for {second}")]
    DuplicateAddress {
        /// The address.
        address: Ipv4Addr,
        /// One machine.
        first: MacAddr,
        /// The other.
        second: MacAddr,
    },
    /// A lease that is over at once.
    #[error("a lease time of {subnet} is 0 seconds")]
    ZeroLeaseTime {
        /// The subnet.
        subnet: Subnet,
    },
    /// An extra option that the protocol itself decides on.
    #[error("option {code} of {subnet} belongs to the protocol and cannot be set")]
    ProtocolOption {
        /// The option.
        code: OptionCode,
        /// The subnet.
        subnet: Subnet,
    },
    /// No offer could be held.
    #[error("max_offers and offer_hold must be at least 1")]
    NoOffers,
}

/// All that is wrong with settings; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsErrors(pub Vec<SettingsError>);

impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl core::error::Error for SettingsErrors {}

impl Settings {
    /// Looks for everything that is wrong.
    ///
    /// # Errors
    ///
    /// All of it, in the order of the networks.
    pub fn check(&self) -> Result<(), SettingsErrors> {
        let mut errors = Vec::new();
        if self.max_offers == 0 || self.offer_hold.0 == 0 {
            errors.push(SettingsError::NoOffers);
        }
        for (at, network) in self.networks.iter().enumerate() {
            for earlier in self.networks.iter().take(at) {
                if earlier.id == network.id {
                    let network = network.id;
                    errors.push(SettingsError::DuplicateNetwork { network });
                }
                if earlier.subnet.overlaps(&network.subnet) {
                    errors.push(SettingsError::OverlappingSubnets {
                        first: earlier.subnet,
                        second: network.subnet,
                    });
                }
            }
            check_network(network, &mut errors);
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(SettingsErrors(errors))
        }
    }
}

fn check_network(network: &Network, errors: &mut Vec<SettingsError>) {
    let subnet = network.subnet;
    if matches!(network.link, Link::Interface(_)) && !subnet.is_host(network.server) {
        let server = network.server;
        errors.push(SettingsError::ServerOutside { server, subnet });
    }
    if network.lease_time.0 == 0 || network.boot_lease_time.0 == 0 {
        errors.push(SettingsError::ZeroLeaseTime { subnet });
    }
    for option in &network.options {
        let code = option.code;
        if ExtraOption::is_protocol(code) {
            errors.push(SettingsError::ProtocolOption { code, subnet });
        }
    }
    check_ranges(network, errors);
    check_reservations(network, errors);
}

fn check_ranges(network: &Network, errors: &mut Vec<SettingsError>) {
    let subnet = network.subnet;
    for range in network.ranges.iter().chain(&network.exclude) {
        let (start, end) = (range.start, range.end);
        if start > end {
            errors.push(SettingsError::ReversedRange { start, end });
        } else if !subnet.contains(start) || !subnet.contains(end) {
            errors.push(SettingsError::RangeOutside { start, end, subnet });
        }
    }
    for range in &network.ranges {
        for (address, role) in own_addresses(network) {
            let excluded = network.exclude.iter().any(|one| one.contains(address));
            if range.contains(address) && !excluded {
                errors.push(SettingsError::RangeHolds {
                    start: range.start,
                    end: range.end,
                    address,
                    role,
                });
            }
        }
    }
}

fn check_reservations(network: &Network, errors: &mut Vec<SettingsError>) {
    let subnet = network.subnet;
    let mut macs = BTreeSet::new();
    let mut addresses = BTreeMap::new();
    for reservation in &network.reservations {
        let mac = reservation.mac;
        if !macs.insert(mac) {
            errors.push(SettingsError::DuplicateMac { mac, subnet });
        }
        let Some(address) = reservation.address else {
            continue;
        };
        if !subnet.is_host(address) {
            errors.push(SettingsError::ReservationOutside {
                mac,
                address,
                subnet,
            });
        }
        if let Some((_, role)) = own_addresses(network).find(|(own, _)| *own == address) {
            errors.push(SettingsError::ReservationTaken { mac, address, role });
        }
        if let Some(first) = addresses.insert(address, mac)
            && first != mac
        {
            errors.push(SettingsError::DuplicateAddress {
                address,
                first,
                second: mac,
            });
        }
    }
}

fn own_addresses(network: &Network) -> impl Iterator<Item = (Ipv4Addr, &'static str)> {
    let gateways = network
        .gateways
        .iter()
        .filter(|gateway| **gateway != network.server)
        .map(|gateway| (*gateway, "gateway"));
    core::iter::once((network.server, "server")).chain(gateways)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seconds;
    use crate::server::{AddressRange, Reservation};
    use std::string::ToString;
    use std::vec;

    fn network() -> Network {
        Network::new(
            NetworkId(1),
            Link::Interface(1),
            "10.0.0.0/24".parse().unwrap(),
            Ipv4Addr::new(10, 0, 0, 1),
        )
    }

    fn reservation(mac: &str, last: u8) -> Reservation {
        let address = Ipv4Addr::new(10, 0, 0, last);
        Reservation::new(mac.parse().unwrap()).with_address(address)
    }

    #[test]
    fn everything_wrong_is_named_at_once_with_its_values() {
        let mut wrong = network();
        wrong.lease_time = Seconds(0);
        wrong.ranges = vec![
            AddressRange::new(Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 9)),
            AddressRange::new(Ipv4Addr::new(10, 0, 0, 9), Ipv4Addr::new(10, 0, 0, 5)),
            AddressRange::new(Ipv4Addr::new(10, 0, 1, 9), Ipv4Addr::new(10, 0, 1, 10)),
        ];
        wrong.reservations = vec![
            reservation("02:00:00:00:00:01", 255),
            reservation("02:00:00:00:00:01", 1),
            reservation("02:00:00:00:00:02", 1),
        ];
        let settings = Settings::new(vec![network(), wrong]);
        let SettingsErrors(errors) = settings.check().unwrap_err();
        let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            vec![
                "two networks have the id 1",
                "the subnets 10.0.0.0/24 and 10.0.0.0/24 overlap",
                "a lease time of 10.0.0.0/24 is 0 seconds",
                "the range 10.0.0.9-10.0.0.5 ends before it begins",
                "the range 10.0.1.9-10.0.1.10 is not inside 10.0.0.0/24",
                "the range 10.0.0.1-10.0.0.9 holds 10.0.0.1, the server; shorten or exclude it",
                "the address 10.0.0.255 reserved for 02:00:00:00:00:01 is no host address of 10.0.0.0/24",
                "02:00:00:00:00:01 has two reservations in 10.0.0.0/24",
                "the address 10.0.0.1 reserved for 02:00:00:00:00:01 is the server",
                "the address 10.0.0.1 reserved for 02:00:00:00:00:02 is the server",
                "10.0.0.1 is reserved for 02:00:00:00:00:01 and for 02:00:00:00:00:02",
            ]
        );
    }

    #[test]
    fn range_around_the_server_is_right_where_the_server_is_excluded() {
        let mut network = network();
        network.ranges = vec![AddressRange::new(
            Ipv4Addr::new(10, 0, 0, 0),
            Ipv4Addr::new(10, 0, 0, 255),
        )];
        network.exclude = vec![AddressRange::new(network.server, network.server)];
        let settings = Settings::new(vec![network]);
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn an_end_outside_or_no_time_to_offer_is_wrong_by_itself() {
        let ip = |last| Ipv4Addr::new(10, 0, 0, last);
        let of = |ranges| {
            let mut network = network();
            network.ranges = ranges;
            Settings::new(vec![network]).check()
        };
        let outside = Ipv4Addr::new(10, 0, 1, 9);
        assert!(of(vec![AddressRange::new(ip(9), outside)]).is_err());
        let before = Ipv4Addr::new(9, 255, 255, 9);
        assert!(of(vec![AddressRange::new(before, Ipv4Addr::new(10, 0, 0, 0))]).is_err());
        assert_eq!(of(vec![AddressRange::new(ip(9), ip(9))]), Ok(()));
        for wrong in [
            |settings: &mut Settings| settings.max_offers = 0,
            |settings: &mut Settings| settings.offer_hold = Seconds(0),
        ] {
            let mut settings = Settings::new(vec![network()]);
            wrong(&mut settings);
            let SettingsErrors(errors) = settings.check().unwrap_err();
            assert_eq!(errors, vec![SettingsError::NoOffers]);
        }
    }

    #[test]
    fn the_servers_address_is_named_once_where_it_is_the_gateway_too() {
        let mut network = network();
        network.gateways = vec![network.server, Ipv4Addr::new(10, 0, 0, 2)];
        network.ranges = vec![AddressRange::new(
            Ipv4Addr::new(10, 0, 0, 1),
            Ipv4Addr::new(10, 0, 0, 9),
        )];
        let SettingsErrors(errors) = Settings::new(vec![network]).check().unwrap_err();
        let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let range = "the range 10.0.0.1-10.0.0.9 holds";
        assert_eq!(
            text,
            vec![
                std::format!("{range} 10.0.0.1, the server; shorten or exclude it"),
                std::format!("{range} 10.0.0.2, the gateway; shorten or exclude it"),
            ]
        );
    }

    #[test]
    fn options_of_the_protocol_cannot_be_set() {
        let mut network = network();
        network.options = vec![ExtraOption {
            code: OptionCode::SERVER_ID,
            data: bytes::Bytes::from_static(&[1, 2, 3, 4]),
        }];
        let settings = Settings::new(vec![network]);
        assert_eq!(
            settings.check().unwrap_err().to_string(),
            "option 54 of 10.0.0.0/24 belongs to the protocol and cannot be set"
        );
    }
}
