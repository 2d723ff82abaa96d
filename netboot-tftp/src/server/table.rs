//! Which transfers run: caps, and requests that are repeated.
//!
//! A client is its address and port, for that is what its transfer is known by on the wire (its
//! TID, RFC 1350 §4). Every entry has its task, so the table never holds more than `max_transfers`
//! entries.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::sync::mpsc::Sender as Inbox;
use tokio::task::Id;
use tokio::time::Instant;

use crate::server::Preference;
use crate::server::event::Cap;

/// A packet on its way from the listening task to that of its transfer.
pub(crate) type Queued = Box<[u8]>;

/// What the listening task and the task of a transfer tell each other.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Set by the transfer while it has had progress and now waits for a retry.
    pub(crate) stalled: AtomicBool,
    /// Set by the transfer when its file is complete and it only stays to repeat its last ACK. It
    /// counts as long as its place is not needed.
    pub(crate) leaving: AtomicBool,
    /// Set by the transfer while its client has never answered and a first retry is over: its place
    /// goes to a client that asks when there is no other.
    pub(crate) unanswered: AtomicBool,
    /// Set by the listener, before it rings, where the place is taken for another client.
    pub(crate) displaced: AtomicBool,
    /// Set by the listener, before it rings, where another request takes the transfer's place.
    pub(crate) superseded: AtomicBool,
    /// Set by the listener, before it rings, where the client has sent its request again, and taken
    /// back by a transfer that goes on after it has taken what came before. Where one ends first,
    /// its client has had the file already and asks for it anew.
    pub(crate) repeated: AtomicBool,
    /// Bytes that have arrived, as the transfer last saw it.
    pub(crate) arrived: AtomicU64,
    /// Rung by the listener when it has set something.
    pub(crate) bell: Notify,
}

impl Control {
    fn ring(&self, why: &AtomicBool) {
        why.store(true, Ordering::Relaxed);
        self.bell.notify_one();
    }
}

/// How many times as many transfers as another an address has for giving way to it.
const MANY: usize = 4;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    New,
    Repeated,
    OverCap(Cap),
}

#[derive(Debug)]
pub(crate) struct Table {
    max: usize,
    max_per_client: usize,
    running: HashMap<SocketAddr, Running>,
    by_task: HashMap<Id, SocketAddr>,
    per_client: HashMap<IpAddr, usize>,
}

/// A transfer whose task has been started.
#[derive(Debug)]
pub(crate) struct Running {
    /// The datagram that asked for it.
    pub(crate) request: Box<[u8]>,
    /// The address of ours that it came to.
    pub(crate) local: Option<IpAddr>,
    pub(crate) task: Id,
    /// When it began.
    pub(crate) since: Instant,
    pub(crate) control: Arc<Control>,
    /// Where the transfer's packets go if it has no socket of its own.
    pub(crate) inbox: Option<Inbox<Queued>>,
}

impl Table {
    pub(crate) fn new(max: usize, max_per_client: usize) -> Self {
        Self {
            max,
            max_per_client,
            running: HashMap::new(),
            by_task: HashMap::new(),
            per_client: HashMap::new(),
        }
    }

    /// Whether another transfer of this address would be over a cap.
    pub(crate) fn is_full_for(&self, ip: IpAddr) -> bool {
        self.by_task.len() >= self.max || self.count(ip) >= self.max_per_client
    }

