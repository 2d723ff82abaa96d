//! What was no message at all: counted, and told of now and then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::telemetry::events::{Events, Kind};
use crate::telemetry::metrics::Metrics;

/// Counts what was no message at all, and tells of it at most every ten seconds a protocol, so that
/// hostile packets cannot flood the log.
#[derive(Debug)]
pub(crate) struct Malformed {
    events: Events,
    metrics: Arc<Metrics>,
    counts: Mutex<Vec<Count>>,
}

#[derive(Debug)]
struct Count {
    protocol: &'static str,
    untold: u64,
    told: Option<Instant>,
}

impl Malformed {
    const PAUSE: Duration = Duration::from_secs(10);

    pub(crate) fn new(events: Events, metrics: Arc<Metrics>) -> Self {
        Self {
            events,
            metrics,
            counts: Mutex::default(),
        }
    }

    pub(crate) fn count(&self, protocol: &'static str, why: impl FnOnce() -> String) {
        #[expect(clippy::disallowed_methods, reason = "packets arrive in real time")]
        let now = Instant::now();
        self.count_at(now, protocol, why);
    }

    fn count_at(&self, now: Instant, protocol: &'static str, why: impl FnOnce() -> String) {
        self.metrics.malformed(protocol);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match counts.iter().position(|count| count.protocol == protocol) {
            Some(index) => index,
            None => {
                counts.push(Count {
                    protocol,
                    untold: 0,
                    told: None,
                });
                counts.len() - 1
            }
        };
        let Some(count) = counts.get_mut(index) else {
            return;
        };
        count.untold += 1;
        let quiet = count.told.is_some_and(|told| now - told < Self::PAUSE);
        if quiet {
            return;
        }
        let untold = std::mem::take(&mut count.untold);
        count.told = Some(now);
        drop(counts);
        self.events.emit(
            super::host_time(),
            None,
            Kind::Malformed {
                protocol: protocol.into(),
                count: untold,
                why: why(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::events::Read;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "only differences of it count")]
    fn a_flood_of_malformed_packets_is_told_once_a_pause_with_its_count() {
        let events = Events::default();
        let mut reader = events.reader();
        let malformed = Malformed::new(events, Arc::default());
        let start = Instant::now();
        for _ in 0..1000 {
            malformed.count_at(start, "DHCP", || "too short".into());
        }
        malformed.count_at(start, "TFTP", || "no opcode".into());
        malformed.count_at(start + Malformed::PAUSE, "DHCP", || "no cookie".into());
        let mut told = Vec::new();
        while let Some(Read::Event(event)) = reader.try_next() {
            told.push(event.to_string());
        }
        assert_eq!(
            told,
            [
                "DHCP 1 malformed dropped, the last: too short",
                "TFTP 1 malformed dropped, the last: no opcode",
                "DHCP 1000 malformed dropped, the last: no cookie"
            ]
        );
    }
}
