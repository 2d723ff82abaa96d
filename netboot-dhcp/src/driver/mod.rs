//! A DHCP server on Linux and tokio: the driver that runs
//! [`server::Server`](crate::server::Server).
//!
//! One [`Driver`] serves any number of interfaces. On each it listens at the servers' port and at
//! the boot servers' (4011), on that interface only; it answers clients without an address by
//! frames to their hardware address, or by broadcast where it may not; it probes addresses by ICMP,
//! hears other servers, and ends when the interface goes. What a machine boots, where leases are
//! kept, what happens to events and what time it is are parameters: [`BootPolicy`], [`LeaseStore`],
//! an observer and [`Clock`].
//!
//! Datagrams are taken in batches. Their leases go to the store together, and while it works the
//! next messages are read and answered; an ACK leaves when its lease is stored. The boot policy is
//! asked while nothing is locked, and one machine's slow answer delays no other's. Addresses are
//! probed and slow firmware's replies held back meanwhile, too. Nothing waits but what has to, and
//! everything that a stranger's message can grow has a cap.
//!
//! ```no_run
//! use netboot_dhcp::driver::{Driver, MemoryStore, SharedServer};
//! use netboot_dhcp::server::{AddressRange, Boot, Link, Network, NetworkId, Requester, Server, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (own, first, last) = ("10.0.0.1".parse()?, "10.0.0.100".parse()?, "10.0.0.200".parse()?);
//! let mut network = Network::new(NetworkId(1), Link::Interface(1), "10.0.0.0/24".parse()?, own);
//! network.ranges = vec![AddressRange::new(first, last)];
//! let server = SharedServer::new(Server::new(Settings::new(vec![network]))?);
//! let policy = |_machine: &Requester<'_>| Boot::file("ipxe.efi");
//! let driver = Driver::new(server, policy, MemoryStore::default())
//!     .observe(|interface, event| println!("{}", event.line(interface)));
//! driver.run("eth1", 1, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

mod asking;
mod bpf;
mod caught;
mod clock;
mod echo;
mod event;
mod frame;
mod links;
mod listener;
mod passive;
mod policy;
mod port;
mod probe;
mod probing;
mod rogue;
mod router_advert;
mod serving;
mod shared;
mod store;

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

pub use clock::{Clock, SystemClock};
pub use event::{Event, PolicyFailure, Trouble};
pub use links::LinkChanges;
pub use listener::{Listener, Ports};
pub use policy::BootPolicy;
pub use shared::SharedServer;
pub use store::{LeaseStore, MemoryStore};

use crate::server::Lease;
use serving::Serving;

/// A function that sees each [`Event`] and the name of its interface. It is called from the
/// driver's tasks while nothing is locked, and must not wait.
pub type Observer = dyn Fn(&str, &Event<'_>) + Send + Sync;

/// What the DHCP of every interface works with. Its clones work with the same.
pub struct Driver<P, S> {
    server: SharedServer,
    policy: Arc<P>,
    store: Arc<S>,
    observer: Arc<Observer>,
    announces_no_router: bool,
}

impl<P, S> Clone for Driver<P, S> {
    fn clone(&self) -> Self {
        Self {
            server: self.server.clone(),
            policy: Arc::clone(&self.policy),
            store: Arc::clone(&self.store),
            observer: Arc::clone(&self.observer),
            announces_no_router: self.announces_no_router,
        }
    }
}

impl<P, S> std::fmt::Debug for Driver<P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("server", &self.server)
            .field("announces_no_router", &self.announces_no_router)
            .finish_non_exhaustive()
    }
}

impl<P: BootPolicy, S: LeaseStore> Driver<P, S> {
    /// A driver for this server, which asks this policy and stores leases here. Those that are
    /// stored already come to the server by [`Driver::restore`], and by [`Driver::run`].
    pub fn new(server: SharedServer, policy: P, store: S) -> Self {
        Self::with_shared(server, Arc::new(policy), Arc::new(store))
    }

    /// As [`Driver::new`], with a policy and a store that others hold too.
    pub fn with_shared(server: SharedServer, policy: Arc<P>, store: Arc<S>) -> Self {
        Self {
            server,
            policy,
            store,
            observer: Arc::new(|_, _| {}),
            announces_no_router: false,
        }
    }

