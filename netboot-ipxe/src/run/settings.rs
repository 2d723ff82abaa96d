//! Settings while a script runs: bytes with the type they were written as.
//!
//! Reading with another type looks at the same bytes otherwise, as iPXE does: `${mac:hexhyp}`.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use super::value::{decode, encode, last_bytes, number, size};
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
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a setting by its name, `[scope/]name[:type]`, from the text form of its type; an
    /// empty text deletes it. False, and nothing done, where the name or the text is none, or
    /// where there are 1,024 settings already. The types `busdevfn` and `dnssl` have no text that
    /// could be written; `hex` says their bytes.
    ///
    /// ```
    /// use netboot_ipxe::run::Settings;
    ///
    /// let mut settings = Settings::new();
    /// assert!(settings.set("net0/mac", "52:54:00:12:34:56"));
    /// assert_eq!(settings.text("mac:hexhyp"), "52-54-00-12-34-56");
    /// ```
    pub fn set(&mut self, name: &str, text: &str) -> bool {
        let Some(setting) = Setting::parse(name).ok().filter(is_known_type) else {
            return false;
        };
        let key = key(&setting);
        if text.is_empty() {
            self.values.remove(&key);
            return true;
        }
        let typed = type_of(&setting).unwrap_or(SettingType::String);
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

    /// As [`set`](Self::set), from within a script: what a machine only ever brings along cannot be
    /// written there.
    pub(super) fn store(&mut self, name: &str, text: &str) -> bool {
        let typed = Setting::parse(name)
            .ok()
            .and_then(|setting| type_of(&setting));
        let written = !matches!(typed, Some(SettingType::Uuid | SettingType::Guid));
        (written || text.is_empty()) && self.set(name, text)
    }

    /// A setting's value as text, by its name; empty where there is none, or where its type cannot
    /// say what it holds.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        let Ok(setting) = Setting::parse(name) else {
            return String::new();
        };
        let Some((bytes, typed)) = self.find(&setting) else {
            return String::new();
        };
        decode(bytes, setting.setting_type().unwrap_or(typed))
    }

    /// Deletes a setting. False where the name is none.
    pub fn clear(&mut self, name: &str) -> bool {
        let Ok(setting) = Setting::parse(name) else {
            return false;
        };
        self.values.remove(&key(&setting));
        true
    }

    /// Adds to a number; what is not there counts as 0.
    pub(super) fn add(&mut self, name: &str, by: i64) -> bool {
        let Some(setting) = Setting::parse(name).ok().filter(is_known_type) else {
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

/// The type that a setting has by what is said of it, or by its name.
fn type_of(setting: &Setting) -> Option<SettingType> {
    let by_name = || named(setting.name()).map(|(_, typed, _)| typed.clone());
    setting.setting_type().cloned().or_else(by_name)
}

pub(super) fn is_known_type(setting: &Setting) -> bool {
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
