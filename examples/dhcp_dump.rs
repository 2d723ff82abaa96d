//! Dumps DHCP messages: those of a capture (pcap or pcapng) that is named, or else one a line in
//! hex on standard input. Each becomes one JSON line: its header, every option raw and, where the
//! type is known, as a value, and the message encoded again.

use clap::Parser;
use etherparse::{SlicedPacket, TransportSlice};
use netboot_dhcp::wire::{Encoding, Message, MessageView};
use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

/// The longest frame that is read.
const BUFFER: usize = 256 << 10;
/// DHCP's ports, and the boot servers'.
const PORTS: [u16; 3] = [67, 68, 4011];

/// Dump DHCP messages as lines of JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// A capture (pcap or pcapng); without it, messages are read from standard input, each a line
    /// of hex.
    capture: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match Arguments::parse().capture {
        Some(path) => capture(&path, &mut out),
        None => lines(io::stdin().lock(), &mut out),
    }
}

fn lines(input: impl BufRead, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    for line in input.lines() {
        let line = line?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let dumped = match unhex(line) {
            Some(bytes) => dump(&bytes),
            None => fault("not an even run of hex digits"),
        };
        writeln!(out, "{dumped}")?;
    }
    Ok(())
}

fn capture(path: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let failed = |error: &dyn Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| failed(&error))?;
    frames(file, out).map_err(|error| failed(&error).into())
}

fn frames(file: impl Read + Send + 'static, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let failed = |error: &dyn Display| error.to_string();
    let mut reader = create_reader(BUFFER, file).map_err(|error| failed(&error))?;
    let mut links = Vec::new();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => links = vec![header.network],
                    PcapBlockOwned::Legacy(frame) => {
                        dump_frame(links.first(), frame.data, out)?;
                    }
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => links.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        links.push(interface.linktype);
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(frame)) => {
                        let link = usize::try_from(frame.if_id).ok();
                        let link = link.and_then(|link| links.get(link));
                        dump_frame(link, frame.packet_data(), out)?;
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(length);
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => {
                reader.refill().map_err(|error| failed(&error))?;
            }
            Err(error) => return Err(failed(&error).into()),
        }
    }
}

/// Dumps the message in a frame, if there is one.
fn dump_frame(link: Option<&Linktype>, frame: &[u8], out: &mut impl Write) -> io::Result<()> {
    let packet = match link {
        Some(&Linktype::ETHERNET) => SlicedPacket::from_ethernet(frame).ok(),
        Some(&Linktype::LINUX_SLL) => SlicedPacket::from_linux_sll(frame).ok(),
        Some(&(Linktype::RAW | Linktype::IPV4)) => SlicedPacket::from_ip(frame).ok(),
        Some(&Linktype(number)) => {
            let dumped = fault(format_args!("link type {number} is not read"));
            return writeln!(out, "{dumped}");
        }
        None => None,
    };
    let Some(TransportSlice::Udp(udp)) = packet.and_then(|packet| packet.transport) else {
        return Ok(());
    };
    let of_dhcp = |port| PORTS.contains(&port);
    if of_dhcp(udp.source_port()) && of_dhcp(udp.destination_port()) {
        writeln!(out, "{}", dump(udp.payload()))?;
    }
    Ok(())
}

fn fault(error: impl Display) -> Json {
    json!({ "ok": false, "error": error.to_string() })
}

