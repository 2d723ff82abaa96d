//! One boot of one machine, as its events tell it.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use netboot_dhcp::MacAddr;
use netboot_dhcp::value::Arch;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::paths::Resource;
use crate::telemetry::events::{Event, Kind, Progress, SILENCE, ScriptAction, Stage};

/// Events that are kept of one boot. Of more, those in the middle are left out.
pub const EVENTS: u32 = 256;

/// Of these, the ones that are kept from the boot's beginning.
const FIRST: u32 = 192;

/// The status of an answer that is a part (RFC 9110 section 15.3.7).
const PARTIAL: u16 = 206;

/// A boot, without its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Boot {
    /// Its number, which no other boot has, counted from 1 for as long as the records are kept.
    pub id: u64,
    /// The machine.
    pub machine: MacAddr,
    /// The UUID that its firmware says.
    pub uuid: Option<Uuid>,
    /// Its name, as a target or as it says itself.
    pub name: Option<String>,
    /// The interface that its messages came in by.
    pub interface: Option<String>,
    /// The platform that its firmware says.
    pub arch: Option<Arch>,
    /// The address that it has, as far as that was heard.
    pub address: Option<IpAddr>,
    /// When its first event came.
    pub began: Timestamp,
    /// When its last event came.
    pub last: Timestamp,
    /// How far it came.
    pub progress: Progress,
    /// The step that went wrong, if it came no further since.
    pub failed: Option<Progress>,
    /// What its script does.
    pub action: Option<ScriptAction>,
    /// What it boots, and why, in the policy's words.
    pub boots: Option<String>,
    /// When it had its image, whole, or its system was heard of first.
    pub handed_over: Option<Timestamp>,
    /// Whether its system was heard of: by DHCP, or by its report that it is installed.
    pub system: bool,
    /// Whether a file of an image was read in parts, as a system reads a disc.
    pub in_parts: bool,
    /// How many events it had.
    pub events: u32,
    /// What was found in it when it was over; `None` where nothing was, and while it goes on.
    pub finding: Option<Headline>,
    /// Whether it was over when it was looked at.
    pub settled: bool,
}

/// The first finding of a boot, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Headline {
    /// The rule's code: `tftp-no-ack`.
    pub code: String,
    /// The cause, in one sentence.
    pub cause: String,
}

impl Headline {
    /// A finding by its code and cause.
    #[must_use]
    pub fn new(code: impl Into<String>, cause: impl Into<String>) -> Self {
        let (code, cause) = (code.into(), cause.into());
        Self { code, cause }
    }
}

/// What became of a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It goes on.
    Running,
    /// It waits at the menu.
    Menu,
    /// The machine has its image, whole.
    HandedOver,
    /// The machine boots its local disk.
    Local,
    /// A step went wrong, and the machine came no further.
    Failed,
    /// The machine fell silent before it had its image.
    NeverFinished,
}

impl Outcome {
    /// Whether the machine did not come to where it was to come.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::NeverFinished)
    }
}

impl Boot {
    /// A boot that begins with this event.
    pub(crate) fn new(id: u64, machine: MacAddr, first: &Event) -> Self {
        let mut boot = Self {
            id,
            machine,
            uuid: None,
            name: None,
            interface: None,
            arch: None,
            address: None,
            began: first.at,
            last: first.at,
            progress: Progress::Asked,
            failed: None,
            action: None,
            boots: None,
            handed_over: None,
            system: false,
            in_parts: false,
            events: 0,
            finding: None,
            settled: false,
        };
        boot.take(first);
        boot
    }

    /// Whether a boot may begin with this: what firmware or iPXE says, a question that gets no
    /// answer, or a file that is asked for; not what a system says that runs.
    pub(crate) fn may_begin(kind: &Kind) -> bool {
        match kind {
            Kind::Dhcp { stage, .. } => matches!(stage, Stage::Firmware | Stage::Ipxe),
            Kind::DhcpIgnored { .. } => true,
            kind => kind.client().is_some(),
        }
    }

    /// Whether this is still a part of the boot: a system that runs renews its lease for ever.
    pub(crate) fn has_part(&self, kind: &Kind) -> bool {
        let is_lease = matches!(
            kind,
            Kind::Dhcp {
                stage: Stage::System | Stage::Server,
                ..
            }
        );
        !(self.system && is_lease)
    }

