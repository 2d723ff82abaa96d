//! The connections that are served at once, and who gives way where all places are taken.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many times as many connections as another an address has for giving way to it.
const MANY: usize = 4;

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caps {
    /// Connections that are served at once.
    pub(super) places: usize,
    /// Those of one address, with those that wait; more are closed, so that no stranger can take
    /// all.
    pub(super) of_one: usize,
    /// Connections that wait for a place; more are closed.
    pub(super) waiting: usize,
}

/// Places of connections. Where all are taken, an address that has none, or few against the others,
/// gets one of those who have most: one that is idle, else the slowest. Who is known to the server
/// gets one of somebody who is not, even where that one has no other.
#[derive(Debug)]
pub(super) struct Places {
    caps: Caps,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    taken: BTreeMap<u64, Taken>,
    waiting: VecDeque<(IpAddr, oneshot::Sender<Place>)>,
    /// How many each address has, with those that wait.
    clients: BTreeMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Taken {
    client: IpAddr,
    activity: Arc<Activity>,
    displaced: CancellationToken,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    /// What its connection does.
    pub(super) activity: Arc<Activity>,
    /// Cancelled where it went to another.
    pub(super) displaced: CancellationToken,
}

/// A place, or the wait for one.
#[derive(Debug)]
pub(super) enum Ticket {
    Now(Place),
    Later(oneshot::Receiver<Place>),
}

impl Ticket {
    /// The place; `None` where there will be none.
    pub(super) async fn place(self) -> Option<Place> {
        match self {
            Self::Now(place) => Some(place),
            Self::Later(place) => place.await.ok(),
        }
    }
}

impl Places {
    pub(super) fn new(caps: Caps) -> Self {
        Self {
            caps,
            state: Mutex::default(),
        }
    }

