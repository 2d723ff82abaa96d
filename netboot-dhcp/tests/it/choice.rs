//! What each machine makes of the offers it gets: they are as hard to please as the firmware that
//! they stand for. Offers are written byte by byte.

use crate::packet::{NOW, SERVER};
use crate::site::{PC, PI};
use netboot_dhcp::client::{Bound, Client, Output, Profile};
use netboot_dhcp::value::Arch;
use netboot_dhcp::wire::MessageView;
use std::net::{Ipv4Addr, SocketAddrV4};

/// An OFFER for transaction 7 to `PC`, byte by byte; `address` 0 makes it a proxy's.
fn offer(server: u8, address: u8, file: &str, options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 240];
    bytes[..4].copy_from_slice(&[2, 1, 6, 0]);
    bytes[7] = 7;
    if address != 0 {
        bytes[16..20].copy_from_slice(&[10, 0, 0, address]);
    }
    bytes[20..24].copy_from_slice(&[10, 0, 0, server]);
    bytes[28..34].copy_from_slice(&PC.0);
    bytes[108..108 + file.len()].copy_from_slice(file.as_bytes());
    bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
    bytes.extend([53, 1, 2, 54, 4, 10, 0, 0, server]);
    bytes.extend(options);
    bytes.push(255);
    bytes.resize(bytes.len().max(300), 0);
    bytes
}

const CLASS: &[u8] = b"\x3c\x09PXEClient";
const TAKE: &[u8] = &[43, 3, 6, 1, 8];

/// What a machine makes of offers: whom it asks for its address, and where it learns what to boot.
fn chosen(profile: Profile, offers: &[Vec<u8>]) -> (u8, Bound) {
    let mut client = Client::new(NOW, profile, 7);
    let from = SocketAddrV4::new(SERVER, 67);
    let mut now = NOW;
    let mut server = 0;
    loop {
        match client.poll_output(now).unwrap() {
            Output::Transmit(sent) if sent.destination.port() == 4011 => {
                let mut ack = offer(sent.destination.ip().octets()[3], 0, "asked", CLASS);
                ack[242] = 5;
                let from = SocketAddrV4::new(*sent.destination.ip(), 4011);
                client.handle_input(now, from, &MessageView::decode(&ack).unwrap());
            }
            Output::Transmit(sent) if sent.bytes[242] == 1 => {
                for offer in offers {
                    client.handle_input(now, from, &MessageView::decode(offer).unwrap());
                }
            }
            Output::Transmit(sent) => {
                assert_eq!(sent.bytes[249..254], [54, 4, 10, 0, 0]);
                server = sent.bytes[254];
                let taken = offers
                    .iter()
                    .find(|offer| offer[248] == server && offer[16..20] == sent.bytes[245..249]);
                let mut ack = taken.expect("an offer that was made").clone();
                ack[242] = 5;
                client.handle_input(now, from, &MessageView::decode(&ack).unwrap());
            }
            Output::Wait(until) => now = until,
            Output::Done(bound) => return (server, bound),
            Output::Failed(failure) => panic!("{failure}"),
        }
    }
}

fn file(profile: Profile, offers: &[Vec<u8>]) -> (u8, String) {
    let (server, bound) = chosen(profile, offers);
    (server, bound.file.unwrap_or_default())
}

#[test]
fn edk2_prefers_its_offers_in_this_order() {
    let best = offer(1, 101, "pxe", &[CLASS, TAKE].concat());
    let proxied = offer(2, 0, "proxied", &[CLASS, TAKE].concat());
    let class_only = offer(3, 103, "ignored", CLASS);
    let proxy_class = offer(4, 0, "ignored", CLASS);
    let plain = offer(5, 105, "plain", &[]);
    let mut offers = vec![plain, proxy_class, class_only, proxied, best];
    let expected = [
        (1, "pxe"),
        (5, "proxied"),
        (3, "asked"),
        (5, "asked"),
        (5, "plain"),
    ];
    for (server, name) in expected {
        let got = file(Profile::pxe_uefi(PC), &offers);
        assert_eq!(got, (server, name.into()));
        offers.pop();
    }
}