    /// Calls `observer` with each event.
    #[must_use]
    pub fn observe(self, observer: impl Fn(&str, &Event<'_>) + Send + Sync + 'static) -> Self {
        Self {
            observer: Arc::new(observer),
            ..self
        }
    }

    /// Whether an iPXE that gets its address is told that there is no IPv6 router on its link.
    /// Default no.
    ///
    /// iPXE asks for an IPv6 router while it asks for an IPv4 address, and on a network without one
    /// waits some 16 seconds each time it starts. What it is told is a router advertisement with a
    /// lifetime of zero (RFC 4861 section 4.2), sent to that machine only; it says that the sender
    /// is no router, and nothing of other routers.
    #[must_use]
    pub fn announce_no_ipv6_router(self, announces_no_router: bool) -> Self {
        Self {
            announces_no_router,
            ..self
        }
    }

    /// The server with its leases.
    #[must_use]
    pub fn server(&self) -> &SharedServer {
        &self.server
    }

    /// Puts the leases that the store has into the server, and gives those of networks that it does
    /// not have. To be called before anything is served: a server that does not know of a lease
    /// gives its address to somebody else.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub async fn restore(&self) -> io::Result<Vec<Lease>> {
        let stored = self.store.load().await?;
        let mut server = self.server.lock();
        let homeless = stored.into_iter();
        Ok(homeless
            .filter(|lease| server.restore(lease.clone()).is_err())
            .collect())
    }

    /// Opens the sockets of an interface; `number` is the one that it has in the settings'
    /// [`Link::Interface`](crate::server::Link::Interface): the caller's own, not the system's
    /// index.
    ///
    /// # Errors
    ///
    /// `ENODEV` where there is no such interface, `EADDRNOTAVAIL` where the host does not have the
    /// network's server address, and those of the socket calls. That the boot servers' port is
    /// taken is one in proxy mode only; else, and for what needs `CAP_NET_RAW`, it is an
    /// [`Event::Trouble`], and the interface is served without.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime that has I/O enabled.
    pub fn bind(&self, interface: &str, number: u32) -> io::Result<Listener> {
        let ports = Ports::of(self.server.lock().settings());
        self.bind_with(interface, number, ports, None)
    }

    /// As [`Driver::bind`], on the ports of settings that the server is about to change to; and
    /// with a socket for the servers' port that was bound elsewhere, by a service manager for
    /// example.
    ///
    /// # Errors
    ///
    /// As [`Driver::bind`].
    ///
    /// # Panics
    ///
    /// As [`Driver::bind`].
    pub fn bind_with(
        &self,
        interface: &str,
        number: u32,
        ports: Ports,
        socket: Option<UdpSocket>,
    ) -> io::Result<Listener> {
        let (server, observer) = (&self.server, &*self.observer);
        let no_router = self.announces_no_router;
        Listener::bind(
            interface, number, ports, socket, server, no_router, observer,
        )
    }

    /// Serves an interface until `shutdown` completes, or until the interface or its address is
    /// gone.
    ///
    /// Has to be called within a tokio runtime that has I/O and time enabled.
    pub async fn serve(&self, listener: Listener, shutdown: impl Future<Output = ()>) {
        Serving::new(listener, self.clone()).run(shutdown).await;
    }

    /// Takes the leases that are stored, then serves an interface until `shutdown` completes, and
    /// waits for it as often as it is not there.
    ///
    /// # Errors
    ///
    /// As [`Driver::restore`], and as [`Driver::bind`] but for an interface or an address that is
    /// not there.
    ///
    /// # Panics
    ///
    /// As [`Driver::bind`].
    pub async fn run(
        &self,
        interface: &str,
        number: u32,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let mut shutdown = std::pin::pin!(shutdown);
        self.restore().await?;
        let changes = LinkChanges::open()?;
        let mut waiting = false;
        loop {
            match self.bind(interface, number) {
                Ok(listener) => {
                    waiting = false;
                    let mut stopped = false;
                    self.serve(listener, async {
                        shutdown.as_mut().await;
                        stopped = true;
                    })
                    .await;
                    if stopped {
                        return Ok(());
                    }
                }
                Err(error) if links::is_missing(&error) => {
                    if !waiting {
                        let (what, error) = (Trouble::Interface, &error);
                        (self.observer)(interface, &Event::Trouble { what, error });
                    }
                    waiting = true;
                    tokio::select! {
                        () = &mut shutdown => return Ok(()),
                        () = changes.next() => {}
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}
