//! One network's addresses: which are free, whose they are, and since when.
//!
//! Finding an address never scans the pool. In this order it is the one reserved for the client, the
//! one it has or had, the one it asks for, one that nobody ever had (a cursor that only moves on),
//! and else the one that has been free for longest (a set ordered by time). Memory is bounded by
//! the number of addresses: each has at most a lease and a hold, and a client is remembered only
//! through one of them.

use super::{ClientKey, Lease, LeaseState, Network};
use crate::Timestamp;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::net::Ipv4Addr;

#[derive(Clone, Debug)]
pub(super) struct Pool {
    /// What is given to anybody: sorted, disjoint, without exclusions and reserved addresses.
    ranges: Vec<(u32, u32)>,
    fresh: Fresh,
    slots: BTreeMap<u32, Slot>,
    clients: BTreeMap<ClientKey, u32>,
    /// The slots inside `ranges` by when they become free.
    free_at: BTreeSet<(Timestamp, u32)>,
    /// The holds by when they end.
    holds: BTreeSet<(Timestamp, u32)>,
    max_holds: usize,
}

/// The first address of the ranges that no slot was ever made for.
#[derive(Clone, Copy, Debug)]
struct Fresh {
    range: usize,
    next: u32,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    lease: Option<Lease>,
    hold: Option<Hold>,
}

/// An address kept back: for the client it is offered to, or from everybody.
#[derive(Clone, Debug)]
struct Hold {
    client: Option<ClientKey>,
    until: Timestamp,
}

impl Slot {
    fn free_at(&self) -> Timestamp {
        let lease = self.lease.as_ref().map(|lease| lease.expires);
        let hold = self.hold.as_ref().map(|hold| hold.until);
        lease.max(hold).unwrap_or_default()
    }

    fn is_free_for(&self, client: &ClientKey, now: Timestamp) -> bool {
        let held = self
            .hold
            .as_ref()
            .is_some_and(|hold| hold.until > now && hold.client.as_ref() != Some(client));
        let leased = self.lease.as_ref().is_some_and(|lease| {
            lease.expires > now && !(lease.state == LeaseState::Bound && lease.client == *client)
        });
        !held && !leased
    }
}

impl Pool {
    pub(super) fn new(network: &Network, max_holds: usize) -> Self {
        let ranges = dynamic_ranges(network);
        let next = ranges.first().map_or(0, |(start, _)| *start);
        Self {
            ranges,
            fresh: Fresh { range: 0, next },
            slots: BTreeMap::new(),
            clients: BTreeMap::new(),
            free_at: BTreeSet::new(),
            holds: BTreeSet::new(),
            max_holds,
        }
    }

