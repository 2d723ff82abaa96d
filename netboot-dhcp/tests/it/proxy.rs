//! A proxy beside another DHCP server, and the boot server on port 4011: a test for each row of
//! what firmware needs. Expected bytes are written by hand, after Intel's PXE 2.1 specification and
//! what EDK2 and iPXE look at.

use crate::packet::*;
use netboot_dhcp::server::{
    Allow, Boot, ClientKey, Destination, ExtraOption, Handled, Incoming, Link, Mode, Outcome,
    Reply, Reservation, Server, Settings, SilenceReason,
};
use netboot_dhcp::value::{MessageType, Text, key};
use netboot_dhcp::wire::MessageView;
use std::net::{Ipv4Addr, SocketAddrV4};

const BIOS: &[u8] = b"PXEClient:Arch:00000:UNDI:002001";
const UEFI: &[u8] = b"PXEClient:Arch:00007:UNDI:003000";
const HTTP: &[u8] = b"HTTPClient:Arch:00016:UNDI:003000";
const UUID: [u8; 17] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

fn proxy() -> Server {
    let mut network = network();
    network.mode = Mode::Proxy;
    network.ranges.clear();
    Server::new(Settings::new(vec![network])).unwrap()
}

#[test]
fn a_proxy_gives_no_address_though_one_is_reserved() {
    let mut network = network();
    network.reservations = vec![Reservation::new(MAC).with_address(ip(50))];
    let client = ClientKey::Hardware(MAC.into());
    for (mode, gives) in [(Mode::Server, true), (Mode::Proxy, false)] {
        network.mode = mode;
        let server = Server::new(Settings::new(vec![network.clone()])).unwrap();
        assert_eq!(server.gives(network.id, ip(50), &client), gives);
        assert_eq!(server.gives(network.id, ip(101), &client), gives);
    }
}

fn boot(file: &str) -> Boot {
    Boot::file(file)
}

fn bios(packet: Packet) -> Packet {
    packet.option(60, BIOS).option(93, &[0, 0])
}

fn uefi(packet: Packet) -> Packet {
    packet.option(60, UEFI).option(93, &[0, 7])
}

fn at_boot_server(
    server: &mut Server,
    packet: Packet,
    source: &str,
    destination: Ipv4Addr,
) -> Outcome {
    let bytes = packet.end();
    let incoming = Incoming::new(
        MessageView::decode(&bytes).unwrap(),
        source.parse().unwrap(),
        2,
    )
    .sent_to(destination);
    match server.handle_boot_server(NOW, &incoming) {
        Handled::Asks(question) => server.answer(NOW, question, boot("ipxe.efi")),
        Handled::Done(outcome) => outcome,
    }
}

fn offered(packet: Packet, file: &str) -> Reply {
    let offer = reply(handle_boot(&mut proxy(), NOW, packet, boot(file)));
    assert_eq!(offer.kind, MessageType::OFFER);
    assert_eq!(offer.bytes[16..20], [0; 4], "yiaddr");
    assert_eq!(offer.source_port, 67);
    assert_eq!(
        offer.destination,
        Destination::Broadcast("255.255.255.255:68".parse().unwrap())
    );
    offer
}

fn get(bytes: &[u8], code: u8) -> Option<Vec<u8>> {
    let mut options = options_of(bytes).into_iter();
    options.find(|(one, _)| *one == code).map(|(_, data)| data)
}

#[test]
fn proxy_offer_to_uefi_is_this_to_the_byte() {
    let discover = uefi(Packet::discover(MAC)).option(97, &UUID);
    let mut expected = vec![0; 240];
    expected[..4].copy_from_slice(&[2, 1, 6, 0]);
    expected[4..8].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
    expected[10] = 0x80;
    expected[20..24].copy_from_slice(&[10, 0, 0, 1]);
    expected[28..34].copy_from_slice(&MAC.0);
    expected[236..].copy_from_slice(&[99, 130, 83, 99]);
    expected.extend([53, 1, 2, 54, 4, 10, 0, 0, 1]);
    expected.extend(b"\x3c\x09PXEClient");
    expected.extend([97, 17]);
    expected.extend(UUID);
    expected.push(255);
    expected.resize(300, 0);
    assert_eq!(offered(discover, "ipxe.efi").bytes, expected);
}

