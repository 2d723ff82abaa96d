//! The log: one line for every step of a boot, with the machine's MAC address.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use crate::events::{Event, Events, Kind, Read, Reader};

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

/// The log of an event stream, from the service's first event on.
#[derive(Debug)]
pub struct Log {
    reader: Reader,
    refusals: Limit,
    steps: Limit,
}

impl Log {
    /// The log of these events; nothing of it is written yet.
    #[must_use]
    pub fn new(events: &Events) -> Self {
        Self {
            reader: events.replay(),
            refusals: Limit::new(REFUSALS),
            steps: Limit::new(STEPS),
        }
    }

    /// Writes each event as it comes. Cancel-safe.
    pub async fn write(&mut self) -> Infallible {
        loop {
            let read = self.reader.next().await;
            self.write_one(&read);
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
        let refused = match &event.kind {
            Kind::DhcpIgnored { .. }
            | Kind::NoProgram { .. }
            | Kind::LeftOut { .. }
            | Kind::HttpRefused { .. }
            | Kind::TftpFailed { .. } => true,
            Kind::Malformed { .. } => return tracing::warn!("{event}"),
            _ => false,
        };
        let limit = if refused {
            &mut self.refusals
        } else {
            &mut self.steps
        };
        let Taken::Yes { untold } = limit.take(now) else {
            return;
        };
        if untold > 0 {
            tracing::warn!("{untold} lines like the next one were left out");
        }
        if refused {
            tracing::warn!("{event}");
        } else {
            tracing::info!("{event}");
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    refill: Duration,
}

/// A bucket of lines that fills again with time.
#[derive(Debug)]
struct Limit {
    rate: Rate,
    spent: u32,
    since: Option<Instant>,
    untold: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Yes { untold: u64 },
    No,
}

impl Limit {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            spent: 0,
            since: None,
            untold: 0,
        }
    }

    fn take(&mut self, now: Instant) -> Taken {
        let since = *self.since.get_or_insert(now);
        let Rate { burst, refill } = self.rate;
        let refills = now.saturating_duration_since(since).as_millis() / refill.as_millis();
        let refills = u32::try_from(refills).unwrap_or(burst);
        if refills > 0 {
            self.spent = self.spent.saturating_sub(refills);
            self.since = Some(now);
        }
        if self.spent >= burst {
            self.untold += 1;
            return Taken::No;
        }
        self.spent += 1;
        Taken::Yes {
            untold: std::mem::take(&mut self.untold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "only differences of it count")]
    fn a_stranger_gets_a_burst_of_lines_and_then_one_a_refill() {
        let mut limit = Limit::new(REFUSALS);
        let start = Instant::now();
        for _ in 0..REFUSALS.burst {
            assert_eq!(limit.take(start), Taken::Yes { untold: 0 });
        }
        for _ in 0..7 {
            assert_eq!(limit.take(start), Taken::No);
        }
        assert_eq!(
            limit.take(start + REFUSALS.refill),
            Taken::Yes { untold: 7 }
        );
        assert_eq!(limit.take(start + REFUSALS.refill), Taken::No);
    }
}
