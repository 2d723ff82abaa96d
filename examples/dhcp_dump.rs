//! Reads DHCP messages as hex, one a line, on standard input, and writes one JSON line for each: its
//! header, every option raw and, where the type is known, as a value, and the message encoded again.

use netboot_dhcp::value::{Key, Value, key};
use netboot_dhcp::wire::{Encoding, Message, MessageView, OptionCode, RawOption};
use serde_json::{Value as Json, json};
use std::fmt::Display;
use std::io::{self, BufRead as _, Write as _};
use std::net::Ipv4Addr;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let dumped = match unhex(line) {
            Some(bytes) => dump(&bytes),
            None => json!({ "ok": false, "error": "not an even run of hex digits" }),
        };
        writeln!(out, "{dumped}")?;
    }
    Ok(())
}

fn dump(bytes: &[u8]) -> Json {
    let view = match MessageView::parse(bytes) {
        Ok(view) => view,
        Err(error) => return json!({ "ok": false, "error": error.to_string() }),
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

/// The option's bytes as the value that its code has, where this crate has a type for it.
fn typed(code: OptionCode, data: &[u8]) -> Option<Result<Json, String>> {
    let one = |key: Key<_>| show(key, data, |address: Ipv4Addr| json!(address));
    let list = |key: Key<_>| show(key, data, |addresses: Vec<Ipv4Addr>| json!(addresses));
    Some(match code {
        OptionCode::SUBNET_MASK => one(key::SUBNET_MASK),
        OptionCode::BROADCAST_ADDRESS => one(key::BROADCAST_ADDRESS),
        OptionCode::REQUESTED_ADDRESS => one(key::REQUESTED_ADDRESS),
        OptionCode::SERVER_ID => one(key::SERVER_ID),
        OptionCode::ROUTERS => list(key::ROUTERS),
        OptionCode::DNS_SERVERS => list(key::DNS_SERVERS),
        OptionCode::TFTP_SERVER_ADDRESS => list(key::TFTP_SERVER_ADDRESS),
        OptionCode::HOST_NAME => show(key::HOST_NAME, data, text),
        OptionCode::DOMAIN_NAME => show(key::DOMAIN_NAME, data, text),
        OptionCode::ROOT_PATH => show(key::ROOT_PATH, data, text),
        OptionCode::MESSAGE => show(key::MESSAGE, data, text),
        OptionCode::TFTP_SERVER_NAME => show(key::TFTP_SERVER_NAME, data, text),
        OptionCode::BOOT_FILE_NAME => show(key::BOOT_FILE_NAME, data, text),
        OptionCode::LEASE_TIME => show(key::LEASE_TIME, data, |time| json!(time.0)),
        OptionCode::RENEWAL_TIME => show(key::RENEWAL_TIME, data, |time| json!(time.0)),
        OptionCode::REBINDING_TIME => show(key::REBINDING_TIME, data, |time| json!(time.0)),
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
        OptionCode::MACHINE_ID => show(key::MACHINE_ID, data, text),
        OptionCode::VENDOR_SPECIFIC => show(key::VENDOR_SPECIFIC, data, sub_options),
        OptionCode::RELAY_AGENT => show(key::RELAY_AGENT, data, sub_options),
        OptionCode::IPXE => show(key::IPXE, data, sub_options),
        _ => return None,
    })
}

fn show<T: Value>(_key: Key<T>, data: &[u8], json: impl FnOnce(T) -> Json) -> Result<Json, String> {
    T::decode(data).map(json).map_err(|error| error.to_string())
}

fn text(value: impl Display) -> Json {
    json!(value.to_string())
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
