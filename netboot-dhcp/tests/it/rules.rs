//! RFC 2131 section 4.3: who gets an address, who a NAK, and who nothing.

use crate::packet::*;
use netboot_dhcp::server::{
    Boot, Claim, Destination, Effect, LeaseState, NakReason, NetworkId, Outcome, Server, Settings,
    SilenceReason,
};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::{MacAddr, Seconds, Timestamp};
use std::net::Ipv4Addr;

const HOUR: Seconds = Seconds(3600);

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
        nak_reason(run(&mut server, NOW, request))
    };
    assert_eq!(ask(lease.address), NakReason::NotAvailable);
    assert_eq!(ask(ip(50)), NakReason::NotAvailable, "not in the ranges");
    assert_eq!(ask(SERVER), NakReason::NotAvailable);
    assert_eq!(ask(ip(255)), NakReason::NotAvailable);
    assert_eq!(ask(Ipv4Addr::new(10, 0, 1, 5)), NakReason::WrongNetwork);
}

/// RFC 2131 section 4.3.2: silence where there is no record of the client; a NAK where the client
/// is on the wrong network, from every server, as dnsmasq has it too (Kea and ISC's dhcpd want to
/// be authoritative for that), and where there is a record and the address is another.
#[test]
fn init_reboot_is_confirmed_corrected_or_left_to_another_server() {
    let mut server = server();
    let reboot = |address: Ipv4Addr| Packet::new(3, MAC).option(50, &address.octets());
    assert_eq!(
        silence(run(&mut server, NOW, reboot(ip(100)))),
        SilenceReason::NoRecord
    );
    let elsewhere = Ipv4Addr::new(10, 9, 0, 1);
    let nak = reply(run(&mut server, NOW, reboot(elsewhere)));
    assert_eq!(nak.nak_reason, Some(NakReason::WrongNetwork));
    let to_all = Destination::Broadcast("255.255.255.255:68".parse().unwrap());
    assert_eq!(nak.destination, to_all);
    let lease = bind(&mut server, NOW, MAC);
    assert_eq!(
        yiaddr(
            run(&mut server, NOW, reboot(lease.address)),
            MessageType::ACK
        ),
        lease.address
    );
    assert_eq!(
        nak_reason(run(&mut server, NOW, reboot(ip(102)))),
        NakReason::WrongAddress
    );
}

#[test]
fn client_that_no_record_is_of_is_left_to_another_server_in_every_state() {
    let mut server = server();
    bind(&mut server, NOW, OTHER_MAC);
    let reboot = |address: Ipv4Addr| Packet::new(3, MAC).option(50, &address.octets());
    let renewal = |address| Packet::new(3, MAC).ciaddr(address);
    let elsewhere = Ipv4Addr::new(10, 9, 0, 1);
    for packet in [
        // Another's here, free here, of no range here.
        reboot(ip(100)),
        reboot(ip(101)),
        reboot(ip(50)),
        renewal(ip(100)),
        renewal(ip(101)),
        renewal(ip(50)),
        renewal(elsewhere),
    ] {
        assert_eq!(
            silence(run(&mut server, NOW, packet)),
            SilenceReason::NoRecord
        );
    }
    // What it asks this server for by its name is this server's to refuse.
    let selecting = Packet::selecting(MAC, ip(50), SERVER);
    assert_eq!(
        nak_reason(run(&mut server, NOW, selecting)),
        NakReason::NotAvailable
    );
}

/// For a log line: `ciaddr`, where the client has one.
#[test]
fn what_a_message_is_about_is_the_address_that_its_client_has() {
    let mut server = server();
    let of = |server: &mut Server, packet| handle(server, NOW, packet).transaction().address;
    assert_eq!(
        of(&mut server, Packet::new(7, MAC).ciaddr(ip(9))),
        Some(ip(9))
    );
    assert_eq!(of(&mut server, Packet::new(7, MAC)), None);
}

/// For a log line, too: `giaddr`, where there is one.
#[test]
fn outcome_says_which_relay_agent_its_message_came_by() {
    let relay = |packet| handle(&mut server(), NOW, packet).transaction().relay;
    let relayed = Packet::discover(MAC).giaddr(ip(9));
    assert_eq!(relay(relayed), Some(ip(9)));
    assert_eq!(relay(Packet::discover(MAC)), None);
}

#[test]
fn record_that_is_over_says_nothing_of_another_servers_lease() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let renewal = |address| Packet::new(3, MAC).ciaddr(address);
    assert_eq!(
        nak_reason(run(&mut server, NOW, renewal(ip(50)))),
        NakReason::WrongAddress
    );
    let later = NOW.after(Seconds(7200));
    assert_eq!(
        silence(run(&mut server, later, renewal(ip(50)))),
        SilenceReason::NoRecord
    );
    assert_eq!(
        yiaddr(
            run(&mut server, later, renewal(lease.address)),
            MessageType::ACK
        ),
        lease.address
    );
}

/// As dnsmasq with `dhcp-authoritative`, which gives a free address to a client that it does not
/// know and refuses others; Kea refuses both.
#[test]
fn authoritative_server_decides_on_what_it_has_no_record_of() {
    let reboot = |address: Ipv4Addr| Packet::new(3, MAC).option(50, &address.octets());
    let renewal = |address| Packet::new(3, MAC).ciaddr(address);
    let ask = |packet| {
        let mut server = authoritative();
        bind(&mut server, NOW, OTHER_MAC);
        reply(run(&mut server, NOW, packet)).nak_reason
    };
    for asks in [reboot, renewal] {
        assert_eq!(ask(asks(ip(101))), None);
        assert_eq!(
            ask(asks(ip(100))),
            Some(NakReason::NotAvailable),
            "another's"
        );
        assert_eq!(ask(asks(ip(50))), Some(NakReason::NotAvailable));
        let elsewhere = Ipv4Addr::new(10, 9, 0, 1);
        assert_eq!(ask(asks(elsewhere)), Some(NakReason::WrongNetwork));
    }
}

