//! From the document to the configuration: what is missing is derived, what cannot be is a problem.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::Subnet;
use netboot_image::ImageName;

use super::document::{self, Netboot, Place, Table};
use super::given::{Given, Wanted};
use super::problem::Problems;
use super::{
    Config, DEFAULT_LEASE_TIME, DEFAULT_STATE_DIR, Image, Menu, MenuAction, MenuItem, Network,
    Ports, Target,
};
use crate::cmdline;

const DEFAULT_TITLE: &str = "Network boot";
const DEFAULT_MENU_TIMEOUT_S: u16 = 30;

/// What is known of this host's interfaces.
#[derive(Debug, Clone, Default)]
pub struct Host {
    addresses: Vec<(String, Ipv4Addr, u8)>,
}

impl Host {
    /// This host as it is now; nothing is known where the system will not say.
    #[must_use]
    pub fn here() -> Self {
        let mut host = Self::default();
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

    fn subnet(&self, interface: &str, address: Ipv4Addr) -> Option<Subnet> {
        self.addresses
            .iter()
            .find(|(name, here, _)| name == interface && *here == address)
            .and_then(|&(_, here, prefix)| Subnet::new(here, prefix))
    }
}

/// Gives the configuration, which holds only where no error was added to the problems.
pub(super) fn resolve(netboot: Netboot, host: &Host, problems: &mut Problems) -> Config {
    let Netboot {
        place,
        state_dir,
        server,
        networks,
        ports,
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
            "add `server` with ip, interface and dhcp_range, or `networks`, or name a second file with --config that has it",
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
    let menu = resolve_menu(table(menu), problems);
    let images = resolve_images(images, problems);
    let groups = resolve_groups(groups, problems);
    // Where a network is missing, an address may be meant for that one.
    let known = (networks.len() == count).then_some(networks.as_slice());
    let targets = resolve_targets(targets, known.unwrap_or_default(), &groups, problems);
    Config {
        state_dir: state_dir.unwrap_or_else(|| DEFAULT_STATE_DIR.into()).into(),
        ports,
        networks,
        menu,
        images,
        targets,
    }
}

fn table<T: Default>(written: Option<Table<T>>) -> T {
    written.unwrap_or_default().0
}

impl From<document::Server> for document::Network {
    fn from(server: document::Server) -> Self {
        Self {
            place: server.place,
            name: None,
            interface: server.interface,
            server: server.ip,
            subnet: server.subnet,
            ranges: server.dhcp_range.into_iter().collect(),
            exclude: Vec::new(),
            gateway: server.gateway,
            dns: server.dns,
            domain: server.domain,
            lease_time: server.lease_time,
            allow: None,
        }
    }
}

fn right<T: Wanted>(
    given: Option<Given<T>>,
    place: impl fmt::Display,
    problems: &mut Problems,
) -> Option<T> {
    given.and_then(|given| given.check(place, problems))
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
    };
    if ports.dhcp == ports.tftp {
        problems.error(
            place.key("tftp"),
            format!("{} is the port of DHCP, too", ports.tftp),
            "give each of them a port of its own",
        );
    }
    ports
}

fn resolve_network(
    written: document::Network,
    others: &[Network],
    host: &Host,
    problems: &mut Problems,
) -> Option<Network> {
    let place = &written.place;
    // The short form calls the address `ip`, the normal form `server`.
    let server_key = if place.0.ends_with(".server") {
        place.key("ip")
    } else {
        place.key("server")
    };
    if written.server.is_none() {
        problems.error(
            &server_key,
            "is missing",
            "write this server's address on the network, such as 192.168.100.1",
        );
    }
    if written.interface.is_none() && written.subnet.is_none() {
        problems.error(
            place,
            "names neither an interface nor a subnet",
            "write the interface that the machines are on; for a network behind a DHCP relay, its subnet",
        );
    }
    if let Some(interface) = &written.interface {
        check_interface(interface, place, others, problems);
    }
    if let Some(domain) = written.domain.as_deref().filter(|d| !is_domain(d)) {
        problems.error(
            place.key("domain"),
            format!("{domain:?} is not a domain"),
            "write host names with dots between them, such as example.org",
        );
    }
    let gateway = right(written.gateway, place.key("gateway"), problems);
    let dns = right(written.dns, place.key("dns"), problems).unwrap_or_default();
    let lease_time = right(written.lease_time, place.key("lease_time"), problems);
    let allow = right(written.allow, place.key("allow"), problems).unwrap_or_default();
    let given_subnet = written.subnet.is_some();
    let subnet = right(written.subnet, place.key("subnet"), problems);
    let server = right(written.server, &server_key, problems)?;
    let subnet = match (subnet, &written.interface) {
        (Some(subnet), _) => subnet,
        (None, _) if given_subnet => return None,
        (None, Some(interface)) => {
            match host.subnet(interface, server) {
                Some(subnet) => subnet,
                None => {
                    problems.note(
                    place.key("subnet"),
                    format!("is taken to be a /24, since {interface} has no {server} on this host now"),
                );
                    Subnet::new(server, 24)?
                }
            }
        }
        (None, None) => return None,
    };
    if written.interface.is_some() && !subnet.is_host(server) {
        problems.error(
            &server_key,
            format!("{server} is not a host address in {subnet}"),
            format!("write an address {}", hosts(subnet)),
        );
    }
    if let Some(gateway) = gateway.filter(|gateway| !subnet.is_host(*gateway)) {
        problems.error(
            place.key("gateway"),
            format!("{gateway} is not a host address in {subnet}"),
            format!("write an address {}, or leave it out", hosts(subnet)),
        );
    }
    let name = written.name.unwrap_or_else(|| {
        written
            .interface
            .clone()
            .unwrap_or_else(|| subnet.to_string())
    });
    for other in others {
        if other.name == name {
            problems.error(
                place,
                format!("is the second network called {name}"),
                "give one of them another `name`",
            );
        }
        if other.subnet.contains(subnet.network()) || subnet.contains(other.subnet.network()) {
            problems.error(
                place.key("subnet"),
                format!(
                    "{subnet} overlaps {} of network {}",
                    other.subnet, other.name
                ),
                "give each network addresses of its own",
            );
        }
    }
    let mut exclude = Vec::new();
    for (index, given) in written.exclude.into_iter().enumerate() {
        let place = place.index("exclude", index);
        let Some(address) = given.check(&place, problems) else {
            continue;
        };
        if !subnet.contains(address) {
            problems.error(
                place,
                format!("{address} is outside {subnet}"),
                "leave it out; only addresses of the ranges are lent",
            );
        }
        exclude.push(address);
    }
    let own = [
        (Some(server), "the server's own address"),
        (
            gateway.filter(|gateway| *gateway != server),
            "the gateway's address",
        ),
    ];
    let own: Vec<_> = own
        .into_iter()
        .filter_map(|(address, whose)| Some((address?, whose)))
        .filter(|(address, _)| !exclude.contains(address))
        .collect();
    let ranges = resolve_ranges(written.ranges, place, subnet, &own, problems);
    Some(Network {
        name,
        interface: written.interface,
        subnet,
        server,
        ranges,
        exclude,
        gateway: gateway.or_else(|| subnet.contains(server).then_some(server)),
        dns,
        domain: written.domain,
        lease_time: lease_time.map_or(DEFAULT_LEASE_TIME, |time| time.0),
        allow,
    })
}

fn resolve_ranges(
    written: Vec<Table<document::Range>>,
    network: &Place,
    subnet: Subnet,
    own: &[(Ipv4Addr, &str)],
    problems: &mut Problems,
) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let short = network.0.ends_with(".server");
    let mut ranges: Vec<(Ipv4Addr, Ipv4Addr)> = Vec::new();
    for (index, Table(range)) in written.into_iter().enumerate() {
        let place = if short {
            network.key("dhcp_range")
        } else {
            network.index("ranges", index)
        };
        for (key, missing) in [
            ("start", range.start.is_none()),
            ("end", range.end.is_none()),
        ] {
            if missing {
                problems.error(place.key(key), "is missing", "write an IPv4 address");
            }
        }
        let start = right(range.start, place.key("start"), problems);
        let end = right(range.end, place.key("end"), problems);
        let mut inside = true;
        for (key, address) in [("start", start), ("end", end)] {
            let Some(address) = address else {
                inside = false;
                continue;
            };
            if !subnet.contains(address) {
                inside = false;
                problems.error(
                    place.key(key),
                    format!("{address} is outside {subnet}"),
                    format!("write an address {}", hosts(subnet)),
                );
            }
        }
        let (Some(start), Some(end), true) = (start, end, inside) else {
            continue;
        };
        if start > end {
            problems.error(
                &place,
                format!("starts at {start} and ends before that, at {end}"),
                "exchange start and end",
            );
            continue;
        }
        for (address, whose) in own {
            if (start..=end).contains(address) {
                problems.error(
                    &place,
                    format!("{start} to {end} holds {whose} {address}"),
                    "end the range before it or start it behind it",
                );
            }
        }
        if let Some((a, b)) = ranges.iter().find(|(a, b)| start <= *b && *a <= end) {
            problems.error(
                &place,
                format!("{start} to {end} overlaps {a} to {b}"),
                "make one range of them",
            );
        }
        ranges.push((start, end));
    }
    ranges
}

