//! What later RFCs add to the rules: rapid commit (4039), link selection (3527), server identifier
//! override (5107); and several networks on one link, the reply's delay, Raspberry Pi's menu.

use crate::packet::*;
use netboot_dhcp::server::{
    AddressRange, Allow, Boot, Claim, ClaimResult, Effect, Link, Mode, NakReason, Network,
    NetworkId, Outcome, Reservation, Server, Settings, SilenceReason,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::{MacAddr, Seconds};
use std::net::Ipv4Addr;

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

fn third(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 3, last)
}

fn option(bytes: &[u8], code: u8) -> Option<Vec<u8>> {
    let mut options = options_of(bytes).into_iter();
    options.find(|(one, _)| *one == code).map(|(_, data)| data)
}

fn rapid_server(rapid_commit: bool) -> Server {
    let mut network = network();
    network.rapid_commit = rapid_commit;
    Server::new(Settings::new(vec![network])).unwrap()
}

#[test]
fn rapid_commit_stores_the_lease_and_acks_the_discover() {
    let mut server = rapid_server(true);
    let discover = Packet::discover(MAC).option(80, &[]);
    let outcome = handle(&mut server, NOW, discover);
    let Outcome::Needs(Effect::Claim(Claim { lease, .. }), pending) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(lease.address, ip(100));
    let ack = reply(server.resume(NOW, pending, ClaimResult::Stored));
    assert_eq!(ack.kind, MessageType::ACK);
    assert_eq!(option(&ack.bytes, 80), Some(vec![]));
    assert_eq!(ack.bytes[16..20], [10, 0, 0, 100]);
    assert_eq!(server.lease(ip(100)), Some(&lease));
}

#[test]
fn rapid_commit_happens_only_where_client_and_network_want_it() {
    for (network_wants, client_wants) in [(false, true), (true, false)] {
        let mut server = rapid_server(network_wants);
        let mut discover = Packet::discover(MAC);
        if client_wants {
            discover = discover.option(80, &[]);
        }
        let offer = reply(handle(&mut server, NOW, discover));
        assert_eq!(offer.kind, MessageType::OFFER);
        assert_eq!(option(&offer.bytes, 80), None);
    }
    let request = Packet::selecting(MAC, ip(100), SERVER).option(80, &[]);
    let ack = reply(run(&mut rapid_server(true), NOW, request));
    assert_eq!(option(&ack.bytes, 80), None, "a REQUEST is no DISCOVER");
}

#[test]
fn rapid_commit_that_is_lost_or_not_stored_is_silence_and_never_a_nak() {
    let mut server = rapid_server(true);
    let discover = Packet::discover(MAC).option(80, &[]);
    let outcome = handle(&mut server, NOW, discover.clone());
    let Outcome::Needs(Effect::Claim(Claim { mut lease, .. }), pending) = outcome else {
        panic!("{outcome:?}");
    };
    lease.client = netboot_dhcp::server::ClientKey::Hardware(OTHER_MAC.into());
    let current = Some(lease);
    let outcome = server.resume(NOW, pending, ClaimResult::Lost { current });
    assert_eq!(silence(outcome), SilenceReason::Lost);
    let outcome = handle(&mut server, NOW, discover);
    let Outcome::Needs(Effect::Claim(Claim { lease, .. }), pending) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(lease.address, ip(101), "the next address");
    let outcome = server.resume(NOW, pending, ClaimResult::Down);
    assert_eq!(silence(outcome), SilenceReason::StoreDown);
}

fn behind_relays() -> Server {
    let far = |id, subnet: &str, server, last: Ipv4Addr| {
        let mut network = Network::new(NetworkId(id), Link::Relay, subnet.parse().unwrap(), server);
        network.ranges = vec![AddressRange::new(last, last)];
        network.relays = vec![RELAY];
        network
    };
    let relays = far(8, "10.9.0.0/24", SERVER, Ipv4Addr::new(10, 9, 0, 50));
    let clients = far(9, "10.0.3.0/24", SERVER, third(50));
    Server::new(Settings::new(vec![network(), relays, clients])).unwrap()
}

