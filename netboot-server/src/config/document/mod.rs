//! The configuration as it is written: in JSON, in TOML or in code, one schema, nothing checked
//! yet.
//!
//! Every key that may stand under `netboot` is a field here and nowhere else; the nearest known
//! name of a misspelled key is looked up in these types. In code a [`Document`] is put together by
//! setters, each called as its key or, of a list, as one item of it; [`Document::check`] does with
//! it what [`load`](super::load) does with files: the same rules, and all problems at once.

mod setters;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::Subnet;
use netboot_image::ImageName;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::field::Field;
use super::listen::AdminListen;
use super::{Allow, Circuit, Identify, LocalBoot, Mode, ProgramChoice, Secrets, Then, Unknown};
pub(super) use values::{Blksize, CommandLine, Count, LeaseTime, MenuTimeout, ReplyDelay};

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

/// What stands under `netboot`. [`Config`](super::Config) has an example of one that is made in
/// code.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Document {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) program_dirs: Option<Vec<PathBuf>>,
    pub(super) user: Option<String>,
    pub(super) server: Option<Table<Server>>,
    pub(super) networks: Vec<Table<Network>>,
    pub(super) ports: Option<Table<Ports>>,
    pub(super) tftp: Option<Table<Tftp>>,
    pub(super) admin_listen: Option<Field<AdminListen>>,
    pub(super) admin_names: Option<Vec<String>>,
    pub(super) tls: Option<Table<Tls>>,
    pub(super) menu: Option<Table<Menu>>,
    pub(super) images: BTreeMap<String, Table<Image>>,
    pub(super) groups: BTreeMap<String, Table<Group>>,
    pub(super) targets: Vec<Table<Target>>,
}

/// The ports of the three protocols.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Ports {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) dhcp: Option<Field<NonZeroU16>>,
    pub(super) dhcp_client: Option<Field<NonZeroU16>>,
    pub(super) tftp: Option<Field<NonZeroU16>>,
    pub(super) http: Option<Field<NonZeroU16>>,
    pub(super) boot_server: Option<Field<NonZeroU16>>,
}

/// What TFTP allows.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Tftp {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) max_transfers: Option<Field<Count>>,
    pub(super) max_transfers_per_client: Option<Field<Count>>,
    pub(super) max_blksize: Option<Field<Blksize>>,
    pub(super) max_windowsize: Option<Field<Count>>,
    pub(super) single_port: Option<Field<bool>>,
}

/// HTTPS beside HTTP.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Tls {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
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
    pub(super) relays: Option<Field<Vec<Ipv4Addr>>>,
    pub(super) trust_option_82: Option<Field<bool>>,
    pub(super) probe: Option<Field<bool>>,
    pub(super) reply_delay: Option<Field<ReplyDelay>>,
}

/// DHCP options by name or number.
pub(super) type Options = BTreeMap<String, serde_json::Value>;

/// One network.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Network {
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
    pub(super) relays: Option<Field<Vec<Ipv4Addr>>>,
    pub(super) trust_option_82: Option<Field<bool>>,
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
pub struct Menu {
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
pub struct MenuItem {
    pub(super) label: Option<String>,
    pub(super) image: Option<Field<ImageName>>,
    pub(super) chain: Option<String>,
    pub(super) local: Option<Field<bool>>,
    pub(super) shell: Option<Field<bool>>,
}

/// What an image is called, adds to its command line, and is built from.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Image {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) label: Option<String>,
    pub(super) cmdline: Option<Field<CommandLine>>,
    pub(super) nix: Option<String>,
    pub(super) flake: Option<String>,
    pub(super) menu: Option<Field<bool>>,
}

/// What several machines share.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Group {
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
pub struct Install {
    pub(super) image: Option<Field<ImageName>>,
    pub(super) then: Option<Field<Then>>,
}

/// One machine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Target {
    #[serde(skip)]
    pub(super) place: Place,
    pub(super) name: Option<String>,
    pub(super) mac: Option<Field<MacAddr>>,
    pub(super) uuid: Option<Field<Uuid>>,
    pub(super) circuit: Option<Field<Circuit>>,
    pub(super) secrets: Option<Field<Secrets>>,
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
