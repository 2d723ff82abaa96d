//! Whole messages as people and other programs read them. The values of captured ones are those
//! that tshark reads (see the captures); names of options are the registry's.

use crate::captures::Capture;
use crate::packet::{MAC, Packet};
use netboot_dhcp::wire::{Message, MessageView};

const CAPTURES: [(&str, &str); 6] = [
    (
        "dhclient_discover",
        r#"DHCPDISCOVER from 52:54:00:12:34:04, xid 8ce9d60a
  53 DHCP Msg Type: DHCPDISCOVER
  12 Hostname: "netboot-test"
  55 Parameter List: 1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42"#,
    ),
    (
        "ipxe_bios_discover",
        r#"DHCPDISCOVER from 52:54:00:12:34:01, xid 0deba533
  secs 4
  53 DHCP Msg Type: DHCPDISCOVER
  57 DHCP Max Msg Size: 1472
  93 Client System: 0 (x86 BIOS)
  94 Client NDI: 1, 2, 1
  60 Class Id: "PXEClient:Arch:00000:UNDI:002001"
  77 User-Class: "iPXE"
  55 Parameter List: 1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 129, 130, 131, 132, 133, 134, 135, 175, 203
  175 Etherboot (iPXE encapsulated options): features DNS, ELF, HTTP, iSCSI, Menu, Multiboot, NFS, PXE extensions, PXE, TFTP, bzImage, AoE; sub_options 177=018086100e, 235=010000, 23=01, 34=01, 19=01, 17=01, 39=01, 25=01, 41=01, 16=02, 33=01, 21=01, 24=01, 18=01
  61 Client Id: 01:52:54:00:12:34:01
  97 UUID/GUID: 00000000-0000-0000-0000-000000000000"#,
    ),
    (
        "nmap_discover",
        r#"DHCPDISCOVER from de:ad:c0:de:ca:fe, xid 70fe87f3
  flags 8000, broadcast
  53 DHCP Msg Type: DHCPDISCOVER
  55 Parameter List: 252, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 67, 66"#,
    ),
    (
        "ovmf_http_discover",
        r#"DHCPDISCOVER from 52:54:00:12:34:03, xid 673586e8
  flags 8000, broadcast
  53 DHCP Msg Type: DHCPDISCOVER
  57 DHCP Max Msg Size: 1472
  55 Parameter List: 1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 235, 67, 97
  97 UUID/GUID: 00000000-0000-0000-0000-000000000000
  94 Client NDI: 1, 3, 0
  93 Client System: 16 (x64 uefi boot from http)
  60 Class Id: "HTTPClient:Arch:00016:UNDI:003000""#,
    ),
    (
        "ovmf_pxe_discover",
        r#"DHCPDISCOVER from 52:54:00:12:34:02, xid 673586e8
  flags 8000, broadcast
  53 DHCP Msg Type: DHCPDISCOVER
  57 DHCP Max Msg Size: 1472
  55 Parameter List: 1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97, 128, 129, 130, 131, 132, 133, 134, 135
  97 UUID/GUID: 00000000-0000-0000-0000-000000000000
  94 Client NDI: 1, 3, 0
  93 Client System: 7 (x64 UEFI)
  60 Class Id: "PXEClient:Arch:00007:UNDI:003000""#,
    ),
    (
        "udhcpc_discover",
        r#"DHCPDISCOVER from b6:1b:77:ee:39:b0, xid 2e6cca27
  53 DHCP Msg Type: DHCPDISCOVER
  57 DHCP Max Msg Size: 576
  55 Parameter List: 1, 3, 6, 12, 15, 28, 42
  60 Class Id: "udhcp 1.35.0"
  61 Client Id: 01:b6:1b:77:ee:39:b0"#,
    ),
];

#[test]
fn captured_messages_are_shown_with_typed_options() {
    for (name, expected) in CAPTURES {
        let bytes = Capture::named(name).bytes();
        let view = MessageView::decode(&bytes).unwrap();
        assert_eq!(view.to_string(), expected, "{name}");
        assert_eq!(Message::from(&view).to_string(), expected, "{name}");
    }
}

