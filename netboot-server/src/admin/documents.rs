//! The API's documents: what stands in each, and where it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::{ClientKey, Lease, NetworkId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Operations;
use crate::admin::explain::Explanation;
use crate::config::{Config, Mode};
use crate::leases::Listed;
use crate::telemetry::events::Summary;
use crate::world::Machine;

/// `/api/v1/status`: the service as a whole.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) version: &'static str,
    pub(super) started: jiff::Timestamp,
    /// The number of the world: it grows with each change of configuration, images or programs.
    pub(super) world: u64,
    /// What listens, or is waited for.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) networks: Vec<Network>,
    pub(super) images: usize,
    pub(super) targets: usize,
    /// What cannot be used in the image store.
    pub(super) broken: Vec<String>,
    /// The number of the last event.
    pub(super) events: u64,
    /// Downloads under way over HTTP.
    pub(super) downloads: Vec<Download>,
}

#[derive(Debug, Serialize)]
pub(super) struct Endpoint {
    /// As `DHCP on eth1`.
    pub(super) name: String,
    pub(super) listening: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Network {
    pub(super) name: String,
    pub(super) interface: Option<String>,
    pub(super) subnet: String,
    pub(super) server: Ipv4Addr,
    pub(super) mode: Mode,
    /// None in proxy mode, where another server gives the addresses.
    pub(super) pool: Option<Pool>,
}

/// The addresses of a network that are given to anybody.
#[derive(Debug, Serialize)]
pub(super) struct Pool {
    pub(super) addresses: u64,
    /// Leased, offered or in quarantine.
    pub(super) in_use: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Download {
    pub(super) client: std::net::IpAddr,
    pub(super) machine: Option<MacAddr>,
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) of: u64,
    pub(super) elapsed_ms: u64,
}

pub(super) fn status(of: &Operations) -> Status {
    let world = of.worlds.current();
    Status {
        version: env!("CARGO_PKG_VERSION"),
        started: of.started,
        world: world.number(),
        endpoints: endpoints(of),
        networks: networks(of, world.config()),
        images: world.images().count(),
        targets: world.config().targets.len(),
        broken: world.broken().to_vec(),
        events: of.telemetry.events().last(),
        downloads: downloads(of),
    }
}

fn endpoints(of: &Operations) -> Vec<Endpoint> {
    let endpoints = (of.endpoints)().into_iter();
    endpoints
        .map(|(name, listening)| Endpoint { name, listening })
        .collect()
}

pub(super) fn networks(of: &Operations, config: &Config) -> Vec<Network> {
    let usage: BTreeMap<NetworkId, Pool> = of
        .leases
        .lock()
        .usage(of.leases.now())
        .map(|usage| {
            let pool = Pool {
                addresses: usage.addresses,
                in_use: usage.in_use,
            };
            (usage.network, pool)
        })
        .collect();
    let mut usage = usage;
    config
        .networks
        .iter()
        .map(|network| Network {
            name: network.name.clone(),
            interface: network.interface.clone(),
            subnet: network.subnet.to_string(),
            server: network.server,
            mode: network.mode,
            pool: usage
                .remove(&network.id())
                .filter(|_| network.mode != Mode::Proxy),
        })
        .collect()
}

pub(super) fn downloads(of: &Operations) -> Vec<Download> {
    let under_way = of.downloads.under_way();
    let downloads = under_way.into_iter().map(|one| Download {
        client: one.client,
        machine: one.machine,
        path: one.path.clone(),
        bytes: one.sent(),
        of: one.length,
        elapsed_ms: one.elapsed_ms(),
    });
    downloads.collect()
}

/// `/api/v1/machines`: every target, and every machine that was heard of lately.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MachineDocument {
    /// Absent for a target that is known otherwise, and was not heard of.
    pub(super) mac: Option<MacAddr>,
    /// The target's name.
    pub(super) name: Option<String>,
    /// The image it is to boot.
    pub(super) image: Option<String>,
    /// The address it holds by a lease, else the one of its last boot.
    pub(super) address: Option<IpAddr>,
    /// Its last boot.
    pub(super) boot: Option<Summary>,
}

impl MachineDocument {
    /// A machine of which nothing is known but perhaps its MAC address.
    pub(super) fn blank(mac: Option<MacAddr>) -> Self {
        Self {
            mac,
            name: None,
            image: None,
            address: None,
            boot: None,
        }
    }
}

pub(super) fn machines(of: &Operations) -> Vec<MachineDocument> {
    let world = of.worlds.current();
    let now = of.leases.now();
    let mut machines: BTreeMap<MacAddr, MachineDocument> = BTreeMap::new();
    let mut others = Vec::new();
    for target in &world.config().targets {
        let machine = MachineDocument {
            name: Some(target.name.clone()),
            image: target.image.as_ref().map(ToString::to_string),
            ..MachineDocument::blank(target.mac)
        };
        match target.mac {
            Some(mac) => {
                machines.insert(mac, machine);
            }
            None => others.push(machine),
        }
    }
    for (mac, boot) in of.telemetry.events().boots() {
        let machine = machines
            .entry(mac)
            .or_insert_with(|| MachineDocument::blank(Some(mac)));
        machine.address = boot.address;
        machine.boot = Some(boot);
    }
    // Where another server gives addresses now, its machines have them, whatever leases are left.
    let networks = world.config().networks.iter();
    let ours = networks.filter(|network| network.mode == Mode::Authoritative);
    let ours: BTreeSet<_> = ours.map(|network| network.id()).collect();
    let holds = |lease: &&Lease| lease.is_active(now) && ours.contains(&lease.network);
    for lease in of.leases.lock().leases().filter(holds) {
        if let ClientKey::Hardware(hardware) = &lease.client
            && let Some(machine) = hardware.mac().and_then(|mac| machines.get_mut(&mac))
        {
            machine.address = Some(lease.address.into());
        }
    }
    machines.into_values().chain(others).collect()
}

/// `/api/v1/leases`: every lease that is remembered, also those that are over.
pub(super) fn leases(of: &Operations) -> Vec<Listed> {
    listed(of, |_| true)
}

/// Those of one machine.
pub(super) fn leases_of(of: &Operations, mac: MacAddr) -> Vec<Listed> {
    listed(of, |lease| match &lease.client {
        ClientKey::Hardware(hardware) => hardware.mac() == Some(mac),
        _ => false,
    })
}

fn listed(of: &Operations, which: impl Fn(&Lease) -> bool) -> Vec<Listed> {
    let world = of.worlds.current();
    let leases = of.leases.lock();
    let leases: Vec<Lease> = leases.leases().filter(|it| which(it)).cloned().collect();
    let listed = leases
        .iter()
        .map(|lease| Listed::of(lease, Some(world.config()), of.leases.clock()));
    listed.collect()
}

/// `/api/v1/images`: the manifest of every image's current generation.
pub(super) fn images(of: &Operations) -> Vec<Box<RawValue>> {
    let world = of.worlds.current();
    let manifests = world.images().map(netboot_image::Manifest::to_json);
    manifests
        .filter_map(|manifest| RawValue::from_string(manifest).ok())
        .collect()
}

/// `/api/v1/explain?mac=…&arch=…`: what a machine would boot, and why.
pub(super) fn explain(of: &Operations, machine: &Machine) -> Explanation {
    crate::admin::explain::explain(&of.worlds.current(), machine)
}
