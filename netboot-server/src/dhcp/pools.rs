//! How full the networks' ranges are, and a word when one fills up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Network, NetworkId, Server};

use crate::events::Kind;
use crate::service::Shared;

/// How much of one network's ranges is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolUse {
    /// The network.
    pub(crate) network: NetworkId,
    /// Its addresses that are given to anybody.
    pub(crate) size: u64,
    /// Those of them that nobody can be given now: lent, or in quarantine.
    pub(crate) taken: u64,
}

/// When to look at the pools, and what was said of each.
#[derive(Debug, Default)]
pub(crate) struct Pools(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    stored_since: usize,
    levels: BTreeMap<NetworkId, Level>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    #[default]
    Ample,
    NearlyFull,
    Full,
}

impl PoolUse {
    /// Of each network with ranges, in the order of the settings.
    pub(crate) fn of(server: &Server, now: Timestamp) -> Vec<Self> {
        let networks = server.settings().networks.iter();
        let mut all: Vec<_> = networks
            .map(|network| {
                let pool = Self {
                    network: network.id,
                    size: size(network),
                    taken: 0,
                };
                (network, pool)
            })
            .filter(|(_, pool)| pool.size > 0)
            .collect();
        for lease in server.leases().filter(|lease| lease.expires > now) {
            let of = all.iter_mut().find(|(network, _)| {
                let mut ranges = network.ranges.iter();
                network.id == lease.network && ranges.any(|range| range.contains(lease.address))
            });
            if let Some((_, pool)) = of {
                pool.taken += 1;
            }
        }
        all.into_iter().map(|(_, pool)| pool).collect()
    }

    /// Nine of ten addresses are nearly all; it is over when a fifth is free again.
    fn level(self, before: Level) -> Level {
        if self.taken >= self.size {
            Level::Full
        } else if self.taken * 10 >= self.size * 9
            || (before > Level::Ample && self.taken * 10 > self.size * 8)
        {
            Level::NearlyFull
        } else {
            Level::Ample
        }
    }
}

impl Pools {
    /// Looks, where enough leases were stored since the last look to have changed something, and
    /// tells of each pool that has become nearly full, or full.
    pub(crate) fn look(&self, shared: &Shared, stored: usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.stored_since += stored;
        let dhcp = shared.dhcp();
        let sizes = dhcp.settings().networks.iter().map(size);
        let smallest = sizes.filter(|size| *size > 0).min().unwrap_or(u64::MAX);
        // Looking costs a walk over all leases.
        let step = (smallest / 100).max(1);
        if (state.stored_since as u64) < step {
            return;
        }
        state.stored_since = 0;
        let pools = PoolUse::of(&dhcp, shared.clock.now());
        drop(dhcp);
        let served: BTreeSet<NetworkId> = pools.iter().map(|pool| pool.network).collect();
        state.levels.retain(|network, _| served.contains(network));
        for pool in pools {
            let before = state.levels.entry(pool.network).or_default();
            let level = pool.level(*before);
            if level > *before {
                shared.emit(
                    None,
                    Kind::PoolFillsUp {
                        network: name_of(shared, pool.network),
                        taken: pool.taken,
                        size: pool.size,
                    },
                );
            }
            *before = level;
        }
    }
}

fn name_of(shared: &Shared, id: NetworkId) -> String {
    let world = shared.worlds.current();
    let mut networks = world.config().networks.iter();
    let network = networks.find(|network| super::network_id(network.subnet) == id);
    network.map_or_else(String::new, |network| network.name.clone())
}

/// The addresses of the ranges, less those that are left out of them.
fn size(network: &Network) -> u64 {
    let ranges = network.ranges.iter();
    let all: u64 = ranges
        .map(|range| u64::from(range.end.to_bits().saturating_sub(range.start.to_bits())) + 1)
        .sum();
    let inside = |address| network.ranges.iter().any(|range| range.contains(address));
    let excluded = network.exclude.iter().filter(|one| inside(one.start));
    all.saturating_sub(excluded.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_nearly_full_until_a_fifth_is_free_again() {
        let pool = |taken| PoolUse {
            network: NetworkId(1),
            size: 100,
            taken,
        };
        assert_eq!(pool(89).level(Level::Ample), Level::Ample);
        assert_eq!(pool(90).level(Level::Ample), Level::NearlyFull);
        assert_eq!(pool(85).level(Level::NearlyFull), Level::NearlyFull);
        assert_eq!(pool(80).level(Level::NearlyFull), Level::Ample);
        assert_eq!(pool(100).level(Level::NearlyFull), Level::Full);
    }
}
