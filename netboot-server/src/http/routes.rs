//! What each URL on the boot network means.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use hyper::{Method, Request, Response, StatusCode};
use netboot_dhcp::MacAddr;
use netboot_image::{Digest, FileRef, StoreError};

use super::access_log::AccessLog;
use super::body::Body;
use super::entity::{self, Content, Entity};
use super::path::normal_path;
use super::refusal::Refusal;
use crate::failure::Chain;
use crate::identity::Claim;
use crate::identity::neighbour;
use crate::policy::{self, Served, served};
use crate::script::Origin;
use crate::service::Shared;
use crate::telemetry::events::{Protocol, shown};
use crate::world::installs::ReportError;

/// One end of a connection and the other.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    pub(super) local: SocketAddr,
    /// Whether it is encrypted.
    secure: bool,
    /// The machine behind the client's address by the neighbour table, once it was looked up: it
    /// stays the same for as long as the connection does.
    neighbour: OnceLock<Option<MacAddr>>,
}

impl Ends {
    pub(super) fn new(client: SocketAddr, local: SocketAddr, secure: bool) -> Self {
        let neighbour = OnceLock::new();
        Self {
            client,
            local,
            secure,
            neighbour,
        }
    }

    /// The machine behind the client's address: by its lease, then by the neighbour table.
    fn machine(&self, shared: &Shared) -> Option<MacAddr> {
        let address = self.client.ip();
        let look = || neighbour::mac_of(address);
        shared
            .lease_holder(address)
            .or_else(|| *self.neighbour.get_or_init(look))
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
    claim: &'r Claim,
    path: &'r str,
}

/// Answers one request; what became of it is in the event stream when its body is out.
pub(super) async fn answer<B>(
    shared: &Arc<Shared>,
    ends: &Ends,
    request: &Request<B>,
) -> Response<Body> {
    #[expect(clippy::disallowed_methods, reason = "a request takes real time")]
    let began = Instant::now();
    let query = request.uri().query().unwrap_or_default();
    let claim = Claim::new(request.uri().path(), query);
    let seen = ends.machine(shared);
    let client = ends.client.ip().to_canonical();
    let told = |path: &str| AccessLog {
        shared: Arc::clone(shared),
        machine: seen.or(claim.mac),
        client,
        path: shown(path),
        began,
    };
    let (told, found) = match normal_path(request.uri().path()) {
        Ok(path) => {
            let asker = Asker {
                client,
                local: ends.local,
                secure: ends.secure,
                seen,
                claim: &claim,
                path: &path,
            };
            let found = find_by(request.method(), shared, &asker, query).await;
            (told(&path), found)
        }
        Err(why) => {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, why);
            (told(request.uri().path()), Err(refusal))
        }
    };
    let response = found.and_then(|entity| {
        entity::respond(entity, request.method(), request.headers())
            .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    });
    match response {
        Ok(response) => told.of(response),
        Err(refusal) => {
            let response = refusal.response(request.method());
            told.refused(refusal);
            response
        }
    }
}

async fn find_by(
    method: &Method,
    shared: &Arc<Shared>,
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
            where_waiting_is_allowed(shared, move |shared| installed(shared, &machine, &query))
                .await
        }
        (_, Some(_)) => Err(Refusal::method("POST")),
        // A script is in memory, most often.
        (&Method::GET | &Method::HEAD, None)
            if served(asker.path.trim_start_matches('/')).is_some() =>
        {
            find(shared, asker)
        }
        (&Method::GET | &Method::HEAD, None) => {
            let (client, local, secure) = (asker.client, asker.local, asker.secure);
            let seen = asker.seen;
            let (claim, path) = (asker.claim.clone(), asker.path.to_owned());
            where_waiting_is_allowed(shared, move |shared| {
                let asker = Asker {
                    client,
                    local,
                    secure,
                    seen,
                    claim: &claim,
                    path: &path,
                };
                find(shared, &asker)
            })
            .await
        }
        (_, None) => Err(Refusal::method("GET, HEAD")),
    }
}

