//! Which address each client of a pool has, had or was offered last.

use crate::server::ClientKey;
use alloc::collections::btree_map::{BTreeMap, Entry};

/// Each message is looked up here. Clients are ordered by a number first, which compares faster
/// than the key behind it and is another for each MAC address.
#[derive(Clone, Debug, Default)]
pub(super) struct Clients(BTreeMap<(u64, ClientKey), u32>);

impl Clients {
    pub(super) fn get(&self, client: &ClientKey) -> Option<u32> {
        self.0.get(&ordered(client.clone())).copied()
    }

    /// Ties the client to an address, and gives the one before.
    pub(super) fn insert(&mut self, client: ClientKey, address: u32) -> Option<u32> {
        self.0.insert(ordered(client), address)
    }

    /// Unties the client from the address, if it is tied to that.
    pub(super) fn remove(&mut self, client: ClientKey, address: u32) {
        if let Entry::Occupied(entry) = self.0.entry(ordered(client))
            && *entry.get() == address
        {
            entry.remove();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn ordered(client: ClientKey) -> (u64, ClientKey) {
    let number = match &client {
        ClientKey::Hardware(address) => address.head(),
        ClientKey::Id(_) => 0,
    };
    (number, client)
}
