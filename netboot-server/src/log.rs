//! The log: one line for every step of a boot, with the machine's MAC address.

use std::time::{Duration, Instant};

use crate::events::{Event, Events, Kind, Read, Reader};

/// Lines about refusals that are written at once; a stranger can cause no more than these and
/// then one a [`REFILL`].
const BURST: u32 = 50;
/// How long it takes until one more line about a refusal is written.
const REFILL: Duration = Duration::from_millis(500);

/// Writes the event stream to the log until the future is dropped.
pub async fn write(events: &Events) {
    write_from(events.reader()).await;
}

async fn write_from(mut reader: Reader) {
    let mut limit = Limit::default();
    loop {
        match reader.next().await {
            Read::Missed(missed) => tracing::warn!("{missed} events were too many to log"),
            Read::Event(event) => {
                #[expect(clippy::disallowed_methods, reason = "a log is written in real time")]
                let now = Instant::now();
                write_event(&event, &mut limit, now);
            }
        }
    }
}

fn write_event(event: &Event, limit: &mut Limit, now: Instant) {
    match &event.kind {
        Kind::DhcpIgnored { .. } | Kind::HttpRefused { .. } | Kind::TftpFailed { .. } => {
            match limit.take(now) {
                Taken::No => {}
                Taken::Yes { untold: 0 } => tracing::warn!("{event}"),
                Taken::Yes { untold } => tracing::warn!("{event} ({untold} such lines left out)"),
            }
        }
        Kind::Malformed { .. } => tracing::warn!("{event}"),
        _ => tracing::info!("{event}"),
    }
}

/// A bucket of lines that fills again with time.
#[derive(Debug, Default)]
struct Limit {
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
    fn take(&mut self, now: Instant) -> Taken {
        let since = *self.since.get_or_insert(now);
        let refills = now.saturating_duration_since(since).as_millis() / REFILL.as_millis();
        let refills = u32::try_from(refills).unwrap_or(BURST);
        if refills > 0 {
            self.spent = self.spent.saturating_sub(refills);
            self.since = Some(now);
        }
        if self.spent >= BURST {
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
        let mut limit = Limit::default();
        let start = Instant::now();
        for _ in 0..BURST {
            assert_eq!(limit.take(start), Taken::Yes { untold: 0 });
        }
        for _ in 0..7 {
            assert_eq!(limit.take(start), Taken::No);
        }
        assert_eq!(limit.take(start + REFILL), Taken::Yes { untold: 7 });
        assert_eq!(limit.take(start + REFILL), Taken::No);
    }
}
