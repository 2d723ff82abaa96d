//! The configuration as it is written: JSON or TOML, one schema, nothing checked yet.
//!
//! Every key that may stand under `netboot` is a field here and nowhere else; the nearest known
//! name of a misspelled key is looked up in these types.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::Subnet;
use netboot_image::ImageName;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::field::{Field, Wanted};
use super::listen::AdminListen;
use super::{Allow, Circuit, Identify, LocalBoot, Mode, ProgramChoice, Then, Unknown};

/// Where in which file a table stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place(pub(super) String);

impl Place {
    pub(super) fn key(&self, key: impl fmt::Display) -> Self {
        Self(format!("{}.{key}", self.0))
    }

    pub(super) fn index(&self, key: &str, index: usize) -> Self {
        Self(format!("{}.{key}[{index}]", self.0))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A table with the keys of `T`. A derived `Deserialize` would take a list of its values, too.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Table<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Keys<T> {
            type Value = Table<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, keys: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(keys)).map(Table)
            }
        }
        deserializer.deserialize_map(Keys(PhantomData))
    }
}

/// What stands under `netboot`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Netboot {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) state_dir: Option<String>,
    pub(super) program_dirs: Option<Vec<String>>,
    pub(super) user: Option<String>,
    pub(super) server: Option<Table<Server>>,
    pub(super) networks: Vec<Table<Network>>,
    pub(super) ports: Option<Table<Ports>>,
    pub(super) admin_listen: Option<Field<AdminListen>>,
    pub(super) tls: Option<Table<Tls>>,
    pub(super) menu: Option<Table<Menu>>,
    pub(super) images: BTreeMap<String, Table<Image>>,
    pub(super) groups: BTreeMap<String, Table<Group>>,
    pub(super) targets: Vec<Table<Target>>,
}

/// The ports of the three protocols.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Ports {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) dhcp: Option<Field<NonZeroU16>>,
    pub(super) dhcp_client: Option<Field<NonZeroU16>>,
    pub(super) tftp: Option<Field<NonZeroU16>>,
    pub(super) http: Option<Field<NonZeroU16>>,
    pub(super) boot_server: Option<Field<NonZeroU16>>,
}

/// HTTPS beside HTTP.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Tls {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
    pub(super) port: Option<Field<NonZeroU16>>,
}

/// The short form of one network.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Server {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) ip: Option<Field<Ipv4Addr>>,
    pub(super) interface: Option<String>,
    pub(super) dhcp_range: Option<Table<Range>>,
    pub(super) subnet: Option<Field<Subnet>>,
    pub(super) gateway: Option<Field<Ipv4Addr>>,
    pub(super) dns: Option<Field<Vec<Ipv4Addr>>>,
    pub(super) domain: Option<String>,
    pub(super) lease_time: Option<Field<LeaseTime>>,
    pub(super) allow: Option<Field<Allow>>,
    pub(super) identify: Option<Field<Identify>>,
    pub(super) program: Option<Field<ProgramChoice>>,
    pub(super) options: Options,
    pub(super) mode: Option<Field<Mode>>,
    pub(super) authoritative: Option<Field<bool>>,
    pub(super) probe: Option<Field<bool>>,
    pub(super) reply_delay: Option<Field<ReplyDelay>>,
}

/// DHCP options by name or number.
pub(super) type Options = BTreeMap<String, serde_json::Value>;

/// One network.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Network {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) name: Option<String>,
    pub(super) interface: Option<String>,
    pub(super) server: Option<Field<Ipv4Addr>>,
    pub(super) subnet: Option<Field<Subnet>>,
    pub(super) ranges: Vec<Table<Range>>,
    pub(super) exclude: Vec<Field<Ipv4Addr>>,
    pub(super) gateway: Option<Field<Ipv4Addr>>,
    pub(super) dns: Option<Field<Vec<Ipv4Addr>>>,
    pub(super) domain: Option<String>,
    pub(super) lease_time: Option<Field<LeaseTime>>,
    pub(super) allow: Option<Field<Allow>>,
    pub(super) identify: Option<Field<Identify>>,
    pub(super) program: Option<Field<ProgramChoice>>,
    pub(super) options: Options,
    pub(super) mode: Option<Field<Mode>>,
    pub(super) authoritative: Option<Field<bool>>,
    pub(super) probe: Option<Field<bool>>,
    pub(super) reply_delay: Option<Field<ReplyDelay>>,
}

/// Addresses from the first to the last, both included.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Range {
    pub(super) start: Option<Field<Ipv4Addr>>,
    pub(super) end: Option<Field<Ipv4Addr>>,
}

/// The menu.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Menu {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) title: Option<String>,
    pub(super) default: Option<String>,
    pub(super) timeout: Option<Field<MenuTimeout>>,
    pub(super) unknown: Option<Field<Unknown>>,
    pub(super) items: Option<Vec<Table<MenuItem>>>,
}

/// One item; exactly one of `image`, `chain`, `local` and `shell` says what it does.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct MenuItem {
    pub(super) label: Option<String>,
    pub(super) image: Option<Field<ImageName>>,
    pub(super) chain: Option<String>,
    pub(super) local: Option<bool>,
    pub(super) shell: Option<bool>,
}

/// What an image is called, adds to its command line, and is built from.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Image {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) label: Option<String>,
    pub(super) cmdline: Option<Field<CommandLine>>,
    pub(super) nix: Option<String>,
    pub(super) flake: Option<String>,
}

/// What several machines share.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Group {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) config: Option<Field<ImageName>>,
    pub(super) install: Option<Table<Install>>,
    pub(super) program: Option<Field<ProgramChoice>>,
    pub(super) local: Option<Field<LocalBoot>>,
    pub(super) cmdline: Option<Field<CommandLine>>,
    pub(super) options: Options,
}

