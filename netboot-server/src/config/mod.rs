//! The configuration: read from JSON or TOML or made in code, checked whole, and resolved into what
//! the service runs on.
//!
//! [`load`] reads the files and gives a [`Config`] only where nothing in them is wrong; whatever is
//! wrong is in the [`Problems`], each with its place, the value and the cure. A program that has
//! its configuration from elsewhere puts a [`Document`](document::Document) together, which is
//! checked by the same rules.

mod circuit;
pub mod cmdline;
pub mod document;
mod field;
mod keys;
mod lines;
mod listen;
mod load;
mod nearest;
mod normal;
mod option;
pub mod platform;
mod problem;
mod program;
mod read;
mod resolve;
mod tftp;
mod tls;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::{NetworkId, Subnet};
use netboot_image::ImageName;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use circuit::parse_hex;
pub use circuit::{Circuit, ParseCircuitError};
pub use listen::DEFAULT_ADMIN_LISTEN;
pub use load::{Flags, images, load, load_text, state_dir};
pub(crate) use nearest::{nearest, or_nearest};
pub use option::DhcpOption;
pub use problem::{Problem, Problems, Severity};
pub use program::{ProgramChoice, is_grub};
pub use resolve::{Host, never_default};
pub use tftp::Tftp;

/// Where configuration is looked for when none is named, in this order.
pub const DEFAULT_FILES: [&str; 2] = ["/etc/netboot/netboot.toml", "/etc/netboot/netboot.json"];

/// Where images, boot programs and leases are kept when the configuration says nothing.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/netboot";

/// Where Linux distributions put iPXE's programs.
pub const DISTRIBUTION_DIRS: [&str; 3] =
    ["/usr/lib/ipxe", "/usr/share/ipxe", "/usr/lib/ipxe/x86_64"];

/// How long an address is lent when the configuration says nothing.
pub const DEFAULT_LEASE_TIME: Duration = Duration::from_secs(12 * 3600);

/// How long an address is lent that is lent for ever: what the wire has for it.
pub const INFINITE_LEASE: Duration = Duration::from_secs(0xffff_ffff);

/// A configuration with nothing wrong in it: read from files by [`load`], or made in code.
///
/// ```
/// use std::net::Ipv4Addr;
///
/// use netboot_server::config::document::{Document, Network, Ports, Target};
/// use netboot_server::config::{Allow, Host};
///
/// let server = Ipv4Addr::new(192, 168, 100, 1);
/// let network = Network::on("eth1", server)
///     .subnet("192.168.100.0/24".parse()?)
///     .range(Ipv4Addr::new(192, 168, 100, 100), Ipv4Addr::new(192, 168, 100, 200))
///     .allow(Allow::Known);
/// let (config, problems) = Document::new()
///     .state_dir("/srv/netboot")
///     .ports(Ports::new().http(8080))
///     .network(network)
///     .target(Target::new("node-01").mac("52:54:00:12:34:56".parse()?))
///     .check(&Host::here());
/// let config = config.ok_or(problems)?;
/// assert_eq!(config.networks[0].gateway, Some(server));
///
/// // Everything that is wrong is found at once, as in a file.
/// let node = Target::new("node 1").ip(server);
/// let (config, problems) = Document::new().target(node).check(&Host::here());
/// assert!(config.is_none());
/// assert_eq!(problems.iter().count(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The folder of images, boot programs and leases.
    pub state_dir: PathBuf,
    /// The folders that boot programs are taken from which are not in [`Config::programs_dir`], by
    /// default [`DISTRIBUTION_DIRS`].
    pub program_dirs: Vec<PathBuf>,
    /// The user that the service becomes where it is started as root; `None` stays root.
    pub user: Option<String>,
    /// The ports of the three protocols.
    pub ports: Ports,
    /// What TFTP allows.
    pub tftp: Tftp,
    /// Where the API and metrics are served, [`DEFAULT_ADMIN_LISTEN`]; `None` is nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// The names that the API is asked by beside addresses, `localhost` and the host's own name.
    pub admin_names: Vec<String>,
    /// HTTPS beside HTTP; `None` is HTTP alone.
    pub tls: Option<Tls>,
    /// The networks that are served, at least one.
    pub networks: Vec<Network>,
    /// The menu.
    pub menu: Menu,
    /// What images are called and add to their command lines.
    pub images: BTreeMap<ImageName, Image>,
    /// What several machines share.
    pub groups: BTreeMap<String, Group>,
    /// The machines that are known.
    pub targets: Vec<Target>,
}

