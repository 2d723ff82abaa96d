//! What a lease database holds, and each part of it as a record.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Lease, NetworkId};
use serde::{Deserialize, Serialize};

use super::kept_clock::KeptClock;

/// All of it, by which the file can be made anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) leases: BTreeMap<Key, Lease>,
    /// When it was begun: leases from before that are not in it.
    pub(super) begun: Option<Timestamp>,
    pub(super) clock: Option<KeptClock>,
}

/// What a lease is found by.
pub(super) type Key = (NetworkId, Ipv4Addr);

/// The key of a lease.
pub(super) fn key(lease: &Lease) -> Key {
    (lease.network, lease.address)
}

/// One part of it. A later record is in the place of an earlier one of the same.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record<'r> {
    Lease(Cow<'r, Lease>),
    Begun(Timestamp),
    Clock(Cow<'r, KeptClock>),
}

impl Content {
    /// Takes in what a record says.
    ///
    /// # Errors
    ///
    /// Where it is no record of this version.
    pub(super) fn take_in(&mut self, record: &str) -> Result<(), serde_json::Error> {
        match serde_json::from_str(record)? {
            Record::Lease(lease) => {
                let lease = lease.into_owned();
                self.leases.insert(key(&lease), lease);
            }
            Record::Begun(begun) => self.begun = Some(begun),
            Record::Clock(clock) => self.clock = Some(clock.into_owned()),
        }
        Ok(())
    }

    /// Takes in a lease that was found somewhere, where it is newer than the one that is known.
    pub(super) fn take_newer(&mut self, lease: Lease) {
        let known = self.leases.get(&key(&lease));
        if known.is_none_or(|known| known.version < lease.version) {
            self.leases.insert(key(&lease), lease);
        }
    }

    /// All of it as records.
    ///
    /// # Errors
    ///
    /// Where one cannot be written.
    pub(super) fn records(&self) -> Result<Vec<String>, serde_json::Error> {
        let begun = self.begun.map(Record::Begun);
        let clock = self
            .clock
            .as_ref()
            .map(|clock| Record::Clock(Cow::Borrowed(clock)));
        let about = begun
            .into_iter()
            .chain(clock)
            .map(|record| serde_json::to_string(&record));
        about
            .chain(self.leases.values().map(lease_record))
            .collect()
    }

    /// The newest time of a lease.
    pub(super) fn newest(&self) -> Timestamp {
        let newest = self.leases.values().map(|lease| lease.updated).max();
        newest.unwrap_or_default()
    }
}

/// A lease as a record.
///
/// # Errors
///
/// Where it cannot be written.
pub(super) fn lease_record(lease: &Lease) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Record::Lease(Cow::Borrowed(lease)))
}

/// The clock as a record.
///
/// # Errors
///
/// Where it cannot be written.
pub(super) fn clock_record(clock: &KeptClock) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Record::Clock(Cow::Borrowed(clock)))
}
