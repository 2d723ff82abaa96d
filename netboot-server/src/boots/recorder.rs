//! Brings boots from the event stream to the store, behind the traffic.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use netboot_dhcp::MacAddr;
use tokio_util::sync::CancellationToken;

use super::OTHERS;
use super::boot::{Boot, Headline, Record};
use super::store::{BootStore, Change, StoreError};
use crate::failure::Chain;
use crate::telemetry::events::{Event, MACHINES, Read, Reader, SILENCE};
use crate::telemetry::host_time;

/// How long events gather before they are taken from the stream.
const GATHERS: Duration = Duration::from_millis(250);

/// How often they have gathered when they are written.
const ROUNDS: u32 = 4;

/// Events that are written before they have gathered so often.
const MANY: usize = 4_096;

/// How often boots that say nothing are looked at.
const LOOKS: Duration = Duration::from_secs(30);

/// Looks at a boot that is over, beside the newest boots of all machines, and says what was found
/// in it.
pub(crate) type Settled = Box<dyn Fn(&Record, &[Boot]) -> Option<Headline> + Send + Sync>;

/// What is to be written.
pub(crate) struct Recorder {
    store: Arc<BootStore>,
    settled: Settled,
    open: HashMap<MacAddr, Open>,
    /// Boots that are over because their machines have begun others.
    left: Vec<Change>,
    next_id: u64,
    fresh: usize,
    is_failing: bool,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// The boot that a machine is in.
#[derive(Debug)]
struct Open {
    boot: Boot,
    /// Its number in the event stream; `None` for one that began before the server did.
    number: Option<u64>,
    fresh: Vec<(u32, Arc<Event>)>,
}

impl Recorder {
    /// Goes on with the boots that were not over when the store was written last.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be read.
    pub(crate) fn new(store: Arc<BootStore>, settled: Settled) -> Result<Self, StoreError> {
        let mut open = HashMap::new();
        for boot in store.list(None, None, MACHINES)? {
            // The newest one of each machine goes on, if any does.
            if let Entry::Vacant(place) = open.entry(boot.machine) {
                place.insert(Open {
                    boot,
                    number: None,
                    fresh: Vec::new(),
                });
            }
        }
        Ok(Self {
            next_id: store.next_id()?,
            store,
            settled,
            open,
            left: Vec::new(),
            fresh: 0,
            is_failing: false,
        })
    }

    /// Records what the stream says until told to stop, and what is still in the stream then.
    pub(crate) async fn run(mut self, mut events: Reader, stop: CancellationToken) {
        loop {
            let first = tokio::time::timeout(LOOKS, events.next());
            let first = stop.run_until_cancelled(first).await;
            let is_over = first.is_none();
            if let Some(Ok(read)) = first {
                self.take(&read);
                for _ in 0..ROUNDS {
                    if self.fresh >= MANY {
                        break;
                    }
                    let gather = tokio::time::sleep(GATHERS);
                    if stop.run_until_cancelled(gather).await.is_none() {
                        break;
                    }
                    self.drain(&mut events);
                }
            }
            self.drain(&mut events);
            self = match tokio::task::spawn_blocking(move || self.write(host_time())).await {
                Ok(recorder) => recorder,
                Err(error) => return tracing::error!("boots are recorded no more: {error}"),
            };
            if is_over {
                return;
            }
        }
    }

    fn drain(&mut self, events: &mut Reader) {
        while self.fresh < 2 * MANY
            && let Some(read) = events.try_next()
        {
            self.take(&read);
        }
    }

    fn take(&mut self, read: &Read) {
        let event = match read {
            Read::Event(event) => event,
            Read::Missed(count) => {
                return tracing::warn!("{count} events are missing in the records of boots");
            }
        };
        let Some(machine) = event.machine else {
            return;
        };
        let known = self.open.get_mut(&machine).filter(|open| {
            let boot = &open.boot;
            let goes_on = !boot.progress.begins_anew(boot.last, event.at, &event.kind);
            open.number.map_or(goes_on, |is| is == event.boot_id)
        });
        if let Some(open) = known {
            if !open.boot.has_part(&event.kind) {
                return;
            }
            open.number = Some(event.boot_id);
            let place = open.boot.take(event);
            open.fresh.push((place, Arc::clone(event)));
            self.fresh += 1;
            return;
        }
        if !Boot::may_begin(&event.kind) {
            return;
        }
        let begun = Open {
            boot: Boot::new(self.next_id, machine, event),
            number: Some(event.boot_id),
            fresh: vec![(0, Arc::clone(event))],
        };
        self.next_id += 1;
        self.fresh += 1;
        if let Some(before) = self.open.insert(machine, begun) {
            self.left.push(Change {
                boot: before.boot,
                events: before.fresh,
            });
        }
    }

    /// Writes what has changed, and looks at what is over. What cannot be written is lost.
    fn write(mut self, now: Timestamp) -> Self {
        let mut over = std::mem::take(&mut self.left);
        over.extend(self.forget());
        let mut changes = Vec::new();
        for open in self.open.values_mut() {
            let events = std::mem::take(&mut open.fresh);
            let is_over = now.duration_since(open.boot.last) > SILENCE && !open.boot.settled;
            if is_over || !events.is_empty() {
                let boot = open.boot.clone();
                let to = if is_over { &mut over } else { &mut changes };
                to.push(Change { boot, events });
            }
        }
        self.fresh = 0;
        let written = self.store.write(now, &changes);
        let written = written.and_then(|()| self.settle(now, over));
        match written {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::error!(
                    "boots are not recorded: {}: free some space, or let the service's user write \
                     to its state folder; machines boot as before",
                    Chain(&error)
                );
            }
            Err(_) => {}
        }
        self
    }

    /// Forgets the machines that were heard of longest ago, where there are too many, and gives
    /// those of their boots that were not looked at.
    fn forget(&mut self) -> Vec<Change> {
        let excess = self.open.len().saturating_sub(MACHINES);
        if excess == 0 {
            return Vec::new();
        }
        let heard = self.open.values().map(|open| open.boot.last);
        let mut heard: Vec<_> = heard.collect();
        let (_, last, _) = heard.select_nth_unstable(excess - 1);
        let last = *last;
        let forgotten = self.open.extract_if(|_, open| open.boot.last <= last);
        let unsettled = forgotten.filter(|(_, open)| !open.boot.settled);
        let change = |(_, open): (_, Open)| Change {
            boot: open.boot,
            events: open.fresh,
        };
        unsettled.map(change).collect()
    }

    /// Writes boots that are over with what is found in them.
    fn settle(&mut self, now: Timestamp, over: Vec<Change>) -> Result<(), StoreError> {
        if over.is_empty() {
            return Ok(());
        }
        self.store.write(now, &over)?;
        let others = self.store.list(None, None, OTHERS)?;
        let mut found = Vec::new();
        for Change { boot, .. } in over {
            let Some(mut record) = self.store.record(boot.id)? else {
                continue;
            };
            record.boot.finding = (self.settled)(&record, &others);
            record.boot.settled = true;
            if let Some(open) = self.open.get_mut(&record.boot.machine)
                && open.boot.id == record.boot.id
            {
                open.boot = record.boot.clone();
            }
            found.push(Change {
                boot: record.boot,
                events: Vec::new(),
            });
        }
        self.store.write(now, &found)
    }
}
