//! HTTP on the boot network: connections, their limits, and the end of them.
//!
//! What a URL means is in `routes`, how an entity is given in `entity`, how bytes go out in `body`.

mod body;
mod entity;
mod routes;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::events::Kind;
use crate::service::Shared;

pub(crate) use routes::MENU;

/// Connections that are served at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 1024;
/// Connections that one address may have at once; more are closed, so that no stranger can take all.
const MAX_OF_ONE_CLIENT: usize = 256;
/// How long a client may take nothing of what it is sent.
const STALL: Duration = Duration::from_secs(300);
/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;
/// Header lines of a request; more are refused with 431.
const MAX_HEADERS: usize = 64;
/// Bytes of a request's head; more are refused with 431.
const MAX_HEAD: usize = 16 << 10;
/// How long a request's head may take to arrive, and an idle connection may last.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long downloads may go on after the service was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long a connection without a download may then take to send what is left of its last answer.
const FLUSH: Duration = Duration::from_secs(1);

/// Binds to an address, also while connections of an earlier run are still closing.
///
/// # Errors
///
/// Those of the socket calls: the port is taken or not permitted, the address is not here.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until told to stop, then lets those that are open finish within a grace
/// time.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    let clients = Arc::new(Clients::default());
    while let Some((stream, client)) = accept(&listener, &stop).await {
        let Some(Ok(place)) = stop
            .run_until_cancelled(Arc::clone(&free).acquire_owned())
            .await
        else {
            break;
        };
        let address = client.ip().to_canonical();
        let Some(counted) = clients.count(address) else {
            shared.emit(
                None,
                Kind::HttpRefused {
                    client: address,
                    path: "(connection)".into(),
                    status: 503,
                    why: format!("it has {MAX_OF_ONE_CLIENT} connections already"),
                },
            );
            continue;
        };
        let shared = Arc::clone(&shared);
        let stop = stop.clone();
        connections.spawn(async move {
            connection(stream, client, shared, stop).await;
            drop((place, counted));
        });
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(GRACE, connections.wait()).await;
}

/// How many connections each address has.
#[derive(Debug, Default)]
struct Clients(Mutex<BTreeMap<IpAddr, usize>>);

impl Clients {
    /// Counts one more until it is dropped; `None` where there are too many.
    fn count(self: &Arc<Self>, client: IpAddr) -> Option<Counted> {
        let mut all = self.lock();
        let of_client = all.entry(client).or_default();
        if *of_client >= MAX_OF_ONE_CLIENT {
            return None;
        }
        *of_client += 1;
        Some(Counted {
            clients: Arc::clone(self),
            client,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Counted {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.clients.lock();
        if let Some(of_client) = all.get_mut(&self.client) {
            *of_client = of_client.saturating_sub(1);
            if *of_client == 0 {
                all.remove(&self.client);
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        match stop.run_until_cancelled(listener.accept()).await? {
            Ok(accepted) => return Some(accepted),
            // Out of descriptors, or a connection that was gone before it was taken.
            Err(error) => {
                tracing::warn!("accepting an HTTP connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Where the system refuses either, the connection is only slower to be sent or to be given up.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(STALL));
    // Each body that is not out yet holds it, too.
    let under_way = Arc::new(());
    let service = service_fn(|request| {
        let (shared, under_way) = (Arc::clone(&shared), Arc::clone(&under_way));
        async move {
            let answer = routes::answer(&shared, client, local, &request).await;
            Ok::<_, Infallible>(answer.map(|body| body.holding(under_way)))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            let idle = Arc::strong_count(&under_way) == 1;
            // A request that is only half there would keep it open until its time is over.
            let Ok(ended) = tokio::time::timeout(if idle { FLUSH } else { GRACE }, served).await else {
                return;
            };
            ended
        }
    };
    if let Err(error) = ended
        && (error.is_parse() || error.is_parse_too_large())
    {
        shared.malformed.count("HTTP", || error.to_string());
    }
}
