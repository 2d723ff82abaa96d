//! A TFTP server on tokio: RFC 1350 with the options of RFC 2348, 2349 and 7440. It serves files,
//! and takes them where its source allows.
//!
//! One task listens; each transfer is a task with a socket of its own (RFC 1350 §4), bound to the
//! address that the client asked, or without one in single-port mode. The protocol is in
//! [`Sender`](crate::Sender) and [`Receiver`](crate::Receiver): here are sockets, files and caps.
//! Buffers belong to the server and are lent for the moment in which a run of blocks is read and
//! sent, and files that several transfers read are held once and no more of them than
//! [`Settings::max_shared_bytes`], so that memory does not grow with what clients ask for.

mod counters;
mod directory;
mod event;
mod folder;
mod line;
mod new_file;
mod reading;
mod root;
mod serving;
mod sharing;
mod source;
mod table;
mod transfer;
mod upload;
mod writing;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use crate::content::{Content, Stream};
pub use counters::{Counters, Totals};
pub use directory::{Directory, Writing};
pub use event::{Cap, Event, Failure, Transfer};
pub use source::{Memory, Refusal, Request, Source};
pub use upload::{Sink, Upload};

use crate::agreed::Limits;
use crate::server::serving::Serving;
use crate::server::sharing::Sharing;
use crate::server::transfer::Shared;
use crate::transfer::TransferSettings;
use crate::udp::{Listener, Offload};

/// What a server allows.
///
/// ```
/// use netboot_tftp::Limits;
/// use netboot_tftp::server::Settings;
///
/// let settings = Settings::default()
///     .limits(Limits::default().max_windowsize(16))
///     .max_transfers(100);
/// assert_eq!(settings.max_transfers_per_client, 16);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What it agrees to.
    pub limits: Limits,
    /// How patient its transfers are.
    pub transfer: TransferSettings,
    /// Most transfers at one time. Default 4096.
    ///
    /// Each takes a socket, and a file where its content is one: the process's limit on open files
    /// has to allow for that. Over the cap an address that has none gets the place of the slowest
    /// transfer of the address that has most, and further requests are not answered, see
    /// [`Cap::Transfers`].
    pub max_transfers: usize,
    /// Most transfers at one time for one client address. Default 16.
    ///
    /// Over the cap a request is answered by an ERROR, see [`Cap::TransfersPerClient`].
    pub max_transfers_per_client: usize,
    /// Bytes asked of the operating system for requests that wait at the listening port. Default 4
    /// MiB; a system that grants less (`net.core.rmem_max` on Linux) loses requests when very many
    /// come at once.
    pub receive_buffer: usize,
    /// Most bytes of memory for files that more than one transfer reads at the time: those share
    /// what was read once. Default 16 MiB; 0 lets each transfer read for itself, as it does where a
    /// file exceeds a quarter of this or the memory is used up.
    pub max_shared_bytes: usize,
    /// Whether every packet of every transfer leaves from and comes to the listening port, for
    /// clients behind address translation and servers in containers, where only that port is open.
    /// Default false: RFC 1350 §4 gives each transfer a port of its own.
    ///
    /// Blocks are then no larger than the MTU of the way to the client allows, since this port
    /// never sends fragments; and a packet that takes a wrong turn is an [`Event::Stray`], with no
    /// port to tell its transfer by.
    pub single_port: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            transfer: TransferSettings::default(),
            max_transfers: 4096,
            max_transfers_per_client: 16,
            receive_buffer: 4 << 20,
            max_shared_bytes: 16 << 20,
            single_port: false,
        }
    }
}

impl Settings {
    /// Sets [`limits`](field@Self::limits).
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets [`transfer`](field@Self::transfer).
    #[must_use]
    pub fn transfer(self, transfer: TransferSettings) -> Self {
        Self { transfer, ..self }
    }

    /// Sets [`max_transfers`](field@Self::max_transfers).
    #[must_use]
    pub fn max_transfers(self, max_transfers: usize) -> Self {
        Self {
            max_transfers,
            ..self
        }
    }

    /// Sets [`max_transfers_per_client`](field@Self::max_transfers_per_client).
    #[must_use]
    pub fn max_transfers_per_client(self, max_transfers_per_client: usize) -> Self {
        Self {
            max_transfers_per_client,
            ..self
        }
    }

    /// Sets [`receive_buffer`](field@Self::receive_buffer).
    #[must_use]
    pub fn receive_buffer(self, receive_buffer: usize) -> Self {
        Self {
            receive_buffer,
            ..self
        }
    }

