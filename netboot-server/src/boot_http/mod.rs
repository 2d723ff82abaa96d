//! What each URL on the boot network means.

mod access_log;
mod path;
mod refusal;
pub mod route;

use std::fmt;
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use hyper::body::Incoming;
use hyper::http::request;
use hyper::{Method, Request, Response, StatusCode, header};
use netboot_dhcp::MacAddr;
use netboot_image::{Digest, FileRef, StoreError, open_source};
use netboot_tftp::server::Content;
use tokio_util::sync::CancellationToken;

use crate::boot_files::{BootFiles, ScriptRequest};
use crate::failure::Chain;
use crate::http::{self, Body, Downloads, Entity, Payload};
use crate::identity::{Identity, UrlClaim};
use crate::paths::{self, Served, served};
use crate::policy::{self, Origin};
use crate::telemetry::events::{Protocol, shown};
use crate::telemetry::host_time;
use crate::world::World;
use crate::world::installs::{InstallReports, ReportError};
use crate::world::programs::Digests;
use access_log::AccessLog;
use path::normal_path;
use refusal::Refusal;
use route::Routes;

/// The URLs of the boot network. Its clones are the same ones.
#[derive(Debug, Clone)]
pub(crate) struct BootSite(Arc<Parts>);

struct Parts {
    files: BootFiles,
    installs: InstallReports,
    downloads: Arc<Downloads>,
    digests: Digests,
    routes: Routes,
    health: Health,
}

/// Says whether the service is well.
pub(crate) type Health = Box<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

impl BootSite {
    /// Shows in `downloads` which files are going out. Routes are asked before what is here.
    pub(crate) fn new(
        files: BootFiles,
        installs: InstallReports,
        downloads: Arc<Downloads>,
        routes: Routes,
        health: Health,
    ) -> Self {
        Self(Arc::new(Parts {
            files,
            installs,
            downloads,
            digests: Digests::default(),
            routes,
            health,
        }))
    }
}

/// One end of a connection and the other.
#[derive(Debug)]
pub(crate) struct Ends {
    client: SocketAddr,
    local: SocketAddr,
    /// Whether it is encrypted.
    secure: bool,
    /// The machine behind the client's address, once it was found: it stays the same for as long as
    /// the connection does.
    machine: OnceLock<MacAddr>,
}

impl Ends {
    fn machine(&self, identity: &Identity) -> Option<MacAddr> {
        if let Some(machine) = self.machine.get() {
            return Some(*machine);
        }
        let machine = identity.machine_at(self.client.ip())?;
        Some(*self.machine.get_or_init(|| machine))
    }
}

/// Who asks, and where.
struct Asker<'r> {
    client: IpAddr,
    local: SocketAddr,
    secure: bool,
    /// The machine behind the client's address.
    seen: Option<MacAddr>,
    /// A MAC address in a URL says whose script is wanted, and not who asks.
    claim: &'r UrlClaim,
    path: &'r str,
}

impl http::Handler for BootSite {
    type Connection = Ends;

    fn connection(&self, client: SocketAddr, local: SocketAddr, secure: bool) -> Ends {
        Ends {
            client,
            local,
            secure,
            machine: OnceLock::new(),
        }
    }

    fn is_known(&self, client: IpAddr) -> bool {
        self.0.files.is_known(client)
    }

    /// Answers one request; what became of it is in the event stream when its body is out.
    async fn answer(
        &self,
        ends: &Ends,
        request: Request<Incoming>,
        _stop: &CancellationToken,
    ) -> Response<Body> {
        #[expect(clippy::disallowed_methods, reason = "a request takes real time")]
        let began = Instant::now();
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let claim = UrlClaim::new(head.uri.path(), query);
        let seen = ends.machine(self.0.files.identity());
        let client = ends.client.ip().to_canonical();
        let machine = self.0.files.identity().boots(seen, client, &claim);
        let log = |path: &str| AccessLog {
            telemetry: self.0.files.telemetry().clone(),
            machine,
            client,
            method: head.method.clone(),
            path: shown(path),
            began,
        };
        let (log, response) = match normal_path(head.uri.path()) {
            Ok(path) => {
                let asker = Asker {
                    client,
                    local: ends.local,
                    secure: ends.secure,
                    seen,
                    claim: &claim,
                    path: &path,
                };
                let response = match self.0.routes.of(&path) {
                    Some(route) => by_route(self, &asker, route, &head, body).await,
                    None => by_entity(self, &asker, &head, query).await,
                };
                (log(&path), response)
            }
            Err(why) => {
                let refusal = Refusal::new(StatusCode::BAD_REQUEST, why);
                (log(head.uri.path()), Err(refusal))
            }
        };
        match response {
            Ok(response) => log.answered(response, &self.0.downloads),
            Err(refusal) => {
                let response = refusal.response(&head.method);
                log.refused(refusal);
                response
            }
        }
    }
}

