//! Hardware addresses: the six-byte MAC that people write, and the `htype`/`chaddr` pair of the
//! wire (RFC 2131 section 2), which may have any length up to 16 bytes.

use alloc::string::String;
use core::fmt::{self, Write as _};
use core::str::FromStr;
use thiserror::Error;

/// An Ethernet address: six bytes.
///
/// Reads `52:54:00:12:34:56`, `52-54-00-12-34-56`, `5254.0012.3456` and `525400123456`, in either
/// case; writes the first form in lower case.
///
/// ```
/// use netboot_dhcp::MacAddr;
///
/// let mac: MacAddr = "52-54-00-12-34-AB".parse()?;
/// assert_eq!(mac.to_string(), "52:54:00:12:34:ab");
/// assert_eq!(mac.dashed().to_string(), "52-54-00-12-34-ab");
/// # Ok::<(), netboot_dhcp::ParseMacError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

/// A text that is not a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a MAC address; write it as 52:54:00:12:34:56")]
#[non_exhaustive]
pub struct ParseMacError {
    /// The text as it was given.
    pub text: String,
}

impl MacAddr {
    /// The address with dashes between its bytes, as file names and `BOOTIF=` have it.
    #[must_use]
    pub fn dashed(self) -> impl fmt::Display {
        Separated {
            bytes: self.0,
            separator: '-',
        }
    }
}

impl FromStr for MacAddr {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let bad = || ParseMacError { text: text.into() };
        let group = match (text.len(), text.as_bytes().get(2)) {
            (12, _) => 12,
            (14, _) => 4,
            (17, Some(b':' | b'-')) => 2,
            _ => return Err(bad()),
        };
        let separator = match group {
            2 => text.as_bytes().get(2).copied(),
            4 => Some(b'.'),
            _ => None,
        };
        let mut bytes = [0; 6];
        let mut digits = 0_usize;
        for (at, byte) in text.bytes().enumerate() {
            if separator.is_some() && at % (group + 1) == group {
                if Some(byte) != separator {
                    return Err(bad());
                }
                continue;
            }
            let nibble = hex_digit(byte).ok_or_else(bad)?;
            let slot = bytes.get_mut(digits / 2).ok_or_else(bad)?;
            *slot = *slot << 4 | nibble;
            digits += 1;
        }
        if digits == 12 {
            Ok(Self(bytes))
        } else {
            Err(bad())
        }
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Separated {
            bytes: self.0,
            separator: ':',
        }
        .fmt(f)
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacAddr({self})")
    }
}

/// A client's hardware address: its type (`htype`, 1 is Ethernet) and up to 16 bytes of `chaddr`.
///
/// Written as the MAC where it is one, else as `htype-` and the bytes with colons, which it also
/// reads: `32-80:00:02:08`. A message may say `hlen` 0; then there are no bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HardwareAddr {
    htype: u8,
    len: u8,
    bytes: [u8; 16],
}

impl HardwareAddr {
    /// The type number of Ethernet.
    pub const ETHERNET: u8 = 1;

    /// An address of type `htype`; bytes past the sixteenth are not part of one and give `None`.
    #[must_use]
    pub fn new(htype: u8, address: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..address.len())?.copy_from_slice(address);
        Some(Self {
            htype,
            len: u8::try_from(address.len()).ok()?,
            bytes,
        })
    }

    /// The address in a `chaddr` field, of which `hlen` bytes count, but never more than there are.
    pub(crate) const fn cut(htype: u8, hlen: u8, chaddr: [u8; 16]) -> Self {
        let len = if hlen > 16 { 16 } else { hlen };
        let mut bytes = [0; 16];
        let mut at = 0;
        while at < len as usize {
            bytes[at] = chaddr[at];
            at += 1;
        }
        Self { htype, len, bytes }
    }

    /// `htype`, `hlen` and the `chaddr` field.
    pub(crate) const fn parts(&self) -> (u8, u8, [u8; 16]) {
        (self.htype, self.len, self.bytes)
    }

    /// The first eight bytes as a number: a MAC address whole.
    pub(crate) const fn head(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The hardware type, from the ARP registry: 1 is Ethernet, 32 InfiniBand.
    #[must_use]
    pub const fn htype(&self) -> u8 {
        self.htype
    }

    /// The address: 0 to 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let len = usize::from(self.len).min(self.bytes.len());
        self.bytes.get(..len).unwrap_or(&self.bytes)
    }

    /// The address as a MAC, where it is six bytes of Ethernet.
    #[must_use]
    pub fn mac(&self) -> Option<MacAddr> {
        let bytes = self.as_bytes().try_into().ok()?;
        (self.htype == Self::ETHERNET).then_some(MacAddr(bytes))
    }
}

