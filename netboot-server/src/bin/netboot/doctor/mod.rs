//! `netboot doctor`: what of this host stands in the way of machines that boot.

mod firewall;
mod host;
mod others;
mod state;

use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;
use hyper::Method;
use serde::Serialize;

use super::control::Control;
use super::{Where, out};
use crate::table::{BAD, GOOD, Look, POOR};
use netboot_server::Failure;
use netboot_server::config::{Config, Problems, Severity};
use netboot_server::world::World;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Send a DHCPDISCOVER on this interface, and name the servers that answer; needs root
    #[arg(long, value_name = "INTERFACE")]
    probe: Vec<String>,
    /// Do not read the images' files, which takes as long as `netboot image verify --generation
    /// current` does
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    at: Where,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    state: State,
    /// What: `interface eth1`.
    about: String,
    /// How it is.
    what: String,
    /// What to do; empty where all is well.
    cure: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Somebody will miss something.
    Warning,
    /// Machines do not boot.
    Fault,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, about: impl Into<String>, what: impl Into<String>) {
        self.add(State::Ok, about, what, "");
    }

    fn warning(
        &mut self,
        about: impl Into<String>,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.add(State::Warning, about, what, cure);
    }

    fn fault(
        &mut self,
        about: impl Into<String>,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.add(State::Fault, about, what, cure);
    }

    fn add(
        &mut self,
        state: State,
        about: impl Into<String>,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.0.push(Finding {
            state,
            about: about.into(),
            what: what.into(),
            cure: cure.into(),
        });
    }

    fn count(&self, state: State) -> usize {
        self.0
            .iter()
            .filter(|finding| finding.state == state)
            .count()
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut findings = Findings::default();
    let (config, mut problems) = arguments.at.load();
    let world = config.clone().map(World::look);
    if let Some(Ok(world)) = &world {
        world.warn(&mut problems);
    }
    configuration(config.as_ref(), &problems, &mut findings);
    if let Some(config) = &config {
        host::look(config, is_served(config), &mut findings);
    }
    match &world {
        Some(Ok(world)) => state::look(world, arguments.quick, &mut findings),
        Some(Err(Failure { tried, why, cure })) => findings.fault(tried, why, cure),
        None => {}
    }
    let ours: Vec<_> = config
        .iter()
        .flat_map(|config| &config.networks)
        .map(|one| one.server)
        .collect();
    for interface in &arguments.probe {
        others::look(interface, &ours, &mut findings);
    }
    show(&findings, arguments.json)?;
    Ok(if findings.count(State::Fault) > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Whether a server runs on the configuration's state folder, as far as this user can tell.
#[derive(Debug)]
enum Served {
    Yes,
    No,
    Unknown(Failure),
}

fn is_served(config: &Config) -> Served {
    let control = Control::of(&config.state_dir);
    let asked = super::runtime().and_then(|runtime| {
        runtime.block_on(control.ask(Method::GET, "/api/v1/status", Bytes::new()))
    });
    match asked {
        Ok(Some(_)) => Served::Yes,
        Ok(None) => Served::No,
        Err(failure) => Served::Unknown(failure),
    }
}

fn configuration(config: Option<&Config>, problems: &Problems, findings: &mut Findings) {
    for problem in problems.iter() {
        let state = match problem.severity {
            Severity::Note => continue,
            Severity::Warning => State::Warning,
            Severity::Error => State::Fault,
        };
        findings.add(state, &problem.place, &problem.what, &problem.cure);
    }
    if let Some(config) = config {
        findings.ok(
            "configuration",
            format!(
                "{} network(s), {} target(s)",
                config.networks.len(),
                config.targets.len()
            ),
        );
    }
}

fn show(findings: &Findings, json: bool) -> Result<(), Failure> {
    if json {
        let healthy = findings.count(State::Fault) == 0;
        let document = serde_json::json!({ "healthy": healthy, "findings": findings.0 });
        return out(format_args!("{document:#}\n"));
    }
    let look = Look::of_output();
    for finding in &findings.0 {
        let Finding {
            state,
            about,
            what,
            cure,
        } = finding;
        let (state, style) = match state {
            State::Ok => ("ok", GOOD),
            State::Warning => ("warning", POOR),
            State::Fault => ("FAULT", BAD),
        };
        let state = look.paint(style, &format!("{state:8}"));
        out(format_args!("{state} {about}: {what}\n"))?;
        if !cure.is_empty() {
            out(format_args!("{:8}   cure: {cure}\n", ""))?;
        }
    }
    out(format_args!(
        "{} fault(s), {} warning(s)\n",
        findings.count(State::Fault),
        findings.count(State::Warning)
    ))
}
