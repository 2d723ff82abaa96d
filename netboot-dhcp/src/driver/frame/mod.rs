//! Replies to a client that has no address yet: as a whole Ethernet frame to its MAC address.
//!
//! An ordinary socket would ask by ARP who has the address that the reply only gives. RFC 2131
//! section 4.1 wants such a client, if it did not ask for broadcast, to be answered at its hardware
//! address; some take nothing else.

mod payload;
mod senders;

pub(super) use senders::Senders;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::MacAddr;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, bind, send, socket};

const ETHERTYPE_IPV4: [u8; 2] = [8, 0];
/// Version 4, a header of five words.
const VERSION_AND_LENGTH: u8 = 0x45;
const TTL: u8 = 64;
const UDP: u8 = 17;
const IPV4_HEADER: usize = 20;
const UDP_HEADER: usize = 8;

/// Sends frames on one Ethernet interface, and hears none.
#[derive(Debug)]
pub(super) struct Frames {
    socket: OwnedFd,
    own: MacAddr,
}

impl Frames {
    /// Opens a packet socket on the interface; `None` where that is no Ethernet, as `lo`.
    ///
    /// # Errors
    ///
    /// Without `CAP_NET_RAW`.
    pub(super) fn open(interface: &str) -> io::Result<Option<Self>> {
        let Some((link, own)) = ethernet(interface)? else {
            return Ok(None);
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // No protocol: nothing is received.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        bind(socket.as_raw_fd(), &link)?;
        Ok(Some(Self {
            socket,
            own: MacAddr(own),
        }))
    }

    /// Sends a datagram to a machine at an address that it need not have yet.
    ///
    /// # Errors
    ///
    /// Those of the socket call; a datagram that is larger than the interface's frames is one.
    pub(super) fn send(
        &self,
        from: SocketAddrV4,
        to: SocketAddrV4,
        machine: MacAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        let frame = frame(self.own, machine, from, to, payload)
            .ok_or_else(|| io::Error::from(nix::errno::Errno::EMSGSIZE))?;
        send(self.socket.as_raw_fd(), &frame, MsgFlags::empty())?;
        Ok(())
    }
}

/// Where to bind a packet socket to an interface, and its MAC address; `None` where that is no
/// Ethernet, as `lo`.
fn ethernet(interface: &str) -> io::Result<Option<(LinkAddr, [u8; 6])>> {
    let link = getifaddrs()?.find_map(|one| {
        let real = !one.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        let link = one.address.filter(|_| real)?.as_link_addr().copied()?;
        (one.interface_name == interface).then_some(link)
    });
    Ok(link.and_then(|link| Some((link, link.addr()?))))
}

/// Ethernet II, IPv4 (RFC 791) and UDP (RFC 768) around a payload; `None` where it is too long.
fn frame(
    own: MacAddr,
    machine: MacAddr,
    from: SocketAddrV4,
    to: SocketAddrV4,
    payload: &[u8],
) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(UDP_HEADER + payload.len()).ok()?;
    let total = u16::try_from(IPV4_HEADER + UDP_HEADER + payload.len()).ok()?;
    let mut header = Vec::with_capacity(IPV4_HEADER);
    header.extend([VERSION_AND_LENGTH, 0]);
    header.extend(total.to_be_bytes());
    // No identification, not to be split, no offset.
    header.extend([0, 0, 0x40, 0, TTL, UDP, 0, 0]);
    header.extend(from.ip().octets());
    header.extend(to.ip().octets());
    let sum = checksum([header.as_slice()]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());

    let mut udp = Vec::with_capacity(UDP_HEADER);
    udp.extend(from.port().to_be_bytes());
    udp.extend(to.port().to_be_bytes());
    udp.extend(udp_length.to_be_bytes());
    udp.extend([0, 0]);
    let pseudo = pseudo_header(*from.ip(), *to.ip(), udp_length);
    // 0 would mean that there is none.
    let sum = match checksum([&pseudo[..], &udp, payload]) {
        0 => u16::MAX,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());

    let ethernet = [&machine.0[..], &own.0, &ETHERTYPE_IPV4].concat();
    Some([&ethernet, &header, &udp, payload].concat())
}

fn pseudo_header(from: Ipv4Addr, to: Ipv4Addr, udp_length: u16) -> [u8; 12] {
    let ([a, b, c, d], [e, f, g, h]) = (from.octets(), to.octets());
    let [high, low] = udp_length.to_be_bytes();
    [a, b, c, d, e, f, g, h, 0, UDP, high, low]
}

/// RFC 1071. Every part but the last has an even length.
pub(super) fn checksum<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or_default();
            let high = pair.first().copied().unwrap_or_default();
            sum += u64::from(u16::from_be_bytes([high, low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_that_of_the_rfcs_example() {
        // RFC 1071 section 3: the sum of these words is ddf2.
        assert_eq!(
            checksum([&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7][..]]),
            !0xddf2
        );
    }

    #[test]
    fn headers_stand_around_the_payload() {
        let frame = frame(
            MacAddr([2, 0, 0, 0, 0, 1]),
            MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]),
            "192.168.0.1:67".parse().expect("an address"),
            "192.168.0.199:68".parse().expect("an address"),
            b"abc",
        )
        .expect("it is short");

        let by_hand = [
            &[0x52, 0x54, 0, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 1, 8, 0][..],
            &[0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0, 0],
            &[192, 168, 0, 1, 192, 168, 0, 199],
            &[0, 67, 0, 68, 0, 11, 0, 0],
            b"abc",
        ]
        .concat();
        let mut without_sums = frame.clone();
        for at in [24, 25, 40, 41] {
            without_sums[at] = 0;
        }
        assert_eq!(without_sums, by_hand);
        // What a receiver does: the sum over all of it, the checksum included, is ffff.
        assert_eq!(checksum([&frame[14..34]]), 0);
        let pseudo = [192, 168, 0, 1, 192, 168, 0, 199, 0, 17, 0, 11];
        assert_eq!(checksum([&pseudo[..], &frame[34..]]), 0);
    }
}