/// The ports of the three protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ports {
    /// Where DHCP listens, 67.
    pub dhcp: std::num::NonZeroU16,
    /// Where DHCP clients listen, 68; any other serves clients that run without privileges.
    pub dhcp_client: std::num::NonZeroU16,
    /// Where TFTP listens, 69.
    pub tftp: std::num::NonZeroU16,
    /// Where HTTP listens, 80.
    pub http: std::num::NonZeroU16,
    /// Where PXE clients ask a boot server, 4011.
    pub boot_server: std::num::NonZeroU16,
}

/// HTTPS: the certificate, and where it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tls {
    /// The file of the certificate and those that it hangs on, in PEM, its own first.
    pub cert: PathBuf,
    /// The file of its key, in PEM.
    pub key: PathBuf,
    /// Where HTTPS listens, 443, on each address that HTTP has.
    pub port: std::num::NonZeroU16,
}

impl Default for Ports {
    fn default() -> Self {
        let port = |number| std::num::NonZeroU16::new(number).unwrap_or(std::num::NonZeroU16::MIN);
        Self {
            dhcp: port(67),
            dhcp_client: port(68),
            tftp: port(69),
            http: port(80),
            boot_server: port(4011),
        }
    }
}

/// One network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// What it is called; unique, and part of the key of its leases.
    pub name: String,
    /// The interface it is on; `None` where it is reached through a DHCP relay.
    pub interface: Option<String>,
    /// Its addresses.
    pub subnet: Subnet,
    /// This server's address, as machines on it reach it.
    pub server: Ipv4Addr,
    /// What is lent to machines without a reservation: first and last address of each range.
    pub ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Addresses in the ranges that are never lent.
    pub exclude: Vec<Ipv4Addr>,
    /// The router that machines are told.
    pub gateway: Option<Ipv4Addr>,
    /// The name servers that machines are told.
    pub dns: Vec<Ipv4Addr>,
    /// The domain that machines are told.
    pub domain: Option<String>,
    /// How long an address is lent; [`INFINITE_LEASE`] is for ever.
    pub lease_time: Duration,
    /// Who is served.
    pub allow: Allow,
    /// By what a machine is known that asks for what is only its own.
    pub identify: Identify,
    /// The boot programs of its machines, in place of the defaults.
    pub program: Option<ProgramChoice>,
    /// Further DHCP options, for machines that ask for them.
    pub options: Vec<DhcpOption>,
    /// Whether this server gives the addresses there.
    pub mode: Mode,
    /// Whether no other server gives addresses there, so that this one refuses what it has no
    /// record of.
    pub authoritative: bool,
    /// The relay agents that are believed: in the circuit that they say a machine is on, and where
    /// they bring machines to this network though it has an interface. Where it has none, empty
    /// means its gateway.
    pub relays: Vec<Ipv4Addr>,
    /// Whether a circuit is believed in a message that no relay agent has marked: from switches
    /// that snoop, and keep machines' own from passing.
    pub trust_option_82: bool,
    /// Whether an address is asked for by ICMP before it is offered to a machine that has none.
    pub probe: bool,
    /// How long an OFFER to firmware is held back, for boot ROMs that are deaf right after they
    /// asked; at most 10 seconds.
    pub reply_delay: Duration,
}

/// What this server is on a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The DHCP server: it gives addresses, and with them what to boot. Written out, it says that
    /// the network has no other, too.
    #[default]
    Authoritative,
    /// A proxy beside another DHCP server: it says what to boot and gives no address.
    Proxy,
}

/// Who is served on a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Allow {
    /// Whoever asks.
    #[default]
    Any,
    /// Targets only.
    Known,
}

