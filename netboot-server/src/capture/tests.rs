use super::*;

use netboot_dhcp::value::MessageType;

use crate::telemetry::events::{Protocol, Stage};

/// A boot by UEFI from dnsmasq, see `tests/captures/README.md`.
const BOOT: &[u8] = include_bytes!("../../tests/captures/ovmf_dnsmasq.pcap");
const DHCP: &[u8] = include_bytes!("../../tests/captures/ovmf_dnsmasq_dhcp.pcapng");

const MACHINE: MacAddr = MacAddr([0x52, 0x54, 0, 0, 0x77, 1]);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 52);

type Told = (Timestamp, Option<MacAddr>, Kind);

fn events(capture: &[u8]) -> (Vec<Told>, Summary) {
    let mut events = Vec::new();
    let summary = read(capture, &mut |at, machine, kind| {
        events.push((at, machine, kind))
    });
    (events, summary.expect("a capture"))
}

/// What happened, without times, which depend on the precision of the file.
fn kinds(capture: &[u8]) -> Vec<String> {
    let (events, _) = events(capture);
    let kind = |(_, _, kind): &Told| format!("{kind:?}");
    events.iter().map(kind).collect()
}

/// Where the records of a little-endian pcap file are: seconds, fraction, length, and the frame.
fn records(capture: &[u8]) -> Vec<(u32, u32, u32, &[u8])> {
    let number = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    let (mut records, mut at) = (Vec::new(), 24);
    while at < capture.len() {
        let length = number(at + 8) as usize;
        let frame = &capture[at + 16..at + 16 + length];
        records.push((number(at), number(at + 4), number(at + 12), frame));
        at += 16 + length;
    }
    records
}

/// A pcap file after <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>.
fn pcap(
    magic: u32,
    link_type: u32,
    number: fn(u32) -> [u8; 4],
    records: &[(u32, u32, u32, Vec<u8>)],
) -> Vec<u8> {
    let version: [u8; 4] = match number(1)[0] {
        0 => [0, 2, 0, 4],
        _ => [2, 0, 4, 0],
    };
    let mut file = [number(magic), version].concat();
    for field in [0, 0, 65_535, link_type] {
        file.extend(number(field));
    }
    for (seconds, fraction, length, frame) in records {
        for field in [
            *seconds,
            *fraction,
            u32::try_from(frame.len()).unwrap(),
            *length,
        ] {
            file.extend(number(field));
        }
        file.extend(frame);
    }
    file
}

/// The boot with each frame changed.
fn with_frames(link_type: u32, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let changed: Vec<_> = records(BOOT)
        .into_iter()
        .map(|(seconds, fraction, length, frame)| (seconds, fraction, length, change(frame)))
        .collect();
    pcap(0xa1b2_c3d4, link_type, u32::to_le_bytes, &changed)
}

#[test]
fn a_boot_from_dnsmasq_is_told_step_by_step() {
    let (events, summary) = events(BOOT);
    let dhcp: Vec<_> = events
        .iter()
        .filter_map(|(_, machine, kind)| match kind {
            Kind::Dhcp {
                message,
                stage,
                address,
                boot_file,
                ..
            } => {
                assert_eq!(*machine, Some(MACHINE));
                Some((*message, *stage, *address, boot_file.as_deref()))
            }
            _ => None,
        })
        .collect();
    let (own, first, second) = (
        Some(CLIENT),
        "snponly.efi",
        "http://192.168.77.1:8077/boot.ipxe",
    );
    // As tshark 4.0.17 shows them.
    assert_eq!(
        dhcp,
        [
            (MessageType::DISCOVER, Stage::Firmware, None, None),
            (MessageType::OFFER, Stage::Server, own, Some(first)),
            (MessageType::REQUEST, Stage::Firmware, own, None),
            (MessageType::ACK, Stage::Server, own, Some(first)),
            (MessageType::DISCOVER, Stage::Ipxe, None, None),
            (MessageType::OFFER, Stage::Server, own, Some(second)),
            (MessageType::DISCOVER, Stage::Ipxe, None, None),
            (MessageType::OFFER, Stage::Server, own, Some(second)),
            (MessageType::REQUEST, Stage::Ipxe, own, None),
            (MessageType::ACK, Stage::Server, own, Some(second)),
        ]
    );
    let mut others = events
        .iter()
        .filter(|(_, _, kind)| !matches!(kind, Kind::Dhcp { .. }));
    let mut next = || {
        let (_, machine, kind) = others.next().expect("a further event");
        assert_eq!(*machine, Some(MACHINE), "{kind:?}");
        kind.clone()
    };
    assert!(matches!(
        next(),
        Kind::TftpSizeProbe { name, bytes: Some(284_672), .. } if name == "snponly.efi"
    ));
    // 193 blocks of 1,468 bytes and one of 1,348: the file's length.
    assert!(matches!(
        next(),
        Kind::TftpSent {
            bytes: 284_672,
            blksize: 1_468,
            windowsize: 1,
            retransmissions: 0,
            confirmed: true,
            ..
        }
    ));
    assert!(matches!(
        next(),
        Kind::TftpFailed { name, why, .. }
            if name == "autoexec.ipxe" && why.starts_with("the server refused: error 1, file ")
    ));
    assert!(matches!(
        next(),
        Kind::Script { path, by: Protocol::Http, .. } if path == "/boot.ipxe"
    ));
    assert!(matches!(
        next(),
        Kind::HttpSent { path, status: 200, bytes: 59, complete: true, whole: true, .. }
            if path == "/boot.ipxe"
    ));
    assert!(matches!(
        next(),
        Kind::HttpRefused { path, status: 404, why, .. }
            if path == "/missing.efi" && why == "File not found"
    ));
    assert!(others.next().is_none());
    assert_eq!(summary.packets, 424);
    assert_eq!(summary.stopped, None);
    let server = DhcpServer {
        address: SERVER,
        offers: 3,
        offers_with_boot_file: 3,
        acks: 2,
    };
    assert_eq!(summary.servers, [server]);
}

