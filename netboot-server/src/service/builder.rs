//! How a service is put together: which part gets what, and what an embedder adds.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use netboot_dhcp::Timestamp;
use netboot_dhcp::driver::LeaseStore;
use netboot_dhcp::server::Lease;
use netboot_tftp::server::Directory;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::health::{Health, Looked};
use super::listeners::Listeners;
use super::threads::Threads;
use super::{Answers, Core, Inherited, Service, reload};
use crate::admin::Operations;
use crate::boot_files::BootFiles;
use crate::boot_http::BootSite;
use crate::boot_http::route::{Route, Routes};
use crate::boots::{BootStore, Recorder, Settled};
use crate::config::{Config, Problems};
use crate::dhcp::{self, Dhcp};
use crate::diagnosis;
use crate::failure::{Chain, Failure};
use crate::http::Downloads;
use crate::identity::Identity;
use crate::leases::clock::Clock;
use crate::leases::{AnyStore, Beginning, EmbeddedLeases, LeaseFile, LeaseTable};
use crate::script::cache::Scripts;
use crate::state_dir;
use crate::telemetry::events::Kind;
use crate::telemetry::{Telemetry, host_time};
use crate::world::certificate::{self, Certificate};
use crate::world::installs::{InstallReports, Secret};
use crate::world::{OwnPolicy, Policy, Worlds};

/// What a [`Service`] is to run by. [`Service::builder`] begins it.
#[derive(Debug)]
#[must_use = "it is started by `start`"]
pub struct ServiceBuilder {
    config: Config,
    inherited: Inherited,
    reread: Option<Reread>,
    policy: Option<OwnPolicy>,
    store: Option<AnyStore>,
    routes: Routes,
}

/// Reads the configuration again.
pub(super) struct Reread(pub(super) Box<dyn Fn() -> (Option<Config>, Problems) + Send + Sync>);

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reread")
    }
}