#[test]
fn old_edk2_loses_the_first_proxy_offer_with_option_43() {
    let with_43 = offer(2, 0, "proxied", &[CLASS, TAKE].concat());
    let plain = offer(5, 105, "", &[]);
    let offers = [plain.clone(), with_43];
    let got = file(Profile::pxe_uefi_old(PC), &offers);
    assert_eq!(got, (5, String::new()));
    assert_eq!(file(Profile::pxe_uefi(PC), &offers).1, "proxied");
    let without = [plain, offer(2, 0, "", CLASS)];
    assert_eq!(file(Profile::pxe_uefi_old(PC), &without).1, "asked");
}

#[test]
fn newer_edk2_goes_to_the_boot_server_that_option_43_lists() {
    let listed = [43, 12, 6, 1, 8, 8, 7, 0, 0, 1, 10, 0, 0, 77];
    let offers = [offer(1, 101, "pxe", &[CLASS, &listed].concat())];
    let next = |profile| chosen(profile, &offers).1.next_server.unwrap().octets()[3];
    assert_eq!(next(Profile::pxe_uefi(PC)), 77);
    assert_eq!(next(Profile::pxe_uefi_old(PC)), 1);
}

#[test]
fn intel_rom_wants_60_before_43_and_300_bytes() {
    let right = offer(1, 101, "pxe", &[CLASS, TAKE].concat());
    let turned = offer(1, 101, "pxe", &[TAKE, CLASS].concat());
    assert_eq!(
        file(Profile::pxe_bios(PC), std::slice::from_ref(&right)).1,
        "pxe"
    );
    assert_eq!(file(Profile::pxe_bios(PC), &[turned]).1, "asked");
    let short = right[..299].to_vec();
    let other = offer(5, 105, "plain", &[]);
    assert_eq!(file(Profile::pxe_bios(PC), &[short, other]).0, 5);
}

#[test]
fn ipxe_waits_for_a_proxy_unless_told_that_there_is_none() {
    let ipxe = || Profile::ipxe(PC, Arch::X64_UEFI);
    let proxied = offer(2, 0, "proxied", CLASS);
    let plain = offer(5, 105, "plain", &[]);
    assert_eq!(file(ipxe(), &[plain, proxied.clone()]).1, "proxied");
    let alone = offer(5, 105, "plain", &[175, 3, 176, 1, 1]);
    assert_eq!(file(ipxe(), &[alone, proxied]).1, "plain");
}

/// A proxy answers at once, and a server that pings first, as dnsmasq does for three seconds, later:
/// EDK2's `DhcpOnTimerTick` (`Dhcp4Io.c`) and iPXE's `dhcp_discovery_rx` and
/// `dhcp_discovery_expired` (`dhcp.c`) keep all offers until they have an address.
#[test]
fn a_proxys_offer_is_kept_until_an_address_is_offered() {
    let proxied = offer(2, 0, "proxied", &[CLASS, TAKE].concat());
    let plain = offer(5, 105, "", &[]);
    for profile in [
        Profile::pxe_bios(PC),
        Profile::pxe_uefi(PC),
        Profile::ipxe(PC, Arch::X86_BIOS),
        Profile::ipxe(PC, Arch::X64_UEFI),
    ] {
        // In the time of the first DISCOVER, and in that of a later one.
        for seconds in [3, 6] {
            let model = profile.model;
            let mut client = Client::new(NOW, profile.clone(), 7);
            let from = SocketAddrV4::new(SERVER, 67);
            let (mut now, late) = (NOW, NOW.after_ms(seconds * 1_000));
            let (mut asked, mut offered) = (false, false);
            let bound = loop {
                match client.poll_output(now).unwrap() {
                    Output::Transmit(sent) if sent.bytes[242] == 1 => {
                        if !std::mem::replace(&mut asked, true) {
                            let proxied = MessageView::decode(&proxied).unwrap();
                            client.handle_input(now, from, &proxied);
                        }
                    }
                    Output::Transmit(_) => {
                        let mut ack = plain.clone();
                        ack[242] = 5;
                        client.handle_input(now, from, &MessageView::decode(&ack).unwrap());
                    }
                    Output::Wait(until) if until >= late && !offered => {
                        (now, offered) = (late, true);
                        client.handle_input(now, from, &MessageView::decode(&plain).unwrap());
                    }
                    Output::Wait(until) => now = until,
                    Output::Done(bound) => break bound,
                    Output::Failed(failure) => panic!("{model:?}, {seconds} s: {failure}"),
                }
            };
            assert_eq!(
                bound.file.as_deref(),
                Some("proxied"),
                "{model:?}, {seconds} s"
            );
        }
    }
}

