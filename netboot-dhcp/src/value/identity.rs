//! Who a client is: client identifier (61), machine UUID (97) and network driver interface (94).

use super::{Value, ValueError, exactly};
use crate::hex::Hex;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// Option 61: a client's own name for itself, at least one byte; by RFC 2132 section 9.14 a type
/// byte and then, for type 1, the MAC address. Between ROM, iPXE and the booted system it changes,
/// so that this crate records it and does not key leases by it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct ClientId(#[cfg_attr(feature = "serde", serde(with = "crate::hex"))] pub Bytes);

impl Value for ClientId {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        if data.is_empty() {
            return Err(ValueError::TooShort { least: 1, found: 0 });
        }
        Bytes::decode(data).map(Self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({self})")
    }
}

/// Option 97: the machine's UUID (RFC 4578 section 2.3). Firmware sends type 0 and 16 bytes, or
/// an empty option.
///
/// The 16 bytes are kept and displayed as they are sent; whether firmware swapped the first three
/// groups, as SMBIOS stores them, cannot be seen from them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum MachineId {
    /// An option without bytes.
    Empty,
    /// Type 0: a UUID.
    Uuid([u8; 16]),
    /// Another type or length: its bytes, the type's among them.
    Other(Bytes),
}

impl MachineId {
    /// The UUID, where there is one.
    #[must_use]
    pub const fn uuid(&self) -> Option<[u8; 16]> {
        match self {
            Self::Uuid(uuid) => Some(*uuid),
            Self::Empty | Self::Other(_) => None,
        }
    }
}

impl Value for MachineId {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        Ok(match data {
            [] => Self::Empty,
            [0, uuid @ ..] if uuid.len() == 16 => Self::Uuid(exactly(uuid)?),
            other => Self::Other(Bytes::copy_from_slice(other)),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Empty => {}
            Self::Uuid(uuid) => {
                out.push(0);
                out.extend_from_slice(uuid);
            }
            Self::Other(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Uuid(uuid) => uuid.iter().enumerate().try_for_each(|(at, byte)| {
                let separator = if matches!(at, 4 | 6 | 8 | 10) {
                    "-"
                } else {
                    ""
                };
                write!(f, "{separator}{byte:02x}")
            }),
            Self::Other(bytes) => Hex(bytes).fmt(f),
        }
    }
}

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MachineId({self})")
    }
}

/// Option 94: the firmware's network driver interface, type 1 for UNDI (RFC 4578 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkInterface {
    /// The interface's type: 1 is UNDI.
    pub kind: u8,
    /// Its major version.
    pub major: u8,
    /// Its minor version.
    pub minor: u8,
}

impl Value for NetworkInterface {
    const LEN: Option<usize> = Some(3);

    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let [kind, major, minor] = exactly(data)?;
        Ok(Self { kind, major, minor })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend([self.kind, self.major, self.minor]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn machine_id_is_empty_or_a_uuid_or_kept_as_it_is() {
        assert_eq!(MachineId::decode(&[]), Ok(MachineId::Empty));
        let mut data = [0; 17];
        data[16] = 0x10;
        let id = MachineId::decode(&data).unwrap();
        assert_eq!(id.to_string(), "00000000-0000-0000-0000-000000000010");
        data[0] = 1;
        assert_eq!(MachineId::decode(&data).unwrap().uuid(), None);
    }

    #[test]
    fn client_id_has_one_byte_at_least() {
        assert_eq!(
            ClientId::decode(&[]),
            Err(ValueError::TooShort { least: 1, found: 0 })
        );
        assert_eq!(ClientId::decode(&[1, 0x52]).unwrap().to_string(), "01:52");
    }
}
