//! What time it is: for leases a clock that survives a restart, for waits the time since the start.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// The clock that leases are counted by.
pub trait Clock: Send + Sync + 'static {
    /// Now. A clock that goes back makes leases last longer, one that leaps ahead ends them.
    fn now(&self) -> Timestamp;
}

/// The system's clock, which may be set at any time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a driver's clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        Timestamp(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

#[expect(clippy::disallowed_methods, reason = "a driver, in real time")]
pub(super) fn uptime() -> Instant {
    Instant::now()
}