#[test]
fn proxy_offer_to_bios_has_the_file_and_the_word_to_take_it() {
    let offer = offered(bios(Packet::discover(MAC)), "undionly.kpxe").bytes;
    assert_eq!(offer[20..24], [10, 0, 0, 1], "siaddr");
    assert_eq!(&offer[108..122], b"undionly.kpxe\0");
    assert_eq!(get(&offer, 54), Some(vec![10, 0, 0, 1]));
    assert_eq!(get(&offer, 60).as_deref(), Some(&b"PXEClient"[..]));
    assert_eq!(get(&offer, 43), Some(vec![6, 1, 8, 255]));
    assert_eq!(get(&offer, 67).as_deref(), Some(&b"undionly.kpxe\0"[..]));
    assert_eq!(get(&offer, 51), None, "no lease");
    assert_eq!(get(&offer, 1), None, "nor a network");
}

#[test]
fn proxy_offer_to_ipxe_spares_it_the_boot_server_on_every_platform() {
    let user_class: (u8, &[u8]) = (77, b"iPXE");
    let features: (u8, &[u8]) = (175, &[19, 1, 1]);
    for (class, arch, (code, says)) in [
        (BIOS, 0, user_class),
        (UEFI, 7, user_class),
        (UEFI, 7, features),
    ] {
        let discover = Packet::discover(MAC)
            .option(60, class)
            .option(93, &[0, arch])
            .option(code, says);
        let offer = offered(discover, "http://10.0.0.1/boot.ipxe").bytes;
        assert_eq!(get(&offer, 60).as_deref(), Some(&b"PXEClient"[..]));
        assert_eq!(get(&offer, 43), Some(vec![6, 1, 8, 255]));
        assert_eq!(&offer[108..134], b"http://10.0.0.1/boot.ipxe\0");
        assert_eq!(get(&offer, 175), None, "it does wait for a proxy");
    }
}

/// RFC 4578 section 2.1: the platform is what option 93 says. Only UEFI's PXE gets no option 43.
#[test]
fn proxy_goes_by_the_platform_of_option_93_before_that_of_the_class() {
    let vendor = |class: &[u8], arch| {
        let discover = Packet::discover(MAC).option(60, class);
        get(&offered(discover.option(93, &[0, arch]), "x").bytes, 43)
    };
    for class in [&b"PXEClient"[..], BIOS, UEFI] {
        assert_eq!(vendor(class, 7), None);
        assert_eq!(vendor(class, 0), Some(vec![6, 1, 8, 255]));
    }
}

#[test]
fn proxy_offer_to_http_firmware_has_its_class_and_the_url() {
    let discover = Packet::discover(MAC).option(60, HTTP).option(93, &[0, 16]);
    let offer = offered(discover, "http://10.0.0.1/ipxe.efi").bytes;
    assert_eq!(get(&offer, 60).as_deref(), Some(&b"HTTPClient"[..]));
    assert_eq!(get(&offer, 43), None);
    assert_eq!(
        get(&offer, 67).as_deref(),
        Some(&b"http://10.0.0.1/ipxe.efi\0"[..])
    );
    assert_eq!(&offer[108..133], b"http://10.0.0.1/ipxe.efi\0");
}

#[test]
fn proxy_offer_names_another_next_server_where_the_file_is_and_itself_where_to_ask() {
    let elsewhere = boot("x").with_next_server(Ipv4Addr::new(10, 0, 0, 7));
    let discover = bios(Packet::discover(MAC));
    let offer = reply(handle_boot(&mut proxy(), NOW, discover, elsewhere.clone()));
    assert_eq!(offer.bytes[20..24], [10, 0, 0, 7]);
    let discover = uefi(Packet::discover(MAC));
    let offer = reply(handle_boot(&mut proxy(), NOW, discover, elsewhere));
    assert_eq!(offer.bytes[20..24], [10, 0, 0, 1]);
}

#[test]
fn proxy_offer_never_lists_boot_servers() {
    for packet in [bios(Packet::discover(MAC)), uefi(Packet::discover(MAC))] {
        let vendor = get(&offered(packet, "x").bytes, 43).unwrap_or_default();
        assert!(vendor.is_empty() || vendor == [6, 1, 8, 255], "{vendor:?}");
    }
}

#[test]
fn proxy_leaves_all_but_a_discover_to_the_dhcp_server() {
    let mut server = proxy();
    let request = uefi(Packet::selecting(MAC, ip(100), SERVER));
    let outcome = handle_boot(&mut server, NOW, request, boot("x"));
    let Outcome::Silent(ignored) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(ignored.reason, SilenceReason::Proxy);
    assert!(!ignored.reason.is_fault());
    assert_eq!(ignored.transaction.address, Some(ip(100)), "overheard");
    for kind in [4, 7, 8] {
        let packet = uefi(Packet::new(kind, MAC)).ciaddr(ip(100));
        let outcome = handle_boot(&mut server, NOW, packet, boot("x"));
        assert_eq!(silence(outcome), SilenceReason::Proxy, "type {kind}");
    }
}

