//! Clients that only say who they are: one of them at a time is taken for that machine.

use crate::packet::*;
use netboot_dhcp::server::{AddressRange, Boot, Outcome, Server, Settings, SilenceReason};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::{MacAddr, Seconds, Timestamp};
use std::net::Ipv4Addr;

const UUID: &str = "4c4c4544-0042-3510-8052-b4c04f4d3232";

fn stranger(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, number])
}

/// What becomes of a message whose sender says that it is that machine.
fn claims(server: &mut Server, now: Timestamp, packet: Packet) -> Outcome {
    let boot = Boot::default().with_claimed_identity(UUID);
    let outcome = handle_boot(server, now, packet, boot);
    settle(server, now, outcome)
}

/// A server with room for sixty, and the address that this client has as that machine.
fn claimed_by(mac: MacAddr) -> (Server, Ipv4Addr) {
    let mut network = network();
    network.ranges = vec![AddressRange::new(ip(100), ip(200))];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let outcome = claims(&mut server, NOW, Packet::discover(mac));
    let address = yiaddr(outcome, MessageType::OFFER);
    let outcome = claims(&mut server, NOW, Packet::selecting(mac, address, SERVER));
    assert_eq!(yiaddr(outcome, MessageType::ACK), address);
    (server, address)
}

#[test]
fn sixty_clients_that_say_they_are_one_machine_have_one_lease() {
    let (mut server, address) = claimed_by(stranger(0));
    for number in 1..60 {
        let mac = stranger(number);
        let wanted = ip(100 + number);
        let rebooting = Packet::new(3, mac).option(50, &wanted.octets());
        for packet in [
            Packet::discover(mac),
            Packet::selecting(mac, wanted, SERVER),
            rebooting,
        ] {
            let outcome = claims(&mut server, NOW, packet);
            assert_eq!(outcome.transaction().address, Some(address));
            assert_eq!(silence(outcome), SilenceReason::IdentityInUse);
        }
    }
    assert_eq!(server.leases().count(), 1);
    // Whom the policy knows by itself is none of them.
    let outcome = run(&mut server, NOW, Packet::discover(stranger(1)));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(101));
}

#[test]
fn clients_that_say_so_at_one_moment_get_one_offer() {
    let mut server = server();
    let outcome = claims(&mut server, NOW, Packet::discover(stranger(1)));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(100));
    let other = || Packet::discover(stranger(2));
    let outcome = claims(&mut server, NOW, other());
    assert_eq!(silence(outcome), SilenceReason::IdentityInUse);
    // It takes none of it, and so keeps nobody out.
    let later = NOW.after(Seconds(30));
    let outcome = claims(&mut server, later, other());
    assert_eq!(outcome.transaction().hardware.mac(), Some(stranger(2)));
    yiaddr(outcome, MessageType::OFFER);
}

#[test]
fn the_stages_of_one_machine_are_one_client_whatever_identifier_they_send() {
    let (mut server, address) = claimed_by(MAC);
    for id in [&[0, 1][..], b"\x01\x52\x54\x00\x12\x34\x56", b"\xff1234"] {
        let with_id = |packet: Packet| packet.option(61, id);
        let outcome = claims(&mut server, NOW, with_id(Packet::discover(MAC)));
        assert_eq!(yiaddr(outcome, MessageType::OFFER), address);
        let selecting = with_id(Packet::selecting(MAC, address, SERVER));
        let outcome = claims(&mut server, NOW, selecting);
        assert_eq!(yiaddr(outcome, MessageType::ACK), address);
    }
}

#[test]
fn an_identity_is_free_when_its_lease_has_ended_and_taken_after_a_restart() {
    let other = || Packet::discover(stranger(1));
    let (mut released, address) = claimed_by(MAC);
    let lease = released.lease(address).unwrap().clone();
    let release = Packet::new(7, MAC)
        .ciaddr(address)
        .option(54, &SERVER.octets());
    assert_eq!(
        silence(run(&mut released, NOW, release)),
        SilenceReason::Released
    );
    reply(claims(&mut released, NOW, other()));

    let mut restarted = server();
    restarted.restore(lease.clone()).unwrap();
    let outcome = claims(&mut restarted, NOW, other());
    assert_eq!(silence(outcome), SilenceReason::IdentityInUse);
    reply(claims(&mut restarted, lease.expires, other()));

    let (mut reconfigured, _) = claimed_by(MAC);
    let settings = reconfigured.settings().clone();
    reconfigured.reconfigure(settings).unwrap();
    let outcome = claims(&mut reconfigured, NOW, other());
    assert_eq!(silence(outcome), SilenceReason::IdentityInUse);
}

#[test]
fn an_old_lease_does_not_hide_who_is_that_machine_now() {
    let (mut before, first) = claimed_by(stranger(1));
    let ended = before.lease(first).unwrap().clone();
    let later = ended.expires;
    let outcome = claims(&mut before, later, Packet::discover(stranger(2)));
    let second = yiaddr(outcome, MessageType::OFFER);
    let selecting = Packet::selecting(stranger(2), second, SERVER);
    reply(claims(&mut before, later, selecting));
    let current = before.lease(second).unwrap().clone();
    assert_ne!(first, second);
    for order in [[&ended, &current], [&current, &ended]] {
        let mut server = server();
        for lease in order {
            server.restore(lease.clone()).unwrap();
        }
        let outcome = claims(&mut server, later, Packet::discover(stranger(3)));
        assert_eq!(outcome.transaction().address, Some(second));
        assert_eq!(silence(outcome), SilenceReason::IdentityInUse);
        reply(claims(&mut server, later, Packet::discover(stranger(2))));
    }
}
