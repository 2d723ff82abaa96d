//! RFC 2131 section 4.3: who gets an address, who a NAK, and who nothing.

use crate::packet::*;
use netboot_dhcp::server::{
    Allow, Boot, Destination, Effect, EffectResult, Incoming, LeaseState, Link, Network, NetworkId,
    Outcome, Refusal, Reservation, Server, Settings, SilenceReason,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::wire::MessageView;
use netboot_dhcp::{MacAddr, Seconds, Timestamp};
use std::net::Ipv4Addr;

const HOUR: Seconds = Seconds(3600);

fn refusal(outcome: Outcome) -> Refusal {
    let nak = reply(outcome);
    assert_eq!(nak.kind, MessageType::NAK);
    assert_eq!(nak.bytes[16..24], [0; 8], "a NAK gives no address");
    nak.refusal.unwrap()
}

fn relayed() -> Network {
    let subnet = "10.2.0.0/24".parse().unwrap();
    let mut network = Network::new(NetworkId(2), Link::Relay, subnet, SERVER);
    let address = |last| Ipv4Addr::new(10, 2, 0, last);
    network.ranges = vec![netboot_dhcp::server::AddressRange::new(
        address(50),
        address(60),
    )];
    network
}

fn reserved(address: Option<Ipv4Addr>) -> Reservation {
    Reservation {
        mac: MAC,
        address,
        host_name: Some("node-01".into()),
    }
}

#[test]
fn lease_is_stored_before_the_ack() {
    let mut server = server();
    offer(&mut server, NOW, MAC);
    let outcome = handle(&mut server, NOW, Packet::selecting(MAC, ip(100), SERVER));
    let Outcome::Needs(
        Effect::Claim {
            expected_version,
            lease,
        },
        pending,
    ) = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!((expected_version, lease.version), (0, 1));
    assert_eq!(lease.expires, NOW.after(HOUR));
    assert_eq!(server.lease(ip(100)), None, "not before the store has it");
    let ack = reply(server.resume(NOW, pending, EffectResult::Claimed));
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
    let outcome = server.resume(NOW, pending, EffectResult::Down);
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
    let outcome = first.resume(NOW, pending, EffectResult::Lost { current });
    assert_eq!(refusal(outcome), Refusal::NotAvailable);
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
    let outcome = server.resume(NOW, pending, EffectResult::Lost { current });
    let Outcome::Needs(
        Effect::Claim {
            expected_version,
            lease,
        },
        pending,
    ) = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!((expected_version, lease.version), (7, 8));
    let ack = reply(server.resume(NOW, pending, EffectResult::Claimed));
    assert_eq!(ack.kind, MessageType::ACK);
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
    let outcome = server.resume(later, older, EffectResult::Lost { current });
    let Outcome::Needs(Effect::Claim { lease, .. }, _) = outcome else {
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
    let outcome = server.resume(NOW.after(HOUR), pending, EffectResult::Claimed);
    assert_eq!(silence(outcome), SilenceReason::Lost);
}

#[test]
fn request_to_another_server_is_ignored_and_frees_the_offer() {
    let mut server = server();
    offer(&mut server, NOW, MAC);
    let request = Packet::selecting(MAC, ip(55), ip(2));
    assert_eq!(
        silence(run(&mut server, NOW, request)),
        SilenceReason::OtherServer
    );
    let outcome = run(&mut server, NOW, Packet::discover(OTHER_MAC));
    assert_eq!(
        yiaddr(outcome, MessageType::OFFER),
        ip(101),
        "addresses that nobody had come first"
    );
    for last in [102, 100] {
        let mac = MacAddr([2, 0, 0, 0, 0, last]);
        let outcome = run(&mut server, NOW, Packet::discover(mac));
        assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(last));
    }
    let last = MacAddr([2, 0, 0, 0, 0, 1]);
    assert_eq!(
        silence(run(&mut server, NOW, Packet::discover(last))),
        SilenceReason::NoAddress
    );
}

#[test]
fn request_after_a_restart_gets_the_address_if_it_is_free() {
    let mut server = server();
    let request = Packet::selecting(MAC, ip(101), SERVER);
    assert_eq!(
        yiaddr(run(&mut server, NOW, request), MessageType::ACK),
        ip(101)
    );
}

#[test]
fn address_that_is_not_the_clients_to_have_is_refused() {
    let mut server = server();
    let lease = bind(&mut server, NOW, OTHER_MAC);
    let mut ask = |address| {
        let request = Packet::selecting(MAC, address, SERVER);
        refusal(run(&mut server, NOW, request))
    };
    assert_eq!(ask(lease.address), Refusal::NotAvailable);
    assert_eq!(ask(ip(50)), Refusal::NotAvailable, "not in the ranges");
    assert_eq!(ask(SERVER), Refusal::NotAvailable);
    assert_eq!(ask(ip(255)), Refusal::NotAvailable);
    assert_eq!(ask(Ipv4Addr::new(10, 0, 1, 5)), Refusal::WrongNetwork);
}

#[test]
fn init_reboot_is_confirmed_corrected_or_left_to_another_server() {
    let mut server = server();
    let reboot = |address: Ipv4Addr| Packet::new(3, MAC).option(50, &address.octets());
    assert_eq!(
        silence(run(&mut server, NOW, reboot(ip(100)))),
        SilenceReason::NoRecord
    );
    assert_eq!(
        refusal(run(&mut server, NOW, reboot(Ipv4Addr::new(10, 9, 0, 1)))),
        Refusal::WrongNetwork
    );
    let lease = bind(&mut server, NOW, MAC);
    assert_eq!(
        yiaddr(
            run(&mut server, NOW, reboot(lease.address)),
            MessageType::ACK
        ),
        lease.address
    );
    assert_eq!(
        refusal(run(&mut server, NOW, reboot(ip(102)))),
        Refusal::WrongAddress
    );
}

#[test]
fn server_without_its_old_records_adopts_what_a_client_had_while_it_is_free() {
    let mut settings = Settings::new(vec![network()]);
    settings.adopt_until = NOW.after_ms(1);
    let mut server = Server::new(settings).unwrap();
    let reboot = |mac, address: Ipv4Addr| Packet::new(3, mac).option(50, &address.octets());
    let had = ip(101);
    assert_eq!(
        yiaddr(run(&mut server, NOW, reboot(MAC, had)), MessageType::ACK),
        had
    );
    assert_eq!(
        refusal(run(&mut server, NOW, reboot(OTHER_MAC, had))),
        Refusal::NotAvailable
    );
    assert_eq!(
        refusal(run(&mut server, NOW, reboot(OTHER_MAC, ip(50)))),
        Refusal::NotAvailable,
        "not in the ranges"
    );
    let late = run(&mut server, NOW.after_ms(1), reboot(OTHER_MAC, ip(102)));
    assert_eq!(silence(late), SilenceReason::NoRecord);
}

#[test]
fn renewal_extends_the_lease_and_goes_to_the_clients_address() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let later = NOW.after(Seconds(1800));
    let renewal = Packet::new(3, MAC).ciaddr(lease.address);
    let ack = reply(run(&mut server, later, renewal));
    assert_eq!(ack.kind, MessageType::ACK);
    let renewed = ack.lease.unwrap();
    assert_eq!(renewed.expires, later.after(HOUR));
    assert_eq!(renewed.version, 2);
    assert_eq!(
        ack.destination,
        Destination::Client("10.0.0.100:68".parse().unwrap())
    );
}

