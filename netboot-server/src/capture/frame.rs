//! From what the link carried to UDP and TCP over IPv4.

use std::net::{Ipv4Addr, SocketAddrV4};

use etherparse::{
    EtherType, LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice, TransportSlice,
};
use netboot_dhcp::MacAddr;

use super::file::Packet;

/// A datagram or a segment.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// Who sent the frame: the machine, or the last router before the capture.
    pub(super) sender: Option<MacAddr>,
    pub(super) source: SocketAddrV4,
    pub(super) destination: SocketAddrV4,
    /// VLAN tags, the outer one first.
    pub(super) vlans: Vec<u16>,
    /// What was recorded of the payload.
    pub(super) payload: &'a [u8],
    /// How long the payload was.
    pub(super) length: usize,
    pub(super) carried: Carried,
}

impl Found<'_> {
    pub(super) fn is_cut_off(&self) -> bool {
        self.payload.len() < self.length
    }
}

#[derive(Debug)]
pub(super) enum Carried {
    Udp,
    Tcp(Segment),
}

/// What is needed of a TCP header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) sequence: u32,
    pub(super) begins: bool,
    pub(super) ends: bool,
}

/// Why a frame was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    LinkType(i32),
    CutOff,
    Fragment,
    Other,
}

/// Reads a frame by the link types of <https://www.tcpdump.org/linktypes.html> that machines boot
/// over.
pub(super) fn read<'a>(packet: &Packet<'a>) -> Result<Found<'a>, Unread> {
    let bytes = packet.bytes;
    let (sender, sliced) = match packet.link_type {
        // ETHERNET
        1 => {
            let sliced = LaxSlicedPacket::from_ethernet(bytes).map_err(|_| Unread::CutOff)?;
            let sender = match &sliced.link {
                Some(LinkSlice::Ethernet2(link)) => Some(MacAddr(link.source())),
                _ => None,
            };
            (sender, sliced)
        }
        // RAW and IPV4, and what BSDs write for RAW
        101 | 228 | 12 | 14 => {
            let sliced = LaxSlicedPacket::from_ip(bytes).map_err(|_| Unread::Other)?;
            (None, sliced)
        }
        // LINUX_SLL: type, hardware type, address and its length, protocol
        113 => cooked(bytes, 4..6, 6..12, 14..16, 16)?,
        // LINUX_SLL2: protocol first, then interface, hardware type, packet type, address
        276 => cooked(bytes, 10..12, 12..18, 0..2, 20)?,
        other => return Err(Unread::LinkType(other)),
    };
    let Some(LaxNetSlice::Ipv4(ip)) = &sliced.net else {
        return Err(match sliced.stop_err {
            Some((etherparse::err::packet::SliceError::Len(_), _)) => Unread::CutOff,
            _ => Unread::Other,
        });
    };
    let header = ip.header();
    if ip.is_payload_fragmented() {
        return Err(Unread::Fragment);
    }
    let vlans = sliced.link_exts.iter().filter_map(|ext| match ext {
        LaxLinkExtSlice::Vlan(tag) => Some(tag.vlan_identifier().value()),
        LaxLinkExtSlice::Macsec(_) => None,
    });
    let found = |ports: (u16, u16), payload: &'a [u8], length: usize, carried| Found {
        sender,
        source: SocketAddrV4::new(header.source_addr(), ports.0),
        destination: SocketAddrV4::new(header.destination_addr(), ports.1),
        vlans: vlans.collect(),
        payload,
        length,
        carried,
    };
    match &sliced.transport {
        Some(TransportSlice::Udp(udp)) => {
            let ports = (udp.source_port(), udp.destination_port());
            let length = usize::from(udp.length()).saturating_sub(8);
            let payload = udp.payload();
            Ok(found(
                ports,
                payload,
                length.max(payload.len()),
                Carried::Udp,
            ))
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let ports = (tcp.source_port(), tcp.destination_port());
            let headers = header.slice().len() + tcp.header_slice().len();
            let length = usize::from(header.total_len()).saturating_sub(headers);
            let segment = Segment {
                sequence: tcp.sequence_number(),
                begins: tcp.syn(),
                ends: tcp.fin() || tcp.rst(),
            };
            let payload = tcp.payload();
            Ok(found(
                ports,
                payload,
                length.max(payload.len()),
                Carried::Tcp(segment),
            ))
        }
        Some(_) => Err(Unread::Other),
        None => Err(match sliced.stop_err {
            Some(_) => Unread::CutOff,
            None => Unread::Other,
        }),
    }
}

type Range = std::ops::Range<usize>;

/// One of Linux's cooked headers, which stand where a capture is of all interfaces.
fn cooked(
    bytes: &[u8],
    length: Range,
    address: Range,
    protocol: Range,
    header: usize,
) -> Result<(Option<MacAddr>, LaxSlicedPacket<'_>), Unread> {
    let field = |range: Range| bytes.get(range).ok_or(Unread::CutOff);
    // SLL2 has one byte for it, behind that of the packet's type.
    let is_mac = field(length)?.last() == Some(&6);
    let address = <[u8; 6]>::try_from(field(address)?).ok().map(MacAddr);
    let protocol = field(protocol)?.iter();
    let protocol = protocol.fold(0, |number: u16, &byte| (number << 8) | u16::from(byte));
    let rest = bytes.get(header..).ok_or(Unread::CutOff)?;
    let sliced = LaxSlicedPacket::from_ether_type(EtherType(protocol), rest);
    Ok((address.filter(|_| is_mac), sliced))
}

/// Whether it is an address that a machine can have.
pub(super) fn is_one_host(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast()
}