/// What a client that only inquires sends to these offers, as DHCP message types, and ends with.
fn inquired(mut profile: Profile, offers: &[Vec<u8>]) -> (Vec<u8>, Bound) {
    (profile.takes_lease, profile.address) = (false, Some(Ipv4Addr::new(192, 0, 2, 9)));
    // It asks no other server that it could wait for.
    profile.collect_ms = 0;
    let mut client = Client::new(NOW, profile, 7);
    let from = SocketAddrV4::new(SERVER, 67);
    let (mut now, mut sent) = (NOW, Vec::new());
    loop {
        match client.poll_output(now).unwrap() {
            Output::Transmit(transmit) => {
                sent.push(transmit.bytes[242]);
                if transmit.destination.port() == 4011 {
                    assert_eq!(transmit.bytes[12..16], [192, 0, 2, 9], "ciaddr is its own");
                    let mut ack = offer(transmit.destination.ip().octets()[3], 0, "asked", CLASS);
                    ack[242] = 5;
                    let from = SocketAddrV4::new(*transmit.destination.ip(), 4011);
                    client.handle_input(now, from, &MessageView::decode(&ack).unwrap());
                    continue;
                }
                for offer in offers {
                    client.handle_input(now, from, &MessageView::decode(offer).unwrap());
                }
            }
            Output::Wait(until) => now = until,
            Output::Done(bound) => return (sent, bound),
            Output::Failed(failure) => panic!("{failure}"),
        }
    }
}

#[test]
fn a_client_that_takes_no_lease_sends_no_request_for_it() {
    let offers = [offer(1, 101, "pxe", &[CLASS, TAKE, b"\x0c\x01n"].concat())];
    for profile in [Profile::pxe_bios(PC), Profile::pxe_uefi(PC)] {
        let (sent, bound) = inquired(profile, &offers);
        assert_eq!(sent, [1]);
        assert_eq!(bound.address, Ipv4Addr::new(10, 0, 0, 101));
        assert_eq!(bound.file.as_deref(), Some("pxe"));
        let name = bound.options.raw(netboot_dhcp::wire::OptionCode::HOST_NAME);
        assert_eq!(name.as_deref(), Some(b"n".as_slice()));
    }
}

#[test]
fn a_client_that_has_an_address_hears_what_a_proxy_alone_says() {
    let proxied = [offer(2, 0, "proxied", &[CLASS, TAKE].concat())];
    let (sent, bound) = inquired(Profile::pxe_bios(PC), &proxied);
    assert_eq!((sent, bound.file.as_deref()), (vec![1], Some("proxied")));
    assert_eq!(bound.server, Ipv4Addr::UNSPECIFIED);
    assert_eq!(bound.boot_server, Ipv4Addr::new(10, 0, 0, 2));
    let asks = [offer(2, 0, "", CLASS)];
    let (sent, bound) = inquired(Profile::pxe_uefi(PC), &asks);
    assert_eq!((sent, bound.file.as_deref()), (vec![1, 3], Some("asked")));
}

