//! The clock of one transfer: what the state machines count from, in the runtime's time.

use std::time::Duration;

use tokio::time::Instant;

/// Starts at zero when the transfer does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// Beyond this no deadline matters, and what cannot be added to an [`Instant`] is as far away.
    const FAR: Duration = Duration::from_secs(1 << 25);

    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The moment at which this clock shows `time`.
    pub(crate) fn at(&self, time: Duration) -> Instant {
        self.started + time.min(Self::FAR)
    }

    /// A moment that does not come.
    pub(crate) fn never(&self) -> Instant {
        self.at(Self::FAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_is_a_moment() {
        let clock = Clock::start();
        assert_eq!(clock.at(Duration::MAX), clock.never());
        assert!(clock.at(Duration::ZERO) < clock.at(Duration::from_secs(3600)));
    }
}
