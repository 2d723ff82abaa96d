//! Messages that wait until it is known whether an address is in use.

use std::net::Ipv4Addr;

use netboot_dhcp::server::{EffectResult, Pending};
use tokio_util::time::delay_queue;

use super::{Driver, Due, Turn, Waiting, uptime};
use crate::dhcp::{probe, report};

/// Messages that wait for the probe of one address.
const MOST_WAITING: usize = 4;

/// The probe of one address.
pub(super) struct Probing {
    waiting: Vec<Waiting>,
    until: delay_queue::Key,
}

impl Driver {
    /// What is known of an address without waiting; else it is being asked for.
    pub(super) fn known(&self, address: Ipv4Addr) -> Option<EffectResult> {
        if self.probing.contains_key(&address) {
            return None;
        }
        let world = self.dhcp.world();
        let mut networks = world.config().networks.iter();
        let network = networks.find(|network| network.subnet.contains(address));
        let wanted = network.is_some_and(|network| network.probe);
        // All of these are this host's own.
        if !wanted || address.is_loopback() {
            return Some(EffectResult::Free);
        }
        let Some(probes) = &self.probes else {
            return Some(EffectResult::Down);
        };
        if probes.is_settled(address, self.probing.len(), uptime()) {
            return Some(EffectResult::Free);
        }
        match probes.ask(address) {
            Ok(()) => None,
            Err(error) => {
                let interface = &self.listener.interface;
                tracing::debug!("DHCP on {interface}: {address} is not probed: {error}");
                Some(EffectResult::Down)
            }
        }
    }

    pub(super) fn wait_for_probe(&mut self, address: Ipv4Addr, turn: Turn, pending: Pending) {
        let due = &mut self.due;
        let probing = self.probing.entry(address).or_insert_with(|| Probing {
            waiting: Vec::new(),
            until: due.insert(Due::Unanswered(address), probe::PATIENCE),
        });
        // One machine may ask a few times meanwhile; it needs no more answers than that.
        if probing.waiting.len() < MOST_WAITING {
            probing.waiting.push((turn, pending));
        }
    }

    pub(super) fn probe_done(&mut self, address: Ipv4Addr, result: &EffectResult) {
        let Some(probing) = self.probing.remove(&address) else {
            return;
        };
        if *result == EffectResult::Free {
            if let Some(probes) = &mut self.probes {
                probes.found_free(address, uptime());
            }
        } else {
            self.due.try_remove(&probing.until);
            report::in_use(&self.dhcp.0.telemetry, &self.listener.interface, address);
        }
        for (turn, pending) in probing.waiting {
            let outcome = self.resume(pending, result.clone());
            self.go_on(turn, outcome);
        }
    }
}