/// An OFFER through a relay agent, with a value of each kind.
fn offer() -> Packet {
    Packet::new(2, MAC)
        .at(0, &[2])
        .at(3, &[1])
        .at(4, &[0, 0, 0, 7])
        .at(16, &[10, 0, 0, 100])
        .at(20, &[10, 0, 0, 1])
        .at(24, &[10, 0, 0, 254])
        .at(44, b"boot\0rest")
        .at(108, b"ipxe.efi\0")
        .option(2, &[0xff, 0xff, 0xf1, 0xf0])
        .option(3, &[10, 0, 0, 1, 10, 0, 0, 2])
        .option(19, &[1])
        .option(33, &[10, 9, 0, 0, 10, 0, 0, 1])
        .option(47, &[0xca, 0xfe])
        .option(51, &[0, 0, 14, 16])
        .option(67, b"a\x1b[31m\"\xc3\xa9\0")
        .option(80, &[])
        .option(82, &[1, 4, b'e', b't', b'h', b'0'])
        .option(90, &[3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0xaa])
        .option(119, b"\x03lab\0\x03www\xc0\x00")
        .option(121, &[24, 10, 17, 0, 10, 0, 0, 1])
        .option(125, &[0, 0, 0x0d, 0xe9, 3, 1, 1, 7])
        .option(224, b"site")
        .option(225, &[])
}

#[test]
fn every_kind_of_value_is_shown_and_texts_are_escaped() {
    let bytes = offer().end();
    let view = MessageView::decode(&bytes).unwrap();
    let expected = r#"DHCPOFFER to 52:54:00:12:34:56, xid 00000007
  hops 1
  yiaddr 10.0.0.100
  siaddr 10.0.0.1
  giaddr 10.0.0.254
  sname "boot"
  file "ipxe.efi"
  53 DHCP Msg Type: DHCPOFFER
  2 Time Offset: -3600
  3 Router: 10.0.0.1, 10.0.0.2
  19 Forward On/Off: true
  33 Static Route: 10.9.0.0 by 10.0.0.1
  47 NETBIOS Scope: cafe
  51 Address Time: 3600 s
  67 Bootfile-Name: "a\u{1b}[31m\"é"
  80 Rapid Commit: true
  82 Relay Agent Information: 1=65746830
  90 Authentication: protocol 3; algorithm 1; replay_method 0; replay 7; information 01aa
  119 Domain Search: lab, www.lab
  121 Classless Static Route Option: 10.17.0.0/24 by 10.0.0.1
  125 V-I Vendor-Specific Information: 3561=010107
  224: 73697465
  225: no bytes"#;
    assert_eq!(view.to_string(), expected);
    assert_eq!(Message::from(&view).to_string(), expected);
}

#[test]
fn what_is_malformed_or_repeated_says_so_in_its_place() {
    let mut bytes = Packet::new(1, MAC)
        .at(0, &[7])
        .at(2, &[20])
        .option(51, &[0, 14])
        .option(54, &[10, 0, 0, 1])
        .option(12, b"no")
        .option(54, &[10, 0, 0, 2])
        .option(12, b"de")
        .option(61, &[])
        .end();
    bytes.pop();
    bytes.extend([60, 200, b'P']);
    let view = MessageView::decode(&bytes).unwrap();
    let hardware = "1-52:54:00:12:34:56:00:00:00:00:00:00:00:00:00:00";
    let offset = bytes.len() - 3;
    let expected = format!(
        r#"DHCPDISCOVER of {hardware}, op 7, xid deadbeef
  hlen 20
  53 DHCP Msg Type: DHCPDISCOVER
  51 Address Time: 000e malformed: it has 2 bytes where its type has 4
  54 DHCP Server Id: 10.0.0.1
  12 Hostname: "node"
  54 DHCP Server Id again: 0a000002
  12 Hostname again: 6465
  61 Client Id: malformed: it has 0 bytes where its type has at least 1
  malformed: option 60 at offset {offset} says 200 bytes where 1 are left"#
    );
    assert_eq!(view.to_string(), expected);
    let bytes = Packet::new(1, MAC).at(240, &[224]).end();
    let view = MessageView::decode(&bytes).unwrap();
    let expected = "no message type from 52:54:00:12:34:56, xid deadbeef\n  224: 01";
    assert_eq!(view.to_string(), expected);
}

