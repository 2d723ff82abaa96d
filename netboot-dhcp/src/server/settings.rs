//! What a server is told: its networks, their addresses, and its limits.

use super::NetworkId;
use crate::value::Value;
use crate::wire::{BOOT_SERVER_PORT, CLIENT_PORT, OptionCode, SERVER_PORT};
use crate::{MacAddr, Seconds, Timestamp};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;
use thiserror::Error;

/// All that a [`Server`](super::Server) is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Settings {
    /// The networks that are served. Where a link has several, newcomers get an address of
    /// the first that has one to give.
    pub networks: Vec<Network>,
    /// The most addresses that a network keeps back at a time: offered ones, and those that answered
    /// a probe. Beyond it the one whose time ends first is let go; its client does not notice unless
    /// the address is gone when it asks. Default 4096.
    pub max_offers: usize,
    /// How long an offered address is held for the client. Default 30 s.
    pub offer_hold: Seconds,
    /// How long a declined address, or one that answered a probe, is given to nobody. Default 600 s.
    pub quarantine: Seconds,
    /// Whether to ask for a probe of an address before it is offered to a client that does not have
    /// it. Default no: it delays the offer.
    pub probe: bool,
    /// The port of servers and relay agents. Default 67.
    pub server_port: u16,
    /// The port of clients. Default 68.
    pub client_port: u16,
    /// The port of boot servers: that of [`Server::handle_boot_server`](super::Server). Default 4011.
    pub boot_server_port: u16,
    /// Further beginnings of option 60 that mean a PXE client, next to `PXEClient`. Default none.
    pub pxe_classes: Vec<String>,
    /// Until when a client that asks for the address it had (INIT-REBOOT) gets it though no record is
    /// of it, if the address is one to give and free: for a store of leases that was lost, or that
    /// begins beside clients with leases of an earlier server. RFC 2131 section 4.3.2 wants silence
    /// where another server may know the client. Default 0: never.
    pub adopt_until: Timestamp,
    /// Whether options that do not fit may go into `file` and `sname` (option 52). Default no: some
    /// boot ROMs do not read them there.
    pub overload: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            max_offers: 4096,
            offer_hold: Seconds(30),
            quarantine: Seconds(600),
            probe: false,
            server_port: SERVER_PORT,
            client_port: CLIENT_PORT,
            boot_server_port: BOOT_SERVER_PORT,
            pxe_classes: Vec::new(),
            adopt_until: Timestamp(0),
            overload: false,
        }
    }
}

impl Settings {
    /// These networks, and the defaults.
    #[must_use]
    pub fn new(networks: Vec<Network>) -> Self {
        Self {
            networks,
            ..Self::default()
        }
    }
}

