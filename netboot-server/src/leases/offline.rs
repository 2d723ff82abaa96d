//! What the command does to the lease database while no server runs on it, and what a running
//! server is asked for in the same words.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Claim, ClaimResult, Lease, LeaseState, NetworkId, Server};

use serde_json::{Value, json};

use super::dnsmasq;
pub use super::dnsmasq::LeftOut;
use super::file::{Beginning, LeaseFile};
use super::reading;
pub use super::reading::Salvaged;
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

/// Every stored lease, by network and address, with the clock that they are counted by. Nothing is
/// written.
///
/// # Errors
///
/// Where the database cannot be read, is damaged or is not there.
pub fn list(path: &Path) -> Result<(Vec<Lease>, Clock), Failure> {
    reading::look(path)?.ok_or_else(|| missing(path))
}

/// A lease database that no server has open meanwhile.
#[derive(Debug)]
pub struct Database {
    file: LeaseFile,
    leases: Vec<Lease>,
    beginning: Beginning,
}

impl Database {
    /// Opens the one that is there.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened, is damaged or is not there.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        is_there(path)?;
        Self::open_or_begin(path)
    }

    /// Opens the one that is there, or begins one.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened or made, or is damaged.
    pub fn open_or_begin(path: &Path) -> Result<Self, Failure> {
        Ok(Self::of(LeaseFile::open_sound(path)?))
    }

    /// Opens the one that is there, with what can be read of it where it is damaged.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened or written, or is not there.
    pub fn salvage(path: &Path) -> Result<Self, Failure> {
        is_there(path)?;
        Ok(Self::of(LeaseFile::open(path)?))
    }

    fn of((file, leases, beginning): (LeaseFile, Vec<Lease>, Beginning)) -> Self {
        Self {
            file,
            leases,
            beginning,
        }
    }

    /// What there is to say of how it was opened.
    pub fn notice(&self) -> Option<String> {
        self.beginning.notice()
    }

    /// Every lease in it when it was opened.
    pub fn leases(&self) -> &[Lease] {
        &self.leases
    }

    /// Ends the lease of an address, so that others can have it; `None` where it has none.
    ///
    /// # Errors
    ///
    /// Where the database cannot be written.
    pub fn remove(&self, address: Ipv4Addr) -> Result<Option<&Lease>, Failure> {
        let now = self.file.clock().now();
        let mut leases = self.leases.iter();
        let Some(lease) = leases.find(|lease| lease.address == address) else {
            return Ok(None);
        };
        let claim = Claim::new(ended(lease, now));
        self.file.claim(std::iter::once(&claim))?;
        Ok(Some(lease))
    }

    /// Takes the leases of a dnsmasq lease file that this server may give. An address that another
    /// machine has now keeps its lease.
    ///
    /// # Errors
    ///
    /// Where the database cannot be written.
    pub(crate) fn import(&self, text: &str, server: &Server) -> Result<Imported, Failure> {
        let plan = Plan::new(text, server, &self.file.clock(), &self.leases);
        let results = self.file.claim(plan.claims().iter())?;
        Ok(plan.done(results))
    }

    /// Takes what could be read of another file: all of it, or where the database cannot be written
    /// nothing. An address that has a newer lease here, or that another machine has now, keeps its
    /// lease. Gives how many were taken.
    ///
    /// # Errors
    ///
    /// Where the database cannot be written.
    pub fn take_over(&self, salvaged: Salvaged) -> Result<usize, Failure> {
        let now = self.file.clock().now();
        let known = by_address(&self.leases);
        let wanted = |lease: &Lease| {
            known
                .get(&(lease.network, lease.address))
                .is_none_or(|known| {
                    known.version < lease.version
                        && (known.client == lease.client || !known.is_active(now))
                })
        };
        let mut leases = salvaged.leases;
        leases.retain(wanted);
        let taken = leases.len();
        self.file.take_in(leases)?;
        Ok(taken)
    }
}

fn by_address(leases: &[Lease]) -> BTreeMap<(NetworkId, Ipv4Addr), &Lease> {
    let leases = leases.iter();
    leases
        .map(|lease| ((lease.network, lease.address), lease))
        .collect()
}

fn is_there(path: &Path) -> Result<(), Failure> {
    match path.try_exists() {
        Ok(false) => Err(missing(path)),
        // Opening it says why it cannot be looked at.
        Ok(true) | Err(_) => Ok(()),
    }
}

fn missing(path: &Path) -> Failure {
    Failure::new(
        format!("opening the lease database {}", path.display()),
        "it is not there",
        "name the state folder with --state-dir; the first lease makes it",
    )
}

/// What an import is to store.
#[derive(Debug)]
pub(crate) struct Plan(Imported);

impl Plan {
    /// Of a dnsmasq lease file, beside the leases that are known.
    pub(crate) fn new(text: &str, server: &Server, clock: &Clock, known: &[Lease]) -> Self {
        let now = clock.now();
        let known = by_address(known);
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
