//! Which boot of a machine an event belongs to, and how far that boot has come.

use std::collections::BTreeMap;

use jiff::Timestamp;
use netboot_dhcp::MacAddr;
use netboot_dhcp::value::MessageType;
use serde::Serialize;

use super::{Kind, Stage};
use crate::paths::Resource;

/// How many machines' boots are told apart; the one heard of longest ago is forgotten first.
pub const MACHINES: usize = 4096;

/// The last boot of each machine.
#[derive(Debug, Default)]
pub(super) struct Boots {
    of: BTreeMap<MacAddr, Boot>,
    /// The machines by their last event.
    by_heard: BTreeMap<u64, MacAddr>,
}

#[derive(Debug, Default)]
struct Boot {
    id: u64,
    heard: u64,
    began: Timestamp,
    last: Timestamp,
    progress: Progress,
    failed: Option<Progress>,
}

/// A machine's last boot.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Its number, counted from 1 for each machine since the service started.
    pub id: u64,
    /// When its first event came.
    pub began: Timestamp,
    /// When its last event came.
    pub last: Timestamp,
    /// How far it came.
    pub progress: Progress,
    /// The last step that went wrong.
    pub failed: Option<Progress>,
}

/// A step of a boot; a machine that asks from further back was powered on again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It asked for an address.
    #[default]
    Asked,
    /// It has one.
    Leased,
    /// It has its boot program.
    Program,
    /// It has its boot script.
    Script,
    /// It has a file of its image, whole.
    Image,
}

/// What an event means for its machine's boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// The boot's number; 0 where the machine is not known.
    pub(crate) boot_id: u64,
    /// A step that this boot had not come to before, and the time since the boot's first event.
    pub(crate) reached: Option<(Progress, jiff::SignedDuration)>,
    /// A step that went wrong, for the first time in this boot.
    pub(crate) failed: Option<Progress>,
}

impl Boots {
    pub(super) fn step(&mut self, machine: MacAddr, seq: u64, at: Timestamp, kind: &Kind) -> Step {
        if !self.of.contains_key(&machine)
            && self.of.len() >= MACHINES
            && let Some((_, oldest)) = self.by_heard.pop_first()
        {
            self.of.remove(&oldest);
        }
        let boot = self.of.entry(machine).or_default();
        self.by_heard.remove(&boot.heard);
        self.by_heard.insert(seq, machine);
        let is_new = boot.id == 0 || boot.progress.is_behind(kind);
        if is_new {
            *boot = Boot {
                id: boot.id + 1,
                began: at,
                ..Boot::default()
            };
        }
        boot.heard = seq;
        boot.last = at;
        let came_to = reached(kind).filter(|step| *step > boot.progress || is_new);
        let failed = failed(kind).filter(|step| boot.failed != Some(*step));
        if let Some(step) = came_to {
            boot.progress = step;
        }
        if failed.is_some() {
            boot.failed = failed;
        }
        Step {
            boot_id: boot.id,
            reached: came_to.map(|step| (step, at.duration_since(boot.began))),
            failed,
        }
    }

    pub(super) fn summaries(&self) -> impl Iterator<Item = (MacAddr, Summary)> {
        self.of.iter().map(|(mac, boot)| {
            let summary = Summary {
                id: boot.id,
                began: boot.began,
                last: boot.last,
                progress: boot.progress,
                failed: boot.failed,
            };
            (*mac, summary)
        })
    }
}

impl Progress {
    /// Whether a message comes from a stage that this boot has passed: firmware asks before it has
    /// an address, iPXE before it has its script.
    fn is_behind(self, kind: &Kind) -> bool {
        match kind {
            Kind::Dhcp { message, stage, .. } if *message == MessageType::DISCOVER => match stage {
                Stage::Firmware => self > Self::Asked,
                Stage::Ipxe => self > Self::Program,
                Stage::Server | Stage::System => false,
            },
            _ => false,
        }
    }
}

/// The step that an event completes.
fn reached(kind: &Kind) -> Option<Progress> {
    match kind {
        Kind::Dhcp { message, .. } if *message == MessageType::DISCOVER => Some(Progress::Asked),
        Kind::Dhcp { message, .. } if *message == MessageType::ACK => Some(Progress::Leased),
        Kind::TftpSent { name, .. } => match Resource::of(name) {
            Resource::Image => Some(Progress::Image),
            _ => Some(Progress::Program),
        },
        Kind::Script { .. } => Some(Progress::Script),
        Kind::HttpSent {
            path,
            complete: true,
            ..
        } => match Resource::of(path) {
            Resource::Program => Some(Progress::Program),
            Resource::Image => Some(Progress::Image),
            Resource::Script | Resource::Optional | Resource::Other => None,
        },
        _ => None,
    }
}

/// The step that an event shows to have gone wrong.
fn failed(kind: &Kind) -> Option<Progress> {
    match kind {
        Kind::DhcpIgnored { .. } => Some(Progress::Leased),
        Kind::NoProgram { .. } | Kind::IpxeLacks { again: true, .. } => Some(Progress::Program),
        Kind::ProgramIsDeadEnd { .. } => Some(Progress::Script),
        Kind::TftpFailed { name, .. } => match Resource::of(name) {
            Resource::Script => Some(Progress::Script),
            Resource::Image => Some(Progress::Image),
            Resource::Optional => None,
            Resource::Program | Resource::Other => Some(Progress::Program),
        },
        Kind::HttpSent {
            path,
            complete: false,
            ..
        }
        | Kind::HttpRefused { path, .. } => match Resource::of(path) {
            Resource::Program => Some(Progress::Program),
            Resource::Script => Some(Progress::Script),
            Resource::Image => Some(Progress::Image),
            Resource::Optional | Resource::Other => None,
        },
        _ => None,
    }
}
