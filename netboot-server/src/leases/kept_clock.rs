//! The clock that a database's leases are counted by, kept beside them for as long as the host is
//! up.

use netboot_dhcp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::leases::clock::Clock;

/// A clock as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptClock {
    /// The host's boot.
    boot: String,
    /// The clock's zero in it.
    zero: Timestamp,
}

impl KeptClock {
    /// A clock in this boot of the host.
    pub(super) const fn new(boot: String, zero: Timestamp) -> Self {
        Self { boot, zero }
    }

    /// The clock that leases are counted by in this boot: the one that was kept, else one that
    /// begins now, and is to be kept in its place. `newest` is the newest time of a lease.
    pub(super) fn of(
        kept: Option<&Self>,
        boot: String,
        newest: Timestamp,
    ) -> (Clock, Option<Self>) {
        let kept = kept.filter(|kept| kept.boot == boot);
        let kept = kept.map(|kept| Clock::go_on(kept.zero));
        // One that is behind its own leases is another machine's.
        match kept.filter(|clock| clock.now() >= newest) {
            Some(clock) => (clock, None),
            None => {
                let clock = Clock::begin(newest);
                (clock, Some(Self::new(boot, clock.zero())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_gone_on_with_until_the_host_is_started_anew() {
        let of = |kept: Option<&KeptClock>, boot: &str| {
            let (clock, keep) = KeptClock::of(kept, boot.to_owned(), Timestamp(0));
            (clock.zero(), keep)
        };
        let (begun, keep) = of(None, "one");
        assert_eq!(keep, Some(KeptClock::new("one".into(), begun)));
        let ahead = begun.after_ms(1 << 40);
        let kept = KeptClock::new("one".into(), ahead);
        assert_eq!(of(Some(&kept), "one"), (ahead, None));
        let (anew, keep) = of(Some(&kept), "another");
        assert!(anew < ahead, "{anew:?}");
        assert_eq!(keep, Some(KeptClock::new("another".into(), anew)));
    }

    #[test]
    fn a_clock_that_is_behind_its_leases_is_not_gone_on_with() {
        let kept = KeptClock::new("one".into(), Timestamp(0));
        let newest = Timestamp(1 << 50);
        let (clock, keep) = KeptClock::of(Some(&kept), "one".into(), newest);
        assert!(clock.now() >= newest);
        assert_eq!(keep, Some(KeptClock::new("one".into(), clock.zero())));
    }
}