/// By what a machine is known that asks for its `state`, or reports an install.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Identify {
    /// By the lease of the address that it asks from.
    #[default]
    Lease,
    /// By the lease, else by the system's neighbour table: where another server gives the
    /// addresses.
    Neighbour,
}

/// To whom a target's `state` is given, and the token by which it reports an install.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Secrets {
    /// To the holder of its MAC address's lease; to nobody where it has no MAC address.
    #[default]
    Proven,
    /// Where it has no MAC address, to any machine that says its UUID, or is said to be on its
    /// circuit.
    Claimable,
}

/// What a machine gets that is no target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// The menu.
    #[default]
    Menu,
    /// Its local disk.
    Local,
    /// An address, and nothing to boot.
    Silent,
}

/// The menu.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Menu {
    /// The line above it.
    pub title: String,
    /// What is taken when nobody chooses: an image's name, `local` or `shell`; `None` where none is
    /// named and the local disk is no item, so that the menu waits.
    pub default: Option<String>,
    /// Seconds until then; 0 waits for ever.
    pub timeout_s: u16,
    /// What a machine gets that is no target.
    pub unknown: Unknown,
    /// Its items in order; `None` is every image in the store that is not hidden, the local disk
    /// and the shell.
    pub items: Option<Vec<MenuItem>>,
}

/// One item of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MenuItem {
    /// What people read; by default the image's own label, or a plain word.
    pub label: Option<String>,
    /// What it does.
    pub action: MenuAction,
}

impl From<MenuAction> for MenuItem {
    fn from(action: MenuAction) -> Self {
        Self {
            label: None,
            action,
        }
    }
}

/// What an item of the menu does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MenuAction {
    /// Boots an image.
    Image(ImageName),
    /// Goes on with the script or program at a URL.
    Chain(String),
    /// Boots the local disk.
    Local,
    /// Opens iPXE's shell.
    Shell,
}

/// What an image is called, adds to its command line, and is built from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// What people read in the menu, in place of the manifest's label.
    pub label: Option<String>,
    /// Words behind the manifest's command line.
    pub cmdline: Vec<String>,
    /// What `netboot image generate` builds it from.
    pub build: Option<Build>,
    /// Whether the menu leaves it out; targets boot it all the same.
    pub hidden: bool,
}

/// A NixOS configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Build {
    /// A file for nixpkgs' `nixos-config`; a relative path is in the state folder.
    Nix(PathBuf),
    /// A flake reference with the attribute of the configuration: `…#nixosConfigurations.NAME`.
    Flake(String),
}

/// What several machines share. What a target says itself wins; command lines are put together.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// The image that they boot.
    pub image: Option<ImageName>,
    /// What is installed on them once.
    pub install: Option<Install>,
    /// The boot programs that their firmware gets.
    pub program: Option<ProgramChoice>,
    /// How they boot their local disk.
    pub local: Option<LocalBoot>,
    /// Words behind the image's command line.
    pub cmdline: Vec<String>,
    /// Further DHCP options.
    pub options: Vec<DhcpOption>,
}

/// What is installed on a machine once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Install {
    /// The image that installs.
    pub image: ImageName,
    /// What the machine boots when it is installed.
    pub then: Then,
}

/// What a machine boots when it is installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// Its local disk.
    #[default]
    Local,
    /// What it would boot without an install: its `config`, else the menu.
    Config,
}

/// How a machine is told to boot its local disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LocalBoot {
    /// By iPXE from the first BIOS drive: `sanboot --no-describe --drive 0x80`.
    Sanboot,
    /// By the firmware, which goes on in its boot order: `exit 1`.
    Exit,
}

