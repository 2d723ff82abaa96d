//! Numbers, addresses, lists and texts: the plain types of RFC 2132.

use super::{Value, ValueError, exactly, items};
use crate::Seconds;
use crate::wire::OptionCode;
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::fmt;
use core::net::Ipv4Addr;

macro_rules! number {
    ($type:ty, $len:literal) => {
        impl Value for $type {
            const LEN: Option<usize> = Some($len);

            fn decode(data: &[u8]) -> Result<Self, ValueError> {
                exactly(data).map(Self::from_be_bytes)
            }

            fn encode(&self, out: &mut Vec<u8>) {
                out.extend(self.to_be_bytes());
            }
        }
    };
}
number!(u8, 1);
number!(u16, 2);
number!(u32, 4);
number!(i32, 4);

/// A flag: 0 or 1.
impl Value for bool {
    const LEN: Option<usize> = Some(1);

    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        match u8::decode(data)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(ValueError::Flag { found }),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

/// No bytes: an option that says all by being there.
impl Value for () {
    const LEN: Option<usize> = Some(0);

    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        exactly::<0>(data).map(|[]| ())
    }

    fn encode(&self, _out: &mut Vec<u8>) {}
}

/// At least one number.
impl Value for Vec<u16> {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        items::<2, _>(data, u16::from_be_bytes)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.iter().flat_map(|one| one.to_be_bytes()));
    }
}

impl Value for Seconds {
    const LEN: Option<usize> = Some(4);

    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        u32::decode(data).map(Self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Value for Ipv4Addr {
    const LEN: Option<usize> = Some(4);

    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        exactly::<4>(data).map(Self::from)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.octets());
    }
}

/// At least one address.
impl Value for Vec<Ipv4Addr> {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        items::<4, _>(data, Ipv4Addr::from)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.iter().flat_map(Ipv4Addr::octets));
    }
}

/// Any bytes, none included.
impl Value for Bytes {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        Ok(Self::copy_from_slice(data))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// A text: UTF-8, of which ASCII is what RFC 2132 means. NULs at its end are not part of it
/// (RFC 2132 section 2 asks that receivers take them) and are not written.
///
/// ```
/// use netboot_dhcp::value::{Text, Value};
/// assert_eq!(Text::decode(b"undionly.kpxe\0").unwrap().0, "undionly.kpxe");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(pub String);

impl Value for Text {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let len = data
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        let text = data.get(..len).unwrap_or(data);
        match core::str::from_utf8(text) {
            Ok(text) => Ok(Self(text.into())),
            Err(error) => Err(ValueError::NotUtf8 {
                offset: error.valid_up_to(),
            }),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The codes that a client asks for, in its order (option 55); at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters(pub Vec<OptionCode>);

impl Parameters {
    /// Whether `code` is asked for.
    #[must_use]
    pub fn contains(&self, code: OptionCode) -> bool {
        self.0.contains(&code)
    }
}

impl Value for Parameters {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        items::<1, _>(data, |[code]| OptionCode(code)).map(Self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.0.iter().map(|code| code.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn list_of_addresses_needs_whole_addresses_and_one_at_least() {
        assert_eq!(
            Vec::<Ipv4Addr>::decode(&[10, 0, 0, 1, 10, 0, 0, 2]),
            Ok(vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)])
        );
        for found in [0, 3, 5] {
            assert_eq!(
                Vec::<Ipv4Addr>::decode(&vec![1; found]),
                Err(ValueError::ListLength { item: 4, found })
            );
        }
    }

    #[test]
    fn text_drops_only_the_nuls_at_its_end() {
        assert_eq!(Text::decode(b"a\0b\0\0").unwrap().0, "a\0b");
        assert_eq!(Text::decode(b"").unwrap().0, "");
        assert_eq!(
            Text::decode(b"ab\xffc"),
            Err(ValueError::NotUtf8 { offset: 2 })
        );
    }

    #[test]
    fn flag_is_one_byte_of_0_or_1() {
        assert_eq!(bool::decode(&[1]), Ok(true));
        assert_eq!(bool::decode(&[2]), Err(ValueError::Flag { found: 2 }));
        assert!(bool::decode(&[]).is_err());
        assert_eq!(<()>::decode(&[]), Ok(()));
        assert!(<()>::decode(&[0]).is_err());
        assert_eq!(i32::decode(&[0xff, 0xff, 0xf1, 0xf0]), Ok(-3600));
    }

    #[test]
    fn number_of_another_length_is_an_error_that_says_both() {
        assert_eq!(
            u32::decode(&[0, 0, 1]),
            Err(ValueError::Length {
                expected: 4,
                found: 3
            })
        );
    }
}