#[test]
fn renewal_of_anothers_address_is_refused_by_broadcast() {
    let mut server = server();
    let lease = bind(&mut server, NOW, OTHER_MAC);
    let renewal = Packet::new(3, MAC).ciaddr(lease.address);
    let nak = reply(run(&mut server, NOW, renewal));
    assert_eq!(nak.refusal, Some(Refusal::NotAvailable));
    assert_eq!(
        nak.destination,
        Destination::Broadcast("255.255.255.255:68".parse().unwrap())
    );
}

#[test]
fn expired_lease_comes_back_to_its_client_and_goes_to_others_last() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let later = NOW.after(Seconds(7200));
    let outcome = run(&mut server, later, Packet::discover(OTHER_MAC));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(101));
    let outcome = run(&mut server, later, Packet::discover(MAC));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), lease.address);
}

#[test]
fn release_is_stored_and_frees_the_address() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let release = Packet::new(7, MAC)
        .ciaddr(lease.address)
        .option(54, &SERVER.octets());
    let foreign = Packet::new(7, OTHER_MAC).ciaddr(lease.address);
    assert_eq!(
        silence(run(&mut server, NOW, foreign)),
        SilenceReason::NotItsAddress
    );
    let later = NOW.after(Seconds(10));
    let outcome = handle(&mut server, later, release);
    let Outcome::Needs(Effect::Claim { lease: stored, .. }, _) = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(stored.state, LeaseState::Released);
    assert_eq!((stored.version, stored.expires), (2, later));
    assert_eq!(
        silence(settle(&mut server, later, outcome)),
        SilenceReason::Released
    );
    assert!(!server.lease(lease.address).unwrap().is_active(later));
    for mac in 1..=3 {
        let mac = MacAddr([2, 0, 0, 0, 0, mac]);
        let outcome = run(&mut server, later, Packet::discover(mac));
        assert_eq!(reply(outcome).kind, MessageType::OFFER);
    }
}

