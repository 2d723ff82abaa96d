//! What goes on the wire for each firmware. Expected bytes are written by hand, after RFC 2132,
//! RFC 4578, the PXE 2.1 specification and what firmware is known to need.

use crate::packet::*;
use netboot_dhcp::server::{Boot, ExtraOption, Reservation, Server, Settings};
use netboot_dhcp::value::{Text, key};
use netboot_dhcp::wire::OptionCode;
use netboot_dhcp::{MacAddr, Seconds, Timestamp};
use std::net::Ipv4Addr;

const PXE: &[u8] = b"PXEClient:Arch:00007:UNDI:003000";
const HTTP: &[u8] = b"HTTPClient:Arch:00016:UNDI:003000";

fn boot(file: &str) -> Boot {
    Boot::file(file)
}

fn offered(packet: Packet, boot: Boot) -> Vec<u8> {
    offered_by(&mut server(), packet, boot)
}

fn offered_by(server: &mut Server, packet: Packet, boot: Boot) -> Vec<u8> {
    reply(handle_boot(server, NOW, packet, boot)).bytes.to_vec()
}

fn get(bytes: &[u8], code: u8) -> Option<Vec<u8>> {
    let options = options_of(bytes).into_iter();
    options
        .filter(|(one, _)| *one == code)
        .map(|(_, data)| data)
        .reduce(|joined, more| [joined, more].concat())
}

fn codes(bytes: &[u8]) -> Vec<u8> {
    options_of(bytes).iter().map(|(code, _)| *code).collect()
}

#[test]
fn offer_to_pxe_firmware_is_this_to_the_byte() {
    let discover = Packet::discover(MAC)
        .broadcast()
        .option(57, &[5, 0xc0])
        .option(60, PXE)
        .option(93, &[0, 7])
        .option(
            97,
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        )
        .option(55, &[1, 3, 66, 67]);
    let mut expected = vec![0; 240];
    expected[..4].copy_from_slice(&[2, 1, 6, 0]);
    expected[4..8].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
    expected[10] = 0x80;
    expected[16..20].copy_from_slice(&[10, 0, 0, 100]);
    expected[20..24].copy_from_slice(&[10, 0, 0, 1]);
    expected[28..34].copy_from_slice(&MAC.0);
    expected[108..116].copy_from_slice(b"ipxe.efi");
    expected[236..].copy_from_slice(&[99, 130, 83, 99]);
    for option in [
        &[53, 1, 2][..],
        &[54, 4, 10, 0, 0, 1],
        &[51, 4, 0, 0, 1, 44],
        &[58, 4, 0, 0, 0, 150],
        &[59, 4, 0, 0, 1, 7],
        &[1, 4, 255, 255, 255, 0],
        b"\x42\x0910.0.0.1\0",
        b"\x43\x09ipxe.efi\0",
        b"\x3c\x09PXEClient",
        &[43, 4, 6, 1, 8, 255],
        &[
            97, 17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        ],
        &[255],
    ] {
        expected.extend_from_slice(option);
    }
    assert!(expected.len() > 300);
    assert_eq!(offered(discover, boot("ipxe.efi")), expected);
}

#[test]
fn pxe_class_goes_out_with_its_control_or_not_at_all() {
    let discover = Packet::discover(MAC).option(60, PXE);
    let with = offered(discover.clone(), boot("ipxe.efi"));
    let order = codes(&with);
    let class = order.iter().position(|code| *code == 60).unwrap();
    let control = order.iter().position(|code| *code == 43).unwrap();
    assert!(class < control, "Intel's ROMs want 60 before 43");
    let without = codes(&offered(discover, Boot::default()));
    assert!(!without.contains(&60) && !without.contains(&43));
}

const MENU: &[u8] = b"\x06\x01\x03\x0a\x04\x00PXE\x09\x14\x00\x00\x11Raspberry Pi Boot\xff";
const USE_FILE: &[u8] = &[6, 1, 8, 255];

