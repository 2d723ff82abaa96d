//! `netboot boots`.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::control::Control;
use super::{Where, out};
use crate::process::Reads;
use crate::table::{BAD, Cell, GOOD, Look, POOR, Table};
use crate::time::local;
use netboot_server::Failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only those of this machine: its MAC address, name, address or UUID
    machine: Option<String>,
    /// Only those that did not come to their image
    #[arg(long)]
    failed: bool,
    /// How many at most, the newest
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50)]
    number: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let control = match arguments.at.state_dir_or_say(Reads::NothingElse) {
        Ok(dir) => Control::of(&dir),
        Err(code) => return Ok(code),
    };
    let machine = arguments.machine.as_deref();
    let path = path(machine, arguments.failed, arguments.number);
    let document = super::runtime()?.block_on(control.document(&path))?;
    if arguments.json {
        out(format_args!("{document}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let boots = document["boots"].as_array();
    let rows = boots.into_iter().flatten().map(row);
    let head = ["BOOT", "BEGAN", "MACHINE", "NAME", "OUTCOME", "WHY"];
    out(Table::new(head, rows).shown(Look::of_output()))?;
    Ok(ExitCode::SUCCESS)
}

/// Where the API lists boots.
pub(super) fn path(machine: Option<&str>, only_failed: bool, limit: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    if let Some(machine) = machine {
        query.append_pair("machine", machine);
    }
    if only_failed {
        query.append_key_only("failed");
    }
    format!("/api/v1/boots?{}", query.finish())
}

fn row(boot: &Value) -> [Cell; 6] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let began = text(&boot["began"]);
    let began = began.parse().map_or(began, local);
    let why = match &boot["finding"] {
        Value::Null => text(&boot["boots"]).into(),
        finding => Cell::from(format!(
            "{}: {}",
            text(&finding["code"]),
            text(&finding["cause"])
        )),
    };
    [
        boot["id"].to_string().into(),
        began.into(),
        text(&boot["machine"]).into(),
        text(&boot["name"]).into(),
        outcome(boot, &boot["outcome"]),
        why,
    ]
}

/// What became of a boot, in words.
pub(super) fn outcome(boot: &Value, outcome: &Value) -> Cell {
    let word = |value: &Value| value.as_str().unwrap_or("unknown").replace('_', " ");
    match outcome.as_str().unwrap_or_default() {
        "failed" => Cell::styled(format!("failed at {}", word(&boot["failed"])), BAD),
        "never_finished" => Cell::styled(format!("silent after {}", word(&boot["progress"])), BAD),
        "handed_over" => Cell::styled("has its image", GOOD),
        "local" => Cell::styled("local disk", GOOD),
        "menu" => Cell::styled("at the menu", POOR),
        "running" => Cell::styled(format!("goes on, {}", word(&boot["progress"])), POOR),
        _ => Cell::from(word(outcome)),
    }
}
