//! Our replies as tshark reads them: nothing malformed, nothing that its experts remark on.

use crate::packet::*;
use crate::site;
use netboot_dhcp::server::{Boot, ExtraOption, Reply, Server, Settings};
use netboot_dhcp::value::{
    AddressPair, ClasslessRoute, DomainSearch, Enterprise, Key, Text, Value, key,
};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

#[test]
#[ignore = "needs the Debian package tshark"]
fn replies_are_neither_malformed_nor_remarked_on() {
    let mut replies = site::replies();
    replies.extend(more_replies());
    assert!(replies.len() > 60, "{}", replies.len());
    let text = read_by_tshark(&replies);
    assert_eq!(text.lines().count(), replies.len());
    for (line, reply) in text.lines().zip(&replies) {
        let fields: Vec<_> = line.split('\t').collect();
        assert_eq!(fields[0], reply.kind.0.to_string(), "{line}");
        assert_eq!(fields[1], "", "malformed: {line}");
        // Of any severity: also a note or a chat would be looked at here, and there is none.
        let said = (fields[2], fields[3]);
        assert_eq!(said, ("", ""), "{line}\n{:02x?}", reply.bytes);
    }
}

#[test]
#[ignore = "needs the Debian package tshark"]
fn tshark_would_say_if_a_reply_were_wrong() {
    let good = site::replies().swap_remove(0);
    let changed = |at: usize, byte| {
        let mut bytes = good.bytes.to_vec();
        bytes[at] = byte;
        let mut reply = good.clone();
        reply.bytes = bytes.into();
        reply
    };
    // Option 54 of 3 bytes, and of 250.
    assert_eq!(good.bytes[243..245], [54, 4]);
    let text = read_by_tshark(&[good.clone(), changed(244, 3), changed(244, 250)]);
    let wrong = text.lines().map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        !fields[1].is_empty() || !fields[2].is_empty()
    });
    assert_eq!(wrong.collect::<Vec<_>>(), [false, true, true], "{text}");
}

/// A line for each reply: message type, what is malformed, the experts' severities and messages.
fn read_by_tshark(replies: &[Reply]) -> String {
    let mut tshark = Command::new("tshark")
        .args(["-r", "-", "-o", "ip.check_checksum:TRUE", "-T", "fields"])
        .args(["-E", "separator=/t", "-E", "occurrence=a"])
        .args(["-e", "dhcp.option.dhcp", "-e", "_ws.malformed"])
        .args(["-e", "_ws.expert.severity", "-e", "_ws.expert.message"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tshark starts; the Debian package tshark has it");
    let capture = capture(replies);
    tshark.stdin.take().unwrap().write_all(&capture).unwrap();
    let output = tshark.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// What no machine provokes: a NAK, an INFORM's ACK, a rapid commit, and options of every type.
fn more_replies() -> Vec<Reply> {
    let mut network = network();
    network.rapid_commit = true;
    network.gateways = vec![SERVER];
    network.dns = vec![SERVER, ip(2)];
    network.domain = Some("lab.example".into());
    let mut server = Server::new(Settings::new(vec![network])).unwrap();
    let mut replies = vec![
        reply(run(
            &mut server,
            NOW,
            Packet::selecting(MAC, Ipv4Addr::new(10, 9, 9, 9), SERVER),
        )),
        reply(run(&mut server, NOW, Packet::new(8, MAC).ciaddr(ip(7)))),
        reply(run(&mut server, NOW, Packet::discover(MAC).option(80, &[]))),
    ];
    let mut search = DomainSearch::new();
    search.push("lab.example").unwrap();
    let route = ClasslessRoute::new(ip(0), 24, SERVER).unwrap();
    let pair = AddressPair {
        destination: ip(7),
        by: SERVER,
    };
    let vendor = Enterprise::new(3561, &[1, 1, 7]).unwrap();
    let options = vec![
        extra(key::TIME_OFFSET, &-3600),
        extra(key::NTP_SERVERS, &vec![SERVER]),
        extra(key::INTERFACE_MTU, &1500),
        extra(key::FORWARDING, &false),
        extra(key::STATIC_ROUTES, &vec![pair]),
        extra(key::MTU_PLATEAU, &vec![1500, 576]),
        extra(key::DOMAIN_SEARCH, &search),
        extra(key::CLASSLESS_ROUTES, &vec![route]),
        extra(key::MS_CLASSLESS_ROUTES, &vec![route]),
        extra(key::VI_VENDOR_SPECIFIC, &vec![vendor]),
        extra(key::TFTP_SERVER_ADDRESS, &vec![SERVER]),
        extra(key::IPV6_ONLY_PREFERRED, &netboot_dhcp::Seconds(1800)),
        extra(key::PXELINUX_CONFIG, &Text::from("pxelinux.cfg/default")),
    ];
    let boot = Boot::file("ipxe.efi").with_options(options);
    let discover = Packet::discover(OTHER_MAC)
        .option(57, &[5, 0xc0])
        .option(60, b"PXEClient:Arch:00007:UNDI:003000")
        .option(61, &[1, 0x52, 0x54, 0, 0x12, 0x34, 0x57]);
    let outcome = handle_boot(&mut server, NOW, discover, boot);
    replies.push(reply(outcome));
    replies
}

fn extra<T: Value>(key: Key<T>, value: &T) -> ExtraOption {
    ExtraOption::new(key, value)
}

/// A capture file of link type 228 (IPv4) with each reply in a datagram.
fn capture(replies: &[Reply]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 228] {
        file.extend(word.to_be_bytes());
    }
    for (number, reply) in (0_u32..).zip(replies) {
        let packet = datagram(reply);
        let len = u32::try_from(packet.len()).unwrap();
        for word in [number, 0, len, len] {
            file.extend(word.to_be_bytes());
        }
        file.extend(packet);
    }
    file
}

fn datagram(reply: &Reply) -> Vec<u8> {
    let to = reply.destination.socket_addr();
    let udp_len = u16::try_from(8 + reply.bytes.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend((20 + udp_len).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(reply.source.octets());
    packet.extend(to.ip().octets());
    let sum = packet
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(reply.source_port.to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(udp_len.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend_from_slice(&reply.bytes);
    packet
}
