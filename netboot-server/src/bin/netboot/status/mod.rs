//! `netboot status`: what the server that runs on a state folder does now.

mod page;
mod screen;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::control::Control;
use super::{Where, out, say, told_to_end};
use crate::process::Reads;
use crate::table::Look;
use netboot_server::Failure;
use page::Page;
use screen::Screen;

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(1);

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
    let control = match arguments.at.state_dir_or_say(Reads::NothingElse) {
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
    let screen = Screen::of_output().filter(|_| arguments.watch && !arguments.json);
    let mut before: Option<Page> = None;
    let mut seen = false;
    let mut lost = false;
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let (status, machines) = match look(control).await {
            Ok(documents) => documents,
            // A server that is restarted comes back.
            Err(failure) if arguments.watch && seen => {
                match &screen {
                    Some(screen) => {
                        screen.draw(&format!("{failure}\nlooking again each second\n"))?
                    }
                    None if !lost => say(format_args!("netboot: {failure}; looking again\n")),
                    None => {}
                }
                lost = true;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        (seen, lost) = (true, false);
        if arguments.json {
            let mut whole = status;
            whole["machines"] = machines;
            out(as_text(&whole, arguments.watch))?;
        } else {
            let page = Page::read(&status, &machines, crate::host_time())?;
            let shown = page.shown(before.as_ref(), Look::of_output(), screen::columns());
            match &screen {
                Some(screen) => screen.draw(&shown)?,
                None => out(shown)?,
            }
            before = Some(page);
        }
        if !arguments.watch {
            return Ok(());
        }
    }
}

async fn look(control: &Control) -> Result<(Value, Value), Failure> {
    let status = control.document("/api/v1/status").await?;
    let machines = control.document("/api/v1/machines").await?;
    Ok((status, machines))
}

fn as_text(document: &Value, one_line: bool) -> String {
    if one_line {
        format!("{document}\n")
    } else {
        format!("{:#}\n", json!(document))
    }
}