impl From<MacAddr> for HardwareAddr {
    fn from(mac: MacAddr) -> Self {
        let [a, b, c, d, e, f] = mac.0;
        Self {
            htype: Self::ETHERNET,
            len: 6,
            bytes: [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        }
    }
}

impl fmt::Display for HardwareAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mac) = self.mac() {
            return mac.fmt(f);
        }
        write!(f, "{}-", self.htype)?;
        Separated {
            bytes: self.as_bytes(),
            separator: ':',
        }
        .fmt(f)
    }
}

impl fmt::Debug for HardwareAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HardwareAddr({self})")
    }
}

/// A text that is neither a MAC address nor `htype-` and bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{text:?} is not a hardware address; write 52:54:00:12:34:56, or 32-80:00:02 with its type"
)]
#[non_exhaustive]
pub struct ParseHardwareAddrError {
    /// The text as it was given.
    pub text: String,
}

impl FromStr for HardwareAddr {
    type Err = ParseHardwareAddrError;

    fn from_str(text: &str) -> Result<Self, ParseHardwareAddrError> {
        if let Ok(mac) = text.parse::<MacAddr>() {
            return Ok(mac.into());
        }
        let typed = || {
            let (htype, rest) = text.split_once('-')?;
            let mut bytes = [0; 16];
            let mut len = 0;
            if !rest.is_empty() {
                for part in rest.split(':') {
                    let [high, low] = part.as_bytes() else {
                        return None;
                    };
                    *bytes.get_mut(len)? = hex_digit(*high)? << 4 | hex_digit(*low)?;
                    len += 1;
                }
            }
            Self::new(htype.parse().ok()?, bytes.get(..len)?)
        };
        typed().ok_or_else(|| ParseHardwareAddrError { text: text.into() })
    }
}

struct Separated<B> {
    bytes: B,
    separator: char,
}

impl<B: AsRef<[u8]>> fmt::Display for Separated<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.bytes.as_ref().iter().enumerate() {
            if at > 0 {
                f.write_char(self.separator)?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(feature = "serde")]
mod text_serde {
    use super::{HardwareAddr, MacAddr};
    use alloc::string::String;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    macro_rules! as_text {
        ($type:ty) => {
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?
                        .parse()
                        .map_err(D::Error::custom)
                }
            }
        };
    }
    as_text!(MacAddr);
    as_text!(HardwareAddr);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn mac_reads_the_four_usual_spellings() {
        let expected = MacAddr([0x52, 0x54, 0x00, 0x12, 0x34, 0xab]);
        for text in [
            "52:54:00:12:34:ab",
            "52-54-00-12-34-AB",
            "5254.0012.34ab",
            "5254001234Ab",
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mac_refuses_what_is_not_one_and_names_it() {
        for text in [
            "",
            "52:54:00:12:34",
            "52:54:00:12:34:5g",
            "52:54-00:12:34:56",
            "52:54:00:12:34:56:78",
            "5254:0012:3456",
            "5:254:00:12:34:56",
            "é2:54:00:12:34:5",
        ] {
            let error = text.parse::<MacAddr>().unwrap_err();
            assert_eq!(error.text, text);
        }
    }

    #[test]
    fn hardware_address_of_another_type_keeps_type_and_bytes() {
        let address = HardwareAddr::new(32, &[0x80, 0, 2, 8]).unwrap();
        assert_eq!(address.to_string(), "32-80:00:02:08");
        assert_eq!("32-80:00:02:08".parse(), Ok(address));
        assert_eq!(address.mac(), None);
        let none = HardwareAddr::new(1, &[]).unwrap();
        assert_eq!(none.to_string().parse(), Ok(none));
    }

    #[test]
    fn seventeen_bytes_are_no_hardware_address() {
        assert_eq!(HardwareAddr::new(1, &[0; 17]), None);
        assert!(HardwareAddr::new(1, &[0; 16]).is_some());
        assert!("1-00:".parse::<HardwareAddr>().is_err());
    }
}
