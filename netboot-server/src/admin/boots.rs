//! The records of boots, and what is found in them.

use std::sync::Arc;

use hyper::StatusCode;
use jiff::Timestamp;
use netboot_dhcp::MacAddr;
use serde::Serialize;
use serde_json::{Value, json};

use super::{ApiError, Operations, Query, internal};
use crate::boots::{Boot, BootStore, OTHERS, Outcome, Record, StoreError};
use crate::diagnosis::{self, Finding};
use crate::failure::Chain;
use crate::telemetry::host_time;

/// Boots of one answer, where the question names no number.
const LIMIT: usize = 50;

/// Boots of one answer that are looked at though they are not over.
const LOOKED_AT: usize = 50;

/// Boots of one answer at most.
const MOST: usize = 10_000;

/// Which boots are asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// A MAC address, a name, an address or a UUID.
    machine: Option<String>,
    before: Option<u64>,
    limit: usize,
    only_failed: bool,
}

impl Asked {
    pub(super) fn of(query: Query<'_>) -> Result<Self, ApiError> {
        let limit: Option<usize> = query.parsed("limit")?;
        Ok(Self {
            machine: query.value("machine"),
            before: query.parsed("before")?,
            limit: limit.unwrap_or(LIMIT).min(MOST),
            only_failed: query.has("failed"),
        })
    }
}

/// A boot with its events, and what is found in it.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) record: Record,
    pub(super) findings: Vec<Finding>,
}

/// A boot as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    boot: Boot,
    outcome: Outcome,
}

/// Boots, the newest first.
pub(super) fn list(of: &Operations, asked: &Asked) -> Result<Value, ApiError> {
    let store = store(of)?;
    let now = host_time();
    let machine = match &asked.machine {
        Some(text) => match machine(of, store, text)? {
            Some(machine) => Some(machine),
            None => return Ok(json!({ "boots": [] })),
        },
        None => None,
    };
    let wanted = if asked.only_failed { MOST } else { asked.limit };
    let boots = store.list(machine, asked.before, wanted).map_err(failed)?;
    let listed = boots.into_iter().map(|boot| Listed {
        outcome: boot.outcome(now),
        boot,
    });
    let is_asked_for = |one: &Listed| !asked.only_failed || one.outcome.is_bad();
    let listed = listed.filter(is_asked_for).take(asked.limit);
    let mut listed: Vec<Listed> = listed.collect();
    // The others were looked at when they were over, or are too many.
    let running = listed.iter_mut().filter(|one| !one.boot.settled);
    let others = store.list(None, None, OTHERS).map_err(failed)?;
    for one in running.take(LOOKED_AT) {
        let record = store.record(one.boot.id).map_err(failed)?;
        if let Some(record) = record {
            let world = of.worlds.last();
            let found = diagnosis::of_stored(&record, store, &others, &world, now);
            one.boot.finding = diagnosis::headline(&found.map_err(failed)?);
        }
    }
    Ok(json!({ "boots": listed }))
}

/// The newest boots of a machine, and the last of them with what is found in it.
pub(super) fn of_machine(
    of: &Operations,
    machine: MacAddr,
    limit: usize,
    now: Timestamp,
) -> Result<(Vec<Boot>, Option<Examined>), ApiError> {
    let boots = store(of)?
        .list(Some(machine), None, limit)
        .map_err(failed)?;
    let last = boots
        .first()
        .map(|boot| find(of, boot.id, now))
        .transpose()?;
    Ok((boots, last))
}

/// One boot with its events, and what is found in it.
pub(super) fn find(of: &Operations, id: u64, now: Timestamp) -> Result<Examined, ApiError> {
    let store = store(of)?;
    let gone = || ApiError::new(StatusCode::NOT_FOUND, format!("there is no boot {id}"));
    let record = store.record(id).map_err(failed)?.ok_or_else(gone)?;
    let world = of.worlds.current();
    let others = store.list(None, None, OTHERS).map_err(failed)?;
    let findings = diagnosis::of_stored(&record, store, &others, &world, now).map_err(failed)?;
    Ok(Examined { record, findings })
}

/// One boot as a document.
pub(super) fn record(of: &Operations, id: u64) -> Result<Value, ApiError> {
    let now = host_time();
    let boot = find(of, id, now)?;
    diagnosis::document(&boot.record, &boot.findings, now).map_err(internal)
}

fn store(of: &Operations) -> Result<&Arc<BootStore>, ApiError> {
    of.boots.as_ref().ok_or_else(|| {
        let why = "boots are not recorded: the server's log says why, at its start";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, why)
    })
}

/// The machine that is meant by a MAC address, a target's name, or what a boot says of it.
fn machine(of: &Operations, store: &BootStore, text: &str) -> Result<Option<MacAddr>, ApiError> {
    if let Ok(mac) = text.parse() {
        return Ok(Some(mac));
    }
    let world = of.worlds.current();
    let mut targets = world.config().targets.iter();
    let target = targets.find(|target| target.name == text);
    if let Some(mac) = target.and_then(|target| target.mac) {
        return Ok(Some(mac));
    }
    let boots = store.list(None, None, MOST).map_err(failed)?;
    Ok(boots
        .iter()
        .find(|boot| boot.is_called(text))
        .map(|boot| boot.machine))
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn failed(error: StoreError) -> ApiError {
    internal(Chain(&error))
}
