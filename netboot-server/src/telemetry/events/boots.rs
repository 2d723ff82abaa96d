//! Which boot of a machine an event belongs to, and how far that boot has come.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use netboot_dhcp::MacAddr;
use netboot_dhcp::value::MessageType;
use serde::{Deserialize, Serialize};

use super::{Kind, ScriptAction, Stage};
use crate::paths::{Resource, image_file};

/// How many machines' boots are told apart; the one heard of longest ago is forgotten first.
pub const MACHINES: usize = 4096;

/// After so long a silence a boot is over: a machine that asks anew was powered on again.
pub(crate) const SILENCE: SignedDuration = SignedDuration::from_mins(3);

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
    address: Option<IpAddr>,
    progress: Progress,
    failed: Option<Progress>,
    /// What it loads of each image that its script can boot.
    images: Arc<[LoadedFiles]>,
    /// The files of images that it has, whole.
    has: Vec<String>,
}

/// The files that a machine loads of one image: `debian/@1/initrd`.
pub type LoadedFiles = Box<[String]>;

/// The most files of images that are counted for one boot.
const FILES: usize = 64;

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
    /// The address that it was given in this boot, or asked from last, as far as that was heard.
    pub address: Option<IpAddr>,
    /// How far it came.
    pub progress: Progress,
    /// The last step that went wrong.
    pub failed: Option<Progress>,
}

/// A step of a boot; a machine that asks from further back was powered on again.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
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
    /// It has a part of its image.
    Loading,
    /// It has its image: every file of it, whole.
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
        let is_new = boot.id == 0 || boot.progress.begins_anew(boot.last, at, kind);
        if is_new {
            *boot = Boot {
                id: boot.id + 1,
                began: at,
                ..Boot::default()
            };
        }
        boot.heard = seq;
        boot.last = at;
        boot.address = kind.address().or(boot.address);
        let came_to = boot
            .reached(kind)
            .filter(|step| *step > boot.progress || is_new);
        let failed = kind.failed().filter(|step| boot.failed != Some(*step));
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
                address: boot.address,
                progress: boot.progress,
                failed: boot.failed,
            };
            (*mac, summary)
        })
    }
}

impl Progress {
    /// Whether a message begins another boot than the one that has come to this step and was heard
    /// of last at that time: it comes from a stage that this boot has passed (firmware asks before
    /// it has an address, iPXE before it has its script), or after a long silence.
    pub(crate) fn begins_anew(self, last: Timestamp, at: Timestamp, kind: &Kind) -> bool {
        let is_late = at.duration_since(last) > SILENCE;
        match kind {
            Kind::Dhcp { message, stage, .. } if *message == MessageType::DISCOVER => match stage {
                Stage::Firmware => is_late || self > Self::Asked,
                Stage::Ipxe => is_late || self > Self::Program,
                Stage::Server | Stage::System => false,
            },
            _ => false,
        }
    }
}

impl Boot {
    /// The step that an event completes.
    fn reached(&mut self, kind: &Kind) -> Option<Progress> {
        match kind {
            Kind::Dhcp { message, .. } if *message == MessageType::DISCOVER => {
                Some(Progress::Asked)
            }
            Kind::Dhcp { message, .. } if *message == MessageType::ACK => Some(Progress::Leased),
            Kind::TftpSent { name, .. } => match Resource::of(name) {
                Resource::Image => Some(self.loaded(name)),
                _ => Some(Progress::Program),
            },
            Kind::Script { images, .. } => {
                self.images = Arc::clone(images);
                Some(Progress::Script)
            }
            Kind::HttpSent {
                path,
                complete: true,
                whole,
                bytes,
                ..
            } => match Resource::of(path) {
                Resource::Program if *whole => Some(Progress::Program),
                Resource::Image if *whole => Some(self.loaded(path)),
                // A disc is read in ranges, as far as its system wants.
                Resource::Image if *bytes > 0 => Some(Progress::Loading),
                _ => None,
            },
            _ => None,
        }
    }

    /// How far the boot is with one more file of an image. Without the script that names the image,
    /// as after a restart of the server, nobody knows whether it is the last.
    fn loaded(&mut self, path: &str) -> Progress {
        let Some(file) = image_file(path) else {
            return Progress::Loading;
        };
        if self.has.len() < FILES && !self.has.iter().any(|has| has == file) {
            self.has.push(file.to_owned());
        }
        let is_whole = |image: &LoadedFiles| image.iter().all(|one| self.has.contains(one));
        let mut its_images = self.images.iter();
        let is_last =
            its_images.any(|image| image.iter().any(|one| one == file) && is_whole(image));
        match is_last {
            true => Progress::Image,
            false => Progress::Loading,
        }
    }
}

impl Kind {
    /// The address that a machine has by this event. What it asks another server for it has most
    /// likely.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Dhcp {
                message: MessageType::ACK | MessageType::REQUEST,
                address: Some(address),
                ..
            } => Some(IpAddr::V4(*address)),
            _ => self.client(),
        }
    }

    /// The step that this event shows to have gone wrong.
    pub(crate) fn failed(&self) -> Option<Progress> {
        match self {
            Self::DhcpIgnored { .. } => Some(Progress::Leased),
            Self::NoProgram { .. } | Self::IpxeLacks { again: true, .. } => Some(Progress::Program),
            Self::ProgramIsDeadEnd { .. } => Some(Progress::Script),
            Self::Script {
                action: ScriptAction::Notice | ScriptAction::Withheld,
                ..
            } => Some(Progress::Image),
            Self::TftpFailed { name, .. } => match Resource::of(name) {
                Resource::Script => Some(Progress::Script),
                Resource::Image => Some(Progress::Image),
                Resource::Optional => None,
                Resource::Program | Resource::Other => Some(Progress::Program),
            },
            Self::HttpSent {
                path,
                complete: false,
                ..
            }
            | Self::HttpRefused { path, .. } => match Resource::of(path) {
                Resource::Program => Some(Progress::Program),
                Resource::Script => Some(Progress::Script),
                Resource::Image => Some(Progress::Image),
                Resource::Optional | Resource::Other => None,
            },
            _ => None,
        }
    }
}
