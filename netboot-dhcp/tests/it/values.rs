//! Every typed option under its registered code, in bytes written by hand after its RFC: RFC 2132
//! whole, what later RFCs add for network boot, and the sub-options of 43 and 175.

use crate::packet::*;
use netboot_dhcp::Seconds;
use netboot_dhcp::value::{
    AddressPair, Arch, Authentication, ClasslessRoute, ClientId, DomainSearch, Enterprise, Key,
    MachineId, MessageType, NetworkInterface, Parameters, SubOptions, Text, UserClass, Value,
    VendorClass, ipxe, key, pxe,
};
use netboot_dhcp::wire::{MessageView, OptionCode, Options};
use std::fmt::Debug;
use std::net::Ipv4Addr;

/// The key has this code, reads these bytes of a message as this value, and writes them.
#[track_caller]
fn row<T: Value + PartialEq + Debug>(key: Key<T>, code: u8, data: &[u8], expected: T) {
    assert_eq!(key.code(), OptionCode(code));
    assert!(OptionCode(code).name().is_some(), "{code} is registered");
    let bytes = Packet(Packet::discover(MAC).0[..240].to_vec())
        .option(code, data)
        .end();
    let view = MessageView::decode(&bytes).unwrap();
    let mut options = Options::new();
    options.put(key, &expected);
    assert_eq!(options.raw(OptionCode(code)).as_deref(), Some(data));
    assert_eq!(view.read(key), Ok(Some(expected)));
}

#[test]
fn addresses_are_four_bytes() {
    for (key, code) in [
        (key::SUBNET_MASK, 1),
        (key::SWAP_SERVER, 16),
        (key::BROADCAST_ADDRESS, 28),
        (key::ROUTER_REQUEST, 32),
        (key::REQUESTED_ADDRESS, 50),
        (key::SERVER_ID, 54),
        (key::SUBNET_SELECTION, 118),
    ] {
        row(key, code, &[10, 0, 0, 1], SERVER);
    }
}

#[test]
fn lists_of_addresses_are_four_bytes_each() {
    for (key, code) in [
        (key::ROUTERS, 3),
        (key::TIME_SERVERS, 4),
        (key::NAME_SERVERS, 5),
        (key::DNS_SERVERS, 6),
        (key::LOG_SERVERS, 7),
        (key::QUOTES_SERVERS, 8),
        (key::LPR_SERVERS, 9),
        (key::IMPRESS_SERVERS, 10),
        (key::RLP_SERVERS, 11),
        (key::NIS_SERVERS, 41),
        (key::NTP_SERVERS, 42),
        (key::NETBIOS_NAME_SERVERS, 44),
        (key::NETBIOS_DISTRIBUTION_SERVERS, 45),
        (key::X_FONT_SERVERS, 48),
        (key::X_DISPLAY_MANAGERS, 49),
        (key::NISPLUS_SERVERS, 65),
        (key::HOME_AGENTS, 68),
        (key::SMTP_SERVERS, 69),
        (key::POP3_SERVERS, 70),
        (key::NNTP_SERVERS, 71),
        (key::WWW_SERVERS, 72),
        (key::FINGER_SERVERS, 73),
        (key::IRC_SERVERS, 74),
        (key::STREETTALK_SERVERS, 75),
        (key::STDA_SERVERS, 76),
        (key::TFTP_SERVER_ADDRESS, 150),
    ] {
        row(key, code, &[10, 0, 0, 1, 10, 0, 0, 2], vec![SERVER, ip(2)]);
    }
}

#[test]
fn texts_are_their_bytes() {
    for (key, code) in [
        (key::HOST_NAME, 12),
        (key::MERIT_DUMP_FILE, 14),
        (key::DOMAIN_NAME, 15),
        (key::ROOT_PATH, 17),
        (key::EXTENSION_FILE, 18),
        (key::NIS_DOMAIN, 40),
        (key::MESSAGE, 56),
        (key::NETWARE_DOMAIN, 62),
        (key::NISPLUS_DOMAIN, 64),
        (key::TFTP_SERVER_NAME, 66),
        (key::BOOT_FILE_NAME, 67),
        (key::POSIX_TIMEZONE, 100),
        (key::TZDB_TIMEZONE, 101),
        (key::CAPTIVE_PORTAL, 114),
        (key::PXELINUX_CONFIG, 209),
        (key::PXELINUX_PATH_PREFIX, 210),
        (key::WPAD, 252),
    ] {
        row(key, code, b"a/b.c", Text::from("a/b.c"));
    }
}

