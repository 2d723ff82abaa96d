//! Counters of a server: what its events add up to.

use std::sync::{Arc, Mutex, PoisonError};

use crate::server::event::{Cap, Event};

/// The counters of a server, from [`Server::counters`](crate::server::Server::counters); a clone
/// shows the same ones, while the server runs and after.
///
/// They change with each [`Event`], so they cost nothing between the first and the last packet of a
/// transfer.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    totals: Arc<Mutex<Totals>>,
}

/// What a server has done since it was bound. Each figure counts events of the kind that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Totals {
    /// [`Event::Started`].
    pub started: u64,
    /// [`Event::Finished`].
    pub finished: u64,
    /// [`Event::Unconfirmed`].
    pub unconfirmed: u64,
    /// [`Event::SizeProbe`].
    pub size_probes: u64,
    /// [`Event::Failed`].
    pub failed: u64,
    /// [`Event::Refused`].
    pub refused: u64,
    /// [`Event::OverCap`] with [`Cap::Transfers`].
    pub over_cap: u64,
    /// [`Event::OverCap`] with [`Cap::TransfersPerClient`].
    pub over_cap_of_client: u64,
    /// [`Event::Repeated`].
    pub repeated: u64,
    /// [`Event::Malformed`].
    pub malformed: u64,
    /// [`Event::Stray`].
    pub stray: u64,
    /// [`Event::WrongTid`].
    pub wrong_tid: u64,
    /// [`Event::OffloadRefused`].
    pub offload_refused: u64,
    /// [`Event::System`].
    pub system: u64,
    /// Bytes of files that have arrived, of transfers that are over, however they ended.
    pub bytes: u64,
    /// Packets that were sent again, of transfers that are over.
    pub retransmissions: u64,
}

impl Totals {
    /// Transfers that have started and are not over.
    #[must_use]
    pub fn running(&self) -> u64 {
        let over = self.finished + self.unconfirmed + self.size_probes + self.failed;
        self.started.saturating_sub(over)
    }
}

impl Counters {
    /// The counters at this moment.
    #[must_use]
    pub fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, event: &Event<'_>) {
        let totals = &mut *self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = match event {
            Event::Started { .. } => &mut totals.started,
            Event::Finished { .. } => &mut totals.finished,
            Event::Unconfirmed { .. } => &mut totals.unconfirmed,
            Event::SizeProbe { .. } => &mut totals.size_probes,
            Event::Failed { .. } => &mut totals.failed,
            Event::Refused { .. } => &mut totals.refused,
            Event::OverCap { cap, .. } => match cap {
                Cap::Transfers => &mut totals.over_cap,
                Cap::TransfersPerClient => &mut totals.over_cap_of_client,
            },
            Event::Repeated { .. } => &mut totals.repeated,
            Event::Malformed { .. } => &mut totals.malformed,
            Event::Stray { .. } => &mut totals.stray,
            Event::WrongTid { .. } => &mut totals.wrong_tid,
            Event::OffloadRefused { .. } => &mut totals.offload_refused,
            Event::System { .. } => &mut totals.system,
        };
        *counter += 1;
        if let Event::Finished { stats, .. }
        | Event::Unconfirmed { stats, .. }
        | Event::Failed { stats, .. } = event
        {
            totals.bytes += stats.bytes;
            totals.retransmissions += stats.retransmissions;
        }
    }
}