fn dump(bytes: &[u8]) -> Json {
    let view = match MessageView::decode(bytes) {
        Ok(view) => view,
        Err(error) => return fault(error),
    };
    let mut encoding = Encoding::default();
    encoding.min_len = bytes.len();
    let mut encoded = Vec::new();
    let result = Message::from(&view).encode(&encoding, &mut encoded);
    let mut dumped = json!({
        "ok": true,
        "error": result.err().map(|error| error.to_string()),
        "reencoded": hex(&encoded),
    });
    // Its names wherever they stand, in a header field or an option.
    let name = |name: Option<Cow<'_, [u8]>>| name.map(|name| name.escape_ascii().to_string());
    let names = json!({ "sname": name(view.server_name()), "file": name(view.boot_file()) });
    for part in [serde_json::to_value(view).unwrap_or_else(fault), names] {
        if let (Json::Object(dumped), Json::Object(part)) = (&mut dumped, part) {
            dumped.extend(part);
        }
    }
    dumped
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// OVMF's PXE DISCOVER, with what tshark reads in it.
    const CAPTURED: &str = include_str!("../netboot-dhcp/tests/captures/ovmf_pxe_discover.hex");

    fn packet() -> Vec<u8> {
        unhex(CAPTURED.lines().last().unwrap()).unwrap()
    }

    /// A value that tshark gives under this name.
    fn tshark(field: &str) -> &'static str {
        let line = CAPTURED.lines().find(|line| line.starts_with("# tshark"));
        let mut words = line.unwrap().split(' ');
        let word = words.find_map(|word| word.strip_prefix(field)?.strip_prefix('='));
        word.unwrap()
    }

    fn dumped(out: &[u8]) -> Vec<Json> {
        let lines = std::str::from_utf8(out).unwrap().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn check(dump: &Json) {
        assert_eq!(dump["ok"], true);
        assert_eq!(dump["xid"], tshark("xid"));
        assert_eq!(dump["chaddr"], tshark("chaddr"));
        assert_eq!(dump["reencoded"], hex(&packet()));
        let options = dump["options"].as_array().unwrap().iter();
        let pairs: Vec<_> = options
            .map(|option| format!("{}:{}", option["code"], option["raw"].as_str().unwrap()))
            .collect();
        assert_eq!(pairs.join(","), tshark("options"));
        let arch = dump["options"].as_array().unwrap().iter();
        let arch = arch.clone().find(|option| option["code"] == 93).unwrap();
        assert_eq!(arch["name"], "Client System");
        assert_eq!(arch["value"], json!([7]));
    }

    /// An Ethernet frame with an IPv4 datagram to this port (RFC 791, RFC 768), without checksums.
    fn frame(port: u16, payload: &[u8]) -> Vec<u8> {
        let udp = u16::try_from(payload.len() + 8).unwrap();
        let mut frame = vec![0xff; 6];
        frame.extend([2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0]);
        frame.extend((udp + 20).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
        frame.extend(68_u16.to_be_bytes());
        frame.extend(port.to_be_bytes());
        frame.extend(udp.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(payload);
        frame
    }

    #[test]
    fn capture_file_becomes_a_line_for_each_dhcp_message() {
        // A pcap file of Ethernet frames, little-endian, version 2.4.
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend([0, 0, 1, 0, 1, 0, 0, 0]);
        for frame in [frame(67, &packet()), frame(53, b"dns"), frame(67, b"short")] {
            let len = u32::try_from(frame.len()).unwrap().to_le_bytes();
            file.extend([[0; 4], [0; 4], len, len].concat());
            file.extend(frame);
        }
        let mut out = Vec::new();
        frames(Cursor::new(file), &mut out).unwrap();
        let dumps = dumped(&out);
        assert_eq!(dumps.len(), 2);
        check(&dumps[0]);
        assert_eq!(dumps[1]["ok"], false);
        let error = "a DHCP message has at least 240 bytes, this one has 5";
        assert_eq!(dumps[1]["error"], error);
    }

    #[test]
    fn lines_of_hex_become_a_line_each() {
        let mut out = Vec::new();
        let input = format!("{CAPTURED}\n\nzz\n");
        lines(input.as_bytes(), &mut out).unwrap();
        let dumps = dumped(&out);
        assert_eq!(dumps.len(), 2);
        check(&dumps[0]);
        assert_eq!(dumps[1]["error"], "not an even run of hex digits");
    }

    #[test]
    fn file_that_is_no_capture_is_an_error() {
        let result = frames(Cursor::new(b"no capture".to_vec()), &mut Vec::new());
        assert!(result.is_err());
    }
}
