//! The API for operators and their programs: what the service knows, in JSON; and the page that
//! shows it to people.
//!
//! It is served on `admin_listen`, where it only tells, and on the control socket, where it also
//! acts.

mod boots;
mod documents;
mod events;
pub mod explain;
mod gauges;
mod host;
mod leases;
mod page;

pub use leases::import_offline;

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::boots::BootStore;
use crate::config::Problems;
use crate::failure::Failure;
use crate::http::{self, Body, Downloads};
use crate::leases::{AnyStore, LeaseTable};
use crate::telemetry::events::InstallWord;
use crate::telemetry::{Telemetry, host_time, metrics};
use crate::world::Worlds;
use crate::world::installs::{Change, InstallReports, ReportError};

/// Bytes of the longest body: dnsmasq's lines for some 200,000 leases.
const MAX_BODY: usize = 16 << 20;

/// What is said to who asks by a name that may be anybody's.
const ANOTHER_HOST: &str = "the API is not known by this name: ask by the address of this server, \
                            or write the name in admin_names";

/// What may be asked of the API where it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// What the service knows.
    Read,
    /// That, and changes.
    Write,
}

/// Why a request is answered with no document.
#[derive(Debug)]
struct ApiError {
    status: StatusCode,
    why: String,
}

impl ApiError {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { status, why }
    }
}

/// Says what does not work.
type Health =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> + Send + Sync>;

/// What the API tells of, and what it changes.
pub(crate) struct Operations {
    pub(crate) worlds: Arc<Worlds>,
    pub(crate) telemetry: Telemetry,
    pub(crate) leases: LeaseTable,
    pub(crate) store: AnyStore,
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) installs: InstallReports,
    /// The records of boots; `None` where they cannot be kept.
    pub(crate) boots: Option<Arc<BootStore>>,
    /// When the service started, by the host's clock.
    pub(crate) started: jiff::Timestamp,
    /// What listens, as `DHCP on eth1`, and whether it does now or is waited for.
    pub(crate) endpoints: Box<dyn Fn() -> Vec<(String, bool)> + Send + Sync>,
    /// Whether the service does what it is there for.
    pub(crate) health: Health,
    /// Takes the configuration anew. Blocks.
    pub(crate) reload: Box<dyn Fn() -> Result<Problems, Problems> + Send + Sync>,
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations")
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}

/// The URLs of the API at one place where it listens.
#[derive(Debug)]
pub(crate) struct Api {
    operations: Arc<Operations>,
    access: Access,
}

impl Api {
    pub(crate) fn new(operations: Arc<Operations>, access: Access) -> Self {
        Self { operations, access }
    }
}

impl http::Handler for Api {
    type Connection = ();

    fn connection(&self, _client: SocketAddr, _local: SocketAddr, _secure: bool) {}

    async fn answer(
        &self,
        (): &(),
        request: Request<Incoming>,
        stop: &CancellationToken,
    ) -> Response<Body> {
        let (request, body) = request.into_parts();
        let path = request.uri.path().trim_end_matches('/');
        let query = Query(request.uri.query().unwrap_or_default());
        let is_read = matches!(request.method, Method::GET | Method::HEAD);
        let answered = if self.access == Access::Read && !is_meant(&self.operations, &request) {
            Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, ANOTHER_HOST))
        } else if is_read {
            read(&self.operations, path, query, stop).await
        } else if self.access == Access::Write {
            write(&self.operations, &request.method, path, body).await
        } else {
            Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "here the API only tells; changes are made over the control socket, by `netboot`",
            ))
        };
        let response = answered.unwrap_or_else(|error| refused(&error));
        let mut response = http::compress(response, &request.headers).await;
        if request.method == Method::HEAD {
            *response.body_mut() = Body::bytes(Bytes::new());
        }
        response
    }
}

/// Whether a request names this server, by what it is called itself or by configuration.
fn is_meant(of: &Operations, request: &Parts) -> bool {
    let world = of.worlds.recent();
    let system = rustix::system::uname();
    let own = system.nodename().to_str().ok();
    let names = world.config().admin_names.iter().map(String::as_str);
    host::is_meant(request, names.chain(own))
}

async fn read(
    of: &Arc<Operations>,
    path: &str,
    query: Query<'_>,
    stop: &CancellationToken,
) -> Result<Response<Body>, ApiError> {
    match path {
        "/metrics" => blocking(of, |of| Ok(metrics(of))).await,
        "/api/v1/status" => document(of, documents::status).await,
        "/api/v1/machines" => document(of, documents::machines).await,
        "/api/v1/leases" => document(of, documents::leases).await,
        "/api/v1/images" => document(of, documents::images).await,
        "/api/v1/explain" => {
            let machine = query.machine()?;
            document(of, move |of| documents::explain(of, &machine)).await
        }
        "/api/v1/boots" => {
            let asked = boots::Asked::of(query)?;
            attempted(of, move |of| boots::list(of, &asked)).await
        }
        "/api/v1/events" if query.has("follow") => Ok(events::follow(of, query.since()?, stop)),
        "/api/v1/events" => {
            let since = query.since()?;
            document(of, move |of| events::list(of, since)).await
        }
        _ if let Some(id) = path.strip_prefix("/api/v1/boots/") => {
            let id = id.parse().map_err(|_| nothing())?;
            attempted(of, move |of| boots::record(of, id)).await
        }
        _ => page::read(of, path, query, stop).await,
    }
}

