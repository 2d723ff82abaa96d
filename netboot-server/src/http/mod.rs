//! HTTP: connections, their limits, and the end of them.
//!
//! What a URL on the boot network means is in `routes`, how an entity is given in `entity`, how
//! bytes go out in `body`. The API's URLs are in `crate::admin`.

mod access_log;
mod body;
mod clients;
mod downloads;
mod encoding;
mod entity;
mod listener;
mod pace;
mod path;
mod refusal;
mod routes;
mod sendfile;
mod transfer;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Access};
use crate::service::Shared;
use crate::telemetry::events::Kind;
use clients::Clients;
use listener::Accepted;
use pace::Paced;
use routes::Ends;
use sendfile::{Due, SendfileStream};

pub(crate) use body::Body;
pub(crate) use downloads::Downloads;
pub(crate) use encoding::compress;
pub(crate) use entity::etag;
pub(crate) use listener::Listener;

/// Connections that are served at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;
/// Connections that one address may have at once; more are closed, so that no stranger can take all.
const MAX_OF_ONE_CLIENT: usize = 768;
/// How long a client may acknowledge nothing of what the system still has for it.
const STALL: Duration = Duration::from_secs(120);
/// Bytes of a request's head; more are refused with 431, as hyper does with more than 100 lines.
const MAX_HEAD: usize = 16 << 10;
/// How long a request's head may take to arrive, and an idle connection may last.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long downloads may go on after the service was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long a connection without a download may then take to send what is left of its last answer.
const FLUSH: Duration = Duration::from_secs(1);

/// Which URLs a listener has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tree {
    /// Those of the boot network.
    Boot,
    /// The same over TLS.
    SecureBoot,
    /// Those of the API, with what may be asked of it.
    Api(Access),
}

/// Accepts connections until told to stop, then lets those that are open finish within a grace
/// time.
pub(crate) async fn serve(
    listener: Listener,
    tree: Tree,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    let clients = Arc::new(Clients::new(MAX_OF_ONE_CLIENT));
    while let Some(accepted) = listener.accept(&stop).await {
        let Some(Ok(place)) = stop
            .run_until_cancelled(Arc::clone(&free).acquire_owned())
            .await
        else {
            break;
        };
        let Some((client, local)) = accepted.addresses() else {
            continue;
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
        let connection = Connection {
            tree,
            client,
            local,
            shared: Arc::clone(&shared),
            stop: stop.clone(),
        };
        connections.spawn(async move {
            connection.accept(accepted).await;
            drop((place, counted));
        });
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(GRACE, connections.wait()).await;
}

struct Connection {
    tree: Tree,
    client: SocketAddr,
    local: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Connection {
    async fn accept(self, accepted: Accepted) {
        match accepted {
            Accepted::Tcp(stream, _) => {
                // Where the system refuses either, the connection is only slower to be sent or to
                // be given up.
                let _ = stream.set_nodelay(true);
                let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(STALL));
                if matches!(self.tree, Tree::SecureBoot) {
                    return self.shake_hands(stream).await;
                }
                let outlet = SendfileStream::new(stream);
                let due = outlet.due();
                self.run(outlet, Some(due)).await;
            }
            Accepted::Unix(stream) => self.run(stream, None).await,
        }
    }

    /// Serves over TLS, where there is a certificate and the client is through in time.
    async fn shake_hands(self, stream: TcpStream) {
        let Some(acceptor) = self.shared.certificate.acceptor() else {
            return;
        };
        let shaken = tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream));
        match self.stop.run_until_cancelled(shaken).await {
            Some(Ok(Ok(stream))) => self.run(stream, None).await,
            Some(Ok(Err(error))) => {
                self.shared.malformed.count("TLS", || error.to_string());
            }
            Some(Err(_)) | None => {}
        }
    }

    /// Serves until the client or the service ends it; files go by what is `due`, where the
    /// connection can.
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send, due: Option<Due>) {
        // Each body that is not out yet holds it, too.
        let under_way = Arc::new(());
        let secure = matches!(self.tree, Tree::SecureBoot);
        let ends = Ends::new(self.client, self.local, secure);
        let service = service_fn(|request| async {
            let request = request;
            let answer = match self.tree {
                Tree::Boot | Tree::SecureBoot => {
                    routes::answer(&self.shared, &ends, &request).await
                }
                Tree::Api(access) => admin::answer(&self.shared, access, &self.stop, request).await,
            };
            Ok::<_, Infallible>(answer.map(|body| {
                let body = body.tell(|transfer| transfer.hold(Arc::clone(&under_way)));
                match &due {
                    Some(due) => body.through(due),
                    None => body,
                }
            }))
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            // GRUB, U-Boot and lwIP know `Content-Length: ` by these letters only.
            .title_case_headers(true)
            .serve_connection(TokioIo::new(Paced::new(stream)), service);
        let mut served = std::pin::pin!(served);
        let ended = tokio::select! {
            ended = served.as_mut() => ended,
            () = self.stop.cancelled() => {
                served.as_mut().graceful_shutdown();
                let idle = Arc::strong_count(&under_way) == 1;
                // A request that is only half there would keep it open until its time is over.
                let grace = if idle { FLUSH } else { GRACE };
                let Ok(ended) = tokio::time::timeout(grace, served).await else {
                    return;
                };
                ended
            }
        };
        if let Err(error) = ended
            && (error.is_parse() || error.is_parse_too_large())
        {
            self.shared.malformed.count("HTTP", || error.to_string());
        }
    }
}