fn check_interface(interface: &str, network: &Place, others: &[Network], problems: &mut Problems) {
    // As Linux has it; a longer or empty name would bind to no interface or to all.
    let is_name = (1..=15).contains(&interface.len())
        && !interface.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control());
    if !is_name {
        problems.error(
            network.key("interface"),
            format!("{interface:?} is no name of an interface"),
            "write one that `ip link` shows, such as eth1",
        );
    }
    if let Some(other) = others
        .iter()
        .find(|other| other.interface.as_deref() == Some(interface))
    {
        problems.error(
            network.key("interface"),
            format!("{interface} belongs to network {} already", other.name),
            "serve one network on each interface",
        );
    }
}

fn resolve_menu(written: document::Menu, problems: &mut Problems) -> Menu {
    let place = &written.place;
    if let Some(title) = &written.title {
        check_text(title, place.key("title"), problems);
    }
    let items = written.items.map(|items| {
        let items = items.into_iter().enumerate();
        let items = items.filter_map(|(index, item)| {
            resolve_item(item.0, &place.index("items", index), problems)
        });
        items.collect::<Vec<_>>()
    });
    if let (Some(default), Some(items)) = (&written.default, &items)
        && !items.iter().any(|item| item.action.is_called(default))
    {
        problems.error(
            place.key("default"),
            format!("{default:?} is none of the items"),
            "name an image among the items, `local` or `shell`",
        );
    }
    Menu {
        title: written.title.unwrap_or_else(|| DEFAULT_TITLE.into()),
        default: written.default,
        timeout_s: right(written.timeout, place.key("timeout"), problems)
            .map_or(DEFAULT_MENU_TIMEOUT_S, |timeout| timeout.0),
        unknown: right(written.unknown, place.key("unknown"), problems).unwrap_or_default(),
        items,
    }
}

