//! What machines said of themselves by DHCP: by it TFTP and HTTP, which only see an address and so
//! a MAC address, know the whole machine.

use std::collections::BTreeMap;

use netboot_dhcp::MacAddr;

use crate::policy::Machine;

/// How many machines are remembered; the one seen longest ago is forgotten first.
const MACHINES: usize = 16_384;

/// Machines by their MAC address, as DHCP last saw them.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    by_mac: BTreeMap<MacAddr, (u64, Machine)>,
    by_age: BTreeMap<u64, MacAddr>,
    seen: u64,
}

impl Sightings {
    /// Remembers a machine; what a later stage of its boot does not say again stays.
    pub(crate) fn note(&mut self, machine: &Machine) {
        let Some(mac) = machine.mac else {
            return;
        };
        self.seen += 1;
        let old = self.by_mac.remove(&mac);
        if let Some((age, _)) = &old {
            self.by_age.remove(age);
        } else if self.by_mac.len() >= MACHINES
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.by_mac.remove(&oldest);
        }
        let old = old.map(|(_, machine)| machine).unwrap_or_default();
        let merged = Machine {
            mac: machine.mac,
            uuid: machine.uuid.or(old.uuid),
            circuit: machine.circuit.clone().or(old.circuit),
            arch: machine.arch.or(old.arch),
            network: machine.network.or(old.network),
        };
        self.by_mac.insert(mac, (self.seen, merged));
        self.by_age.insert(self.seen, mac);
    }

    /// All that is known of the machine with this MAC address.
    pub(crate) fn machine(&self, mac: MacAddr) -> Machine {
        let known = self.by_mac.get(&mac).map(|(_, machine)| machine.clone());
        known.unwrap_or_else(|| Machine::with_mac(mac))
    }
}

#[cfg(test)]
mod tests {
    use netboot_dhcp::value::Arch;

    use super::*;

    fn mac(number: usize) -> MacAddr {
        let [.., a, b, c] = number.to_be_bytes();
        MacAddr([2, 0, 0, a, b, c])
    }

    #[test]
    fn what_a_later_stage_does_not_say_stays() {
        let mut sightings = Sightings::default();
        let firmware = Machine {
            uuid: Some(uuid::Uuid::from_u128(7)),
            arch: Some(Arch::X64_UEFI),
            ..Machine::with_mac(mac(1))
        };
        sightings.note(&firmware);
        sightings.note(&Machine::with_mac(mac(1)));
        assert_eq!(sightings.machine(mac(1)), firmware);
        assert_eq!(sightings.machine(mac(2)), Machine::with_mac(mac(2)));
    }

    #[test]
    fn strangers_push_out_who_was_seen_longest_ago_and_no_more_than_that() {
        let mut sightings = Sightings::default();
        let with_arch = |number| Machine {
            arch: Some(Arch::X86_BIOS),
            ..Machine::with_mac(mac(number))
        };
        sightings.note(&with_arch(0));
        for number in 1..MACHINES {
            sightings.note(&with_arch(number));
        }
        // Seen again, so no longer the oldest.
        sightings.note(&with_arch(0));
        sightings.note(&with_arch(MACHINES));
        assert!(sightings.machine(mac(0)).arch.is_some());
        assert!(sightings.machine(mac(1)).arch.is_none());
        assert!(sightings.machine(mac(2)).arch.is_some());
        assert_eq!(sightings.by_mac.len(), MACHINES);
        assert_eq!(sightings.by_age.len(), MACHINES);
    }
}
