//! What the command does to the lease database while no server runs on it, and what a running
//! server is asked for in the same words.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Claim, ClaimResult, Lease, LeaseState, Server};

use serde_json::{Value, json};

use super::dnsmasq;
pub use super::dnsmasq::LeftOut;
use super::file::LeaseFile;
use crate::failure::Failure;
use crate::leases::clock::Clock;

/// What came of an import.
#[derive(Debug, Default)]
pub struct Imported {
    /// The leases that were taken.
    pub taken: Vec<Lease>,
    /// The lines that were not.
    pub left_out: Vec<LeftOut>,
    /// Leases that were not taken because another machine has the address.
    pub kept: Vec<Lease>,
}

/// Every stored lease, by network and address, with the clock that they are counted by.
///
/// # Errors
///
/// Where the database cannot be opened or read, or is not there.
pub fn list(path: &Path) -> Result<(Vec<Lease>, Clock), Failure> {
    let (file, leases) = open(path)?;
    let clock = file.clock(&leases);
    Ok((leases, clock))
}

/// Ends the lease of an address, so that others can have it; `None` where it has none.
///
/// # Errors
///
/// Where the database cannot be opened or written, or is not there.
pub fn remove(path: &Path, address: Ipv4Addr) -> Result<Option<Lease>, Failure> {
    let (file, leases) = open(path)?;
    let now = file.clock(&leases).now();
    let Some(lease) = leases.into_iter().find(|lease| lease.address == address) else {
        return Ok(None);
    };
    let ended = ended(&lease, now);
    file.claim(std::iter::once(&Claim::new(ended)))?;
    Ok(Some(lease))
}

/// Takes the leases of a dnsmasq lease file that this server may give. An address that another
/// machine has now keeps its lease.
///
/// # Errors
///
/// Where the database cannot be opened or written.
pub(crate) fn import(path: &Path, text: &str, server: &Server) -> Result<Imported, Failure> {
    let (file, leases, _) = LeaseFile::open(path)?;
    let plan = Plan::new(text, server, &file.clock(&leases), &leases);
    let results = file.claim(plan.claims().iter())?;
    Ok(plan.done(results))
}

/// What an import is to store.
#[derive(Debug)]
pub(crate) struct Plan(Imported);

impl Plan {
    /// Of a dnsmasq lease file, beside the leases that are known.
    pub(crate) fn new(text: &str, server: &Server, clock: &Clock, known: &[Lease]) -> Self {
        let now = clock.now();
        let known: BTreeMap<_, _> = known
            .iter()
            .map(|lease| ((lease.network, lease.address), lease))
            .collect();
        let (read, left_out) = dnsmasq::read(text, server, clock.host_time(now));
        let mut plan = Imported {
            left_out,
            ..Imported::default()
        };
        for mut lease in read {
            lease.expires = clock.own_time(lease.expires);
            lease.updated = now;
            let known = known.get(&(lease.network, lease.address));
            if known.is_some_and(|known| known.client != lease.client && known.is_active(now)) {
                plan.kept.push(lease);
            } else {
                lease.version = known.map_or(0, |known| known.version) + 1;
                plan.taken.push(lease);
            }
        }
        Self(plan)
    }

    /// The claims to store, in order.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        self.0.taken.iter().cloned().map(Claim::new).collect()
    }

    /// What came of it, by how each claim went. A second line for an address finds the first one's
    /// version.
    pub(crate) fn done(self, results: Vec<ClaimResult>) -> Imported {
        let mut results = results.into_iter();
        let mut imported = self.0;
        imported
            .taken
            .retain(|_| results.next() == Some(ClaimResult::Stored));
        imported
    }
}

impl Imported {
    /// As the API says it.
    pub fn to_json(&self) -> Value {
        let left_out = self.left_out.iter();
        let left_out = left_out.map(|one| json!({ "line": one.line, "why": one.why }));
        let kept = self.kept.iter();
        let kept = kept
            .map(|lease| json!({ "address": lease.address, "client": lease.client.to_string() }));
        json!({
            "taken": self.taken.len(),
            "left_out": left_out.collect::<Vec<_>>(),
            "kept": kept.collect::<Vec<_>>(),
        })
    }
}

/// The lease as it is when its client has given it back.
pub(crate) fn ended(lease: &Lease, now: Timestamp) -> Lease {
    let mut ended = lease.clone();
    ended.state = LeaseState::Released;
    ended.expires = now;
    ended.updated = now;
    ended.version = lease.version.saturating_add(1);
    ended
}

fn open(path: &Path) -> Result<(LeaseFile, Vec<Lease>), Failure> {
    if !path.exists() {
        return Err(Failure::new(
            format!("opening the lease database {}", path.display()),
            "it is not there",
            "name the state folder with --state-dir; the first lease makes it",
        ));
    }
    LeaseFile::open(path).map(|(file, leases, _)| (file, leases))
}
