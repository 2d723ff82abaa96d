//! One network's addresses: which are free, whose they are, and since when.
//!
//! Finding an address never scans the pool. In this order it is the one reserved for the client, the
//! one it has or had, the one it asks for, one that nobody ever had (a cursor that only moves on),
//! and else the one that has been free for longest (a set ordered by time). Memory is bounded by
//! the number of addresses: each has at most a lease and a hold, and a client is remembered only
//! through one of them.

use super::ranges::Ranges;
use super::{ClientKey, Lease, LeaseState, Network};
use crate::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::Ipv4Addr;

#[derive(Clone, Debug)]
pub(super) struct Pool {
    /// What is given to anybody.
    ranges: Ranges,
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
        let ranges = Ranges::of(network);
        let next = ranges.get(0).map_or(0, |(start, _)| start);
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

    /// How many addresses are given to anybody.
    pub(super) fn size(&self) -> u64 {
        self.ranges.len()
    }

    /// How many of them nobody else can have at `now`. Takes time with their number.
    pub(super) fn in_use(&self, now: Timestamp) -> u64 {
        let later = (now, u32::MAX);
        self.free_at
            .range((
                core::ops::Bound::Excluded(later),
                core::ops::Bound::Unbounded,
            ))
            .count() as u64
    }

    /// Whether `address` is given to anybody.
    pub(super) fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        self.ranges.contains(address.to_bits())
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

    /// Forgets the lease of an address that the store has none of.
    pub(super) fn erase(&mut self, address: Ipv4Addr) {
        if self.lease(address).is_none() {
            return;
        }
        let address = address.to_bits();
        let (lease, held_by) = self.change(address, |slot| {
            let held_by = slot.hold.as_ref().and_then(|hold| hold.client.clone());
            (slot.lease.take(), held_by)
        });
        if let Some(lease) = lease
            && held_by.as_ref() != Some(&lease.client)
        {
            self.forget(&lease.client, address);
        }
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
        let dynamic = self.ranges.contains(address);
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
            if self.fresh.next < end {
                self.fresh.next += 1;
            } else {
                self.fresh.range += 1;
                if let Some((start, _)) = self.ranges.get(self.fresh.range) {
                    self.fresh.next = start;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{AddressRange, Link, NetworkId};
    use crate::{HardwareAddr, MacAddr};
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
