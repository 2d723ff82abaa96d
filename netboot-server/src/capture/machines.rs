//! Which machine has an address, as the capture says it.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use netboot_dhcp::MacAddr;

use super::ADDRESSES;
use super::frame::is_one_host;

/// The machines that DHCP was seen with.
#[derive(Debug, Default)]
pub(super) struct Machines {
    by_address: HashMap<Ipv4Addr, MacAddr>,
    known: HashSet<MacAddr>,
}

impl Machines {
    pub(super) fn spoke(&mut self, machine: MacAddr) {
        if self.known.len() < ADDRESSES {
            self.known.insert(machine);
        }
    }

    pub(super) fn has(&mut self, address: Ipv4Addr, machine: MacAddr) {
        let has_place = self.by_address.len() < ADDRESSES || self.by_address.contains_key(&address);
        if is_one_host(address) && has_place {
            self.by_address.insert(address, machine);
        }
    }

    /// Who has the address: by DHCP, else the sender of the frame. A sender is taken where it spoke
    /// DHCP, or nobody did, since otherwise it may be a router.
    pub(super) fn find(&self, address: Ipv4Addr, sender: Option<MacAddr>) -> Option<MacAddr> {
        let by_dhcp = self.by_address.get(&address).copied();
        by_dhcp.or(sender.filter(|mac| self.known.is_empty() || self.known.contains(mac)))
    }
}
