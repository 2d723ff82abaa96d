//! What the command does to the lease database while no server runs on it, and what a running
//! server is asked for in the same words.

use std::net::Ipv4Addr;
use std::path::Path;

use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Effect, EffectResult, Lease, LeaseState, NetworkId, Subnet};

use super::dnsmasq;
pub(crate) use super::dnsmasq::LeftOut;
use super::file::LeaseFile;
use crate::failure::Failure;

/// What came of an import.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// The leases that were taken.
    pub(crate) taken: Vec<Lease>,
    /// The lines that were not.
    pub(crate) left_out: Vec<LeftOut>,
    /// Leases that were not taken because another machine has the address.
    pub(crate) kept: Vec<Lease>,
}

/// Every stored lease, by network and address.
///
/// # Errors
///
/// Where the database cannot be opened or read, or is not there.
pub(crate) fn list(path: &Path) -> Result<Vec<Lease>, Failure> {
    open(path).map(|(_, leases)| leases)
}

/// Ends the lease of an address, so that others can have it; `None` where it has none.
///
/// # Errors
///
/// Where the database cannot be opened or written, or is not there.
pub(crate) fn remove(
    path: &Path,
    address: Ipv4Addr,
    now: Timestamp,
) -> Result<Option<Lease>, Failure> {
    let (file, leases) = open(path)?;
    let Some(lease) = leases.into_iter().find(|lease| lease.address == address) else {
        return Ok(None);
    };
    let ended = ended(&lease, now);
    file.claim(std::iter::once(&claim(ended)))?;
    Ok(Some(lease))
}

/// Takes the leases of a dnsmasq lease file that belong to these networks. An address that another
/// machine has now keeps its lease.
///
/// # Errors
///
/// Where the database cannot be opened or written.
pub(crate) fn import(
    path: &Path,
    text: &str,
    networks: &[(NetworkId, Subnet)],
    now: Timestamp,
) -> Result<Imported, Failure> {
    let (file, leases, _) = LeaseFile::open(path)?;
    let (read, left_out) = dnsmasq::read(text, networks, now);
    let mut imported = Imported {
        left_out,
        ..Imported::default()
    };
    let mut claims = Vec::new();
    for mut lease in read {
        let known = leases
            .iter()
            .find(|known| (known.network, known.address) == (lease.network, lease.address));
        if known.is_some_and(|known| known.client != lease.client && known.is_active(now)) {
            imported.kept.push(lease);
            continue;
        }
        lease.version = known.map_or(0, |known| known.version) + 1;
        claims.push(claim(lease.clone()));
        imported.taken.push(lease);
    }
    let results = file.claim(claims.iter())?;
    let mut results = results.into_iter();
    // A second line for an address finds the first one's version.
    imported
        .taken
        .retain(|_| results.next() == Some(EffectResult::Claimed));
    Ok(imported)
}

/// The lease as it is when its client has given it back.
pub(crate) fn ended(lease: &Lease, now: Timestamp) -> Lease {
    Lease {
        state: LeaseState::Released,
        expires: now,
        updated: now,
        version: lease.version.saturating_add(1),
        ..lease.clone()
    }
}

/// The claim that replaces the version before.
pub(crate) fn claim(lease: Lease) -> Effect {
    Effect::Claim {
        expected_version: lease.version.saturating_sub(1),
        lease,
    }
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