impl ServiceBuilder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            inherited: Inherited::default(),
            reread: None,
            policy: None,
            store: None,
            routes: Routes::default(),
        }
    }

    /// Listens on sockets that a service manager has bound, where it has.
    pub fn inherited(mut self, inherited: Inherited) -> Self {
        self.inherited = inherited;
        self
    }

    /// Has each reload read the configuration by this; without it, none is possible.
    pub fn reread_by(
        mut self,
        reread: impl Fn() -> (Option<Config>, Problems) + Send + Sync + 'static,
    ) -> Self {
        self.reread = Some(Reread(Box::new(reread)));
        self
    }

    /// Asks this policy what a machine boots, before the configuration is asked.
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policy = Some(OwnPolicy::new(policy));
        self
    }

    /// Keeps leases in this store, in place of a database in the state folder. Servers may share
    /// one, where their clocks agree.
    pub fn leases(mut self, store: impl LeaseStore) -> Self {
        self.store = Some(AnyStore::new(store, Timestamp::default()));
        self
    }

    /// Answers HTTP at and below this path by a route of the embedder's, in place of what this
    /// server has there. Of several the one of the longest path is asked. It is on the boot
    /// network, where any machine may ask it; the transport's limits hold for it.
    pub fn route(mut self, path: &str, route: impl Route) -> Self {
        self.routes.add(path, route);
        self
    }

    /// Opens the state folder and the lease database, binds every socket that can be bound, and
    /// serves: DHCP and TFTP by threads of their own, the rest on the runtime that this is called
    /// on. What an interface is missing for is waited for in the background.
    ///
    /// # Errors
    ///
    /// Where the state cannot be opened, a port is taken or not permitted. Nothing is left running
    /// then.
    pub async fn start(self) -> Result<Service, Failure> {
        let Self {
            config,
            inherited,
            reread,
            policy,
            store,
            routes,
        } = self;
        let config = Arc::new(config);
        let worlds = Arc::new(Worlds::new(Arc::clone(&config), policy)?);
        let telemetry = Telemetry::default();
        let (store, stored, clock) = match store {
            Some(store) => {
                let stored = store.read().await?;
                let newest = stored.iter().map(|lease| lease.updated).max();
                (store, stored, Clock::begin(newest.unwrap_or_default()))
            }
            None => open_leases(&config, &telemetry)?,
        };
        let interfaces = Arc::new(dhcp::Interfaces::default());
        let server = dhcp::new_server(&config, &interfaces, store.begun(), stored)?;
        let leases = LeaseTable::new(server, clock);
        let identity = Identity::new(leases.clone());
        let certificate = Arc::new(Certificate::default());
        certificate.put(certificate::read(config.tls.as_ref())?);
        // Nobody else serves from this folder now.
        state_dir::clear_leftovers(&config.state_dir, host_time().into());
        let secret = Arc::new(Secret::open(&config.state_dir)?);
        let scripts = Arc::new(Scripts::new(Arc::clone(&secret)));
        scripts.keep_menu_file(&worlds.current());
        let installs = InstallReports::new(Arc::clone(&worlds), secret, telemetry.clone());
        let downloads = Arc::<Downloads>::default();
        let programs_dir = config.programs_dir();
        let folder = Directory::new(&programs_dir).map_err(|error| {
            Failure::new(
                format!("opening the folder {}", programs_dir.display()),
                error,
                "let the service's user read it",
            )
        })?;
        let files = BootFiles::new(
            folder,
            Arc::clone(&worlds),
            identity.clone(),
            scripts,
            telemetry.clone(),
        );
        let dhcp = Dhcp::new(
            leases.clone(),
            store.clone(),
            Arc::clone(&worlds),
            identity,
            telemetry.clone(),
            interfaces,
        );
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let boots = record_boots(&worlds, &telemetry, &tasks, &stop);
        let (failing, failed) = mpsc::channel(1);
        let guard = stop.clone().drop_guard();
        let threads = Threads::start(stop.clone(), tasks.clone())?;
        let listeners = Listeners::new(threads, tasks.clone(), stop, failing, inherited);
        let core = Arc::new_cyclic(|core: &Weak<Core>| {
            let health = Health::of(core.clone());
            let of_health = health.clone();
            let site = BootSite::new(
                files.clone(),
                installs.clone(),
                Arc::clone(&downloads),
                routes,
                Box::new(move || {
                    let health = health.clone();
                    Box::pin(async move { health.check().await.is_ok() })
                }),
            );
            let (of_endpoints, of_reload) = (core.clone(), core.clone());
            let operations = Operations {
                worlds: Arc::clone(&worlds),
                telemetry: telemetry.clone(),
                leases,
                store,
                downloads,
                installs,
                boots: boots.clone(),
                started: host_time(),
                endpoints: Box::new(move || {
                    let core = of_endpoints.upgrade();
                    core.map(|core| core.endpoints()).unwrap_or_default()
                }),
                health: Box::new(move || {
                    let health = of_health.clone();
                    Box::pin(async move { health.check().await.map_err(|unwell| unwell.failure) })
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
                reread,
                looked: Looked::default(),
            }
        });
        let mut listeners = core.listeners();
        let wanted = listeners.wanted(&config);
        let prepared = listeners.prepare(&wanted, &core.answers)?;
        listeners.switch(&wanted, prepared, &core.answers);
        drop(listeners);
        Ok(Service {
            core,
            tasks,
            failed,
            guard,
        })
    }
}

/// Begins to record boots. Where they cannot be kept, machines boot all the same.
fn record_boots(
    worlds: &Arc<Worlds>,
    telemetry: &Telemetry,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Option<Arc<BootStore>> {
    telemetry.metrics().know_findings(diagnosis::codes());
    let path = worlds.last().config().boots_file();
    let opened = BootStore::open(&path).and_then(|(store, aside)| {
        if let Some(aside) = aside {
            tracing::warn!(
                "{}: it was damaged, and is now {}: boots are recorded anew",
                path.display(),
                aside.display()
            );
        }
        let store = Arc::new(store);
        let settled = settled(Arc::clone(worlds), telemetry.clone(), Arc::clone(&store));
        Ok((Recorder::new(Arc::clone(&store), settled)?, store))
    });
    match opened {
        Ok((recorder, store)) => {
            tasks.spawn(recorder.run(telemetry.events().reader(), stop.clone()));
            Some(store)
        }
        Err(error) => {
            tracing::error!(
                "boots are not recorded: {}: let the service's user write {}",
                Chain(&error),
                path.display()
            );
            None
        }
    }
}

/// Looks at boots that are over: what is found is counted.
fn settled(worlds: Arc<Worlds>, telemetry: Telemetry, store: Arc<BootStore>) -> Settled {
    Box::new(move |record, others| {
        let world = worlds.last();
        let found = diagnosis::of_stored(record, &store, others, &world, host_time()).ok()?;
        let headline = diagnosis::headline(&found)?;
        telemetry.metrics().boot_finding(&headline.code);
        Some(headline)
    })
}

/// The lease database in the state folder, what is in it, and its clock.
fn open_leases(
    config: &Config,
    telemetry: &Telemetry,
) -> Result<(AnyStore, Vec<Lease>, Clock), Failure> {
    let (file, stored, beginning) = LeaseFile::open(&config.leases_file())?;
    report_beginning(telemetry, beginning, config);
    let clock = file.clock();
    let begun = file.begun();
    let leases = EmbeddedLeases::new(file, Arc::clone(telemetry.metrics()))?;
    Ok((AnyStore::new(leases, begun), stored, clock))
}

fn report_beginning(telemetry: &Telemetry, beginning: Beginning, config: &Config) {
    let path = config.leases_file();
    match beginning {
        Beginning::Damaged { aside, damage } => {
            let (aside, why) = (aside.display().to_string(), damage.to_string());
            telemetry.emit(None, Kind::LeasesSetAside { aside, why });
        }
        Beginning::New | Beginning::Known | Beginning::Older { .. } => {
            if let Some(notice) = beginning.notice() {
                tracing::info!("{}: {notice}", path.display());
            }
        }
    }
}
