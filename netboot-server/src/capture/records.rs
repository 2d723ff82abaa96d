//! The boots of a capture as records.

use std::collections::HashMap;
use std::io::Read;

use jiff::Timestamp;
use netboot_dhcp::MacAddr;

use super::{CaptureError, Summary, read};
use crate::boots::{Boot, Record};
use crate::telemetry::events::{Events, Read as Next};

/// Boots that are kept of a capture; of more the first ones are.
pub const RECORDS: usize = 10_000;

/// Events that these have together; of more, those are left out of boots that have many.
pub const EVENTS: u64 = 200_000;

/// Events that a boot has all the same.
const FEW: usize = 32;

/// The boots in a capture.
#[derive(Debug)]
#[non_exhaustive]
pub struct Records {
    /// Each boot, in the order in which they began.
    pub records: Vec<Record>,
    /// Events of boots behind the first [`RECORDS`], and those behind [`EVENTS`].
    pub left_out: u64,
    /// Events of machines that are not known.
    pub unknown: u64,
    /// The time of the last event.
    pub last: Timestamp,
    /// What was read, and what was not.
    pub summary: Summary,
}

/// Reads a capture as [`read`] does, and gives the boots in it.
///
/// # Errors
///
/// [`CaptureError`] where it is no capture, or reading it fails.
pub fn records(reader: impl Read) -> Result<Records, CaptureError> {
    let events = Events::default();
    let mut stream = events.reader();
    let mut records: Vec<Record> = Vec::new();
    let mut places: HashMap<(MacAddr, u64), usize> = HashMap::new();
    let (mut left_out, mut unknown, mut held) = (0, 0, 0);
    let mut last = Timestamp::UNIX_EPOCH;
    let summary = read(reader, &mut |at, machine, kind| {
        last = last.max(at);
        events.emit(at, machine, kind);
        let Some(Next::Event(event)) = stream.try_next() else {
            return;
        };
        let Some(machine) = machine else {
            return unknown += 1;
        };
        let boot = (machine, event.boot_id);
        if let Some(record) = places.get(&boot).and_then(|place| records.get_mut(*place)) {
            if !record.boot.has_part(&event.kind) {
                return;
            }
            if held >= EVENTS && record.events.len() >= FEW {
                return left_out += 1;
            }
            held += 1;
            return record.take(event);
        }
        if !Boot::may_begin(&event.kind) {
            return;
        }
        if records.len() >= RECORDS {
            return left_out += 1;
        }
        held += 1;
        places.insert(boot, records.len());
        let id = records.len() as u64 + 1;
        records.push(Record::new(id, machine, event));
    })?;
    // What ended first was read first.
    for record in &mut records {
        record.sort();
    }
    Ok(Records {
        records,
        left_out,
        unknown,
        last,
        summary,
    })
}