#[test]
fn flags_are_a_byte_of_0_or_1() {
    for (key, code) in [
        (key::FORWARDING, 19),
        (key::SOURCE_ROUTING, 20),
        (key::ALL_SUBNETS_LOCAL, 27),
        (key::MASK_DISCOVERY, 29),
        (key::MASK_SUPPLIER, 30),
        (key::ROUTER_DISCOVERY, 31),
        (key::TRAILERS, 34),
        (key::ETHERNET_ENCAPSULATION, 36),
        (key::KEEPALIVE_DATA, 39),
    ] {
        row(key, code, &[0], false);
        row(key, code, &[1], true);
    }
}

#[test]
fn times_are_seconds_in_four_bytes() {
    for (key, code) in [
        (key::MTU_TIMEOUT, 24),
        (key::ARP_TIMEOUT, 35),
        (key::KEEPALIVE_TIME, 38),
        (key::LEASE_TIME, 51),
        (key::RENEWAL_TIME, 58),
        (key::REBINDING_TIME, 59),
        (key::IPV6_ONLY_PREFERRED, 108),
        (key::PXELINUX_REBOOT_TIME, 211),
    ] {
        row(key, code, &[0, 1, 0x51, 0x80], Seconds(86_400));
    }
}

#[test]
fn small_numbers_are_a_byte() {
    for (key, code) in [
        (key::DEFAULT_IP_TTL, 23),
        (key::DEFAULT_TCP_TTL, 37),
        (key::NETBIOS_NODE_TYPE, 46),
        (key::OVERLOAD, 52),
    ] {
        row(key, code, &[2], 2);
    }
}

#[test]
fn larger_numbers_are_two_bytes() {
    for (key, code) in [
        (key::BOOT_FILE_SIZE, 13),
        (key::MAX_REASSEMBLY, 22),
        (key::INTERFACE_MTU, 26),
        (key::MAX_MESSAGE_SIZE, 57),
    ] {
        row(key, code, &[2, 64], 576);
    }
}

#[test]
fn other_types_of_rfc_2132_are_as_it_has_them() {
    row(key::TIME_OFFSET, 2, &[0xff, 0xff, 0xf1, 0xf0], -3600);
    let pair = AddressPair {
        destination: ip(9),
        by: SERVER,
    };
    let pair_bytes = [10, 0, 0, 9, 10, 0, 0, 1];
    row(key::POLICY_FILTER, 21, &pair_bytes, vec![pair]);
    row(key::STATIC_ROUTES, 33, &pair_bytes, vec![pair]);
    row(key::MTU_PLATEAU, 25, &[0, 68, 5, 220], vec![68, 1500]);
    row(
        key::NETBIOS_SCOPE,
        47,
        b"scope",
        bytes::Bytes::from_static(b"scope"),
    );
    row(key::MESSAGE_TYPE, 53, &[8], MessageType::INFORM);
    let asked = Parameters(vec![OptionCode(1), OptionCode(67)]);
    row(key::PARAMETER_LIST, 55, &[1, 67], asked);
    row(
        key::VENDOR_CLASS,
        60,
        b"PXEClient",
        VendorClass::from("PXEClient"),
    );
    let id = bytes::Bytes::from_static(&[1, 2, 3]);
    row(key::CLIENT_ID, 61, &[1, 2, 3], ClientId(id));
    row(
        key::NETWARE_OPTION,
        63,
        &[5, 1, 1],
        sub_options(&[(5, &[1])]),
    );
}