impl MenuAction {
    /// Whether `menu.default` means this item by the name.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        match self {
            Self::Image(image) => image.as_str() == name,
            Self::Chain(url) => url == name,
            Self::Local => name == "local",
            Self::Shell => name == "shell",
        }
    }
}

fn resolve_item(
    written: document::MenuItem,
    place: &Place,
    problems: &mut Problems,
) -> Option<MenuItem> {
    let document::MenuItem {
        label,
        image,
        chain,
        local,
        shell,
    } = written;
    if let Some(label) = &label {
        check_text(label, place.key("label"), problems);
    }
    let kinds = [
        image.is_some(),
        chain.is_some(),
        local == Some(true),
        shell == Some(true),
    ];
    if kinds.iter().filter(|is| **is).count() != 1 {
        problems.error(
            place,
            "does not say one thing to do",
            "write exactly one of `image`, `chain`, `local = true` and `shell = true`",
        );
        return None;
    }
    let action = match (image, chain, local) {
        (Some(image), _, _) => MenuAction::Image(image.check(place.key("image"), problems)?),
        (None, Some(url), _) => {
            check_url(&url, place.key("chain"), problems);
            MenuAction::Chain(url)
        }
        (None, None, Some(true)) => MenuAction::Local,
        (None, None, _) => MenuAction::Shell,
    };
    Some(MenuItem { label, action })
}

