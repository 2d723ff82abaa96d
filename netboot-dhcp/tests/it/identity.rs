//! Which network a client is in, by what it is known there, and what is reserved for it.

use crate::packet::*;
use netboot_dhcp::MacAddr;
use netboot_dhcp::server::{
    AddressRange, Allow, Boot, Destination, Incoming, Link, NakReason, Network, NetworkId,
    Reservation, Server, Settings, SilenceReason,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::wire::MessageView;
use std::net::{Ipv4Addr, SocketAddrV4};

fn relayed() -> Network {
    let subnet = "10.2.0.0/24".parse().unwrap();
    let mut network = Network::new(NetworkId(2), Link::Relay, subnet, SERVER);
    let address = |last| Ipv4Addr::new(10, 2, 0, last);
    network.ranges = vec![AddressRange::new(address(50), address(60))];
    network
}

fn reserved(address: Option<Ipv4Addr>) -> Reservation {
    let mut reservation = Reservation::new(MAC).with_host_name("node-01");
    reservation.address = address;
    reservation
}

#[test]
fn network_is_chosen_by_the_relay_agent_and_its_reply_goes_there() {
    let mut server = Server::new(Settings::new(vec![network(), relayed()])).unwrap();
    let relay = Ipv4Addr::new(10, 2, 0, 1);
    let offer = reply(run(&mut server, NOW, Packet::discover(MAC).giaddr(relay)));
    assert_eq!(offer.bytes[16..20], [10, 2, 0, 50]);
    assert_eq!(offer.bytes[24..28], [10, 2, 0, 1], "giaddr is copied");
    assert_eq!(
        offer.destination,
        Destination::Relay("10.2.0.1:67".parse().unwrap())
    );
    let unknown = Packet::discover(MAC).giaddr(Ipv4Addr::new(10, 3, 0, 1));
    assert_eq!(
        silence(run(&mut server, NOW, unknown)),
        SilenceReason::NoNetwork
    );
}

#[test]
fn relayed_nak_asks_the_relay_agent_for_broadcast() {
    let mut server = Server::new(Settings::new(vec![network(), relayed()])).unwrap();
    let request = Packet::selecting(MAC, ip(100), SERVER).giaddr(Ipv4Addr::new(10, 2, 0, 1));
    let nak = reply(run(&mut server, NOW, request));
    assert_eq!(nak.nak_reason, Some(NakReason::WrongNetwork));
    assert_eq!(nak.bytes[10..12], [0x80, 0]);
}

#[test]
fn unicast_renewal_through_a_router_finds_the_clients_network() {
    let mut server = Server::new(Settings::new(vec![network(), relayed()])).unwrap();
    let relay = Ipv4Addr::new(10, 2, 0, 1);
    let own = Ipv4Addr::new(10, 2, 0, 50);
    let request = Packet::selecting(MAC, own, SERVER).giaddr(relay);
    assert_eq!(
        yiaddr(run(&mut server, NOW, request), MessageType::ACK),
        own
    );
    let bytes = Packet::new(3, MAC).ciaddr(own).end();
    let message = MessageView::decode(&bytes).unwrap();
    let incoming = Incoming::new(message, SocketAddrV4::new(own, 68), 2);
    // Not every socket says what a datagram was sent to.
    for incoming in [incoming.sent_to(SERVER), incoming] {
        let outcome = server.handle_with(NOW, &incoming, |_| Boot::default());
        let ack = reply(settle(&mut server, NOW, outcome));
        assert_eq!(ack.lease.unwrap().network, NetworkId(2));
    }
}

#[test]
fn reserved_address_is_for_its_machine_only() {
    let mut network = network();
    network.reservations = vec![reserved(Some(ip(101)))];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    for last in [100, 102] {
        let mac = MacAddr([2, 0, 0, 0, 0, last]);
        assert_eq!(bind(&mut server, NOW, mac).address, ip(last));
    }
    let stranger = Packet::selecting(OTHER_MAC, ip(101), SERVER);
    assert_eq!(
        nak_reason(run(&mut server, NOW, stranger)),
        NakReason::NotAvailable
    );
    let lease = bind(&mut server, NOW, MAC);
    assert_eq!(lease.address, ip(101));
    assert_eq!(lease.host_name.as_deref(), Some("node-01"));
}

#[test]
fn machine_with_a_new_reservation_moves_to_it() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let mut network = network();
    network.reservations = vec![reserved(Some(ip(50)))];
    let homeless = server.reconfigure(Settings::new(vec![network])).unwrap();
    assert_eq!(homeless, []);
    assert_eq!(server.lease(lease.address), Some(&lease), "leases are kept");
    let renewal = Packet::new(3, MAC).ciaddr(lease.address);
    assert_eq!(
        nak_reason(run(&mut server, NOW, renewal)),
        NakReason::WrongAddress
    );
    assert_eq!(bind(&mut server, NOW, MAC).address, ip(50));
}