/// The messages of a machine that nobody answers, in seconds from the first on.
fn asks_at(profile: Profile) -> Vec<u64> {
    let mut client = Client::new(NOW, profile, 7);
    let (mut now, mut asks) = (NOW, Vec::new());
    loop {
        match client.poll_output(now).unwrap() {
            Output::Transmit(_) => asks.push(now.millis_since(NOW) / 1_000),
            Output::Wait(until) => now = until,
            Output::Failed(_) => return asks,
            Output::Done(bound) => panic!("{bound:?}"),
        }
    }
}

/// `mPxeDhcpTimeout` of EDK2's `PxeBcDhcp4.c`, after PXE 2.1: 4, 8, 16 and 32 s. iPXE's
/// `config/dhcp.h`: from 1 s on, doubled while they are not more than 10 s.
#[test]
fn each_firmware_asks_again_when_its_source_does() {
    assert_eq!(asks_at(Profile::pxe_uefi(PC)), [0, 4, 12, 28]);
    assert_eq!(asks_at(Profile::pxe_bios(PC)), [0, 4, 12, 28]);
    assert_eq!(asks_at(Profile::ipxe(PC, Arch::X64_UEFI)), [0, 1, 3, 7]);
}

#[test]
fn ipxe_takes_a_boot_servers_reply_from_port_4011_only() {
    let offers = [offer(5, 105, "", &[]), offer(2, 0, "", CLASS)];
    for (port, heard) in [(67, false), (4011, true)] {
        let mut client = Client::new(NOW, Profile::ipxe(PC, Arch::X64_UEFI), 7);
        let from = SocketAddrV4::new(SERVER, 67);
        let mut now = NOW;
        let mut asked = false;
        while !asked {
            match client.poll_output(now).unwrap() {
                Output::Transmit(sent) if sent.destination.port() == 4011 => asked = true,
                Output::Transmit(sent) if sent.bytes[242] == 1 => {
                    for offer in &offers {
                        client.handle_input(now, from, &MessageView::decode(offer).unwrap());
                    }
                }
                Output::Transmit(_) => {
                    let mut ack = offers[0].clone();
                    ack[242] = 5;
                    client.handle_input(now, from, &MessageView::decode(&ack).unwrap());
                }
                Output::Wait(until) => now = until,
                end => panic!("{end:?}"),
            }
        }
        let mut ack = offer(2, 0, "asked", CLASS);
        ack[242] = 5;
        let from = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), port);
        client.handle_input(now, from, &MessageView::decode(&ack).unwrap());
        let done = matches!(client.poll_output(now).unwrap(), Output::Done(_));
        assert_eq!(done, heard, "port {port}");
    }
}

/// What a Raspberry Pi's boot ROM looks for in option 43, by hand: 6 = 3, a menu, and a boot
/// server's name.
const PI_MENU: &[u8] =
    b"\x2b\x20\x06\x01\x03\x0a\x04\x00PXE\x09\x14\x00\x00\x11Raspberry Pi Boot\xff";

#[test]
fn raspberry_pi_3_takes_the_offer_with_its_menu_and_sends_no_request() {
    let to_pi = |mut offer: Vec<u8>| {
        offer[28..34].copy_from_slice(&PI.0);
        offer
    };
    let offers = [
        to_pi(offer(5, 105, "plain", &[])),
        to_pi(offer(1, 101, "", PI_MENU)),
    ];
    let mut early = Profile::raspberry_pi_3(PI);
    // The offers here come at once.
    early.deaf_ms = 0;
    let (asked, bound) = chosen(early, &offers);
    assert_eq!(
        (asked, bound.next_server),
        (0, Some(Ipv4Addr::new(10, 0, 0, 1)))
    );
    let (asked, bound) = chosen(Profile::raspberry_pi_4(PI), &offers);
    assert_eq!(
        (asked, bound.next_server),
        (1, Some(Ipv4Addr::new(10, 0, 0, 1)))
    );
}