#[test]
fn boot_rom_of_a_raspberry_pi_gets_its_menu_and_uefi_on_one_does_not() {
    let board = MacAddr([0x88, 0xa2, 0x9e, 1, 2, 3]);
    let named = b"\0RPi5\x11\x31\xc0\x00\x12\x34\x56\x78\x9a\xbc\xde\xf0";
    let bios = b"PXEClient:Arch:00000:UNDI:002001";
    let rpiboot = b"PXEClient:Arch:00041:UNDI:002001";
    let arm64 = b"PXEClient:Arch:00011:UNDI:003000";
    let x = |mac, class: &[u8], arch| {
        Packet::discover(mac)
            .option(60, class)
            .option(93, &[0, arch])
    };
    for (discover, expected) in [
        (x(board, bios, 0), MENU),
        // Option 60 says it, too.
        (Packet::discover(board).option(60, bios), MENU),
        (x(MAC, bios, 0).option(97, named), MENU),
        (x(MAC, rpiboot, 41), MENU),
        (x(MAC, bios, 0), USE_FILE),
        // EDK2 on the board (pftf/RPi4): the menu's item of type 0 would end its boot.
        (x(board, arm64, 11).option(97, named), USE_FILE),
    ] {
        let offer = offered(discover.clone(), boot("start4.elf"));
        assert_eq!(
            get(&offer, 43).as_deref(),
            Some(expected),
            "{:?}",
            discover.0
        );
    }
}

/// What U-Boot of 2025.01 sends on arm64: `dhcp_extended` in `net/bootp.c`, with the defaults of
/// `BOOTP_PXE_CLIENTARCH` and `BOOTP_VCI_STRING`.
#[test]
fn u_boot_gets_the_file_and_its_server_and_no_option_of_pxe() {
    let discover = Packet::discover(MAC)
        .option(57, &[2, 64])
        .option(93, &[0, 0x16])
        .option(94, &[1, 0, 0])
        .option(60, b"U-Boot.armv8")
        .option(55, &[1, 3, 6, 12, 17]);
    let offer = offered(discover, boot("ipxe-arm64.efi"));
    assert_eq!(offer[20..24], SERVER.octets());
    assert_eq!(&offer[108..123], b"ipxe-arm64.efi\0");
    assert_eq!(get(&offer, 67).as_deref(), Some(&b"ipxe-arm64.efi\0"[..]));
    assert_eq!((get(&offer, 43), get(&offer, 60)), (None, None));
}

#[test]
fn http_firmware_gets_its_class_back_and_the_url_in_option_and_field() {
    let url = "http://10.0.0.1/ipxe.efi";
    let offer = offered(Packet::discover(MAC).option(60, HTTP), boot(url));
    assert_eq!(get(&offer, 60).as_deref(), Some(&b"HTTPClient"[..]));
    assert_eq!(
        get(&offer, 67).as_deref(),
        Some(&b"http://10.0.0.1/ipxe.efi\0"[..])
    );
    assert_eq!(&offer[108..133], b"http://10.0.0.1/ipxe.efi\0");
    assert_eq!(get(&offer, 43), None);
    assert_eq!(get(&offer, 66), None);
}

#[test]
fn ipxe_is_told_not_to_wait_for_a_proxy() {
    let discover = Packet::discover(MAC).option(60, PXE).option(77, b"iPXE");
    let offer = offered(discover, boot("http://10.0.0.1/boot.ipxe"));
    assert_eq!(get(&offer, 175), Some(vec![176, 1, 1]));
    assert_eq!(get(&offer, 60), None);
    assert_eq!(get(&offer, 43), None);
    assert_eq!(
        get(&offer, 67).as_deref(),
        Some(&b"http://10.0.0.1/boot.ipxe\0"[..])
    );
}

#[test]
fn system_gets_a_long_lease_and_boot_options_only_if_it_asks() {
    let plain = offered(Packet::discover(MAC).option(55, &[1, 3]), boot("ipxe.efi"));
    assert_eq!(get(&plain, 51), Some(vec![0, 0, 14, 16]));
    assert_eq!(get(&plain, 67), None);
    let asks = offered(Packet::discover(MAC).option(55, &[67]), boot("ipxe.efi"));
    assert_eq!(get(&asks, 67).as_deref(), Some(&b"ipxe.efi"[..]));
}

#[test]
fn url_too_long_for_the_field_is_in_the_option_alone() {
    let url = format!("http://10.0.0.1/{}", "a".repeat(112));
    assert_eq!(url.len(), 128);
    let discover = Packet::discover(MAC).option(60, HTTP);
    let offer = offered(discover.clone(), boot(&url));
    assert_eq!(offer[108..236], [0; 128]);
    assert_eq!(get(&offer, 67).unwrap().len(), 129);
    let offer = offered(discover, boot(&url[..127]));
    assert_eq!(offer[234], b'a');
    assert_eq!(offer[235], 0, "the field keeps its NUL");
}

#[test]
fn machine_id_is_echoed_only_if_it_was_sent() {
    let discover = Packet::discover(MAC).option(60, PXE);
    let empty = discover.clone().option(97, &[]);
    for packet in [discover, empty] {
        assert_eq!(get(&offered(packet, boot("a")), 97), None);
    }
}

