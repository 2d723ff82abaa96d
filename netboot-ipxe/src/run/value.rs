//! What a type says of bytes, and the bytes that a text in a type's form stands for.
//!
//! Each form is iPXE's: `core/settings.c`, `core/base64.c`, and for lists of names RFC 1035,
//! section 4.1.4, as `net/udp/dns.c` reads it.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::net::Ipv6Addr;

use super::MAX_WORDS_LEN;
use crate::setting::SettingType;

/// How many bytes a number of that type has.
pub(super) fn size(typed: &SettingType) -> Option<usize> {
    match typed {
        SettingType::Int8 | SettingType::Uint8 => Some(1),
        SettingType::Int16 | SettingType::Uint16 => Some(2),
        SettingType::Int32 | SettingType::Uint32 => Some(4),
        _ => None,
    }
}

/// The bytes of a text in the form of a type.
pub(super) fn encode(text: &str, typed: &SettingType) -> Option<Vec<u8>> {
    match typed {
        SettingType::String => Some(text.as_bytes().to_vec()),
        SettingType::UriString => Some(percent_decode(text)),
        SettingType::Ipv4 => {
            let parts: Option<Vec<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
            parts.filter(|parts| parts.len() == 4)
        }
        SettingType::Hex => hex(text, Some(':')),
        SettingType::HexHyp => hex(text, Some('-')),
        SettingType::HexRaw => hex(text, None),
        SettingType::Base64 => base64_decode(text),
        SettingType::Ipv6 => {
            let address = text.parse::<Ipv6Addr>().ok();
            // iPXE does not know the dotted form of the last two groups.
            let address = address.filter(|_| !text.contains('.'))?;
            Some(address.octets().to_vec())
        }
        SettingType::Uuid => uuid(text),
        SettingType::Guid => Some(guid(&uuid(text)?)),
        typed => size(typed).and_then(|size| Some(last_bytes(integer(text)?, size))),
    }
}

/// Bytes in the form of a type; empty where it has none for them.
pub(super) fn decode(bytes: &[u8], typed: &SettingType) -> String {
    let joined = |between: &str| {
        bytes
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<Vec<_>>()
            .join(between)
    };
    match typed {
        SettingType::String => c_string(bytes),
        SettingType::UriString => percent_encode(bytes),
        SettingType::Ipv4 => match bytes {
            [a, b, c, d, ..] => format!("{a}.{b}.{c}.{d}"),
            _ => String::new(),
        },
        SettingType::Int8 | SettingType::Int16 | SettingType::Int32 => {
            number(bytes).map_or_else(String::new, |number| number.to_string())
        }
        SettingType::Uint8 | SettingType::Uint16 | SettingType::Uint32 => {
            unsigned(bytes).map_or_else(String::new, |number| format!("{number:#x}"))
        }
        SettingType::Hex => joined(":"),
        SettingType::HexHyp => joined("-"),
        SettingType::HexRaw => joined(""),
        SettingType::Base64 => base64_encode(bytes),
        SettingType::Ipv6 => ipv6(bytes),
        SettingType::Uuid if bytes.len() == UUID_LEN => uuid_text(bytes),
        SettingType::Guid if bytes.len() == UUID_LEN => uuid_text(&guid(bytes)),
        SettingType::BusDevFn => unsigned(bytes).map_or_else(String::new, busdevfn),
        SettingType::DnsSl => names(bytes).map_or_else(String::new, |names| c_string(&names)),
        _ => String::new(),
    }
}

/// Text ends at the first zero.
fn c_string(bytes: &[u8]) -> String {
    let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// A number as C's `strtoul` with base 0 reads it, the whole text.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let value = match (lower, digits.strip_prefix('0')) {
        (Some(hex), _) => u32::from_str_radix(hex, 16).ok()?,
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok()?,
        _ => digits.parse().ok()?,
    };
    if digits.contains(['+', '-']) {
        return None;
    }
    Some(if negative {
        -i64::from(value)
    } else {
        i64::from(value)
    })
}

fn unsigned(bytes: &[u8]) -> Option<u32> {
    let wide = bytes.iter().try_fold(0_u32, |value, b| {
        value.checked_mul(256).map(|value| value | u32::from(*b))
    });
    wide.filter(|_| !bytes.is_empty())
}

/// Big-endian, its sign that of the first byte: 32 bits of it, where the bytes before these say no
/// more than that sign.
pub(super) fn number(bytes: &[u8]) -> Option<i64> {
    let sign = if *bytes.first()? < 0x80 { 0 } else { 0xff };
    let (before, last) = bytes.split_at(bytes.len().saturating_sub(4));
    let mut wide = [sign; 4];
    for (to, from) in wide.iter_mut().rev().zip(last.iter().rev()) {
        *to = *from;
    }
    let same = before.iter().all(|b| *b == sign);
    same.then(|| i64::from(i32::from_be_bytes(wide)))
}

pub(super) fn last_bytes(value: i64, size: usize) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    bytes.get(bytes.len() - size..).unwrap_or_default().to_vec()
}

fn hex(text: &str, between: Option<char>) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().collect();
    let mut bytes = Vec::new();
    let mut left = digits.as_slice();
    while let [high, low, rest @ ..] = left {
        let byte = high.to_digit(16)? * 16 + low.to_digit(16)?;
        bytes.push(u8::try_from(byte).ok()?);
        left = match (between, rest) {
            (_, []) => rest,
            (None, rest) => rest,
            (Some(between), [first, more @ ..]) if *first == between && !more.is_empty() => more,
            _ => return None,
        };
    }
    left.is_empty().then_some(bytes)
}