#[test]
fn pcapng_is_read_with_its_interface_and_to_the_nanosecond() {
    let (events, summary) = events(DHCP);
    let (at, _, Kind::Dhcp { interface, .. }) = &events[0] else {
        panic!("the DISCOVER comes first");
    };
    // As tshark shows `frame.time_epoch`.
    assert_eq!(at.as_nanosecond(), 1_795_933_726_182_178_024);
    assert_eq!(interface, "tap0");
    assert_eq!(summary.stopped, None);
}

#[test]
fn byte_order_and_precision_of_pcap_change_nothing() {
    let expected = kinds(BOOT);
    let owned = |(seconds, fraction, length, frame): (u32, u32, u32, &[u8])| {
        (seconds, fraction, length, frame.to_vec())
    };
    let micro: Vec<_> = records(BOOT).into_iter().map(owned).collect();
    let mut nano = micro.clone();
    nano.iter_mut().for_each(|record| record.1 *= 1_000);
    for (magic, number, records) in [
        (0xa1b2_c3d4, u32::to_be_bytes as fn(u32) -> [u8; 4], &micro),
        (0xa1b2_3c4d, u32::to_be_bytes, &nano),
        (0xa1b2_3c4d, u32::to_le_bytes, &nano),
    ] {
        let file = pcap(magic, 1, number, records);
        assert_eq!(kinds(&file), expected);
        assert_eq!(events(&file).0[0].0, events(BOOT).0[0].0);
    }
}

#[test]
fn vlan_tags_are_passed_over_and_shown() {
    // IEEE 802.1ad outside, 802.1Q inside.
    let tags = [0x88, 0xa8, 0, 7, 0x81, 0, 0x20, 12];
    let tagged = with_frames(1, |frame| [&frame[..12], &tags, &frame[12..]].concat());
    let plain = kinds(BOOT);
    let in_vlan: Vec<_> = plain
        .iter()
        .map(|kind| kind.replace("\"capture\"", "\"capture.7.12\""))
        .collect();
    assert_eq!(kinds(&tagged), in_vlan);
}

#[test]
fn captures_of_all_interfaces_and_of_bare_ip_are_read() {
    let expected = kinds(BOOT);
    // LINUX_SLL: packet type, ARPHRD_ETHER, length of the address, address, protocol.
    let sll = with_frames(113, |frame| {
        [&[0, 0, 0, 1, 0, 6], &frame[6..12], &[0, 0], &frame[12..]].concat()
    });
    assert_eq!(kinds(&sll), expected);
    // LINUX_SLL2: protocol, reserved, interface, ARPHRD_ETHER, packet type, length, address.
    let sll2 = with_frames(276, |frame| {
        let fixed = [0, 0, 0, 0, 0, 2, 0, 1, 0, 6];
        [&frame[12..14], &fixed, &frame[6..12], &[0, 0], &frame[14..]].concat()
    });
    assert_eq!(kinds(&sll2), expected);
    let raw = with_frames(101, |frame| frame[14..].to_vec());
    assert_eq!(kinds(&raw), expected);
}

#[test]
fn what_cannot_be_read_is_counted_by_why() {
    let radio = with_frames(105, <[u8]>::to_vec);
    let (none, summary) = events(&radio);
    assert!(none.is_empty());
    assert_eq!(summary.skipped.link_type, 424);
    assert_eq!(summary.skipped.last_link_type, Some(105));
    // `tcpdump -s 60`.
    let short = with_frames(1, |frame| frame[..frame.len().min(60)].to_vec());
    let (_, summary) = events(&short);
    assert!(summary.skipped.cut_off >= 10, "{summary:?}");
    // The flag "more fragments" of RFC 791.
    let fragments = with_frames(1, |frame| {
        let mut frame = frame.to_vec();
        frame[20] |= 0x20;
        frame
    });
    assert_eq!(events(&fragments).1.skipped.fragments, 424);
}

