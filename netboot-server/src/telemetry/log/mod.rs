//! The log: one line for every step of a boot, with the machine's MAC address.

mod limit;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use crate::paths::Resource;
use crate::telemetry::events::{Event, Events, Kind, Read, Reader};
use limit::{Client, Clients, Limit, Rate};

/// Lines about refusals that are written at once; a stranger can cause no more than these and
/// then one a refill.
const REFUSALS: Rate = Rate {
    burst: 50,
    refill: Duration::from_millis(500),
};
/// Lines about boots that are written at once: a hall of machines that is switched on.
const STEPS: Rate = Rate {
    burst: 10_000,
    refill: Duration::from_millis(10),
};
/// Lines about one client that are written at once: many boots of one machine.
const OF_ONE: Rate = Rate {
    burst: 300,
    refill: Duration::from_millis(200),
};

/// How long the next events gather behind those that were written.
const PAUSE: Duration = Duration::from_millis(10);

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Format {
    /// For people: the time, how grave it is, and a sentence
    #[default]
    Text,
    /// For programs: one JSON object a line, with the event's `seq`, `kind`, `machine` and
    /// `boot_id`
    Json,
}

/// The log of an event stream, from the service's first event on.
#[derive(Debug)]
pub struct Log {
    reader: Reader,
    format: Format,
    refusals: Limit,
    steps: Limit,
    clients: Clients,
    /// Lines that were not written since the last one.
    left_out: u64,
}

impl Log {
    /// The log of these events; nothing of it is written yet.
    #[must_use]
    pub fn new(events: &Events, format: Format) -> Self {
        Self {
            reader: events.replay(),
            format,
            clients: Clients::new(OF_ONE),
            left_out: 0,
            refusals: Limit::new(REFUSALS),
            steps: Limit::new(STEPS),
        }
    }

    /// Writes events as they come, those of a moment together. Cancel-safe.
    pub async fn write(&mut self) -> Infallible {
        loop {
            let read = self.reader.next().await;
            self.write_one(&read);
            self.write_rest();
            // Under load events are written by the many: to wake up for each costs more than DHCP.
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes what is there now.
    pub fn write_rest(&mut self) {
        while let Some(read) = self.reader.try_next() {
            self.write_one(&read);
        }
    }

    fn write_one(&mut self, read: &Read) {
        match read {
            Read::Missed(missed) => tracing::warn!("{missed} events were too many to log"),
            Read::Event(event) => {
                #[expect(clippy::disallowed_methods, reason = "a log is written in real time")]
                let now = Instant::now();
                self.write_event(event, now);
            }
        }
    }

    fn write_event(&mut self, event: &Event, now: Instant) {
        let weight = Weight::of(&event.kind);
        if !event.kind.changes_state() && !self.has_room(event, weight, now) {
            self.left_out += 1;
            return;
        }
        if self.left_out > 0 {
            tracing::warn!(
                "{} lines were left out, as they were too many",
                self.left_out
            );
            self.left_out = 0;
        }
        self.write_line(event, weight);
    }

    /// Whether a line that strangers can cause may be written now.
    fn has_room(&mut self, event: &Event, weight: Weight, now: Instant) -> bool {
        if let Kind::Malformed { .. } = event.kind {
            // They are few where they come from.
            return true;
        }
        let client = event.machine.map(Client::Machine);
        let client = client.or_else(|| event.kind.client().map(Client::Address));
        // One client's lines are counted first, so that it cannot spend those of all.
        if client.is_some_and(|client| !self.clients.take(client, now)) {
            return false;
        }
        match weight {
            Weight::Warning => self.refusals.take(now),
            Weight::Step => self.steps.take(now),
        }
    }

    fn write_line(&self, event: &Event, weight: Weight) {
        if self.format == Format::Text {
            return match weight {
                Weight::Warning => tracing::warn!("{event}"),
                Weight::Step => tracing::info!("{event}"),
            };
        }
        let machine = event.machine.map(|machine| machine.to_string());
        let machine = machine.as_deref();
        let Event { seq, boot_id, .. } = event;
        // As it is in the API's events.
        let kind = serde_json::to_value(&event.kind).unwrap_or_default();
        let kind = kind["kind"].as_str();
        match weight {
            Weight::Warning => tracing::warn!(seq, kind, machine, boot_id, "{event}"),
            Weight::Step => tracing::info!(seq, kind, machine, boot_id, "{event}"),
        }
    }
}

/// How grave an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Something was refused, or somebody should look.
    Warning,
    /// It goes as it should.
    Step,
}

impl Weight {
    fn of(kind: &Kind) -> Self {
        match kind {
            Kind::HttpRefused { path: name, .. } | Kind::TftpFailed { name, .. }
                if Resource::of(name) == Resource::Optional =>
            {
                Self::Step
            }
            Kind::HttpRefused { .. }
            | Kind::TftpFailed { .. }
            | Kind::DhcpIgnored { .. }
            | Kind::AddressInUse { .. }
            | Kind::NoProgram { .. }
            | Kind::ProgramIsDeadEnd { .. }
            | Kind::LeftOut { .. }
            | Kind::GrubByProxy { .. }
            | Kind::IpxeLacks { again: true, .. }
            | Kind::Malformed { .. }
            | Kind::OtherServer { .. }
            | Kind::RelayNotListed { .. }
            | Kind::PoolFillsUp { .. }
            | Kind::LeasesSetAside { .. } => Self::Warning,
            Kind::IpxeLacks { again: false, .. }
            | Kind::Dhcp { .. }
            | Kind::LeaseEnded { .. }
            | Kind::Install { .. }
            | Kind::TftpSent { .. }
            | Kind::TftpSizeProbe { .. }
            | Kind::Script { .. }
            | Kind::HttpSent { .. } => Self::Step,
        }
    }
}