    /// Takes its next event, and gives the place that the event has among those that are kept.
    pub(crate) fn take(&mut self, event: &Event) -> u32 {
        let place = match self.events {
            first if first < FIRST => first,
            later => FIRST + (later - FIRST) % (EVENTS - FIRST),
        };
        self.events = self.events.saturating_add(1);
        self.last = event.at;
        self.settled = false;
        if let Some(reached) = event.reached {
            // After a restart the event stream knows less of a boot than its record.
            self.progress = self.progress.max(reached);
            self.failed = None;
        }
        if let Some(failed) = event.kind.failed() {
            self.failed = Some(failed);
        }
        match &event.kind {
            Kind::Dhcp {
                interface,
                host_name,
                arch,
                uuid,
                stage,
                ..
            } => {
                self.interface = Some(interface.clone());
                if *stage != Stage::System {
                    self.arch = arch.or(self.arch);
                    self.uuid = uuid.or(self.uuid);
                }
                if host_name.is_some() {
                    self.name.clone_from(host_name);
                }
                if *stage == Stage::System && self.progress >= Progress::Loading {
                    self.hear_system(event.at);
                }
            }
            Kind::DhcpIgnored { interface, .. } => self.interface = Some(interface.clone()),
            Kind::Install {
                installed: true, ..
            } => self.hear_system(event.at),
            Kind::HttpSent { path, status, .. } => {
                self.in_parts |= *status == PARTIAL && Resource::of(path) == Resource::Image;
            }
            Kind::Script { action, boots, .. } => {
                self.action = Some(*action);
                self.boots = Some(boots.clone());
            }
            _ => {}
        }
        if self.progress == Progress::Image {
            self.handed_over.get_or_insert(event.at);
        }
        if let Some(address) = event.kind.address() {
            self.address = Some(address);
        }
        place
    }

    /// Brings the events that are kept, which are in the order of their places, into the order in
    /// which they came.
    pub(super) fn put_in_order(&self, events: &mut [Arc<Event>]) {
        let Some(last_ones) = events.get_mut(FIRST as usize..) else {
            return;
        };
        if self.left_out() > 0 && !last_ones.is_empty() {
            let oldest = (self.events - FIRST) as usize % last_ones.len();
            last_ones.rotate_left(oldest);
        }
    }

    fn hear_system(&mut self, at: Timestamp) {
        self.system = true;
        self.handed_over.get_or_insert(at);
    }

    /// What became of it, as it looks now.
    #[must_use]
    pub fn outcome(&self, now: Timestamp) -> Outcome {
        let is_silent = now.duration_since(self.last) > SILENCE;
        match (self.progress, self.action) {
            (Progress::Image, _) => Outcome::HandedOver,
            (Progress::Loading, _) if self.system || self.in_parts => Outcome::HandedOver,
            // Which files there are to come is known of this server's own scripts only.
            (Progress::Loading, None | Some(ScriptAction::Other))
                if is_silent && self.failed.is_none() =>
            {
                Outcome::HandedOver
            }
            _ if self.failed.is_some() => Outcome::Failed,
            (Progress::Script, Some(ScriptAction::Local)) => Outcome::Local,
            (Progress::Script, Some(ScriptAction::Menu)) => Outcome::Menu,
            _ if is_silent => Outcome::NeverFinished,
            _ => Outcome::Running,
        }
    }

    /// Whether the machine is called so: by its MAC address, its name, its address or its UUID.
    #[must_use]
    pub fn is_called(&self, text: &str) -> bool {
        text.parse() == Ok(self.machine)
            || self.name.as_deref() == Some(text)
            || self.address.is_some_and(|it| it.to_string() == text)
            || self.uuid.is_some_and(|it| it.to_string() == text)
    }

    /// Events that are not kept.
    #[must_use]
    pub fn left_out(&self) -> u32 {
        self.events.saturating_sub(EVENTS)
    }
}

/// A boot with its events, the oldest first.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Record {
    /// The boot.
    pub boot: Boot,
    /// What happened in it.
    pub events: Vec<Arc<Event>>,
}

impl Record {
    /// A boot that begins with this event.
    pub(crate) fn new(id: u64, machine: MacAddr, first: Arc<Event>) -> Self {
        Self {
            boot: Boot::new(id, machine, &first),
            events: vec![first],
        }
    }

    /// Brings its events into the order of their times.
    pub(crate) fn sort(&mut self) {
        self.events.sort_by_key(|event| event.at);
        if let Some(first) = self.events.first() {
            self.boot.began = first.at;
        }
        if let Some(last) = self.events.last() {
            self.boot.last = last.at;
        }
    }

    /// Takes the boot's next event.
    pub(crate) fn take(&mut self, event: Arc<Event>) {
        self.boot.take(&event);
        if self.events.len() >= EVENTS as usize {
            self.events.remove(FIRST as usize);
        }
        self.events.push(event);
    }
}