#[test]
fn declined_address_is_in_quarantine_for_everybody() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let decline = |mac| {
        Packet::new(4, mac)
            .option(50, &lease.address.octets())
            .option(54, &SERVER.octets())
    };
    assert_eq!(
        silence(run(&mut server, NOW, decline(OTHER_MAC))),
        SilenceReason::NotItsAddress
    );
    assert_eq!(
        silence(run(&mut server, NOW, decline(MAC))),
        SilenceReason::Declined
    );
    for last in [101, 102] {
        let mac = MacAddr([2, 0, 0, 0, 0, last]);
        assert_eq!(bind(&mut server, NOW, mac).address, ip(last));
    }
    assert_eq!(
        silence(run(&mut server, NOW, Packet::discover(MAC))),
        SilenceReason::NoAddress
    );
    let request = Packet::selecting(MAC, lease.address, SERVER);
    assert_eq!(
        refusal(run(&mut server, NOW, request)),
        Refusal::NotAvailable
    );
    let over = NOW.after(Seconds(600));
    let outcome = run(&mut server, over, Packet::discover(MAC));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), lease.address);
}

#[test]
fn inform_is_answered_without_address_or_lease_time() {
    let mut server = server();
    let ack = reply(run(&mut server, NOW, Packet::new(8, MAC).ciaddr(ip(7))));
    assert_eq!(ack.kind, MessageType::ACK);
    assert_eq!(ack.bytes[16..20], [0; 4]);
    assert_eq!(
        ack.destination,
        Destination::Client("10.0.0.7:68".parse().unwrap())
    );
    let options = options_of(&ack.bytes);
    assert!(options.iter().all(|(code, _)| *code != 51));
    assert!(options.contains(&(1, vec![255, 255, 255, 0])));
    assert_eq!(server.leases().count(), 0);
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
        refusal(run(&mut server, NOW, stranger)),
        Refusal::NotAvailable
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
        refusal(run(&mut server, NOW, renewal)),
        Refusal::WrongAddress
    );
    assert_eq!(bind(&mut server, NOW, MAC).address, ip(50));
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
fn policy_can_leave_a_machine_without_an_answer() {
    let mut server = server();
    let boot = Boot {
        silent: true,
        ..Boot::default()
    };
    let outcome = handle_boot(&mut server, NOW, Packet::discover(MAC), boot);
    assert_eq!(silence(outcome), SilenceReason::Policy);
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
    assert_eq!(nak.refusal, Some(Refusal::WrongNetwork));
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
    let incoming = Incoming {
        message: MessageView::parse(&bytes).unwrap(),
        source: "10.2.0.50:68".parse().unwrap(),
        destination: SERVER,
        interface: 2,
    };
    let outcome = server.handle(NOW, &incoming, &mut |_| Boot::default());
    let ack = reply(settle(&mut server, NOW, outcome));
    assert_eq!(ack.lease.unwrap().network, NetworkId(2));
}

