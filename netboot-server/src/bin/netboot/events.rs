//! `netboot events`.

use std::process::ExitCode;

use clap::Args;
use netboot_dhcp::MacAddr;
use serde_json::Value;

use super::control::Control;
use super::{Where, out, say, told_to_end};
use crate::process::Reads;
use crate::time::local;
use netboot_server::Failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Go on with what comes, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// As JSON, one event a line
    #[arg(long)]
    json: bool,
    /// Only what concerns this machine
    #[arg(long)]
    mac: Option<MacAddr>,
    #[command(flatten)]
    at: Where,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let control = match arguments.at.state_dir_or_say(Reads::NothingElse) {
        Ok(dir) => Control::of(&dir),
        Err(code) => return Ok(code),
    };
    super::runtime()?.block_on(async {
        if !arguments.follow {
            let list = control.document("/api/v1/events").await?;
            let events = list["events"].as_array();
            for event in events.into_iter().flatten() {
                show(event, arguments)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let told = told_to_end();
        let shown = control.lines("/api/v1/events?follow", |line| {
            serde_json::from_slice(line).map_or(Ok(()), |event| show(&event, arguments))
        });
        tokio::select! {
            shown = shown => {
                shown?;
                say("netboot: the server ended\n");
                Ok(ExitCode::SUCCESS)
            }
            () = told => Ok(ExitCode::SUCCESS),
        }
    })
}

fn show(event: &Value, arguments: &Arguments) -> Result<(), Failure> {
    let missed = event["missed"].as_u64();
    let machine = event["machine"].as_str().and_then(|mac| mac.parse().ok());
    if missed.is_none() && arguments.mac.is_some() && arguments.mac != machine {
        return Ok(());
    }
    if arguments.json {
        return out(format_args!("{event}\n"));
    }
    if let Some(missed) = missed {
        return out(format_args!("({missed} events were too many to show)\n"));
    }
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let at = text("at");
    let at = at.parse().map_or_else(|_| at.to_owned(), local);
    out(format_args!("{at} {}\n", text("line")))
}