/// As iPXE does for its first field of a URI: most marks stay as they are.
fn percent_encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for b in bytes {
        match b {
            b'#' | b'%' | b'&' | b'/' | b':' | b'=' | b'?' | b'@' => {
                out.push_str(&format!("%{b:02X}"));
            }
            b'!'..=b'~' => out.push(char::from(*b)),
            0..0x80 => out.push_str(&format!("%{b:02X}")),
            // Where C's `char` has a sign, as on x86, iPXE prints all 32 bits.
            0x80.. => out.push_str(&format!("%FFFFFF{b:02X}")),
        }
    }
    out
}

pub(super) fn percent_decode(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = text.as_bytes();
    while let Some((first, rest)) = left.split_first() {
        let decoded = match (first, rest) {
            (b'%', [high, low, ..]) => {
                let digit = |b: &u8| char::from(*b).to_digit(16);
                digit(high)
                    .zip(digit(low))
                    .and_then(|(h, l)| u8::try_from(h * 16 + l).ok())
            }
            _ => None,
        };
        out.push(decoded.unwrap_or(*first));
        left = if decoded.is_some() {
            rest.get(2..).unwrap_or_default()
        } else {
            rest
        };
    }
    out
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64_encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = usize::try_from(bits >> shift & 63).ok();
            let digit = digit.and_then(|digit| BASE64.get(digit));
            let digit = digit.filter(|_| place <= chunk.len());
            out.push(digit.map_or('=', |digit| char::from(*digit)));
        }
    }
    out
}

/// iPXE passes over blanks and wants whole bytes: each `=` takes two bits off.
fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut held, mut pads) = (0_u32, 0_u32, 0_u32);
    for c in text
        .bytes()
        .filter(|c| !crate::render::is_blank(char::from(*c)))
    {
        if c == b'=' {
            pads += 1;
            if pads > 2 {
                return None;
            }
            continue;
        }
        let digit = BASE64.iter().position(|digit| *digit == c)?;
        if pads > 0 {
            return None;
        }
        bits = bits << 6 | u32::try_from(digit).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    (held == 2 * pads).then_some(bytes)
}

/// As RFC 5952, section 4.2, but never with dots.
fn ipv6(bytes: &[u8]) -> String {
    let address = bytes.first_chunk::<16>();
    let Some(groups) = address.map(|octets| Ipv6Addr::from(*octets).segments()) else {
        return String::new();
    };
    let zeros = |from: usize| {
        groups
            .iter()
            .skip(from)
            .take_while(|group| **group == 0)
            .count()
    };
    let longest = (0..groups.len()).rev().max_by_key(|from| zeros(*from));
    let hex = |groups: &[u16]| {
        groups
            .iter()
            .map(|g| format!("{g:x}"))
            .collect::<Vec<_>>()
            .join(":")
    };
    let run = longest.map(|from| (from, from + zeros(from)));
    match run.filter(|(from, to)| to - from > 1) {
        Some((from, to)) => {
            let (before, after) = (groups.get(..from), groups.get(to..));
            let side = |groups: Option<&[u16]>| hex(groups.unwrap_or_default());
            format!("{}::{}", side(before), side(after))
        }
        None => hex(&groups),
    }
}

const UUID_LEN: usize = 16;

/// Where the parts of a UUID's text start, in bytes.
const UUID_PARTS: [usize; 4] = [4, 6, 8, 10];

fn uuid_text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (at, b) in bytes.iter().enumerate() {
        if UUID_PARTS.contains(&at) {
            out.push('-');
        }
        out.push_str(&format!("{b:02x}"));
    }
    out
}

fn uuid(text: &str) -> Option<Vec<u8>> {
    let bytes = hex(&text.replace('-', ""), None)?;
    let same = uuid_text(&bytes).eq_ignore_ascii_case(text);
    Some(bytes).filter(|bytes| same && bytes.len() == UUID_LEN)
}

/// The first three parts the other way round; twice is the same again.
fn guid(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (from, to) in [(0, 4), (4, 6), (6, 8)] {
        if let Some(part) = bytes.get_mut(from..to) {
            part.reverse();
        }
    }
    bytes
}

/// Segment, bus, device and function of a PCI address.
fn busdevfn(number: u32) -> String {
    let (segment, bus) = (number >> 16, number >> 8 & 0xff);
    let (device, function) = (number >> 3 & 0x1f, number & 7);
    format!("{segment:04x}:{bus:02x}:{device:02x}.{function:x}")
}

/// Names of DNS one after the other, with blanks between them. `None` where one has no end, or
/// where pointers make more of them than a word may hold.
fn names(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut hops = MAX_WORDS_LEN;
    let mut at = 0;
    while at < bytes.len() {
        if at > 0 {
            out.push(b' ');
        }
        at = name(bytes, at, &mut out, &mut hops)?;
        // More zeros are no more names.
        while bytes.get(at) == Some(&0) {
            at += 1;
        }
    }
    Some(out)
}

/// Adds the name at a place, and gives the place after it.
fn name(bytes: &[u8], mut at: usize, out: &mut Vec<u8>, hops: &mut usize) -> Option<usize> {
    let mut after = None;
    let mut first = true;
    loop {
        *hops = hops.checked_sub(1)?;
        let len = usize::from(*bytes.get(at)?);
        if len == 0 {
            return Some(after.unwrap_or(at + 1));
        }
        // iPXE takes either bit for a pointer's mark. A pointer leads backwards.
        if len >= 0x40 {
            let to = (len & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
            after = after.or(Some(at + 2));
            at = Some(to).filter(|to| *to < at)?;
            continue;
        }
        let label = bytes.get(at + 1..at + 1 + len)?;
        if !first {
            out.push(b'.');
        }
        first = false;
        out.extend_from_slice(label);
        if out.len() > MAX_WORDS_LEN {
            return None;
        }
        at += 1 + len;
    }
}