/// The answer of a route that was added.
async fn by_route(
    site: &BootSite,
    asker: &Asker<'_>,
    route: &dyn route::Answer,
    head: &request::Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let request = route::Request {
        method: head.method.clone(),
        path: asker.path.to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        body: route::whole(body).await?,
        client: asker.client,
        machine: asker.seen,
        secure: asker.secure,
        world: site.0.files.worlds().last(),
    };
    let mut response = route.answer(request).await;
    if head.method == Method::HEAD {
        let length = response.body().left().into();
        let headers = response.headers_mut();
        headers.entry(header::CONTENT_LENGTH).or_insert(length);
        *response.body_mut() = Body::bytes("");
    }
    Ok(response)
}

/// The entity that a URL names here.
async fn by_entity(
    site: &BootSite,
    asker: &Asker<'_>,
    head: &request::Parts,
    query: &str,
) -> Result<Response<Body>, Refusal> {
    let entity = find_by(&head.method, site, asker, query).await?;
    http::respond(entity, &head.method, &head.headers)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

async fn find_by(
    method: &Method,
    site: &BootSite,
    asker: &Asker<'_>,
    query: &str,
) -> Result<Entity, Refusal> {
    let report = asker
        .path
        .strip_prefix("/machines/")
        .and_then(|path| path.strip_suffix("/installed"));
    match (method, report) {
        (&Method::POST, Some(machine)) => {
            let (machine, query) = (machine.to_owned(), query.to_owned());
            where_waiting_is_allowed(site, move |site| installed(site, &machine, &query)).await
        }
        (_, Some(_)) => Err(Refusal::method("POST")),
        (&Method::GET | &Method::HEAD, None) if asker.path == "/healthz" => healthz(site).await,
        // A script is in memory, most often.
        (&Method::GET | &Method::HEAD, None)
            if served(asker.path.trim_start_matches('/')).is_some() =>
        {
            find(site, asker)
        }
        (&Method::GET | &Method::HEAD, None) => {
            let (client, local, secure) = (asker.client, asker.local, asker.secure);
            let seen = asker.seen;
            let (claim, path) = (asker.claim.clone(), asker.path.to_owned());
            where_waiting_is_allowed(site, move |site| {
                let asker = Asker {
                    client,
                    local,
                    secure,
                    seen,
                    claim: &claim,
                    path: &path,
                };
                find(site, &asker)
            })
            .await
        }
        (_, None) => Err(Refusal::method("GET, HEAD")),
    }
}

/// Does what reads or writes files.
async fn where_waiting_is_allowed(
    site: &BootSite,
    find: impl FnOnce(&BootSite) -> Result<Entity, Refusal> + Send + 'static,
) -> Result<Entity, Refusal> {
    let site = site.clone();
    let found = tokio::task::spawn_blocking(move || find(&site)).await;
    found.unwrap_or_else(|error| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Err(Refusal::new(status, error.to_string()))
    })
}

fn find(site: &BootSite, asker: &Asker<'_>) -> Result<Entity, Refusal> {
    let path = asker.path;
    if let Some(file) = paths::image_file(path) {
        image_file(site, file)
    } else if let Some(name) = path.strip_prefix("/states/") {
        state(site, asker, name)
    } else {
        program_or_script(site, asker)
    }
}

/// What is wrong is in the log, as it is no stranger's business.
async fn healthz(site: &BootSite) -> Result<Entity, Refusal> {
    if (site.0.health)().await {
        Ok(text("ok\n".into(), "text/plain; charset=utf-8"))
    } else {
        let why = "the service is not well; its log says why";
        Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why))
    }
}

/// A machine's report that it is installed: the one request that changes something here.
fn installed(site: &BootSite, machine: &str, query: &str) -> Result<Entity, Refusal> {
    let value = |key: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == key).map(|(_, value)| value)
    };
    let number = value("number").and_then(|number| number.parse().ok());
    let (Some(number), Some(token)) = (number, value("token")) else {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "the report has no number or no token",
        ));
    };
    let state = site
        .0
        .installs
        .report(host_time(), machine, number, &token)
        .map_err(|error| {
            let status = match &error {
                ReportError::Over(_) => StatusCode::CONFLICT,
                ReportError::Store(failure) => {
                    tracing::error!("{failure}");
                    let why = "the report cannot be kept now";
                    return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why);
                }
                _ => StatusCode::FORBIDDEN,
            };
            Refusal::new(status, error.to_string())
        })?;
    let said = format!("{machine} is installed, by install {}\n", state.number);
    Ok(text(said, "text/plain; charset=utf-8"))
}

