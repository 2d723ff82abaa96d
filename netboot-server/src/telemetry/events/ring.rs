//! The ring that events go through, and its readers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netboot_dhcp::MacAddr;
use tokio::sync::Notify;

use super::boots::{Boots, Step, Summary};
use super::{Event, Kind};

/// How many events the ring holds.
pub const RING: usize = 4096;
/// How many events that change a state are held beyond those.
const KEPT: usize = 1024;

/// The ring, shared by everybody who writes to it or reads from it.
#[derive(Debug, Clone)]
pub struct Events {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    /// Tells readers that wait. It costs next to nothing while none does.
    put: Notify,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// Of those that were dropped from there, the ones that change a state.
    kept: VecDeque<Arc<Event>>,
    last: u64,
    boots: Boots,
}

/// What a reader gets.
#[derive(Debug, Clone)]
pub enum Read {
    /// The next event.
    Event(Arc<Event>),
    /// So many events were dropped before this reader came to them.
    Missed(u64),
}

impl Ring {
    /// The first event of this number or a later one.
    fn from(&self, seq: u64) -> Option<Arc<Event>> {
        let first = self.events.front()?.seq;
        if seq < first {
            let kept = self.kept.partition_point(|event| event.seq < seq);
            let event = self.kept.get(kept).or_else(|| self.events.front());
            return event.cloned();
        }
        let index = usize::try_from(seq - first).ok()?;
        self.events.get(index).cloned()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                ring: Mutex::default(),
                put: Notify::new(),
            }),
        }
    }
}

impl Events {
    /// Puts an event in. `at` is the host's clock.
    pub fn emit(&self, at: jiff::Timestamp, machine: Option<MacAddr>, kind: Kind) {
        self.put(at, machine, kind);
    }

    /// Puts an event in and says what it means for its machine's boot.
    pub(crate) fn put(&self, at: jiff::Timestamp, machine: Option<MacAddr>, kind: Kind) -> Step {
        let mut ring = self.lock();
        let seq = ring.last + 1;
        let step = machine.map_or_else(Step::default, |mac| ring.boots.step(mac, seq, at, &kind));
        if ring.events.len() >= RING
            && let Some(oldest) = ring.events.pop_front()
            && oldest.kind.changes_state()
        {
            if ring.kept.len() >= KEPT {
                ring.kept.pop_front();
            }
            ring.kept.push_back(oldest);
        }
        ring.events.push_back(Arc::new(Event {
            seq,
            at,
            boot_id: step.boot_id,
            machine,
            reached: step.reached.map(|(progress, _)| progress),
            kind,
        }));
        ring.last = seq;
        drop(ring);
        self.shared.put.notify_waiters();
        step
    }

    /// The number of the last event; 0 where there was none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.lock().last
    }

    /// The last boot of each machine that was heard of lately.
    #[must_use]
    pub fn boots(&self) -> Vec<(MacAddr, Summary)> {
        self.lock().boots.summaries().collect()
    }

    /// The events of one machine that the ring still holds, the oldest first.
    #[must_use]
    pub fn of_machine(&self, machine: MacAddr) -> Vec<Arc<Event>> {
        let ring = self.lock();
        let held = ring.kept.iter().chain(&ring.events);
        let of_it = held.filter(|event| event.machine == Some(machine));
        of_it.cloned().collect()
    }

    /// A reader of what comes from now on.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader {
            next: self.lock().last + 1,
            shared: Arc::clone(&self.shared),
        }
    }

    /// A reader of what the ring still holds, and of what comes.
    #[must_use]
    pub fn replay(&self) -> Reader {
        self.after(0)
    }

    /// A reader of what comes behind the event of this number, as far as the ring holds it.
    #[must_use]
    pub fn after(&self, seq: u64) -> Reader {
        let reader = self.reader();
        Reader {
            // A number of an earlier run may be ahead of this one's.
            next: seq.saturating_add(1).min(reader.next),
            ..reader
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        lock(&self.shared)
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Ring> {
    shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the stream at its own pace.
#[derive(Debug)]
pub struct Reader {
    next: u64,
    shared: Arc<Shared>,
}

impl Reader {
    /// What is there now, without waiting.
    pub fn try_next(&mut self) -> Option<Read> {
        let ring = lock(&self.shared);
        let event = ring.from(self.next)?;
        let missed = event.seq - self.next;
        if missed > 0 {
            self.next = event.seq;
            return Some(Read::Missed(missed));
        }
        self.next += 1;
        Some(Read::Event(event))
    }

    /// The next event, waited for. Cancel-safe.
    pub async fn next(&mut self) -> Read {
        let shared = Arc::clone(&self.shared);
        loop {
            // It counts what is put from here on.
            let more = shared.put.notified();
            if let Some(read) = self.try_next() {
                return read;
            }
            more.await;
        }
    }
}
