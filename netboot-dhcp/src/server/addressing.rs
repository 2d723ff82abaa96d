//! Where a reply goes: RFC 2131 section 4.1 as a function of its own.
//!
//! Section 4.1 sends to `ciaddr` where a message has one. Clients write an old address there in a
//! DISCOVER or in the REQUEST that takes an offer, where table 5 wants 0, and answer no ARP for it.
//! So a client is taken to have the address that its REQUEST came from, and no other.

use super::Incoming;
use crate::HardwareAddr;
use crate::value::MessageType;
use core::net::{Ipv4Addr, SocketAddrV4};

/// Where a reply is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// To the relay agent, by unicast.
    Relay(SocketAddrV4),
    /// To the client at the address that it has, by unicast.
    Client(SocketAddrV4),
    /// To a client that has no address yet and can take unicast: a frame to `hardware` for
    /// `address`. A caller that cannot send without ARP broadcasts instead.
    Unbound {
        /// The address that the client is being given.
        address: SocketAddrV4,
        /// The client.
        hardware: HardwareAddr,
    },
    /// To all on the link.
    Broadcast(SocketAddrV4),
}

impl Destination {
    /// The address to send to with an ordinary socket: broadcast, where there is no address yet.
    #[must_use]
    pub const fn socket_addr(&self) -> SocketAddrV4 {
        match self {
            Self::Relay(address) | Self::Client(address) | Self::Broadcast(address) => *address,
            Self::Unbound { address, .. } => SocketAddrV4::new(Ipv4Addr::BROADCAST, address.port()),
        }
    }
}

/// What of a request decides where its reply goes.
///
/// ```
/// use netboot_dhcp::server::{Destination, ReturnPath};
/// use netboot_dhcp::value::MessageType;
/// use netboot_dhcp::HardwareAddr;
/// use std::net::Ipv4Addr;
///
/// let path = ReturnPath {
///     giaddr: Ipv4Addr::new(10, 2, 0, 1),
///     own: None,
///     broadcast: true,
///     hardware: HardwareAddr::new(1, &[0x52, 0x54, 0, 0x12, 0x34, 0x56]).unwrap(),
/// };
/// assert_eq!(
///     path.destination(MessageType::OFFER, Ipv4Addr::new(10, 2, 0, 100), 67, 68),
///     Destination::Relay("10.2.0.1:67".parse().unwrap())
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnPath {
    /// The relay agent, or 0.0.0.0.
    pub giaddr: Ipv4Addr,
    /// The address that the client has and can be reached at.
    pub own: Option<Ipv4Addr>,
    /// Whether the client asks for broadcast.
    pub broadcast: bool,
    /// The client's hardware address.
    pub hardware: HardwareAddr,
}

impl ReturnPath {
    /// The destination of a reply of type `kind` that gives the client `yiaddr`.
    ///
    /// A relay agent gets everything, on the servers' port. A NAK is broadcast, since the client's
    /// address is in doubt. Otherwise the client gets it at its own address; by broadcast, if it
    /// asks for that, has no hardware address or is given no address; else as
    /// [`Destination::Unbound`].
    #[must_use]
    pub fn destination(
        &self,
        kind: MessageType,
        yiaddr: Ipv4Addr,
        server_port: u16,
        client_port: u16,
    ) -> Destination {
        if !self.giaddr.is_unspecified() {
            return Destination::Relay(SocketAddrV4::new(self.giaddr, server_port));
        }
        if let Some(own) = self.own
            && kind != MessageType::NAK
        {
            return Destination::Client(SocketAddrV4::new(own, client_port));
        }
        let unaddressed = yiaddr.is_unspecified() || self.hardware.as_bytes().is_empty();
        if kind == MessageType::NAK || self.broadcast || unaddressed {
            return Destination::Broadcast(SocketAddrV4::new(Ipv4Addr::BROADCAST, client_port));
        }
        Destination::Unbound {
            address: SocketAddrV4::new(yiaddr, client_port),
            hardware: self.hardware,
        }
    }

    /// How a message of type `kind` is answered, where `ciaddr` is the client's address as it says.
    /// The answer to an INFORM goes to `ciaddr` (RFC 2131 section 4.3.5).
    pub(super) fn of(incoming: &Incoming<'_>, kind: MessageType, ciaddr: Ipv4Addr) -> Self {
        let has_it = match kind {
            MessageType::REQUEST => *incoming.source.ip() == ciaddr,
            MessageType::INFORM => true,
            _ => false,
        };
        let message = &incoming.message;
        Self {
            giaddr: message.giaddr(),
            own: Some(ciaddr).filter(|own| has_it && !own.is_unspecified()),
            broadcast: message.broadcast(),
            hardware: message.hardware(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
    const GIVEN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

    fn path(giaddr: Ipv4Addr, own: Option<Ipv4Addr>, broadcast: bool) -> ReturnPath {
        ReturnPath {
            giaddr,
            own,
            broadcast,
            hardware: HardwareAddr::new(1, &[2, 0, 0, 0, 0, 1]).unwrap(),
        }
    }

    fn destination(path: ReturnPath, kind: MessageType) -> Destination {
        path.destination(kind, GIVEN, 67, 68)
    }

    #[test]
    fn relay_agent_gets_every_reply_on_the_servers_port() {
        let relay = Ipv4Addr::new(10, 9, 0, 1);
        for kind in [MessageType::OFFER, MessageType::ACK, MessageType::NAK] {
            assert_eq!(
                destination(path(relay, Some(GIVEN), true), kind),
                Destination::Relay(SocketAddrV4::new(relay, 67))
            );
        }
    }

    #[test]
    fn client_with_an_address_gets_unicast_but_a_nak_is_broadcast() {
        let own = Ipv4Addr::new(10, 0, 0, 5);
        assert_eq!(
            destination(path(NONE, Some(own), true), MessageType::ACK),
            Destination::Client(SocketAddrV4::new(own, 68))
        );
        assert_eq!(
            destination(path(NONE, Some(own), false), MessageType::NAK),
            Destination::Broadcast("255.255.255.255:68".parse().unwrap())
        );
    }

    #[test]
    fn client_without_an_address_gets_broadcast_only_if_it_asks() {
        let asks = destination(path(NONE, None, true), MessageType::OFFER);
        assert_eq!(
            asks,
            Destination::Broadcast("255.255.255.255:68".parse().unwrap())
        );
        let takes_unicast = destination(path(NONE, None, false), MessageType::OFFER);
        assert!(
            matches!(takes_unicast, Destination::Unbound { address, .. } if *address.ip() == GIVEN)
        );
        assert_eq!(takes_unicast.socket_addr(), asks.socket_addr());
    }

    #[test]
    fn client_without_a_hardware_address_gets_broadcast() {
        let mut path = path(NONE, None, false);
        path.hardware = HardwareAddr::new(1, &[]).unwrap();
        assert_eq!(
            destination(path, MessageType::OFFER),
            Destination::Broadcast("255.255.255.255:68".parse().unwrap())
        );
    }
}