fn resolve_images(
    written: BTreeMap<String, Table<document::Image>>,
    problems: &mut Problems,
) -> BTreeMap<ImageName, Image> {
    let mut images = BTreeMap::new();
    for (name, Table(image)) in written {
        let place = &image.place;
        if let Some(label) = &image.label {
            check_text(label, place.key("label"), problems);
        }
        let cmdline = command_line(image.cmdline, place, problems);
        match name.parse::<ImageName>() {
            Ok(name) => {
                let label = image.label;
                images.insert(name, Image { label, cmdline });
            }
            Err(error) => problems.error(
                place,
                format!("{name:?} is no image name: {error}"),
                format!("write {}", ImageName::WANTED),
            ),
        }
    }
    images
}

struct Group {
    image: Option<ImageName>,
    program: Option<String>,
    cmdline: Vec<String>,
}

fn resolve_groups(
    written: BTreeMap<String, Table<document::Group>>,
    problems: &mut Problems,
) -> BTreeMap<String, Group> {
    let mut groups = BTreeMap::new();
    for (name, Table(group)) in written {
        let place = &group.place;
        let image = right(group.config, place.key("config"), problems);
        let cmdline = command_line(group.cmdline, place, problems);
        let program = program(group.program, place, problems);
        groups.insert(
            name,
            Group {
                image,
                program,
                cmdline,
            },
        );
    }
    groups
}

fn resolve_targets(
    written: Vec<Table<document::Target>>,
    networks: &[Network],
    groups: &BTreeMap<String, Group>,
    problems: &mut Problems,
) -> Vec<Target> {
    let mut seen = Seen::default();
    let mut targets = Vec::new();
    for Table(target) in written {
        targets.extend(resolve_target(
            target, networks, groups, &mut seen, problems,
        ));
    }
    targets
}

/// Where each name, MAC and address was seen first.
#[derive(Default)]
struct Seen {
    names: BTreeMap<String, Place>,
    macs: BTreeMap<MacAddr, Place>,
    ips: BTreeMap<Ipv4Addr, Place>,
}

/// Says so where a value stands twice.
fn once<K: Ord + fmt::Display>(
    seen: &mut BTreeMap<K, Place>,
    value: K,
    target: &Place,
    key: &str,
    problems: &mut Problems,
) {
    if let Some(first) = seen.get(&value) {
        problems.error(
            target.key(key),
            format!("{value} belongs to {first} already"),
            format!("give each target {key} of its own"),
        );
        return;
    }
    seen.insert(value, target.clone());
}

fn resolve_target(
    written: document::Target,
    networks: &[Network],
    groups: &BTreeMap<String, Group>,
    seen: &mut Seen,
    problems: &mut Problems,
) -> Option<Target> {
    let place = &written.place;
    match &written.name {
        None => problems.error(
            place.key("name"),
            "is missing",
            "write the machine's host name",
        ),
        Some(name) if !is_host_name(name) => problems.error(
            place.key("name"),
            format!("{name:?} is not a host name"),
            "write letters, digits and `-`, at most 63, such as proxmox-node-01",
        ),
        Some(name) => once(&mut seen.names, name.clone(), place, "name", problems),
    }
    if written.mac.is_none() {
        problems.error(
            place.key("mac"),
            "is missing",
            format!("write {}", MacAddr::WANTED),
        );
    }
    let mac = right(written.mac, place.key("mac"), problems);
    if let Some(mac) = mac {
        once(&mut seen.macs, mac, place, "mac", problems);
    }
    let ip = right(written.ip, place.key("ip"), problems);
    if let Some(ip) = ip {
        check_reservation(ip, &place.key("ip"), networks, problems);
        once(&mut seen.ips, ip, place, "ip", problems);
    }
    let group = written.group.as_ref().and_then(|name| {
        let group = groups.get(name);
        if group.is_none() {
            problems.error(
                place.key("group"),
                format!("{name:?} is no group"),
                "add it under `netboot.groups`, or correct the name",
            );
        }
        group
    });
    let image = right(written.config, place.key("config"), problems)
        .or_else(|| group.and_then(|group| group.image.clone()));
    let program = program(written.program, place, problems)
        .or_else(|| group.and_then(|group| group.program.clone()));
    let mut cmdline = group.map(|group| group.cmdline.clone()).unwrap_or_default();
    cmdline.extend(command_line(written.cmdline, place, problems));
    Some(Target {
        name: written.name?,
        mac: mac?,
        ip,
        image,
        program,
        cmdline,
        state: written.state,
        place: written.place.0,
    })
}

