//! Leases as they are stored, and what keys them.
//!
//! A lease's key is (network, `htype`, `chaddr`) and not the client identifier, which changes
//! between boot ROM, iPXE and the booted system. The identifier is the key only where the hardware
//! address is empty (`hlen` 0, RFC 4390).

use crate::value::ClientId;
use crate::{HardwareAddr, Timestamp};
use alloc::string::String;
use core::fmt;
use core::net::Ipv4Addr;

/// The caller's number for a network; it names the network in stored leases, so keep it over
/// restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct NetworkId(pub u32);

/// By what a client is known in its network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ClientKey {
    /// Its hardware address.
    Hardware(HardwareAddr),
    /// Its client identifier, where it sent no hardware address.
    Id(ClientId),
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hardware(address) => address.fmt(f),
            Self::Id(id) => write!(f, "id {id}"),
        }
    }
}

/// One address, and who has it.
///
/// The caller's store keeps one lease for an address of a network, and replaces it only by a claim
/// whose expected version is the stored one.
///
/// With the feature `serde` a lease is serialized together with the number of its stored format, 1.
/// What was serialized without a number, by versions before there was one, is of that format, and a
/// number that this version does not know is an error.
///
/// ```
/// use netboot_dhcp::server::{ClientKey, Lease, LeaseState, NetworkId};
/// use netboot_dhcp::{MacAddr, Seconds, Timestamp};
///
/// let now = Timestamp(1_700_000_000_000);
/// let client = ClientKey::Hardware(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]).into());
/// let address = "10.0.0.100".parse()?;
/// let mut lease = Lease::new(now, NetworkId(1), address, client, now.after(Seconds(3600)));
/// assert!(lease.is_active(now));
/// assert_eq!(lease.version, 1);
///
/// lease.host_name = Some("node-01".into());
/// lease.state = LeaseState::Released;
/// assert!(!lease.is_active(now));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Lease {
    /// Comes first, so that an unknown number is what is said of a format that is read otherwise.
    #[cfg_attr(feature = "serde", serde(default))]
    format: Format,
    /// The network that the address belongs to.
    pub network: NetworkId,
    /// The address.
    pub address: Ipv4Addr,
    /// Who has it, gave it back, or declined it.
    pub client: ClientKey,
    /// The client identifier (option 61) that was last sent with it.
    pub client_id: Option<ClientId>,
    /// The name that the client was given, or else says it has.
    pub host_name: Option<String>,
    /// Who the client says it is, where nobody else may have an address by that meanwhile
    /// ([`Boot::claimed_identity`](super::Boot::claimed_identity)).
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub claimed_identity: Option<String>,
    /// Whether the client has it.
    pub state: LeaseState,
    /// When the address is free for others: the lease's end, the time of release, or the end of the
    /// quarantine.
    pub expires: Timestamp,
    /// When this version was made.
    pub updated: Timestamp,
    /// Counts the changes of this address's lease, from 1.
    pub version: u64,
}

/// The format in which a lease is serialized: a number there, and nothing in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Format;

#[cfg(feature = "serde")]
mod format {
    use super::Format;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    const NUMBER: u32 = 1;

    impl Serialize for Format {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            NUMBER.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Format {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            match u32::deserialize(deserializer)? {
                NUMBER => Ok(Self),
                other => Err(D::Error::custom(format_args!(
                    "the lease is stored in format {other}, and this version reads format {NUMBER}"
                ))),
            }
        }
    }
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LeaseState {
    /// The client has the address until the lease expires.
    Bound,
    /// The client gave it back.
    Released,
    /// The client found it in use by somebody else: nobody gets it until the lease expires.
    Declined,
}

impl Lease {
    /// The first lease of an address, made at `now` for a client that has it until `expires`,
    /// without an identifier, a name or an identity.
    #[must_use]
    pub const fn new(
        now: Timestamp,
        network: NetworkId,
        address: Ipv4Addr,
        client: ClientKey,
        expires: Timestamp,
    ) -> Self {
        Self {
            format: Format,
            network,
            address,
            client,
            client_id: None,
            host_name: None,
            claimed_identity: None,
            state: LeaseState::Bound,
            expires,
            updated: now,
            version: 1,
        }
    }

    /// Whether the client has the address at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.state == LeaseState::Bound && self.expires > now
    }
}