#[test]
fn probe_is_asked_for_if_wanted_and_an_answer_moves_on_to_the_next_address() {
    let mut settings = Settings::new(vec![network()]);
    settings.probe = true;
    let mut server = Server::new(settings).unwrap();
    let outcome = handle(&mut server, NOW, Packet::discover(MAC));
    let Outcome::Needs(Effect::Probe(address), pending) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(address, ip(100));
    let outcome = server.resume(NOW, pending, EffectResult::InUse);
    let Outcome::Needs(Effect::Probe(address), pending) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(address, ip(101));
    let outcome = server.resume(NOW, pending, EffectResult::Free);
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(101));
    let request = Packet::selecting(OTHER_MAC, ip(100), SERVER);
    assert_eq!(
        refusal(run(&mut server, NOW, request)),
        Refusal::NotAvailable,
        "the address that answered is in quarantine"
    );
}

#[test]
fn probing_gives_up_after_four_addresses_and_the_client_asks_again() {
    let mut network = network();
    network.ranges[0].end = ip(110);
    let mut settings = Settings::new(vec![network]);
    settings.probe = true;
    let mut server = Server::new(settings).unwrap();
    let mut outcome = handle(&mut server, NOW, Packet::discover(MAC));
    let mut probed = Vec::new();
    while let Outcome::Needs(effect, pending) = outcome {
        probed.push(effect);
        outcome = server.resume(NOW, pending, EffectResult::InUse);
    }
    let expected = [100, 101, 102, 103].map(|last| Effect::Probe(ip(last)));
    assert_eq!(probed, expected);
    assert_eq!(silence(outcome), SilenceReason::NoAddress);
    let again = handle(&mut server, NOW, Packet::discover(MAC));
    assert!(matches!(again, Outcome::Needs(Effect::Probe(address), _) if address == ip(104)));
}

#[test]
fn probe_that_ends_when_its_address_is_taken_moves_on() {
    let mut settings = Settings::new(vec![network()]);
    settings.probe = true;
    let mut server = Server::new(settings).unwrap();
    let Outcome::Needs(_, pending) = handle(&mut server, NOW, Packet::discover(MAC)) else {
        panic!();
    };
    let late = NOW.after(Seconds(31));
    let request = Packet::selecting(OTHER_MAC, ip(100), SERVER);
    let outcome = run(&mut server, late, request);
    assert_eq!(yiaddr(outcome, MessageType::ACK), ip(100));
    let outcome = server.resume(late, pending, EffectResult::Free);
    let outcome = settle(&mut server, late, outcome);
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(101));
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
    let outcome = server.resume(NOW, pending, EffectResult::Lost { current: None });
    let Outcome::Needs(
        Effect::Claim {
            expected_version: 0,
            ..
        },
        pending,
    ) = outcome
    else {
        panic!("{outcome:?}");
    };
    let ack = reply(server.resume(NOW, pending, EffectResult::Claimed));
    assert_eq!(ack.lease.unwrap().version, 1);
    assert_eq!(server.lease(lease.address).unwrap().version, 1);
}

