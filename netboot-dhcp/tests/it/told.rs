//! What the boot policy is told of who asks. The options' bytes are after RFC 2132, 3004, 4578 and
//! the sources that [`Firmware`] names.

use crate::packet::*;
use netboot_dhcp::MacAddr;
use netboot_dhcp::server::{Boot, Firmware, Incoming, Outcome};
use netboot_dhcp::value::Arch;
use netboot_dhcp::wire::MessageView;
use std::net::SocketAddrV4;

/// What the policy sees of a message, where it is asked.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    firmware: Firmware,
    mac: Option<MacAddr>,
    archs: Vec<Arch>,
    uuid: Option<[u8; 16]>,
    classes: usize,
    vendor_class: bool,
    host_name: Option<String>,
    features: Vec<u8>,
}

fn told(packet: Packet) -> Told {
    let mut server = server();
    let bytes = packet.end();
    let from = "0.0.0.0:68".parse().unwrap();
    let incoming = Incoming::new(MessageView::decode(&bytes).unwrap(), from, 2);
    let mut told = None;
    let outcome = server.handle_with(NOW, &incoming, |machine| {
        told = Some(Told {
            firmware: machine.firmware,
            mac: machine.mac(),
            archs: machine.archs(),
            uuid: machine.uuid(),
            classes: machine
                .user_class()
                .map_or(0, |class| class.classes().count()),
            vendor_class: machine.vendor_class().is_some(),
            host_name: machine.host_name(),
            features: machine.ipxe_features(),
        });
        Boot::default().with_host_name("node-01")
    });
    let Outcome::Reply(offer) = outcome else {
        panic!("{outcome:?}");
    };
    let name = options_of(&offer.bytes).into_iter();
    let mut name = name.filter(|(code, _)| *code == 12);
    assert_eq!(name.next(), Some((12, b"node-01".to_vec())));
    told.expect("the policy is asked")
}

#[test]
fn each_option_of_a_boot_stage_reaches_the_policy() {
    let mut id = [9; 17];
    id[0] = 0;
    let packet = Packet::discover(MAC)
        .option(12, b"asks-so")
        .option(60, b"PXEClient:Arch:00000:UNDI:002001")
        .option(77, b"\x04iPXE\x03lab")
        .option(93, &[0, 7, 0, 9])
        .option(97, &id)
        .option(175, &[19, 1, 1, 24, 1, 1]);
    let expected = Told {
        firmware: Firmware::Ipxe,
        mac: Some(MAC),
        archs: vec![Arch::X64_UEFI, Arch::EBC, Arch::X86_BIOS],
        uuid: Some([9; 16]),
        classes: 2,
        vendor_class: true,
        host_name: Some("asks-so".to_owned()),
        features: vec![19, 24],
    };
    assert_eq!(told(packet), expected);
}

#[test]
fn what_a_system_does_not_say_is_none() {
    let expected = Told {
        firmware: Firmware::Other,
        mac: Some(MAC),
        archs: Vec::new(),
        uuid: None,
        classes: 0,
        vendor_class: false,
        host_name: None,
        features: Vec::new(),
    };
    assert_eq!(told(Packet::discover(MAC)), expected);
}

/// UEFI says UNDI 3.0 in options 60 and 94, U-Boot in 60 alone.
#[test]
fn u_boot_that_hosts_uefi_is_told_by_its_interface() {
    let says = |class: &[u8], interface: &[u8]| {
        let packet = Packet::discover(MAC).option(60, class);
        told(packet.option(94, interface)).firmware
    };
    let uefi = b"PXEClient:Arch:00011:UNDI:003000";
    assert_eq!(says(uefi, &[1, 0, 0]), Firmware::UBoot);
    assert_eq!(says(uefi, &[1, 3, 0]), Firmware::PxeClient);
    let bios = b"PXEClient:Arch:00000:UNDI:002001";
    assert_eq!(says(bios, &[1, 0, 0]), Firmware::PxeClient);
}

/// For a log line: what it will be offered, asks for, or has (RFC 2131 table 5).
#[test]
fn policy_is_told_which_address_the_message_is_about() {
    let about = |packet: Packet| {
        let mut server = server();
        let own = <[u8; 4]>::try_from(&packet.0[12..16]).unwrap();
        let bytes = packet.end();
        let from = SocketAddrV4::new(own.into(), 68);
        let incoming = Incoming::new(MessageView::decode(&bytes).unwrap(), from, 2);
        let mut about = None;
        drop(server.handle_with(NOW, &incoming, |machine| {
            about = machine.transaction.address;
            Boot::default()
        }));
        about
    };
    let discover = || Packet::discover(MAC);
    assert_eq!(about(discover()), Some(ip(100)));
    assert_eq!(
        about(discover().option(50, &[10, 0, 0, 101])),
        Some(ip(101))
    );
    assert_eq!(
        about(Packet::selecting(MAC, ip(102), SERVER)),
        Some(ip(102))
    );
    assert_eq!(about(Packet::new(3, MAC).ciaddr(ip(101))), Some(ip(101)));
    assert_eq!(about(Packet::new(8, MAC).ciaddr(ip(9))), Some(ip(9)));
}
