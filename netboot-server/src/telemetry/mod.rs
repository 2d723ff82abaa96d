//! What happens, for people and for programs: the event stream, the log, and metrics.

pub mod events;
pub mod log;
pub(crate) mod malformed;
pub(crate) mod metrics;

use std::sync::Arc;

use netboot_dhcp::MacAddr;

use events::{Events, Kind};
use malformed::Malformed;
use metrics::Metrics;

/// Where the parts of the service report what happens. Its clones report to the same place.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    events: Events,
    metrics: Arc<Metrics>,
    malformed: Arc<Malformed>,
}

impl Telemetry {
    /// The event stream.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Puts something that happens now into the event stream, and counts it.
    pub(crate) fn emit(&self, machine: Option<MacAddr>, kind: Kind) {
        self.metrics.count_event(&kind);
        let step = self.events.put(host_time(), machine, kind);
        self.metrics.count_step(&step);
    }

    /// Counts a message of a protocol that could not be decoded, and reports it now and then.
    pub(crate) fn malformed(&self, protocol: &'static str, why: impl FnOnce() -> String) {
        self.malformed.count(protocol, why);
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        let events = Events::default();
        let metrics = Arc::new(Metrics::default());
        let malformed = Arc::new(Malformed::new(events.clone(), Arc::clone(&metrics)));
        Self {
            events,
            metrics,
            malformed,
        }
    }
}

/// Now, by the host's clock, which may be set at any time.
#[expect(
    clippy::disallowed_methods,
    reason = "what drivers report is in the host's time"
)]
pub(crate) fn host_time() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
