//! HTTP on the boot network: connections, their limits, and the end of them.
//!
//! What a URL means is in `routes`, how an entity is given in `entity`, how bytes go out in `body`.

mod body;
mod entity;
mod routes;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::service::Shared;

pub(crate) use routes::MENU;

/// Connections that are served at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 1024;
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
    while let Some((stream, client)) = accept(&listener, &stop).await {
        let Some(Ok(place)) = stop
            .run_until_cancelled(Arc::clone(&free).acquire_owned())
            .await
        else {
            break;
        };
        let shared = Arc::clone(&shared);
        let stop = stop.clone();
        connections.spawn(async move {
            connection(stream, client, shared, stop).await;
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(GRACE, connections.wait()).await;
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
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move {
            let answer = routes::answer(&shared, client, local, &request).await;
            Ok::<_, Infallible>(answer)
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
            served.await
        }
    };
    if let Err(error) = ended
        && (error.is_parse() || error.is_parse_too_large())
    {
        shared.malformed.count("HTTP", || error.to_string());
    }
}
