//! Changes of leases by the operator: ended, or taken from dnsmasq's lease file. Each is on the
//! disk before DHCP knows of it, as one that DHCP makes.

use std::net::Ipv4Addr;

use hyper::StatusCode;
use netboot_dhcp::Timestamp;
use netboot_dhcp::server::{Claim, ClaimResult, Server};
use serde_json::Value;

use super::{ApiError, Operations, internal};
use crate::config::Config;
use crate::dhcp::{self, Interfaces};
use crate::failure::Failure;
use crate::leases::Listed;
use crate::leases::offline::{Database, Imported, Plan, ended};

/// Ends the lease of an address, and gives it as it was. Blocks.
pub(super) fn remove(of: &Operations, address: &str) -> Result<Listed, ApiError> {
    let address: Ipv4Addr = address
        .parse()
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, format!("{address}: {error}")))?;
    let nothing = || ApiError::new(StatusCode::NOT_FOUND, format!("{address} has no lease"));
    let lease = of
        .leases
        .lock()
        .lease(address)
        .cloned()
        .ok_or_else(nothing)?;
    let now = of.leases.now();
    match store(of, vec![Claim::new(ended(&lease, now))]).first() {
        Some(ClaimResult::Stored) => {
            let client = &lease.client;
            tracing::info!("{address} is no longer lent to {client}: the operator says so");
            let world = of.worlds.current();
            Ok(Listed::of(&lease, Some(world.config()), of.leases.clock()))
        }
        Some(ClaimResult::Lost { .. }) => Err(ApiError::new(
            StatusCode::CONFLICT,
            format!("the lease of {address} changed at the same moment: see it and try again"),
        )),
        _ => Err(internal("the lease database cannot be written")),
    }
}

/// Takes the leases of a dnsmasq lease file. Blocks.
pub(super) fn import(of: &Operations, file: &[u8]) -> Result<Value, ApiError> {
    let text = std::str::from_utf8(file)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, format!("the file: {error}")))?;
    let known = of.store.read_now().map_err(internal)?;
    // One of its own: a long file is not read while messages wait.
    let settings = of.leases.lock().settings().clone();
    let server = Server::new(settings).map_err(internal)?;
    let plan = Plan::new(text, &server, of.leases.clock(), &known);
    let results = store(of, plan.claims());
    if results.contains(&ClaimResult::Down) {
        return Err(internal("the lease database cannot be written"));
    }
    let imported = plan.done(results);
    tracing::info!("{} leases of dnsmasq taken", imported.taken.len());
    Ok(imported.to_json())
}

/// Takes the leases of a dnsmasq lease file into the database of a configuration that no server
/// runs on.
///
/// # Errors
///
/// Where the database cannot be written.
pub fn import_offline(
    config: &Config,
    database: &Database,
    text: &str,
) -> Result<Imported, Failure> {
    let begun = Timestamp(0);
    let server = dhcp::new_server(config, &Interfaces::default(), begun, Vec::new())?;
    database.import(text, &server)
}

/// Stores claims, and then tells DHCP of those that were.
fn store(of: &Operations, claims: Vec<Claim>) -> Vec<ClaimResult> {
    let results = of.store.claim_now(claims.clone());
    let mut server = of.leases.lock();
    for (claim, result) in claims.into_iter().zip(&results) {
        if *result == ClaimResult::Stored {
            // One of a network that is served no more is kept on disk.
            let _ = server.restore(claim.lease);
        }
    }
    results
}
