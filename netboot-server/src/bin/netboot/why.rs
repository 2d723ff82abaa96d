//! `netboot why`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::anonymous::Anonymizer;
use super::boots::{outcome, path};
use super::control::Control;
use super::{Where, out, say};
use crate::process::Reads;
use crate::table::{BAD, Cell, Look, Table};
use crate::time::local;
use netboot_server::admin::explain::explain;
use netboot_server::capture::{Records, Summary, records};
use netboot_server::diagnosis::{Context, document, findings};
use netboot_server::world::{Machine, World};
use netboot_server::{Chain, Failure};

/// What this ends with where something was found.
const FOUND: u8 = 3;

/// Boots that `--all-failed` shows, the newest.
const FAILED: usize = 100;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The machine: its MAC address, name, address or UUID [default: the one that failed last]
    machine: Option<String>,
    /// The boot of this number, as `netboot boots` lists it
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["machine", "last", "all_failed"])]
    boot: Option<u64>,
    /// The last boot, also where nothing is wrong in it
    #[arg(long, conflicts_with = "all_failed")]
    last: bool,
    /// Every boot that did not come to its image, the newest first
    #[arg(long)]
    all_failed: bool,
    /// Read the boots from a packet capture, pcap or pcapng, in place of asking the server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["boot", "last"])]
    pcap: Option<PathBuf>,
    /// Also write the boots to this file, as JSON, with MAC addresses, addresses, UUIDs and names
    /// replaced, so that it can be attached to a report
    #[arg(long, value_name = "OUT")]
    anonymize: Option<PathBuf>,
    /// As JSON, one boot a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let documents = match &arguments.pcap {
        Some(file) => match of_capture(arguments, file)? {
            Ok(documents) => documents,
            Err(code) => return Ok(code),
        },
        None => {
            let control = match arguments.at.state_dir_or_say(Reads::NothingElse) {
                Ok(dir) => Control::of(&dir),
                Err(code) => return Ok(code),
            };
            super::runtime()?.block_on(of_server(arguments, &control))?
        }
    };
    if let Some(file) = &arguments.anonymize {
        write_anonymous(file, &documents)?;
    }
    let look = Look::of_output();
    for (number, document) in documents.iter().enumerate() {
        if arguments.json {
            out(format_args!("{document}\n"))?;
        } else {
            let between = if number > 0 { "\n" } else { "" };
            out(format_args!("{between}{}", shown(document, look)))?;
        }
    }
    let is_found = |document: &Value| {
        document["findings"]
            .as_array()
            .is_some_and(|it| !it.is_empty())
    };
    Ok(match documents.iter().any(is_found) {
        true => FOUND.into(),
        false => ExitCode::SUCCESS,
    })
}

/// Writes what can be shown to others into a file that is not there yet.
fn write_anonymous(file: &Path, documents: &[Value]) -> Result<(), Failure> {
    let failed = |why: &dyn std::error::Error| {
        Failure::new(
            format!("writing {}", file.display()),
            Chain(why),
            "name a file that is not there yet, in a folder that you may write",
        )
    };
    let mut anonymizer = Anonymizer::new(documents).map_err(|error| failed(&error))?;
    let mut text = String::new();
    for document in documents {
        let mut document = document.clone();
        anonymizer.replace(&mut document);
        let _ = writeln!(text, "{document}");
    }
    let written = File::create_new(file).and_then(|mut to| to.write_all(text.as_bytes()));
    written.map_err(|error| failed(&error))?;
    say(format_args!(
        "netboot: {} has the boots with MAC addresses, addresses, UUIDs and the names of machines \
         and images replaced; look at it before you send it\n",
        file.display()
    ));
    Ok(())
}

/// The boots that are asked for, of the server that runs.
async fn of_server(arguments: &Arguments, control: &Control) -> Result<Vec<Value>, Failure> {
    if let Some(id) = arguments.boot {
        return Ok(vec![
            control.document(&format!("/api/v1/boots/{id}")).await?,
        ]);
    }
    let machine = arguments.machine.as_deref();
    let only_failed = arguments.all_failed || (machine.is_none() && !arguments.last);
    let limit = if arguments.all_failed { FAILED } else { 1 };
    let list = control.document(&path(machine, only_failed, limit)).await?;
    let ids = list["boots"].as_array().into_iter().flatten();
    let ids: Vec<_> = ids.filter_map(|boot| boot["id"].as_u64()).collect();
    if ids.is_empty() {
        match machine {
            Some(machine) => {
                return Err(Failure::new(
                    format!("looking for boots of {machine}"),
                    "the server has heard of none",
                    "`netboot boots` lists those that there are; a machine that is not among them \
                     did not reach this server: look at its cable, its boot order and its VLAN, \
                     and at relay agents",
                ));
            }
            None => say("netboot: no boot that failed is recorded\n"),
        }
    }
    let mut documents = Vec::new();
    for id in ids {
        documents.push(control.document(&format!("/api/v1/boots/{id}")).await?);
    }
    Ok(documents)
}