/// One network: a subnet, how its clients are reached, and what they are told.
///
/// ```
/// use netboot_dhcp::server::{AddressRange, Link, Network, NetworkId};
///
/// let mut network = Network::new(
///     NetworkId(1),
///     Link::Interface(2),
///     "192.168.100.0/24".parse()?,
///     "192.168.100.1".parse()?,
/// );
/// network.ranges = vec![AddressRange::new(
///     "192.168.100.100".parse()?,
///     "192.168.100.200".parse()?,
/// )];
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Network {
    /// Its name in leases.
    pub id: NetworkId,
    /// How its clients are reached.
    pub link: Link,
    /// Its addresses.
    pub subnet: Subnet,
    /// The address by which its clients know this server (option 54, and the source of replies).
    pub server: Ipv4Addr,
    /// Whether this server gives addresses here. Default [`Mode::Authoritative`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub mode: Mode,
    /// The addresses that are given to anybody. Network and broadcast address are never given, nor,
    /// in subnets wider than /24, `.0` and `.255`, which some systems take for broadcast.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ranges: Vec<AddressRange>,
    /// Addresses inside the ranges that are not given.
    #[cfg_attr(feature = "serde", serde(default))]
    pub exclude: Vec<AddressRange>,
    /// Gateways in order of preference (option 3).
    #[cfg_attr(feature = "serde", serde(default))]
    pub gateways: Vec<Ipv4Addr>,
    /// Name servers in order of preference (option 6).
    #[cfg_attr(feature = "serde", serde(default))]
    pub dns: Vec<Ipv4Addr>,
    /// The clients' domain (option 15).
    #[cfg_attr(feature = "serde", serde(default))]
    pub domain: Option<String>,
    /// The lease's time for systems. Default one hour.
    #[cfg_attr(feature = "serde", serde(default = "default_lease_time"))]
    pub lease_time: Seconds,
    /// The lease's time for firmware and iPXE, which do not renew it. Default five minutes.
    #[cfg_attr(feature = "serde", serde(default = "default_boot_lease_time"))]
    pub boot_lease_time: Seconds,
    /// Milliseconds that an OFFER to firmware waits before it is sent ([`Reply::delay_ms`]), since
    /// some boot ROMs are deaf right after their DISCOVER: a Raspberry Pi 3 wants about 1000.
    /// Default 0.
    ///
    /// [`Reply::delay_ms`]: super::Reply::delay_ms
    #[cfg_attr(feature = "serde", serde(default))]
    pub offer_delay_ms: u32,
    /// Whether a client that asks for it gets its address at once, by an ACK to its DISCOVER
    /// (RFC 4039). Default no: where two servers do so on one link, each gives an address away.
    #[cfg_attr(feature = "serde", serde(default))]
    pub rapid_commit: bool,
    /// Who gets an address. Default anybody.
    #[cfg_attr(feature = "serde", serde(default))]
    pub allow: Allow,
    /// Options for clients that ask for them in option 55, or send none. They replace what this
    /// crate would say under their code.
    #[cfg_attr(feature = "serde", serde(default))]
    pub options: Vec<ExtraOption>,
    /// What is set aside for single machines; a server sorts them by MAC address.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reservations: Vec<Reservation>,
}

const fn default_lease_time() -> Seconds {
    Seconds(3600)
}

const fn default_boot_lease_time() -> Seconds {
    Seconds(300)
}

impl Network {
    /// A network with nothing but its subnet and this server in it, and the defaults.
    #[must_use]
    pub const fn new(id: NetworkId, link: Link, subnet: Subnet, server: Ipv4Addr) -> Self {
        Self {
            id,
            link,
            subnet,
            server,
            mode: Mode::Authoritative,
            ranges: Vec::new(),
            exclude: Vec::new(),
            gateways: Vec::new(),
            dns: Vec::new(),
            domain: None,
            lease_time: default_lease_time(),
            boot_lease_time: default_boot_lease_time(),
            offer_delay_ms: 0,
            rapid_commit: false,
            allow: Allow::Any,
            options: Vec::new(),
            reservations: Vec::new(),
        }
    }

    /// The reservation of this MAC address. Only for a network whose reservations are sorted, as
    /// those of a server are.
    pub(super) fn reservation(&self, mac: MacAddr) -> Option<&Reservation> {
        let at = self.reservations.binary_search_by_key(&mac, |one| one.mac);
        self.reservations.get(at.ok()?)
    }
}

/// What this server is in a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Mode {
    /// The DHCP server: it gives addresses, and with them what to boot.
    #[default]
    Authoritative,
    /// A proxy beside another DHCP server: it tells firmware what to boot and gives no address.
    /// Ranges, lease times and what else is about addresses are not looked at.
    Proxy,
}

/// How the clients of a network are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Link {
    /// On this interface, by the caller's number for it.
    Interface(u32),
    /// By a relay agent, whose `giaddr` is in the subnet.
    Relay,
}

/// Who gets an address in a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Allow {
    /// Anybody.
    #[default]
    Any,
    /// Machines with a reservation, which need not name an address.
    Known,
}

/// What is set aside for one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reservation {
    /// The machine.
    pub mac: MacAddr,
    /// Its address, in the subnet, in or outside the ranges; `None` for one out of the ranges.
    #[cfg_attr(feature = "serde", serde(default))]
    pub address: Option<Ipv4Addr>,
    /// Its name (option 12), unless the boot policy gives another.
    #[cfg_attr(feature = "serde", serde(default))]
    pub host_name: Option<String>,
}

/// An option by its code and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExtraOption {
    /// Its code.
    pub code: OptionCode,
    /// Its bytes; a string of hex digits where serialized.
    #[cfg_attr(feature = "serde", serde(with = "crate::hex"))]
    pub data: Bytes,
}

