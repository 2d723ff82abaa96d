//! How full the networks' ranges are, and a word when one fills up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use netboot_dhcp::server::{NetworkId, Usage};

use crate::leases::LeaseTable;
use crate::telemetry::events::Kind;
use crate::world::World;

/// When to look at the pools, and what was said of each.
#[derive(Debug, Default)]
pub(super) struct Pools(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    stored_since: u64,
    /// Leases from one look to the next.
    step: u64,
    levels: BTreeMap<NetworkId, Level>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    #[default]
    Ample,
    NearlyFull,
    Full,
}

impl Level {
    /// Nine of ten addresses are nearly all; it is over when a fifth is free again.
    fn of(usage: Usage, before: Self) -> Self {
        let Usage {
            addresses, in_use, ..
        } = usage;
        if in_use >= addresses {
            Self::Full
        } else if in_use * 10 >= addresses * 9
            || (before > Self::Ample && in_use * 10 > addresses * 8)
        {
            Self::NearlyFull
        } else {
            Self::Ample
        }
    }
}

impl Pools {
    /// Looks, where enough leases were stored since the last look to have changed something, and
    /// gives each pool that has become nearly full, or full.
    pub(super) fn look(&self, leases: &LeaseTable, world: &World, stored: usize) -> Vec<Kind> {
        let mut filled = Vec::new();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.stored_since += stored as u64;
        if state.stored_since < state.step {
            return filled;
        }
        let now = leases.now();
        let pools: Vec<Usage> = leases.lock().usage(now).collect();
        let pools = || pools.iter().filter(|pool| pool.addresses > 0);
        // To look takes time with the addresses in use.
        let smallest = pools().map(|pool| pool.addresses).min();
        state.step = smallest.unwrap_or_default() / 50;
        state.stored_since = 0;
        let served: BTreeSet<NetworkId> = pools().map(|pool| pool.network).collect();
        state.levels.retain(|network, _| served.contains(network));
        for pool in pools() {
            let before = state.levels.entry(pool.network).or_default();
            let level = Level::of(*pool, *before);
            if level > *before {
                filled.push(Kind::PoolFillsUp {
                    network: name_of(world, pool.network),
                    taken: pool.in_use,
                    size: pool.addresses,
                });
            }
            *before = level;
        }
        filled
    }
}

fn name_of(world: &World, id: NetworkId) -> String {
    let mut networks = world.config().networks.iter();
    let network = networks.find(|network| network.id() == id);
    network.map_or_else(String::new, |network| network.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_nearly_full_until_a_fifth_is_free_again() {
        let level = |in_use, before| Level::of(Usage::new(NetworkId(1), 100, in_use), before);
        assert_eq!(level(89, Level::Ample), Level::Ample);
        assert_eq!(level(90, Level::Ample), Level::NearlyFull);
        assert_eq!(level(81, Level::NearlyFull), Level::NearlyFull);
        assert_eq!(level(80, Level::NearlyFull), Level::Ample);
        assert_eq!(level(100, Level::NearlyFull), Level::Full);
    }
}