/// What is installed once, and what comes after it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Install {
    pub(super) image: Option<Field<ImageName>>,
    pub(super) then: Option<Field<Then>>,
}

/// One machine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Target {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) name: Option<String>,
    pub(super) mac: Option<Field<MacAddr>>,
    pub(super) uuid: Option<Field<Uuid>>,
    pub(super) circuit: Option<Field<Circuit>>,
    pub(super) ip: Option<Field<Ipv4Addr>>,
    pub(super) group: Option<String>,
    pub(super) config: Option<Field<ImageName>>,
    pub(super) install: Option<Table<Install>>,
    pub(super) program: Option<Field<ProgramChoice>>,
    pub(super) local: Option<Field<LocalBoot>>,
    pub(super) cmdline: Option<Field<CommandLine>>,
    pub(super) options: Options,
    pub(super) state: Option<serde_json::Value>,
}

/// How long an address is lent: seconds, or text such as `12h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeaseTime(pub(super) Duration);

/// How long an OFFER to firmware is held back: milliseconds, or text such as `1s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplyDelay(pub(super) Duration);

/// Seconds until the default item is taken; 0 waits for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct MenuTimeout(pub(super) u16);

/// Words for a kernel: one text split at white space, or a list of words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub(super) struct CommandLine(pub(super) Vec<String>);

impl Wanted for Ipv4Addr {
    const WANTED: &'static str = "an IPv4 address such as 192.168.100.1";
}

impl Wanted for Vec<Ipv4Addr> {
    const WANTED: &'static str = "a list of IPv4 addresses such as [\"192.168.100.1\"]";
}

impl Wanted for MacAddr {
    const WANTED: &'static str = "a MAC address such as 52:54:00:12:34:56";
}

impl Wanted for ImageName {
    const WANTED: &'static str =
        "an image name of letters, digits, `-`, `_` and `.`, such as proxmox-host";
}

impl Wanted for Subnet {
    const WANTED: &'static str = "a subnet such as 192.168.100.0/24";
}

impl Wanted for LeaseTime {
    const WANTED: &'static str = "a time such as \"12h\", \"30m\" or a number of seconds";
}

impl Wanted for ReplyDelay {
    const WANTED: &'static str = "a time such as \"1s\" or a number of milliseconds";
}

impl Wanted for bool {
    const WANTED: &'static str = "true or false";
}

impl Wanted for Mode {
    const WANTED: &'static str = "\"authoritative\" or \"proxy\"";
}

impl Wanted for MenuTimeout {
    const WANTED: &'static str = "whole seconds from 0 (wait for ever) to 65535";
}

impl Wanted for CommandLine {
    const WANTED: &'static str = "one text, or a list of texts";
}

impl Wanted for NonZeroU16 {
    const WANTED: &'static str = "a port number from 1 to 65535";
}

impl Wanted for Allow {
    const WANTED: &'static str = "\"any\" or \"known\"";
}

impl Wanted for Unknown {
    const WANTED: &'static str = "\"menu\", \"local\" or \"silent\"";
}

impl Wanted for Identify {
    const WANTED: &'static str = "\"lease\" or \"neighbour\"";
}

impl Wanted for Then {
    const WANTED: &'static str = "\"local\" or \"config\"";
}

impl Wanted for LocalBoot {
    const WANTED: &'static str = "\"sanboot\" or \"exit\"";
}

impl Wanted for ProgramChoice {
    const WANTED: &'static str = "the name of a file in the folder tftp/, such as \"snponly.efi\", or one a platform, such as { bios = \"undionly.kpxe\", x64 = \"snponly.efi\" }";
}

impl Wanted for Uuid {
    const WANTED: &'static str = "a UUID such as 4c4c4544-0042-3510-8052-b4c04f4d3232";
}

impl Wanted for Circuit {
    const WANTED: &'static str =
        "the circuit as the relay agent says it, a text or its bytes such as \"0x000401f40003\"";
}

impl<'de> Deserialize<'de> for LeaseTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "it is neither text nor a number")]
        enum Written {
            Seconds(u32),
            Text(String),
        }
        let duration = match Written::deserialize(deserializer)? {
            Written::Seconds(seconds) => Duration::from_secs(seconds.into()),
            Written::Text(text) => text
                .parse::<jiff::SignedDuration>()
                .map_err(serde::de::Error::custom)?
                .try_into()
                .map_err(serde::de::Error::custom)?,
        };
        if duration < Duration::from_secs(120) || duration.as_secs() >= u64::from(u32::MAX) {
            return Err(serde::de::Error::custom(
                "it is not between two minutes and 136 years",
            ));
        }
        Ok(Self(Duration::from_secs(duration.as_secs())))
    }
}

impl<'de> Deserialize<'de> for ReplyDelay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "it is neither text nor a number")]
        enum Written {
            Millis(u32),
            Text(String),
        }
        let delay = match Written::deserialize(deserializer)? {
            Written::Millis(millis) => Duration::from_millis(millis.into()),
            Written::Text(text) => text
                .parse::<jiff::SignedDuration>()
                .map_err(serde::de::Error::custom)?
                .try_into()
                .map_err(serde::de::Error::custom)?,
        };
        if delay > Duration::from_secs(10) {
            return Err(serde::de::Error::custom("it is more than 10 seconds"));
        }
        Ok(Self(delay))
    }
}

impl Serialize for ReplyDelay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Serialize for LeaseTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_secs())
    }
}

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "it is neither a text nor a list of texts")]
        enum Written {
            Text(String),
            Words(Vec<String>),
        }
        Ok(Self(match Written::deserialize(deserializer)? {
            Written::Text(text) => text.split_whitespace().map(String::from).collect(),
            Written::Words(words) => words,
        }))
    }
}