#[test]
fn each_of_many_reservations_is_found_whatever_their_order() {
    let mut network = network();
    let mac = |last| MacAddr([2, 0, 0, 0, 0, last]);
    network.reservations = [9, 3, 7, 1, 5]
        .map(|last| Reservation {
            mac: mac(last),
            address: Some(ip(last + 10)),
            host_name: None,
        })
        .to_vec();
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    for last in [1, 3, 5, 7, 9] {
        assert_eq!(offer(&mut server, NOW, mac(last)), ip(last + 10));
    }
    assert_eq!(offer(&mut server, NOW, mac(2)), ip(100));
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
fn what_is_no_clients_message_is_not_answered() {
    let mut server = server();
    let mut reason = |packet| silence(run(&mut server, NOW, packet));
    assert_eq!(
        reason(Packet::discover(MAC).at(0, &[2])),
        SilenceReason::NotARequest
    );
    assert_eq!(
        reason(Packet::discover(MAC).at(240, &[0, 0, 0])),
        SilenceReason::NoMessageType
    );
    for kind in [2, 5, 6, 10, 99] {
        assert_eq!(reason(Packet::new(kind, MAC)), SilenceReason::NotServed);
    }
    assert_eq!(
        reason(Packet::new(3, MAC)),
        SilenceReason::Malformed,
        "a REQUEST for no address"
    );
    assert_eq!(
        reason(Packet::new(3, MAC).option(50, &[1])),
        SilenceReason::Malformed
    );
}

#[test]
fn restored_leases_are_given_to_nobody_else() {
    let mut before = server();
    let lease = bind(&mut before, NOW, MAC);
    let mut after = server();
    after.restore(lease.clone()).unwrap();
    let outcome = run(&mut after, NOW, Packet::discover(OTHER_MAC));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), ip(101));
    let outcome = run(&mut after, NOW, Packet::discover(MAC));
    assert_eq!(yiaddr(outcome, MessageType::OFFER), lease.address);
    let mut foreign = lease;
    foreign.network = NetworkId(9);
    assert_eq!(
        after.restore(foreign).unwrap_err().to_string(),
        "the lease of 10.0.0.100 is of network 9, which is not configured"
    );
}

#[test]
fn every_outcome_has_its_log_line() {
    let mut server = server();
    let named = |packet: Packet| packet.option(12, b"node-01");
    let offer = reply(run(&mut server, NOW, named(Packet::discover(MAC))));
    assert_eq!(
        offer.line("eth1").to_string(),
        "DHCPOFFER(eth1) 10.0.0.100 52:54:00:12:34:56 node-01"
    );
    assert_eq!(
        offer.transaction.line("eth1").to_string(),
        "DHCPDISCOVER(eth1) 10.0.0.100 52:54:00:12:34:56 node-01"
    );
    let request = Packet::selecting(MAC, ip(9), SERVER);
    assert_eq!(
        reply(run(&mut server, NOW, request))
            .line("eth1")
            .to_string(),
        "DHCPNAK(eth1) 10.0.0.9 52:54:00:12:34:56 address not available"
    );
    let Outcome::Silent(silence) = run(&mut server, NOW, Packet::new(3, MAC)) else {
        panic!();
    };
    assert_eq!(
        silence.line("eth1").to_string(),
        "DHCPREQUEST(eth1) 52:54:00:12:34:56 malformed request"
    );
    assert!(silence.reason.is_fault());
}

#[test]
fn host_name_that_would_break_a_log_line_is_dropped() {
    let mut server = server();
    let packet = Packet::discover(MAC).option(12, b"a\nDHCPACK(eth0)");
    let offer = reply(run(&mut server, NOW, packet));
    assert_eq!(offer.transaction.host_name, None);
}

#[test]
fn lease_outlives_the_hold_of_its_offer() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let later = Timestamp(NOW.0 + 60_000);
    for last in [101, 102] {
        let mac = MacAddr([2, 0, 0, 0, 0, last]);
        assert_eq!(bind(&mut server, later, mac).address, ip(last));
    }
    let outcome = run(&mut server, later, Packet::discover(OTHER_MAC));
    assert_eq!(silence(outcome), SilenceReason::NoAddress);
    assert_eq!(server.lease(lease.address).unwrap().client, lease.client);
}