#[test]
fn relay_agents_link_selection_chooses_the_network_and_its_giaddr_the_way_back() {
    let plain = Packet::discover(MAC).giaddr(RELAY);
    let offer = reply(handle(&mut behind_relays(), NOW, plain.clone()));
    assert_eq!(offer.bytes[16..20], [10, 9, 0, 50]);
    let selection = [5, 4, 10, 0, 3, 0];
    let offer = reply(handle(
        &mut behind_relays(),
        NOW,
        plain.option(82, &selection),
    ));
    assert_eq!(offer.bytes[16..20], [10, 0, 3, 50]);
    assert_eq!(offer.bytes[24..28], RELAY.octets());
    assert_eq!(offer.destination.socket_addr().to_string(), "10.9.0.1:67");
    assert_eq!(option(&offer.bytes, 82), Some(selection.to_vec()));
}

#[test]
fn link_selection_of_a_client_without_relay_agent_moves_nothing() {
    let discover = Packet::discover(MAC).option(82, &[5, 4, 10, 0, 3, 0]);
    let offer = reply(handle(&mut behind_relays(), NOW, discover));
    assert_eq!(offer.bytes[16..20], ip(100).octets());
}

/// RFC 3046 section 2.1 has relay agents add the option, whose address is in `giaddr` then.
#[test]
fn option_82_without_giaddr_selects_nothing_on_a_link_with_two_networks() {
    for trusts in [false, true] {
        let mut settings = shared_link();
        for network in &mut settings.networks {
            network.trust_option_82 = trusts;
        }
        let mut server = Server::new(settings).unwrap();
        let discover = Packet::discover(MAC).option(82, &[5, 4, 10, 0, 3, 0]);
        let offer = reply(handle(&mut server, NOW, discover));
        assert_eq!(offer.bytes[16..20], ip(100).octets());
    }
}

/// RFC 3011 section 2: the server gives an address of the subnet and the option back, and the
/// client drops replies without it. RFC 3527 section 3 has the agent's link before it.
#[test]
fn a_subnet_is_selected_behind_a_relay_agent_that_may_bring_clients_there() {
    let asks = |subnet: [u8; 4]| Packet::discover(MAC).giaddr(RELAY).option(118, &subnet);
    let offer = reply(handle(&mut behind_relays(), NOW, asks([10, 0, 3, 0])));
    assert_eq!(offer.bytes[16..20], [10, 0, 3, 50]);
    assert_eq!(option(&offer.bytes, 118), Some(vec![10, 0, 3, 0]));
    assert_eq!(offer.destination.socket_addr().to_string(), "10.9.0.1:67");

    let with_link = asks([10, 0, 3, 0]).option(82, &[5, 4, 10, 9, 0, 0]);
    let offer = reply(handle(&mut behind_relays(), NOW, with_link));
    assert_eq!(offer.bytes[16..20], [10, 9, 0, 50]);
    assert_eq!(option(&offer.bytes, 118), None, "it is of another subnet");

    // This one lists nobody, and the agent is not in it.
    for closed in [[10, 0, 0, 0], [192, 0, 2, 0]] {
        let offer = reply(handle(&mut behind_relays(), NOW, asks(closed)));
        assert_eq!(offer.bytes[16..20], [10, 9, 0, 50]);
        assert_eq!(option(&offer.bytes, 118), None);
    }
}

#[test]
fn a_client_without_relay_agent_selects_a_subnet_of_its_own_link_only() {
    let asks = |subnet: [u8; 4]| Packet::discover(MAC).option(118, &subnet);
    let mut server = Server::new(shared_link()).unwrap();
    let offer = reply(handle(&mut server, NOW, asks([10, 0, 3, 0])));
    assert_eq!(offer.bytes[16..20], third(50).octets());
    assert_eq!(option(&offer.bytes, 118), Some(vec![10, 0, 3, 0]));
    // Full: not an address of the other one.
    let discover = Packet::discover(OTHER_MAC).option(118, &[10, 0, 3, 0]);
    let outcome = handle(&mut server, NOW, discover);
    assert_eq!(silence(outcome), SilenceReason::NoAddress);

    let offer = reply(handle(&mut behind_relays(), NOW, asks([10, 0, 3, 0])));
    assert_eq!(offer.bytes[16..20], ip(100).octets());
    assert_eq!(option(&offer.bytes, 118), None);
}

