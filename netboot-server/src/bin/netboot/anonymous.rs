//! Documents that can be shown to others: the MAC addresses, addresses, UUIDs and names in them are
//! replaced, each by the same one wherever it stands.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::net::Ipv4Addr;

use regex::{Captures, Regex};
use serde_json::Value;

/// In which order things are replaced: what is longer first, since it holds what looks like others.
const UUID: &str = r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b";
/// Behind the hardware type, as PXELINUX and client identifiers have it, or alone.
const MAC: &str = r"(?i)\b(?P<type>01[:-])?(?P<mac>[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5})\b";
const ADDRESS: &str = r"\b\d{1,3}(?:\.\d{1,3}){3}\b";
/// As PXELINUX asks for its configuration.
const HEX_ADDRESS: &str = r"\b[0-9A-F]{8}\b";
/// Where an image's name stands.
const IMAGE: &str = r#"(?:/images/|\bimage )(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)"#;
/// A word that may be a name.
const WORD: &str = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?";

/// What has been replaced so far.
#[derive(Debug)]
pub(super) struct Anonymizer {
    uuid: Regex,
    mac: Regex,
    address: Regex,
    hex_address: Regex,
    word: Regex,
    uuids: HashMap<String, String>,
    macs: HashMap<String, String>,
    addresses: HashMap<Ipv4Addr, Ipv4Addr>,
    names: HashMap<String, String>,
}

/// The names that are in documents. Those of machines are what they are called by the policy or
/// say themselves, those of images what scripts and paths name.
#[derive(Debug)]
pub(super) struct Names {
    image: Regex,
    machines: BTreeSet<String>,
    images: BTreeSet<String>,
}

impl Names {
    /// None so far.
    ///
    /// # Errors
    ///
    /// Where an expression is none, which a test excludes.
    pub(super) fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            image: Regex::new(IMAGE)?,
            machines: BTreeSet::new(),
            images: BTreeSet::new(),
        })
    }

    /// Takes those of a document.
    pub(super) fn learn(&mut self, document: &Value) {
        each_text(document, &mut |key, text| {
            // A file that TFTP sent has a name as well, and says what firmware asked for.
            if matches!(key, "name" | "host_name") && !text.contains(['/', '.']) {
                self.machines.insert(text.to_owned());
            }
            for found in self.image.captures_iter(text) {
                self.images.insert(found["name"].to_owned());
            }
        });
    }
}

impl Anonymizer {
    /// One that replaces these names.
    ///
    /// # Errors
    ///
    /// Where an expression is none, which a test excludes.
    pub(super) fn new(names: Names) -> Result<Self, regex::Error> {
        let images = (1..).zip(names.images);
        let images = images.map(|(number, name)| (name, format!("image-{number}")));
        let machines = (1..).zip(names.machines);
        let machines = machines.map(|(number, name)| (name, format!("machine-{number}")));
        Ok(Self {
            uuid: Regex::new(UUID)?,
            mac: Regex::new(MAC)?,
            address: Regex::new(ADDRESS)?,
            hex_address: Regex::new(HEX_ADDRESS)?,
            word: Regex::new(WORD)?,
            uuids: HashMap::new(),
            macs: HashMap::new(),
            addresses: HashMap::new(),
            names: images.chain(machines).collect(),
        })
    }

    /// Replaces everything in a document.
    pub(super) fn replace(&mut self, document: &mut Value) {
        match document {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|it| self.replace(it)),
            Value::Object(fields) => fields.values_mut().for_each(|it| self.replace(it)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str) -> String {
        let uuids = &mut self.uuids;
        let text = self.uuid.replace_all(text, |found: &Captures<'_>| {
            let number = uuids.len() + 1;
            let uuid = uuids.entry(found[0].to_lowercase());
            uuid.or_insert_with(|| format!("00000000-0000-0000-0000-{number:012}"))
                .clone()
        });
        let macs = &mut self.macs;
        let text = self.mac.replace_all(&text, |found: &Captures<'_>| {
            let number = macs.len() + 1;
            let mac = macs.entry(found["mac"].to_lowercase().replace('-', ":"));
            let mac = mac.or_insert_with(|| made_up_mac(number));
            let kind = found.name("type").map_or("", |it| it.as_str());
            match found["mac"].contains('-') {
                true => format!("{kind}{}", mac.replace(':', "-")),
                false => format!("{kind}{mac}"),
            }
        });
        let addresses = &mut self.addresses;
        let text = self.address.replace_all(&text, |found: &Captures<'_>| {
            let address = found[0].parse::<Ipv4Addr>();
            let replaced = address.map(|address| made_up_address(addresses, address));
            replaced.map_or_else(|_| found[0].to_owned(), |address| address.to_string())
        });
        // A number of eight digits is an address only where one is known that is written so.
        let text = self.hex_address.replace_all(&text, |found: &Captures<'_>| {
            let bits = u32::from_str_radix(&found[0], 16).ok();
            let known = bits.and_then(|bits| addresses.get(&Ipv4Addr::from(bits)));
            known.map_or_else(
                || found[0].to_owned(),
                |address| format!("{:08X}", address.to_bits()),
            )
        });
        let names = &self.names;
        let named = self.word.replace_all(&text, |found: &Captures<'_>| {
            let word = &found[0];
            names.get(word).map_or(word, String::as_str).to_owned()
        });
        named.into_owned()
    }
}

