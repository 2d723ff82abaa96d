//! The change to another configuration while everything runs: whole, or not at all.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::task::JoinError;

use super::Core;
use super::builder::Reread;
use super::listeners::Listeners;
use crate::config::{Config, Problems};
use crate::failure::Failure;
use crate::world::certificate;

impl Core {
    /// Reads the configuration again and changes to it; leases, transfers and downloads go on, save
    /// those on an address that is served no more. Gives what is to be warned of. Blocks, and needs
    /// a runtime.
    ///
    /// # Errors
    ///
    /// What is wrong; then everything is as it was. Both are told in the log, too.
    pub(super) fn reload(&self) -> Result<Problems, Problems> {
        let (config, mut problems) = match &self.reread {
            Some(Reread(reread)) => reread(),
            None => (None, not_from_files()),
        };
        let before = self.worlds.current();
        let changed = config.is_some_and(|config| match self.change_to(config) {
            Ok(()) => true,
            Err(failure) => {
                problems.error(failure.tried, failure.why, failure.cure);
                false
            }
        });
        if changed {
            let now = self.worlds.current();
            now.warn(&mut problems);
            for ended in interfaces(before.config()).difference(&interfaces(now.config())) {
                let what = "is in no network any more: nobody on it is given an address";
                problems.note(format!("interface {ended}"), what);
            }
        }
        for problem in problems.iter() {
            problem.log();
        }
        if changed {
            tracing::info!("reloaded the configuration");
            Ok(problems)
        } else {
            tracing::error!("the configuration was not reloaded: the one before it goes on");
            Err(problems)
        }
    }

    fn change_to(&self, config: Config) -> Result<(), Failure> {
        // Before anything is held, since a store may take its time.
        let stored = self.answers.dhcp.stored()?;
        // Held to the end, so that one reload comes after the other.
        let mut listeners = self.listeners();
        let world = self.worlds.current();
        let before = world.config();
        let restart = |what: String, stays: &dyn std::fmt::Display| {
            let why = format!("{stays} is in use");
            Err(Failure::new(what, why, "restart the service for that"))
        };
        if config.state_dir != before.state_dir {
            return restart(
                format!(
                    "changing the state folder to {}",
                    config.state_dir.display()
                ),
                &before.state_dir.display(),
            );
        }
        if config.user != before.user {
            let user = |user: &Option<String>| user.clone().unwrap_or_else(|| "no `user`".into());
            return restart(
                format!("changing the user to {}", user(&config.user)),
                &user(&before.user),
            );
        }
        if config.tftp != before.tftp {
            return restart("changing `tftp`".into(), &"what it said before");
        }
        let wanted = listeners.wanted(&config);
        let certificate = certificate::read(config.tls.as_ref())?;
        let prepared = listeners.prepare(&wanted, &self.answers)?;
        // They are bound with DHCP's own, which an interface that is served goes on with.
        let beside = |config: &Config| (config.ports.boot_server, config.ports.dhcp_client);
        if beside(&config) != beside(before) {
            let (boot_server, client) = beside(before);
            return restart(
                "changing ports.boot_server or ports.dhcp_client".into(),
                &format_args!("{boot_server} and {client}"),
            );
        }
        self.answers.dhcp.reconfigure(&config, stored)?;
        self.answers.certificate.put(certificate);
        self.worlds.reconfigure(Arc::new(config));
        listeners.switch(&wanted, prepared, &self.answers);
        Ok(())
    }

    /// What listens, as `DHCP on eth1`, and whether it does now or is waited for.
    pub(super) fn endpoints(&self) -> Vec<(String, bool)> {
        let listeners = self.listeners();
        let states = listeners.states();
        states.map(|(one, now)| (one.to_string(), now)).collect()
    }

    /// What listens.
    pub(super) fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where DHCP is served.
fn interfaces(config: &Config) -> BTreeSet<&String> {
    let networks = config.networks.iter();
    networks.filter_map(|it| it.interface.as_ref()).collect()
}

/// Why a service that is being stopped reloads nothing.
pub(super) fn stopping() -> Problems {
    let mut problems = Problems::default();
    problems.error("the service", "is being stopped", "start it anew");
    problems
}

/// Why nothing can be said of a service that has ended.
pub(super) fn ended() -> Failure {
    Failure::new("asking the service", "it has ended", "start it anew")
}

/// Why a reload came to no end.
pub(super) fn broken_off(error: &JoinError) -> Problems {
    let mut problems = Problems::default();
    problems.error(
        "reloading the configuration",
        format!("broke off: {error}"),
        "restart the service, and report this as a defect with the log",
    );
    problems
}

fn not_from_files() -> Problems {
    let mut problems = Problems::default();
    problems.error(
        "the configuration",
        "was not read from a file",
        "start the service anew with the other one",
    );
    problems
}
