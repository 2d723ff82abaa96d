//! HTTP: connections, their limits, and the end of them.
//!
//! It knows no URL: what a request is answered with is its [`Handler`]'s. How an entity is given is
//! in `entity`, how bytes go out in `body`.

mod body;
mod downloads;
mod encoding;
mod entity;
mod listener;
mod pace;
mod places;
mod sendfile;
mod transfer;
mod unacknowledged;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::telemetry::events::Kind;
use crate::telemetry::{Telemetry, host_time};
use crate::world::certificate::Certificate;
use listener::Accepted;
use pace::{Ask, Paced, Reset};
use places::{Activity, Caps, Places};
use sendfile::{Due, SendfileStream};
use unacknowledged::{Unacknowledged, unacknowledged};

pub use body::Body;
pub(crate) use downloads::{Download, Downloads};
pub(crate) use encoding::compress;
pub(crate) use entity::{Entity, Payload, etag, media_type, respond};
pub(crate) use listener::{Accepting, Listener};
pub(crate) use transfer::Sent;

/// Connections that are served at once, where the process may have as many files open.
pub(crate) const MAX_CONNECTIONS: usize = 4096;
/// Connections that one address may have at once.
const MAX_OF_ONE_CLIENT: usize = 768;
/// Connections that wait for a place; more wait in the system's queue until they are closed.
pub(crate) const MAX_WAITING: usize = 64;
/// Bytes of a request's head; more are refused with 431, as hyper does with more than 100 lines.
const MAX_HEAD: usize = 16 << 10;
/// How long a request's head may take to arrive, and an idle connection may last.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long downloads may go on after the service was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long a connection without a download may then take to send what is left of its last answer.
const FLUSH: Duration = Duration::from_secs(1);

