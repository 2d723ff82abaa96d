//! Settings while a script runs: bytes with the type they were written as.
//!
//! Reading with another type looks at the same bytes otherwise, as iPXE does: `${mac:hexhyp}`.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::setting::{Setting, SettingType};

/// The settings of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<(String, String), (Vec<u8>, SettingType)>,
}

/// How many settings there may be; no more are written.
const MAX_SETTINGS: usize = 1_024;

/// Settings that iPXE knows by name: the type each has, and the DHCP option it is.
const NAMED: [(&str, SettingType, &str); 16] = [
    ("mac", SettingType::Hex, ""),
    ("busid", SettingType::Hex, ""),
    ("uuid", SettingType::Uuid, ""),
    ("ip", SettingType::Ipv4, ""),
    ("next-server", SettingType::Ipv4, ""),
    ("netmask", SettingType::Ipv4, "1"),
    ("gateway", SettingType::Ipv4, "3"),
    ("dns", SettingType::Ipv4, "6"),
    ("hostname", SettingType::String, "12"),
    ("domain", SettingType::String, "15"),
    ("root-path", SettingType::String, "17"),
    ("filename", SettingType::String, "67"),
    ("user-class", SettingType::String, "77"),
    ("priority", SettingType::Int8, ""),
    ("username", SettingType::String, "190"),
    ("password", SettingType::String, "191"),
];

impl Settings {
    /// No settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a setting by its name, `[scope/]name[:type]`, from the text form of its type; an
    /// empty text deletes it. False, and nothing done, where the name or the text is none, or
    /// where there are 1,024 settings already.
    ///
    /// ```
    /// use netboot_ipxe::run::Settings;
    ///
    /// let mut settings = Settings::new();
    /// assert!(settings.set("net0/mac", "52:54:00:12:34:56"));
    /// assert_eq!(settings.text("mac:hexhyp"), "52-54-00-12-34-56");
    /// ```
    pub fn set(&mut self, name: &str, text: &str) -> bool {
        let Some(setting) = Setting::from_text(name).filter(is_known_type) else {
            return false;
        };
        let key = key(&setting);
        if text.is_empty() {
            self.values.remove(&key);
            return true;
        }
        let default =
            named(setting.name()).map_or(SettingType::String, |(_, typed, _)| typed.clone());
        let typed = setting.setting_type().cloned().unwrap_or(default);
        if self.values.len() >= MAX_SETTINGS && !self.values.contains_key(&key) {
            return false;
        }
        match encode(text, &typed) {
            Some(bytes) => {
                self.values.insert(key, (bytes, typed));
                true
            }
            None => false,
        }
    }

    /// A setting's value as text, by its name; empty where there is none, or where its type cannot
    /// say what it holds.
    pub fn text(&self, name: &str) -> String {
        let Some(setting) = Setting::from_text(name) else {
            return String::new();
        };
        let Some((bytes, typed)) = self.find(&setting) else {
            return String::new();
        };
        decode(bytes, setting.setting_type().unwrap_or(typed))
    }

    /// Deletes a setting. False where the name is none.
    pub fn clear(&mut self, name: &str) -> bool {
        let Some(setting) = Setting::from_text(name) else {
            return false;
        };
        self.values.remove(&key(&setting));
        true
    }

    /// Adds to a number; what is not there counts as 0.
    pub(super) fn add(&mut self, name: &str, by: i64) -> bool {
        let Some(setting) = Setting::from_text(name).filter(is_known_type) else {
            return false;
        };
        let found = self.find(&setting).cloned();
        let stored = found
            .as_ref()
            .map_or(SettingType::Int32, |(_, typed)| typed.clone());
        let typed = setting.setting_type().cloned().unwrap_or(stored);
        let Some(size) = size(&typed) else {
            return false;
        };
        if self.values.len() >= MAX_SETTINGS && found.is_none() {
            return false;
        }
        let old = found.and_then(|(bytes, _)| number(&bytes)).unwrap_or(0);
        self.values.insert(
            key(&setting),
            (last_bytes(old.wrapping_add(by), size), typed),
        );
        true
    }

    /// Without a scope, the setting is looked for everywhere.
    fn find(&self, setting: &Setting) -> Option<&(Vec<u8>, SettingType)> {
        let (scope, name) = key(setting);
        let exact = self.values.get(&(scope.clone(), name.clone()));
        exact.or_else(|| {
            let all = self.values.iter().filter(|_| scope.is_empty());
            all.filter(|((_, other), _)| *other == name)
                .map(|(_, value)| value)
                .next()
        })
    }
}

fn is_known_type(setting: &Setting) -> bool {
    !matches!(setting.setting_type(), Some(SettingType::Other(_)))
}

fn named(name: &str) -> Option<&'static (&'static str, SettingType, &'static str)> {
    NAMED
        .iter()
        .find(|(known, _, tag)| *known == name || (!tag.is_empty() && *tag == name))
}

/// A DHCP option by its number is the setting of that name.
fn key(setting: &Setting) -> (String, String) {
    let name = named(setting.name()).map_or(setting.name(), |(name, _, _)| name);
    (
        setting.scope_name().unwrap_or_default().to_string(),
        name.to_string(),
    )
}

fn size(typed: &SettingType) -> Option<usize> {
    match typed {
        SettingType::Int8 | SettingType::Uint8 => Some(1),
        SettingType::Int16 | SettingType::Uint16 => Some(2),
        SettingType::Int32 | SettingType::Uint32 => Some(4),
        _ => None,
    }
}

/// The bytes of a text in the form of a type.
fn encode(text: &str, typed: &SettingType) -> Option<Vec<u8>> {
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
        typed => size(typed).and_then(|size| Some(last_bytes(integer(text)?, size))),
    }
}

/// A text in the form of a type.
fn decode(bytes: &[u8], typed: &SettingType) -> String {
    let joined = |between: &str| {
        bytes
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<Vec<_>>()
            .join(between)
    };
    match typed {
        SettingType::String => String::from_utf8_lossy(bytes).into_owned(),
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
        SettingType::Uuid if bytes.len() == 16 => {
            let raw = joined("");
            let ends = [0, 8, 12, 16, 20, 32];
            let parts = ends.windows(2).map(|end| match end {
                [from, to] => raw.get(*from..*to).unwrap_or_default(),
                _ => "",
            });
            parts.collect::<Vec<_>>().join("-")
        }
        _ => String::new(),
    }
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

/// Big-endian, its sign that of the first byte.
fn number(bytes: &[u8]) -> Option<i64> {
    let value = i64::from(unsigned(bytes)?);
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let bits = u32::try_from(bytes.len().min(4)).ok()? * 8;
    Some(if negative {
        value - (1_i64 << bits)
    } else {
        value
    })
}

fn last_bytes(value: i64, size: usize) -> Vec<u8> {
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

fn percent_encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for b in bytes {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+') {
            out.push(char::from(*b));
        } else {
            out.push_str(&format!("%{b:02X}"));
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