/// RFC 3021 section 2.1: of a 31-bit prefix both addresses are machines'.
#[test]
fn a_point_to_point_link_has_no_broadcast_address() {
    for (subnet, broadcast) in [("10.0.0.0/31", None), ("10.0.0.0/30", Some([10, 0, 0, 3]))] {
        let subnet = subnet.parse().unwrap();
        let mut network = Network::new(NetworkId(1), Link::Interface(2), subnet, ip(1));
        let other = if broadcast.is_some() { ip(2) } else { ip(0) };
        network.ranges = vec![AddressRange::new(other, other)];
        let mut server = Server::new(Settings::new(vec![network])).unwrap();
        let discover = Packet::discover(MAC).option(55, &[1, 3, 28]);
        let offer = reply(handle(&mut server, NOW, discover));
        assert_eq!(offer.bytes[16..20], other.octets());
        assert_eq!(option(&offer.bytes, 28), broadcast.map(|it| it.to_vec()));
    }
}

#[test]
fn relay_agents_override_is_the_server_identifier_both_ways() {
    let mut server = behind_relays();
    let agent = [11, 4, 10, 9, 0, 1];
    let discover = Packet::discover(MAC).giaddr(RELAY).option(82, &agent);
    let offer = reply(handle(&mut server, NOW, discover));
    assert_eq!(option(&offer.bytes, 54), Some(RELAY.octets().to_vec()));
    let leased = Ipv4Addr::new(10, 9, 0, 50);
    let taken = Packet::selecting(MAC, leased, RELAY)
        .giaddr(RELAY)
        .option(82, &agent);
    let ack = reply(run(&mut server, NOW, taken));
    assert_eq!(ack.kind, MessageType::ACK);
    assert_eq!(option(&ack.bytes, 54), Some(RELAY.octets().to_vec()));
    let without = Packet::selecting(MAC, leased, RELAY).giaddr(RELAY);
    let outcome = handle(&mut server, NOW, without);
    assert_eq!(silence(outcome), SilenceReason::OtherServer);
}

/// Two networks on one link: three addresses, then one.
fn shared_link() -> Settings {
    let subnet = "10.0.3.0/24".parse().unwrap();
    let mut second = Network::new(NetworkId(2), Link::Interface(2), subnet, third(1));
    second.ranges = vec![AddressRange::new(third(50), third(50))];
    Settings::new(vec![network(), second])
}

const fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 1, number])
}

#[test]
fn next_network_on_the_link_serves_newcomers_where_the_first_is_full() {
    let mut server = Server::new(shared_link()).unwrap();
    for number in 0..3 {
        assert_eq!(bind(&mut server, NOW, mac(number)).network, NetworkId(1));
    }
    assert_eq!(offer(&mut server, NOW, mac(3)), third(50));
    let request = Packet::selecting(mac(3), third(50), third(1));
    let ack = reply(run(&mut server, NOW, request));
    assert_eq!(ack.lease.unwrap().network, NetworkId(2));
    assert_eq!(ack.source, third(1));
    let outcome = handle(&mut server, NOW, Packet::discover(mac(4)));
    assert_eq!(silence(outcome), SilenceReason::NoAddress, "both are full");
}

#[test]
fn client_stays_in_the_network_that_knows_it_when_the_first_has_room_again() {
    let mut server = Server::new(shared_link()).unwrap();
    for number in 0..3 {
        bind(&mut server, NOW, mac(number));
    }
    let request = Packet::selecting(mac(3), third(50), third(1));
    assert_eq!(offer(&mut server, NOW, mac(3)), third(50));
    reply(run(&mut server, NOW, request));
    let release = Packet::new(7, mac(0)).ciaddr(ip(100));
    assert_eq!(
        silence(run(&mut server, NOW, release)),
        SilenceReason::Released
    );
    assert_eq!(offer(&mut server, NOW, mac(3)), third(50));
    assert_eq!(offer(&mut server, NOW, mac(4)), ip(100));
}

