//! `netboot leases`, on the database of a state folder that no server runs on.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use netboot_dhcp::server::{Lease, LeaseState};
use serde_json::json;

use super::{Where, out, say};
use crate::Failure;
use crate::clock::Clock;
use crate::dhcp::network_id;
use crate::leases::offline;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// End the lease of an address, so that others can have it
    Remove {
        /// The address
        address: Ipv4Addr,
        #[command(flatten)]
        at: Where,
    },
    /// Take the leases of a dnsmasq lease file
    #[command(after_help = "Example:\n  netboot leases import /var/lib/misc/dnsmasq.leases")]
    Import {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        at: Where,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.action {
        None => list(&arguments.at, arguments.json),
        Some(Action::Remove { address, at }) => remove(at, *address),
        Some(Action::Import { file, at }) => import(at, file),
    }
}

fn list(at: &Where, as_json: bool) -> Result<ExitCode, Failure> {
    let dir = match at.state_dir_or_say() {
        Ok(dir) => dir,
        Err(code) => return Ok(code),
    };
    let leases = offline::list(&dir.join("leases"))?;
    let now = Clock::start(None).now();
    let state = |lease: &Lease| match lease.state {
        LeaseState::Bound if lease.expires > now => "bound",
        LeaseState::Bound => "expired",
        LeaseState::Released => "released",
        LeaseState::Declined => "declined",
    };
    if as_json {
        let all: Vec<_> = leases
            .iter()
            .map(|lease| {
                json!({
                    "address": lease.address, "client": lease.client.to_string(),
                    "host_name": lease.host_name, "state": state(lease),
                    "expires": when(lease), "updated": at_time(lease.updated.0),
                })
            })
            .collect();
        out(format_args!("{}\n", json!(all)))?;
        return Ok(ExitCode::SUCCESS);
    }
    for lease in &leases {
        let until = when(lease).map_or_else(|| "for ever".into(), |at| at.to_string());
        out(format_args!(
            "{:<15} {:<17} {:<8} {until} {}\n",
            lease.address.to_string(),
            lease.client.to_string(),
            state(lease),
            lease.host_name.as_deref().unwrap_or_default()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// When it ends; `None` where no calendar has it.
fn when(lease: &Lease) -> Option<jiff::Timestamp> {
    at_time(lease.expires.0)
}

fn at_time(millis: u64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()
}

fn remove(at: &Where, address: Ipv4Addr) -> Result<ExitCode, Failure> {
    let dir = match at.state_dir_or_say() {
        Ok(dir) => dir,
        Err(code) => return Ok(code),
    };
    let now = Clock::start(None).now();
    match offline::remove(&dir.join("leases"), address, now)? {
        Some(lease) => {
            out(format_args!(
                "{address} is no longer lent to {}\n",
                lease.client
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            say(format_args!("netboot: {address} has no lease\n"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn import(at: &Where, file: &std::path::Path) -> Result<ExitCode, Failure> {
    let config = match at.load_or_say() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(
            format!("reading {}", file.display()),
            error,
            "name dnsmasq's lease file, such as /var/lib/misc/dnsmasq.leases",
        )
    })?;
    let networks = config.networks.iter();
    let networks: Vec<_> = networks
        .map(|network| (network_id(network.subnet), network.subnet))
        .collect();
    let leases = config.leases_file();
    std::fs::create_dir_all(&config.state_dir).map_err(|error| {
        Failure::new(
            format!("making the folder {}", config.state_dir.display()),
            error,
            "name another with --state-dir",
        )
    })?;
    let now = Clock::start(None).now();
    let imported = offline::import(&leases, &text, &networks, now)?;
    for left_out in &imported.left_out {
        say(format_args!(
            "{}, line {}: left out: {}\n",
            file.display(),
            left_out.line,
            left_out.why
        ));
    }
    for kept in &imported.kept {
        say(format_args!(
            "{}: left out for {}: another machine has it here\n",
            kept.address, kept.client
        ));
    }
    out(format_args!("{} leases taken\n", imported.taken.len()))?;
    Ok(ExitCode::SUCCESS)
}
