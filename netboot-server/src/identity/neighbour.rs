//! The system's neighbour table: which MAC address an address on the same link has.
//!
//! It is asked for the one address by netlink (`linux/rtnetlink.h`, `linux/neighbour.h`), since to
//! read the table for each request of each of many machines takes time with the square of their
//! number. Linux answers that since 5.0. It wants the interface, which its routes say first.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netboot_dhcp::MacAddr;
use nix::sys::socket::SockProtocol;

use crate::netlink;

const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
/// `struct rtmsg` and `struct ndmsg` alike.
const BODY: usize = 12;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// `NUD_VALID`: the states in which an entry's MAC address counts.
const VALID: u16 = 0x80 | 0x40 | 0x02 | 0x10 | 0x04 | 0x08;

/// The MAC address that the system has seen behind an address lately.
#[must_use]
pub(crate) fn mac_of(address: IpAddr) -> Option<MacAddr> {
    let IpAddr::V4(address) = address.to_canonical() else {
        return None;
    };
    // What cannot be asked is not known.
    look_up(address).ok().flatten()
}

fn look_up(address: Ipv4Addr) -> io::Result<Option<MacAddr>> {
    let ask = |request: &[u8]| netlink::ask(SockProtocol::NetlinkRoute, request);
    let Some(interface) = interface_in(&ask(&route_request(address))?) else {
        return Ok(None);
    };
    Ok(mac_in(&ask(&neighbour_request(address, interface))?))
}

/// By which interface the address is reached: `struct rtmsg` of 32 bits of IPv4.
fn route_request(address: Ipv4Addr) -> Vec<u8> {
    let body = [2, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    message(GET_ROUTE, body, RTA_DST, address)
}

/// The address's entry on the interface: `struct ndmsg` of IPv4 with its number.
fn neighbour_request(address: Ipv4Addr, interface: [u8; 4]) -> Vec<u8> {
    let [a, b, c, d] = interface;
    let body = [2, 0, 0, 0, a, b, c, d, 0, 0, 0, 0];
    message(GET_NEIGHBOUR, body, NDA_DST, address)
}

/// A request with one attribute.
fn message(kind: u16, body: [u8; BODY], attribute: u16, address: Ipv4Addr) -> Vec<u8> {
    let mut message = body.to_vec();
    message.extend(8_u16.to_ne_bytes());
    message.extend(attribute.to_ne_bytes());
    message.extend(address.octets());
    netlink::request(kind, &message)
}

fn interface_in(reply: &[u8]) -> Option<[u8; 4]> {
    let (_, attributes) = split(reply, NEW_ROUTE)?;
    netlink::attribute(attributes, RTA_OIF)?.try_into().ok()
}

/// An entry that is no Ethernet's, or that did not answer, has none.
fn mac_in(reply: &[u8]) -> Option<MacAddr> {
    let (body, attributes) = split(reply, NEW_NEIGHBOUR)?;
    let [_, _, _, _, _, _, _, _, low, high, _, _] = *body;
    let state = u16::from_ne_bytes([low, high]);
    let mac = netlink::attribute(attributes, NDA_LLADDR)?
        .try_into()
        .ok()?;
    (state & VALID != 0).then_some(MacAddr(mac))
}

/// Body and attributes of a message of this type.
fn split(reply: &[u8], kind: u16) -> Option<(&[u8; BODY], &[u8])> {
    netlink::body(reply, kind)?.split_first_chunk()
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    /// What Linux 6.18 said to these requests, of a machine on a veth pair and of an address that
    /// nobody has.
    const ROUTE: &str = "6800000018000000070000001a48000002200000fe0000010002000008000f00fe000000\
        08000100c0a86465080004000300000008000700c0a86401080019000000000024000c000200000000000000\
        000000000000000000000000000000000000000000000000";
    const NEIGHBOUR: &str = "4c0000001c000000070000001a480000020000000300000002000001\
        08000100c0a864650a0002005254001234560000080004000400000014000300c2010000c2010000c2010000\
        02000000";
    const UNANSWERED: &str = "400000001c000000070000004b480000020000000300000020000001\
        08000100c0a864660800040006000000140003007019000000020000ce00000001000000";
    const NO_ENTRY: &str = "38000000020000000700000086480000feffffff240000001e000100070000000000\
        000002000000030000000000000008000100c0a86467";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16);
        digits
            .chunks(2)
            .map(|two| pair(two).expect("hex"))
            .collect()
    }

    #[test]
    fn requests_are_as_the_system_took_them() {
        let address = Ipv4Addr::new(192, 168, 100, 101);
        let route = "240000001a0001000000000000000000022000000000000000000000 08000100c0a86465";
        assert_eq!(route_request(address), bytes(route));
        let neighbour = "240000001e0001000000000000000000020000000300000000000000 08000100c0a86465";
        assert_eq!(neighbour_request(address, [3, 0, 0, 0]), bytes(neighbour));
    }

    #[test]
    fn only_an_address_that_answered_has_a_mac() {
        assert_eq!(interface_in(&bytes(ROUTE)), Some([3, 0, 0, 0]));
        let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        assert_eq!(mac_in(&bytes(NEIGHBOUR)), Some(mac));
        assert_eq!(mac_in(&bytes(UNANSWERED)), None);
        assert_eq!(mac_in(&bytes(NO_ENTRY)), None);
    }

    /// `linux/neighbour.h`: none, incomplete and failed; the others have an address that counts.
    #[test]
    fn each_state_of_an_entry_but_those_without_an_answer_has_a_mac() {
        let mut entry = bytes(NEIGHBOUR);
        for (state, counts) in [
            (0x00, false),
            (0x01, false),
            (0x02, true),
            (0x04, true),
            (0x08, true),
            (0x10, true),
            (0x20, false),
            (0x40, true),
            (0x80, true),
        ] {
            entry[24] = state;
            assert_eq!(mac_in(&entry).is_some(), counts, "{state:#x}");
        }
    }

    #[test]
    fn reply_that_is_cut_off_anywhere_says_nothing() {
        for hex in [ROUTE, NEIGHBOUR] {
            let whole = bytes(hex);
            for length in 0..whole.len() {
                let part = &whole[..length];
                assert_eq!((interface_in(part), mac_in(part)), (None, None));
            }
        }
    }
}
