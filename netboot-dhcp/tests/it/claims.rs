//! What the server needs of the world: a lease stored before its ACK, an address probed before its
//! OFFER, and how each goes on that is lost, late or impossible.

use crate::packet::*;
use netboot_dhcp::server::{
    Claim, ClaimResult, ClientKey, Effect, Lease, NakReason, NetworkId, Outcome, ProbeResult,
    Reservation, Server, Settings, SilenceReason,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::{MacAddr, Seconds};

const HOUR: Seconds = Seconds(3600);

#[test]
fn lease_is_stored_before_the_ack() {
    let mut server = server();
    offer(&mut server, NOW, MAC);
    let outcome = handle(&mut server, NOW, Packet::selecting(MAC, ip(100), SERVER));
    let Outcome::Needs(
        Effect::Claim(Claim {
            expected_version,
            lease,
            ..
        }),
        pending,
    ) = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!((expected_version, lease.version), (0, 1));
    assert_eq!(lease.expires, NOW.after(HOUR));
    assert_eq!(server.lease(ip(100)), None, "not before the store has it");
    let ack = reply(server.resume(NOW, pending, ClaimResult::Stored));
    assert_eq!(ack.kind, MessageType::ACK);
    assert_eq!(ack.lease.as_ref(), Some(&lease));
    assert_eq!(server.lease(ip(100)), Some(&lease));
}

#[test]
fn store_that_is_down_means_silence_and_the_next_request_tries_again() {
    let mut server = server();
    offer(&mut server, NOW, MAC);
    let request = Packet::selecting(MAC, ip(100), SERVER);
    let Outcome::Needs(_, pending) = handle(&mut server, NOW, request.clone()) else {
        panic!();
    };
    let outcome = server.resume(NOW, pending, ClaimResult::Down);
    assert_eq!(silence(outcome), SilenceReason::StoreDown);
    assert_eq!(server.lease(ip(100)), None);
    assert_eq!(
        yiaddr(run(&mut server, NOW, request), MessageType::ACK),
        ip(100)
    );
}

#[test]
fn lost_claim_is_refused_and_the_next_offer_is_another_address() {
    let mut first = server();
    let mut second = server();
    let theirs = bind(&mut second, NOW, OTHER_MAC);
    assert_eq!(theirs.address, ip(100));

    offer(&mut first, NOW, MAC);
    let request = Packet::selecting(MAC, ip(100), SERVER);
    let Outcome::Needs(_, pending) = handle(&mut first, NOW, request) else {
        panic!();
    };
    let current = Some(theirs.clone());
    let outcome = first.resume(NOW, pending, ClaimResult::Lost { current });
    assert_eq!(nak_reason(outcome), NakReason::NotAvailable);
    assert_eq!(first.lease(ip(100)), Some(&theirs), "the winner is learned");
    let outcome = run(&mut first, NOW, Packet::discover(MAC));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(101));
}

#[test]
fn claim_lost_to_the_same_clients_renewal_elsewhere_is_tried_again_on_it() {
    let mut server = server();
    let mut lease = bind(&mut server, NOW, MAC);
    let renewal = Packet::new(3, MAC).ciaddr(lease.address);
    let Outcome::Needs(_, pending) = handle(&mut server, NOW, renewal) else {
        panic!();
    };
    lease.version = 7;
    let current = Some(lease);
    let outcome = server.resume(NOW, pending, ClaimResult::Lost { current });
    let Outcome::Needs(
        Effect::Claim(Claim {
            expected_version,
            lease,
            ..
        }),
        pending,
    ) = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!((expected_version, lease.version), (7, 8));
    let ack = reply(server.resume(NOW, pending, ClaimResult::Stored));
    assert_eq!(ack.kind, MessageType::ACK);
}

#[test]
fn claim_that_is_lost_three_times_is_given_up() {
    let mut server = server();
    let mut current = bind(&mut server, NOW, MAC);
    let renewal = Packet::new(3, MAC).ciaddr(current.address);
    let mut outcome = handle(&mut server, NOW, renewal);
    let mut claims = 0;
    while let Outcome::Needs(Effect::Claim(_), pending) = outcome {
        claims += 1;
        assert!(claims <= 3);
        current.version += 10;
        let current = Some(current.clone());
        outcome = server.resume(NOW, pending, ClaimResult::Lost { current });
    }
    assert_eq!(claims, 3);
    assert_eq!(nak_reason(outcome), NakReason::NotAvailable);
}