fn check_reservation(ip: Ipv4Addr, place: &Place, networks: &[Network], problems: &mut Problems) {
    // Without every network that was meant, their own problems say enough.
    let Some(first) = networks.first() else {
        return;
    };
    match networks.iter().find(|network| network.subnet.contains(ip)) {
        None => {
            let subnets: Vec<_> = networks.iter().map(|n| n.subnet.to_string()).collect();
            problems.error(
                place,
                format!("{ip} is outside {}", subnets.join(" and ")),
                format!(
                    "write an address {}, or leave it out to have one lent",
                    hosts(first.subnet)
                ),
            );
        }
        Some(network) if !network.subnet.is_host(ip) => problems.error(
            place,
            format!(
                "{ip} is the network or broadcast address of {}",
                network.subnet
            ),
            format!("write an address {}", hosts(network.subnet)),
        ),
        Some(network) if network.server == ip => problems.error(
            place,
            format!("{ip} is this server's own address"),
            "give the machine another one",
        ),
        Some(network) if network.gateway == Some(ip) => problems.error(
            place,
            format!("{ip} is the gateway of network {}", network.name),
            "give the machine another one",
        ),
        Some(_) => {}
    }
}

fn command_line(
    written: Option<Given<document::CommandLine>>,
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

fn program(written: Option<String>, owner: &Place, problems: &mut Problems) -> Option<String> {
    let written = written?;
    let plain = !written.is_empty()
        && !written.starts_with('.')
        && written
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !plain {
        problems.error(
            owner.key("program"),
            format!("{written:?} is no file name"),
            "write the name of a file in the folder tftp/, such as snponly.efi",
        );
        return None;
    }
    Some(written)
}

/// Says so where a text for people cannot be written into a script.
fn check_text(text: &str, place: Place, problems: &mut Problems) {
    if let Err(error) = netboot_ipxe::Menu::new(text)
        .item(netboot_ipxe::Item::shell("item", text))
        .script()
        .and_then(|script| script.render())
    {
        problems.error(
            place,
            format!("{text:?} {}", error.problem()),
            "write one line of plain text",
        );
    }
}

fn check_url(url: &str, place: Place, problems: &mut Problems) {
    let chain = netboot_ipxe::Chain::new("item", url);
    if let Err(error) = chain
        .script(netboot_ipxe::Ending::Exit {
            status: 1,
            wait_ms: 0,
        })
        .and_then(|script| script.render())
    {
        problems.error(
            place,
            format!("{url:?} {}", error.problem()),
            "write a URL such as http://192.168.100.1/other.ipxe",
        );
    }
}

fn is_domain(name: &str) -> bool {
    name.len() <= 253 && name.trim_end_matches('.').split('.').all(is_host_name)
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn hosts(subnet: Subnet) -> String {
    if subnet.prefix() >= 31 {
        return format!("in {subnet}");
    }
    let first = Ipv4Addr::from_bits(subnet.network().to_bits().wrapping_add(1));
    let last = Ipv4Addr::from_bits(subnet.broadcast().to_bits().wrapping_sub(1));
    format!("from {first} to {last}")
}
