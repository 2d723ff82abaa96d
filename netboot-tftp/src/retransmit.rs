//! When to send again: a round-trip estimate after RFC 6298, with a floor and a ceiling of its own.
//!
//! Both ends feed it the round trips that they can tell apart from retransmitted ones (Karn's rule,
//! RFC 6298 §3) and ask it for the next wait. It counts the retries since the last progress and
//! holds the two caps that end a transfer, retries and total time.

use core::time::Duration;

use crate::error_code::ErrorCode;
use crate::transfer::{TransferError, TransferSettings};

/// Timer of one transfer.
#[derive(Debug, Clone)]
pub(crate) struct Retransmit {
    floor: Duration,
    ceiling: Duration,
    /// The wait as long as nothing has been measured.
    initial: Duration,
    /// Smoothed round trip and its variation, once measured.
    estimate: Option<(Duration, Duration)>,
    rto: Duration,
    retries: u32,
    max_retries: u32,
    /// Those as long as the peer has not answered; `None` once it has.
    max_first_retries: Option<u32>,
    /// When the timer runs out.
    deadline: Duration,
    /// When the transfer as a whole has to be over.
    end: Duration,
    min_bytes_a_minute: u64,
    /// Since when the peer has owed what it is measured by, and what had arrived by then.
    paced: (Duration, u64),
}

/// What the peer's pace is measured over.
const MINUTE: Duration = Duration::from_secs(60);

impl Retransmit {
    pub(crate) fn new(now: Duration, settings: &TransferSettings) -> Self {
        let ceiling = settings.max_rto.max(settings.min_rto);
        let initial = settings.initial_rto.clamp(settings.min_rto, ceiling);
        Self {
            floor: settings.min_rto,
            ceiling,
            initial,
            estimate: None,
            rto: initial,
            retries: 0,
            max_retries: settings.max_retries,
            max_first_retries: Some(settings.max_first_retries),
            deadline: now,
            end: now.saturating_add(settings.max_duration),
            min_bytes_a_minute: settings.min_bytes_a_minute,
            paced: (now, 0),
        }
    }

    /// Applies the `timeout` option: a ceiling of the client's own.
    pub(crate) fn lower_ceiling(&mut self, timeout: Option<Duration>) {
        if let Some(timeout) = timeout {
            self.ceiling = self.ceiling.min(timeout).max(self.floor);
            self.initial = self.initial.min(self.ceiling);
            self.rto = self.rto.min(self.ceiling);
        }
    }

    /// A round trip that no retransmission can have falsified.
    pub(crate) fn measured(&mut self, rtt: Duration) {
        // RFC 6298 §2, with alpha 1/8, beta 1/4 and K 4.
        let (srtt, rttvar) = match self.estimate {
            None => (rtt, rtt / 2),
            Some((srtt, rttvar)) => (
                (srtt * 7).saturating_add(rtt) / 8,
                (rttvar * 3).saturating_add(srtt.abs_diff(rtt)) / 4,
            ),
        };
        self.estimate = Some((srtt, rttvar));
        self.rto = self.estimated();
    }

    /// A round trip that may hold a wait of the peer's as well: it counts where it makes the wait
    /// shorter.
    pub(crate) fn measured_at_most(&mut self, rtt: Duration) {
        if rtt < self.rto {
            self.measured(rtt);
        }
    }

    /// The transfer has moved on: back-off is over.
    ///
    /// RFC 6298 §5.7 keeps the doubled timer until a new measurement. Here the estimate is taken up
    /// again at once, because under loss most windows hold a retransmission and give no
    /// measurement.
    pub(crate) fn progress(&mut self) {
        self.retries = 0;
        self.max_first_retries = None;
        self.rto = self.estimated();
    }

    fn estimated(&self) -> Duration {
        self.estimate.map_or(self.initial, |(srtt, rttvar)| {
            srtt.saturating_add(rttvar * 4)
                .clamp(self.floor, self.ceiling)
        })
    }