#[test]
fn a_machine_that_never_acknowledges_is_told_as_such() {
    let from_client = |frame: &[u8]| frame[26..30] == CLIENT.octets();
    let silent: Vec<_> = records(BOOT)
        .into_iter()
        // ACKs of TFTP, by their opcode.
        .filter(|(_, _, _, frame)| !(from_client(frame) && frame[42..44] == [0, 4]))
        .map(|(seconds, fraction, length, frame)| (seconds, fraction, length, frame.to_vec()))
        .take(60)
        .collect();
    let kinds = kinds(&pcap(0xa1b2_c3d4, 1, u32::to_le_bytes, &silent));
    let last = kinds.last().expect("an event");
    assert!(
        last.contains("TftpFailed") && last.contains("nothing was acknowledged"),
        "{last}"
    );
}

#[test]
fn a_download_that_breaks_off_is_not_complete() {
    // Up to the head of the first answer, which promises 59 bytes.
    let all = records(BOOT);
    let head = |frame: &[u8]| frame.windows(8).any(|bytes| bytes == b"HTTP/1.0");
    let end = all
        .iter()
        .position(|record| head(record.3))
        .expect("an answer");
    let cut: Vec<_> = all[..=end]
        .iter()
        .map(|&(seconds, fraction, length, frame)| (seconds, fraction, length, frame.to_vec()))
        .collect();
    let (events, _) = events(&pcap(0xa1b2_c3d4, 1, u32::to_le_bytes, &cut));
    let (_, _, kind) = events.last().expect("an event");
    assert!(
        matches!(
            kind,
            Kind::HttpSent {
                bytes: 0,
                complete: false,
                whole: false,
                ..
            }
        ),
        "{kind:?}"
    );
}

#[test]
fn what_is_no_capture_is_refused() {
    let refused = |bytes: &[u8]| read(bytes, &mut |_, _, _| {}).expect_err("no capture");
    assert!(matches!(refused(b""), CaptureError::Empty));
    assert!(matches!(refused(b"#!ipxe\n"), CaptureError::NoCapture));
    assert!(matches!(refused(&BOOT[..20]), CaptureError::CutOff));
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::PermissionDenied.into())
        }
    }
    let broken = read(BOOT.chain(Broken), &mut |_, _, _| {});
    assert!(matches!(broken, Err(CaptureError::Read(_))));
}

#[test]
fn a_capture_that_is_cut_off_anywhere_is_read_as_far_as_it_goes() {
    for length in 0..DHCP.len() {
        let _ = read(&DHCP[..length], &mut |_, _, _| {});
    }
    let ends: Vec<usize> = records(BOOT)
        .iter()
        .scan(24, |at, record| {
            *at += 16 + record.3.len();
            Some(*at)
        })
        .collect();
    for length in 24..2_000 {
        let (_, summary) = events(&BOOT[..length]);
        let whole = ends.iter().filter(|&&end| end <= length).count();
        assert_eq!(summary.packets, whole as u64, "{length} bytes");
        let at_an_end = length == 24 || ends.contains(&length);
        assert_eq!(summary.stopped.is_none(), at_an_end, "{length} bytes");
    }
}

#[test]
fn a_packet_is_read_that_is_longer_than_what_is_read_at_once() {
    let long = |length: usize| {
        let mut frames = vec![(0, 0, 0, vec![0; length])];
        let first = records(BOOT)[0];
        frames.push((first.0, first.1, first.2, first.3.to_vec()));
        events(&pcap(0xa1b2_c3d4, 1, u32::to_le_bytes, &frames))
    };
    let (told, summary) = long(262_144);
    assert_eq!((told.len(), summary.packets, summary.stopped), (1, 2, None));
    let (told, summary) = long(2 << 20);
    assert_eq!((told.len(), summary.packets), (0, 0));
    assert_eq!(
        summary.stopped.as_deref(),
        Some("a block is longer than 1 MiB")
    );
}

#[test]
fn any_byte_may_be_any_other() {
    let all = records(BOOT);
    let ends_with_http: Vec<_> = all[all.len() - 20..]
        .iter()
        .map(|&(seconds, fraction, length, frame)| (seconds, fraction, length, frame.to_vec()))
        .collect();
    let http = pcap(0xa1b2_c3d4, 1, u32::to_le_bytes, &ends_with_http);
    for mut bytes in [DHCP.to_vec(), BOOT[..2_000].to_vec(), http] {
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80] {
                bytes[at] ^= flip;
                let _ = read(bytes.as_slice(), &mut |_, _, _| {});
                bytes[at] ^= flip;
            }
        }
    }
}

#[test]
fn what_is_followed_is_bounded_and_the_oldest_goes_first() {
    let mut table = table::Table::default();
    let gone: Vec<_> = (0..5).map(|key| table.begin(key, key, 3)).collect();
    assert_eq!(gone, [None, None, None, Some(0), Some(1)]);
    assert_eq!(table.take(|_| true), [2, 3, 4]);
    assert_eq!(table.take(|_| true), [0; 0]);
}
