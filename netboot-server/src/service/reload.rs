//! The change to another configuration while everything runs: whole, or not at all.

use std::sync::{Arc, MutexGuard, PoisonError};

use super::listeners::Listeners;
use super::{Reread, Shared};
use crate::config::{Config, Problems};
use crate::dhcp;
use crate::failure::Failure;
use crate::world::certificate;

impl Shared {
    /// Reads the configuration again and changes to it; leases, transfers and downloads go on, save
    /// those on an address that is served no more. Gives what is to be warned of. Blocks, and needs
    /// a runtime.
    ///
    /// # Errors
    ///
    /// What is wrong; then everything is as it was. Both are told in the log, too.
    pub(crate) fn reload(self: &Arc<Self>) -> Result<Problems, Problems> {
        let (config, mut problems) = match self.reread.get() {
            Some(Reread(reread)) => reread(),
            None => (None, not_from_files()),
        };
        let changed = config.is_some_and(|config| match self.change_to(config) {
            Ok(()) => true,
            Err(failure) => {
                problems.error(failure.tried, failure.why, failure.cure);
                false
            }
        });
        if changed {
            self.worlds.current().warn(&mut problems);
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

    fn change_to(self: &Arc<Self>, config: Config) -> Result<(), Failure> {
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
        let wanted = listeners.wanted(&config);
        let certificate = certificate::read(config.tls.as_ref())?;
        let prepared = listeners.prepare(&wanted, self)?;
        dhcp::reconfigure(self, &config)?;
        self.certificate.put(certificate);
        self.worlds.reconfigure(Arc::new(config));
        listeners.switch(&wanted, prepared, self);
        Ok(())
    }

    /// What listens.
    pub(crate) fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
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
