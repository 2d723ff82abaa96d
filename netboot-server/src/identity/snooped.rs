//! Which machine has an address that this server did not give: what was snooped in proxy mode.
//!
//! It says who asks, where nothing depends on its being true: a stranger can claim any of it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use netboot_dhcp::MacAddr;

/// Addresses that are kept in mind; beyond it the oldest half is forgotten.
const MOST: usize = 4096;
/// How long one is kept.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// Addresses and the machines that were heard with them.
#[derive(Debug, Default)]
pub(crate) struct Snooped(Mutex<HashMap<Ipv4Addr, (MacAddr, Instant)>>);

impl Snooped {
    /// Keeps in mind that a machine has, or is about to have, an address.
    pub(crate) fn note(&self, address: Ipv4Addr, machine: MacAddr) {
        self.note_at(address, machine, now());
    }

    /// The machine that was heard with an address lately.
    pub(crate) fn machine(&self, address: IpAddr) -> Option<MacAddr> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.machine_at(address, now()),
            IpAddr::V6(_) => None,
        }
    }

    /// The address that a machine was heard with last.
    pub(crate) fn address(&self, machine: MacAddr) -> Option<Ipv4Addr> {
        self.address_at(machine, now())
    }

    fn note_at(&self, address: Ipv4Addr, machine: MacAddr, now: Instant) {
        let mut known = self.lock();
        if known.len() >= MOST && !known.contains_key(&address) {
            let mut times: Vec<Instant> = known.values().map(|(_, heard)| *heard).collect();
            times.sort_unstable();
            if let Some(middle) = times.get(MOST / 2) {
                known.retain(|_, (_, heard)| *heard > *middle);
            }
        }
        if known.len() < MOST {
            known.insert(address, (machine, now));
        }
    }

    fn machine_at(&self, address: Ipv4Addr, now: Instant) -> Option<MacAddr> {
        let known = self.lock();
        let (machine, heard) = known.get(&address)?;
        (now.saturating_duration_since(*heard) < FRESH).then_some(*machine)
    }

    fn address_at(&self, machine: MacAddr, now: Instant) -> Option<Ipv4Addr> {
        let known = self.lock();
        let its = known.iter().filter(|(_, (mac, heard))| {
            *mac == machine && now.saturating_duration_since(*heard) < FRESH
        });
        let last = its.max_by_key(|(_, (_, heard))| *heard);
        last.map(|(address, _)| *address)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ipv4Addr, (MacAddr, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is snooped grows old in real time"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "only differences of it count")]
    fn the_last_one_heard_has_it_for_a_while_and_memory_is_bounded() {
        let snooped = Snooped::default();
        let start = Instant::now();
        let (first, second) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]));
        let address = Ipv4Addr::new(10, 0, 0, 1);
        snooped.note_at(address, first, start);
        snooped.note_at(address, second, start);
        assert_eq!(snooped.machine_at(address, start), Some(second));
        assert_eq!(snooped.machine_at(address, start + FRESH), None);
        assert_eq!(snooped.address_at(second, start), Some(address));
        assert_eq!(snooped.address_at(first, start), None);
        let later = start + Duration::from_secs(1);
        let next = Ipv4Addr::new(10, 0, 0, 9);
        snooped.note_at(next, second, later);
        assert_eq!(snooped.address_at(second, later), Some(next));
        assert_eq!(snooped.address_at(second, later + FRESH), None);
        let mut number = address.to_bits();
        for ms in 0..20_000 {
            number += 1;
            snooped.note_at(
                Ipv4Addr::from_bits(number),
                first,
                start + Duration::from_millis(ms),
            );
        }
        assert!(snooped.lock().len() <= MOST);
        let last = Ipv4Addr::from_bits(number);
        let end = start + Duration::from_secs(20);
        assert_eq!(
            snooped.machine_at(last, end),
            Some(first),
            "the newest stays"
        );
    }
}
