//! Any text as dnsmasq's lease file.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{AddressRange, Link, Network, NetworkId, Server, Settings, Subnet};

#[path = "../../netboot-server/src/leases/dnsmasq.rs"]
#[allow(dead_code)]
mod dnsmasq;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fuzz_target!(|text: &str| {
    let subnet: Subnet = "10.0.0.0/24".parse().unwrap();
    let mut network = Network::new(NetworkId(1), Link::Interface(1), subnet, SERVER);
    network.ranges = vec![AddressRange::new(
        [10, 0, 0, 2].into(),
        [10, 0, 0, 254].into(),
    )];
    let server = Server::new(Settings::new(vec![network])).unwrap();
    let (leases, left_out) = dnsmasq::read(text, &server, Timestamp(1_700_000_000_000));
    let lines = text.lines().count();
    assert!(leases.len() + left_out.len() <= lines);
    for lease in leases {
        assert!(subnet.contains(lease.address) && lease.address != SERVER);
    }
    for one in left_out {
        assert!((1..=lines).contains(&one.line) && !one.why.contains(char::is_control));
    }
});