#[test]
fn claim_that_is_lost_when_its_lease_is_over_is_not_made_again() {
    for (after, again) in [(HOUR.0 - 1, true), (HOUR.0, false)] {
        let mut server = server();
        offer(&mut server, NOW, MAC);
        let request = Packet::selecting(MAC, ip(100), SERVER);
        let Outcome::Needs(_, pending) = handle(&mut server, NOW, request) else {
            panic!();
        };
        let later = NOW.after(Seconds(after));
        let lost = ClaimResult::Lost { current: None };
        let outcome = server.resume(later, pending, lost);
        let is_again = matches!(outcome, Outcome::Needs(..));
        assert_eq!(is_again, again, "{outcome:?}");
    }
}

#[test]
fn the_last_lease_of_a_client_is_found_in_each_network() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let of = |mac: MacAddr| ClientKey::Hardware(mac.into());
    assert_eq!(server.lease_of(NetworkId(1), &of(MAC)), Some(&lease));
    assert_eq!(server.lease_of(NetworkId(2), &of(MAC)), None);
    assert_eq!(server.lease_of(NetworkId(1), &of(OTHER_MAC)), None);
    assert!(server.leases_of(&of(MAC)).eq([&lease]));
    // What is only offered is no lease, nor is one that another has there now.
    let offered = offer(&mut server, NOW, OTHER_MAC);
    assert_eq!(server.lease_of(NetworkId(1), &of(OTHER_MAC)), None);
    let mut taken = lease.clone();
    (taken.client, taken.version) = (of(OTHER_MAC), 9);
    server.restore(taken).unwrap();
    assert_eq!(server.lease_of(NetworkId(1), &of(MAC)), None, "{offered}");
}

/// Found by the model: two REQUESTs of one client, whose claims were carried out in reverse order.
#[test]
fn older_claim_that_is_tried_again_does_not_shorten_the_lease() {
    let mut server = server();
    let request = || Packet::selecting(MAC, ip(100), SERVER);
    let later = NOW.after(Seconds(1800));
    let Outcome::Needs(_, older) = handle(&mut server, NOW, request()) else {
        panic!();
    };
    let younger = reply(run(&mut server, later, request())).lease.unwrap();
    let current = Some(younger.clone());
    let outcome = server.resume(later, older, ClaimResult::Lost { current });
    let Outcome::Needs(Effect::Claim(Claim { lease, .. }), _) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((lease.version, lease.expires), (2, younger.expires));
}

#[test]
fn result_that_comes_after_the_leases_end_confirms_nothing() {
    let mut server = server();
    offer(&mut server, NOW, MAC);
    let request = Packet::selecting(MAC, ip(100), SERVER);
    let Outcome::Needs(_, pending) = handle(&mut server, NOW, request) else {
        panic!();
    };
    let outcome = server.resume(NOW.after(HOUR), pending, ClaimResult::Stored);
    assert_eq!(silence(outcome), SilenceReason::Lost);
}

#[test]
fn probe_is_asked_for_if_wanted_and_an_answer_moves_on_to_the_next_address() {
    let mut network = network();
    network.probe = true;
    let settings = Settings::new(vec![network]);
    let mut server = Server::new(settings).unwrap();
    let outcome = handle(&mut server, NOW, Packet::discover(MAC));
    let Outcome::Needs(Effect::Probe(address), pending) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(address, ip(100));
    let outcome = server.resume(NOW, pending, ProbeResult::InUse);
    let Outcome::Needs(Effect::Probe(address), pending) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(address, ip(101));
    let outcome = server.resume(NOW, pending, ProbeResult::Free);
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(101));
    let request = Packet::selecting(OTHER_MAC, ip(100), SERVER);
    assert_eq!(
        nak_reason(run(&mut server, NOW, request)),
        NakReason::NotAvailable,
        "the address that answered is in quarantine"
    );
}

#[test]
fn only_the_client_that_has_an_address_now_is_offered_it_without_a_probe() {
    let mut network = network();
    network.probe = true;
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let lease = bind(&mut server, NOW, MAC);
    let outcome = handle(&mut server, NOW, Packet::discover(MAC));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), lease.address);
    let probes = |server: &mut Server, now, mac| {
        let outcome = handle(server, now, Packet::discover(mac));
        let Outcome::Needs(Effect::Probe(address), _) = outcome else {
            panic!("{outcome:?}");
        };
        address
    };
    assert_eq!(probes(&mut server, NOW, OTHER_MAC), ip(101));
    // Meanwhile somebody may have taken what was its own.
    assert_eq!(probes(&mut server, lease.expires, MAC), lease.address);
}

