//! Dumps DHCP messages: those of a capture (pcap or pcapng) that is named, or else one a line in
//! hex on standard input. Each becomes one JSON line: its header, every option raw and, where the
//! type is known, as a value, and the message encoded again.

use clap::Parser;
use etherparse::{SlicedPacket, TransportSlice};
use netboot_dhcp::Seconds;
use netboot_dhcp::value::{ClasslessRoute, Enterprise, Key, Value, ipxe, key};
use netboot_dhcp::wire::{Encoding, Message, MessageView, OptionCode, RawOption};
use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};
use serde_json::{Value as Json, json};
use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::net::Ipv4Addr;
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
    json!({
        "ok": true,
        "error": result.err().map(|error| error.to_string()),
        "xid": format!("{:08x}", view.xid()),
        "chaddr": view.hardware().to_string(),
        "yiaddr": view.yiaddr(),
        "siaddr": view.siaddr(),
        "sname": view.server_name().map(|name| name.escape_ascii().to_string()),
        "file": view.boot_file().map(|name| name.escape_ascii().to_string()),
        "options": view.options().map(|item| match item {
            Ok(option) => dump_option(&option),
            Err(error) => json!({ "error": error.to_string() }),
        }).collect::<Vec<_>>(),
        "reencoded": hex(&encoded),
    })
}

fn dump_option(option: &RawOption<'_>) -> Json {
    let value = typed(option.code, option.data).transpose();
    let (value, error) = match value {
        Ok(value) => (value, None),
        Err(error) => (None, Some(error)),
    };
    json!({
        "code": option.code.0,
        "name": option.code.name(),
        "raw": hex(option.data),
        "value": value,
        "error": error,
    })
}

const ADDRESS: [Key<Ipv4Addr>; 6] = [
    key::SUBNET_MASK,
    key::SWAP_SERVER,
    key::BROADCAST_ADDRESS,
    key::ROUTER_REQUEST,
    key::REQUESTED_ADDRESS,
    key::SERVER_ID,
];
const ADDRESSES: [Key<Vec<Ipv4Addr>>; 9] = [
    key::ROUTERS,
    key::TIME_SERVERS,
    key::NAME_SERVERS,
    key::DNS_SERVERS,
    key::LOG_SERVERS,
    key::NTP_SERVERS,
    key::NETBIOS_NAME_SERVERS,
    key::SMTP_SERVERS,
    key::TFTP_SERVER_ADDRESS,
];
const TEXT: [Key<netboot_dhcp::value::Text>; 10] = [
    key::HOST_NAME,
    key::DOMAIN_NAME,
    key::ROOT_PATH,
    key::NIS_DOMAIN,
    key::MESSAGE,
    key::TFTP_SERVER_NAME,
    key::BOOT_FILE_NAME,
    key::PXELINUX_CONFIG,
    key::PXELINUX_PATH_PREFIX,
    key::WPAD,
];
const TIME: [Key<Seconds>; 5] = [
    key::LEASE_TIME,
    key::RENEWAL_TIME,
    key::REBINDING_TIME,
    key::IPV6_ONLY_PREFERRED,
    key::PXELINUX_REBOOT_TIME,
];

/// The option's bytes as the value that its code has, where this program shows its type.
fn typed(code: OptionCode, data: &[u8]) -> Option<Result<Json, String>> {
    let shown = in_list(&ADDRESS, code, data, |address| json!(address))
        .or_else(|| in_list(&ADDRESSES, code, data, |addresses| json!(addresses)))
        .or_else(|| in_list(&TEXT, code, data, text))
        .or_else(|| in_list(&TIME, code, data, |time| json!(time.0)));
    if shown.is_some() {
        return shown;
    }
    Some(match code {
        OptionCode::TIME_OFFSET => show(key::TIME_OFFSET, data, |offset| json!(offset)),
        OptionCode::INTERFACE_MTU => show(key::INTERFACE_MTU, data, |mtu| json!(mtu)),
        OptionCode::MESSAGE_TYPE => show(key::MESSAGE_TYPE, data, text),
        OptionCode::MAX_MESSAGE_SIZE => show(key::MAX_MESSAGE_SIZE, data, |size| json!(size)),
        OptionCode::PARAMETER_LIST => show(key::PARAMETER_LIST, data, |list| {
            json!(list.0.iter().map(|code| code.0).collect::<Vec<_>>())
        }),
        OptionCode::VENDOR_CLASS => show(key::VENDOR_CLASS, data, |class| {
            json!(class.0.escape_ascii().to_string())
        }),
        OptionCode::CLIENT_ID => show(key::CLIENT_ID, data, text),
        OptionCode::USER_CLASS => show(key::USER_CLASS, data, |class| {
            let classes = class.classes().map(|one| one.escape_ascii().to_string());
            json!(classes.collect::<Vec<_>>())
        }),
        OptionCode::CLIENT_ARCH => show(key::CLIENT_ARCH, data, |archs| {
            json!(archs.iter().map(|arch| arch.0).collect::<Vec<_>>())
        }),
        OptionCode::CLIENT_NDI => show(key::CLIENT_NDI, data, |interface| {
            json!([interface.kind, interface.major, interface.minor])
        }),
        OptionCode::MACHINE_ID => show(key::MACHINE_ID, data, text),
        OptionCode::DOMAIN_SEARCH => show(key::DOMAIN_SEARCH, data, |names| {
            json!(names.iter().collect::<Vec<_>>())
        }),
        OptionCode::CLASSLESS_ROUTES => show(key::CLASSLESS_ROUTES, data, routes),
        OptionCode::MS_CLASSLESS_ROUTES => show(key::MS_CLASSLESS_ROUTES, data, routes),
        OptionCode::VI_VENDOR_CLASS => show(key::VI_VENDOR_CLASS, data, enterprises),
        OptionCode::VI_VENDOR_SPECIFIC => show(key::VI_VENDOR_SPECIFIC, data, enterprises),
        OptionCode::VENDOR_SPECIFIC => show(key::VENDOR_SPECIFIC, data, sub_options),
        OptionCode::RELAY_AGENT => show(key::RELAY_AGENT, data, sub_options),
        OptionCode::IPXE => show(key::IPXE, data, |options| {
            let features = ipxe::features(&options).filter_map(ipxe::feature);
            let features = features.collect::<Vec<_>>();
            json!({ "features": features, "sub_options": sub_options(options) })
        }),
        _ => return None,
    })
}

fn in_list<T: Value>(
    keys: &[Key<T>],
    code: OptionCode,
    data: &[u8],
    json: impl FnOnce(T) -> Json,
) -> Option<Result<Json, String>> {
    let key = keys.iter().find(|key| key.code() == code)?;
    Some(show(*key, data, json))
}

fn show<T: Value>(_key: Key<T>, data: &[u8], json: impl FnOnce(T) -> Json) -> Result<Json, String> {
    T::decode(data).map(json).map_err(|error| error.to_string())
}

fn text(value: impl Display) -> Json {
    json!(value.to_string())
}

fn routes(routes: Vec<ClasslessRoute>) -> Json {
    let text =
        |one: ClasslessRoute| format!("{}/{} by {}", one.destination(), one.prefix(), one.router());
    json!(routes.into_iter().map(text).collect::<Vec<_>>())
}

fn enterprises(parts: Vec<Enterprise>) -> Json {
    let parts = parts.iter();
    parts
        .map(|part| json!([part.number(), hex(part.data())]))
        .collect()
}

fn sub_options(options: netboot_dhcp::value::SubOptions) -> Json {
    let pairs = options.iter().map(|(code, data)| json!([code, hex(data)]));
    pairs.collect()
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
