//! DHCP options of the operator's own, by dnsmasq's names or by number, with typed values.

use std::net::Ipv4Addr;

use bytes::Bytes;
use netboot_dhcp::server::ExtraOption;
use netboot_dhcp::value::{ClasslessRoute, DomainSearch, Text, Value as _};
use netboot_dhcp::wire::OptionCode;
use serde_json::Value;

use super::circuit::parse_hex;
use super::field::unquoted;

/// An option that machines are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpOption {
    /// Its code.
    pub code: OptionCode,
    /// Its value as it is sent, 1 to 255 bytes.
    pub data: Bytes,
    /// Its value as it was written.
    pub written: Value,
}

/// What an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Address,
    Addresses,
    Text,
    Flag,
    U8,
    U16,
    U32,
    I32,
    Domains,
    Routes,
    /// A text, a list of addresses or bytes, by what is written.
    Any,
}

/// Why an option cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum OptionError {
    /// Neither a known name nor a number.
    #[error("is no DHCP option")]
    Unknown,
    /// The protocol decides on it.
    #[error("is said by the protocol itself")]
    Protocol,
    /// The boot policy decides on it.
    #[error("is said by what the machine boots")]
    Boot,
    /// Another key decides on it.
    #[error("is said by another key")]
    Key(&'static str),
    /// The value is none of its kind.
    #[error("is {0}")]
    Value(&'static str),
}

impl OptionError {
    pub(super) fn cure(&self) -> String {
        match self {
            Self::Unknown => "write its number from 1 to 254, or dnsmasq's name for it".into(),
            Self::Protocol => "leave it out".into(),
            Self::Boot => "leave it out; `program` and `config` say what is booted".into(),
            Self::Key(key) => format!("write {key}"),
            Self::Value(_) => "write that, or its bytes as { hex = \"…\" }".into(),
        }
    }
}

/// dnsmasq's names, as `dnsmasq --help dhcp` has them.
const NAMES: [(&str, u8, Kind); 41] = [
    ("time-offset", 2, Kind::I32),
    ("router", 3, Kind::Addresses),
    ("dns-server", 6, Kind::Addresses),
    ("log-server", 7, Kind::Addresses),
    ("lpr-server", 9, Kind::Addresses),
    ("boot-file-size", 13, Kind::U16),
    ("domain-name", 15, Kind::Text),
    ("swap-server", 16, Kind::Address),
    ("root-path", 17, Kind::Text),
    ("extension-path", 18, Kind::Text),
    ("ip-forward-enable", 19, Kind::Flag),
    ("non-local-source-routing", 20, Kind::Flag),
    ("max-datagram-reassembly", 22, Kind::U16),
    ("default-ttl", 23, Kind::U8),
    ("mtu", 26, Kind::U16),
    ("all-subnets-local", 27, Kind::Flag),
    ("broadcast", 28, Kind::Address),
    ("router-discovery", 31, Kind::Flag),
    ("router-solicitation", 32, Kind::Address),
    ("arp-timeout", 35, Kind::U32),
    ("tcp-ttl", 37, Kind::U8),
    ("tcp-keepalive", 38, Kind::U32),
    ("nis-domain", 40, Kind::Text),
    ("nis-server", 41, Kind::Addresses),
    ("ntp-server", 42, Kind::Addresses),
    ("netbios-ns", 44, Kind::Addresses),
    ("netbios-dd", 45, Kind::Addresses),
    ("netbios-nodetype", 46, Kind::U8),
    ("netbios-scope", 47, Kind::Text),
    ("x-windows-fs", 48, Kind::Addresses),
    ("x-windows-dm", 49, Kind::Addresses),
    ("mobile-ip-home", 68, Kind::Addresses),
    ("smtp-server", 69, Kind::Addresses),
    ("pop3-server", 70, Kind::Addresses),
    ("nntp-server", 71, Kind::Addresses),
    ("irc-server", 74, Kind::Addresses),
    ("posix-timezone", 100, Kind::Text),
    ("tzdb-timezone", 101, Kind::Text),
    ("domain-search", 119, Kind::Domains),
    ("classless-static-route", 121, Kind::Routes),
    ("tftp-server-address", 150, Kind::Addresses),
];

impl DhcpOption {
    /// Reads an option from its name or number and its value.
    pub(super) fn read(name: &str, written: Value) -> Result<Self, OptionError> {
        let code = match NAMES.iter().find(|(known, ..)| *known == name) {
            Some((_, code, _)) => *code,
            None => name.parse().map_err(|_| OptionError::Unknown)?,
        };
        let code = OptionCode(code);
        match code.0 {
            1 => return Err(OptionError::Key("the network's `subnet`")),
            12 => return Err(OptionError::Key("the target's `name`")),
            51 | 58 | 59 => return Err(OptionError::Key("the network's `lease_time`")),
            43 | 60 | 66 | 67 | 93 | 94 | 97 | 175 => return Err(OptionError::Boot),
            80 => return Err(OptionError::Protocol),
            _ if ExtraOption::is_protocol(code) => return Err(OptionError::Protocol),
            _ => {}
        }
        let kind = NAMES.iter().find(|(_, known, _)| *known == code.0);
        let data = encode(kind.map_or(Kind::Any, |(.., kind)| *kind), &written)?;
        if !(1..=255).contains(&data.len()) {
            return Err(OptionError::Value("not of 1 to 255 bytes"));
        }
        Ok(Self {
            code,
            data: data.into(),
            written,
        })
    }

    /// Its name, else its number.
    #[must_use]
    pub fn name(&self) -> String {
        let known = NAMES.iter().find(|(_, code, _)| *code == self.code.0);
        known.map_or_else(|| self.code.to_string(), |(name, ..)| (*name).to_owned())
    }
}

fn encode(kind: Kind, value: &Value) -> Result<Vec<u8>, OptionError> {
    if let Some(table) = value.as_object() {
        let hex = table.get("hex").filter(|_| table.len() == 1);
        let bytes = hex.and_then(Value::as_str).and_then(parse_hex);
        return bytes.ok_or(OptionError::Value("not { hex = \"pairs of hex digits\" }"));
    }
    let wanted = |what| OptionError::Value(what);
    let without_quotes = unquoted(value);
    let bare = without_quotes.as_ref().unwrap_or(value);
    let number = |most: u64| bare.as_u64().filter(|number| *number <= most);
    let mut out = Vec::new();
    match kind {
        Kind::Address => address(value)
            .ok_or(wanted("not an IPv4 address"))?
            .encode(&mut out),
        Kind::Addresses => addresses(value)
            .ok_or(wanted("not an IPv4 address or a list of them"))?
            .encode(&mut out),
        Kind::Text => Text::from(value.as_str().ok_or(wanted("not a text"))?).encode(&mut out),
        Kind::Flag => out.push(bare.as_bool().ok_or(wanted("not true or false"))?.into()),
        Kind::U8 => out.push(
            number(u8::MAX.into())
                .and_then(|number| u8::try_from(number).ok())
                .ok_or(wanted("not a number from 0 to 255"))?,
        ),
        Kind::U16 => number(u16::MAX.into())
            .and_then(|number| u16::try_from(number).ok())
            .ok_or(wanted("not a number from 0 to 65535"))?
            .encode(&mut out),
        Kind::U32 => number(u32::MAX.into())
            .and_then(|number| u32::try_from(number).ok())
            .ok_or(wanted("not a number from 0 to 4294967295"))?
            .encode(&mut out),
        Kind::I32 => bare
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
            .ok_or(wanted("not a number of seconds"))?
            .encode(&mut out),
        Kind::Domains => domains(value)
            .ok_or(wanted("not a list of domains"))?
            .encode(&mut out),
        Kind::Routes => routes(value)
            .ok_or(wanted(
                "not a list of routes such as \"10.0.0.0/8 via 192.168.100.1\"",
            ))?
            .encode(&mut out),
        Kind::Any => match (value.as_str(), addresses(value)) {
            (_, Some(addresses)) if value.is_array() => addresses.encode(&mut out),
            (Some(text), _) => out.extend_from_slice(text.as_bytes()),
            _ => return Err(wanted("not a text, a list of IPv4 addresses or bytes")),
        },
    }
    Ok(out)
}

fn address(value: &Value) -> Option<Ipv4Addr> {
    value.as_str()?.parse().ok()
}

fn addresses(value: &Value) -> Option<Vec<Ipv4Addr>> {
    match value.as_array() {
        Some(list) => list.iter().map(address).collect(),
        None => address(value).map(|address| vec![address]),
    }
}

fn domains(value: &Value) -> Option<DomainSearch> {
    let mut domains = DomainSearch::default();
    for name in value.as_array()? {
        domains.push(name.as_str()?).ok()?;
    }
    Some(domains)
}

fn routes(value: &Value) -> Option<Vec<ClasslessRoute>> {
    let list = value.as_array()?;
    let routes = list.iter().map(|route| {
        let (destination, router) = route.as_str()?.split_once(" via ")?;
        let (address, prefix) = destination.split_once('/')?;
        ClasslessRoute::new(
            address.parse().ok()?,
            prefix.parse().ok()?,
            router.parse().ok()?,
        )
    });
    routes.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_value_is_sent_as_rfc_2132_and_its_successors_have_it() {
        for (name, value, bytes) in [
            ("time-offset", json!(-3600), &[0xff, 0xff, 0xf1, 0xf0][..]),
            ("ntp-server", json!("10.0.0.1"), &[10, 0, 0, 1]),
            (
                "42",
                json!(["10.0.0.1", "10.0.0.2"]),
                &[10, 0, 0, 1, 10, 0, 0, 2],
            ),
            ("mtu", json!(9000), &[0x23, 0x28]),
            ("default-ttl", json!(64), &[64]),
            ("ip-forward-enable", json!(true), &[1]),
            ("tzdb-timezone", json!("Europe/Oslo"), b"Europe/Oslo"),
            (
                "domain-search",
                json!(["a.bc"]),
                &[1, b'a', 2, b'b', b'c', 0],
            ),
            // RFC 3442: the significant bytes of the destination only.
            (
                "classless-static-route",
                json!(["10.0.0.0/8 via 192.168.100.1"]),
                &[8, 10, 192, 168, 100, 1],
            ),
            ("224", json!("rack 7"), b"rack 7"),
            ("224", json!(["10.0.0.1"]), &[10, 0, 0, 1]),
            ("224", json!({ "hex": "00fF" }), &[0, 0xff]),
            ("mtu", json!({ "hex": "05dc" }), &[5, 0xdc]),
        ] {
            let option = DhcpOption::read(name, value.clone());
            let data = option.as_ref().map(|option| option.data.as_ref());
            assert_eq!(data, Ok(bytes), "{name} {value}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        for (name, value) in [
            ("time-offset", json!("east")),
            ("ntp-server", json!("ntp.example")),
            ("ntp-server", json!([])),
            ("mtu", json!(65_536)),
            ("mtu", json!(1.5)),
            ("default-ttl", json!(-1)),
            ("ip-forward-enable", json!(1)),
            ("tzdb-timezone", json!("")),
            ("domain-search", json!(["a..b"])),
            (
                "classless-static-route",
                json!(["10.0.0.0/33 via 10.0.0.1"]),
            ),
            ("224", json!("x".repeat(256))),
            ("224", json!({ "hex": "0" })),
            ("224", json!({ "hex": "00", "text": "" })),
            ("224", json!(7)),
        ] {
            let option = DhcpOption::read(name, value.clone());
            assert!(
                matches!(option, Err(OptionError::Value(_))),
                "{name} {value}: {option:?}"
            );
        }
    }

    #[test]
    fn what_others_decide_on_is_refused() {
        let read = |name| DhcpOption::read(name, json!("10.0.0.1")).map(|option| option.code.0);
        for name in ["0", "53", "54", "82", "255"] {
            assert_eq!(read(name), Err(OptionError::Protocol), "{name}");
        }
        for name in ["43", "60", "67", "175"] {
            assert_eq!(read(name), Err(OptionError::Boot), "{name}");
        }
        for name in ["256", "-1", "ntp-servers", ""] {
            assert_eq!(read(name), Err(OptionError::Unknown), "{name}");
        }
        assert_eq!(read("3"), Ok(3));
    }
}
