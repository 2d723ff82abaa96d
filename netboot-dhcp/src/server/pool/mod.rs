//! One network's addresses: which are free, whose they are, and since when.
//!
//! Finding an address never scans the pool. In this order it is the one reserved for the client,
//! the one it has or had, the one it asks for, one that nobody ever had (a cursor that only moves
//! on), and else the one that has been free for longest (a set ordered by time). Memory is bounded
//! by the number of addresses: each has at most a lease and a hold, and a client is remembered only
//! through one of them.

mod clients;
mod holds;
mod identities;
mod ranges;
mod slot;

use super::{ClientKey, Lease, LeaseState, Network};
use crate::Timestamp;
use alloc::boxed::Box;
use alloc::collections::btree_map::{BTreeMap, Entry};
use alloc::collections::btree_set::BTreeSet;
use clients::Clients;
use core::net::Ipv4Addr;
use identities::Identities;
use ranges::{Cursor, Ranges};
use slot::Slot;

#[derive(Clone, Debug)]
pub(super) struct Pool {
    /// What is given to anybody.
    ranges: Ranges,
    /// The first address of the ranges that no slot was ever made for.
    fresh: Option<Cursor>,
    slots: BTreeMap<u32, Slot>,
    clients: Clients,
    identities: Identities,
    /// The slots inside `ranges` by when they become free.
    free_at: BTreeSet<(Timestamp, u32)>,
    /// The holds by when they end.
    holds: BTreeSet<(Timestamp, u32)>,
    max_holds: usize,
}

impl Pool {
    pub(super) fn new(network: &Network, max_holds: usize) -> Self {
        let ranges = Ranges::of(network);
        Self {
            fresh: ranges.first(),
            ranges,
            slots: BTreeMap::new(),
            clients: Clients::default(),
            identities: Identities::default(),
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
    fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        self.ranges.contains(address.to_bits())
    }

    /// Whether `address` is given to a client for which `reserved` is set aside.
    pub(super) fn gives(&self, address: Ipv4Addr, reserved: Option<Ipv4Addr>) -> bool {
        reserved == Some(address) || self.is_dynamic(address)
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
        self.clients.get(client).map(Ipv4Addr::from_bits)
    }

    pub(super) fn lease(&self, address: Ipv4Addr) -> Option<&Lease> {
        self.slots.get(&address.to_bits())?.lease.as_deref()
    }

    /// The last lease of a client.
    pub(super) fn lease_of(&self, client: &ClientKey) -> Option<&Lease> {
        let lease = self.lease(self.address_of(client)?)?;
        (lease.client == *client).then_some(lease)
    }

    pub(super) fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.slots.values().filter_map(|slot| slot.lease.as_deref())
    }

