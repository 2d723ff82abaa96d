//! A relay agent's circuit: the bytes that it puts into option 82 for a port of its switch.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A circuit (RFC 3046 section 3.1), at least one byte: `eth0/1:100` where it is printable text,
/// else `0x` and hex digits.
///
/// ```
/// use netboot_server::config::Circuit;
///
/// let circuit: Circuit = "0x000401f40003".parse()?;
/// assert_eq!(circuit.bytes()[..], [0, 4, 1, 0xf4, 0, 3]);
/// assert_eq!("eth0/1:100".parse::<Circuit>()?.to_string(), "eth0/1:100");
/// # Ok::<(), netboot_server::config::ParseCircuitError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Circuit(Bytes);

/// A text that is no circuit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is neither a text nor `0x` and pairs of hex digits")]
pub struct ParseCircuitError;

impl Circuit {
    /// The circuit of these bytes, as option 82 has them; `None` where there are none, or more than
    /// the 255 that fit there.
    #[must_use]
    pub fn new(bytes: Bytes) -> Option<Self> {
        (1..=255).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// `0x` and hex digits, whatever the bytes are: what a URL can hold.
    #[must_use]
    pub fn hex(&self) -> String {
        let mut hex = String::from("0x");
        hex.extend(self.0.iter().map(|byte| format!("{byte:02x}")));
        hex
    }
}

impl FromStr for Circuit {
    type Err = ParseCircuitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = match text.strip_prefix("0x") {
            Some(digits) => parse_hex(digits).ok_or(ParseCircuitError)?,
            None => text.as_bytes().to_vec(),
        };
        Self::new(bytes.into()).ok_or(ParseCircuitError)
    }
}

/// The bytes of pairs of hex digits.
pub(crate) fn parse_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

impl fmt::Display for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text)
                if !text.starts_with("0x")
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_graphic() || byte == b' ') =>
            {
                f.write_str(text)
            }
            _ => f.write_str(&self.hex()),
        }
    }
}

impl<'de> Deserialize<'de> for Circuit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Circuit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_circuit_is_refused() {
        for text in ["", "0x", "0x1", "0xzz", "0x+1"] {
            assert_eq!(text.parse::<Circuit>(), Err(ParseCircuitError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_written_and_read_back(
            bytes in proptest::collection::vec(any::<u8>(), 1..40),
        ) {
            let circuit = Circuit::new(bytes.into()).expect("bytes");
            prop_assert_eq!(circuit.to_string().parse(), Ok(circuit.clone()));
            prop_assert_eq!(circuit.hex().parse(), Ok(circuit));
        }
    }
}
