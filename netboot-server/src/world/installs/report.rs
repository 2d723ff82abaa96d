//! Who says that a machine is installed, and what is believed.

use std::sync::Arc;

use crate::config::{Config, Target};
use crate::failure::Failure;
use crate::telemetry::Telemetry;
use crate::telemetry::events::{InstallWord, Kind};
use crate::world::Worlds;

use super::{Change, Secret, State};

/// Why a word about an install changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The token is not that of this machine and install; or there is no such machine.
    #[error("that is no token of this machine for that install")]
    Token,
    /// The token was one, once.
    #[error("install {0} was reported already, or another has come after it")]
    Over(u64),
    /// No target has the name.
    #[error("no target is called {0:?}")]
    NoTarget(String),
    /// Neither the target nor its group has `install`.
    #[error("neither {0} nor its group has `install`")]
    NoInstall(String),
    /// The change cannot be kept.
    #[error("{0}")]
    Store(Failure),
}

/// Takes reports of installs, and operators' words about them.
#[derive(Debug, Clone)]
pub(crate) struct InstallReports {
    worlds: Arc<Worlds>,
    secret: Arc<Secret>,
    telemetry: Telemetry,
}

impl InstallReports {
    pub(crate) fn new(worlds: Arc<Worlds>, secret: Arc<Secret>, telemetry: Telemetry) -> Self {
        Self {
            worlds,
            secret,
            telemetry,
        }
    }

    /// A machine's own word that it is installed, by the token of its install. Blocks.
    pub(crate) fn report(
        &self,
        now: jiff::Timestamp,
        name: &str,
        number: u64,
        token: &str,
    ) -> Result<State, ReportError> {
        if !self.secret.is_token(token, name, number) {
            return Err(ReportError::Token);
        }
        let change = Change::Reported(number);
        // Its target may be gone by now; strangers are not told which there are.
        let done = self.change(now, name, change, InstallWord::Machine);
        match done {
            Ok((state, true)) => Ok(state),
            Ok((_, false)) => Err(ReportError::Over(number)),
            Err(ReportError::NoTarget(_) | ReportError::NoInstall(_)) => Err(ReportError::Token),
            Err(error) => Err(error),
        }
    }

    /// Changes a machine's install state; gives the state it has then, and whether it is another.
    /// Blocks.
    pub(crate) fn change(
        &self,
        now: jiff::Timestamp,
        name: &str,
        change: Change,
        by: InstallWord,
    ) -> Result<(State, bool), ReportError> {
        let world = self.worlds.current();
        let target = installable(world.config(), name)?;
        let store = self.worlds.installs();
        let (state, changed) = store
            .change(target, change, now)
            .map_err(ReportError::Store)?;
        if changed {
            // The next script is of the new state, however soon it is asked for.
            drop(self.worlds.current());
            self.telemetry.emit(
                target.mac,
                Kind::Install {
                    name: name.to_owned(),
                    number: state.number,
                    installed: state.installed,
                    by,
                },
            );
        }
        Ok((state, changed))
    }
}

/// The target of this name, where it is to be installed at all.
pub fn installable<'c>(config: &'c Config, name: &str) -> Result<&'c Target, ReportError> {
    let mut targets = config.targets.iter();
    let target = targets
        .find(|target| target.name == name)
        .ok_or_else(|| ReportError::NoTarget(name.to_owned()))?;
    let of_group = config.group_of(target).and_then(|it| it.install.as_ref());
    if target.install.is_none() && of_group.is_none() {
        return Err(ReportError::NoInstall(name.to_owned()));
    }
    Ok(target)
}