    /// The address that another client than this has by an identity, or is offered by it.
    pub(super) fn claimed_by_another(
        &self,
        identity: &str,
        client: &ClientKey,
        now: Timestamp,
    ) -> Option<Ipv4Addr> {
        let address = self.identities.get(identity)?;
        let slot = self.slots.get(&address)?;
        let until = slot.claimed_until(identity, Some(client));
        until
            .is_some_and(|until| until > now)
            .then(|| Ipv4Addr::from_bits(address))
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
            .or_else(|| Some(self.fresh?.address()))
            .or_else(|| {
                let (free_at, address) = self.free_at.first()?;
                (*free_at <= now).then(|| Ipv4Addr::from_bits(*address))
            })
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
            if slot.hold.as_ref().and_then(|hold| hold.client.as_ref()) == Some(&client) {
                slot.hold = None;
            }
            slot.refuted = false;
            slot.lease.replace(Box::new(lease))
        });
        if let Some(before) = before {
            self.clients.remove(before.client, address);
        }
        if declined {
            self.clients.remove(client, address);
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
        let stranger = self.change(address, |slot| {
            let client = slot.lease.take()?.client;
            (!slot.is_of(&client)).then_some(client)
        });
        if let Some(client) = stranger {
            self.clients.remove(client, address);
        }
    }

    /// Ties the client to the address, unless it has one elsewhere, or a younger lease.
    fn remember(&mut self, client: ClientKey, address: u32) {
        let rank = |at: u32| {
            let lease = self.slots.get(&at)?.lease.as_ref()?;
            let rank = (lease.state == LeaseState::Bound, lease.updated);
            (lease.client == client).then_some(rank)
        };
        let other = self.clients.get(&client).and_then(rank);
        if other <= rank(address) {
            self.clients.insert(client, address);
        }
    }

    /// Changes a slot, keeps the orders by time in step, and moves the cursor past it.
    fn change<T>(&mut self, address: u32, change: impl FnOnce(&mut Slot) -> T) -> T {
        let (slot, free_before) = match self.slots.entry(address) {
            Entry::Occupied(entry) => {
                let slot = entry.into_mut();
                let free_at = slot.free_at();
                (slot, Some(free_at))
            }
            Entry::Vacant(entry) => (entry.insert(Slot::default()), None),
        };
        let held_before = slot.held_until();
        let claimed_before = slot.identities();
        let result = change(slot);
        let (free_after, held_after) = (slot.free_at(), slot.held_until());
        let claimed_after = slot.identities();
        self.identities
            .change(&self.slots, address, claimed_before, claimed_after);
        if free_before != Some(free_after) && self.ranges.contains(address) {
            if let Some(before) = free_before {
                self.free_at.remove(&(before, address));
            }
            self.free_at.insert((free_after, address));
        }
        if held_before != held_after {
            if let Some(before) = held_before {
                self.holds.remove(&(before, address));
            }
            if let Some(after) = held_after {
                self.holds.insert((after, address));
            }
        }
        if free_before.is_none() {
            self.move_cursor();
        }
        result
    }

    /// Moves on to an address without a slot. Each address is passed once in the pool's life.
    fn move_cursor(&mut self) {
        while let Some(cursor) = self.fresh
            && self.slots.contains_key(&cursor.address().to_bits())
        {
            self.fresh = self.ranges.after(cursor);
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
        let mut lease = Lease::new(NOW, NetworkId(1), address(last), client(owner), expires);
        lease.version = version;
        lease
    }

    #[test]
    fn each_client_gets_another_address_until_none_is_left() {
        let mut pool = small();
        for (number, last) in [(1, 10), (2, 11), (3, 12)] {
            let proposed = pool.propose(&client(number), None, None, NOW);
            assert_eq!(proposed, Some(address(last)));
            pool.hold(address(last), &client(number), None, LATER);
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
        pool.hold(address(10), &client(1), None, LATER);
        pool.hold(address(11), &client(2), None, LATER.after_ms(1));
        pool.hold(address(12), &client(3), None, LATER.after_ms(2));
        assert_eq!(pool.holds.len(), 2);
        assert!(!pool.is_held_for(address(10), &client(1), NOW));
        assert_eq!(pool.address_of(&client(1)), None, "nor is its client kept");
        assert!(pool.is_held_for(address(11), &client(2), NOW));
        assert!(pool.is_held_for(address(12), &client(3), NOW));
    }

    #[test]
    fn client_that_is_offered_another_address_lets_go_of_the_first() {
        let mut pool = small();
        pool.hold(address(10), &client(1), None, LATER);
        pool.hold(address(11), &client(1), None, LATER);
        assert!(pool.is_free_for(address(10), &client(2), NOW));
        assert_eq!(pool.address_of(&client(1)), Some(address(11)));
    }

    #[test]
    fn client_whose_offer_ends_has_the_address_that_it_has_not_left_and_no_other_has() {
        for (is_taken, has) in [(false, Some(address(10))), (true, None)] {
            let mut pool = small();
            pool.record(lease(10, 1, LATER, 1));
            pool.hold(address(11), &client(1), None, LATER);
            if is_taken {
                pool.record(lease(10, 2, LATER, 2));
            }
            pool.release_hold(&client(1));
            assert_eq!(pool.address_of(&client(1)), has);
        }
    }

    #[test]
    fn at_its_end_a_lease_an_offer_and_a_quarantine_are_over() {
        let mut pool = small();
        pool.record(lease(10, 1, LATER, 1));
        pool.hold(address(11), &client(2), None, LATER);
        pool.block(address(12), LATER);
        for last in 10..=12 {
            assert!(pool.is_free_for(address(last), &client(3), LATER), "{last}");
        }
        assert!(!pool.is_held_for(address(11), &client(2), LATER));
        assert!(!pool.is_in_quarantine(address(12), LATER));
    }

    #[test]
    fn an_identity_is_remembered_where_it_lasts_longest_and_while_a_slot_names_it() {
        let mut pool = small();
        let other = |pool: &Pool| pool.claimed_by_another("a", &client(9), NOW);
        pool.hold(address(10), &client(1), Some("a"), LATER);
        pool.hold(address(11), &client(2), Some("a"), LATER.after_ms(1));
        assert_eq!(other(&pool), Some(address(11)));
        pool.hold(address(10), &client(1), Some("a"), LATER);
        assert_eq!(other(&pool), Some(address(11)), "it ends sooner");
        pool.hold(address(10), &client(1), None, LATER);
        assert_eq!(
            other(&pool),
            Some(address(11)),
            "another address lets it go"
        );
        assert_eq!(pool.claimed_by_another("a", &client(2), NOW), None);
        pool.hold(address(11), &client(2), Some("b"), LATER);
        assert_eq!(other(&pool), None);
        assert_eq!(pool.identities.len(), 1);
        pool.release_hold(&client(2));
        assert_eq!(pool.identities.len(), 0);
    }

    #[test]
    fn older_version_of_a_lease_changes_nothing() {
        let mut pool = small();
        assert!(pool.record(lease(10, 2, LATER, 5)));
        assert!(!pool.record(lease(10, 1, LATER, 4)));
        assert_eq!(pool.lease(address(10)).unwrap().client, client(2));
    }

    #[test]
    fn same_version_of_a_lease_is_taken_as_the_store_has_it() {
        let mut pool = small();
        assert!(pool.record(lease(10, 1, NOW, 5)));
        assert!(pool.record(lease(10, 2, LATER, 5)));
        assert_eq!(pool.lease(address(10)).unwrap().client, client(2));
    }

    #[test]
    fn client_is_forgotten_with_its_lease_unless_an_address_is_held_for_it() {
        let mut pool = small();
        pool.record(lease(10, 1, LATER, 1));
        pool.record(lease(11, 2, NOW, 1));
        pool.hold(address(11), &client(2), None, LATER);
        pool.erase(address(10));
        pool.erase(address(11));
        assert_eq!(pool.address_of(&client(1)), None);
        assert_eq!(pool.address_of(&client(2)), Some(address(11)));
    }

    #[test]
    fn lease_of_another_client_does_not_tie_this_one() {
        let mut pool = small();
        pool.record(lease(11, 2, NOW, 1));
        pool.hold(address(11), &client(1), None, LATER);
        pool.record(lease(10, 1, LATER, 1));
        assert_eq!(pool.address_of(&client(1)), Some(address(10)));
    }

    #[test]
    fn address_outside_the_ranges_is_nobodys_but_who_has_it() {
        let mut pool = small();
        pool.record(lease(50, 1, NOW, 1));
        for (number, last) in [(2, 10), (3, 11), (4, 12)] {
            pool.hold(address(last), &client(number), None, LATER);
        }
        assert_eq!(pool.propose(&client(5), None, None, NOW), None);
        assert_eq!((pool.size(), pool.in_use(NOW)), (3, 3));
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
            pool.hold(proposed, &client(number), None, now.after_ms(500));
        }
        assert!(pool.slots.len() <= 3);
        assert!(pool.clients.len() <= 6, "{}", pool.clients.len());
        assert!(pool.free_at.len() <= 3 && pool.holds.len() <= 3);
    }
}