    /// Whether `address` is given to anybody.
    pub(super) fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        self.in_ranges(address.to_bits())
    }

    pub(super) fn is_free_for(
        &self,
        address: Ipv4Addr,
        client: &ClientKey,
        now: Timestamp,
    ) -> bool {
        self.slots
            .get(&address.to_bits())
            .is_none_or(|slot| slot.is_free_for(client, now))
    }

    /// The address that `client` has, had or was offered.
    pub(super) fn address_of(&self, client: &ClientKey) -> Option<Ipv4Addr> {
        self.clients.get(client).copied().map(Ipv4Addr::from_bits)
    }

    pub(super) fn lease(&self, address: Ipv4Addr) -> Option<&Lease> {
        self.slots.get(&address.to_bits())?.lease.as_ref()
    }

    pub(super) fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.slots.values().filter_map(|slot| slot.lease.as_ref())
    }

    /// Whether `address` is kept back for `client`.
    pub(super) fn is_held_for(
        &self,
        address: Ipv4Addr,
        client: &ClientKey,
        now: Timestamp,
    ) -> bool {
        let slot = self.slots.get(&address.to_bits());
        slot.and_then(|slot| slot.hold.as_ref())
            .is_some_and(|hold| hold.until > now && hold.client.as_ref() == Some(client))
    }

    /// How many addresses are kept back, those whose time is over included.
    #[cfg(test)]
    pub(super) fn hold_count(&self) -> usize {
        self.holds.len()
    }

    /// An address that `client` can have.
    pub(super) fn propose(
        &self,
        client: &ClientKey,
        reserved: Option<Ipv4Addr>,
        wanted: Option<Ipv4Addr>,
        now: Timestamp,
    ) -> Option<Ipv4Addr> {
        if let Some(address) = reserved
            && self.is_free_for(address, client, now)
        {
            return Some(address);
        }
        let known = [self.address_of(client), wanted];
        known
            .into_iter()
            .flatten()
            .find(|address| self.is_dynamic(*address) && self.is_free_for(*address, client, now))
            .or_else(|| self.fresh_address())
            .or_else(|| {
                let (free_at, address) = self.free_at.first()?;
                (*free_at <= now).then(|| Ipv4Addr::from_bits(*address))
            })
    }

    /// Keeps `address` for `client` until `until`. At the cap, the hold that ends first gives way.
    pub(super) fn hold(&mut self, address: Ipv4Addr, client: &ClientKey, until: Timestamp) {
        if let Some(other) = self.address_of(client)
            && other != address
        {
            self.drop_hold(other, client);
        }
        self.set_hold(address, Some(client.clone()), until);
        self.clients.insert(client.clone(), address.to_bits());
    }

    /// Keeps `address` from everybody until `until`.
    pub(super) fn block(&mut self, address: Ipv4Addr, until: Timestamp) {
        self.set_hold(address, None, until);
    }

    /// Forgets what is kept back for `client`.
    pub(super) fn release_hold(&mut self, client: &ClientKey) {
        if let Some(address) = self.address_of(client) {
            self.drop_hold(address, client);
        }
    }

    /// Takes a lease as the store has it; an older version than the known one changes nothing.
    /// Returns whether it was taken.
    pub(super) fn record(&mut self, lease: Lease) -> bool {
        let address = lease.address.to_bits();
        let known = self
            .slots
            .get(&address)
            .and_then(|slot| slot.lease.as_ref());
        if known.is_some_and(|known| known.version > lease.version) {
            return false;
        }
        let client = lease.client.clone();
        let declined = lease.state == LeaseState::Declined;
        let before = self.change(address, |slot| {
            if slot
                .hold
                .as_ref()
                .is_some_and(|hold| hold.client.as_ref() == Some(&client))
            {
                slot.hold = None;
            }
            slot.lease.replace(lease)
        });
        if let Some(before) = before {
            self.forget(&before.client, address);
        }
        if declined {
            self.forget(&client, address);
        } else {
            self.remember(client, address);
        }
        true
    }

    /// Ties the client to the address, unless it has a younger lease elsewhere.
    fn remember(&mut self, client: ClientKey, address: u32) {
        let updated = |at: &u32| {
            let lease = self.slots.get(at)?.lease.as_ref()?;
            (lease.client == client).then_some(lease.updated)
        };
        let other = self.clients.get(&client).and_then(updated);
        if other <= updated(&address) {
            self.clients.insert(client, address);
        }
    }

    fn forget(&mut self, client: &ClientKey, address: u32) {
        if self.clients.get(client) == Some(&address) {
            self.clients.remove(client);
        }
    }

    fn set_hold(&mut self, address: Ipv4Addr, client: Option<ClientKey>, until: Timestamp) {
        let address = address.to_bits();
        self.clear_hold(address);
        while self.holds.len() >= self.max_holds
            && let Some((_, oldest)) = self.holds.first().copied()
        {
            self.clear_hold(oldest);
        }
        self.change(address, |slot| slot.hold = Some(Hold { client, until }));
    }

    fn drop_hold(&mut self, address: Ipv4Addr, client: &ClientKey) {
        let address = address.to_bits();
        let slot = self.slots.get(&address);
        let hold = slot.and_then(|slot| slot.hold.as_ref());
        if hold.is_some_and(|hold| hold.client.as_ref() == Some(client)) {
            self.clear_hold(address);
        }
    }

    /// Ends a hold, and the memory of its client if nothing else keeps it.
    fn clear_hold(&mut self, address: u32) {
        if self
            .slots
            .get(&address)
            .is_none_or(|slot| slot.hold.is_none())
        {
            return;
        }
        let (hold, leased_to_it) = self.change(address, |slot| {
            let hold = slot.hold.take();
            let client = hold.as_ref().and_then(|hold| hold.client.as_ref());
            let leased = slot.lease.as_ref().map(|lease| &lease.client);
            let leased_to_it = client == leased;
            (hold, leased_to_it)
        });
        if let Some(Hold {
            client: Some(client),
            ..
        }) = hold
            && !leased_to_it
        {
            self.forget(&client, address);
        }
    }

    /// Changes a slot, keeps the orders by time in step, and moves the cursor past it.
    fn change<T>(&mut self, address: u32, change: impl FnOnce(&mut Slot) -> T) -> T {
        let dynamic = self.in_ranges(address);
        let known = self.slots.contains_key(&address);
        let slot = self.slots.entry(address).or_default();
        let (free_before, hold_before) =
            (slot.free_at(), slot.hold.as_ref().map(|hold| hold.until));
        let result = change(slot);
        let (free_after, hold_after) = (slot.free_at(), slot.hold.as_ref().map(|hold| hold.until));
        if dynamic && (!known || free_before != free_after) {
            self.free_at.remove(&(free_before, address));
            self.free_at.insert((free_after, address));
        }
        if hold_before != hold_after {
            if let Some(until) = hold_before {
                self.holds.remove(&(until, address));
            }
            if let Some(until) = hold_after {
                self.holds.insert((until, address));
            }
        }
        if !known {
            self.move_cursor();
        }
        result
    }

    fn fresh_address(&self) -> Option<Ipv4Addr> {
        self.ranges.get(self.fresh.range)?;
        Some(Ipv4Addr::from_bits(self.fresh.next))
    }

    /// Moves on to an address without a slot. Each address is passed once in the pool's life.
    fn move_cursor(&mut self) {
        while let Some((_, end)) = self.ranges.get(self.fresh.range) {
            if !self.slots.contains_key(&self.fresh.next) {
                return;
            }
            if self.fresh.next < *end {
                self.fresh.next += 1;
            } else {
                self.fresh.range += 1;
                if let Some((start, _)) = self.ranges.get(self.fresh.range) {
                    self.fresh.next = *start;
                }
            }
        }
    }

    fn in_ranges(&self, address: u32) -> bool {
        let at = self.ranges.partition_point(|(start, _)| *start <= address);
        let range = at.checked_sub(1).and_then(|at| self.ranges.get(at));
        range.is_some_and(|(_, end)| address <= *end)
    }
}