    /// Starts the timer anew.
    pub(crate) fn arm(&mut self, now: Duration) {
        self.deadline = now.saturating_add(self.rto);
    }

    /// When [`Retransmit::expired`] will have something to say.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline.min(self.end)
    }

    /// Whether the timer has run out and something is to be sent again. Doubles the next wait and
    /// counts a retry if it has.
    pub(crate) fn expired(
        &mut self,
        now: Duration,
        all_sent: bool,
        bytes: u64,
    ) -> Result<bool, TransferError> {
        if now >= self.end {
            return Err(TransferError::TooLong);
        }
        let (since, before) = self.paced;
        if now.saturating_sub(since) >= MINUTE {
            if bytes.saturating_sub(before) < self.min_bytes_a_minute {
                return Err(TransferError::TooSlow);
            }
            self.paced = (now, bytes);
        }
        if now < self.deadline {
            return Ok(false);
        }
        let most = self.max_first_retries.unwrap_or(u32::MAX);
        if self.retries >= self.max_retries {
            return Err(TransferError::TimedOut {
                retries: self.retries.min(most),
                all_sent,
            });
        }
        self.retries += 1;
        self.rto = self.rto.saturating_mul(2).clamp(self.floor, self.ceiling);
        if self.is_quiet() {
            self.arm(now);
            return Ok(false);
        }
        Ok(true)
    }

    /// What the peer is told of the end; nothing, where it is sent nothing any more.
    pub(crate) fn tells(&self, error: &TransferError) -> Option<(ErrorCode, &'static str)> {
        error.to_wire().filter(|_| !self.is_quiet())
    }

    /// Whether the peer has answered nothing and is sent nothing any more.
    pub(crate) fn is_quiet(&self) -> bool {
        self.max_first_retries
            .is_some_and(|most| self.retries > most)
    }

    /// The wait as long as the peer owes no answer: until the transfer as a whole has to be over.
    pub(crate) fn idle(&mut self, now: Duration, bytes: u64) -> Result<Duration, TransferError> {
        if now >= self.end {
            return Err(TransferError::TooLong);
        }
        self.paced = (now, bytes);
        Ok(self.end)
    }

    /// Whether something has been sent again since the last progress.
    pub(crate) fn is_backing_off(&self) -> bool {
        self.retries > 0
    }

    /// The smoothed round trip; zero before the first measurement.
    pub(crate) fn srtt(&self) -> Duration {
        self.estimate.map_or(Duration::ZERO, |(srtt, _)| srtt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn timer() -> Retransmit {
        Retransmit::new(ms(0), &TransferSettings::default())
    }

    #[test]
    fn the_wait_follows_the_round_trip_and_keeps_to_floor_and_ceiling() {
        let mut t = timer();
        t.arm(ms(0));
        assert_eq!(t.deadline(), ms(300));
        t.measured(ms(40));
        t.arm(ms(0));
        // RFC 6298 §2.2: SRTT 40, RTTVAR 20, so RTO is 40 + 4 × 20.
        assert_eq!(t.deadline(), ms(120));
        for _ in 0..50 {
            t.measured(ms(1));
        }
        t.arm(ms(0));
        assert_eq!(t.deadline(), ms(20));
        t.measured(ms(60_000));
        t.arm(ms(0));
        assert_eq!(t.deadline(), ms(5000));
    }

    #[test]
    fn each_retry_waits_twice_as_long_until_the_cap_on_retries() {
        let mut t = timer();
        t.arm(ms(0));
        let mut waits = alloc::vec::Vec::new();
        let end = loop {
            let now = t.deadline();
            match t.expired(now, true, 0) {
                Ok(expired) => assert!(expired),
                Err(error) => break error,
            }
            t.arm(now);
            waits.push((t.deadline() - now).as_millis());
        };
        assert_eq!(
            waits,
            [
                600, 1200, 2400, 4800, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000
            ]
        );
        assert_eq!(
            end,
            TransferError::TimedOut {
                retries: 12,
                all_sent: true
            }
        );
    }

    #[test]
    fn a_peer_that_has_answered_nothing_is_waited_for_and_sent_no_more_than_it_may_be() {
        let settings = TransferSettings::default().max_first_retries(1);
        let ends = |mut timer: Retransmit| {
            let mut sent = 0;
            loop {
                let now = timer.deadline();
                match timer.expired(now, false, 0) {
                    Ok(true) => {
                        sent += 1;
                        timer.arm(now);
                    }
                    Ok(false) => {}
                    Err(error) => return (sent, now, error),
                }
            }
        };
        let timed_out = |retries| TransferError::TimedOut {
            retries,
            all_sent: false,
        };
        let mut timer = Retransmit::new(ms(0), &settings);
        timer.arm(ms(0));
        let (sent, until, error) = ends(timer.clone());
        assert_eq!((sent, error), (1, timed_out(1)));
        let (_, as_long, _) = ends({
            let mut timer = self::timer();
            timer.arm(ms(0));
            timer
        });
        assert_eq!(until, as_long);
        timer.progress();
        timer.arm(ms(0));
        let (sent, _, error) = ends(timer);
        assert_eq!((sent, error), (12, timed_out(12)));
    }

    #[test]
    fn back_off_ends_with_progress_even_where_nothing_was_measured() {
        let mut t = timer();
        t.arm(ms(0));
        assert_eq!(t.expired(ms(300), false, 0), Ok(true));
        t.arm(ms(300));
        assert_eq!(t.deadline(), ms(900));
        t.progress();
        t.arm(ms(400));
        assert_eq!(t.deadline(), ms(700));
    }

    #[test]
    fn a_round_trip_that_may_be_too_long_only_shortens_the_wait() {
        let mut t = timer();
        t.measured_at_most(ms(400));
        t.arm(ms(0));
        assert_eq!(t.deadline(), ms(300));
        t.measured_at_most(ms(40));
        t.arm(ms(0));
        assert_eq!(t.deadline(), ms(120));
    }

    #[test]
    fn the_clients_timeout_lowers_the_ceiling_and_never_raises_it() {
        let mut t = timer();
        t.lower_ceiling(Some(ms(255_000)));
        t.measured(ms(60_000));
        t.arm(ms(0));
        assert_eq!(t.deadline(), ms(5000));
        t.lower_ceiling(Some(ms(1000)));
        t.arm(ms(0));
        assert_eq!(t.deadline(), ms(1000));
    }

    #[test]
    fn total_time_is_capped_even_with_progress() {
        let mut t = timer();
        t.progress();
        assert_eq!(
            t.expired(ms(3_600_000), false, 0),
            Err(TransferError::TooLong)
        );
    }

    #[test]
    fn a_peer_below_the_least_pace_is_given_up_and_one_at_it_is_not() {
        let least = TransferSettings::default().min_bytes_a_minute;
        let pace = |bytes_a_second: u64| {
            let mut t = timer();
            (1..=600).try_for_each(|second| {
                t.progress();
                t.arm(ms(second * 1000));
                t.expired(ms(second * 1000), false, second * bytes_a_second)
                    .map(drop)
            })
        };
        assert_eq!(pace(least / 60 - 1), Err(TransferError::TooSlow));
        assert_eq!(pace(2), Err(TransferError::TooSlow));
        assert_eq!(pace(least / 60 + 1), Ok(()));
        // One block of 512 bytes in seven seconds: of two packets one is lost, each time anew.
        assert_eq!(pace(512 / 7), Ok(()));
    }

    #[test]
    fn time_in_which_the_peer_owes_nothing_does_not_count_against_its_pace() {
        let mut t = timer();
        for minute in 0..10 {
            assert!(t.idle(ms(minute * 60_000), 100).is_ok());
        }
        t.arm(ms(599_000));
        assert_eq!(t.expired(ms(599_000), false, 100), Ok(false));
        t.progress();
        t.arm(ms(600_001));
        assert_eq!(
            t.expired(ms(600_001), false, 100),
            Err(TransferError::TooSlow)
        );
    }
}
