//! The service: DHCP, TFTP and HTTP on every network of the configuration, joined by one boot
//! policy and one event stream.

mod control;
mod endpoint;
mod inherited;
mod listeners;
mod reload;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::Server as DhcpServer;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Problems};
use crate::dhcp;
use crate::failure::Failure;
use crate::http::Downloads;
use crate::identity::seen::Sightings;
use crate::identity::snooped::Overheard;
use crate::leases::clock::Clock;
use crate::leases::{Beginning, LeaseFile, LeaseStore};
use crate::script::cache::Scripts;
use crate::script::menu_file;
use crate::script::pins::HandedOut;
use crate::telemetry::events::{Events, Kind};
use crate::telemetry::malformed::Malformed;
use crate::telemetry::metrics::Metrics;
use crate::world::certificate::{self, Certificate};
use crate::world::installs::Secret;
use crate::world::programs::Digests;
use crate::world::{World, Worlds};
pub use control::path as control_socket;
pub use inherited::Inherited;
pub(crate) use listeners::Listeners;

/// How long DHCP and TFTP sockets may take to close.
const GRACE: Duration = Duration::from_secs(15);

/// What every part of the service sees.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) worlds: Worlds,
    pub(crate) events: Events,
    pub(crate) malformed: Malformed,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) leases: LeaseStore,
    pub(crate) clock: Clock,
    pub(crate) overheard: Overheard,
    pub(crate) pools: dhcp::Pools,
    pub(crate) digests: Digests,
    pub(crate) scripts: Scripts,
    pub(crate) secret: Secret,
    pub(crate) sightings: Mutex<Sightings>,
    /// Whether somebody looks at the world right now on behalf of DHCP.
    pub(crate) looking: AtomicBool,
    /// When that was begun last, in milliseconds of the clock.
    pub(crate) looked: AtomicU64,
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) certificate: Certificate,
    /// When the service started, by the host's clock.
    pub(crate) started: jiff::Timestamp,
    pub(crate) interfaces: dhcp::Interfaces,
    dhcp: Mutex<DhcpServer>,
    pub(crate) handed_out: HandedOut,
    listeners: Mutex<Listeners>,
    reread: OnceLock<Reread>,
    /// The number of the world whose menu is in the file for people.
    menu_written: AtomicU64,
}

impl Shared {
    pub(crate) fn keep_menu_file(&self, world: &World) {
        if self.menu_written.swap(world.number(), Ordering::Relaxed) != world.number()
            && let Err(failure) = menu_file::write(world)
        {
            tracing::warn!("{failure}");
        }
    }

    /// The DHCP logic; held for one message, never across a wait.
    pub(crate) fn dhcp(&self) -> MutexGuard<'_, DhcpServer> {
        self.dhcp.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_beginning(&self, beginning: Beginning, config: &Config) {
        match beginning {
            Beginning::Known => {}
            Beginning::New => tracing::info!(
                "{}: a new lease database, without any lease",
                config.leases_file().display()
            ),
            Beginning::Damaged { aside, why } => {
                let aside = aside.display().to_string();
                self.emit(None, Kind::LeasesSetAside { aside, why });
            }
        }
    }

    /// Puts something that happened now into the event stream.
    pub(crate) fn emit(&self, machine: Option<MacAddr>, kind: Kind) {
        self.metrics.count_event(&kind);
        let step = self.events.put(jiff::Timestamp::now(), machine, kind);
        self.metrics.count_step(&step);
    }
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
    shared: Arc<Shared>,
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
        let worlds = Worlds::new(Arc::clone(&config))?;
        let (leases, stored, beginning) = LeaseFile::open(&config.leases_file())?;
        let clock = leases.clock(&stored);
        let interfaces = dhcp::Interfaces::default();
        let dhcp = dhcp::new_server(&config, &interfaces, leases.begun(), stored)?;
        let certificate = Certificate::default();
        certificate.put(certificate::read(config.tls.as_ref())?);
        let events = Events::default();
        let metrics = Arc::new(Metrics::default());
        let leases = LeaseStore::new(leases, Arc::clone(&metrics))?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (failing, failed) = mpsc::channel(1);
        let listeners = Listeners::new(tasks.clone(), stop.clone(), failing, inherited);
        let shared = Arc::new(Shared {
            worlds,
            malformed: Malformed::new(events.clone(), Arc::clone(&metrics)),
            metrics,
            events,
            leases,
            clock,
            overheard: Overheard::default(),
            pools: dhcp::Pools::default(),
            digests: Digests::default(),
            scripts: Scripts::default(),
            secret: Secret::open(&config.state_dir)?,
            sightings: Mutex::default(),
            looking: AtomicBool::new(false),
            looked: AtomicU64::new(0),
            downloads: Arc::default(),
            certificate,
            started: jiff::Timestamp::now(),
            interfaces,
            dhcp: Mutex::new(dhcp),
            handed_out: HandedOut::default(),
            listeners: Mutex::new(listeners),
            reread: OnceLock::new(),
            menu_written: AtomicU64::new(0),
        });
        shared.tell_beginning(beginning, &config);
        shared.keep_menu_file(&shared.worlds.current());
        let mut listeners = shared.listeners();
        let wanted = listeners.wanted(&config);
        let prepared = listeners.prepare(&wanted, &shared)?;
        listeners.switch(&wanted, prepared, &shared);
        drop(listeners);
        Ok(Self {
            shared,
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
        let _ = self.shared.reread.set(Reread(Box::new(reread)));
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
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.reload())
            .await
            .unwrap_or_else(|_| Err(Problems::default()))
    }

    /// Each thing that listens, as `DHCP on eth1`, and whether it does now or is waited for.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(String, bool)> {
        let listeners = self.shared.listeners();
        let states = listeners.states();
        states.map(|(one, now)| (one.to_string(), now)).collect()
    }

    /// Shows that the service is alive: that decisions can be made and DHCP is held by nobody for
    /// long. Does not come back where one of them is not so.
    pub async fn alive(&self) {
        let shared = Arc::clone(&self.shared);
        let looked = tokio::task::spawn_blocking(move || {
            drop(shared.worlds.current());
            drop(shared.dhcp());
        });
        if looked.await.is_err() {
            std::future::pending().await
        }
    }

    /// The event stream.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// The worlds that decisions are made in.
    #[must_use]
    pub fn worlds(&self) -> &Worlds {
        &self.shared.worlds
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
