//! DECLINEs and RELEASEs: who is believed, how often, and what becomes of a reserved address.

use crate::packet::*;
use netboot_dhcp::server::{
    Boot, Effect, Incoming, Lease, Link, Network, NetworkId, Outcome, ProbeResult, Reservation,
    Server, Settings, SilenceReason,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::wire::MessageView;
use netboot_dhcp::{MacAddr, Timestamp};
use std::net::Ipv4Addr;

/// What becomes of a message that came in the frame of this machine.
fn framed(server: &mut Server, now: Timestamp, source: MacAddr, packet: Packet) -> Outcome {
    let bytes = packet.end();
    let from = "0.0.0.0:68".parse().unwrap();
    let incoming = Incoming::new(MessageView::decode(&bytes).unwrap(), from, 2)
        .sent_to(Ipv4Addr::BROADCAST)
        .in_frame_of(source.into());
    let outcome = server.handle_with(now, &incoming, |_| Boot::default());
    settle(server, now, outcome)
}

fn decline(mac: MacAddr, address: Ipv4Addr) -> Packet {
    Packet::new(4, mac)
        .option(50, &address.octets())
        .option(54, &SERVER.octets())
}

fn release(mac: MacAddr, address: Ipv4Addr) -> Packet {
    Packet::new(7, mac)
        .ciaddr(address)
        .option(54, &SERVER.octets())
}

#[test]
fn a_decline_or_release_in_anothers_frame_changes_nothing() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    for packet in [decline(MAC, lease.address), release(MAC, lease.address)] {
        let outcome = framed(&mut server, NOW, OTHER_MAC, packet);
        assert_eq!(silence(outcome), SilenceReason::NotItsOwn);
        assert_eq!(server.lease(lease.address), Some(&lease));
    }
    let outcome = framed(&mut server, NOW, MAC, release(MAC, lease.address));
    assert_eq!(silence(outcome), SilenceReason::Released);
    let lease = bind(&mut server, NOW, MAC);
    let outcome = framed(&mut server, NOW, MAC, decline(MAC, lease.address));
    assert_eq!(silence(outcome), SilenceReason::Declined);
}

/// A network behind relay agents of which one is listed, and the lease of a machine there.
fn relayed() -> (Server, Lease) {
    let (listed, server) = (ip(254), Ipv4Addr::new(192, 0, 2, 1));
    let mut network = Network::new(NetworkId(1), Link::Relay, network().subnet, server);
    network.ranges = self::network().ranges;
    network.gateways = vec![listed];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let discover = Packet::discover(MAC).giaddr(listed);
    let address = yiaddr(run(&mut server, NOW, discover), MessageType::OFFER);
    let request = Packet::new(3, MAC)
        .option(50, &address.octets())
        .option(54, &[192, 0, 2, 1])
        .giaddr(listed);
    let lease = reply(run(&mut server, NOW, request)).lease.unwrap();
    (server, lease)
}

#[test]
fn a_decline_behind_a_relay_agent_is_believed_where_that_is_listed() {
    let (mut server, lease) = relayed();
    let declines = |giaddr| {
        Packet::new(4, MAC)
            .option(50, &lease.address.octets())
            .giaddr(giaddr)
    };
    let outcome = run(&mut server, NOW, declines(ip(9)));
    assert_eq!(silence(outcome), SilenceReason::NotItsOwn);
    // By unicast through a router it comes from nobody that could have heard of another's use.
    let unicast = declines(Ipv4Addr::UNSPECIFIED).ciaddr(lease.address);
    let outcome = framed_by_router(&mut server, unicast);
    assert_eq!(silence(outcome), SilenceReason::NotItsOwn);
    let outcome = run(&mut server, NOW, declines(ip(254)));
    assert_eq!(silence(outcome), SilenceReason::Declined);
}

#[test]
fn a_release_comes_through_a_router_in_the_routers_frame() {
    let (mut server, lease) = relayed();
    let release = Packet::new(7, MAC).ciaddr(lease.address);
    let outcome = framed_by_router(&mut server, release);
    assert_eq!(silence(outcome), SilenceReason::Released);
}

/// By unicast to the server, from a machine behind a router.
fn framed_by_router(server: &mut Server, packet: Packet) -> Outcome {
    let own = <[u8; 4]>::try_from(&packet.0[12..16]).unwrap();
    let bytes = packet.end();
    let from = std::net::SocketAddrV4::new(own.into(), 68);
    let incoming = Incoming::new(MessageView::decode(&bytes).unwrap(), from, 2)
        .sent_to(Ipv4Addr::new(192, 0, 2, 1))
        .in_frame_of(OTHER_MAC.into());
    let outcome = server.handle_with(NOW, &incoming, |_| Boot::default());
    settle(server, NOW, outcome)
}

#[test]
fn one_client_puts_so_many_addresses_in_quarantine_and_no_more() {
    let mut network = network();
    network.ranges[0].end = ip(150);
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let declines = |server: &mut Server, mac, now| {
        let lease = bind(server, now, mac);
        silence(framed(server, now, mac, decline(mac, lease.address)))
    };
    for _ in 0..8 {
        assert_eq!(declines(&mut server, MAC, NOW), SilenceReason::Declined);
    }
    for _ in 0..3 {
        let reason = declines(&mut server, MAC, NOW);
        assert_eq!(reason, SilenceReason::TooManyDeclines);
    }
    assert_eq!(server.usage(NOW).next().unwrap().in_use, 9);
    assert_eq!(
        declines(&mut server, OTHER_MAC, NOW),
        SilenceReason::Declined
    );
    let later = NOW.after_ms(600_000);
    assert_eq!(declines(&mut server, MAC, later), SilenceReason::Declined);
}

