//! The time that leases are counted in: the host's clock at the start, and from then on what has
//! passed, so that a clock that is set while the service runs neither ends a lease nor lengthens it.

use netboot_dhcp::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// A clock that only goes on.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The time when the host had been up for nothing.
    zero: Timestamp,
}

impl Clock {
    /// The host's clock; where that is behind `newest`, the newest time in the lease database, from
    /// there on.
    pub(crate) fn start(newest: Option<Timestamp>) -> Self {
        let wall = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let (clock, behind_ms) = Self::at(Timestamp(wall), newest, uptime_ms());
        if behind_ms > 0 {
            tracing::warn!(
                "the host's clock is {} s behind the newest lease: leases are counted from that one on",
                behind_ms.div_ceil(1000)
            );
        }
        clock
    }

    fn at(wall: Timestamp, newest: Option<Timestamp>, uptime_ms: u64) -> (Self, u64) {
        let start = newest.unwrap_or_default().max(wall);
        let zero = Timestamp(start.0.saturating_sub(uptime_ms));
        (Self { zero }, start.millis_since(wall))
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.zero.after_ms(uptime_ms())
    }
}

/// Time since the host started, that asleep included.
fn uptime_ms() -> u64 {
    let Ok(time) = clock_gettime(ClockId::CLOCK_BOOTTIME) else {
        return 0;
    };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec()).unwrap_or_default();
    seconds * 1000 + nanos / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_goes_on_from_the_newest_lease() {
        let (clock, behind) = Clock::at(Timestamp(5_000), Some(Timestamp(90_000)), 1_000);
        assert_eq!(
            (clock.zero.after_ms(1_500), behind),
            (Timestamp(90_500), 85_000)
        );
    }

    #[test]
    fn a_clock_that_was_set_ahead_is_taken_at_the_start() {
        let (clock, behind) = Clock::at(Timestamp(90_000), Some(Timestamp(5_000)), 1_000);
        assert_eq!((clock.zero.after_ms(1_000), behind), (Timestamp(90_000), 0));
        let (clock, _) = Clock::at(Timestamp(7_000), None, 1_000);
        assert_eq!(clock.zero.after_ms(1_000), Timestamp(7_000));
    }
}
