//! A DHCP server that asks an inventory what each machine boots, and keeps its leases in a file.
//!
//! `cargo run -p netboot-examples --bin dhcp_inventory -- --interface eth1 --settings dhcp.json
//! --inventory machines.json --leases leases.json`, with settings as in `tests/dhcp.rs`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use netboot_dhcp::driver::{BootPolicy, Driver, LeaseStore, SharedServer};
use netboot_dhcp::server::{Boot, Claim, ClaimResult, Lease, Requester, Server};
use tokio::{sync::Mutex, task::spawn_blocking};

/// Serve one interface by DHCP, with boot files from an inventory and leases in a file.
#[derive(Debug, Parser)]
struct Arguments {
    /// The interface that is served.
    #[arg(long)]
    interface: String,
    /// The server's settings in JSON, in which the interface has the number 1.
    #[arg(long)]
    settings: PathBuf,
    /// Boot files by MAC address, as {"52:54:00:12:34:56": "ipxe.efi"}; read for each message.
    #[arg(long)]
    inventory: PathBuf,
    /// The file that leases are kept in.
    #[arg(long)]
    leases: PathBuf,
}

struct Inventory(PathBuf);

impl BootPolicy for Inventory {
    // Other machines are answered meanwhile: it may as well be a service far away.
    async fn boot(&self, machine: &Requester<'_>) -> Boot {
        let text = tokio::fs::read(&self.0).await;
        let files = text.and_then(|text| Ok(serde_json::from_slice(&text)?));
        let files: BTreeMap<String, String> = match files {
            Ok(files) => files,
            // Better no answer than a machine that boots something else: it asks again.
            Err(error) => {
                eprintln!("dhcp_inventory: cannot read {}: {error}", self.0.display());
                return Boot::silent();
            }
        };
        let file = machine.mac().and_then(|mac| files.get(&mac.to_string()));
        file.map_or_else(Boot::default, Boot::file)
    }
}

/// A file with all leases, which is read and replaced while the lock is held.
struct LeaseFile(Arc<Mutex<PathBuf>>);

impl LeaseStore for LeaseFile {
    async fn load(&self) -> io::Result<Vec<Lease>> {
        read(&self.0.lock().await)
    }

    async fn claim(&self, claims: Vec<Claim>) -> Vec<ClaimResult> {
        let path = Arc::clone(&self.0);
        let stored = spawn_blocking(move || store(claims, &path.blocking_lock())).await;
        // Without results nothing counts as stored, and no client gets an ACK.
        stored
            .unwrap_or_else(|panic| Err(panic.into()))
            .unwrap_or_else(|error| {
                eprintln!("dhcp_inventory: cannot store leases: {error}");
                Vec::new()
            })
    }
}

fn read(path: &Path) -> io::Result<Vec<Lease>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => Ok(serde_json::from_slice(&read?)?),
    }
}

fn store(claims: Vec<Claim>, path: &Path) -> io::Result<Vec<ClaimResult>> {
    let mut leases = read(path)?;
    let claim = |claim: Claim| {
        let of = |lease: &Lease| (lease.network, lease.address);
        let held = leases.iter_mut().find(|held| of(held) == of(&claim.lease));
        match held {
            Some(held) if held.version == claim.expected_version => *held = claim.lease,
            None if claim.expected_version == 0 => leases.push(claim.lease),
            held => {
                let current = held.cloned();
                return ClaimResult::Lost { current };
            }
        }
        ClaimResult::Stored
    };
    let results = claims.into_iter().map(claim).collect();
    // Whenever the host stops, the file is wholly the old one or wholly the new one.
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(&leases)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(path.with_file_name("."))?.sync_all()?;
    Ok(results)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if let Err(error) = serve(Arguments::parse()).await {
        eprintln!("dhcp_inventory: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let path = arguments.settings.display();
    let settings = fs::read(&arguments.settings);
    let settings = settings.map_err(|error| format!("cannot read {path}: {error}"))?;
    let settings = serde_json::from_slice(&settings);
    let settings = settings.map_err(|error| format!("{path}: {error}"))?;
    let server = SharedServer::new(Server::new(settings)?);
    let store = LeaseFile(Arc::new(Mutex::new(arguments.leases)));
    let driver = Driver::new(server, Inventory(arguments.inventory), store)
        .observe(|interface, event| println!("{}", event.line(interface)));
    // Before anything is served: else an address that a machine has is offered to another, which
    // the store then refuses.
    for lease in driver.restore().await? {
        eprintln!("dhcp_inventory: no network has {}", lease.address);
    }
    let interface = &arguments.interface;
    let listener = driver.bind(interface, 1);
    let listener = listener.map_err(|error| format!("cannot serve {interface}: {error}"))?;
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    driver.serve(listener, stop).await;
    Ok(())
}