/// The ranges without exclusions, reserved addresses, the server's own, network and broadcast
/// address, and in wide subnets `.0` and `.255`; sorted and disjoint.
fn dynamic_ranges(network: &Network) -> Vec<(u32, u32)> {
    let subnet = network.subnet;
    let mut holes: Vec<(u32, u32)> = network
        .exclude
        .iter()
        .map(|range| (range.start.to_bits(), range.end.to_bits()))
        .collect();
    let reserved = network.reservations.iter().filter_map(|one| one.address);
    let own = [network.server]
        .into_iter()
        .chain(network.gateways.iter().copied());
    holes.extend(
        own.chain(reserved)
            .map(|one| (one.to_bits(), one.to_bits())),
    );
    if subnet.prefix() <= 30 {
        for end in [subnet.network(), subnet.broadcast()] {
            holes.push((end.to_bits(), end.to_bits()));
        }
    }
    holes.sort_unstable();

    let mut ranges: Vec<(u32, u32)> = network
        .ranges
        .iter()
        .map(|range| (range.start.to_bits(), range.end.to_bits()))
        .collect();
    ranges.sort_unstable();
    let mut result: Vec<(u32, u32)> = Vec::new();
    for (start, end) in ranges {
        // Overlapping ranges count once.
        let mut from = match result.last() {
            Some((_, last)) if *last >= start => match last.checked_add(1) {
                Some(from) => from,
                None => break,
            },
            _ => start,
        };
        let mut used_up = false;
        for (first, last) in &holes {
            if *last < from || *first > end {
                continue;
            }
            if *first > from {
                result.push((from, *first - 1));
            }
            match last.checked_add(1) {
                Some(after) => from = after,
                None => used_up = true,
            }
        }
        if !used_up && from <= end {
            result.push((from, end));
        }
    }
    if subnet.prefix() < 24 {
        result = result.into_iter().flat_map(without_odd_hosts).collect();
    }
    result
}

