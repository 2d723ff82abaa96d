//! Option 82: each registered sub-option, read under its code and echoed.

use crate::packet::*;
use netboot_dhcp::server::{AddressRange, Link, Network, NetworkId, Server, Settings};
use netboot_dhcp::value::{Enterprise, SubOptions, Text, Value, agent};
use std::net::Ipv4Addr;

/// Each registered sub-option of option 82 once, in bytes written by hand.
const AGENT: &[(u8, &[u8])] = &[
    (1, b"eth0"),
    (2, b"remote"),
    (4, &[0, 0, 0, 1]),
    (5, &[10, 9, 0, 0]),
    (6, b"subscriber"),
    (7, &[1, 3, b'a']),
    (8, &[1, 0, 0, 0, 0, 0, 0, 0, 0]),
    (9, &[0, 0, 0, 9, 3, 1, 1, 7]),
    (10, &[0x80]),
    (11, &[10, 9, 0, 1]),
    (12, &[0, 2, 0, 0, 0, 9, 7]),
    (13, &[0, 4]),
    (14, b"ssid"),
    (15, b"ap"),
    (16, &[2, 0, 0, 0, 0, 1]),
    (17, &[1, b'o']),
    (18, &[1, b'r']),
    (19, &[]),
    (151, &[0, b'v', b'p', b'n']),
    (152, &[]),
];

fn agent_bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (code, data) in AGENT {
        bytes.extend([*code, u8::try_from(data.len()).unwrap()]);
        bytes.extend_from_slice(data);
    }
    bytes
}

#[test]
fn relay_agents_sub_options_are_read_under_their_registered_codes() {
    let read = SubOptions::decode(&agent_bytes()).unwrap();
    let raw = [
        agent::CIRCUIT_ID,
        agent::REMOTE_ID,
        agent::DOCSIS_DEVICE_CLASS,
        agent::LINK_SELECTION,
        agent::SUBSCRIBER_ID,
        agent::RADIUS_ATTRIBUTES,
        agent::AUTHENTICATION,
        agent::VENDOR_SPECIFIC,
        agent::FLAGS,
        agent::SERVER_ID_OVERRIDE,
        agent::RELAY_ID,
        agent::ACCESS_TECHNOLOGY,
        agent::ACCESS_NETWORK_NAME,
        agent::ACCESS_POINT_NAME,
        agent::ACCESS_POINT_BSSID,
        agent::OPERATOR_ID,
        agent::OPERATOR_REALM,
        agent::SOURCE_PORT,
        agent::VIRTUAL_SUBNET,
        agent::VIRTUAL_SUBNET_CONTROL,
    ];
    assert_eq!(raw.len(), AGENT.len());
    for (code, (number, data)) in raw.into_iter().zip(AGENT) {
        assert_eq!((code, read.raw(code)), (*number, Some(*data)));
    }
    assert_eq!(
        read.read(agent::LINK_SELECTION),
        Ok(Some(Ipv4Addr::new(10, 9, 0, 0)))
    );
    assert_eq!(
        read.read(agent::SERVER_ID_OVERRIDE),
        Ok(Some(Ipv4Addr::new(10, 9, 0, 1)))
    );
    assert_eq!(read.read(agent::FLAGS), Ok(Some(0x80_u8)), "by unicast");
    assert_eq!(
        read.read(agent::SUBSCRIBER_ID),
        Ok(Some(Text::from("subscriber")))
    );
    let vendors: Vec<Enterprise> = read.read(agent::VENDOR_SPECIFIC).unwrap().unwrap();
    assert_eq!(vendors[0].number(), 9);
    assert_eq!(vendors[0].sub_options().unwrap().raw(1), Some(&[7][..]));
}

#[test]
fn server_echoes_every_sub_option_of_a_relay_agent_known_or_not() {
    let subnet = "10.9.0.0/24".parse().unwrap();
    let mut network = Network::new(NetworkId(1), Link::Relay, subnet, SERVER);
    let first = Ipv4Addr::new(10, 9, 0, 50);
    network.ranges = vec![AddressRange::new(first, first)];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let mut sent = agent_bytes();
    sent.extend([200, 2, 1, 2]);
    let discover = Packet::discover(MAC)
        .giaddr(Ipv4Addr::new(10, 9, 0, 1))
        .option(57, &[5, 0xc0])
        .option(82, &sent);
    let offer = reply(handle(&mut server, NOW, discover));
    assert_eq!(options_of(&offer.bytes).last(), Some(&(82, sent)));
}
