//! The time that leases are counted in: the host's clock when they were first counted since the
//! host was started, and from then on what has passed. So a clock that is set neither ends a lease
//! nor lengthens it, whether a server runs meanwhile or not.

use netboot_dhcp::{Timestamp, driver};
use nix::time::{ClockId, clock_gettime};

/// A clock that only goes on.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The time when the host had been up for nothing.
    zero: Timestamp,
}

impl Clock {
    /// Begins with the host's clock; where that is behind `newest`, the newest time in the lease
    /// database, with that one.
    pub fn begin(newest: Timestamp) -> Self {
        let (clock, behind_ms) = Self::at(wall(), newest, uptime_ms());
        if behind_ms > 0 {
            tracing::warn!(
                "the host's clock is {} s behind the newest lease: leases are counted from that \
                 one on",
                behind_ms.div_ceil(1000)
            );
        }
        clock
    }

    /// Goes on as one that had this zero, since the host was started.
    pub const fn go_on(zero: Timestamp) -> Self {
        Self { zero }
    }

    fn at(wall: Timestamp, newest: Timestamp, uptime_ms: u64) -> (Self, u64) {
        let start = newest.max(wall);
        let zero = Timestamp(start.0.saturating_sub(uptime_ms));
        (Self { zero }, start.millis_since(wall))
    }

    /// The time when the host had been up for nothing.
    pub const fn zero(&self) -> Timestamp {
        self.zero
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.zero.after_ms(uptime_ms())
    }

    /// A time of this clock as the host's clock tells it.
    pub fn host_time(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add_signed(self.host_ahead_ms()))
    }

    /// A time of the host's clock as this clock tells it.
    pub fn own_time(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add_signed(-self.host_ahead_ms()))
    }

    fn host_ahead_ms(&self) -> i64 {
        ahead_ms(wall(), self.now())
    }
}

impl driver::Clock for Clock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// Names the time from one start of the host to the next; `None` where the system does not.
pub fn boot_of_the_host() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_owned())
}

/// By how much a clock is ahead of another one, in whole seconds: they are not read at once.
fn ahead_ms(clock: Timestamp, other: Timestamp) -> i64 {
    let ms = i128::from(clock.0) - i128::from(other.0);
    let whole = (ms + 500).div_euclid(1000) * 1000;
    i64::try_from(whole).unwrap_or_default()
}

/// The host's clock.
#[expect(clippy::disallowed_methods, reason = "a clock begins with the host's")]
pub(super) fn wall() -> Timestamp {
    let ms = jiff::Timestamp::now().as_millisecond();
    Timestamp(u64::try_from(ms).unwrap_or_default())
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
        let (clock, behind) = Clock::at(Timestamp(5_000), Timestamp(90_000), 1_000);
        assert_eq!(
            (clock.zero.after_ms(1_500), behind),
            (Timestamp(90_500), 85_000)
        );
    }

    #[test]
    fn a_clock_that_is_ahead_when_the_host_starts_is_taken() {
        let (clock, behind) = Clock::at(Timestamp(90_000), Timestamp(5_000), 1_000);
        assert_eq!((clock.zero.after_ms(1_000), behind), (Timestamp(90_000), 0));
        let (clock, _) = Clock::at(Timestamp(7_000), Timestamp::default(), 1_000);
        assert_eq!(clock.zero.after_ms(1_000), Timestamp(7_000));
    }

    #[test]
    fn two_clocks_that_tell_the_same_are_not_apart_by_when_they_were_read() {
        for (clock, other, ahead) in [
            (90_001, 90_000, 0),
            (90_000, 90_001, 0),
            (90_000, 4_999, 85_000),
            (4_999, 90_000, -85_000),
        ] {
            assert_eq!(ahead_ms(Timestamp(clock), Timestamp(other)), ahead);
        }
    }
}