/// The boots of a capture; what of it was not read is said on standard error.
fn of_capture(arguments: &Arguments, file: &Path) -> Result<Result<Vec<Value>, ExitCode>, Failure> {
    let failed = |why: &dyn std::error::Error| {
        Failure::new(
            format!("reading {}", file.display()),
            Chain(why),
            "name a capture of Wireshark, tcpdump or dumpcap",
        )
    };
    // A configuration that nobody named is of no capture.
    let world = match arguments.at.config.is_empty() {
        true => None,
        false => match arguments.at.load_or_say() {
            Ok(config) => Some(World::look(config)?),
            Err(code) => return Ok(Err(code)),
        },
    };
    let opened = File::open(file).map_err(|error: io::Error| failed(&error))?;
    let read = records(BufReader::new(opened)).map_err(|error| failed(&error))?;
    say_unread(&read);
    let mut documents = Vec::new();
    for (place, record) in read.records.iter().enumerate() {
        let boot = &record.boot;
        let is_meant = arguments.machine.as_deref().is_none_or(|machine| {
            machine.parse() == Ok(boot.machine)
                || boot.name.as_deref() == Some(machine)
                || boot.address.is_some_and(|it| it.to_string() == machine)
                || boot.uuid.is_some_and(|it| it.to_string() == machine)
        });
        if !is_meant {
            continue;
        }
        let earlier = read.records.get(..place).into_iter().flatten().rev();
        let history = earlier.filter(|before| before.boot.machine == boot.machine);
        let history: Vec<_> = history.map(|before| before.boot.clone()).collect();
        let others: Vec<_> = read
            .records
            .iter()
            .map(|it| it.boot.clone())
            .take(200)
            .collect();
        let mut context = Context::at(read.last);
        context.world = world.as_ref();
        context.history = &history;
        context.others = &others;
        let found = findings(record, &context);
        if arguments.all_failed && found.is_empty() {
            continue;
        }
        let written = document(record, &found, read.last);
        let mut document = written.map_err(|error| failed(&error))?;
        if let Some(world) = &world {
            let machine = Machine {
                mac: Some(boot.machine),
                uuid: boot.uuid,
                circuit: None,
                arch: boot.arch,
                network: None,
            };
            document["here"] = json!(explain(world, &machine));
        }
        documents.push(document);
    }
    if documents.is_empty() {
        say(match read.records.is_empty() {
            true => "netboot: no DHCP, TFTP or HTTP of a machine that boots is in it\n",
            false => "netboot: none of the boots in it is asked for\n",
        });
    }
    Ok(Ok(documents))
}

fn say_unread(read: &Records) {
    let Summary {
        packets,
        used,
        skipped,
        stopped,
        forgotten,
        ..
    } = &read.summary;
    let mut text = format!("netboot: {used} of {packets} packets are of boots");
    let mut also = |count: u64, what: &str| {
        if count > 0 {
            let _ = write!(text, "; {count} {what}");
        }
    };
    also(
        skipped.cut_off,
        "are cut off: capture whole packets (tcpdump -s 0)",
    );
    also(
        skipped.link_type,
        "are of a link type that is not known here",
    );
    also(skipped.fragments, "are fragments");
    also(skipped.malformed, "are malformed");
    also(*forgotten, "transfers were too many to follow");
    also(read.left_out, "events are of boots beyond the first 10000");
    also(read.unknown, "events are of no machine that is known");
    if let Some(stopped) = stopped {
        let _ = write!(text, "; the rest was not read: {stopped}");
    }
    text.push('\n');
    say(text);
}

/// A boot for people: the findings first, then what happened.
fn shown(document: &Value, look: Look) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let boot = &document["boot"];
    let mut shown = String::new();
    let machine = text(&boot["machine"]);
    let machine = match boot["name"].as_str() {
        Some(name) => format!("{name} ({machine})"),
        None => machine,
    };
    let began = text(&boot["began"]);
    let began = began.parse().map_or(began, local);
    let outcome = outcome(boot, &document["outcome"]);
    let _ = writeln!(
        shown,
        "{machine}, boot {} of {began}: {}",
        boot["id"],
        look.painted(&outcome)
    );
    let findings = document["findings"].as_array();
    let findings: Vec<_> = findings.into_iter().flatten().collect();
    if findings.is_empty() {
        shown.push_str("\nNothing was found that is wrong.\n");
    }
    for finding in &findings {
        let code = Cell::styled(text(&finding["code"]), BAD);
        let _ = writeln!(
            shown,
            "\n{} ({}): {}\nWhat to do: {}",
            look.painted(&code),
            text(&finding["certainty"]),
            text(&finding["cause"]),
            text(&finding["cure"])
        );
    }
    if let Some(here) = document["here"]["decision"].as_str() {
        let _ = writeln!(shown, "\nHere it would boot: {here}");
    }
    let evidence = findings.iter().filter_map(|it| it["evidence"].as_array());
    let evidence: Vec<_> = evidence.flatten().filter_map(Value::as_u64).collect();
    let events = document["events"].as_array();
    let rows = events
        .into_iter()
        .flatten()
        .zip(0u64..)
        .map(|(event, place)| {
            let seconds = event["after_ms"].as_f64().unwrap_or_default() / 1_000.0;
            let mark = match (evidence.contains(&place), &event["failed"]) {
                (true, _) => Cell::styled("->", BAD),
                (false, Value::Null) => Cell::from(""),
                (false, _) => Cell::from("!"),
            };
            [
                mark,
                format!("{seconds:9.3} s").into(),
                text(&event["line"]).into(),
            ]
        });
    shown.push('\n');
    shown.push_str(&Table::new(["", "AFTER", "WHAT HAPPENED"], rows).shown(look));
    if let Some(left_out @ 1..) = document["left_out"].as_u64() {
        let _ = writeln!(shown, "{left_out} events in the middle are not kept.");
    }
    shown
}
