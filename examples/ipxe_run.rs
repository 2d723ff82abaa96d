//! Runs an iPXE script and prints what it would do.
//!
//! `cargo run -p netboot-examples --bin ipxe_run -- boot.ipxe --set net0/ip=192.168.100.101`

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use netboot_ipxe::run::{Answer, Effect, Run};

/// Run an iPXE script and print what it would do. What boots is taken to be the end.
#[derive(Debug, Parser)]
struct Arguments {
    /// Script to run.
    file: String,
    /// Give a setting a value before it runs.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Choose this item of the next menu; the default where nothing is said.
    #[arg(long, value_name = "NAME")]
    choose: Vec<String>,
    /// Have this fail whenever it is tried.
    #[arg(long, value_enum)]
    fail: Vec<Fails>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fails {
    Fetch,
    Boot,
    Disk,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ipxe_run: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let file = arguments.file;
    let mut choices = VecDeque::from(arguments.choose);
    let source =
        std::fs::read_to_string(&file).map_err(|error| format!("reading {file}: {error}"))?;
    let mut run = Run::new(&source).map_err(|error| format!("{file}: {error}"))?;
    for setting in &arguments.set {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("{setting}: no value"))?;
        if !run.settings_mut().set(name, value) {
            return Err(format!(
                "{setting}: not a setting, or not a value of its type"
            ));
        }
    }
    let outcome = |what: Fails| {
        if arguments.fail.contains(&what) {
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
            Effect::Fetch { .. } => outcome(Fails::Fetch),
            Effect::Boot { .. } if outcome(Fails::Boot) == Answer::Done => return Ok(()),
            Effect::Sanboot { .. } if outcome(Fails::Disk) == Answer::Done => return Ok(()),
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
