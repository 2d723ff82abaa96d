//! What machines said of themselves by DHCP: by it TFTP and HTTP, which only see an address and so
//! a MAC address, know the whole machine.

use std::collections::BTreeMap;

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::MessageType;

use crate::world::Machine;

/// The transactions in a row after which an iPXE that lacks something is counted anew: the machine
/// was switched off and on meanwhile.
const ATTEMPTS: u8 = 4;

/// How many machines are remembered; the one seen longest ago is forgotten first.
const MACHINES: usize = 16_384;

/// Machines by their MAC address, as DHCP last saw them.
#[derive(Debug, Default)]
pub(crate) struct SeenMachines {
    by_mac: BTreeMap<MacAddr, Seen>,
    by_age: BTreeMap<u64, MacAddr>,
    seen: u64,
}

#[derive(Debug)]
struct Seen {
    age: u64,
    machine: Machine,
    lacked: Option<Lacked>,
}

/// The last transaction of an iPXE that lacks what boot scripts need.
#[derive(Debug, Clone, Copy)]
struct Lacked {
    xid: u32,
    /// Its number in a row.
    number: u8,
    /// Whether its REQUEST has come.
    requested: bool,
}

/// A transaction among those, one behind the other, of a machine's iPXE that lacks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Its number, from 1; behind the last, 1 again.
    number: u8,
    /// Whether this is its first message.
    pub(crate) is_new: bool,
}

impl Attempt {
    /// Whether so many came before it that to go on as before leads nowhere.
    pub(crate) const fn is_last(self) -> bool {
        self.number >= ATTEMPTS
    }
}

impl SeenMachines {
    /// Remembers a machine; what a later stage of its boot does not say again stays.
    pub(crate) fn note(&mut self, machine: &Machine) {
        let Some(mac) = machine.mac else {
            return;
        };
        self.seen += 1;
        let old = self.by_mac.remove(&mac);
        if let Some(old) = &old {
            self.by_age.remove(&old.age);
        } else if self.by_mac.len() >= MACHINES
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.by_mac.remove(&oldest);
        }
        let (old, lacked) = old.map_or_else(Default::default, |old| (old.machine, old.lacked));
        let merged = Machine {
            mac: machine.mac,
            uuid: machine.uuid.or(old.uuid),
            circuit: machine.circuit.clone().or(old.circuit),
            arch: machine.arch.or(old.arch),
            network: machine.network.or(old.network),
        };
        let seen = Seen {
            age: self.seen,
            machine: merged,
            lacked,
        };
        self.by_mac.insert(mac, seen);
        self.by_age.insert(self.seen, mac);
    }

    /// Whether DHCP has seen this machine.
    pub(crate) fn has(&self, mac: MacAddr) -> bool {
        self.by_mac.contains_key(&mac)
    }

    /// All that is known of the machine with this MAC address.
    pub(crate) fn machine(&self, mac: MacAddr) -> Machine {
        let known = self.by_mac.get(&mac).map(|seen| seen.machine.clone());
        known.unwrap_or_else(|| Machine::with_mac(mac))
    }

    /// Counts a message of an iPXE that lacks what boot scripts need: a transaction's DISCOVER and
    /// REQUEST as one.
    pub(crate) fn lacks(&mut self, mac: MacAddr, xid: u32, kind: MessageType) -> Attempt {
        if !self.by_mac.contains_key(&mac) {
            self.note(&Machine::with_mac(mac));
        }
        let mut lacked = Lacked {
            xid,
            number: 1,
            requested: kind == MessageType::REQUEST,
        };
        let Some(seen) = self.by_mac.get_mut(&mac) else {
            return Attempt {
                number: 1,
                is_new: true,
            };
        };
        let mut is_new = true;
        if let Some(before) = seen.lacked {
            // gPXE and early iPXE make the number of a transaction of the MAC address alone.
            let again = kind == MessageType::DISCOVER && before.requested;
            is_new = before.xid != xid || again;
            lacked.number = match is_new {
                true => before.number % ATTEMPTS + 1,
                false => before.number,
            };
            lacked.requested |= before.requested && !is_new;
        }
        seen.lacked = Some(lacked);
        Attempt {
            number: lacked.number,
            is_new,
        }
    }

    /// Notes a REQUEST to another server, which ends a transaction that [`lacks`](Self::lacks)
    /// counts.
    pub(crate) fn requests(&mut self, mac: MacAddr) {
        let seen = self.by_mac.get_mut(&mac);
        if let Some(lacked) = seen.and_then(|seen| seen.lacked.as_mut()) {
            lacked.requested = true;
        }
    }

    /// Forgets [`lacks`](Self::lacks), since the machine asks by something else.
    pub(crate) fn is_whole(&mut self, mac: MacAddr) {
        if let Some(seen) = self.by_mac.get_mut(&mac) {
            seen.lacked = None;
        }
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
        let mut seen = SeenMachines::default();
        let firmware = Machine {
            uuid: Some(uuid::Uuid::from_u128(7)),
            arch: Some(Arch::X64_UEFI),
            ..Machine::with_mac(mac(1))
        };
        seen.note(&firmware);
        seen.note(&Machine::with_mac(mac(1)));
        assert_eq!(seen.machine(mac(1)), firmware);
        assert_eq!(seen.machine(mac(2)), Machine::with_mac(mac(2)));
    }

    #[test]
    fn an_ipxe_that_lacks_something_is_counted_by_transaction_until_a_whole_one_asks() {
        let mut seen = SeenMachines::default();
        let turn = |number, is_new| Attempt { number, is_new };
        let mut lacks = |mac, xid, kind| seen.lacks(mac, xid, kind);
        let (discover, request) = (MessageType::DISCOVER, MessageType::REQUEST);
        assert_eq!(lacks(mac(1), 7, discover), turn(1, true));
        assert_eq!(lacks(mac(1), 7, discover), turn(1, false), "sent again");
        assert_eq!(lacks(mac(1), 7, request), turn(1, false));
        assert_eq!(lacks(mac(1), 7, discover), turn(2, true), "gPXE's number");
        assert_eq!(lacks(mac(2), 8, discover), turn(1, true));
        assert_eq!(lacks(mac(1), 8, discover), turn(3, true));
        assert_eq!(lacks(mac(1), 9, discover), turn(ATTEMPTS, true));
        assert_eq!(lacks(mac(1), 10, discover), turn(1, true), "starts over");
        // In proxy mode the REQUEST is another server's.
        seen.requests(mac(1));
        let turned = seen.lacks(mac(1), 10, discover);
        assert_eq!(turned, turn(2, true));
        seen.is_whole(mac(1));
        let turned = seen.lacks(mac(1), 10, discover);
        assert_eq!(turned, turn(1, true));
    }

    #[test]
    fn strangers_push_out_who_was_seen_longest_ago_and_no_more_than_that() {
        let mut seen = SeenMachines::default();
        let with_arch = |number| Machine {
            arch: Some(Arch::X86_BIOS),
            ..Machine::with_mac(mac(number))
        };
        seen.note(&with_arch(0));
        for number in 1..MACHINES {
            seen.note(&with_arch(number));
        }
        // Seen again, so no longer the oldest.
        seen.note(&with_arch(0));
        seen.note(&with_arch(MACHINES));
        assert!(seen.machine(mac(0)).arch.is_some());
        assert!(seen.machine(mac(1)).arch.is_none());
        assert!(seen.machine(mac(2)).arch.is_some());
        assert_eq!(seen.by_mac.len(), MACHINES);
        assert_eq!(seen.by_age.len(), MACHINES);
    }
}