fn text(text: String, media_type: &'static str) -> Entity {
    Entity {
        etag: http::etag(&Digest::of(text.as_bytes())),
        payload: Payload::Bytes(text.into()),
        media_type,
        immutable: false,
    }
}

/// A file of the operator's or a program of that name, else a script, else a file of the operator's
/// whose name is in another case: the same as by TFTP.
fn program_or_script(site: &BootSite, asker: &Asker<'_>) -> Result<Entity, Refusal> {
    let name = asker.path.trim_start_matches('/');
    let world = match served(name) {
        Some(_) => site.0.files.worlds().recent(),
        None => site.0.files.worlds().current(),
    };
    let stage = site.0.files.second_stage(&world, asker.client, name);
    let name = stage.as_deref().unwrap_or(name);
    let programs = world.programs();
    if let Ok(Content::File { file, .. }) = site.0.files.own_file(name) {
        return whole_file(site, name, Path::new(name), file);
    }
    if let Some(path) = programs.path(name) {
        return whole_file(site, name, path, open_source(path).map_err(unreadable)?);
    }
    if let Some(language) = policy::served_to(asker.client, programs, name) {
        return script(site, &world, asker, language);
    }
    match site.0.files.similar_file(name) {
        Ok(Content::File { file, .. }) => whole_file(site, name, Path::new(name), file),
        _ => Err(Refusal::not_found("there is nothing of that name")),
    }
}

fn script(
    site: &BootSite,
    world: &World,
    asker: &Asker<'_>,
    language: Served,
) -> Result<Entity, Refusal> {
    let origin = Origin {
        server: asker.local.ip().to_canonical(),
        http_port: asker.local.port(),
        secure: asker.secure,
    };
    let request = ScriptRequest {
        language,
        address: asker.client,
        seen: asker.seen,
        claim: asker.claim,
        origin,
        by: Protocol::Http,
        path: asker.path,
    };
    let script = site.0.files.script(world, &request).map_err(|error| {
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the boot script cannot be written: {}", Chain(&error)),
        )
    })?;
    Ok(Entity {
        etag: http::etag(&script.digest),
        payload: Payload::Bytes(script.text.clone()),
        media_type: "text/plain; charset=utf-8",
        immutable: false,
    })
}

fn image_file(site: &BootSite, path: &str) -> Result<Entity, Refusal> {
    let file = FileRef::from_str(path).map_err(|error| Refusal::not_found(error.to_string()))?;
    let opened = site
        .0
        .files
        .worlds()
        .store()
        .open_file(&file)
        .map_err(|error| {
            if let StoreError::NotOurs { .. } = error {
                return Refusal::not_found(format!("no image is called {}", file.name));
            }
            let status = match error {
                StoreError::NoSuchImage { .. }
                | StoreError::NoSuchGeneration { .. }
                | StoreError::NoSuchFile { .. } => StatusCode::NOT_FOUND,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            // The name and what is wrong with it, never a path of this host.
            let why = match status {
                StatusCode::NOT_FOUND => error.to_string(),
                _ => format!("{file} cannot be read now; `netboot image verify` says why"),
            };
            Refusal::new(status, why)
        })?;
    Ok(Entity {
        payload: Payload::File(opened.file, opened.size),
        media_type: http::media_type(file.file.as_str()),
        etag: http::etag(&opened.digest),
        immutable: file.generation.is_some(),
    })
}

/// A file that is no image's, by the name that it was asked by; its digest is known by `path`.
fn whole_file(site: &BootSite, name: &str, path: &Path, mut file: File) -> Result<Entity, Refusal> {
    let (length, digest) = site.0.digests.of(path, &mut file).map_err(unreadable)?;
    Ok(Entity {
        etag: http::etag(&digest),
        payload: Payload::File(file, length),
        media_type: http::media_type(name),
        immutable: false,
    })
}

fn unreadable(error: io::Error) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.kind().to_string())
}

/// A target's `state`, by its name or its MAC address, for the machine that holds that MAC
/// address's lease and for nobody else.
fn state(site: &BootSite, asker: &Asker<'_>, file: &str) -> Result<Entity, Refusal> {
    let nothing = || Refusal::not_found("no state of that name is for this machine");
    let name = file.strip_suffix(".json").ok_or_else(nothing)?;
    let world = site.0.files.worlds().current();
    let machine = site
        .0
        .files
        .identity()
        .asking_itself(&world, asker.client)
        .ok_or_else(nothing)?;
    let (_, target, _) = world.find(&machine).ok_or_else(nothing)?;
    let meant = target.name == name
        || MacAddr::from_str(name)
            .ok()
            .is_some_and(|mac| machine.mac == Some(mac));
    let document = target
        .state_document()
        .filter(|_| meant)
        .ok_or_else(nothing)?;
    Ok(text(document, "application/json"))
}
