//! Who asks over TFTP and HTTP: from an address to a machine, and whether it is surely that one.

pub(crate) mod neighbour;
pub(crate) mod seen;
pub(crate) mod snooped;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::MessageType;
use uuid::Uuid;

use crate::config::{Circuit, Identify};
use crate::dhcp;
use crate::identity::seen::{Sightings, Turn};
use crate::policy::{self, KnownBy, Machine};
use crate::service::Shared;
use crate::world::World;

/// Milliseconds from one look at the world on behalf of DHCP to the next.
const LOOK_MS: u64 = 50;

/// What a URL says of the machine that it is for. Anybody can write it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) mac: Option<MacAddr>,
    pub(crate) uuid: Option<Uuid>,
    pub(crate) circuit: Option<Circuit>,
}

/// A machine that something is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asking {
    /// The machine.
    pub(crate) machine: Machine,
    /// Whether it is the machine itself that asks, as far as leases tell.
    pub(crate) itself: bool,
}

impl Claim {
    /// What a path and the query of a URL say; what cannot be read is passed over.
    pub(crate) fn new(path: &str, query: &str) -> Self {
        let mut claim = Self {
            mac: policy::named_machine(path),
            ..Self::default()
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "mac" => claim.mac = claim.mac.or_else(|| value.parse().ok()),
                "uuid" => claim.uuid = claim.uuid.or_else(|| value.parse().ok()),
                "circuit" => claim.circuit = claim.circuit.or_else(|| value.parse().ok()),
                _ => {}
            }
        }
        claim
    }
}

impl Shared {
    /// Who asks from this address, where the URL makes this claim.
    pub(crate) fn asking(&self, world: &World, address: IpAddr, claim: &Claim) -> Asking {
        let network = ipv4(address).and_then(|address| world.network_of(address));
        let trusted = self.trusted(world, network, address);
        let mac = claim.mac.or(trusted).or_else(|| self.identify(address));
        let known = mac.map(|mac| self.sightings().machine(mac));
        let mut machine = known.unwrap_or_default();
        if network.is_some() {
            machine.network = network;
        }
        let proven = machine.clone();
        machine.uuid = machine.uuid.or(claim.uuid);
        machine.circuit = machine.circuit.or_else(|| claim.circuit.clone());
        // Who holds the one address may claim any UUID.
        let same_target = |by: KnownBy| by == KnownBy::Mac || proven == machine;
        let found = world.find(&machine);
        let itself = trusted.is_some()
            && trusted == machine.mac
            && found.is_none_or(|(.., by)| same_target(by));
        Asking { machine, itself }
    }

    /// The machine that an address surely is, for what is its own only.
    pub(crate) fn asking_itself(&self, world: &World, address: IpAddr) -> Option<Machine> {
        let asking = self.asking(world, address, &Claim::default());
        asking.itself.then_some(asking.machine)
    }

    /// What a machine gets in place of the program that its shim asks for by this path.
    pub(crate) fn second_stage(
        &self,
        world: &World,
        address: IpAddr,
        path: &str,
    ) -> Option<String> {
        if !path.ends_with("ipxe.efi") {
            return None;
        }
        let asking = self.asking(world, address, &Claim::default());
        let decision = policy::decide(world, &asking.machine);
        policy::second_stage(&decision, path).filter(|name| world.programs().has(name))
    }

    /// Remembers what DHCP saw of a machine, and gives all that is known of it.
    pub(crate) fn sighted(&self, machine: &Machine) -> Machine {
        let Some(mac) = machine.mac else {
            return machine.clone();
        };
        let mut sightings = self.sightings();
        if machine.arch.is_some() || machine.uuid.is_some() || machine.circuit.is_some() {
            sightings.note(machine);
        }
        let known = sightings.machine(mac);
        Machine {
            network: machine.network,
            ..known
        }
    }

    /// Counts a message of a machine's iPXE that lacks what boot scripts need.
    pub(crate) fn lacks(&self, mac: MacAddr, xid: u32, kind: MessageType) -> Turn {
        self.sightings().lacks(mac, xid, kind)
    }

    /// Notes a machine's REQUEST to another server.
    pub(crate) fn requests(&self, mac: MacAddr) {
        self.sightings().requests(mac);
    }

    /// Forgets that, since the machine asks by something else.
    pub(crate) fn is_whole(&self, mac: MacAddr) {
        self.sightings().is_whole(mac);
    }

    /// The machine behind an address: by our lease, then by what was overheard of another server's,
    /// then by the system's neighbour table.
    pub(crate) fn identify(&self, address: IpAddr) -> Option<MacAddr> {
        self.lease_holder(address)
            .or_else(|| self.overheard.machine(address))
            .or_else(|| neighbour::mac_of(address))
    }

    /// The machine that holds the lease of an address now.
    pub(crate) fn lease_holder(&self, address: IpAddr) -> Option<MacAddr> {
        dhcp::holder(&self.dhcp(), ipv4(address)?, self.clock.now())
    }

    /// The world as it was last looked at; it is looked at again behind that, at most every
    /// [`LOOK_MS`], so that a later message finds what has changed. DHCP waits for no disk but that
    /// of its leases.
    pub(crate) fn world_for_dhcp(self: &Arc<Self>) -> Arc<World> {
        let now = self.clock.now().0;
        let looked = self.looked.load(Ordering::Relaxed);
        if now.saturating_sub(looked) >= LOOK_MS && !self.looking.swap(true, Ordering::AcqRel) {
            self.looked.store(now, Ordering::Relaxed);
            let shared = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                let _ = shared.worlds.current();
                shared.looking.store(false, Ordering::Release);
            });
        }
        self.worlds.last()
    }

    fn trusted(&self, world: &World, network: Option<usize>, address: IpAddr) -> Option<MacAddr> {
        self.lease_holder(address).or_else(|| {
            let network = world.config().networks.get(network?)?;
            let by_neighbour = network.identify == Identify::Neighbour;
            by_neighbour.then(|| neighbour::mac_of(address))?
        })
    }

    fn sightings(&self) -> MutexGuard<'_, Sightings> {
        self.sightings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn a_mac_is_read_from_the_query_in_both_its_forms() {
        let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        for query in [
            "mac=52:54:00:12:34:56",
            "mac=52%3A54%3A00%3A12%3A34%3A56",
            "a=b&mac=52-54-00-12-34-56",
        ] {
            assert_eq!(Claim::new("/boot.ipxe", query).mac, Some(mac), "{query}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let query = "mac=nonsense&uuid=4c4c4544-0042-3510-8052-b4c04f4d3232&circuit=0x0";
        let uuid = Uuid::from_str("4c4c4544-0042-3510-8052-b4c04f4d3232");
        let claim = Claim {
            uuid: uuid.ok(),
            ..Claim::default()
        };
        assert_eq!(Claim::new("/boot.ipxe", query), claim);
    }
}
