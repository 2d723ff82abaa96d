//! `netboot leases`: through the server that runs on a state folder, else on its database.

use std::fs::File;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::control::Control;
use super::{Where, out, say};
use crate::process::Reads;
use crate::table::{Cell, Look, POOR, Table};
use crate::time::local;
use netboot_server::config::Config;
use netboot_server::leases::Listed;
use netboot_server::leases::offline::{self, Database, Salvaged};
use netboot_server::{Failure, admin, state_dir};

/// The longest lease file, as the API has it too.
const LONGEST: u64 = 16 << 20;

/// The leases in the API.
const LEASES: &str = "/api/v1/leases";

/// The lease database in a state folder.
const FILE: &str = "leases";

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
    /// Take over what can be read of a damaged lease database, while no server runs
    #[command(after_help = "Examples:\n  netboot leases salvage\n  \
                            netboot leases salvage /var/lib/netboot/leases.damaged-20260101T000000Z")]
    Salvage {
        /// A database that was set aside, or of another host; else the one in the state folder
        file: Option<PathBuf>,
        #[command(flatten)]
        at: Where,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.action {
        None => list(&arguments.at, arguments.json),
        Some(Action::Remove { address, at }) => remove(at, *address),
        Some(Action::Import { file, at }) => import(at, file),
        Some(Action::Salvage { file, at }) => salvage(at, file.as_deref()),
    }
}

/// Asks the server that runs on a state folder; `None` where none does.
fn ask(dir: &Path, method: Method, path: &str, body: Vec<u8>) -> Result<Option<Value>, Failure> {
    let control = Control::of(dir);
    let answer = super::runtime()?.block_on(control.ask(method.clone(), path, body))?;
    let cure = match method {
        Method::POST => "correct the file; no lease of it was taken",
        _ => "`netboot leases` lists those that there are",
    };
    answer
        .map(|answer| control.accepted(answer, cure))
        .transpose()
}

/// What a server said, as this version knows it.
fn understood<T: DeserializeOwned>(document: Value) -> Result<T, Failure> {
    serde_json::from_value(document).map_err(|error| {
        Failure::new(
            "reading the server's answer",
            error,
            "use its own version of netboot",
        )
    })
}