/// Does what reads or writes files.
async fn where_waiting_is_allowed(
    shared: &Arc<Shared>,
    find: impl FnOnce(&Shared) -> Result<Entity, Refusal> + Send + 'static,
) -> Result<Entity, Refusal> {
    let shared = Arc::clone(shared);
    let found = tokio::task::spawn_blocking(move || find(&shared)).await;
    found.unwrap_or_else(|error| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Err(Refusal::new(status, error.to_string()))
    })
}

fn find(shared: &Shared, asker: &Asker<'_>) -> Result<Entity, Refusal> {
    match asker.path {
        "/healthz" => Ok(text("ok\n".into(), "text/plain; charset=utf-8")),
        path => {
            if let Some(file) = policy::image_file(path) {
                image_file(shared, file)
            } else if let Some(name) = path.strip_prefix("/states/") {
                state(shared, asker, name)
            } else {
                program_or_script(shared, asker)
            }
        }
    }
}

/// A machine's report that it is installed: the one request that changes something here.
fn installed(shared: &Shared, machine: &str, query: &str) -> Result<Entity, Refusal> {
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
    let state = shared
        .report_install(machine, number, &token)
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
        etag: entity::etag(&Digest::of(text.as_bytes())),
        content: Content::Bytes(text.into()),
        media_type,
        immutable: false,
    }
}

/// A program of that name, else a script.
fn program_or_script(shared: &Shared, asker: &Asker<'_>) -> Result<Entity, Refusal> {
    let name = asker.path.trim_start_matches('/');
    let world = match served(name) {
        Some(_) => shared.worlds.recent(),
        None => shared.worlds.current(),
    };
    let stage = shared.second_stage(&world, asker.client, name);
    let name = stage.as_deref().unwrap_or(name);
    let programs = world.programs();
    match (programs.path(name), policy::served_beside(programs, name)) {
        (Some(path), _) => program(shared, name, path),
        (None, Some(language)) => script(shared, asker, language),
        (None, None) => Err(Refusal::not_found("there is nothing of that name")),
    }
}

fn script(shared: &Shared, asker: &Asker<'_>, language: Served) -> Result<Entity, Refusal> {
    let origin = Origin {
        server: asker.local.ip().to_canonical(),
        http_port: asker.local.port(),
        secure: asker.secure,
    };
    let script = shared
        .script(
            language,
            asker.client,
            asker.seen,
            asker.claim,
            origin,
            (Protocol::Http, asker.path),
        )
        .map_err(|error| {
            Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the boot script cannot be written: {}", Chain(&error)),
            )
        })?;
    Ok(Entity {
        etag: script.etag.clone(),
        content: Content::Bytes(script.text.clone()),
        media_type: "text/plain; charset=utf-8",
        immutable: false,
    })
}

fn image_file(shared: &Shared, path: &str) -> Result<Entity, Refusal> {
    let file = FileRef::from_str(path).map_err(|error| Refusal::not_found(error.to_string()))?;
    let opened = shared.worlds.store().open_file(&file).map_err(|error| {
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
        content: Content::File(opened.file, opened.size),
        media_type: entity::media_type(file.file.as_str()),
        etag: entity::etag(&opened.digest),
        immutable: file.generation.is_some(),
    })
}

fn program(shared: &Shared, name: &str, path: &Path) -> Result<Entity, Refusal> {
    let opened = File::open(path).and_then(|mut file| {
        let (length, digest) = shared.digests.of(path, &mut file)?;
        Ok((file, length, digest))
    });
    let (file, length, digest) = opened.map_err(|error| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.kind().to_string())
    })?;
    Ok(Entity {
        etag: entity::etag(&digest),
        content: Content::File(file, length),
        media_type: entity::media_type(name),
        immutable: false,
    })
}

/// A target's `state`, by its name or its MAC address, for the machine that holds that MAC
/// address's lease and for nobody else.
fn state(shared: &Shared, asker: &Asker<'_>, file: &str) -> Result<Entity, Refusal> {
    let nothing = || Refusal::not_found("no state of that name is for this machine");
    let name = file.strip_suffix(".json").ok_or_else(nothing)?;
    let world = shared.worlds.current();
    let machine = shared
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