#[test]
fn proxy_has_nothing_to_say_to_systems_and_without_a_file() {
    let mut server = proxy();
    let system = Packet::discover(MAC).option(60, b"udhcp 1.35.0");
    let outcome = handle_boot(&mut server, NOW, system, boot("x"));
    assert_eq!(silence(outcome), SilenceReason::NothingToBoot);
    // U-Boot with lwIP would ask for the address 0.0.0.0.
    let u_boot = Packet::discover(MAC).option(60, b"U-Boot.armv8");
    let outcome = handle_boot(&mut server, NOW, u_boot, boot("x"));
    assert_eq!(silence(outcome), SilenceReason::NothingToBoot);
    let firmware = bios(Packet::discover(MAC));
    let outcome = handle_boot(&mut server, NOW, firmware, Boot::default());
    assert_eq!(silence(outcome), SilenceReason::NothingToBoot);
}

#[test]
fn proxy_asks_the_policy_and_knows_its_machines() {
    let mut network = network();
    network.mode = Mode::Proxy;
    network.allow = Allow::Known;
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let outcome = handle_boot(&mut server, NOW, bios(Packet::discover(MAC)), boot("x"));
    assert_eq!(silence(outcome), SilenceReason::Unknown);
    let mut policy = boot("x");
    policy.silent = true;
    let outcome = handle_boot(&mut proxy(), NOW, bios(Packet::discover(MAC)), policy);
    assert_eq!(silence(outcome), SilenceReason::Policy);
}

#[test]
fn proxy_offer_is_broadcast_whatever_address_the_client_says_it_has() {
    let discover = bios(Packet::discover(MAC)).ciaddr(ip(50));
    let offer = reply(handle_boot(&mut proxy(), NOW, discover, boot("x")));
    assert_eq!(
        offer.destination,
        Destination::Broadcast("255.255.255.255:68".parse().unwrap())
    );
}

#[test]
fn relayed_proxy_offer_goes_to_the_relay_agent_with_its_option_last() {
    let mut network = network();
    network.mode = Mode::Proxy;
    network.link = Link::Relay;
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let relay = ip(254);
    let discover = uefi(Packet::discover(MAC))
        .giaddr(relay)
        .option(82, &[1, 1, 9]);
    let offer = reply(handle_boot(&mut server, NOW, discover, boot("x")));
    assert_eq!(
        offer.destination,
        Destination::Relay(SocketAddrV4::new(relay, 67))
    );
    assert_eq!(offer.bytes[10], 0x80, "the relay agent is to broadcast it");
    assert_eq!(options_of(&offer.bytes).last(), Some(&(82, vec![1, 1, 9])));
}

#[test]
fn boot_server_answers_this_to_the_byte_where_it_was_asked_from() {
    let request = uefi(Packet::new(3, MAC))
        .ciaddr(ip(50))
        .option(97, &UUID)
        .option(43, &[71, 4, 0x80, 0, 0, 0, 255]);
    let ack = reply(at_boot_server(
        &mut proxy(),
        request,
        "10.0.0.50:4011",
        SERVER,
    ));
    assert_eq!(ack.kind, MessageType::ACK);
    assert_eq!((ack.source, ack.source_port), (SERVER, 4011));
    assert_eq!(
        ack.destination,
        Destination::Client("10.0.0.50:4011".parse().unwrap())
    );
    let mut expected = vec![0; 240];
    expected[..4].copy_from_slice(&[2, 1, 6, 0]);
    expected[4..8].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
    expected[12..16].copy_from_slice(&[10, 0, 0, 50]);
    expected[20..24].copy_from_slice(&[10, 0, 0, 1]);
    expected[28..34].copy_from_slice(&MAC.0);
    expected[44..52].copy_from_slice(b"10.0.0.1");
    expected[108..116].copy_from_slice(b"ipxe.efi");
    expected[236..].copy_from_slice(&[99, 130, 83, 99]);
    expected.extend([53, 1, 5, 54, 4, 10, 0, 0, 1]);
    expected.extend(b"\x42\x0910.0.0.1\0\x43\x09ipxe.efi\0\x3c\x09PXEClient");
    expected.extend([43, 7, 71, 4, 0x80, 0, 0, 0, 255]);
    expected.extend([97, 17]);
    expected.extend(UUID);
    expected.push(255);
    assert!(expected.len() > 300);
    assert_eq!(ack.bytes, expected);
}

