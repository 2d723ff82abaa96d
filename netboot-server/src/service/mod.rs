//! The service: DHCP, TFTP and HTTP on every network of the configuration, joined by one boot
//! policy and one event stream.

mod builder;
mod control;
mod endpoint;
mod health;
mod inherited;
mod listeners;
mod reload;
mod shares;
mod threads;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::admin::Operations;
use crate::boot_files::BootFiles;
use crate::boot_http::BootSite;
use crate::config::{Config, Problems};
use crate::dhcp::Dhcp;
use crate::failure::Failure;
use crate::telemetry::Telemetry;
use crate::telemetry::events::Events;
use crate::world::Worlds;
use crate::world::certificate::Certificate;
use builder::Reread;
use health::Looked;
use listeners::Listeners;

pub use builder::ServiceBuilder;
pub use control::path as control_socket;
pub use health::{Health, Unwell};
pub use inherited::Inherited;

/// How long DHCP and TFTP sockets may take to close.
const GRACE: Duration = Duration::from_secs(15);

/// What requests are answered with, one part for each kind of endpoint.
#[derive(Debug, Clone)]
struct Answers {
    dhcp: Dhcp,
    files: BootFiles,
    site: Arc<BootSite>,
    operations: Arc<Operations>,
    certificate: Arc<Certificate>,
    telemetry: Telemetry,
}

/// What is left of the service when its endpoints have what they answer with: it changes all of
/// them at once.
#[derive(Debug)]
struct Core {
    worlds: Arc<Worlds>,
    answers: Answers,
    listeners: Mutex<Listeners>,
    reread: Option<Reread>,
    looked: Looked,
}

/// A running service. Dropping it stops it at once; [`Service::stop`] lets downloads finish.
#[derive(Debug)]
pub struct Service {
    core: Arc<Core>,
    tasks: TaskTracker,
    failed: mpsc::Receiver<Failure>,
    guard: tokio_util::sync::DropGuard,
}

impl Service {
    /// A service that is to run by this configuration.
    pub fn builder(config: Config) -> ServiceBuilder {
        ServiceBuilder::new(config)
    }

    /// Reads the configuration again and changes to it whole: networks and interfaces that are new
    /// are bound, those that are gone are closed, and leases, transfers and downloads on the others
    /// go on. Gives what is to be warned of.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it; then nothing has changed.
    pub async fn reload(&self) -> Result<Problems, Problems> {
        let core = Arc::clone(&self.core);
        tokio::task::spawn_blocking(move || core.reload())
            .await
            .unwrap_or_else(|error| Err(reload::broken_off(&error)))
    }

    /// Each thing that listens, as `DHCP on eth1`, and whether it does now or is waited for.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(String, bool)> {
        self.core.endpoints()
    }

    /// Has everything decided anew, since the policy that was given to the builder would now answer
    /// otherwise: scripts that were written are forgotten.
    pub async fn policy_changed(&self) {
        let core = Arc::clone(&self.core);
        let renewed = tokio::task::spawn_blocking(move || core.worlds.renew());
        let _ = renewed.await;
    }

    /// Whether it does what it is there for, to be asked for as long as it runs.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::of(Arc::downgrade(&self.core))
    }

    /// The event stream.
    #[must_use]
    pub fn events(&self) -> &Events {
        self.core.answers.telemetry.events()
    }

    /// The worlds that decisions are made in.
    #[must_use]
    pub fn worlds(&self) -> &Worlds {
        &self.core.worlds
    }

    /// Waits until an endpoint that was waited for turned out to be impossible. Cancel-safe.
    pub async fn failed(&mut self) -> Failure {
        match self.failed.recv().await {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }

    /// Stops listening and lets what is under way finish, within a grace time.
    pub async fn stop(self) {
        drop(self.guard);
        self.tasks.close();
        let _ = tokio::time::timeout(GRACE, self.tasks.wait()).await;
    }
}