#[test]
fn relay_agent_information_is_echoed_last() {
    let agent = [1, 4, b'e', b't', b'h', b'0', 2, 2, 7, 8];
    let discover = Packet::discover(MAC)
        .option(82, &agent)
        .option(61, b"\x01abcdef");
    let boot = boot("ipxe.efi").with_options([ExtraOption::new(key::ROOT_PATH, &Text::from("/r"))]);
    let offer = offered(discover, boot);
    let options = options_of(&offer);
    assert_eq!(options.last(), Some(&(82, agent.to_vec())));
    assert_eq!(get(&offer, 61).as_deref(), Some(&b"\x01abcdef"[..]));
}

#[test]
fn short_reply_is_padded_to_300_bytes() {
    let offer = offered(Packet::discover(MAC).option(55, &[1]), Boot::default());
    assert_eq!(offer.len(), 300);
}

#[test]
fn network_settings_go_to_those_who_ask_or_leave_it_open() {
    let mut network = network();
    network.gateways = vec![SERVER];
    network.dns = vec![Ipv4Addr::new(9, 9, 9, 9), SERVER];
    network.domain = Some("lab".into());
    network.options = vec![ExtraOption::new(key::ROOT_PATH, &Text::from("/srv"))];
    network.reservations = vec![Reservation::new(MAC).with_host_name("node-01")];
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let open = offered_by(&mut server, Packet::discover(MAC), Boot::default());
    assert_eq!(get(&open, 3), Some(vec![10, 0, 0, 1]));
    assert_eq!(get(&open, 6), Some(vec![9, 9, 9, 9, 10, 0, 0, 1]));
    assert_eq!(get(&open, 15).as_deref(), Some(&b"lab"[..]));
    assert_eq!(get(&open, 12).as_deref(), Some(&b"node-01"[..]));
    assert_eq!(get(&open, 28), Some(vec![10, 0, 0, 255]));
    assert_eq!(get(&open, 17).as_deref(), Some(&b"/srv"[..]));
    let asked = Packet::discover(MAC).option(55, &[1]);
    let asked = codes(&offered_by(&mut server, asked, Boot::default()));
    assert_eq!(asked, [53, 54, 51, 58, 59, 1]);
}

#[test]
fn policys_options_replace_all_but_the_protocols_own() {
    let server_id = ExtraOption::new(key::SERVER_ID, &Ipv4Addr::new(6, 6, 6, 6));
    let class = ExtraOption {
        code: OptionCode::VENDOR_CLASS,
        data: b"AAPLBSDPC"[..].to_vec().into(),
    };
    let boot = boot("ipxe.efi").with_options([server_id, class]);
    let offer = offered(Packet::discover(MAC).option(60, PXE), boot);
    assert_eq!(get(&offer, 54), Some(vec![10, 0, 0, 1]));
    assert_eq!(get(&offer, 60).as_deref(), Some(&b"AAPLBSDPC"[..]));
}

#[test]
fn other_vendors_prefix_counts_as_pxe_where_configured() {
    let mut settings = Settings::new(vec![network()]);
    settings.pxe_classes = vec!["AAPLBSDPC".into()];
    let mut server = Server::new(settings).unwrap();
    let discover = Packet::discover(MAC).option(60, b"AAPLBSDPC/i386");
    let offer = offered_by(&mut server, discover, boot("ipxe.efi"));
    assert_eq!(get(&offer, 60).as_deref(), Some(&b"AAPLBSDPC/i386"[..]));
    assert_eq!(get(&offer, 43), Some(vec![6, 1, 8, 255]));
}

#[test]
fn reply_too_long_for_the_client_loses_what_it_can_do_without() {
    let long = |code, len| ExtraOption {
        code: OptionCode(code),
        data: vec![code; len].into(),
    };
    let boot = boot("ipxe.efi").with_options([long(224, 100), long(225, 200)]);
    let discover = Packet::discover(MAC).option(60, PXE).option(55, &[1, 3]);
    let small = offered(discover.clone(), boot.clone());
    assert!(small.len() <= 576 - 28, "{}", small.len());
    assert!(codes(&small).contains(&224));
    assert!(!codes(&small).contains(&225), "from the end");
    let large = offered(discover.option(57, &[5, 0xc0]), boot);
    assert!(codes(&large).contains(&225));
}

