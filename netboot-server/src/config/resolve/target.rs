//! Machines and the groups they are in: each name, MAC and address once, and in its place.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use netboot_dhcp::MacAddr;
use uuid::Uuid;

use super::super::document::{self, Place, Table};
use super::super::field::Wanted;
use super::super::nearest::or_nearest;
use super::super::problem::Problems;
use super::super::{Circuit, Group, Identify, Install, Mode, Network, Secrets, Target, swapped};
use super::text::is_host_name;
use super::{command_line, hosts, resolve_options, resolve_program, right};

pub(super) fn resolve_groups(
    written: BTreeMap<String, Table<document::Group>>,
    proxy: bool,
    problems: &mut Problems,
) -> BTreeMap<String, Group> {
    let mut groups = BTreeMap::new();
    for (name, Table(group)) in written {
        let place = &group.place;
        let group = Group {
            image: right(group.config, place.key("config"), problems),
            install: resolve_install(group.install, place, problems),
            program: resolve_program(group.program, place, proxy, problems),
            local: right(group.local, place.key("local"), problems),
            cmdline: command_line(group.cmdline, place, problems),
            options: resolve_options(group.options, place, problems),
        };
        groups.insert(name, group);
    }
    groups
}

fn resolve_install(
    written: Option<Table<document::Install>>,
    owner: &Place,
    problems: &mut Problems,
) -> Option<Install> {
    let Table(written) = written?;
    let place = owner.key("install");
    if written.image.is_none() {
        problems.error(
            place.key("image"),
            "is missing",
            "write the image that installs the machine",
        );
    }
    let then = right(written.then, place.key("then"), problems).unwrap_or_default();
    let image = right(written.image, place.key("image"), problems)?;
    Some(Install { image, then })
}

