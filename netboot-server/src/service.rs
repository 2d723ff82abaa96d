//! The service: DHCP, TFTP and HTTP on every network of the configuration, joined by one boot
//! policy and one event stream.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::Server as DhcpServer;
use netboot_ipxe::RenderError;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::Access;
use crate::config::Config;
use crate::events::{Events, Kind};
use crate::failure::Failure;
use crate::http::{Downloads, Listener, Tree};
use crate::leases::LeaseStore;
use crate::malformed::Malformed;
use crate::policy::{self, Machine};
use crate::programs::Digests;
use crate::script::{self, Asker};
use crate::world::{World, Worlds};
use crate::{dhcp, http, menu_file, neighbour, tftp};

/// How often an interface or address that is not there yet is looked for.
const WAIT: Duration = Duration::from_secs(1);
/// How long DHCP and TFTP sockets may take to close.
const GRACE: Duration = Duration::from_secs(15);

/// What every part of the service sees.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) worlds: Worlds,
    pub(crate) events: Events,
    pub(crate) malformed: Malformed,
    pub(crate) leases: LeaseStore,
    pub(crate) digests: Digests,
    pub(crate) downloads: Arc<Downloads>,
    /// When the service started, by the host's clock.
    pub(crate) started: jiff::Timestamp,
    dhcp: Mutex<DhcpServer>,
    /// The number of the world whose menu is in the file for people.
    menu_written: AtomicU64,
}

impl Shared {
    /// The boot script for who asks, told to the event stream under the path it was asked by.
    pub(crate) fn boot_script(&self, asker: &Asker, path: &str) -> Result<String, RenderError> {
        let world = self.worlds.current();
        self.keep_menu_file(&world);
        let machine = Machine {
            mac: asker.mac,
            arch: None,
        };
        let decision = policy::decide(&world, &machine);
        let written = script::write(&world, &decision, asker)?;
        // A MAC address in a URL is anybody's claim; the address that it came from is not.
        self.emit(
            self.identify(asker.address).or(asker.mac),
            Kind::Script {
                client: asker.address,
                path: path.to_owned(),
                boots: decision.to_string(),
            },
        );
        Ok(written)
    }

    fn keep_menu_file(&self, world: &World) {
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

    /// The machine behind an address: by our lease, then by the system's neighbour table.
    pub(crate) fn identify(&self, address: IpAddr) -> Option<MacAddr> {
        self.lease_holder(address)
            .or_else(|| neighbour::mac_of(address))
    }

    /// The machine that holds the lease of an address now.
    pub(crate) fn lease_holder(&self, address: IpAddr) -> Option<MacAddr> {
        let IpAddr::V4(address) = address.to_canonical() else {
            return None;
        };
        dhcp::holder(&self.dhcp(), address)
    }

    /// Puts something that happened now into the event stream.
    pub(crate) fn emit(&self, machine: Option<MacAddr>, kind: Kind) {
        self.events.emit(jiff::Timestamp::now(), machine, kind);
    }
}

/// A running service. Dropping it stops it at once; [`Service::stop`] lets downloads finish.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
    failed: mpsc::Receiver<Failure>,
    guard: tokio_util::sync::DropGuard,
}

/// Something that listens.
#[derive(Debug, Clone)]
enum Endpoint {
    Dhcp { network: usize, interface: String },
    Tftp(Ipv4Addr),
    Http(Ipv4Addr),
    Admin(SocketAddr),
}

/// Why an endpoint does not listen.
pub(crate) enum BindError {
    /// What it needs is not there yet.
    NotYet(String),
    /// It cannot.
    Failed(Failure),
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
        let config = Arc::new(config);
        let worlds = Worlds::new(Arc::clone(&config))?;
        let leases = LeaseStore::open(&config.leases_file())?;
        let dhcp = dhcp::new_server(&config, &leases)?;
        let events = Events::default();
        let shared = Arc::new(Shared {
            worlds,
            malformed: Malformed::new(events.clone()),
            events,
            leases,
            digests: Digests::default(),
            downloads: Arc::default(),
            started: jiff::Timestamp::now(),
            dhcp: Mutex::new(dhcp),
            menu_written: AtomicU64::new(0),
        });
        shared.keep_menu_file(&shared.worlds.current());
        let stop = CancellationToken::new();
        let (failing, failed) = mpsc::channel(1);
        let service = Self {
            guard: stop.clone().drop_guard(),
            shared,
            stop,
            tasks: TaskTracker::new(),
            failed,
        };
        let mut listening = Vec::new();
        for endpoint in endpoints(&config) {
            match endpoint.bind(&service.shared) {
                Ok(bound) => listening.push((endpoint, Some(bound))),
                Err(BindError::NotYet(why)) => {
                    tracing::warn!("{endpoint}: {why}: waiting for it");
                    listening.push((endpoint, None));
                }
                Err(BindError::Failed(failure)) => return Err(failure),
            }
        }
        for (endpoint, bound) in listening {
            let (shared, stop) = (Arc::clone(&service.shared), service.stop.clone());
            let failing = failing.clone();
            service.tasks.spawn(async move {
                let mut first = bound;
                loop {
                    let bound = match first.take() {
                        Some(bound) => bound,
                        None => match endpoint.wait(&shared, &stop).await {
                            Ok(Some(bound)) => bound,
                            Ok(None) => return,
                            Err(failure) => {
                                let _ = failing.try_send(failure);
                                return;
                            }
                        },
                    };
                    tracing::info!("{endpoint}: {}", endpoint.state());
                    bound.serve(Arc::clone(&shared), stop.clone()).await;
                    if stop.is_cancelled() {
                        return;
                    }
                    tracing::warn!("{endpoint}: is gone: waiting for it");
                }
            });
        }
        service.tasks.close();
        Ok(service)
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
        let _ = tokio::time::timeout(GRACE, self.tasks.wait()).await;
    }
}

