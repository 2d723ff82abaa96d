//! Settings: the variables of iPXE, as `[scope/]name[:type]`.
//!
//! A setting in an argument is a part of its own ([`Arg::setting`](crate::Arg::setting)), never
//! text with `${` in it: what a configuration says cannot become one.

use alloc::string::String;
use core::{fmt, str::FromStr};

use crate::error::RenderProblem;

/// A reference to a setting, such as `net0/mac:hexhyp`.
///
/// ```
/// use netboot_ipxe::{Setting, SettingType};
///
/// let mac = Setting::new("mac").scope("net0").typed(SettingType::HexHyp);
/// assert_eq!(mac.to_string(), "net0/mac:hexhyp");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Setting {
    scope: Option<String>,
    name: String,
    typed: Option<SettingType>,
}

impl Setting {
    /// The setting `name`, wherever it is first found, in its own type. A decimal number names a
    /// DHCP option.
    ///
    /// The name is checked when the script is rendered: it holds none of `/ : { } $`, no blank
    /// and no control character, and is not empty.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            scope: None,
            name: name.into(),
            typed: None,
        }
    }

    /// The same setting of one settings block, such as `net0` or `net0.dhcp`.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The same setting, read or written as `typed`.
    #[must_use]
    pub fn typed(mut self, typed: SettingType) -> Self {
        self.typed = Some(typed);
        self
    }

    /// The settings block, if one is named.
    #[must_use]
    pub fn scope_name(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// The name without block and type.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type, if one is named.
    #[must_use]
    pub fn setting_type(&self) -> Option<&SettingType> {
        self.typed.as_ref()
    }

    /// Reads `[scope/]name[:type]`, as it stands in a script between `${` and `}`.
    ///
    /// # Errors
    ///
    /// Where a part of it is empty or holds a character that cannot stand in it.
    pub fn parse(text: &str) -> Result<Self, RenderProblem> {
        let (scope, rest) = match text.split_once('/') {
            Some((scope, rest)) => (Some(scope), rest),
            None => (None, text),
        };
        let (name, typed) = match rest.split_once(':') {
            Some((name, typed)) => (name, Some(SettingType::from_name(typed))),
            None => (rest, None),
        };
        let setting = Self {
            scope: scope.map(String::from),
            name: name.into(),
            typed,
        };
        setting.check()?;
        Ok(setting)
    }

    pub(crate) fn check(&self) -> Result<(), RenderProblem> {
        let kind = match &self.typed {
            Some(SettingType::Other(name)) => Some(name.as_str()),
            _ => None,
        };
        for part in [self.scope.as_deref(), Some(self.name.as_str()), kind]
            .into_iter()
            .flatten()
        {
            if part.is_empty() {
                return Err(RenderProblem::Empty);
            }
            if let Some(c) = part.chars().find(|&c| !is_name_char(c)) {
                return Err(RenderProblem::Character(c));
            }
        }
        Ok(())
    }
}

impl FromStr for Setting {
    type Err = RenderProblem;

    fn from_str(text: &str) -> Result<Self, RenderProblem> {
        Self::parse(text)
    }
}

fn is_name_char(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !matches!(c, '/' | ':' | '{' | '}' | '$')
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scope) = &self.scope {
            write!(f, "{scope}/")?;
        }
        f.write_str(&self.name)?;
        match &self.typed {
            Some(typed) => write!(f, ":{typed}"),
            None => Ok(()),
        }
    }
}

/// How a setting's bytes are read and written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingType {
    /// Text.
    String,
    /// Text, percent-encoded for a URI.
    UriString,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A signed number of one byte, written in decimal.
    Int8,
    /// A signed number of two bytes, written in decimal.
    Int16,
    /// A signed number of four bytes, written in decimal.
    Int32,
    /// An unsigned number of one byte, written in hexadecimal.
    Uint8,
    /// An unsigned number of two bytes, written in hexadecimal.
    Uint16,
    /// An unsigned number of four bytes, written in hexadecimal.
    Uint32,
    /// Bytes as `52:54:00`.
    Hex,
    /// Bytes as `52-54-00`.
    HexHyp,
    /// Bytes as `525400`.
    HexRaw,
    /// Bytes in base64.
    Base64,
    /// A UUID.
    Uuid,
    /// A UUID whose first three fields are little-endian.
    Guid,
    /// A PCI address.
    BusDevFn,
    /// A list of DNS names.
    DnsSl,
    /// A type that this crate does not know by name.
    Other(String),
}

const TYPES: [(&str, SettingType); 18] = [
    ("string", SettingType::String),
    ("uristring", SettingType::UriString),
    ("ipv4", SettingType::Ipv4),
    ("ipv6", SettingType::Ipv6),
    ("int8", SettingType::Int8),
    ("int16", SettingType::Int16),
    ("int32", SettingType::Int32),
    ("uint8", SettingType::Uint8),
    ("uint16", SettingType::Uint16),
    ("uint32", SettingType::Uint32),
    ("hex", SettingType::Hex),
    ("hexhyp", SettingType::HexHyp),
    ("hexraw", SettingType::HexRaw),
    ("base64", SettingType::Base64),
    ("uuid", SettingType::Uuid),
    ("guid", SettingType::Guid),
    ("busdevfn", SettingType::BusDevFn),
    ("dnssl", SettingType::DnsSl),
];

impl SettingType {
    /// The type that iPXE calls `name`; [`Other`](Self::Other) where this crate knows none.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        TYPES
            .iter()
            .find(|(known, _)| *known == name)
            .map_or_else(|| Self::Other(name.into()), |(_, typed)| typed.clone())
    }

    /// iPXE's name of the type.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => TYPES
                .iter()
                .find(|(_, typed)| typed == known)
                .map_or("", |(name, _)| name),
        }
    }
}

impl fmt::Display for SettingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_type_has_a_name_that_names_it() {
        for (name, typed) in TYPES {
            assert_eq!(SettingType::from_name(name), typed);
            assert_eq!(typed.name(), name);
        }
        assert_eq!(
            SettingType::from_name("float"),
            SettingType::Other("float".into())
        );
    }

    #[test]
    fn a_name_that_would_end_the_expansion_is_refused() {
        for bad in ["a}", "a${", "a b", "a/b", "a:b", "a\n"] {
            assert!(
                matches!(Setting::new(bad).check(), Err(RenderProblem::Character(_))),
                "{bad:?}"
            );
            assert!(matches!(
                Setting::new("x").scope(bad).check(),
                Err(RenderProblem::Character(_))
            ));
        }
        assert_eq!(Setting::new("").check(), Err(RenderProblem::Empty));
        assert_eq!(Setting::new("mac").scope("net0.dhcp").check(), Ok(()));
    }

    #[test]
    fn scope_name_and_type_are_written_in_ipxe_order() {
        let setting = Setting::new("175")
            .scope("net0.dhcp")
            .typed(SettingType::HexRaw);
        assert_eq!(setting.to_string(), "net0.dhcp/175:hexraw");
    }
}