fn list(at: &Where, as_json: bool) -> Result<ExitCode, Failure> {
    let dir = match at.state_dir_or_say(Reads::WhatIsNamed) {
        Ok(dir) => dir,
        Err(code) => return Ok(code),
    };
    let leases: Vec<Listed> = match ask(&dir, Method::GET, LEASES, Vec::new())? {
        Some(leases) => understood(leases)?,
        None => stored(at, &dir)?,
    };
    if as_json {
        out(format_args!("{}\n", json!(leases)))?;
    } else {
        let head = ["ADDRESS", "CLIENT", "STATE", "UNTIL", "HOST"];
        let table = Table::new(head, leases.iter().map(row));
        out(table.shown(Look::of_output()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(lease: &Listed) -> [Cell; 5] {
    let state = lease.state.as_ref();
    let state = match state {
        "bound" => Cell::from(state),
        "declined" => Cell::styled(state, POOR),
        _ => Cell::past(state),
    };
    [
        lease.address.to_string().into(),
        lease.client.as_str().into(),
        state,
        lease
            .expires
            .map_or_else(|| "for ever".into(), local)
            .into(),
        lease.host_name.as_deref().unwrap_or_default().into(),
    ]
}

/// What is in the database that no server has open.
fn stored(at: &Where, dir: &Path) -> Result<Vec<Listed>, Failure> {
    let (config, _) = at.load();
    let (leases, clock) = offline::list(&dir.join(FILE))?;
    let leases = leases.iter();
    Ok(leases
        .map(|lease| Listed::of(lease, config.as_ref(), &clock))
        .collect())
}

fn remove(at: &Where, address: Ipv4Addr) -> Result<ExitCode, Failure> {
    let dir = match at.state_dir_or_say(Reads::NothingElse) {
        Ok(dir) => dir,
        Err(code) => return Ok(code),
    };
    let path = format!("{LEASES}/{address}");
    let client = match ask(&dir, Method::DELETE, &path, Vec::new())? {
        Some(lease) => understood::<Listed>(lease)?.client,
        None => {
            let database = opened(Database::open(&dir.join(FILE)))?;
            let ended = database.remove(address)?;
            let ended = ended.ok_or_else(|| {
                Failure::new(
                    format!("ending the lease of {address}"),
                    format!("{address} has no lease"),
                    "`netboot leases` lists those that there are",
                )
            })?;
            ended.client.to_string()
        }
    };
    out(format_args!("{address} is no longer lent to {client}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// A lease file as a whole. A device may have no end.
fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(file)?
        .take(LONGEST + 1)
        .read_to_string(&mut text)?;
    match length as u64 > LONGEST {
        true => Err(io::Error::other("it is longer than 16 MiB")),
        false => Ok(text),
    }
}

fn import(at: &Where, file: &Path) -> Result<ExitCode, Failure> {
    let dir = match at.state_dir_or_say(Reads::WhatIsNamed) {
        Ok(dir) => dir,
        Err(code) => return Ok(code),
    };
    let text = read(file).map_err(|error| {
        Failure::new(
            format!("reading {}", file.display()),
            error,
            "name dnsmasq's lease file, such as /var/lib/misc/dnsmasq.leases",
        )
    })?;
    let imported = match ask(&dir, Method::POST, LEASES, text.clone().into_bytes())? {
        Some(imported) => imported,
        None => {
            let config = match at.load_or_say() {
                Ok(config) => config,
                Err(code) => return Ok(code),
            };
            import_offline(&config, &text)?
        }
    };
    for one in imported["left_out"].as_array().into_iter().flatten() {
        let (line, why) = (&one["line"], one["why"].as_str().unwrap_or_default());
        say(format_args!(
            "{}, line {line}: left out: {why}\n",
            file.display()
        ));
    }
    for one in imported["kept"].as_array().into_iter().flatten() {
        let text = |key: &str| one[key].as_str().unwrap_or_default();
        say(format_args!(
            "{}: left out for {}: another machine has it here\n",
            text("address"),
            text("client")
        ));
    }
    out(format_args!("{} leases taken\n", imported["taken"]))?;
    Ok(ExitCode::SUCCESS)
}

fn import_offline(config: &Config, text: &str) -> Result<Value, Failure> {
    state_dir::make_dir(&config.state_dir).map_err(|error| {
        Failure::new(
            format!("making the folder {}", config.state_dir.display()),
            error,
            "let this user write there, or name another folder with --state-dir",
        )
    })?;
    let database = opened(Database::open_or_begin(&config.leases_file()))?;
    Ok(admin::import_offline(config, &database, text)?.to_json())
}

/// A database, with what there is to say of it said.
fn opened(database: Result<Database, Failure>) -> Result<Database, Failure> {
    database.inspect(|database| {
        if let Some(notice) = database.notice() {
            say(format_args!("{notice}\n"));
        }
    })
}

fn salvage(at: &Where, file: Option<&Path>) -> Result<ExitCode, Failure> {
    let dir = match at.state_dir_or_say(Reads::WhatIsNamed) {
        Ok(dir) => dir,
        Err(code) => return Ok(code),
    };
    let path = dir.join(FILE);
    let taken = match file {
        None => opened(Database::salvage(&path))?.leases().len(),
        Some(file) => {
            let salvaged = Salvaged::read(file)?.ok_or_else(|| {
                Failure::new(
                    format!("reading {}", file.display()),
                    "it is not there",
                    "name a lease database, such as one that was set aside",
                )
            })?;
            if let Some(notice) = salvaged.notice() {
                say(format_args!("{}: {notice}\n", file.display()));
            }
            opened(Database::open_or_begin(&path))?.take_over(salvaged)?
        }
    };
    match file {
        None => out(format_args!("{taken} leases are in the database\n"))?,
        Some(_) => out(format_args!("{taken} leases taken\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}