#[test]
fn server_without_its_old_records_adopts_what_a_client_had_while_it_is_free() {
    let mut settings = Settings::new(vec![network()]);
    settings.adopt_until = NOW.after_ms(1);
    let mut server = Server::new(settings.clone()).unwrap();
    let reboot = |mac, address: Ipv4Addr| Packet::new(3, mac).option(50, &address.octets());
    let renewal = |mac, address| Packet::new(3, mac).ciaddr(address);
    let had = ip(101);
    assert_eq!(
        yiaddr(run(&mut server, NOW, reboot(MAC, had)), MessageType::ACK),
        had
    );
    let others = reboot(OTHER_MAC, had);
    assert_eq!(
        silence(run(&mut server, NOW, others.clone())),
        SilenceReason::NoRecord,
        "another server may have given it"
    );
    let renewed = renewal(OTHER_MAC, ip(102));
    assert_eq!(
        yiaddr(run(&mut server, NOW, renewed), MessageType::ACK),
        ip(102)
    );
    let third = MacAddr([2, 0, 0, 0, 0, 3]);
    for late in [reboot(third, ip(100)), renewal(third, ip(100))] {
        let outcome = run(&mut server, NOW.after_ms(1), late);
        assert_eq!(silence(outcome), SilenceReason::NoRecord);
    }

    settings.networks[0].authoritative = true;
    let mut server = Server::new(settings).unwrap();
    let adopted = run(&mut server, NOW, reboot(MAC, had));
    assert_eq!(yiaddr(adopted, MessageType::ACK), had);
    for (asks, why) in [
        (others, "another's"),
        (reboot(OTHER_MAC, ip(50)), "no range's"),
    ] {
        let outcome = run(&mut server, NOW, asks);
        assert_eq!(nak_reason(outcome), NakReason::NotAvailable, "{why}");
    }
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

/// RFC 2131 table 5 has `ciaddr` 0 in a DISCOVER and in a REQUEST that takes an offer. Clients that
/// keep an old address there do not answer ARP for it; dnsmasq, too, answers them by `yiaddr` and
/// `chaddr`, or by broadcast where they ask for it (section 4.1).
#[test]
fn reply_to_a_client_that_only_says_it_has_an_address_does_not_go_there() {
    let old = Ipv4Addr::new(10, 0, 0, 100);
    let none = Ipv4Addr::UNSPECIFIED;
    let by_hardware = Destination::Unbound {
        address: "10.0.0.100:68".parse().unwrap(),
        hardware: MAC.into(),
    };
    let to_all = Destination::Broadcast("255.255.255.255:68".parse().unwrap());
    let mut server = server();
    let mut ask = |packet: Packet| {
        let outcome = handle_from(&mut server, NOW, none, packet, Boot::default());
        reply(settle(&mut server, NOW, outcome))
    };
    for (packet, kind) in [
        (Packet::discover(MAC), MessageType::OFFER),
        (Packet::selecting(MAC, old, SERVER), MessageType::ACK),
        // One that renews and has lost its address on the way.
        (Packet::new(3, MAC), MessageType::ACK),
    ] {
        let answer = ask(packet.clone().ciaddr(old));
        assert_eq!((answer.kind, answer.destination), (kind, by_hardware));
        let answer = ask(packet.ciaddr(old).broadcast());
        assert_eq!((answer.kind, answer.destination), (kind, to_all));
    }
}

#[test]
fn ack_repeats_ciaddr_only_to_a_client_that_has_it() {
    let mut server = server();
    let lease = bind(&mut server, NOW, MAC);
    let octets = lease.address.octets();
    let selecting = Packet::selecting(MAC, lease.address, SERVER).ciaddr(lease.address);
    for (packet, ciaddr) in [
        (selecting, [0; 4]),
        (Packet::new(3, MAC).ciaddr(lease.address), octets),
        (Packet::new(8, MAC).ciaddr(lease.address), octets),
    ] {
        let ack = reply(run(&mut server, NOW, packet));
        assert_eq!(ack.kind, MessageType::ACK);
        assert_eq!(ack.bytes[12..16], ciaddr);
    }
}

#[test]
fn renewal_of_anothers_address_is_refused_by_broadcast() {
    let mut server = authoritative();
    let lease = bind(&mut server, NOW, OTHER_MAC);
    let renewal = Packet::new(3, MAC).ciaddr(lease.address);
    let nak = reply(run(&mut server, NOW, renewal));
    assert_eq!(nak.nak_reason, Some(NakReason::NotAvailable));
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
    let Outcome::Needs(Effect::Claim(Claim { lease: stored, .. }), _) = &outcome else {
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
        nak_reason(run(&mut server, NOW, request)),
        NakReason::NotAvailable
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
fn policy_can_leave_a_machine_without_an_answer() {
    let mut server = server();
    let boot = Boot::silent();
    let outcome = handle_boot(&mut server, NOW, Packet::discover(MAC), boot);
    assert_eq!(silence(outcome), SilenceReason::Policy);
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
