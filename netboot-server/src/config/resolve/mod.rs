//! From the document to the configuration: what is missing is derived, what cannot be is a problem.

mod menu;
mod network;
mod target;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use netboot_dhcp::server::Subnet;
use netboot_image::ImageName;
use nix::net::if_::if_nameindex;
use nix::unistd::User;

use super::DISTRIBUTION_DIRS;
use super::document::{self, Document, Place, Table};
use super::field::{Field, Wanted};
use super::listen::resolve_admin_listen;
use super::option::{DhcpOption, OptionError};
use super::problem::Problems;
use super::program::is_grub;
use super::tftp::resolve_tftp;
use super::tls::resolve_tls;
use super::{Config, DEFAULT_STATE_DIR, Mode, Ports, ProgramChoice};
use crate::config::cmdline;
pub use menu::never_default;
use menu::{check_hidden, resolve_images, resolve_menu};
use network::resolve_network;
use target::{resolve_groups, resolve_targets};

/// What is known of this host: its interfaces, and whether it has a user.
#[derive(Debug, Clone, Default)]
pub struct Host {
    addresses: Vec<(String, Ipv4Addr, u8)>,
    /// Every interface; none where the host is not asked.
    interfaces: Vec<String>,
}

impl Host {
    /// This host as it is now; nothing is known where the system will not say.
    #[must_use]
    pub fn here() -> Self {
        let mut host = Self::default();
        let names = if_nameindex();
        let names = names.iter().flatten().map(|it| it.name().to_string_lossy());
        host.interfaces = names.map(String::from).collect();
        for interface in nix::ifaddrs::getifaddrs().into_iter().flatten() {
            let address = interface.address.as_ref().and_then(|a| a.as_sockaddr_in());
            let netmask = interface.netmask.as_ref().and_then(|a| a.as_sockaddr_in());
            if let (Some(address), Some(netmask)) = (address, netmask) {
                let prefix = u8::try_from(netmask.ip().to_bits().count_ones()).unwrap_or(32);
                host = host.with(&interface.interface_name, address.ip(), prefix);
            }
        }
        host
    }

    /// The same host with one more address.
    #[must_use]
    pub fn with(mut self, interface: &str, address: Ipv4Addr, prefix: u8) -> Self {
        self.addresses.push((interface.to_owned(), address, prefix));
        self
    }

    /// Whether it is asked and does not have the interface.
    fn lacks_interface(&self, interface: &str) -> bool {
        !self.interfaces.is_empty() && self.interfaces.iter().all(|name| name != interface)
    }

    /// Whether it is asked and does not have the user.
    fn lacks_user(&self, user: &str) -> bool {
        !self.interfaces.is_empty() && matches!(User::from_name(user), Ok(None))
    }

    fn subnet(&self, interface: &str, address: Ipv4Addr) -> Option<Subnet> {
        self.addresses
            .iter()
            .find(|(name, here, _)| name == interface && *here == address)
            .and_then(|&(_, here, prefix)| Subnet::new(here, prefix))
    }
}

/// Gives the configuration, which holds only where no error was added to the problems.
pub(super) fn resolve(netboot: Document, host: &Host, problems: &mut Problems) -> Config {
    let Document {
        place,
        state_dir,
        program_dirs,
        user,
        server,
        networks,
        ports,
        tftp,
        admin_listen,
        admin_names,
        tls,
        menu,
        images,
        groups,
        targets,
    } = netboot;
    let mut written: Vec<document::Network> =
        server.into_iter().map(|server| server.0.into()).collect();
    written.extend(networks.into_iter().map(|network| network.0));
    if written.is_empty() && !problems.is_unread(&place.key("networks").0) {
        problems.error(
            &place,
            "says nothing of a server or a network",
            "add `server` with ip, interface and dhcp_range, or `networks`, or name a second file \
             with --config that has it",
        );
    }
    let count = written.len();
    let mut networks = Vec::new();
    for network in written {
        if let Some(network) = resolve_network(network, &networks, host, problems) {
            networks.push(network);
        }
    }
    let ports = resolve_ports(table(ports), problems);
    let tftp = resolve_tftp(table(tftp), problems);
    let admin_listen = resolve_admin_listen(admin_listen, &place.key("admin_listen").0, problems);
    let admin_names = resolve_admin_names(admin_names, &place, problems);
    let tls = resolve_tls(tls, ports, problems);
    let menu = resolve_menu(table(menu), problems);
    let images = resolve_images(images, problems);
    check_hidden(&menu, &images, &place.key("menu"), problems);
    let proxy = networks.iter().any(|network| network.mode == Mode::Proxy);
    let groups = resolve_groups(groups, proxy, problems);
    // Where a network is missing, an address may be meant for that one.
    let known = (networks.len() == count).then_some(networks.as_slice());
    let targets = resolve_targets(targets, known.unwrap_or_default(), &groups, problems);
    check_user(user.as_deref(), host, &place, problems);
    let program_dirs = resolve_program_dirs(program_dirs, &place, problems);
    Config {
        user,
        program_dirs,
        state_dir: state_dir.unwrap_or_else(|| DEFAULT_STATE_DIR.into()),
        ports,
        tftp,
        admin_listen,
        admin_names,
        tls,
        networks,
        menu,
        images,
        groups,
        targets,
    }
}

fn resolve_admin_names(
    written: Option<Vec<String>>,
    place: &Place,
    problems: &mut Problems,
) -> Vec<String> {
    let written = written.unwrap_or_default();
    for (index, name) in written.iter().enumerate() {
        if !text::is_domain(name) {
            problems.error(
                place.index("admin_names", index),
                format!("{name:?} is no name of a host"),
                "write a name such as \"boot.example.org\", without a port",
            );
        }
    }
    written
}