    /// Decides on a request, which is compared byte by byte with the one that runs.
    ///
    /// A different request from the same port, or the same after a standstill, means that the
    /// client has given up the transfer that runs: it is told to end.
    ///
    /// Where all places are taken, an address that has none, or few against another, gets one of
    /// those who have most; one that is preferred, of those who are not.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        client: SocketAddr,
        request: &[u8],
        is_preferred: &Preference,
    ) -> Admission {
        if let Some(running) = self.running.get(&client) {
            let over = [&running.control.stalled, &running.control.leaving];
            if *running.request == *request && !over.iter().any(|o| o.load(Ordering::Relaxed)) {
                running.control.ring(&running.control.repeated);
                return Admission::Repeated;
            }
            running.control.ring(&running.control.superseded);
        }
        let ip = client.ip();
        if self.by_task.len() >= self.max
            && !self.make_room(|_| true)
            && !self.displace(now, ip, is_preferred)
        {
            return Admission::OverCap(Cap::Transfers);
        }
        if self.count(ip) >= self.max_per_client && !self.make_room(|other| other.ip() == ip) {
            return Admission::OverCap(Cap::TransfersPerClient);
        }
        Admission::New
    }

    /// Ends a transfer of such a client that is only leaving, or else one whose client was never
    /// heard, if there is one.
    fn make_room(&self, of: impl Fn(&SocketAddr) -> bool) -> bool {
        let of_such = || self.running.iter().filter(|(client, _)| of(client));
        let controls = || of_such().map(|(_, running)| &running.control);
        // Taken back, so that nobody else counts on the same place.
        let spare = controls()
            .find(|control| control.leaving.swap(false, Ordering::Relaxed))
            .or_else(|| {
                controls().find(|control| {
                    control.unanswered.load(Ordering::Relaxed)
                        && !control.displaced.swap(true, Ordering::Relaxed)
                })
            });
        if let Some(control) = spare {
            control.ring(&control.superseded);
        }
        spare.is_some()
    }

    /// Ends the slowest transfer of the address that has most, for one that has none, or few
    /// against it; or of one that is not preferred, for one that is.
    fn displace(&self, now: Instant, ip: IpAddr, is_preferred: &Preference) -> bool {
        let count = self.count(ip);
        let has_many = |client: &SocketAddr| match count {
            0 => self.count(client.ip()) > 1,
            // One that has few may have given the last of them up without a word.
            few => self.count(client.ip()) >= MANY * (few + 1),
        };
        // The slowest moves least in the time that it has had.
        let pace = |running: &Running| {
            let arrived = running.control.arrived.load(Ordering::Relaxed);
            let millis = now.saturating_duration_since(running.since).as_millis();
            u128::from(arrived) * 1000 / millis.max(1)
        };
        let stays = |running: &Running| !running.control.displaced.load(Ordering::Relaxed);
        let all = || self.running.iter().filter(|(_, running)| stays(running));
        let rank = |client: &SocketAddr, running: &Running| {
            (Reverse(self.count(client.ip())), pace(running))
        };
        let slowest = |&(client, running): &(&SocketAddr, &Running)| rank(client, running);
        let of_many = all().filter(|(client, _)| has_many(client));
        let gone = of_many.min_by_key(slowest).or_else(|| {
            let of_others = || all().filter(|(client, _)| !is_preferred(client.ip()));
            (count == 0 && is_preferred(ip))
                .then(of_others)?
                .min_by_key(slowest)
        });
        if let Some((_, running)) = gone {
            running.control.ring(&running.control.displaced);
        }
        gone.is_some()
    }

    fn count(&self, ip: IpAddr) -> usize {
        self.per_client.get(&ip).copied().unwrap_or_default()
    }

    /// Enters a transfer.
    pub(crate) fn insert(&mut self, client: SocketAddr, running: Running) {
        *self.per_client.entry(client.ip()).or_default() += 1;
        self.by_task.insert(running.task, client);
        self.running.insert(client, running);
    }

    /// Hands a packet, cut to `max_len`, to the transfer of this client, and says whether there is
    /// one that waits for packets here. A transfer that has not taken what came before loses it, as
    /// a socket would.
    pub(crate) fn deliver(&self, client: SocketAddr, packet: &[u8], max_len: usize) -> bool {
        let inbox = self.running.get(&client).and_then(|r| r.inbox.as_ref());
        if let Some(inbox) = inbox {
            let _lost = inbox.try_send(packet.get(..max_len).unwrap_or(packet).into());
        }
        inbox.is_some()
    }

    /// Takes out a transfer whose task has ended, however it ended, and gives it back with its
    /// client unless another has taken its place.
    pub(crate) fn remove(&mut self, task: Id) -> Option<(SocketAddr, Running)> {
        let client = self.by_task.remove(&task)?;
        if let Some(count) = self.per_client.get_mut(&client.ip()) {
            *count -= 1;
            if *count == 0 {
                self.per_client.remove(&client.ip());
            }
        }
        // A transfer that was superseded has its successor under the same key.
        self.running.get(&client).filter(|r| r.task == task)?;
        Some(client).zip(self.running.remove(&client))
    }
}
