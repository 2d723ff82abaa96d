//! What a server is told: its networks, their addresses, and its limits.

use super::{AddressRange, ClientKey, NetworkId, Subnet};
use crate::value::Value;
use crate::wire::{BOOT_SERVER_PORT, CLIENT_PORT, OptionCode, SERVER_PORT};
use crate::{MacAddr, Seconds, Timestamp};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::net::Ipv4Addr;

/// All that a [`Server`](super::Server) is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Settings {
    /// The networks that are served. Where a link has several, newcomers get an address of
    /// the first that has one to give.
    pub networks: Vec<Network>,
    /// The most addresses that a network keeps back at a time: offered ones, and those that
    /// answered a probe. Beyond it the one whose time ends first is let go; its client does not
    /// notice unless the address is gone when it asks. Default 4096.
    pub max_offers: usize,
    /// How long an offered address is held for the client. Default 30 s.
    pub offer_hold: Seconds,
    /// How long a declined address, or one that answered a probe, is given to nobody. One that is
    /// reserved is probed when its client asks for an address meanwhile, and given to it at once
    /// where nobody answers. Default 600 s.
    pub quarantine: Seconds,
    /// How many addresses of one client's are put in quarantine within the time of one; further
    /// DECLINEs of its are not believed. Default 8.
    pub max_declines: u32,
    /// The port of servers and relay agents. Default 67.
    pub server_port: u16,
    /// The port of clients. Default 68.
    pub client_port: u16,
    /// The port of boot servers: that of [`Server::handle_boot_server`](super::Server). Default
    /// 4011.
    pub boot_server_port: u16,
    /// Further beginnings of option 60 that mean a PXE client, next to `PXEClient`. Default none.
    pub pxe_classes: Vec<String>,
    /// Until when a client that asks for the address it had (INIT-REBOOT), or extends its lease,
    /// gets it though no record is of it, if the address is one to give and free: for a store of
    /// leases that was lost, or that begins beside clients with leases of an earlier server. After
    /// that only an authoritative server answers them ([`Network::authoritative`]). Default 0:
    /// never.
    pub adopt_until: Timestamp,
    /// Replies a second to one address that is on another link than the one that the question came
    /// by and is no relay agent of its network's list: whoever writes another's address into a
    /// message has no more than that sent there. Default 64.
    pub max_off_link_replies: u32,
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
            max_declines: 8,
            server_port: SERVER_PORT,
            client_port: CLIENT_PORT,
            boot_server_port: BOOT_SERVER_PORT,
            pxe_classes: Vec::new(),
            adopt_until: Timestamp(0),
            max_off_link_replies: 64,
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
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
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
    /// Whether this server gives addresses here. Default [`Mode::Server`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub mode: Mode,
    /// Whether no other server gives addresses here, so that this one refuses whatever it has no
    /// record of. Default no: a client of which no record is may have its lease of another server,
    /// and is left to it, without an answer (RFC 2131 section 4.3.2).
    #[cfg_attr(feature = "serde", serde(default))]
    pub authoritative: bool,
    /// The addresses that are given to anybody. Network and broadcast address are never given, nor,
    /// in subnets wider than /24, `.0` and `.255`, which some systems take for broadcast.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ranges: Vec<AddressRange>,
    /// Addresses inside the ranges that are not given.
    #[cfg_attr(feature = "serde", serde(default))]
    pub exclude: Vec<AddressRange>,
    /// Relay agents that are believed (their `giaddr`): in what they say of a client's circuit and
    /// link (option 82), and where this network is on another interface than the one that they are
    /// heard on. Empty, as by default, it means the gateways of a network that is reached through
    /// relay agents, and nobody where it has an interface.
    ///
    /// A `giaddr` proves nothing by itself: who can send to this server can write any. What it
    /// costs a stranger is the reply, which goes to the relay agent.
    #[cfg_attr(feature = "serde", serde(default))]
    pub relays: Vec<Ipv4Addr>,
    /// Whether option 82 is believed in a message that no relay agent has marked, as switches send
    /// it that snoop and keep clients' own from passing. Default no: any client can write one.
    #[cfg_attr(feature = "serde", serde(default))]
    pub trust_option_82: bool,
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
    /// Whether an address is probed before it is offered to a client that does not have it. Default
    /// no; a host that is up answers from most systems, and it costs a newcomer the wait.
    #[cfg_attr(feature = "serde", serde(default))]
    pub probe: bool,
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
            mode: Mode::Server,
            authoritative: false,
            ranges: Vec::new(),
            exclude: Vec::new(),
            relays: Vec::new(),
            trust_option_82: false,
            gateways: Vec::new(),
            dns: Vec::new(),
            domain: None,
            lease_time: default_lease_time(),
            boot_lease_time: default_boot_lease_time(),
            offer_delay_ms: 0,
            rapid_commit: false,
            probe: false,
            allow: Allow::Any,
            options: Vec::new(),
            reservations: Vec::new(),
        }
    }

    /// Whether a relay agent with this `giaddr` is believed.
    #[must_use]
    pub fn trusts_relay(&self, giaddr: Ipv4Addr) -> bool {
        let trusted = match self.link {
            Link::Relay if self.relays.is_empty() => &self.gateways,
            _ => &self.relays,
        };
        trusted.contains(&giaddr)
    }

    /// What is set aside for a client. Only for a network whose reservations are sorted, as those
    /// of a server are.
    pub(super) fn reservation_of(&self, client: &ClientKey) -> Option<&Reservation> {
        let ClientKey::Hardware(hardware) = client else {
            return None;
        };
        let mac = hardware.mac()?;
        let at = self.reservations.binary_search_by_key(&mac, |one| one.mac);
        self.reservations.get(at.ok()?)
    }
}

/// What this server is in a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Mode {
    /// The DHCP server: it gives addresses, and with them what to boot.
    #[default]
    Server,
    /// A proxy beside another DHCP server: it tells firmware what to boot and gives no address.
    /// Ranges, lease times and what else is about addresses are not looked at.
    Proxy,
}

/// How the clients of a network are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Link {
    /// On the interface of this number. The caller chooses it, and gives it with each message
    /// ([`Incoming::interface`](super::Incoming::interface)); it is not the system's index.
    Interface(u32),
    /// By a relay agent, whose `giaddr` is in the subnet.
    Relay,
}

/// Who gets an address in a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Allow {
    /// Anybody.
    #[default]
    Any,
    /// Machines with a reservation, which need not name an address.
    Known,
}

/// What is set aside for one machine.
///
/// ```
/// use netboot_dhcp::MacAddr;
/// use netboot_dhcp::server::Reservation;
///
/// let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
/// let reservation = Reservation::new(mac)
///     .with_address("10.0.0.9".parse()?)
///     .with_host_name("node-01");
/// assert_eq!(reservation.host_name.as_deref(), Some("node-01"));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
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

impl Reservation {
    /// Nothing but that the machine is known.
    #[must_use]
    pub const fn new(mac: MacAddr) -> Self {
        Self {
            mac,
            address: None,
            host_name: None,
        }
    }

    /// The same, with an address of its own.
    #[must_use]
    pub const fn with_address(mut self, address: Ipv4Addr) -> Self {
        self.address = Some(address);
        self
    }

    /// The same, with a name.
    #[must_use]
    pub fn with_host_name(mut self, host_name: impl Into<String>) -> Self {
        self.host_name = Some(host_name.into());
        self
    }
}

/// An option by its code and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
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
        matches!(code.0, 0 | 50..=55 | 57 | 61 | 82 | 118 | 255)
    }
}