    /// Sets [`max_shared_bytes`](field@Self::max_shared_bytes).
    #[must_use]
    pub fn max_shared_bytes(self, max_shared_bytes: usize) -> Self {
        Self {
            max_shared_bytes,
            ..self
        }
    }

    /// Sets [`single_port`](field@Self::single_port).
    #[must_use]
    pub fn single_port(self, single_port: bool) -> Self {
        Self {
            single_port,
            ..self
        }
    }
}

/// A function that sees each [`Event`]; it is called from the server's tasks and must not wait.
pub type Observer = dyn Fn(&Event<'_>) + Send + Sync;

/// A function that says whether clients of an address go before others where all places are taken.
pub type Preference = dyn Fn(IpAddr) -> bool + Send + Sync;

/// A TFTP server that is bound to its port.
///
/// ```
/// use netboot_tftp::client::Client;
/// use netboot_tftp::server::{Memory, Server, Settings};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let files = Memory::from_iter([("hello", "hello, world")]);
/// let server = Server::bind("127.0.0.1:0".parse()?, Settings::default(), files)?;
/// let client = Client::new(server.local_addr()?);
///
/// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
/// let server = tokio::spawn(server.serve(async { drop(stopped.await) }));
/// assert_eq!(client.get_bytes("hello", 1024).await?, "hello, world");
/// drop(stop);
/// server.await??;
/// # Ok(())
/// # }
/// ```
pub struct Server<S> {
    listener: Listener,
    // Apart, since a server is moved about until it serves.
    settings: Box<Settings>,
    source: S,
    observer: Arc<Observer>,
    preference: Arc<Preference>,
    counters: Counters,
}

impl<S> std::fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.listener.local_addr())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<S: Source> Server<S> {
    /// Binds to an address; `[::]` takes IPv4 clients too where the platform allows.
    ///
    /// Has to be called within a tokio runtime that has I/O and time enabled.
    ///
    /// # Errors
    ///
    /// Those of the socket calls: the port is taken or privileged, the address is not ours.
    pub fn bind(addr: SocketAddr, settings: Settings, source: S) -> io::Result<Self> {
        let listener = Listener::bind(addr, settings.receive_buffer)?;
        Ok(Self::new(listener, settings, source))
    }

    /// Serves on a socket that was bound elsewhere, by a service manager for example.
    ///
    /// Has to be called within a tokio runtime that has I/O and time enabled.
    ///
    /// # Errors
    ///
    /// Where the socket cannot be made non-blocking or registered.
    pub fn from_socket(
        socket: std::net::UdpSocket,
        settings: Settings,
        source: S,
    ) -> io::Result<Self> {
        let listener = Listener::from_std(socket)?;
        Ok(Self::new(listener, settings, source))
    }

    fn new(listener: Listener, settings: Settings, source: S) -> Self {
        Self {
            listener,
            settings: Box::new(settings),
            source,
            observer: Arc::new(|_| {}),
            preference: Arc::new(|_| false),
            counters: Counters::default(),
        }
    }

    /// Calls `observer` with each event.
    #[must_use]
    pub fn observe(self, observer: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self {
            observer: Arc::new(observer),
            ..self
        }
    }

    /// Has clients of some addresses go before others: where [`Settings::max_transfers`] are under
    /// way and none of one address is, it gets the place of another that does not go before others.
    /// Default none. It is called from the listening task, only where there is no other place, and
    /// must not wait.
    #[must_use]
    pub fn prefer(self, preference: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self {
            preference: Arc::new(preference),
            ..self
        }
    }

    /// The counters of this server, to be kept by whoever wants to look at them while it serves.
    ///
    /// ```
    /// use netboot_tftp::server::{Memory, Server, Settings};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::bind("127.0.0.1:0".parse()?, Settings::default(), Memory::default())?;
    /// let counters = server.counters();
    /// tokio::spawn(server.serve(std::future::pending()));
    /// assert_eq!(counters.totals().over_cap, 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// The address and port that the server listens on.
    ///
    /// # Errors
    ///
    /// Where the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` completes.
    ///
    /// Transfers that still run then are dropped without a word, as they are when this future is
    /// dropped: no task, socket or file outlives it.
    ///
    /// # Errors
    ///
    /// Where the listening socket fails for good; a single failed receive is an [`Event::System`].
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let shared = Arc::new(Shared {
            sharing: Sharing::new(self.settings.max_shared_bytes),
            listener: self.listener,
            offload: Offload::new()?,
            settings: *self.settings,
            source: self.source,
            observer: self.observer,
            preference: self.preference,
            counters: self.counters,
            buffers: transfer::Buffers::default(),
        });
        Serving::new(shared).run(shutdown).await
    }
}