/// A MAC address that is nobody's: it is locally administered.
fn made_up_mac(number: usize) -> String {
    let [.., a, b, c] = number.to_be_bytes();
    format!("02:00:00:{a:02x}:{b:02x}:{c:02x}")
}

/// An address of those for tests between networks (RFC 2544), the same one each time. What names
/// no host stays.
fn made_up_address(known: &mut HashMap<Ipv4Addr, Ipv4Addr>, address: Ipv4Addr) -> Ipv4Addr {
    if address.is_unspecified() || address.is_broadcast() || address.is_loopback() {
        return address;
    }
    let first = Ipv4Addr::new(198, 18, 0, 0).to_bits();
    let number = u32::try_from(known.len() + 1).unwrap_or(u32::MAX) & 0x1_ffff;
    *known
        .entry(address)
        .or_insert_with(|| Ipv4Addr::from(first | number))
}

/// Gives each text of a document with the key that it stands under.
fn each_text<'d>(document: &'d Value, take: &mut impl FnMut(&'d str, &'d str)) {
    match document {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) => take(key, text),
                    value => each_text(value, take),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|it| each_text(it, take)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_whose_is_replaced_everywhere_and_alike() {
        let mut document = json!({
            "boot": {
                "machine": "52:54:00:12:34:56", "name": "cfo-laptop", "address": "10.1.2.3",
                "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232", "id": 7,
                "boots": "image payroll @1: it is target cfo-laptop (netboot.targets[0])",
            },
            "events": [
                { "line": "DHCPACK(eth1) 10.1.2.3 52:54:00:12:34:56 cfo-laptop", "after_ms": 12 },
                { "line": "HTTP 52:54:00:12:34:56 10.1.2.3 /images/payroll/@1/bzImage: 200" },
                { "line": "TFTP 10.1.2.4 pxelinux.cfg/01-52-54-00-12-34-56: file not found" },
                { "line": "TFTP pxelinux.cfg/0A010203: file not found, 12345678 bytes" },
                { "name": "snponly.efi", "line": "sent snponly.efi to 0.0.0.0" },
            ],
        });
        let mut names = Names::new().expect("the expression");
        names.learn(&document);
        let mut anonymizer = Anonymizer::new(names).expect("the expressions");
        anonymizer.replace(&mut document);
        let right = json!({
            "boot": {
                "machine": "02:00:00:00:00:01", "name": "machine-1", "address": "198.18.0.1",
                "uuid": "00000000-0000-0000-0000-000000000001", "id": 7,
                "boots": "image image-1 @1: it is target machine-1 (netboot.targets[0])",
            },
            "events": [
                { "line": "DHCPACK(eth1) 198.18.0.1 02:00:00:00:00:01 machine-1", "after_ms": 12 },
                { "line": "HTTP 02:00:00:00:00:01 198.18.0.1 /images/image-1/@1/bzImage: 200" },
                { "line": "TFTP 198.18.0.2 pxelinux.cfg/01-02-00-00-00-00-01: file not found" },
                { "line": "TFTP pxelinux.cfg/C6120001: file not found, 12345678 bytes" },
                { "name": "snponly.efi", "line": "sent snponly.efi to 0.0.0.0" },
            ],
        });
        // Fields of a document come in the order of their keys, so that only equality counts.
        assert_eq!(document, right);
    }
}
