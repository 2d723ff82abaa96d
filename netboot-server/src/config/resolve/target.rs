//! Machines and the groups they are in: each name, MAC and address once, and in its place.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use netboot_dhcp::MacAddr;
use netboot_image::ImageName;

use super::super::document::{self, Place, Table};
use super::super::given::Wanted;
use super::super::problem::Problems;
use super::super::{Network, Target};
use super::text::is_host_name;
use super::{command_line, hosts, right};

pub(super) struct Group {
    image: Option<ImageName>,
    program: Option<String>,
    cmdline: Vec<String>,
}

pub(super) fn resolve_groups(
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

/// Where each name, MAC and address was seen first.
#[derive(Default)]
pub(super) struct Seen {
    names: BTreeMap<String, Place>,
    macs: BTreeMap<MacAddr, Place>,
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
        Some(network) if network.gateway == Some(ip) => problems.error(
            place,
            format!("{ip} is the gateway of network {}", network.name),
            "give the machine another one",
        ),
        Some(_) => {}
    }
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