/// A server that keeps .50 for [`MAC`].
fn reserving() -> Server {
    let mut network = network();
    network.reservations = vec![Reservation::new(MAC).with_address(ip(50))];
    Server::new(Settings::new(vec![network])).unwrap()
}

/// What a DISCOVER is offered, where each address that is probed is found to be so.
fn offered(server: &mut Server, found: ProbeResult) -> (Vec<Ipv4Addr>, Ipv4Addr) {
    let mut probed = Vec::new();
    let mut outcome = handle(server, NOW, Packet::discover(MAC));
    while let Outcome::Needs(Effect::Probe(address), pending) = outcome {
        probed.push(address);
        outcome = server.resume(NOW, pending, found);
    }
    (probed, yiaddr(outcome, MessageType::OFFER))
}

#[test]
fn a_reserved_address_that_was_declined_is_given_again_at_once_where_nobody_has_it() {
    let mut server = reserving();
    assert_eq!(bind(&mut server, NOW, MAC).address, ip(50));
    let outcome = run(&mut server, NOW, decline(MAC, ip(50)));
    assert_eq!(silence(outcome), SilenceReason::Declined);
    // What the store has of it, for a server that starts anew.
    let stored = server.lease(ip(50)).unwrap().clone();
    let mut restarted = reserving();
    restarted.restore(stored).unwrap();
    for mut server in [server, restarted] {
        let in_use = offered(&mut server, ProbeResult::InUse);
        assert_eq!(in_use, (vec![ip(50)], ip(100)));
        let unknown = offered(&mut server, ProbeResult::Unknown);
        assert_eq!(unknown, (vec![ip(50)], ip(100)));
        let free = offered(&mut server, ProbeResult::Free);
        assert_eq!(free, (vec![ip(50)], ip(50)));
        let request = Packet::selecting(MAC, ip(50), SERVER);
        assert_eq!(
            yiaddr(run(&mut server, NOW, request), MessageType::ACK),
            ip(50)
        );
        assert_eq!(server.lease(ip(50)).unwrap().version, 3);
    }
}

#[test]
fn a_reserved_address_that_answered_a_probe_is_probed_again_and_given_when_it_is_free() {
    let mut network = network();
    network.probe = true;
    network.reservations = vec![Reservation::new(MAC).with_address(ip(50))];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let outcome = handle(&mut server, NOW, Packet::discover(MAC));
    let Outcome::Needs(Effect::Probe(address), pending) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(address, ip(50));
    let outcome = server.resume(NOW, pending, ProbeResult::InUse);
    let other = settle(&mut server, NOW, outcome);
    assert_eq!(yiaddr(other, MessageType::OFFER), ip(100));
    let free = offered(&mut server, ProbeResult::Free);
    assert_eq!(free, (vec![ip(50)], ip(50)));
}

#[test]
fn a_reserved_address_that_is_its_machines_is_not_probed_unless_it_is_in_quarantine() {
    let mut server = reserving();
    let unprobed = |server: &mut Server, now| {
        let outcome = handle(server, now, Packet::discover(MAC));
        assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(50));
    };
    unprobed(&mut server, NOW);
    // Offered before, and then leased.
    unprobed(&mut server, NOW);
    reply(run(
        &mut server,
        NOW,
        Packet::selecting(MAC, ip(50), SERVER),
    ));
    unprobed(&mut server, NOW);
    let outcome = run(&mut server, NOW, decline(MAC, ip(50)));
    assert_eq!(silence(outcome), SilenceReason::Declined);
    unprobed(&mut server, NOW.after_ms(600_000));
}

#[test]
fn a_client_that_declines_its_reserved_address_again_and_again_is_believed() {
    let mut server = reserving();
    for _ in 0..2 {
        assert_eq!(offered(&mut server, ProbeResult::Free).1, ip(50));
        let request = Packet::selecting(MAC, ip(50), SERVER);
        reply(run(&mut server, NOW, request));
        let outcome = run(&mut server, NOW, decline(MAC, ip(50)));
        assert_eq!(silence(outcome), SilenceReason::Declined);
    }
    assert_eq!(offered(&mut server, ProbeResult::Free).1, ip(50));
    reply(run(
        &mut server,
        NOW,
        Packet::selecting(MAC, ip(50), SERVER),
    ));
    let outcome = run(&mut server, NOW, decline(MAC, ip(50)));
    assert_eq!(silence(outcome), SilenceReason::Declined);
    // Whoever has it answers no echo.
    let given = offered(&mut server, ProbeResult::Free);
    assert_eq!(given, (Vec::new(), ip(100)));
}

#[test]
fn an_address_of_a_range_stays_in_quarantine_whoever_asks() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let outcome = run(&mut server, NOW, decline(MAC, lease.address));
    assert_eq!(silence(outcome), SilenceReason::Declined);
    let given = offered(&mut server, ProbeResult::Free);
    assert_eq!(given, (Vec::new(), ip(101)));
}
