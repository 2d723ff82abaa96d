//! `netboot machine`: what the operator says of a machine's install.

use std::process::ExitCode;

use clap::ValueEnum;
use hyper::Method;
use serde_json::Value;

use super::control::Control;
use super::{Where, out};
use netboot_server::Failure;
use netboot_server::config::Config;
use netboot_server::world::installs::{Change, InstallStore, ReportError, State, installable};

/// What is said of a machine.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Word {
    /// The machine is installed: it boots its local disk from now on
    Installed,
    /// The machine is to be installed again: its next boot does so
    Reinstall,
}

pub(super) fn run(at: &Where, name: &str, word: Word) -> Result<ExitCode, Failure> {
    let config = match at.load_or_say() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let (path, change) = match word {
        Word::Installed => ("installed", Change::Installed),
        Word::Reinstall => ("reinstall", Change::Reinstall),
    };
    let control = Control::of(&config.state_dir);
    let path = format!("/api/v1/machines/{name}/{path}");
    let said = super::runtime()?.block_on(async {
        match control.ask(Method::POST, &path, "").await? {
            Some(answer) => control
                .accepted(
                    answer,
                    "see the targets and their `install` with `netboot check --print`",
                )
                .map(Some),
            None => Ok(None),
        }
    })?;
    let (state, changed) = match said {
        Some(document) => read(&document),
        // No server runs, so the states are this command's to change.
        None => change_store(&config, name, change)?,
    };
    let already = if changed { "" } else { " already" };
    let what = if state.installed {
        "is installed"
    } else {
        "is to be installed at its next boot"
    };
    out(format_args!(
        "{name} {what}{already} (install {})\n",
        state.number
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn read(document: &Value) -> (State, bool) {
    let is = |key: &str| document[key] == true;
    let state = State {
        number: document["number"].as_u64().unwrap_or_default(),
        installed: is("installed"),
    };
    (state, is("changed"))
}

fn change_store(config: &Config, name: &str, change: Change) -> Result<(State, bool), Failure> {
    let target = installable(config, name).map_err(|error| {
        let cure = match error {
            ReportError::NoInstall(_) => "write install = { image = \"NAME\" } there first",
            _ => "see the names in the configuration, or with `netboot check --print`",
        };
        Failure::new(format!("changing the install state of {name}"), error, cure)
    })?;
    let store = InstallStore::new(&config.state_dir);
    store.change(target, change, crate::host_time())
}
