//! The service: DHCP, TFTP and HTTP on every network of the configuration, joined by one boot
//! policy and one event stream.

mod control;
mod endpoint;
mod inherited;
mod listeners;
mod reload;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Operations;
use crate::boot_files::BootFiles;
use crate::boot_http::BootSite;
use crate::config::{Config, Problems};
use crate::dhcp::{self, Dhcp};
use crate::failure::Failure;
use crate::http::Downloads;
use crate::identity::Identity;
use crate::leases::{Beginning, LeaseFile, LeaseStore, LeaseTable};
use crate::script::cache::Scripts;
use crate::telemetry::events::{Events, Kind};
use crate::telemetry::{Telemetry, host_time};
use crate::world::Worlds;
use crate::world::certificate::{self, Certificate};
use crate::world::installs::{InstallReports, Secret};
pub use control::path as control_socket;
pub use inherited::Inherited;
use listeners::Listeners;

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
    reread: OnceLock<Reread>,
}

/// Reads the configuration again.
struct Reread(Box<dyn Fn() -> (Option<Config>, Problems) + Send + Sync>);

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reread")
    }
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
    /// Opens the state folder and the lease database, binds every socket that can be bound, and
    /// serves. What an interface is missing for is waited for in the background.
    ///
    /// # Errors
    ///
    /// Where the state cannot be opened, a port is taken or not permitted. Nothing is left running
    /// then.
    pub async fn start(config: Config) -> Result<Self, Failure> {
        Self::start_with(config, Inherited::default()).await
    }

    /// As [`Service::start`], on sockets that a service manager has bound where it has.
    ///
    /// # Errors
    ///
    /// As [`Service::start`].
    pub async fn start_with(config: Config, inherited: Inherited) -> Result<Self, Failure> {
        let config = Arc::new(config);
        let worlds = Arc::new(Worlds::new(Arc::clone(&config))?);
        let telemetry = Telemetry::default();
        let (file, stored, beginning) = LeaseFile::open(&config.leases_file())?;
        report_beginning(&telemetry, beginning, &config);
        let clock = file.clock(&stored);
        let interfaces = Arc::new(dhcp::Interfaces::default());
        let server = dhcp::new_server(&config, &interfaces, file.begun(), stored)?;
        let leases = LeaseTable::new(server, clock);
        let store = Arc::new(LeaseStore::new(file, Arc::clone(telemetry.metrics()))?);
        let identity = Identity::new(leases.clone());
        let certificate = Arc::new(Certificate::default());
        certificate.put(certificate::read(config.tls.as_ref())?);
        let secret = Arc::new(Secret::open(&config.state_dir)?);
        let scripts = Arc::new(Scripts::new(Arc::clone(&secret)));
        scripts.keep_menu_file(&worlds.current());
        let installs = InstallReports::new(Arc::clone(&worlds), secret, telemetry.clone());
        let downloads = Arc::<Downloads>::default();
        let files = BootFiles::new(
            Arc::clone(&worlds),
            identity.clone(),
            scripts,
            telemetry.clone(),
        );
        let site = BootSite::new(files.clone(), installs.clone(), Arc::clone(&downloads));
        let dhcp = Dhcp::new(
            leases.clone(),
            Arc::clone(&store),
            Arc::clone(&worlds),
            identity,
            telemetry.clone(),
            interfaces,
        );
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (failing, failed) = mpsc::channel(1);
        let listeners = Listeners::new(tasks.clone(), stop.clone(), failing, inherited);
        let core = Arc::new_cyclic(|core: &Weak<Core>| {
            let (of_endpoints, of_reload) = (core.clone(), core.clone());
            let operations = Operations {
                worlds: Arc::clone(&worlds),
                telemetry: telemetry.clone(),
                leases,
                store,
                downloads,
                installs,
                started: host_time(),
                endpoints: Box::new(move || {
                    let core = of_endpoints.upgrade();
                    core.map(|core| core.endpoints()).unwrap_or_default()
                }),
                reload: Box::new(move || match of_reload.upgrade() {
                    Some(core) => core.reload(),
                    None => Err(reload::stopping()),
                }),
            };
            Core {
                worlds,
                answers: Answers {
                    dhcp,
                    files,
                    site: Arc::new(site),
                    operations: Arc::new(operations),
                    certificate,
                    telemetry,
                },
                listeners: Mutex::new(listeners),
                reread: OnceLock::new(),
            }
        });
        let mut listeners = core.listeners();
        let wanted = listeners.wanted(&config);
        let prepared = listeners.prepare(&wanted, &core.answers)?;
        listeners.switch(&wanted, prepared, &core.answers);
        drop(listeners);
        Ok(Self {
            core,
            tasks,
            failed,
            guard: stop.drop_guard(),
        })
    }

    /// Has each reload read the configuration by this; without it, none is possible.
    #[must_use]
    pub fn reread_by(
        self,
        reread: impl Fn() -> (Option<Config>, Problems) + Send + Sync + 'static,
    ) -> Self {
        // The one that was said first stays.
        let _ = self.core.reread.set(Reread(Box::new(reread)));
        self
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

    /// Shows that the service is alive: that decisions can be made and DHCP is held by nobody for
    /// long. Does not come back where one of them is not so.
    pub async fn alive(&self) {
        let core = Arc::clone(&self.core);
        let looked = tokio::task::spawn_blocking(move || {
            drop(core.worlds.current());
            drop(core.answers.dhcp.leases().lock());
        });
        if looked.await.is_err() {
            std::future::pending().await
        }
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

fn report_beginning(telemetry: &Telemetry, beginning: Beginning, config: &Config) {
    match beginning {
        Beginning::Known => {}
        Beginning::New => tracing::info!(
            "{}: a new lease database, without any lease",
            config.leases_file().display()
        ),
        Beginning::Damaged { aside, why } => {
            let aside = aside.display().to_string();
            telemetry.emit(None, Kind::LeasesSetAside { aside, why });
        }
    }
}
