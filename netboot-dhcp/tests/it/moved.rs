//! A client that moves to another address: its old lease ends, and whom the address was set aside
//! for gets it. Without that it would wait until the lease runs out, for ever where that was
//! imported as infinite.

use crate::packet::*;
use netboot_dhcp::server::{
    Boot, ClaimResult, ClientKey, Effect, Incoming, Lease, LeaseState, NakReason, NetworkId,
    Outcome, Reply, Reservation, Server, Settings, SilenceReason,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::wire::MessageView;
use netboot_dhcp::{MacAddr, Timestamp};
use std::net::Ipv4Addr;

const NEVER: Timestamp = Timestamp(u64::MAX);

/// A server that keeps .100 for [`OTHER_MAC`], after [`MAC`] has been given it for ever.
fn reserved_anew() -> Server {
    let mut network = network();
    network.reservations = vec![Reservation::new(OTHER_MAC).with_address(ip(100))];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let client = ClientKey::Hardware(MAC.into());
    let mut lease = Lease::new(NOW, NetworkId(1), ip(100), client, NEVER);
    lease.host_name = Some("old".into());
    server.restore(lease).unwrap();
    server
}

fn renewal(mac: MacAddr, address: Ipv4Addr) -> Packet {
    Packet::new(3, mac).ciaddr(address)
}

/// INIT-REBOOT, RFC 2131 section 4.3.2: the client does not use the address yet.
fn reboot(mac: MacAddr, address: Ipv4Addr) -> Packet {
    Packet::new(3, mac).option(50, &address.octets())
}

/// The address of the lease that ended with a reply, and the reply.
fn ended(outcome: Outcome) -> (Option<Ipv4Addr>, Reply) {
    let reply = reply(outcome);
    (reply.ended, reply)
}

#[test]
fn a_nak_to_who_starts_with_the_address_that_it_had_ends_its_lease() {
    let mut server = reserved_anew();
    assert_eq!(offer(&mut server, NOW, OTHER_MAC), ip(101), "it is taken");
    let (ended, nak) = ended(run(&mut server, NOW, reboot(MAC, ip(100))));
    assert_eq!(nak.nak_reason, Some(NakReason::NotAvailable));
    assert_eq!(ended, Some(ip(100)));
    let lease = server.lease(ip(100)).unwrap();
    assert_eq!((lease.state, lease.expires), (LeaseState::Released, NOW));
    assert_eq!(
        (lease.version, lease.host_name.as_deref()),
        (2, Some("old"))
    );
    assert_eq!(bind(&mut server, NOW, OTHER_MAC).address, ip(100));
}

/// The NAK may be lost, and the address is in use until the client asks again.
#[test]
fn a_nak_to_who_renews_ends_nothing_until_it_takes_another_address() {
    let mut server = reserved_anew();
    let (ended, nak) = ended(run(&mut server, NOW, renewal(MAC, ip(100))));
    assert_eq!((nak.kind, ended), (MessageType::NAK, None));
    assert_eq!(offer(&mut server, NOW, OTHER_MAC), ip(101), "it is taken");
    assert_eq!(bind(&mut server, NOW, MAC).address, ip(102));
    assert_eq!(bind(&mut server, NOW, OTHER_MAC).address, ip(100));
}

#[test]
fn a_lease_of_another_address_ends_the_one_before() {
    let mut server = reserved_anew();
    let address = offer(&mut server, NOW, MAC);
    assert_eq!(address, ip(101));
    assert!(
        server.lease(ip(100)).unwrap().is_active(NOW),
        "an offer ends nothing"
    );
    // What is asked for twice is offered twice.
    assert_eq!(offer(&mut server, NOW, MAC), address);
    let outcome = run(&mut server, NOW, Packet::selecting(MAC, address, SERVER));
    let (ended, ack) = ended(outcome);
    assert_eq!(ack.lease.map(|lease| lease.address), Some(address));
    assert_eq!(ended, Some(ip(100)));
    assert!(!server.lease(ip(100)).unwrap().is_active(NOW));
    assert_eq!(bind(&mut server, NOW, OTHER_MAC).address, ip(100));
    // It keeps the new one.
    assert_eq!(bind(&mut server, NOW, MAC).address, address);
}

#[test]
fn an_address_of_a_range_is_given_again_when_its_client_has_its_reservation() {
    let mut network = network();
    network.ranges[0].end = ip(100);
    network.reservations = vec![Reservation::new(MAC).with_address(ip(50))];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let client = ClientKey::Hardware(MAC.into());
    let lease = Lease::new(NOW, NetworkId(1), ip(100), client, NEVER);
    server.restore(lease).unwrap();
    assert_eq!(server.usage(NOW).next().unwrap().in_use, 1);
    assert_eq!(bind(&mut server, NOW, MAC).address, ip(50));
    assert_eq!(server.usage(NOW).next().unwrap().in_use, 0);
    assert_eq!(bind(&mut server, NOW, OTHER_MAC).address, ip(100));
}

#[test]
fn who_writes_anothers_address_into_its_message_ends_nothing() {
    let mut server = reserved_anew();
    let mut forged = |packet: Packet| {
        let bytes = packet.end();
        let from = "0.0.0.0:68".parse().unwrap();
        let incoming = Incoming::new(MessageView::decode(&bytes).unwrap(), from, 2)
            .sent_to(Ipv4Addr::BROADCAST)
            .in_frame_of(MacAddr([2, 0, 0, 0, 0, 9]).into());
        let outcome = server.handle_with(NOW, &incoming, |_| Boot::default());
        let (ended, _) = ended(settle(&mut server, NOW, outcome));
        assert_eq!(ended, None);
        assert!(server.lease(ip(100)).unwrap().is_active(NOW));
    };
    forged(reboot(MAC, ip(100)));
    forged(Packet::discover(MAC));
    forged(Packet::selecting(MAC, ip(101), SERVER));
}

#[test]
fn a_client_that_takes_another_servers_offer_keeps_its_lease() {
    let mut server = reserved_anew();
    assert_eq!(offer(&mut server, NOW, MAC), ip(101));
    let elsewhere = Packet::selecting(MAC, ip(60), ip(2));
    silence(run(&mut server, NOW, elsewhere));
    assert!(server.lease(ip(100)).unwrap().is_active(NOW));
    // It is known by that, so that it hears that the address is not to be had.
    let (ended, nak) = ended(run(&mut server, NOW, renewal(MAC, ip(100))));
    assert_eq!((nak.kind, ended), (MessageType::NAK, None));
}

/// The reply goes out whatever the store says of the old lease.
#[test]
fn a_store_that_is_down_or_ahead_ends_nothing_and_keeps_no_reply_back() {
    let mut ahead = Lease::new(
        NOW,
        NetworkId(1),
        ip(100),
        ClientKey::Hardware(OTHER_MAC.into()),
        NEVER,
    );
    ahead.version = 7;
    let lost = ClaimResult::Lost {
        current: Some(ahead.clone()),
    };
    for (result, has) in [(ClaimResult::Down, MAC), (lost, OTHER_MAC)] {
        let mut server = reserved_anew();
        let outcome = handle(&mut server, NOW, reboot(MAC, ip(100)));
        let Outcome::Needs(Effect::Claim(claim), pending) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((claim.expected_version, claim.lease.address), (1, ip(100)));
        let (ended, nak) = ended(server.resume(NOW, pending, result));
        assert_eq!((nak.kind, ended), (MessageType::NAK, None));
        let lease = server.lease(ip(100)).unwrap();
        assert_eq!(lease.client, ClientKey::Hardware(has.into()));
        assert!(lease.is_active(NOW));
    }
}

/// Found by the model: an ACK that waits for the old lease's end may come when the new one is over.
#[test]
fn an_end_that_is_stored_when_the_new_lease_is_over_confirms_nothing() {
    let mut server = reserved_anew();
    let address = offer(&mut server, NOW, MAC);
    let selecting = Packet::selecting(MAC, address, SERVER);
    let Outcome::Needs(Effect::Claim(new), pending) = handle(&mut server, NOW, selecting) else {
        panic!("the new lease is stored first");
    };
    let outcome = server.resume(NOW, pending, ClaimResult::Stored);
    let Outcome::Needs(Effect::Claim(old), pending) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((new.lease.address, old.lease.address), (address, ip(100)));
    let outcome = server.resume(new.lease.expires, pending, ClaimResult::Stored);
    assert_eq!(silence(outcome), SilenceReason::Lost);
}
