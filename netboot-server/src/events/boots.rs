//! Which boot of a machine an event belongs to.

use std::collections::BTreeMap;

use netboot_dhcp::MacAddr;

use super::{Kind, Stage};

/// How many machines' boots are told apart; the one heard of longest ago is forgotten first.
pub const MACHINES: usize = 4096;

/// The running number of each machine's boots.
#[derive(Debug, Default)]
pub(super) struct Boots {
    of: BTreeMap<MacAddr, Boot>,
}

#[derive(Debug, Default)]
struct Boot {
    id: u64,
    heard: u64,
    progress: Progress,
}

/// How far a boot has come; a machine that asks from further back was powered on again.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// It asked for an address.
    #[default]
    Asked,
    /// It has one.
    Leased,
    /// It has its boot script.
    Scripted,
}

impl Boots {
    pub(super) fn id(&mut self, machine: MacAddr, seq: u64, kind: &Kind) -> u64 {
        if !self.of.contains_key(&machine) && self.of.len() >= MACHINES {
            let oldest = self.of.iter().min_by_key(|(_, boot)| boot.heard);
            if let Some(mac) = oldest.map(|(mac, _)| *mac) {
                self.of.remove(&mac);
            }
        }
        let boot = self.of.entry(machine).or_default();
        if boot.id == 0 || boot.progress.is_behind(kind) {
            boot.id += 1;
            boot.progress = Progress::Asked;
        }
        boot.progress.advance(kind);
        boot.heard = seq;
        boot.id
    }
}

impl Progress {
    /// Whether a message comes from a stage that this boot has passed: firmware asks before it has
    /// an address, iPXE before it has its script.
    fn is_behind(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Dhcp { message, stage, .. } if message == "DHCPDISCOVER" => match stage {
                Stage::Firmware => *self > Self::Asked,
                Stage::Ipxe => *self > Self::Leased,
                Stage::Server | Stage::System => false,
            },
            _ => false,
        }
    }

    fn advance(&mut self, kind: &Kind) {
        match kind {
            Kind::Dhcp { message, .. } if message == "DHCPACK" && *self == Self::Asked => {
                *self = Self::Leased;
            }
            Kind::Script { .. } => *self = Self::Scripted,
            _ => {}
        }
    }
}