/// Splits a range at its `.0` and `.255` addresses, and leaves those out.
fn without_odd_hosts((start, end): (u32, u32)) -> impl Iterator<Item = (u32, u32)> {
    let first_block = start >> 8;
    let last_block = end >> 8;
    (first_block..=last_block).filter_map(move |block| {
        let from = (block << 8 | 1).max(start);
        let to = (block << 8 | 254).min(end);
        (from <= to).then_some((from, to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{AddressRange, Link, NetworkId, Reservation};
    use crate::{HardwareAddr, MacAddr};
    use std::string::{String, ToString};
    use std::vec;

    const NOW: Timestamp = Timestamp(1_000_000);
    const LATER: Timestamp = Timestamp(2_000_000);

    fn network(subnet: &str, start: &str, end: &str) -> Network {
        let mut network = Network::new(
            NetworkId(1),
            Link::Interface(1),
            subnet.parse().unwrap(),
            "10.0.0.1".parse().unwrap(),
        );
        network.ranges = vec![AddressRange::new(
            start.parse().unwrap(),
            end.parse().unwrap(),
        )];
        network
    }

    fn small() -> Pool {
        Pool::new(&network("10.0.0.0/24", "10.0.0.10", "10.0.0.12"), 100)
    }

    fn client(number: u8) -> ClientKey {
        ClientKey::Hardware(HardwareAddr::from(MacAddr([2, 0, 0, 0, 0, number])))
    }

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn lease(last: u8, owner: u8, expires: Timestamp, version: u64) -> Lease {
        Lease {
            network: NetworkId(1),
            address: address(last),
            client: client(owner),
            client_id: None,
            host_name: None,
            state: LeaseState::Bound,
            expires,
            updated: NOW,
            version,
        }
    }

    fn shown(network: &Network) -> Vec<String> {
        dynamic_ranges(network)
            .into_iter()
            .map(|(start, end)| {
                AddressRange::new(Ipv4Addr::from_bits(start), Ipv4Addr::from_bits(end)).to_string()
            })
            .collect()
    }

    #[test]
    fn ranges_leave_out_ends_exclusions_own_and_reserved_addresses() {
        let mut network = network("10.0.0.0/24", "10.0.0.0", "10.0.0.255");
        network.exclude = vec![AddressRange::new(address(100), address(109))];
        network.gateways = vec![address(254)];
        network.reservations = vec![Reservation {
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            address: Some(address(50)),
            host_name: None,
        }];
        network
            .ranges
            .push(AddressRange::new(address(20), address(30)));
        assert_eq!(
            shown(&network),
            vec![
                "10.0.0.2-10.0.0.49",
                "10.0.0.51-10.0.0.99",
                "10.0.0.110-10.0.0.253"
            ]
        );
    }

    #[test]
    fn wide_subnet_leaves_out_hosts_that_end_in_0_or_255() {
        let network = network("10.0.0.0/22", "10.0.0.200", "10.0.2.10");
        assert_eq!(
            shown(&network),
            vec![
                "10.0.0.200-10.0.0.254",
                "10.0.1.1-10.0.1.254",
                "10.0.2.1-10.0.2.10"
            ]
        );
    }

    #[test]
    fn each_client_gets_another_address_until_none_is_left() {
        let mut pool = small();
        for (number, last) in [(1, 10), (2, 11), (3, 12)] {
            let proposed = pool.propose(&client(number), None, None, NOW);
            assert_eq!(proposed, Some(address(last)));
            pool.hold(address(last), &client(number), LATER);
        }
        assert_eq!(pool.propose(&client(4), None, None, NOW), None);
        assert_eq!(
            pool.propose(&client(2), None, None, NOW),
            Some(address(11)),
            "a client keeps what it was offered"
        );
        assert_eq!(
            pool.propose(&client(4), None, None, LATER),
            Some(address(10)),
            "offers run out"
        );
    }

    #[test]
    fn client_gets_the_address_back_that_it_had() {
        let mut pool = small();
        pool.record(lease(12, 1, NOW, 1));
        assert_eq!(
            pool.propose(&client(1), None, None, LATER),
            Some(address(12))
        );
        assert_eq!(
            pool.propose(&client(2), None, None, LATER),
            Some(address(10)),
            "others get addresses that nobody had first"
        );
    }

    #[test]
    fn longest_free_address_is_given_again_first() {
        let mut pool = small();
        pool.record(lease(10, 1, Timestamp(1_500_000), 1));
        pool.record(lease(11, 2, Timestamp(1_200_000), 1));
        pool.record(lease(12, 3, Timestamp(1_900_000), 1));
        assert_eq!(pool.propose(&client(9), None, None, NOW), None);
        let proposed = pool.propose(&client(9), None, None, LATER);
        assert_eq!(proposed, Some(address(11)));
    }

    #[test]
    fn at_the_cap_the_hold_that_ends_first_gives_way() {
        let mut pool = Pool::new(&network("10.0.0.0/24", "10.0.0.10", "10.0.0.20"), 2);
        pool.hold(address(10), &client(1), LATER);
        pool.hold(address(11), &client(2), LATER.after_ms(1));
        pool.hold(address(12), &client(3), LATER.after_ms(2));
        assert_eq!(pool.hold_count(), 2);
        assert!(!pool.is_held_for(address(10), &client(1), NOW));
        assert_eq!(pool.address_of(&client(1)), None, "nor is its client kept");
        assert!(pool.is_held_for(address(11), &client(2), NOW));
        assert!(pool.is_held_for(address(12), &client(3), NOW));
    }

    #[test]
    fn older_version_of_a_lease_changes_nothing() {
        let mut pool = small();
        assert!(pool.record(lease(10, 2, LATER, 5)));
        assert!(!pool.record(lease(10, 1, LATER, 4)));
        assert_eq!(pool.lease(address(10)).unwrap().client, client(2));
    }

    #[test]
    fn wanted_address_is_given_if_it_is_one_of_the_pool() {
        let pool = small();
        assert_eq!(
            pool.propose(&client(1), None, Some(address(12)), NOW),
            Some(address(12))
        );
        assert_eq!(
            pool.propose(&client(1), None, Some(address(99)), NOW),
            Some(address(10))
        );
    }

    #[test]
    fn memory_is_bounded_by_the_addresses_whoever_asks() {
        let mut pool = small();
        for number in 0..=200 {
            let now = Timestamp(u64::from(number) * 1_000);
            let Some(proposed) = pool.propose(&client(number), None, None, now) else {
                panic!("an address is free again after a second");
            };
            pool.hold(proposed, &client(number), now.after_ms(500));
        }
        assert!(pool.slots.len() <= 3);
        assert!(pool.clients.len() <= 6, "{}", pool.clients.len());
        assert!(pool.free_at.len() <= 3 && pool.holds.len() <= 3);
    }
}
