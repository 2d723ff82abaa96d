//! Runs an iPXE script and prints what it would do:
//! `ipxe_run FILE [--set NAME=VALUE]… [--choose NAME]… [--fail fetch|boot|disk]…`.
//!
//! What is not chosen takes the default; whatever boots is taken to be the end.

use std::{collections::VecDeque, process::ExitCode};

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
            "--fail" => failing.push(value()?),
            _ => file = Some(arg),
        }
    }
    let file = file.ok_or("no file given")?;
    let source = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
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
        println!("{effect:?}");
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