/// One known machine.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Target {
    /// Its host name.
    pub name: String,
    /// Its MAC address. One of MAC address, UUID and circuit is there, and any of them that a
    /// machine shows makes it this target.
    pub mac: Option<MacAddr>,
    /// Its UUID, as its firmware prints it or as option 97 has it.
    pub uuid: Option<Uuid>,
    /// The circuit of the relay agent's option 82 that it is on.
    pub circuit: Option<Circuit>,
    /// The address that is kept for it.
    pub ip: Option<Ipv4Addr>,
    /// Which of the groups it is in.
    pub group: Option<String>,
    /// The image it boots; without one, its group's, else it gets the menu.
    pub image: Option<ImageName>,
    /// What is installed on it once, before anything else.
    pub install: Option<Install>,
    /// The boot program that its firmware gets.
    pub program: Option<ProgramChoice>,
    /// How it boots its local disk; by default as its platform does.
    pub local: Option<LocalBoot>,
    /// Words behind its group's command line.
    pub cmdline: Vec<String>,
    /// Further DHCP options.
    pub options: Vec<DhcpOption>,
    /// Who is taken for it where something is for it alone.
    pub secrets: Secrets,
    /// What operation-dbus on the machine asks for, served at `/states/`.
    pub state: Option<serde_json::Value>,
    /// Where it stands in the configuration.
    pub place: String,
}

impl Network {
    /// Its number in stored leases. Subnets do not overlap, so that its address is one, which
    /// outlives a change of order.
    #[must_use]
    pub fn id(&self) -> NetworkId {
        NetworkId(self.subnet.network().to_bits())
    }

    /// Whether there is anybody whose word on a machine's circuit is taken.
    #[must_use]
    pub fn believes_circuits(&self) -> bool {
        let by_gateway = self.interface.is_none() && self.gateway.is_some();
        self.trust_option_82 || !self.relays.is_empty() || by_gateway
    }
}

impl Target {
    /// The document that is served at its `/states/` URLs, to the byte.
    #[must_use]
    pub fn state_document(&self) -> Option<String> {
        self.state.as_ref().map(|state| format!("{state:#}\n"))
    }
}

impl Config {
    /// The folder of the image store, laid out as the HTTP tree shows it.
    #[must_use]
    pub fn images_dir(&self) -> PathBuf {
        self.state_dir.join("http/images")
    }

    /// The command that brings an image into the store: by a build, where the configuration says
    /// what the image is built from.
    pub(crate) fn command_for(&self, image: &ImageName) -> String {
        match self.images.get(image) {
            Some(Image { build: Some(_), .. }) => format!("netboot image generate {image}"),
            _ => format!("netboot image add {image} --kernel FILE --initrd FILE"),
        }
    }

    /// The command that makes the system user that the service is to become.
    #[must_use]
    pub fn command_for_user(user: &str) -> String {
        format!("useradd --system --no-create-home --shell /usr/sbin/nologin {user}")
    }

    /// The folder of boot programs that the operator put there.
    #[must_use]
    pub fn programs_dir(&self) -> PathBuf {
        self.state_dir.join("tftp")
    }

    /// The group that a target is in.
    #[must_use]
    pub fn group_of(&self, target: &Target) -> Option<&Group> {
        self.groups.get(target.group.as_ref()?)
    }

    /// The words that a target adds to an image's command line: its group's, then its own.
    pub fn words_of<'c>(&'c self, target: &'c Target) -> impl Iterator<Item = &'c String> {
        let group = self.group_of(target).into_iter();
        group
            .flat_map(|group| &group.cmdline)
            .chain(&target.cmdline)
    }

    /// The lease database.
    #[must_use]
    pub fn leases_file(&self) -> PathBuf {
        self.state_dir.join("leases")
    }

    /// The records of boots.
    #[must_use]
    pub fn boots_file(&self) -> PathBuf {
        self.state_dir.join("boots")
    }

    /// The menu as last rendered, for people.
    #[must_use]
    pub fn menu_file(&self) -> PathBuf {
        self.state_dir.join("configs/boot.ipxe")
    }

    /// The normal form as TOML, which reads back as the same configuration. `None` where a target's
    /// `state` holds what TOML has no word for: null, or a whole number beyond 64 bits with sign.
    #[must_use]
    pub fn to_toml(&self) -> Option<String> {
        normal::to_toml(self)
    }

    /// The normal form as JSON, which reads back as the same configuration.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        normal::to_json(self)
    }
}

/// The same UUID with its first three groups in the other order of bytes: firmware says it in
/// either.
#[must_use]
pub(crate) fn swapped(uuid: Uuid) -> Uuid {
    Uuid::from_bytes(uuid.to_bytes_le())
}