#[test]
fn each_of_many_reservations_is_found_whatever_their_order() {
    let mut network = network();
    let mac = |last| MacAddr([2, 0, 0, 0, 0, last]);
    network.reservations = [9, 3, 7, 1, 5]
        .map(|last| Reservation::new(mac(last)).with_address(ip(last + 10)))
        .to_vec();
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    for last in [1, 3, 5, 7, 9] {
        assert_eq!(offer(&mut server, NOW, mac(last)), ip(last + 10));
    }
    assert_eq!(offer(&mut server, NOW, mac(2)), ip(100));
}

#[test]
fn only_known_machines_get_an_address_where_so_set() {
    let mut network = network();
    network.allow = Allow::Known;
    network.reservations = vec![reserved(None)];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    assert_eq!(bind(&mut server, NOW, MAC).address, ip(100));
    assert_eq!(
        silence(run(&mut server, NOW, Packet::discover(OTHER_MAC))),
        SilenceReason::Unknown
    );
}

#[test]
fn client_without_hardware_address_is_known_by_its_identifier() {
    let mut server = server();
    let anonymous = |id: &[u8]| Packet::discover(MAC).at(2, &[0]).option(61, id);
    let outcome = run(&mut server, NOW, anonymous(b"\0one"));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(100));
    let outcome = run(&mut server, NOW, anonymous(b"\0two"));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(101));
    let nameless = Packet::discover(MAC).at(2, &[0]);
    assert_eq!(
        silence(run(&mut server, NOW, nameless)),
        SilenceReason::NoIdentity
    );
    let too_long = Packet::discover(MAC).at(2, &[17]);
    assert_eq!(
        silence(run(&mut server, NOW, too_long)),
        SilenceReason::NoIdentity
    );
}

#[test]
fn address_stays_though_the_client_identifier_changes_from_stage_to_stage() {
    let mut server = server();
    let first = bind(&mut server, NOW, MAC);
    let system = Packet::discover(MAC).option(61, b"\xff\x12\x34\x56\x78");
    let outcome = run(&mut server, NOW, system);
    assert_eq!(yiaddr(outcome, MessageType::OFFER), first.address);
}

#[test]
fn interface_that_a_message_came_by_decides_source_next_server_and_what_the_policy_is_told() {
    let second = Ipv4Addr::new(10, 0, 3, 1);
    let subnet = "10.0.3.0/24".parse().unwrap();
    let mut other = Network::new(NetworkId(2), Link::Interface(3), subnet, second);
    let first = Ipv4Addr::new(10, 0, 3, 100);
    other.ranges = vec![AddressRange::new(first, first)];
    let mut server = Server::new(Settings::new(vec![network(), other])).unwrap();
    for (interface, own) in [(2, SERVER), (3, second)] {
        let bytes = Packet::discover(MAC).option(60, b"PXEClient").end();
        let incoming = Incoming::new(
            MessageView::decode(&bytes).unwrap(),
            "0.0.0.0:68".parse().unwrap(),
            interface,
        )
        .sent_to(Ipv4Addr::BROADCAST);
        let outcome = server.handle_with(NOW, &incoming, |machine| {
            assert_eq!((machine.interface, machine.server), (interface, own));
            Boot::file(format!("http://{}/x", machine.server))
        });
        let offer = reply(outcome);
        assert_eq!(offer.source, own);
        assert_eq!(offer.bytes[20..24], own.octets(), "siaddr");
        let file = format!("http://{own}/x");
        assert_eq!(&offer.bytes[108..108 + file.len()], file.as_bytes());
        let options = options_of(&offer.bytes);
        assert!(options.contains(&(54, own.octets().to_vec())));
    }
}