#[test]
fn boot_server_answers_port_68_too_and_a_bios_rom_in_either_mode() {
    for mut server in [proxy(), server()] {
        let request = bios(Packet::new(3, MAC)).ciaddr(ip(50));
        let ack = reply(at_boot_server(&mut server, request, "10.0.0.50:68", SERVER));
        assert_eq!(
            ack.destination,
            Destination::Client("10.0.0.50:68".parse().unwrap())
        );
        assert_eq!(&ack.bytes[108..117], b"ipxe.efi\0");
        assert_eq!(get(&ack.bytes, 43), None, "no item was asked for");
    }
}

#[test]
fn boot_server_broadcasts_to_a_client_that_shows_no_address() {
    let request = bios(Packet::new(3, MAC));
    let outcome = at_boot_server(&mut proxy(), request, "0.0.0.0:68", Ipv4Addr::BROADCAST);
    let ack = reply(outcome);
    assert_eq!(
        ack.destination,
        Destination::Broadcast("255.255.255.255:68".parse().unwrap())
    );
    assert_eq!(ack.transaction.address, None);
}

/// Who has an address by another server is known by that.
#[test]
fn boot_server_is_asked_by_the_address_that_it_comes_from() {
    let request = bios(Packet::new(3, MAC));
    let outcome = at_boot_server(&mut proxy(), request, "10.0.0.77:4011", SERVER);
    assert_eq!(reply(outcome).transaction.address, Some(ip(77)));
}

#[test]
fn boot_server_echoes_only_an_item_of_four_bytes() {
    for item in [&[71, 2, 0x80, 0][..], &[71, 5, 0, 0, 0, 0, 0], &[71, 4, 1]] {
        let request = bios(Packet::new(3, MAC)).option(43, item);
        let ack = reply(at_boot_server(
            &mut proxy(),
            request,
            "10.0.0.50:68",
            SERVER,
        ));
        assert_eq!(get(&ack.bytes, 43), None, "{item:?}");
    }
}

#[test]
fn boot_server_takes_what_is_sent_to_its_address_and_leaves_what_names_another() {
    let other = |packet: Packet| bios(packet).option(54, &ip(9).octets());
    let request = other(Packet::new(3, MAC));
    let outcome = at_boot_server(&mut proxy(), request.clone(), "10.0.0.50:68", SERVER);
    assert_eq!(reply(outcome).kind, MessageType::ACK);
    let all = Ipv4Addr::BROADCAST;
    let outcome = at_boot_server(&mut proxy(), request, "10.0.0.50:68", all);
    assert_eq!(silence(outcome), SilenceReason::OtherServer);
}

#[test]
fn boot_server_serves_requests_of_pxe_clients_only() {
    for kind in [1, 4, 7, 8] {
        let packet = bios(Packet::new(kind, MAC));
        let outcome = at_boot_server(&mut proxy(), packet, "10.0.0.50:68", SERVER);
        assert_eq!(silence(outcome), SilenceReason::NotServed, "type {kind}");
    }
    let system = Packet::new(3, MAC);
    let outcome = at_boot_server(&mut proxy(), system, "10.0.0.50:68", SERVER);
    assert_eq!(silence(outcome), SilenceReason::NothingToBoot);
}

#[test]
fn boot_server_finds_the_network_of_a_routed_client_by_its_address() {
    let mut network = network();
    network.mode = Mode::Proxy;
    network.link = Link::Relay;
    network.server = Ipv4Addr::new(192, 0, 2, 1);
    let server_address = network.server;
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let request = uefi(Packet::new(3, MAC));
    let outcome = at_boot_server(&mut server, request, "10.0.0.50:4011", server_address);
    assert_eq!(reply(outcome).bytes[20..24], [192, 0, 2, 1]);
}

#[test]
fn policys_options_go_out_with_proxy_offer_and_boot_servers_ack() {
    let with_root = boot("x").with_options([ExtraOption::new(key::ROOT_PATH, &Text::from("/r"))]);
    let mut server = proxy();
    let offer = handle_boot(&mut server, NOW, uefi(Packet::discover(MAC)), with_root);
    assert_eq!(get(&reply(offer).bytes, 17).as_deref(), Some(&b"/r"[..]));
}
