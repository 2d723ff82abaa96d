//! `netboot status`: what the server that runs on a state folder does now.

mod page;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::control::Control;
use super::{Where, out, told_to_end};
use crate::Failure;
use page::Page;

pub(super) use page::clock;

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(1);
/// Moves to the top left corner and clears the screen from there.
const CLEAR: &str = "\x1b[H\x1b[J";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// As JSON; with --watch, one document a line
    #[arg(long)]
    json: bool,
    /// Look again every second, until interrupted
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let control = match arguments.at.state_dir_or_say() {
        Ok(dir) => Control::of(&dir),
        Err(code) => return Ok(code),
    };
    super::runtime()?.block_on(async {
        let told = told_to_end();
        let shown = show(&control, arguments);
        tokio::select! {
            shown = shown => shown.map(|()| ExitCode::SUCCESS),
            () = told, if arguments.watch => Ok(ExitCode::SUCCESS),
        }
    })
}

async fn show(control: &Control, arguments: &Arguments) -> Result<(), Failure> {
    let redraws = arguments.watch && !arguments.json && std::io::stdout().is_terminal();
    let mut before: Option<Page> = None;
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let status = control.document("/api/v1/status").await?;
        let machines = control.document("/api/v1/machines").await?;
        if arguments.json {
            let mut whole = status;
            whole["machines"] = machines;
            out(as_text(&whole, arguments.watch))?;
        } else {
            let page = Page::read(&status, &machines, jiff::Timestamp::now());
            let shown = page.shown(before.as_ref());
            out(format_args!("{}{shown}", if redraws { CLEAR } else { "" }))?;
            before = Some(page);
        }
        if !arguments.watch {
            return Ok(());
        }
    }
}

fn as_text(document: &Value, one_line: bool) -> String {
    if one_line {
        format!("{document}\n")
    } else {
        format!("{:#}\n", json!(document))
    }
}