/// RFC 2132 section 9.10: option 57 counts the headers of IP and UDP; Ethernet carries 1,500 bytes.
#[test]
fn reply_is_as_long_as_client_and_ethernet_take_and_no_longer() {
    let of = |max_size: u16, len| {
        let data = vec![7; len].into();
        let code = OptionCode(224);
        let extra = [ExtraOption { code, data }];
        let discover = Packet::discover(MAC).option(55, &[1]);
        let discover = discover.option(57, &max_size.to_be_bytes());
        offered(discover, Boot::default().with_options(extra))
    };
    let lens = [(576, 576 - 28), (1_000, 1_000 - 28), (9_000, 1_500 - 28)];
    for (max_size, most) in lens {
        let fixed = of(max_size, 255);
        // What one more byte does: an option has two besides its value, each 255 bytes anew.
        let with = |len: usize| of(max_size, len);
        let rest = fixed.iter().rposition(|byte| *byte == 255).unwrap() + 1 - 257;
        let fits = most - rest;
        let value = fits - 2 * fits.div_ceil(257);
        assert_eq!(with(value).len(), most, "{max_size}");
        assert_eq!(get(&with(value), 224), Some(vec![7; value]));
        let without = with(value + 1);
        assert_eq!(get(&without, 224), None, "{max_size}");
        assert!(get(&without, 51).is_some() && get(&without, 54).is_some());
    }
}

/// What stands behind the options that are left out is no less needed.
#[test]
fn reply_too_long_keeps_what_its_client_and_relay_agent_cannot_do_without() {
    let mut id = vec![0; 17];
    id[1] = 7;
    let discover = Packet::discover(MAC).option(55, &[1]).option(97, &id);
    let discover = discover.option(61, b"\x01client").giaddr(ip(254));
    let data = vec![7; 600].into();
    let code = OptionCode(224);
    let boot = Boot::default().with_options([ExtraOption { code, data }]);
    let offer = offered(discover.option(82, b"\x01\x04port"), boot);
    assert_eq!(get(&offer, 224), None);
    assert_eq!(get(&offer, 97), Some(id));
    assert_eq!(get(&offer, 61).as_deref(), Some(&b"\x01client"[..]));
    assert_eq!(get(&offer, 82).as_deref(), Some(&b"\x01\x04port"[..]));
}

#[test]
fn options_go_over_no_field_where_that_is_not_allowed() {
    let long = |code| ExtraOption {
        code: OptionCode(code),
        data: vec![code; 120].into(),
    };
    let boot = boot("ipxe.efi").with_options([long(224), long(225), long(226)]);
    let offer = offered(Packet::discover(MAC).option(55, &[1, 67]), boot);
    assert_eq!(get(&offer, 52), None);
    assert_eq!(offer[108..116], *b"ipxe.efi");
}

#[test]
fn next_server_is_written_digit_by_digit() {
    for text in ["1.9.10.99", "100.101.109.110", "199.200.209.255"] {
        let boot = boot("ipxe.efi").with_next_server(text.parse().unwrap());
        let offer = offered(Packet::discover(MAC).option(60, PXE), boot);
        assert_eq!(get(&offer, 66), Some(format!("{text}\0").into_bytes()));
    }
}

#[test]
fn overload_saves_options_where_it_is_allowed() {
    let mut settings = Settings::new(vec![network()]);
    settings.overload = true;
    let mut server = Server::new(settings).unwrap();
    let long = |code| ExtraOption {
        code: OptionCode(code),
        data: vec![code; 120].into(),
    };
    let boot = boot("ipxe.efi").with_options([long(224), long(225), long(226)]);
    let discover = Packet::discover(MAC).option(55, &[1, 67]);
    let offer = offered_by(&mut server, discover, boot);
    assert!(offer.len() <= 576 - 28);
    assert_eq!(get(&offer, 52), Some(vec![1]));
    assert_eq!(offer[108..110], [226, 120]);
    assert_eq!(get(&offer, 67).as_deref(), Some(&b"ipxe.efi"[..]));
}

/// RFC 2131 section 3.3: 0xffffffff is infinity. What never ends has no time at which to renew it,
/// and its lease no end.
#[test]
fn an_address_that_is_lent_for_ever_has_no_end_and_is_not_renewed() {
    let mut network = network();
    network.lease_time = Seconds::INFINITE;
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let outcome = run(&mut server, NOW, Packet::discover(MAC));
    let offer = reply(outcome).bytes.to_vec();
    assert_eq!(get(&offer, 51), Some(vec![255; 4]));
    assert_eq!((get(&offer, 58), get(&offer, 59)), (None, None));
    assert_eq!(
        bind(&mut server, NOW, OTHER_MAC).expires,
        Timestamp(u64::MAX)
    );
}
