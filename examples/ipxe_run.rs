//! Runs an iPXE script and prints what it would do:
//! `ipxe_run FILE [--set NAME=VALUE]… [--choose NAME]… [--fail fetch|boot|disk]…`.
//!
//! What is not chosen takes the default; whatever boots is taken to be the end.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use netboot_ipxe::run::{Answer, Effect, Run};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ipxe_run: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let mut file = None;
    let mut set = Vec::new();
    let mut choices = VecDeque::new();
    let mut failing = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
        match arg.as_str() {
            "--set" => set.push(value()?),
            "--choose" => choices.push_back(value()?),
            "--fail" => {
                let what = value()?;
                if !["fetch", "boot", "disk"].contains(&what.as_str()) {
                    return Err(format!("{what} cannot fail; fetch, boot and disk can"));
                }
                failing.push(what);
            }
            option if option.starts_with('-') => {
                return Err(format!("there is no option {option}"));
            }
            _ if file.is_some() => {
                return Err(format!("one file at a time: {arg} is a second one"));
            }
            _ => file = Some(arg),
        }
    }
    let file = file.ok_or("no file given")?;
    let source =
        std::fs::read_to_string(&file).map_err(|error| format!("reading {file}: {error}"))?;
    let mut run = Run::new(&source).map_err(|error| format!("{file}: {error}"))?;
    for setting in &set {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("{setting}: no value"))?;
        if !run.settings_mut().set(name, value) {
            return Err(format!(
                "{setting}: not a setting, or not a value of its type"
            ));
        }
    }
    let outcome = |what: &str| {
        if failing.iter().any(|failing| failing == what) {
            Answer::Failed
        } else {
            Answer::Done
        }
    };
    let mut answer = Answer::Done;
    loop {
        let effect = run.next(answer);
        match writeln!(io::stdout(), "{effect:?}") {
            // Nobody reads on, as behind `| head`.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(|error| format!("writing what it does: {error}"))?,
        }
        answer = match effect {
            Effect::End(_) => return Ok(()),
            Effect::Fetch { .. } => outcome("fetch"),
            Effect::Boot { .. } if outcome("boot") == Answer::Done => return Ok(()),
            Effect::Sanboot { .. } if outcome("disk") == Answer::Done => return Ok(()),
            Effect::Boot { .. } | Effect::Sanboot { .. } => Answer::Failed,
            Effect::Reboot { .. } | Effect::Shell => return Ok(()),
            Effect::Choose { default, items, .. } => {
                let first = || items.into_iter().find_map(|item| item.name);
                choices
                    .pop_front()
                    .or(default)
                    .or_else(first)
                    .map_or(Answer::Failed, Answer::Text)
            }
            _ => Answer::Done,
        };
    }
}
