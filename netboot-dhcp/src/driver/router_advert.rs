//! The one thing that is said over IPv6: that there is no router.
//!
//! iPXE asks for an IPv6 router while it asks for an IPv4 address, and goes on only when both are
//! answered or given up; on a network without a router that costs it some 16 seconds each time it
//! starts. When it has its IPv4 lease, or is heard to ask another server for one in proxy mode, it
//! is therefore sent a router advertisement (RFC 4861 section 4.2) with a lifetime of zero, which
//! says that the sender is no router, and no prefix. Only that machine gets it.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

use crate::MacAddr;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Type 134, code 0; the checksum is the system's to fill in. Hop limit, flags, router lifetime,
/// reachable time and retransmission timer are all zero: nothing is said about them.
const ADVERTISEMENT: [u8; 16] = [134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// What RFC 4861 asks of every such packet, so that none can come from another network.
const HOP_LIMIT: u32 = 255;

/// Tells machines on one interface that there is no IPv6 router.
#[derive(Debug)]
pub(super) struct NoRouter {
    socket: Socket,
}

impl NoRouter {
    /// Opens a raw socket on the interface.
    ///
    /// # Errors
    ///
    /// Without `CAP_NET_RAW`, or where the system has no IPv6.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_unicast_hops_v6(HOP_LIMIT)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Sends it to one machine.
    ///
    /// # Errors
    ///
    /// Those of the socket call. Nothing depends on it: the machine only waits.
    pub(super) fn send(&self, machine: MacAddr) -> io::Result<()> {
        let to = SocketAddrV6::new(link_local(machine), 0, 0, 0);
        self.socket.send_to(&ADVERTISEMENT, &SockAddr::from(to))?;
        Ok(())
    }
}

/// The link-local address that iPXE makes of its MAC address (RFC 4291 appendix A).
fn link_local(MacAddr([a, b, c, d, e, f]): MacAddr) -> Ipv6Addr {
    Ipv6Addr::from([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        a ^ 2,
        b,
        c,
        0xff,
        0xfe,
        d,
        e,
        f,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_one_that_ipxe_shows_for_the_mac_address() {
        let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        assert_eq!(link_local(mac).to_string(), "fe80::5054:ff:fe12:3456");
    }
}
