//! Addresses kept back: for the client that one is offered to, or from everybody.

use super::Pool;
use super::slot::{Hold, Slot};
use crate::Timestamp;
use crate::server::{ClientKey, LeaseState};
use alloc::borrow::ToOwned;
use core::net::Ipv4Addr;

impl Pool {
    /// Whether `address` is kept back for `client`.
    pub(in crate::server) fn is_held_for(
        &self,
        address: Ipv4Addr,
        client: &ClientKey,
        now: Timestamp,
    ) -> bool {
        self.slots
            .get(&address.to_bits())
            .is_some_and(|slot| slot.is_held_for(client, now))
    }

    /// Keeps `address` for `client` until `until`. At the cap, the hold that ends first gives way.
    pub(in crate::server) fn hold(
        &mut self,
        address: Ipv4Addr,
        client: &ClientKey,
        claimed_identity: Option<&str>,
        until: Timestamp,
    ) {
        let address = address.to_bits();
        let before = self.clients.get(client);
        let leaves = before.and_then(|before| self.leaves(before, client));
        if let Some(other) = before.filter(|other| *other != address) {
            self.drop_hold(other, client);
        }
        self.clients.insert(client.clone(), address);
        let hold = Hold {
            client: Some(client.clone()),
            claimed_identity: claimed_identity.map(str::to_owned),
            leaves: leaves.filter(|leaves| *leaves != address),
            until,
        };
        self.keep(address, hold);
    }

    /// The address whose lease `client` leaves where it takes the one that is held for it.
    pub(in crate::server) fn left_for(
        &self,
        address: Ipv4Addr,
        client: &ClientKey,
    ) -> Option<Ipv4Addr> {
        let slot = self.slots.get(&address.to_bits())?;
        slot.hold_for(client)?.leaves.map(Ipv4Addr::from_bits)
    }

    /// What `client` leaves where it takes another address than this one, to which it is tied.
    fn leaves(&self, address: u32, client: &ClientKey) -> Option<u32> {
        let slot = self.slots.get(&address)?;
        let leaves = slot.hold_for(client).and_then(|hold| hold.leaves);
        leaves.or_else(|| slot.is_leased_to(client).then_some(address))
    }

    /// Keeps `address` from everybody until `until`.
    pub(in crate::server) fn block(&mut self, address: Ipv4Addr, until: Timestamp) {
        let hold = Hold {
            client: None,
            claimed_identity: None,
            leaves: None,
            until,
        };
        self.keep(address.to_bits(), hold);
    }

    /// Whether `address` is kept from everybody: it was declined, or somebody answered a probe.
    pub(in crate::server) fn is_in_quarantine(&self, address: Ipv4Addr, now: Timestamp) -> bool {
        let slot = self.slots.get(&address.to_bits());
        slot.is_some_and(|slot| slot.is_in_quarantine(now))
    }

    /// Gives back an address that nobody was found to have. The store has it in quarantine until
    /// its next lease.
    pub(in crate::server) fn end_quarantine(&mut self, address: Ipv4Addr, now: Timestamp) {
        if !self.is_in_quarantine(address, now) {
            return;
        }
        self.change(address.to_bits(), |slot| {
            slot.hold.take_if(|hold| hold.client.is_none());
            let lease = slot.lease.as_ref();
            slot.refuted = lease.is_some_and(|lease| lease.state == LeaseState::Declined);
        });
    }

    /// Forgets what is kept back for `client`.
    pub(in crate::server) fn release_hold(&mut self, client: &ClientKey) {
        if let Some(address) = self.clients.get(client) {
            self.drop_hold(address, client);
        }
    }

    fn keep(&mut self, address: u32, hold: Hold) {
        if self.holds.len() >= self.max_holds {
            let slot = self.slots.get(&address);
            let replaced = slot.and_then(Slot::held_until);
            let victim = self.holds.first().filter(|_| replaced.is_none());
            if let Some((_, victim)) = victim.copied() {
                self.set_hold(victim, None);
            }
        }
        self.set_hold(address, Some(hold));
    }

    fn drop_hold(&mut self, address: u32, client: &ClientKey) {
        let slot = self.slots.get(&address);
        if slot.is_some_and(|slot| slot.hold_for(client).is_some()) {
            self.set_hold(address, None);
        }
    }

    /// Exchanges a hold. The client of the one before is tied to the address that it has not left,
    /// or forgotten if nothing else keeps it.
    fn set_hold(&mut self, address: u32, hold: Option<Hold>) {
        let stranger = self.change(address, |slot| {
            let before = core::mem::replace(&mut slot.hold, hold)?;
            let client = before.client?;
            (!slot.is_of(&client)).then_some((client, before.leaves))
        });
        let Some((client, has)) = stranger else {
            return;
        };
        if self.clients.get(&client) != Some(address) {
            return;
        }
        let has = has.filter(|has| {
            let slot = self.slots.get(has);
            slot.is_some_and(|slot| slot.is_leased_to(&client))
        });
        match has {
            Some(has) => _ = self.clients.insert(client, has),
            None => self.clients.remove(client, address),
        }
    }
}
