//! A record as rules read it.

use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};
use netboot_dhcp::value::MessageType;

use crate::boots::{Boot, Record};
use crate::config::platform::Platform;
use crate::paths::Resource;
use crate::telemetry::events::{Kind, Progress, Stage};
use crate::world::World;

/// After so long without an event a machine that was about to ask for something does not ask:
/// firmware repeats what it asks for within seconds.
const QUIET: SignedDuration = SignedDuration::from_secs(30);

/// What is known beside the record.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The configuration, images and programs of the server, where they are known.
    pub world: Option<&'a World>,
    /// Earlier boots of the machine, the newest first.
    pub history: &'a [Boot],
    /// Boots of other machines about that time.
    pub others: &'a [Boot],
    /// Whether another server may have answered, as in a capture.
    pub is_foreign: bool,
    /// The time to which nothing more has happened in the boot.
    pub now: Timestamp,
}

impl Context<'_> {
    /// Nothing beside the record, which ends at this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Context {
            world: None,
            history: &[],
            others: &[],
            is_foreign: false,
            now,
        }
    }
}

/// A record and what is known beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story<'a> {
    record: &'a Record,
    context: &'a Context<'a>,
}

impl<'a> Story<'a> {
    pub(super) fn new(record: &'a Record, context: &'a Context<'a>) -> Self {
        Self { record, context }
    }

    pub(super) fn boot(&self) -> &'a Boot {
        &self.record.boot
    }

    pub(super) fn world(&self) -> Option<&'a World> {
        self.context.world
    }

    pub(super) fn history(&self) -> &'a [Boot] {
        self.context.history
    }

    pub(super) fn others(&self) -> &'a [Boot] {
        self.context.others
    }

    pub(super) fn is_foreign(&self) -> bool {
        self.context.is_foreign
    }

    /// Whether the machine has been quiet for so long that it asks for no more.
    pub(super) fn is_quiet(&self) -> bool {
        self.boot().settled || self.context.now.duration_since(self.boot().last) > QUIET
    }

    /// Each event's place and what happened.
    pub(super) fn events(&self) -> impl DoubleEndedIterator<Item = (usize, &'a Kind)> + use<'a> {
        let events = self.record.events.iter().enumerate();
        events.map(|(place, event)| (place, &event.kind))
    }

    /// What happened behind this place.
    pub(super) fn behind(
        &self,
        place: usize,
    ) -> impl DoubleEndedIterator<Item = (usize, &'a Kind)> + use<'a> {
        self.events().filter(move |(at, _)| *at > place)
    }

    /// Whether the machine has come further behind this place: a file was sent whole, or iPXE or a
    /// script was heard of.
    pub(super) fn goes_on_behind(&self, place: usize) -> bool {
        let goes_on = |kind| {
            sent_whole(kind).is_some()
                || matches!(kind, Kind::Script { .. })
                || spoken(kind).is_some_and(|it| it.stage == Stage::Ipxe)
        };
        self.behind(place).any(|(_, kind)| goes_on(kind))
    }

    /// The first event that this makes something of.
    pub(super) fn first<T>(&self, of: impl Fn(&'a Kind) -> Option<T>) -> Option<(usize, T)> {
        self.events()
            .find_map(|(place, kind)| Some((place, of(kind)?)))
    }

    /// The last event that this makes something of.
    pub(super) fn last<T>(&self, of: impl Fn(&'a Kind) -> Option<T>) -> Option<(usize, T)> {
        self.events()
            .rev()
            .find_map(|(place, kind)| Some((place, of(kind)?)))
    }

    /// The places of the events that are such.
    pub(super) fn places(&self, such: impl Fn(&'a Kind) -> bool) -> Vec<usize> {
        let places = self.events().filter(|(_, kind)| such(kind));
        places.map(|(place, _)| place).collect()
    }

    /// Whether the boot has come to this step.
    pub(super) fn reached(&self, step: Progress) -> bool {
        self.boot().progress >= step
    }

    /// What the machine's firmware is built for.
    pub(super) fn platform(&self) -> Option<Platform> {
        let boot = self.boot();
        Platform::of(boot.arch?, Some(boot.machine), boot.uuid)
    }

    /// The interface that the machine's messages came in by.
    pub(super) fn interface(&self) -> &'a str {
        self.boot().interface.as_deref().unwrap_or("its interface")
    }

    /// The last reply of this type that told the machine a boot file, and the file.
    pub(super) fn told(&self, kind: MessageType) -> Option<(usize, &'a str)> {
        self.last(|event| match event {
            Kind::Dhcp {
                message,
                stage: Stage::Server,
                boot_file: Some(file),
                ..
            } if *message == kind => Some(file.as_str()),
            _ => None,
        })
    }
}

/// A message of DHCP in short.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoken {
    pub(super) message: MessageType,
    pub(super) stage: Stage,
    pub(super) address: Option<Ipv4Addr>,
    pub(super) server: Option<Ipv4Addr>,
    pub(super) names_file: bool,
}

/// The message of DHCP that an event is.
pub(super) fn spoken(kind: &Kind) -> Option<Spoken> {
    match kind {
        Kind::Dhcp {
            message,
            stage,
            address,
            server,
            boot_file,
            ..
        } => Some(Spoken {
            message: *message,
            stage: *stage,
            address: *address,
            server: *server,
            names_file: boot_file.is_some(),
        }),
        _ => None,
    }
}

/// Whether an event is a message of this type from such a sender.
pub(super) fn is_message(kind: &Kind, message: MessageType, stage: Stage) -> bool {
    spoken(kind).is_some_and(|spoken| spoken.message == message && spoken.stage == stage)
}

/// A file that was sent whole by TFTP or HTTP, and how many bytes it has.
pub(super) fn sent_whole(kind: &Kind) -> Option<(&str, u64)> {
    match kind {
        Kind::TftpSent { name, bytes, .. } => Some((name, *bytes)),
        Kind::HttpSent {
            path,
            bytes,
            whole: true,
            complete: true,
            ..
        } => Some((path, *bytes)),
        _ => None,
    }
}

/// A boot program that was sent whole.
pub(super) fn sent_program(kind: &Kind) -> Option<(&str, u64)> {
    sent_whole(kind).filter(|(name, _)| Resource::of(name) == Resource::Program)
}

/// Whether the machine asked for a file, whatever came of it.
pub(super) fn asks_for_file(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::TftpSent { .. }
            | Kind::TftpSizeProbe { .. }
            | Kind::TftpFailed { .. }
            | Kind::Script { .. }
            | Kind::HttpSent { .. }
            | Kind::HttpRefused { .. }
    )
}

/// The file's own name, behind the folders of a path or a URL.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