pub(super) fn resolve_targets(
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

/// Where each name and whatever else a machine is known by was seen first.
#[derive(Default)]
pub(super) struct Seen {
    names: BTreeMap<String, Place>,
    macs: BTreeMap<MacAddr, Place>,
    uuids: BTreeMap<Uuid, Place>,
    circuits: BTreeMap<Circuit, Place>,
    ips: BTreeMap<Ipv4Addr, Place>,
}

/// Says so where a value stands twice.
pub(super) fn once<K: Ord + fmt::Display>(
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

/// Says so where no network card has this address: IEEE 802 sets the lowest bit of the first byte in
/// addresses of groups.
fn check_card(mac: MacAddr, place: Place, problems: &mut Problems) {
    let [first, ..] = mac.0;
    let what = match mac.0 {
        [0, 0, 0, 0, 0, 0] => "is all zeros",
        _ if first & 1 == 1 => "is the address of a group (multicast or broadcast)",
        _ => return,
    };
    problems.error(
        place,
        format!("{mac} {what}, which no network card has"),
        "write the one that the card's label, its firmware or `ip link` shows",
    );
}

pub(super) fn resolve_target(
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
    if written.mac.is_none() && written.uuid.is_none() && written.circuit.is_none() {
        problems.error(
            place.key("mac"),
            "is missing",
            format!(
                "write {}, or the machine's `uuid` or `circuit`",
                MacAddr::WANTED
            ),
        );
    }
    let has_mac = written.mac.is_some();
    let mac = right(written.mac, place.key("mac"), problems);
    if let Some(mac) = mac {
        check_card(mac, place.key("mac"), problems);
        once(&mut seen.macs, mac, place, "mac", problems);
    }
    let uuid = right(written.uuid, place.key("uuid"), problems);
    if let Some(uuid) = uuid {
        // Firmware says it in either order of bytes.
        let other = seen.uuids.get(&swapped(uuid)).cloned();
        if let Some(first) = other.filter(|_| swapped(uuid) != uuid) {
            seen.uuids.insert(uuid, first);
        }
        once(&mut seen.uuids, uuid, place, "uuid", problems);
    }
    let circuit = right(written.circuit, place.key("circuit"), problems);
    if circuit.is_some() && !networks.iter().any(Network::believes_circuits) {
        problems.warning(
            place.key("circuit"),
            "is believed from nobody, so that no machine is on it",
            "write the relay agents into their network's `relays`; where switches without an \
             address write option 82, trust_option_82 = true",
        );
    }
    if let Some(circuit) = circuit.clone() {
        once(&mut seen.circuits, circuit, place, "circuit", problems);
    }
    if written.ip.is_some() && !has_mac {
        problems.error(
            place.key("ip"),
            "is kept for a MAC address, and the target has none",
            "write the target's `mac` too, or leave `ip` out",
        );
    }
    let ip = right(written.ip, place.key("ip"), problems);
    if let Some(ip) = ip {
        check_reservation(ip, &place.key("ip"), networks, problems);
        once(&mut seen.ips, ip, place, "ip", problems);
    }
    if let Some(name) = written
        .group
        .as_ref()
        .filter(|name| !groups.contains_key(*name))
    {
        problems.error(
            place.key("group"),
            format!("{name:?} is no group"),
            or_nearest(
                name,
                groups.keys().map(String::as_str),
                "add it under `netboot.groups`, or correct the name",
            ),
        );
    }
    let image = right(written.config, place.key("config"), problems);
    let install = resolve_install(written.install, place, problems);
    let of_it = |network: &&Network| ip.is_none_or(|ip| network.subnet.contains(ip));
    let by_proxy = |network: &Network| network.mode == Mode::Proxy;
    let proxy = networks.iter().filter(of_it).any(by_proxy);
    let without_lease =
        |network: &Network| by_proxy(network) && network.identify == Identify::Lease;
    let gets_none = proxy && networks.iter().filter(of_it).all(without_lease);
    let program = resolve_program(written.program, place, proxy, problems);
    let local = right(written.local, place.key("local"), problems);
    let cmdline = command_line(written.cmdline, place, problems);
    let options = resolve_options(written.options, place, problems);
    let secrets = right(written.secrets, place.key("secrets"), problems).unwrap_or_default();
    let has_secrets = written.state.is_some() || install.is_some();
    let group = written.group.as_ref().and_then(|name| groups.get(name));
    let installs = group.is_some_and(|group| group.install.is_some());
    if gets_none && has_mac && (has_secrets || installs) {
        problems.warning(
            place,
            "its state and the token of its install are given to nobody: its network is in proxy \
             mode, so that no lease says who it is",
            "write identify = \"neighbour\" for the network, if the machine is on its interface",
        );
    }
    if has_secrets && !has_mac && secrets == Secrets::Proven {
        problems.warning(
            place.key("secrets"),
            "its state and the token of its install are given to nobody, since it has no `mac`",
            "write its `mac`; or secrets = \"claimable\", if whoever says its UUID or circuit may \
             have them",
        );
    }
    if secrets == Secrets::Claimable {
        match has_mac {
            true => problems.warning(
                place.key("secrets"),
                "says nothing here: the target has a `mac`, whose lease proves who it is",
                "leave it out",
            ),
            false => problems.note(
                place.key("secrets"),
                "any machine that says its UUID, or is said to be on its circuit, gets its state",
            ),
        }
    }
    Some(Target {
        name: written.name?,
        mac,
        uuid,
        circuit,
        ip,
        group: written.group,
        image,
        install,
        program,
        local,
        cmdline,
        options,
        secrets,
        state: written.state,
        place: written.place.0,
    })
}

pub(super) fn check_reservation(
    ip: Ipv4Addr,
    place: &Place,
    networks: &[Network],
    problems: &mut Problems,
) {
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
        Some(network) if network.mode == Mode::Proxy => problems.warning(
            place,
            format!(
                "{ip} has no effect: network {} is in proxy mode, where another DHCP server gives \
                 the addresses",
                network.name
            ),
            "leave it out here, and reserve the address in that server's configuration",
        ),
        Some(network) if network.gateway == Some(ip) => problems.error(
            place,
            format!("{ip} is the gateway of network {}", network.name),
            "give the machine another one",
        ),
        Some(_) => {}
    }
}