/// One DHCP endpoint an interface, one TFTP and one HTTP endpoint an address, and one for the API.
fn endpoints(config: &Config) -> Vec<Endpoint> {
    let networks = &config.networks;
    let direct = networks.iter().enumerate();
    let mut all: Vec<Endpoint> = direct
        .filter_map(|(network, settings)| {
            let interface = settings.interface.clone()?;
            Some(Endpoint::Dhcp { network, interface })
        })
        .collect();
    let addresses: BTreeSet<Ipv4Addr> = networks.iter().map(|network| network.server).collect();
    all.extend(addresses.iter().copied().map(Endpoint::Tftp));
    all.extend(addresses.iter().copied().map(Endpoint::Http));
    all.extend(config.admin_listen.map(Endpoint::Admin));
    all
}

enum Bound {
    Dhcp(dhcp::Socket),
    Tftp(Box<netboot_tftp::server::Server<tftp::Files>>),
    Http(Listener),
    Admin(Listener),
}

impl Bound {
    async fn serve(self, shared: Arc<Shared>, stop: CancellationToken) {
        match self {
            Self::Dhcp(socket) => dhcp::serve(socket, shared, stop).await,
            Self::Tftp(server) => {
                if let Err(error) = server.serve(stop.cancelled_owned()).await {
                    tracing::error!("TFTP stopped: {error}");
                }
            }
            Self::Http(listener) => http::serve(listener, Tree::Boot, shared, stop).await,
            Self::Admin(listener) => {
                http::serve(listener, Tree::Api(Access::Read), shared, stop).await;
            }
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dhcp { interface, .. } => write!(f, "DHCP on {interface}"),
            Self::Tftp(address) => write!(f, "TFTP on {address}"),
            Self::Http(address) => write!(f, "HTTP on {address}"),
            Self::Admin(address) => write!(f, "API and metrics on {address}"),
        }
    }
}

impl Endpoint {
    fn bind(&self, shared: &Arc<Shared>) -> Result<Bound, BindError> {
        let world = shared.worlds.current();
        let config = world.config();
        match self {
            Self::Dhcp { network, interface } => {
                let port = config.ports.dhcp.get();
                dhcp::Socket::bind(interface, *network, port)
                    .map(Bound::Dhcp)
                    .map_err(|error| self.explain(&error, port))
            }
            Self::Tftp(address) => {
                let port = config.ports.tftp.get();
                let folder = config.programs_dir();
                tftp::Files::new(Arc::clone(shared), &folder)
                    .and_then(|files| {
                        netboot_tftp::server::Server::bind(
                            SocketAddr::from((*address, port)),
                            netboot_tftp::server::Settings::default(),
                            files,
                        )
                    })
                    .map(|server| {
                        let shared = Arc::clone(shared);
                        let server = server.observe(move |event| tftp::observe(&shared, event));
                        Bound::Tftp(Box::new(server))
                    })
                    .map_err(|error| self.explain(&error, port))
            }
            Self::Http(address) => {
                let port = config.ports.http.get();
                Listener::bind(SocketAddr::from((*address, port)))
                    .map(Bound::Http)
                    .map_err(|error| self.explain(&error, port))
            }
            // Machines boot without it, so that whatever keeps it away is waited for.
            Self::Admin(address) => Listener::bind(*address).map(Bound::Admin).map_err(|error| {
                BindError::NotYet(format!("{error} (`admin_listen` says where, or \"off\")"))
            }),
        }
    }

    /// Tries again until it can be bound; `None` where the service is told to stop first.
    async fn wait(
        &self,
        shared: &Arc<Shared>,
        stop: &CancellationToken,
    ) -> Result<Option<Bound>, Failure> {
        loop {
            if stop
                .run_until_cancelled(tokio::time::sleep(WAIT))
                .await
                .is_none()
            {
                return Ok(None);
            }
            match self.bind(shared) {
                Ok(bound) => return Ok(Some(bound)),
                Err(BindError::NotYet(_)) => {}
                Err(BindError::Failed(failure)) => return Err(failure),
            }
        }
    }

    fn state(&self) -> &'static str {
        match self {
            Self::Admin(_) => "serving",
            _ => "listening",
        }
    }

    fn explain(&self, error: &std::io::Error, port: u16) -> BindError {
        use nix::errno::Errno;
        let tried = || format!("{self}, port {port}");
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENODEV) => BindError::NotYet("the interface is not there yet".into()),
            Some(Errno::EADDRNOTAVAIL) => {
                BindError::NotYet("no interface has the address yet".into())
            }
            Some(Errno::EADDRINUSE) => BindError::Failed(Failure::new(
                tried(),
                "another program has the port",
                format!("find it with `ss -lntup 'sport = :{port}'` and stop it"),
            )),
            Some(Errno::EACCES | Errno::EPERM) => BindError::Failed(Failure::new(
                tried(),
                "this user may not",
                "run it as root, or with the capabilities CAP_NET_BIND_SERVICE and CAP_NET_RAW",
            )),
            _ => BindError::Failed(Failure::new(
                tried(),
                error,
                "see what the system says about the interface with `ip addr`",
            )),
        }
    }
}
