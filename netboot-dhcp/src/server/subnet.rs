//! Subnets, and ranges of their addresses.

use alloc::string::String;
use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;
use thiserror::Error;

/// Addresses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct AddressRange {
    /// The first.
    pub start: Ipv4Addr,
    /// The last.
    pub end: Ipv4Addr,
}

impl AddressRange {
    /// The addresses from `start` to `end`.
    #[must_use]
    pub const fn new(start: Ipv4Addr, end: Ipv4Addr) -> Self {
        Self { start, end }
    }

    /// Whether `address` is among them.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.start..=self.end).contains(&address)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

/// An IPv4 subnet: an address and how many of its bits are the network's.
///
/// ```
/// use netboot_dhcp::server::Subnet;
///
/// let subnet: Subnet = "192.168.100.7/24".parse()?;
/// assert_eq!(subnet.to_string(), "192.168.100.0/24");
/// assert_eq!(subnet.mask().to_string(), "255.255.255.0");
/// # Ok::<(), netboot_dhcp::server::ParseSubnetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    network: Ipv4Addr,
    prefix: u8,
}

/// A text that is not an address and a prefix length.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a subnet; write it as 192.168.100.0/24")]
#[non_exhaustive]
pub struct ParseSubnetError {
    /// The text as it was given.
    pub text: String,
}

impl Subnet {
    /// The subnet that `address` is in; `None` where the prefix is above 32.
    #[must_use]
    pub const fn new(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        if prefix > 32 {
            return None;
        }
        let network = Ipv4Addr::from_bits(address.to_bits() & mask_bits(prefix));
        Some(Self { network, prefix })
    }

    /// The network address.
    #[must_use]
    pub const fn network(&self) -> Ipv4Addr {
        self.network
    }

    /// The prefix length, 0 to 32.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The subnet mask.
    #[must_use]
    pub const fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(mask_bits(self.prefix))
    }

    /// The last address, which is the broadcast address where there is one.
    #[must_use]
    pub const fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() | !mask_bits(self.prefix))
    }

    /// Whether `address` is in the subnet.
    #[must_use]
    pub const fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask_bits(self.prefix) == self.network.to_bits()
    }

    /// Whether the subnet has a broadcast address: a /31 has two machines and nothing else (RFC 3021
    /// section 2.1), and a /32 one.
    #[must_use]
    pub const fn has_broadcast(&self) -> bool {
        self.prefix < 31
    }

    /// Whether a machine can be given `address`: in the subnet, and neither network nor broadcast
    /// address.
    #[must_use]
    pub fn is_host(&self, address: Ipv4Addr) -> bool {
        self.contains(address)
            && (!self.has_broadcast() || (address != self.network && address != self.broadcast()))
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }
}

const fn mask_bits(prefix: u8) -> u32 {
    match u32::MAX.checked_shl(32 - prefix as u32) {
        Some(bits) => bits,
        None => 0,
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = ParseSubnetError;

    fn from_str(text: &str) -> Result<Self, ParseSubnetError> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            Self::new(address.parse().ok()?, prefix.parse().ok()?)
        };
        parse().ok_or_else(|| ParseSubnetError { text: text.into() })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Subnet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Subnet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn subnet_knows_its_ends() {
        let subnet: Subnet = "10.1.2.3/22".parse().unwrap();
        assert_eq!(subnet.to_string(), "10.1.0.0/22");
        assert_eq!(subnet.mask(), Ipv4Addr::new(255, 255, 252, 0));
        assert_eq!(subnet.broadcast(), Ipv4Addr::new(10, 1, 3, 255));
        assert!(subnet.contains(Ipv4Addr::new(10, 1, 3, 255)));
        assert!(!subnet.is_host(Ipv4Addr::new(10, 1, 3, 255)));
        assert!(!subnet.contains(Ipv4Addr::new(10, 1, 4, 0)));
        let all: Subnet = "1.2.3.4/0".parse().unwrap();
        assert_eq!(all.to_string(), "0.0.0.0/0");
        let one: Subnet = "1.2.3.4/32".parse().unwrap();
        assert!(one.is_host(Ipv4Addr::new(1, 2, 3, 4)));
    }

    #[test]
    fn subnets_overlap_where_one_is_inside_the_other() {
        let subnet = |text: &str| text.parse::<Subnet>().unwrap();
        let (wide, inside) = (subnet("10.0.0.0/8"), subnet("10.1.2.0/24"));
        assert!(wide.overlaps(&inside) && inside.overlaps(&wide));
        assert!(!inside.overlaps(&subnet("10.1.3.0/24")));
    }

    #[test]
    fn subnet_refuses_what_is_none() {
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "/8", "10.0.0.0/-1"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }
}