#[test]
fn probing_gives_up_after_four_addresses_and_the_client_asks_again() {
    let mut network = network();
    network.ranges[0].end = ip(110);
    network.probe = true;
    let settings = Settings::new(vec![network]);
    let mut server = Server::new(settings).unwrap();
    let mut outcome = handle(&mut server, NOW, Packet::discover(MAC));
    let mut probed = Vec::new();
    while let Outcome::Needs(effect, pending) = outcome {
        probed.push(effect);
        outcome = server.resume(NOW, pending, ProbeResult::InUse);
    }
    let expected = [100, 101, 102, 103].map(|last| Effect::Probe(ip(last)));
    assert_eq!(probed, expected);
    assert_eq!(silence(outcome), SilenceReason::NoAddress);
    let again = handle(&mut server, NOW, Packet::discover(MAC));
    assert!(matches!(again, Outcome::Needs(Effect::Probe(address), _) if address == ip(104)));
}

#[test]
fn probe_that_ends_when_its_address_is_taken_moves_on() {
    let mut network = network();
    network.probe = true;
    let settings = Settings::new(vec![network]);
    let mut server = Server::new(settings).unwrap();
    let Outcome::Needs(_, pending) = handle(&mut server, NOW, Packet::discover(MAC)) else {
        panic!();
    };
    let late = NOW.after(Seconds(31));
    let request = Packet::selecting(OTHER_MAC, ip(100), SERVER);
    let outcome = run(&mut server, late, request);
    assert_eq!(yiaddr(outcome, MessageType::ACK), ip(100));
    let outcome = server.resume(late, pending, ProbeResult::Free);
    let outcome = settle(&mut server, late, outcome);
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(101));
}

#[test]
fn lease_of_another_address_or_network_says_nothing_of_the_one_that_was_claimed() {
    for (network, address) in [(NetworkId(1), ip(102)), (NetworkId(9), ip(100))] {
        let mut server = server();
        let request = Packet::selecting(MAC, ip(100), SERVER);
        let Outcome::Needs(_, pending) = handle(&mut server, NOW, request) else {
            panic!();
        };
        let client = ClientKey::Hardware(OTHER_MAC.into());
        let current = Lease::new(NOW, network, address, client, NOW.after(HOUR));
        let current = Some(current);
        let outcome = server.resume(NOW, pending, ClaimResult::Lost { current });
        assert_eq!(
            yiaddr(settle(&mut server, NOW, outcome), MessageType::ACK),
            ip(100)
        );
        assert_eq!(server.lease(ip(102)), None);
        assert_eq!(
            server.lease(ip(100)).unwrap().client,
            ClientKey::Hardware(MAC.into())
        );
    }
}

#[test]
fn lease_that_the_store_has_lost_is_made_anew() {
    let mut server = server();
    let mut lease = bind(&mut server, NOW, MAC);
    lease.version = 5;
    server.restore(lease.clone()).unwrap();
    let renewal = Packet::new(3, MAC).ciaddr(lease.address);
    let Outcome::Needs(_, pending) = handle(&mut server, NOW, renewal) else {
        panic!();
    };
    let outcome = server.resume(NOW, pending, ClaimResult::Lost { current: None });
    let Outcome::Needs(
        Effect::Claim(Claim {
            expected_version: 0,
            ..
        }),
        pending,
    ) = outcome
    else {
        panic!("{outcome:?}");
    };
    let ack = reply(server.resume(NOW, pending, ClaimResult::Stored));
    assert_eq!(ack.lease.unwrap().version, 1);
    assert_eq!(server.lease(lease.address).unwrap().version, 1);
}

#[test]
fn a_client_may_have_what_anybody_may_and_what_is_kept_for_it() {
    let mut network = network();
    network.reservations = vec![
        Reservation::new(MAC).with_address(ip(50)),
        Reservation::new(OTHER_MAC).with_address(ip(101)),
    ];
    let id = network.id;
    let server = Server::new(Settings::new(vec![network])).unwrap();
    let may = |address, mac: MacAddr| server.gives(id, address, &ClientKey::Hardware(mac.into()));
    assert!(may(ip(100), MAC) && may(ip(100), OTHER_MAC), "in the range");
    assert!(may(ip(50), MAC) && !may(ip(50), OTHER_MAC), "kept for one");
    assert!(
        may(ip(101), OTHER_MAC) && !may(ip(101), MAC),
        "out of the range"
    );
    assert!(!may(SERVER, MAC) && !may(ip(99), MAC) && !may(ip(255), MAC));
    let elsewhere = NetworkId(id.0 + 1);
    assert!(!server.gives(elsewhere, ip(100), &ClientKey::Hardware(MAC.into())));
}