#[test]
fn client_comes_to_the_network_that_it_asks_for_or_has_a_reservation_in() {
    let mut settings = shared_link();
    settings.networks[1].ranges[0].end = third(60);
    settings.networks[1].reservations = vec![Reservation::new(mac(1)).with_address(third(7))];
    let mut server = Server::new(settings).unwrap();
    assert_eq!(offer(&mut server, NOW, mac(1)), third(7));
    let asks = Packet::discover(mac(2)).option(50, &third(55).octets());
    let outcome = run(&mut server, NOW, asks);
    assert_eq!(yiaddr(outcome, MessageType::OFFER), third(55));
    assert_eq!(offer(&mut server, NOW, mac(3)), ip(100));
}

#[test]
fn full_network_is_passed_over_by_who_looks_for_an_address_only() {
    let mut settings = shared_link();
    settings.networks[0].authoritative = true;
    let mut server = Server::new(settings).unwrap();
    for number in 0..3 {
        bind(&mut server, NOW, mac(number));
    }
    // INIT-REBOOT with an address that another has.
    let reboot = Packet::new(3, mac(9)).option(50, &ip(100).octets());
    let outcome = run(&mut server, NOW, reboot);
    assert_eq!(nak_reason(outcome), NakReason::NotAvailable);
}

#[test]
fn network_of_a_proxy_needs_no_room() {
    let mut settings = shared_link();
    settings.networks[0].mode = Mode::Proxy;
    settings.networks[0].ranges.clear();
    let mut server = Server::new(settings).unwrap();
    let discover = Packet::discover(MAC).option(60, b"PXEClient:Arch:00000:UNDI:002001");
    let outcome = handle_boot(&mut server, NOW, discover, Boot::file("undionly.kpxe"));
    assert_eq!(
        yiaddr(outcome, MessageType::OFFER),
        Ipv4Addr::UNSPECIFIED,
        "a proxy's"
    );
}

#[test]
fn network_for_known_machines_is_passed_over_by_others_on_its_link() {
    let mut settings = shared_link();
    settings.networks[0].allow = Allow::Known;
    settings.networks[0].reservations = vec![Reservation::new(mac(0))];
    let mut server = Server::new(settings).unwrap();
    assert_eq!(offer(&mut server, NOW, mac(0)), ip(100));
    assert_eq!(offer(&mut server, NOW, mac(1)), third(50));
}

#[test]
fn offer_to_firmware_waits_as_configured_and_nothing_else_does() {
    let mut network = network();
    network.offer_delay_ms = 1_000;
    network.lease_time = Seconds(60);
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let delay = |server: &mut Server, packet| reply(run(server, NOW, packet)).delay_ms;
    let rom = |packet: Packet| packet.option(60, b"PXEClient:Arch:00000:UNDI:002001");
    assert_eq!(delay(&mut server, rom(Packet::discover(MAC))), 1_000);
    assert_eq!(delay(&mut server, Packet::discover(OTHER_MAC)), 0);
    let ipxe = rom(Packet::discover(mac(9))).option(77, b"iPXE");
    assert_eq!(delay(&mut server, ipxe), 0);
    let request = rom(Packet::selecting(MAC, ip(100), SERVER));
    assert_eq!(delay(&mut server, request), 0);
}

#[test]
fn raspberry_pi_gets_the_menu_that_its_rom_looks_for() {
    let boot = Boot::file("bootcode.bin");
    let pi = MacAddr([0xb8, 0x27, 0xeb, 1, 2, 3]);
    let discover = |mac| Packet::discover(mac).option(60, b"PXEClient:Arch:00000:UNDI:002001");
    let offer = reply(handle_boot(&mut server(), NOW, discover(pi), boot.clone()));
    assert_eq!(
        option(&offer.bytes, 43).as_deref(),
        Some(&b"\x06\x01\x03\x0a\x04\x00PXE\x09\x14\x00\x00\x11Raspberry Pi Boot\xff"[..])
    );
    let offer = reply(handle_boot(&mut server(), NOW, discover(MAC), boot));
    assert_eq!(option(&offer.bytes, 43), Some(vec![6, 1, 8, 255]));
}
