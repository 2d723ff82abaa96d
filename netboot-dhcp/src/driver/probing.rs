//! Messages that wait until it is known whether an address is in use.

use std::net::Ipv4Addr;

use tokio_util::time::delay_queue;

use super::clock::uptime;
use super::event::{Event, Trouble};
use super::policy::BootPolicy;
use super::probe;
use super::serving::{Due, InFlight, Serving, Waiting};
use super::store::LeaseStore;
use crate::server::{LeaseState, Pending, ProbeResult};

/// Messages that wait for the probe of one address.
const MOST_WAITING: usize = 4;

/// The probe of one address.
pub(super) struct Probing {
    waiting: Vec<Waiting>,
    until: delay_queue::Key,
}

impl<P: BootPolicy, S: LeaseStore> Serving<P, S> {
    /// What is known of an address without waiting; else it is being asked for.
    pub(super) fn known(&self, address: Ipv4Addr) -> Option<ProbeResult> {
        if self.probing.contains_key(&address) {
            return None;
        }
        // All of these are this host's own.
        if address.is_loopback() {
            return Some(ProbeResult::Free);
        }
        let Some(probes) = &self.probes else {
            return Some(ProbeResult::Unknown);
        };
        let settled = probes.is_settled(address, self.probing.len(), uptime());
        if settled && !self.is_declined(address) {
            return Some(ProbeResult::Free);
        }
        match probes.ask(address) {
            Ok(()) => None,
            Err(error) => {
                self.trouble(Trouble::Probe(address), &error);
                Some(ProbeResult::Unknown)
            }
        }
    }

    /// Whether the last that was said of an address is that somebody has it: what was found before
    /// counts no more.
    fn is_declined(&self, address: Ipv4Addr) -> bool {
        let server = self.driver.server.lock();
        let lease = server.lease(address);
        lease.is_some_and(|lease| lease.state == LeaseState::Declined)
    }

    pub(super) fn wait_for_probe(
        &mut self,
        address: Ipv4Addr,
        message: InFlight,
        pending: Pending,
    ) {
        let due = &mut self.due;
        let probing = self.probing.entry(address).or_insert_with(|| Probing {
            waiting: Vec::new(),
            until: due.insert(Due::Unanswered(address), probe::PATIENCE),
        });
        // One machine may ask a few times meanwhile; it needs no more answers than that.
        if probing.waiting.len() < MOST_WAITING {
            probing.waiting.push((message, pending));
        }
    }

    pub(super) fn probe_done(&mut self, address: Ipv4Addr, result: ProbeResult) {
        let Some(probing) = self.probing.remove(&address) else {
            return;
        };
        if result == ProbeResult::Free {
            if let Some(probes) = &mut self.probes {
                probes.found_free(address, uptime());
            }
        } else {
            self.due.try_remove(&probing.until);
            self.observe(&Event::AddressInUse { address });
        }
        for (message, pending) in probing.waiting {
            let outcome = self.resume(pending, result);
            self.go_on(message, outcome);
        }
    }
}
