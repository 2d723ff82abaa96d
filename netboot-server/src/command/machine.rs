//! `netboot machine`: what the operator says of a machine's install.

use std::process::ExitCode;

use clap::ValueEnum;

use super::{Where, out};
use crate::Failure;
use crate::install::{Change, InstallStore, Installs};

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
    let failed = |why: &str, cure: &str| {
        let tried = format!("changing the install state of {name}");
        Failure::new(tried, why, cure)
    };
    let mut targets = config.targets.iter();
    let target = targets.find(|target| target.name == name).ok_or_else(|| {
        failed(
            "no target is called so",
            "see the names in the configuration, or with `netboot check --print`",
        )
    })?;
    if !Installs::has_install(&config, target) {
        return Err(failed(
            "neither the target nor its group has `install`",
            "write install = { image = \"NAME\" } there first",
        ));
    }
    let change = match word {
        Word::Installed => Change::Installed,
        Word::Reinstall => Change::Reinstall,
    };
    // A running server looks at the states with each request.
    let store = InstallStore::new(&config.state_dir);
    let (state, changed) = store.change(target, change, jiff::Timestamp::now())?;
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