#[test]
fn fields_that_hold_options_are_no_names() {
    let bytes = Packet::new(1, MAC)
        .at(108, &[12, 4, b'n', b'o', b'd', b'e', 255])
        .option(52, &[1])
        .end();
    let view = MessageView::decode(&bytes).unwrap();
    let expected = r#"DHCPDISCOVER from 52:54:00:12:34:56, xid deadbeef
  53 DHCP Msg Type: DHCPDISCOVER
  52 Overload: 1
  12 Hostname: "node""#;
    assert_eq!(view.to_string(), expected);
    assert_eq!(Message::from(&view).to_string(), expected);
}

#[test]
fn debug_of_a_message_has_its_fields() {
    let bytes = offer().end();
    let view = MessageView::decode(&bytes).unwrap();
    let begin = "{ op: 2, hops: 1, xid: 00000007, secs: 0, flags: 0000, ciaddr: 0.0.0.0, \
        yiaddr: 10.0.0.100, siaddr: 10.0.0.1, giaddr: 10.0.0.254, hlen: 6, \
        hardware: HardwareAddr(52:54:00:12:34:56), sname: Some(\"boot\"), \
        file: Some(\"ipxe.efi\"), options: [53 DHCP Msg Type: DHCPOFFER, 2 Time Offset: -3600, ";
    let debug = format!("{view:?}");
    assert!(
        debug.starts_with(&format!("MessageView {begin}")),
        "{debug}"
    );
    let debug = format!("{:?}", Message::from(&view));
    assert!(debug.starts_with(&format!("Message {begin}")), "{debug}");
    let first = view.options().next().unwrap().unwrap();
    assert_eq!(
        format!("{first:?}"),
        "RawOption { code: OptionCode(53 DHCP Msg Type), area: Options, offset: 240, data: 02 }"
    );
}

#[cfg(feature = "serde")]
#[test]
fn message_is_serialized_with_typed_options() {
    use serde_json::json;
    let mut bytes = Packet::new(1, MAC)
        .at(10, &[0x80, 0])
        .at(108, b"\xffipxe.efi\0")
        .option(12, b"node-01")
        .option(43, &[6, 1, 8, 255])
        .option(55, &[1, 3])
        .option(77, b"iPXE")
        .option(93, &[0, 7])
        .option(175, &[0x13, 1, 1])
        .option(51, &[14, 16])
        .option(224, b"site")
        .option(224, b"s")
        .end();
    bytes.pop();
    bytes.push(60);
    let view = MessageView::decode(&bytes).unwrap();
    let option = |code: u8, name, raw, value| json!({ "code": code, "name": name, "raw": raw, "value": value, "error": null });
    let offset = bytes.len() - 1;
    let mut expected = json!({
        "op": 1,
        "hops": 0,
        "xid": "deadbeef",
        "secs": 0,
        "flags": 32768,
        "ciaddr": "0.0.0.0",
        "yiaddr": "0.0.0.0",
        "siaddr": "0.0.0.0",
        "giaddr": "0.0.0.0",
        "chaddr": "52:54:00:12:34:56",
        "sname": null,
        "file": "\\xffipxe.efi",
        "options": [
            option(53, json!("DHCP Msg Type"), "01", json!("DHCPDISCOVER")),
            option(12, json!("Hostname"), "6e6f64652d3031", json!("node-01")),
            option(43, json!("Vendor Specific"), "060108ff", json!([[6, "08"]])),
            option(55, json!("Parameter List"), "0103", json!([1, 3])),
            option(77, json!("User-Class"), "69505845", json!(["iPXE"])),
            option(93, json!("Client System"), "0007", json!([7])),
            option(
                175,
                json!("Etherboot (iPXE encapsulated options)"),
                "130101",
                json!({ "features": ["HTTP"], "sub_options": [[0x13, "01"]] }),
            ),
            {
                "code": 51,
                "name": "Address Time",
                "raw": "0e10",
                "value": null,
                "error": "it has 2 bytes where its type has 4",
            },
            option(224, json!(null), "73697465", json!(null)),
            option(224, json!(null), "73", json!(null)),
            { "error": format!("option 60 at offset {offset} ends before its length byte") },
        ],
    });
    assert_eq!(serde_json::to_value(view).unwrap(), expected);
    // An owned message has only what could be read.
    expected["options"].as_array_mut().unwrap().pop();
    assert_eq!(
        serde_json::to_value(Message::from(&view)).unwrap(),
        expected
    );
}
