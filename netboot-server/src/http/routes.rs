//! What each URL on the boot network means.

use std::borrow::Cow;
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use netboot_dhcp::MacAddr;
use netboot_image::{Digest, FileRef, StoreError};

use super::body::Body;
use super::downloads::Download;
use super::entity::{self, Content, Entity};
use super::transfer::Sent;
use crate::asking::Claim;
use crate::events::{Kind, shown};
use crate::failure::Chain;
use crate::install::ReportError;
use crate::neighbour;
use crate::policy::{Served, served};
use crate::script::Origin;
use crate::service::Shared;

/// A request that gets no entity.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    why: String,
    /// The methods that are served, where it was another.
    allow: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self {
            status,
            why: why.into(),
            allow: None,
        }
    }

    fn method(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("only {} is served here", allow.replace(", ", " and ")),
            )
        }
    }

    fn not_found(why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, why)
    }
}

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
    let claim = Claim::from_query(query);
    let seen = ends.machine(shared);
    let client = ends.client.ip().to_canonical();
    let told = |path: &str| Told {
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
            let response = refused(&refusal, request.method());
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

/// What the event stream is told of a request.
struct Told {
    shared: Arc<Shared>,
    machine: Option<MacAddr>,
    client: IpAddr,
    path: String,
    began: Instant,
}

impl Told {
    fn of(self, response: Response<Body>) -> Response<Body> {
        let status = response.status().as_u16();
        response.map(|body| {
            let shown = body.is_file().then(|| {
                self.shared.downloads.show(Download::new(
                    self.client,
                    self.machine,
                    self.path.clone(),
                    body.left(),
                    self.began,
                ))
            });
            body.tell(|transfer| {
                if let Some(shown) = shown {
                    transfer.show(shown);
                }
                transfer.on_end(move |sent| self.sent(status, sent));
            })
        })
    }

    fn sent(self, status: u16, sent: Sent) {
        let elapsed = self.began.elapsed();
        self.shared.metrics.http_responded(&self.path, elapsed);
        self.shared.emit(
            self.machine,
            Kind::HttpSent {
                client: self.client,
                path: self.path,
                status,
                bytes: sent.bytes,
                elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                complete: sent.complete,
            },
        );
    }

    fn refused(self, refusal: Refusal) {
        self.shared.emit(
            self.machine,
            Kind::HttpRefused {
                client: self.client,
                path: self.path,
                status: refusal.status.as_u16(),
                why: refusal.why,
            },
        );
    }
}

fn refused(refusal: &Refusal, method: &Method) -> Response<Body> {
    let text = format!("{}\n", refusal.why);
    let length = HeaderValue::from(text.len());
    let body = if method == Method::HEAD {
        Body::bytes(Bytes::new())
    } else {
        Body::bytes(text)
    };
    let mut response = Response::new(body);
    *response.status_mut() = refusal.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if let Some(methods) = refusal.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    response
}

/// The path with percent signs decoded and `//` folded in place, since firmware fails on a
/// redirect; one that leads up or out is refused.
fn normal_path(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    let path = percent_encoding::percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| "the path is not UTF-8")?;
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err("the path holds a control character or a backslash");
    }
    let mut is_normal = path.len() == 1 || !path.ends_with('/');
    for part in path.split('/').skip(1) {
        if part == "." || part == ".." {
            return Err("the path leads out of where it starts");
        }
        is_normal &= !part.is_empty() || path.len() == 1;
    }
    if is_normal && path.starts_with('/') {
        return Ok(path);
    }
    let parts = path.split('/').filter(|part| !part.is_empty());
    let mut normal = String::with_capacity(path.len());
    for part in parts {
        normal.push('/');
        normal.push_str(part);
    }
    if normal.is_empty() {
        normal.push('/');
    }
    Ok(Cow::Owned(normal))
}

fn find(shared: &Shared, asker: &Asker<'_>) -> Result<Entity, Refusal> {
    match asker.path {
        "/healthz" => Ok(text("ok\n".into(), "text/plain; charset=utf-8")),
        path => {
            if let Some(file) = path.strip_prefix("/images/") {
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
        digest: Some(Digest::of(text.as_bytes()).hex().to_string()),
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
    match (world.programs().path(name), served(name)) {
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
            asker.path,
        )
        .map_err(|error| {
            Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the boot script cannot be written: {}", Chain(&error)),
            )
        })?;
    Ok(Entity {
        digest: Some(script.digest.clone()),
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
        digest: Some(opened.digest.hex().to_string()),
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
        digest: Some(digest.hex().to_string()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn double_slashes_are_folded_and_percent_signs_decoded_in_place() {
        for (raw, path) in [
            ("/", "/"),
            ("//boot.ipxe", "/boot.ipxe"),
            ("/images//x/%40%31/initrd", "/images/x/@1/initrd"),
            ("/images/x/", "/images/x"),
        ] {
            assert_eq!(normal_path(raw).ok().as_deref(), Some(path), "{raw}");
        }
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        for raw in [
            "/images/../leases",
            "/images/%2e%2e/leases",
            "/..",
            "/images/x/..%2f..%2fleases",
            "/a\\..\\b",
            "/%00",
            "/%ff",
        ] {
            assert!(normal_path(raw).is_err(), "{raw}");
        }
    }
}
