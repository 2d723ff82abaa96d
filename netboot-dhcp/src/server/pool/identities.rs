//! At which address of a pool each identity is that a client only claims.

use super::slot::Slot;
use alloc::collections::btree_map::BTreeMap;
use alloc::string::String;

/// The address where each identity lasts longest; nothing is here that no slot names.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities(BTreeMap<String, u32>);

impl Identities {
    pub(super) fn get(&self, identity: &str) -> Option<u32> {
        self.0.get(identity).copied()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Follows a change of the slot at `address`, by the identities that it named before and that
    /// it names now.
    pub(super) fn change(
        &mut self,
        slots: &BTreeMap<u32, Slot>,
        address: u32,
        before: [Option<String>; 2],
        after: [Option<String>; 2],
    ) {
        for gone in before.into_iter().flatten() {
            if !after.contains(&Some(gone.clone())) && self.get(&gone) == Some(address) {
                self.0.remove(&gone);
            }
        }
        for identity in after.into_iter().flatten() {
            let lasts = |at: u32| slots.get(&at)?.claimed_until(&identity, None);
            if self.get(&identity).and_then(lasts) <= lasts(address) {
                self.0.insert(identity, address);
            }
        }
    }
}
