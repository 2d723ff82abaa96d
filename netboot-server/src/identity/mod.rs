//! Who asks over TFTP and HTTP: from an address to a machine, and whether it is surely that one.

mod neighbour;
mod seen;
mod snooped;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::MessageType;
use uuid::Uuid;

use crate::config::{Circuit, Identify, Secrets};
use crate::leases::LeaseTable;
use crate::paths::{self, NamedFor};
use crate::world::{Machine, World};
use seen::{Attempt, SeenMachines};
use snooped::Snooped;

/// What a URL says of the machine that it is for. Anybody can write it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UrlClaim {
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

impl UrlClaim {
    /// What a path and the query of a URL say; what cannot be read is passed over.
    pub(crate) fn new(path: &str, query: &str) -> Self {
        let mac = match paths::named_for(path) {
            Some(NamedFor::Machine(mac)) => Some(mac),
            _ => None,
        };
        let mut claim = Self {
            mac,
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

/// What is known of who is behind an address. Its clones know the same.
#[derive(Debug, Clone)]
pub(crate) struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    leases: LeaseTable,
    snooped: Snooped,
    seen: Mutex<SeenMachines>,
}

impl Identity {
    pub(crate) fn new(leases: LeaseTable) -> Self {
        Self(Arc::new(Inner {
            leases,
            snooped: Snooped::default(),
            seen: Mutex::default(),
        }))
    }

    /// Who asks from this address, behind which this machine was seen, where the URL makes this
    /// claim. Whether it is the machine itself is looked up anew.
    pub(crate) fn asking(
        &self,
        world: &World,
        address: IpAddr,
        seen: Option<MacAddr>,
        claim: &UrlClaim,
    ) -> Asking {
        let network = ipv4(address).and_then(|address| world.network_of(address));
        let trusted = self.trusted(world, network, address);
        let mac = claim.mac.or(trusted).or(seen);
        let known = mac.map(|mac| self.seen().machine(mac));
        let mut machine = known.unwrap_or_default();
        if network.is_some() {
            machine.network = network;
        }
        let proven = machine.clone();
        machine.uuid = machine.uuid.or(claim.uuid);
        machine.circuit = machine.circuit.or_else(|| claim.circuit.clone());
        let itself = trusted.is_some()
            && trusted == machine.mac
            && match world.find(&machine) {
                Some((_, target, _)) => match (target.mac, target.secrets) {
                    (Some(mac), _) => trusted == Some(mac),
                    (None, Secrets::Proven) => false,
                    // By what DHCP saw, which any machine can say; not by a URL.
                    (None, Secrets::Claimable) => proven == machine,
                },
                None => true,
            };
        Asking { machine, itself }
    }

    /// The machine that an address surely is, for what is its own only.
    pub(crate) fn asking_itself(&self, world: &World, address: IpAddr) -> Option<Machine> {
        let asking = self.asking(world, address, None, &UrlClaim::default());
        asking.itself.then_some(asking.machine)
    }

    /// Remembers what DHCP saw of a machine, and gives all that is known of it.
    pub(crate) fn saw(&self, machine: &Machine) -> Machine {
        let Some(mac) = machine.mac else {
            return machine.clone();
        };
        let mut seen = self.seen();
        if machine.arch.is_some() || machine.uuid.is_some() || machine.circuit.is_some() {
            seen.note(machine);
        }
        let known = seen.machine(mac);
        Machine {
            network: machine.network,
            ..known
        }
    }

    /// Counts a message of a machine's iPXE that lacks what boot scripts need.
    pub(crate) fn lacks(&self, mac: MacAddr, xid: u32, kind: MessageType) -> Attempt {
        self.seen().lacks(mac, xid, kind)
    }

    /// Notes a machine's REQUEST to another server.
    pub(crate) fn requests(&self, mac: MacAddr) {
        self.seen().requests(mac);
    }

    /// Forgets that, since the machine asks by something else.
    pub(crate) fn is_whole(&self, mac: MacAddr) {
        self.seen().is_whole(mac);
    }

    /// Who has which address by another server, as far as its messages were heard.
    pub(crate) fn snooped(&self) -> &Snooped {
        &self.0.snooped
    }

    /// The machine behind an address: by our lease, then by what was snooped of another server's,
    /// then by the system's neighbour table.
    pub(crate) fn machine_at(&self, address: IpAddr) -> Option<MacAddr> {
        let leases = &self.0.leases;
        leases
            .holder(address)
            .or_else(|| self.0.snooped.machine(address))
            .or_else(|| neighbour::mac_of(address))
    }

    /// The machine whose boot a request belongs to: the one behind the address that it came from. A
    /// MAC address in a URL says whose script is wanted and not who asks, so that it counts only for
    /// a machine that DHCP has seen, and that nobody knows to have another address.
    pub(crate) fn boots(
        &self,
        seen: Option<MacAddr>,
        address: IpAddr,
        claim: &UrlClaim,
    ) -> Option<MacAddr> {
        seen.or_else(|| {
            let claimed = claim.mac?;
            let is_plausible = !address.is_loopback()
                && self.seen().has(claimed)
                && !self.0.leases.has_address(claimed)
                && self.snooped().address(claimed).is_none();
            is_plausible.then_some(claimed)
        })
    }

    /// Whether a machine was given this address, by this server or, as was overheard, by another.
    pub(crate) fn was_given(&self, address: IpAddr) -> bool {
        let inner = &self.0;
        inner.leases.holder(address).is_some() || inner.snooped.machine(address).is_some()
    }

    fn trusted(&self, world: &World, network: Option<usize>, address: IpAddr) -> Option<MacAddr> {
        self.0.leases.holder(address).or_else(|| {
            let network = world.config().networks.get(network?)?;
            let by_neighbour = network.identify == Identify::Neighbour;
            by_neighbour.then(|| neighbour::mac_of(address))?
        })
    }

    fn seen(&self) -> MutexGuard<'_, SeenMachines> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
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

    use netboot_dhcp::Timestamp;
    use netboot_dhcp::server::{ClientKey, Lease, Link, Network, NetworkId, Server, Settings};
    use netboot_dhcp::value::Arch;

    use super::*;
    use crate::leases::clock::Clock;
    use crate::world::programs::Programs;

    const WORLD: &str = r#"
        [[netboot.networks]]
        name = "lab"
        server = "192.0.2.1"
        subnet = "192.0.2.0/24"
        [[netboot.targets]]
        name = "by-mac"
        mac = "02:00:00:00:00:01"
        uuid = "00000000-0000-0000-0000-000000000001"
        [[netboot.targets]]
        name = "by-uuid"
        uuid = "00000000-0000-0000-0000-000000000002"
        [[netboot.targets]]
        name = "claimable"
        uuid = "00000000-0000-0000-0000-000000000003"
        secrets = "claimable"
    "#;

    fn world() -> World {
        World::of_text(WORLD, Vec::new(), Programs::default())
    }

    const fn mac(last: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, last])
    }

