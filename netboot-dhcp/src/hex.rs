//! Bytes as a string of hex digits, for serde.

use crate::hardware::hex_digit;
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::fmt::{self, Write as _};
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    struct Hex<'a>(&'a [u8]);
    impl fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    write!(text, "{}", Hex(bytes)).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
        _ => None,
    });
    pairs
        .collect::<Option<Vec<u8>>>()
        .map(Bytes::from)
        .ok_or_else(|| D::Error::custom(format_args!("{text:?} is not an even run of hex digits")))
}