fn resolve_program_dirs(
    written: Option<Vec<PathBuf>>,
    place: &Place,
    problems: &mut Problems,
) -> Vec<PathBuf> {
    let Some(written) = written else {
        return DISTRIBUTION_DIRS.map(PathBuf::from).into();
    };
    for (index, dir) in written.iter().enumerate() {
        if !dir.is_absolute() {
            problems.error(
                place.index("program_dirs", index),
                format!("{dir:?} is no absolute path"),
                "write the whole path of a folder, such as /usr/lib/ipxe",
            );
        }
    }
    written
}

/// The images of a document, and nothing else of it.
pub(super) fn images(
    netboot: Document,
    problems: &mut Problems,
) -> BTreeMap<ImageName, super::Image> {
    resolve_images(netboot.images, problems)
}

/// A name as useradd(8) takes it. A user that is not there may be made before the service starts.
fn check_user(user: Option<&str>, host: &Host, place: &Place, problems: &mut Problems) {
    let is_name = |name: &str| {
        let first = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        first && name.len() <= 32 && name.chars().all(rest)
    };
    match user {
        Some(user) if !is_name(user) => problems.error(
            place.key("user"),
            format!("{user:?} is no name of a user"),
            "write the name of a system user such as \"netboot\"",
        ),
        Some(user) if host.lacks_user(user) => problems.warning(
            place.key("user"),
            format!("there is no user {user} on this host, and without it root serves nothing"),
            format!("make it with `{}`", Config::command_for_user(user)),
        ),
        _ => {}
    }
}

fn resolve_ports(written: document::Ports, problems: &mut Problems) -> Ports {
    let default = Ports::default();
    let place = &written.place;
    let mut port = |given, key, default| right(given, place.key(key), problems).unwrap_or(default);
    let ports = Ports {
        dhcp: port(written.dhcp, "dhcp", default.dhcp),
        dhcp_client: port(written.dhcp_client, "dhcp_client", default.dhcp_client),
        tftp: port(written.tftp, "tftp", default.tftp),
        http: port(written.http, "http", default.http),
        boot_server: port(written.boot_server, "boot_server", default.boot_server),
    };
    for (key, first, second, whose) in [
        ("tftp", ports.tftp, ports.dhcp, "DHCP"),
        ("boot_server", ports.boot_server, ports.dhcp, "DHCP"),
        ("boot_server", ports.boot_server, ports.tftp, "TFTP"),
    ] {
        if first == second {
            problems.error(
                place.key(key),
                format!("{first} is the port of {whose}, too"),
                "give each of them a port of its own",
            );
        }
    }
    ports
}

fn table<T: Default>(written: Option<Table<T>>) -> T {
    written.unwrap_or_default().0
}

fn right<T: Wanted>(
    given: Option<Field<T>>,
    place: impl fmt::Display,
    problems: &mut Problems,
) -> Option<T> {
    given.and_then(|given| given.check(place, problems))
}

fn command_line(
    written: Option<Field<document::CommandLine>>,
    owner: &Place,
    problems: &mut Problems,
) -> Vec<String> {
    let place = owner.key("cmdline");
    let words = right(written, &place, problems).unwrap_or_default().0;
    for word in &words {
        if let Err(error) = cmdline::check_word(word) {
            problems.error(&place, format!("{word:?} {error}"), error.cure());
        }
    }
    words
}

fn resolve_program(
    written: Option<Field<ProgramChoice>>,
    owner: &Place,
    by_proxy: bool,
    problems: &mut Problems,
) -> Option<ProgramChoice> {
    let place = owner.key("program");
    let choice = right(written, &place, problems)?;
    let is_deaf = |(_, name): &(_, &str)| by_proxy && is_grub(name);
    if let Some((_, name)) = choice.named().find(is_deaf) {
        problems.warning(
            &place,
            format!(
                "{name} leads to GRUB, which in proxy mode hears the other DHCP server only \
                 and finds no configuration"
            ),
            format!(
                "have that server name {name} and this server (siaddr; dnsmasq: \
                 dhcp-boot={name},,ADDRESS), or leave the program to iPXE"
            ),
        );
    }
    for name in choice
        .named()
        .map(|(_, name)| name)
        .filter(|name| !is_program_name(name))
    {
        problems.error(
            &place,
            format!("{name:?} is no file name"),
            "write the name of a file in the folder tftp/, such as snponly.efi",
        );
    }
    Some(choice)
}

/// Names of a file, or of one in a folder below.
fn is_program_name(name: &str) -> bool {
    name.split('/').count() <= 2
        && name.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        })
}

fn resolve_options(
    written: document::Options,
    owner: &Place,
    problems: &mut Problems,
) -> Vec<DhcpOption> {
    let mut options: Vec<DhcpOption> = Vec::new();
    for (name, value) in written {
        let place = owner.key("options").key(&name);
        match DhcpOption::read(&name, value.clone()) {
            Ok(option) if options.iter().any(|other| other.code == option.code) => problems.error(
                place,
                format!("is option {}, which stands here already", option.code),
                "write each option once",
            ),
            Ok(option) => options.push(option),
            Err(error) => {
                let what = match &error {
                    OptionError::Value(_) => format!("{value} {error}"),
                    _ => error.to_string(),
                };
                problems.error(place, what, error.cure());
            }
        }
    }
    options.sort_by_key(|option| option.code);
    options
}

fn hosts(subnet: Subnet) -> String {
    if subnet.prefix() >= 31 {
        return format!("in {subnet}");
    }
    let first = Ipv4Addr::from_bits(subnet.network().to_bits().wrapping_add(1));
    let last = Ipv4Addr::from_bits(subnet.broadcast().to_bits().wrapping_sub(1));
    format!("from {first} to {last}")
}