/// What answers the requests that come in by a listener.
pub(crate) trait Handler: Send + Sync + 'static {
    /// What the requests of one connection share.
    type Connection: Send + Sync;

    /// A connection from `client` to `local`, encrypted where `secure`.
    fn connection(&self, client: SocketAddr, local: SocketAddr, secure: bool) -> Self::Connection;

    /// Whether the machine at an address goes before others where all places are taken.
    fn is_known(&self, _client: IpAddr) -> bool {
        false
    }

    /// Answers one request. An answer without an end ends when `stop` is cancelled.
    fn answer(
        &self,
        connection: &Self::Connection,
        request: Request<Incoming>,
        stop: &CancellationToken,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Accepts connections until told to stop, and serves so many of them at once; then lets those that
/// are open finish within a grace time. With a certificate they are encrypted.
pub(crate) async fn serve<H: Handler>(
    mut listener: Accepting,
    places: usize,
    certificate: Option<Arc<Certificate>>,
    handler: Arc<H>,
    telemetry: Telemetry,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let places = Arc::new(Places::new(Caps {
        places,
        of_one: MAX_OF_ONE_CLIENT,
        waiting: MAX_WAITING,
    }));
    while let Some(accepted) = listener.next(&stop).await {
        let Some((client, local)) = accepted.addresses() else {
            continue;
        };
        let address = client.ip().to_canonical();
        let refused = |why: String| Kind::HttpRefused {
            client: address,
            path: "(connection)".into(),
            status: 503,
            why,
        };
        let ticket = match places.enter(address, |client| handler.is_known(client)) {
            Ok(ticket) => ticket,
            Err(why) => {
                telemetry.emit(None, refused(why));
                continue;
            }
        };
        let connection = Connection {
            client,
            local,
            certificate: certificate.clone(),
            handler: Arc::clone(&handler),
            telemetry: telemetry.clone(),
            clock: host_time,
            stop: stop.clone(),
        };
        let displaced = refused("its place went to a client that had none".into());
        let telemetry = telemetry.clone();
        connections.spawn(async move {
            let Some(Some(place)) = connection.stop.run_until_cancelled(ticket.place()).await
            else {
                return;
            };
            let activity = Arc::clone(&place.activity);
            let served = connection.accept(accepted, activity);
            if place.displaced.run_until_cancelled(served).await.is_none() {
                telemetry.emit(None, displaced);
            }
        });
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(GRACE, connections.wait()).await;
}

struct Connection<H> {
    client: SocketAddr,
    local: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    handler: Arc<H>,
    telemetry: Telemetry,
    /// The host's clock.
    clock: fn() -> jiff::Timestamp,
    stop: CancellationToken,
}

impl<H: Handler> Connection<H> {
    async fn accept(self, accepted: Accepted, activity: Arc<Activity>) {
        match accepted {
            Accepted::Tcp(stream, _) => {
                // Where the system refuses it, the connection is only slower.
                let _ = stream.set_nodelay(true);
                if let Some(certificate) = self.certificate.clone() {
                    return self.shake_hands(stream, &certificate, activity).await;
                }
                let stream = SendfileStream::new(stream);
                let due = stream.due();
                let ask = self.ask();
                self.run(stream, Some(due), activity, ask).await;
            }
            Accepted::Unix(stream) => {
                let ask = Box::new(Unacknowledged::default);
                self.run(stream, None, activity, ask).await;
            }
        }
    }

    /// What the client has not acknowledged. Where the system does not say, nothing.
    fn ask(&self) -> Ask {
        let (local, client) = (self.local, self.client);
        Box::new(move || unacknowledged(local, client).unwrap_or_default())
    }

    /// Serves over TLS, where there is a certificate and the client is through in time.
    async fn shake_hands(
        self,
        stream: TcpStream,
        certificate: &Certificate,
        activity: Arc<Activity>,
    ) {
        let Some(acceptor) = certificate.acceptor() else {
            return;
        };
        let shaken = tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream));
        match self.stop.run_until_cancelled(shaken).await {
            Some(Ok(Ok(stream))) => {
                let ask = self.ask();
                self.run(stream, None, activity, ask).await;
            }
            Some(Ok(Err(error))) => {
                self.telemetry.malformed("TLS", || error.to_string());
            }
            Some(Err(_)) | None => {}
        }
    }

    /// Serves until the client or the service ends it; files go by what is `due`, where the
    /// connection can.
    async fn run(
        self,
        stream: impl AsyncRead + AsyncWrite + Reset + Unpin + Send,
        due: Option<Due>,
        activity: Arc<Activity>,
        ask: Ask,
    ) {
        let under_way = &activity.under_way;
        let secure = self.certificate.is_some();
        let connection = self.handler.connection(self.client, self.local, secure);
        let service = service_fn(|request| async {
            let answered = Arc::clone(under_way);
            let mut answer = match check_host(request.version(), request.headers()) {
                Ok(()) => self.handler.answer(&connection, request, &self.stop).await,
                Err(why) => {
                    self.telemetry.malformed("HTTP", || why.to_owned());
                    text_answer(StatusCode::BAD_REQUEST, why, request.method())
                }
            };
            if answer.body().is_live() {
                activity.has_no_end();
            }
            if let Some(date) = date((self.clock)()) {
                answer.headers_mut().insert(DATE, date);
            }
            Ok::<_, Infallible>(answer.map(|body| {
                let body = body.watch(|transfer| transfer.hold(answered));
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
            // Who shuts its side when it has asked waits for the answer (RFC 9112, 9.6).
            .half_close(true)
            // GRUB, U-Boot and lwIP know `Content-Length: ` by these letters only.
            .title_case_headers(true)
            // hyper's panics where the clock is before 1970.
            .auto_date_header(false)
            .serve_connection(
                TokioIo::new(Paced::new(stream, Arc::clone(&activity), ask)),
                service,
            );
        let mut served = std::pin::pin!(served);
        let ended = tokio::select! {
            ended = served.as_mut() => ended,
            () = self.stop.cancelled() => {
                served.as_mut().graceful_shutdown();
                let idle = !activity.is_under_way();
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
            self.telemetry.malformed("HTTP", || error.to_string());
        }
    }
}

/// Whether a request names one host, as RFC 9112, 3.2 wants it: only HTTP/1.0 may leave it out.
fn check_host(version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_11 => Err("the request names no Host"),
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err("the request has two headers Host"),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => Err("the request's Host is none"),
    }
}

/// A host and a port, if any; nothing, where what is asked for has no host.
fn is_host(value: &[u8]) -> bool {
    let is_plain = |host: Authority| !host.as_str().contains('@');
    value.is_empty() || Authority::try_from(value).is_ok_and(is_plain)
}

/// An answer of a line of text.
pub(crate) fn text_answer(status: StatusCode, line: &str, method: &Method) -> Response<Body> {
    let text = format!("{line}\n");
    let length = HeaderValue::from(text.len());
    let mut response = Response::new(match *method {
        Method::HEAD => Body::bytes(""),
        _ => Body::bytes(text),
    });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    // GRUB skips the first line behind the status of a refusal. It would not know where the text
    // ends, and wait half a minute for more.
    headers.insert(CONTENT_LENGTH, length);
    response
}

/// A time as `Date` has it (RFC 9110, 6.6.1).
fn date(now: jiff::Timestamp) -> Option<HeaderValue> {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    HeaderValue::try_from(text.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Answers everything by nothing.
    struct Nothing;

    impl Handler for Nothing {
        type Connection = ();

        fn connection(&self, _client: SocketAddr, _local: SocketAddr, _secure: bool) {}

        async fn answer(
            &self,
            (): &(),
            _request: Request<Incoming>,
            _stop: &CancellationToken,
        ) -> Response<Body> {
            Response::new(Body::bytes(""))
        }
    }

    #[tokio::test]
    async fn a_clock_before_1970_is_told_as_it_is() {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let connection = Connection {
            client: nowhere,
            local: nowhere,
            certificate: None,
            handler: Arc::new(Nothing),
            telemetry: Telemetry::default(),
            clock: || jiff::Timestamp::from_second(-1).expect("a time"),
            stop: CancellationToken::new(),
        };
        let (mut client, server) = duplex(1 << 10);
        let ask = Box::new(Unacknowledged::default);
        let served = tokio::spawn(connection.run(server, None, Arc::default(), ask));
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        client.write_all(request).await.expect("a reader");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        served.await.expect("no panic");
        // In the form of RFC 9110, 5.6.7.
        assert!(
            answer.contains("\r\nDate: Wed, 31 Dec 1969 23:59:59 GMT\r\n"),
            "{answer}"
        );
    }
}