    const fn ip(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    /// With leases of .1 for the machine 1 to .4 for the machine 4.
    fn identity() -> Identity {
        let subnet = "192.0.2.0/24".parse().expect("a subnet");
        let server = Ipv4Addr::new(192, 0, 2, 254);
        let network = Network::new(NetworkId(1), Link::Interface(1), subnet, server);
        let mut server = Server::new(Settings::new(vec![network])).expect("a server");
        let never = Timestamp(u64::MAX);
        for last in 1..=4 {
            let client = ClientKey::Hardware(mac(last).into());
            let address = Ipv4Addr::new(192, 0, 2, last);
            let lease = Lease::new(Timestamp(0), NetworkId(1), address, client, never);
            server.restore(lease).expect("a lease of its network");
        }
        Identity::new(LeaseTable::new(server, Clock::go_on(Timestamp(0))))
    }

    fn claim(mac: MacAddr) -> UrlClaim {
        UrlClaim {
            mac: Some(mac),
            ..UrlClaim::default()
        }
    }

    fn with_uuid(mac: MacAddr, uuid: u128) -> Machine {
        Machine {
            uuid: Some(Uuid::from_u128(uuid)),
            ..Machine::with_mac(mac)
        }
    }

    #[test]
    fn only_who_has_the_lease_of_a_mac_address_is_that_machine_itself() {
        let (world, identity) = (world(), identity());
        let nothing = UrlClaim::default();
        let lately = Some(mac(1));
        for (address, seen, says, machine, itself) in [
            (ip(1), None, &nothing, Some(mac(1)), true),
            (ip(1), None, &claim(mac(1)), Some(mac(1)), true),
            (ip(2), None, &nothing, Some(mac(2)), true),
            (ip(2), None, &claim(mac(1)), Some(mac(1)), false),
            (ip(2), None, &claim(mac(9)), Some(mac(9)), false),
            (ip(9), None, &claim(mac(1)), Some(mac(1)), false),
            (ip(9), None, &nothing, None, false),
            // Who was seen when the connection began may have given the address back since.
            (ip(2), lately, &nothing, Some(mac(2)), true),
            (ip(9), lately, &nothing, Some(mac(1)), false),
            (ip(9), lately, &claim(mac(1)), Some(mac(1)), false),
        ] {
            let asking = identity.asking(&world, address, seen, says);
            let expected = Asking {
                machine: Machine {
                    mac: machine,
                    network: Some(0),
                    ..Machine::default()
                },
                itself,
            };
            assert_eq!(asking, expected, "{address}");
            let surely = itself.then_some(asking.machine);
            if *says == nothing {
                assert_eq!(identity.asking_itself(&world, address), surely);
            }
        }
    }

    #[test]
    fn a_uuid_proves_a_target_without_a_mac_that_allows_it_and_only_by_dhcp() {
        let (world, identity) = (world(), identity());
        let itself = |address, uuid| {
            let claim = UrlClaim {
                uuid: Some(Uuid::from_u128(uuid)),
                ..UrlClaim::default()
            };
            let asking = identity.asking(&world, address, None, &claim);
            assert_eq!(asking.machine.uuid, claim.uuid);
            asking.itself
        };
        assert!(!itself(ip(4), 3), "by its URL alone");
        for (last, uuid, proves) in [(2, 1, false), (3, 2, false), (4, 3, true)] {
            identity.saw(&with_uuid(mac(last), uuid));
            assert_eq!(itself(ip(last), uuid), proves, "UUID {uuid}");
        }
    }

    #[test]
    fn what_dhcp_saw_of_a_machine_stays_but_for_its_network() {
        let identity = identity();
        let facts = [
            with_uuid(mac(5), 7),
            Machine {
                arch: Some(Arch::X64_UEFI),
                ..Machine::with_mac(mac(6))
            },
            Machine {
                circuit: "port 7".parse().ok(),
                ..Machine::with_mac(mac(7))
            },
        ];
        for seen in facts {
            identity.saw(&seen);
            let later = Machine {
                mac: seen.mac,
                network: Some(1),
                ..Machine::default()
            };
            let expected = Machine {
                network: Some(1),
                ..seen
            };
            assert_eq!(identity.saw(&later), expected);
        }
        identity.saw(&Machine::with_mac(mac(8)));
        assert!(!identity.seen().has(mac(8)), "nothing is known of it");
        let nameless = Machine {
            mac: None,
            ..with_uuid(mac(9), 7)
        };
        assert_eq!(identity.saw(&nameless), nameless);
    }

    #[test]
    fn a_lease_tells_who_is_behind_an_address_before_what_was_overheard() {
        let identity = identity();
        for last in [1, 9] {
            let address = Ipv4Addr::new(192, 0, 2, last);
            identity.snooped().note(address, mac(10));
        }
        for (address, machine) in [(ip(1), Some(mac(1))), (ip(9), Some(mac(10))), (ip(8), None)] {
            assert_eq!(identity.machine_at(address), machine, "{address}");
            assert_eq!(identity.was_given(address), machine.is_some(), "{address}");
        }
        assert!(identity.was_given(ip(2)));
    }

    #[test]
    fn a_mac_in_a_url_tells_whose_boot_it_is_for_machines_that_dhcp_saw_without_an_address() {
        let identity = identity();
        for last in [1, 5, 6] {
            identity.saw(&with_uuid(mac(last), u128::from(last)));
        }
        identity.snooped().note(Ipv4Addr::new(192, 0, 2, 6), mac(6));
        let boots = |seen, address, says| identity.boots(seen, address, &claim(mac(says)));
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(boots(None, ip(9), 5), Some(mac(5)));
        assert_eq!(boots(Some(mac(2)), ip(2), 5), Some(mac(2)));
        assert_eq!(boots(None, here, 5), None, "the operator looks at it");
        assert_eq!(boots(None, ip(9), 1), None, "it has a lease elsewhere");
        assert_eq!(boots(None, ip(9), 6), None, "it has another's lease");
        assert_eq!(boots(None, ip(9), 7), None, "nobody knows it");
    }

    #[test]
    fn an_ipxe_that_lacks_something_is_counted_until_it_is_whole() {
        let identity = identity();
        let lacks = || identity.lacks(mac(1), 7, MessageType::DISCOVER);
        assert!(lacks().is_new);
        assert!(!lacks().is_new, "sent again");
        for _ in 0..3 {
            assert!(!lacks().is_last());
            identity.requests(mac(1));
        }
        assert!(lacks().is_last());
        identity.is_whole(mac(1));
        assert!(!lacks().is_last());
    }

    #[test]
    fn a_mac_is_read_from_the_query_in_both_its_forms() {
        let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        for query in [
            "mac=52:54:00:12:34:56",
            "mac=52%3A54%3A00%3A12%3A34%3A56",
            "a=b&mac=52-54-00-12-34-56",
        ] {
            assert_eq!(UrlClaim::new("/boot.ipxe", query).mac, Some(mac), "{query}");
        }
    }

    #[test]
    fn a_circuit_is_read_from_the_query_as_text_and_as_bytes() {
        for query in ["circuit=port+7", "mac=nonsense&circuit=0x706f72742037"] {
            let claim = UrlClaim::new("/boot.ipxe", query);
            let expected = Circuit::new("port 7".into());
            assert_eq!((claim.circuit, claim.uuid), (expected, None), "{query}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let query = "mac=nonsense&uuid=4c4c4544-0042-3510-8052-b4c04f4d3232&circuit=0x0";
        let uuid = Uuid::from_str("4c4c4544-0042-3510-8052-b4c04f4d3232");
        let claim = UrlClaim {
            uuid: uuid.ok(),
            ..UrlClaim::default()
        };
        assert_eq!(UrlClaim::new("/boot.ipxe", query), claim);
    }
}