    /// A place for a connection of this address, or a wait for one.
    ///
    /// # Errors
    ///
    /// Why there is neither.
    pub(super) fn enter(
        self: &Arc<Self>,
        client: IpAddr,
        is_known: impl Fn(IpAddr) -> bool,
    ) -> Result<Ticket, String> {
        let caps = self.caps;
        let mut state = self.lock();
        let count = state.count(client);
        if count >= caps.of_one {
            return Err(format!("it has {} connections already", caps.of_one));
        }
        if state.taken.len() >= caps.places {
            match state.gives_way(client, is_known) {
                Some(number) => {
                    if let Some(taken) = state.remove(number) {
                        taken.displaced.cancel();
                    }
                }
                None if state.waiting.len() >= caps.waiting => {
                    return Err("all places are taken".into());
                }
                None => {
                    let (told, place) = oneshot::channel();
                    state.waiting.push_back((client, told));
                    *state.clients.entry(client).or_default() += 1;
                    return Ok(Ticket::Later(place));
                }
            }
        }
        *state.clients.entry(client).or_default() += 1;
        Ok(Ticket::Now(state.take(self, client)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&self, client: IpAddr) -> usize {
        self.clients.get(&client).copied().unwrap_or_default()
    }

    /// Gives a client that was counted a place.
    fn take(&mut self, places: &Arc<Places>, client: IpAddr) -> Place {
        self.last += 1;
        let place = Place {
            places: Arc::clone(places),
            number: self.last,
            activity: Arc::default(),
            displaced: CancellationToken::new(),
        };
        let taken = Taken {
            client,
            activity: Arc::clone(&place.activity),
            displaced: place.displaced.clone(),
        };
        self.taken.insert(place.number, taken);
        place
    }

    fn remove(&mut self, number: u64) -> Option<Taken> {
        let taken = self.taken.remove(&number)?;
        self.uncount(taken.client);
        Some(taken)
    }

    fn uncount(&mut self, client: IpAddr) {
        if let Some(count) = self.clients.get_mut(&client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// Whose place goes to an address that has none.
    fn gives_way(&self, client: IpAddr, is_known: impl Fn(IpAddr) -> bool) -> Option<u64> {
        let now = Instant::now();
        let least = |connections: &mut dyn Iterator<Item = (&u64, &Taken)>| {
            connections
                .min_by_key(|(_, taken)| {
                    (Reverse(self.count(taken.client)), taken.activity.rank(now))
                })
                .map(|(number, _)| *number)
        };
        let count = self.count(client);
        let to_spare = |taken: &Taken| match (count, self.count(taken.client)) {
            (0, 1) => !taken.activity.is_under_way(),
            (0, _) => true,
            // One that has few may not have closed the last of them yet.
            (few, many) => many >= MANY * (few + 1),
        };
        least(&mut self.taken.iter().filter(|(_, taken)| to_spare(taken))).or_else(|| {
            let is_stranger = |taken: &Taken| !is_known(taken.client);
            (count == 0 && is_known(client))
                .then(|| least(&mut self.taken.iter().filter(|(_, taken)| is_stranger(taken))))?
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        // One that was displaced has left already.
        if state.remove(self.number).is_none() {
            return;
        }
        while let Some((client, told)) = state.waiting.pop_front() {
            if told.is_closed() {
                state.uncount(client);
                continue;
            }
            let next = state.take(&self.places, client);
            let Err(gone) = told.send(next) else {
                return;
            };
            // It drops its place itself, for which it needs the lock.
            drop(state);
            return drop(gone);
        }
    }
}

/// What a connection does.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    /// Bytes that came and went.
    moved: AtomicU64,
    /// When the last of them did, in milliseconds since it began.
    last: AtomicU64,
    /// Held by each answer that is not out yet.
    pub(super) under_way: Arc<()>,
    /// Whether an answer is under way that only its client ends.
    endless: AtomicBool,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            moved: AtomicU64::new(0),
            last: AtomicU64::new(0),
            under_way: Arc::default(),
            endless: AtomicBool::new(false),
        }
    }
}

impl Activity {
    /// Notes that so many bytes came or went.
    pub(super) fn moved(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last
            .store(millis(self.began.elapsed()), Ordering::Relaxed);
    }

    /// Notes that what is answered now has no end.
    pub(super) fn has_no_end(&self) {
        self.endless.store(true, Ordering::Relaxed);
    }

    /// Whether what is answered now has no end.
    pub(super) fn is_endless(&self) -> bool {
        self.endless.load(Ordering::Relaxed)
    }

    /// Whether a request is being answered.
    pub(super) fn is_under_way(&self) -> bool {
        Arc::strong_count(&self.under_way) > 1
    }

    /// Less where it should rather give way: what is idle goes first, the longest so before others,
    /// and then what is slow.
    fn rank(&self, now: Instant) -> (bool, u64) {
        if !self.is_under_way() {
            let since = self.last.load(Ordering::Relaxed);
            let idle = millis(now.saturating_duration_since(self.began)).saturating_sub(since);
            return (false, u64::MAX - idle);
        }
        let age = millis(now.saturating_duration_since(self.began)).max(1);
        let moved = self.moved.load(Ordering::Relaxed);
        (true, moved.saturating_mul(1000) / age)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps = Caps {
        places: 6,
        of_one: 4,
        waiting: 2,
    };

    fn address(last: u8) -> IpAddr {
        [192, 168, 100, last].into()
    }

    fn places() -> Arc<Places> {
        Arc::new(Places::new(CAPS))
    }

    #[track_caller]
    fn enter(places: &Arc<Places>, last: u8) -> Place {
        match places.enter(address(last), |_| false) {
            Ok(Ticket::Now(place)) => place,
            other => panic!("{other:?}"),
        }
    }

    /// A place whose connection is answered, and was sent so much.
    fn busy(places: &Arc<Places>, last: u8, moved: usize) -> (Place, Arc<()>) {
        let place = enter(places, last);
        place.activity.moved(moved);
        let answer = Arc::clone(&place.activity.under_way);
        (place, answer)
    }

    fn displaced<'p>(all: impl IntoIterator<Item = &'p (Place, Arc<()>)>) -> Vec<bool> {
        let all = all.into_iter();
        all.map(|(place, _)| place.displaced.is_cancelled())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_most_gives_the_idle_and_then_the_slowest_place_to_who_has_none() {
        let places = places();
        let many = [900, 100, 500, 700].map(|moved| busy(&places, 1, moved));
        let few = [busy(&places, 2, 1), busy(&places, 2, 1)];
        tokio::time::advance(Duration::from_secs(1)).await;
        let _third = enter(&places, 3);
        assert_eq!(displaced(&many), [false, true, false, false]);
        assert_eq!(displaced(&few), [false, false]);
        let _fourth = enter(&places, 4);
        assert_eq!(displaced(&many), [false, true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_between_two_requests_goes_before_one_in_use() {
        let places = places();
        let used = [busy(&places, 1, 1), busy(&places, 1, 1)];
        let first = enter(&places, 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = enter(&places, 1);
        let others = [busy(&places, 2, 1), busy(&places, 2, 1)];
        let _new = enter(&places, 3);
        assert!(first.displaced.is_cancelled() && !second.displaced.is_cancelled());
        assert_eq!(displaced(used.iter().chain(&others)), [false; 4]);
    }

    #[tokio::test]
    async fn who_has_a_place_waits_and_then_is_refused_and_gets_the_next_that_is_free() {
        let places = places();
        let mut held: Vec<_> = (0..3).map(|_| busy(&places, 1, 1)).collect();
        held.extend((0..3).map(|_| busy(&places, 2, 1)));
        let again = |last| places.enter(address(last), |_| false);
        let (Ok(Ticket::Later(gone)), Ok(next)) = (again(1), again(2)) else {
            panic!("they wait");
        };
        assert_eq!(
            again(1).err().as_deref(),
            Some("it has 4 connections already")
        );
        assert_eq!(displaced(&held), [false; 6]);
        drop(gone);
        held.pop();
        assert!(next.place().await.is_some());
        let counted = places.lock().clients.values().sum::<usize>();
        assert_eq!(counted, 6 - 1, "the one that went away is not counted");
    }

    #[tokio::test]
    async fn who_is_known_gets_the_place_of_who_is_not() {
        let places = places();
        let held: Vec<_> = (1..=6)
            .map(|last| busy(&places, last, 1000 - usize::from(last)))
            .collect();
        let is_known = |client| client == address(6) || client == address(9);
        let stranger = places.enter(address(8), is_known);
        assert!(matches!(stranger, Ok(Ticket::Later(_))), "{stranger:?}");
        let known = places.enter(address(9), is_known);
        assert!(matches!(known, Ok(Ticket::Now(_))), "{known:?}");
        assert_eq!(displaced(&held).iter().filter(|gone| **gone).count(), 1);
        assert!(!displaced(&held)[5], "it is known, too");
    }
}
