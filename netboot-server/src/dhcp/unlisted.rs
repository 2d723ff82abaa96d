//! Relay agents that are not believed, each reported once.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

/// Relay agents that are remembered; beyond it no further one is reported.
const MOST: usize = 64;

/// What was reported. Its clones know of the same.
#[derive(Debug, Clone, Default)]
pub(super) struct UnlistedRelays(Arc<Mutex<BTreeSet<Heard>>>);

/// An interface, and the relay agent if there was one.
type Heard = (u32, Option<Ipv4Addr>);

impl UnlistedRelays {
    /// Whether this relay agent, or a message without one, is heard on this interface for the first
    /// time.
    pub(super) fn is_news(&self, interface: u32, relay: Option<Ipv4Addr>) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < MOST && known.insert((interface, relay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_news_once_and_a_flood_of_them_is_bounded() {
        let relays = UnlistedRelays::default();
        let relay = |at| Some(Ipv4Addr::from_bits(at));
        assert!(relays.is_news(1, relay(1)) && relays.is_news(2, relay(1)));
        assert!(relays.is_news(1, None));
        assert!(!relays.is_news(1, relay(1)) && !relays.is_news(1, None));
        let news = (0..1000).filter(|at| relays.is_news(3, relay(*at)));
        assert_eq!(news.count(), MOST - 3);
    }
}
