//! How many lines are written: buckets that fill again with time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use netboot_dhcp::MacAddr;

/// So many lines at once, and then one a refill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) refill: Duration,
}

/// A bucket of lines.
#[derive(Debug)]
pub(super) struct Limit {
    rate: Rate,
    spent: u32,
    since: Option<Instant>,
}

impl Limit {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            spent: 0,
            since: None,
        }
    }

    /// Whether a line may be written now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let Rate { burst, refill } = self.rate;
        let refills = now.saturating_duration_since(since).as_millis() / refill.as_millis();
        let refills = u32::try_from(refills).unwrap_or(burst);
        if refills > 0 {
            self.spent = self.spent.saturating_sub(refills);
            self.since = Some(now);
        }
        let free = self.spent < burst;
        self.spent += u32::from(free);
        free
    }
}

/// Whom a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Client {
    Machine(MacAddr),
    Address(IpAddr),
}

/// A bucket for each client. At most twice [`Clients::MOST`] are remembered, of which those not
/// heard of for longest are forgotten; whoever is forgotten starts with a full bucket.
#[derive(Debug)]
pub(super) struct Clients {
    rate: Rate,
    heard: HashMap<Client, Limit>,
    before: HashMap<Client, Limit>,
}

impl Clients {
    const MOST: usize = 2048;

    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            heard: HashMap::new(),
            before: HashMap::new(),
        }
    }

    pub(super) fn take(&mut self, client: Client, now: Instant) -> bool {
        if self.heard.len() >= Self::MOST && !self.heard.contains_key(&client) {
            self.before = std::mem::take(&mut self.heard);
        }
        let (before, rate) = (&mut self.before, self.rate);
        let limit = self.heard.entry(client).or_insert_with(|| {
            let known = before.remove(&client);
            known.unwrap_or_else(|| Limit::new(rate))
        });
        limit.take(now)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "only differences of it count")]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 50,
        refill: Duration::from_millis(500),
    };

    #[test]
    fn a_stranger_gets_a_burst_of_lines_and_then_one_a_refill() {
        let mut limit = Limit::new(RATE);
        let start = Instant::now();
        for _ in 0..RATE.burst {
            assert!(limit.take(start));
        }
        assert!(!limit.take(start));
        assert!(limit.take(start + RATE.refill));
        assert!(!limit.take(start + RATE.refill));
    }

    fn machine(number: usize) -> Client {
        let [.., a, b] = number.to_be_bytes();
        Client::Machine(MacAddr([2, 0, 0, 0, a, b]))
    }

    #[test]
    fn one_client_that_has_spent_its_lines_takes_none_of_anothers() {
        let mut clients = Clients::new(RATE);
        let now = Instant::now();
        let loud = std::iter::repeat_with(|| clients.take(machine(1), now)).take(200);
        let written = loud.filter(|taken| *taken).count();
        assert_eq!(written, 50);
        assert!(clients.take(machine(2), now));
    }

    #[test]
    fn any_number_of_clients_takes_no_more_than_its_room() {
        let mut clients = Clients::new(RATE);
        let now = Instant::now();
        for number in 0..20_000 {
            clients.take(machine(number), now);
            // One that goes on is not forgotten.
            clients.take(machine(0), now);
        }
        assert!(!clients.take(machine(0), now));
        let remembered = clients.heard.len() + clients.before.len();
        assert!(remembered <= 2 * Clients::MOST, "{remembered}");
    }
}