async fn write(
    of: &Arc<Operations>,
    method: &Method,
    path: &str,
    body: Incoming,
) -> Result<Response<Body>, ApiError> {
    match (method, path) {
        (&Method::POST, "/api/v1/leases") => {
            let body = Limited::new(body, MAX_BODY).collect().await;
            let file = body.map_err(|_| {
                let why = format!("the body is cut off, or longer than {MAX_BODY} bytes");
                ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, why)
            })?;
            let file = file.to_bytes();
            attempted(of, move |of| leases::import(of, &file)).await
        }
        (&Method::DELETE, path) => {
            let address = path.strip_prefix("/api/v1/leases/").ok_or_else(nothing)?;
            let address = address.to_owned();
            attempted(of, move |of| leases::remove(of, &address)).await
        }
        (&Method::POST, "/api/v1/reload") => blocking(of, reload).await,
        (&Method::POST, path) => {
            let (name, change) = install_change(path).ok_or_else(nothing)?;
            blocking(of, move |of| change_install(of, &name, change)).await
        }
        _ => Err(nothing()),
    }
}

/// Does what may fail where waiting for the disk holds nobody up, and says what came of it.
async fn attempted<T: Serialize + Send + 'static>(
    of: &Arc<Operations>,
    change: impl FnOnce(&Arc<Operations>) -> Result<T, ApiError> + Send + 'static,
) -> Result<Response<Body>, ApiError> {
    let document = blocking(of, change).await?;
    let text = serde_json::to_vec(&document).map_err(internal)?;
    Ok(respond(StatusCode::OK, "application/json", text))
}

/// `/api/v1/machines/NAME/installed` and `/api/v1/machines/NAME/reinstall`.
fn install_change(path: &str) -> Option<(String, Change)> {
    let (name, word) = path.strip_prefix("/api/v1/machines/")?.split_once('/')?;
    let change = match word {
        "installed" => Change::Installed,
        "reinstall" => Change::Reinstall,
        _ => return None,
    };
    Some((name.to_owned(), change))
}

/// Takes the operator's word about a machine's install.
fn change_install(
    of: &Arc<Operations>,
    name: &str,
    change: Change,
) -> Result<Response<Body>, ApiError> {
    let done = of
        .installs
        .change(host_time(), name, change, InstallWord::Operator);
    let (state, changed) = done.map_err(|error| {
        let status = match error {
            ReportError::NoTarget(_) => StatusCode::NOT_FOUND,
            ReportError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::CONFLICT,
        };
        ApiError::new(status, error.to_string())
    })?;
    let document = json!({
        "name": name, "number": state.number, "installed": state.installed, "changed": changed,
    });
    Ok(respond(
        StatusCode::OK,
        "application/json",
        document.to_string(),
    ))
}

/// Takes the configuration anew; what is wrong with it is in the answer, whole.
fn reload(of: &Arc<Operations>) -> Result<Response<Body>, ApiError> {
    let reloaded = (of.reload)();
    let (status, error) = match reloaded {
        Ok(_) => (StatusCode::OK, None),
        Err(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Some("the configuration was not reloaded: the one before it goes on"),
        ),
    };
    let (Ok(problems) | Err(problems)) = reloaded;
    let problems: Vec<_> = problems.iter().collect();
    let text = json!({ "reloaded": error.is_none(), "error": error, "problems": problems });
    Ok(respond(status, "application/json", text.to_string()))
}

fn nothing() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "the API has nothing of that name")
}

/// The query of a URL.
#[derive(Clone, Copy)]
struct Query<'u>(&'u str);

impl Query<'_> {
    fn value(&self, key: &str) -> Option<String> {
        form_urlencoded::parse(self.0.as_bytes())
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.into_owned())
    }

    fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        key: &str,
    ) -> Result<Option<T>, ApiError> {
        let parsed = self.value(key).map(|value| value.parse()).transpose();
        parsed.map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, format!("{key}: {error}")))
    }

    /// The number of the last event that the client has.
    fn since(&self) -> Result<u64, ApiError> {
        Ok(self.parsed("since")?.unwrap_or_default())
    }

    fn arch(&self) -> Result<Option<netboot_dhcp::value::Arch>, ApiError> {
        let Some(text) = self.value("arch") else {
            return Ok(None);
        };
        let arch = crate::config::platform::arch_of(&text);
        let wrong = || ApiError::new(StatusCode::BAD_REQUEST, "arch: no platform, and no number");
        arch.ok_or_else(wrong).map(Some)
    }

    fn machine(&self) -> Result<crate::world::Machine, ApiError> {
        Ok(crate::world::Machine {
            mac: self.parsed("mac")?,
            uuid: self.parsed("uuid")?,
            circuit: self.parsed("circuit")?,
            arch: self.arch()?,
            network: None,
        })
    }
}

/// Makes a document where waiting for files and locks holds nobody up.
async fn document<T: Serialize>(
    of: &Arc<Operations>,
    make: impl FnOnce(&Operations) -> T + Send + 'static,
) -> Result<Response<Body>, ApiError> {
    blocking(of, move |of| {
        serde_json::to_vec(&make(of)).map_err(internal)
    })
    .await
    .map(|text| respond(StatusCode::OK, "application/json", text))
}

async fn blocking<T: Send + 'static>(
    of: &Arc<Operations>,
    work: impl FnOnce(&Arc<Operations>) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let of = Arc::clone(of);
    let done = tokio::task::spawn_blocking(move || work(&of)).await;
    done.map_err(internal).flatten()
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

fn metrics(of: &Operations) -> Response<Body> {
    let text = of.telemetry.metrics().text(gauges::gather(of));
    respond(StatusCode::OK, metrics::MEDIA_TYPE, text)
}

fn refused(error: &ApiError) -> Response<Body> {
    let text = format!("{}\n", json!({ "error": error.why }));
    respond(error.status, "application/json", text)
}

fn respond(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let body = body.into();
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(Body::bytes(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