impl ExtraOption {
    /// An option with a typed value.
    #[must_use]
    pub fn new<T: Value>(key: crate::value::Key<T>, value: &T) -> Self {
        let mut data = Vec::new();
        value.encode(&mut data);
        Self {
            code: key.code(),
            data: data.into(),
        }
    }

    /// Whether the protocol itself decides on this option, so that nobody else may.
    #[must_use]
    pub const fn is_protocol(code: OptionCode) -> bool {
        matches!(code.0, 0 | 50..=55 | 57 | 61 | 82 | 255)
    }
}

/// Addresses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AddressRange {
    /// The first.
    pub start: Ipv4Addr,
    /// The last.
    pub end: Ipv4Addr,
}

impl AddressRange {
    /// The addresses from `start` to `end`.
    #[must_use]
    pub const fn new(start: Ipv4Addr, end: Ipv4Addr) -> Self {
        Self { start, end }
    }

    /// Whether `address` is among them.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.start..=self.end).contains(&address)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

/// An IPv4 subnet: an address and how many of its bits are the network's.
///
/// ```
/// use netboot_dhcp::server::Subnet;
///
/// let subnet: Subnet = "192.168.100.7/24".parse()?;
/// assert_eq!(subnet.to_string(), "192.168.100.0/24");
/// assert_eq!(subnet.mask().to_string(), "255.255.255.0");
/// # Ok::<(), netboot_dhcp::server::ParseSubnetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    network: Ipv4Addr,
    prefix: u8,
}

/// A text that is not an address and a prefix length.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a subnet; write it as 192.168.100.0/24")]
pub struct ParseSubnetError {
    /// The text as it was given.
    pub text: String,
}

impl Subnet {
    /// The subnet that `address` is in; `None` where the prefix is above 32.
    #[must_use]
    pub const fn new(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        if prefix > 32 {
            return None;
        }
        let network = Ipv4Addr::from_bits(address.to_bits() & mask_bits(prefix));
        Some(Self { network, prefix })
    }

    /// The network address.
    #[must_use]
    pub const fn network(&self) -> Ipv4Addr {
        self.network
    }

    /// The prefix length, 0 to 32.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The subnet mask.
    #[must_use]
    pub const fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(mask_bits(self.prefix))
    }

    /// The broadcast address.
    #[must_use]
    pub const fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() | !mask_bits(self.prefix))
    }

    /// Whether `address` is in the subnet.
    #[must_use]
    pub const fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask_bits(self.prefix) == self.network.to_bits()
    }

    /// Whether a machine can be given `address`: in the subnet, and neither network nor broadcast
    /// address.
    #[must_use]
    pub fn is_host(&self, address: Ipv4Addr) -> bool {
        self.contains(address)
            && (self.prefix > 30 || (address != self.network && address != self.broadcast()))
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }
}

const fn mask_bits(prefix: u8) -> u32 {
    match u32::MAX.checked_shl(32 - prefix as u32) {
        Some(bits) => bits,
        None => 0,
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = ParseSubnetError;

    fn from_str(text: &str) -> Result<Self, ParseSubnetError> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            Self::new(address.parse().ok()?, prefix.parse().ok()?)
        };
        parse().ok_or_else(|| ParseSubnetError { text: text.into() })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Subnet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Subnet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn subnet_knows_its_ends() {
        let subnet: Subnet = "10.1.2.3/22".parse().unwrap();
        assert_eq!(subnet.to_string(), "10.1.0.0/22");
        assert_eq!(subnet.mask(), Ipv4Addr::new(255, 255, 252, 0));
        assert_eq!(subnet.broadcast(), Ipv4Addr::new(10, 1, 3, 255));
        assert!(subnet.contains(Ipv4Addr::new(10, 1, 3, 255)));
        assert!(!subnet.is_host(Ipv4Addr::new(10, 1, 3, 255)));
        assert!(!subnet.contains(Ipv4Addr::new(10, 1, 4, 0)));
        let all: Subnet = "1.2.3.4/0".parse().unwrap();
        assert_eq!(all.to_string(), "0.0.0.0/0");
        let one: Subnet = "1.2.3.4/32".parse().unwrap();
        assert!(one.is_host(Ipv4Addr::new(1, 2, 3, 4)));
    }

    #[test]
    fn subnet_refuses_what_is_none() {
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "/8", "10.0.0.0/-1"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }
}