#[test]
fn types_of_later_rfcs_are_as_they_have_them() {
    row(key::USER_CLASS, 77, b"iPXE", UserClass::bare(b"iPXE"));
    row(key::RAPID_COMMIT, 80, &[], ());
    let authentication = Authentication {
        protocol: 1,
        algorithm: 1,
        replay_method: 0,
        replay: 0x0102_0304_0506_0708,
        information: bytes::Bytes::from_static(&[9]),
    };
    let wire = [1, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    row(key::AUTHENTICATION, 90, &wire, authentication);
    row(
        key::CLIENT_ARCH,
        93,
        &[0, 7, 0, 9],
        vec![Arch::X64_UEFI, Arch::EBC],
    );
    let interface = NetworkInterface {
        kind: 1,
        major: 3,
        minor: 16,
    };
    row(key::CLIENT_NDI, 94, &[1, 3, 16], interface);
    row(key::MACHINE_ID, 97, &[0; 17], MachineId::Uuid([0; 16]));
    let mut search = DomainSearch::new();
    search.push("lab").unwrap();
    row(key::DOMAIN_SEARCH, 119, b"\x03lab\0", search);
    let route = ClasslessRoute::new(ip(0), 24, SERVER).unwrap();
    let wire = [24, 10, 0, 0, 10, 0, 0, 1];
    row(key::CLASSLESS_ROUTES, 121, &wire, vec![route]);
    row(key::MS_CLASSLESS_ROUTES, 249, &wire, vec![route]);
    let vendor = Enterprise::new(9, &[1, 1, 7]).unwrap();
    let wire = [0, 0, 0, 9, 3, 1, 1, 7];
    row(key::VI_VENDOR_CLASS, 124, &wire, vec![vendor.clone()]);
    row(key::VI_VENDOR_SPECIFIC, 125, &wire, vec![vendor]);
    row(
        key::PXELINUX_MAGIC,
        208,
        &[0xf1, 0, 0x74, 0x7e],
        0xf100_747e,
    );
    row(
        key::VENDOR_SPECIFIC,
        43,
        &[6, 1, 8, 255],
        sub_options(&[(6, &[8])]).terminated(),
    );
    row(key::IPXE, 175, &[176, 1, 1], sub_options(&[(176, &[1])]));
    row(key::RELAY_AGENT, 82, &[1, 1, 9], sub_options(&[(1, &[9])]));
}

#[test]
fn unregistered_code_has_no_name_and_keeps_its_bytes() {
    let bytes = Packet::discover(MAC).option(230, b"raw").end();
    let view = MessageView::decode(&bytes).unwrap();
    assert_eq!(OptionCode(230).name(), None);
    assert_eq!(view.raw(OptionCode(230)).as_deref(), Some(&b"raw"[..]));
}

#[test]
fn broadcast_is_the_first_bit_of_the_flags() {
    for (flags, broadcast) in [([0x80, 0], true), ([0, 0x80], false), ([0x7f, 0xff], false)] {
        let bytes = Packet::discover(MAC).at(10, &flags).end();
        assert_eq!(MessageView::decode(&bytes).unwrap().broadcast(), broadcast);
    }
}

fn sub_options(list: &[(u8, &[u8])]) -> SubOptions {
    let mut options = SubOptions::new();
    for (code, data) in list {
        options.add_raw(*code, data).unwrap();
    }
    options
}

#[test]
fn pxe_sub_options_have_the_numbers_of_its_specification() {
    let numbers = [
        pxe::MTFTP_ADDRESS,
        pxe::MTFTP_CLIENT_PORT,
        pxe::MTFTP_SERVER_PORT,
        pxe::MTFTP_TIMEOUT,
        pxe::MTFTP_DELAY,
        pxe::DISCOVERY_CONTROL,
        pxe::DISCOVERY_MULTICAST,
        pxe::BOOT_SERVERS,
        pxe::BOOT_MENU,
        pxe::MENU_PROMPT,
        pxe::MULTICAST_ALLOCATION,
        pxe::CREDENTIAL_TYPES,
        pxe::BOOT_ITEM,
    ];
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 71]);
    let wire = [
        1, 4, 224, 1, 1, 1, 4, 1, 5, 7, 4, 224, 1, 1, 2, 71, 4, 0, 1, 0, 2,
    ];
    let read = SubOptions::decode(&wire).unwrap();
    assert_eq!(
        read.read(pxe::MTFTP_ADDRESS),
        Ok(Some(Ipv4Addr::new(224, 1, 1, 1)))
    );
    assert_eq!(read.read(pxe::MTFTP_TIMEOUT), Ok(Some(5_u8)));
    assert_eq!(
        read.read(pxe::DISCOVERY_MULTICAST),
        Ok(Some(Ipv4Addr::new(224, 1, 1, 2)))
    );
    let item = pxe::BootItem { kind: 1, layer: 2 };
    assert_eq!(read.read(pxe::BOOT_ITEM), Ok(Some(item)));
}

#[test]
fn ipxe_settings_are_read_under_their_numbers() {
    let wire = [
        1, 1, 0xff, 8, 1, 1, 176, 1, 1, 189, 1, 0x80, 190, 2, b'm', b'e', 0x13, 1, 1,
    ];
    let read = SubOptions::decode(&wire).unwrap();
    assert_eq!(read.read(ipxe::KEEP_SAN), Ok(Some(1_u8)));
    assert_eq!(read.read(ipxe::NO_PROXY_DHCP), Ok(Some(1_u8)));
    assert_eq!(read.read(ipxe::BIOS_DRIVE), Ok(Some(0x80_u8)));
    assert_eq!(read.read(ipxe::USERNAME), Ok(Some(Text::from("me"))));
    let features: Vec<_> = ipxe::features(&read).filter_map(ipxe::feature).collect();
    assert_eq!(features, ["HTTP"]);
}
