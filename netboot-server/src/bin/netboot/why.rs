//! `netboot why`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::anonymous::{Anonymizer, Names};
use super::boots::{outcome, path};
use super::control::Control;
use super::{Where, out, say};
use crate::process::Reads;
use crate::table::{BAD, Cell, Look, Table};
use crate::time::local;
use netboot_server::admin::explain::explain;
use netboot_server::boots::{Boot, OTHERS};
use netboot_server::capture::{Records, Summary, records};
use netboot_server::diagnosis::{Context, EARLIER, document, findings};
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
    /// Read the boots from a packet capture, pcap or pcapng, in place of asking the server: all
    /// of them, where no machine is named
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
    let source = match &arguments.pcap {
        Some(file) => match Capture::read(arguments, file)? {
            Ok(capture) => Source::Capture(Box::new(capture)),
            Err(code) => return Ok(code),
        },
        None => {
            let control = match arguments.at.state_dir_or_say(Reads::NothingElse) {
                Ok(dir) => Control::of(&dir),
                Err(code) => return Ok(code),
            };
            Source::Server(super::runtime()?.block_on(of_server(arguments, &control))?)
        }
    };
    if let Some(file) = &arguments.anonymize {
        write_anonymous(file, &source)?;
    }
    let look = Look::of_output();
    let (mut number, mut is_found) = (0, false);
    source.each(&mut |document| {
        is_found |= document["findings"]
            .as_array()
            .is_some_and(|it| !it.is_empty());
        number += 1;
        if arguments.json {
            return out(format_args!("{document}\n"));
        }
        let between = if number > 1 { "\n" } else { "" };
        out(format_args!("{between}{}", shown(&document, look)))
    })?;
    Ok(match is_found {
        true => FOUND.into(),
        false => ExitCode::SUCCESS,
    })
}

/// Where the boots come from.
enum Source {
    Server(Vec<Value>),
    Capture(Box<Capture>),
}

impl Source {
    /// Gives each boot that is asked for as a document, one at a time: a capture may have many.
    fn each(&self, take: &mut dyn FnMut(Value) -> Result<(), Failure>) -> Result<(), Failure> {
        match self {
            Self::Server(documents) => documents.iter().cloned().try_for_each(take),
            Self::Capture(capture) => {
                let mut places = capture.asked_for.iter();
                places.try_for_each(|place| take(capture.document(*place)?))
            }
        }
    }
}

/// Writes what can be shown to others into a file that is not there yet.
fn write_anonymous(file: &Path, source: &Source) -> Result<(), Failure> {
    let failed = |why: &dyn std::error::Error| {
        Failure::new(
            format!("writing {}", file.display()),
            Chain(why),
            "name a file that is not there yet, in a folder that you may write",
        )
    };
    let mut names = Names::new().map_err(|error| failed(&error))?;
    source.each(&mut |document| {
        names.learn(&document);
        Ok(())
    })?;
    let mut anonymizer = Anonymizer::new(names).map_err(|error| failed(&error))?;
    let to = File::create_new(file).map_err(|error| failed(&error))?;
    let mut to = BufWriter::new(to);
    source.each(&mut |mut document| {
        anonymizer.replace(&mut document);
        writeln!(to, "{document}").map_err(|error| failed(&error))
    })?;
    to.flush().map_err(|error| failed(&error))?;
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
            Some(machine) if !arguments.all_failed => {
                return Err(Failure::new(
                    format!("looking for boots of {machine}"),
                    "the server has heard of none",
                    "`netboot boots` lists those that there are; a machine that is not among them \
                     did not reach this server: look at its cable, its boot order and its VLAN, \
                     and at relay agents",
                ));
            }
            _ => say("netboot: no boot that failed is recorded\n"),
        }
    }
    let mut documents = Vec::new();
    for id in ids {
        documents.push(control.document(&format!("/api/v1/boots/{id}")).await?);
    }
    Ok(documents)
}

/// A capture that was read.
struct Capture {
    records: Records,
    world: Option<World>,
    others: Vec<Boot>,
    /// The places of the boots that are asked for.
    asked_for: Vec<usize>,
}

impl Capture {
    /// Reads it; what of it was not read is said on standard error.
    fn read(arguments: &Arguments, file: &Path) -> Result<Result<Self, ExitCode>, Failure> {
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
        let records = records(BufReader::new(opened)).map_err(|error| failed(&error))?;
        say_unread(&records);
        let boots = records.records.iter().map(|record| &record.boot);
        let asked_for = boots.clone().enumerate().filter(|(_, boot)| {
            let machine = arguments.machine.as_deref();
            let is_meant = machine.is_none_or(|machine| boot.is_called(machine));
            is_meant && (!arguments.all_failed || boot.outcome(records.last).is_bad())
        });
        let asked_for: Vec<_> = asked_for.map(|(place, _)| place).collect();
        if asked_for.is_empty() {
            say(match records.records.is_empty() {
                true => "netboot: no DHCP, TFTP or HTTP of a machine that boots is in it\n",
                false => "netboot: none of the boots in it is asked for\n",
            });
        }
        Ok(Ok(Self {
            others: boots.take(OTHERS).cloned().collect(),
            records,
            world,
            asked_for,
        }))
    }

    /// The boot of this place, and what is found in it.
    fn document(&self, place: usize) -> Result<Value, Failure> {
        let Records { records, last, .. } = &self.records;
        let Some(record) = records.get(place) else {
            return Ok(Value::Null);
        };
        let boot = &record.boot;
        let earlier = records.get(..place).into_iter().flatten().rev();
        let history = earlier.filter(|before| before.boot.machine == boot.machine);
        let history: Vec<_> = history.map(|it| it.boot.clone()).take(EARLIER).collect();
        let mut context = Context::at(*last);
        context.world = self.world.as_ref();
        context.history = &history;
        context.others = &self.others;
        context.is_foreign = true;
        let document = document(record, &findings(record, &context), *last);
        let mut document =
            document.map_err(|error| Failure::new("writing JSON", Chain(&error), "report this"))?;
        if let Some(world) = &self.world {
            let machine = Machine {
                mac: Some(boot.machine),
                uuid: boot.uuid,
                circuit: None,
                arch: boot.arch,
                network: None,
            };
            document["here"] = json!(explain(world, &machine));
        }
        Ok(document)
    }
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
    also(read.left_out, "events were too many to keep");
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
