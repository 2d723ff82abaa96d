//! What each URL on the boot network means.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use netboot_dhcp::MacAddr;
use netboot_image::{Digest, FileRef, StoreError};

use super::body::Body;
use super::downloads::Download;
use super::entity::{self, Content, Entity};
use crate::asking::Claim;
use crate::events::{Kind, shown};
use crate::failure::Chain;
use crate::install::ReportError;
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

/// Who asks, and where.
struct Asker<'r> {
    client: IpAddr,
    local: SocketAddr,
    claim: &'r Claim,
    path: &'r str,
}

/// Answers one request; what became of it is in the event stream when its body is out.
pub(super) async fn answer<B>(
    shared: &Arc<Shared>,
    client: SocketAddr,
    local: SocketAddr,
    request: &Request<B>,
) -> Response<Body> {
    #[expect(clippy::disallowed_methods, reason = "a request takes real time")]
    let began = Instant::now();
    let raw_path = request.uri().path().to_owned();
    let shared_there = Arc::clone(shared);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let method = request.method().clone();
    // The store and the neighbour table are read from files.
    let found = tokio::task::spawn_blocking(move || {
        // A MAC address in a URL says whose script is wanted, and not who asks.
        let (claim, seen) = (
            Claim::from_query(&query),
            shared_there.identify(client.ip()),
        );
        let found = normal_path(&raw_path).and_then(|path| {
            let report = path
                .strip_prefix("/machines/")
                .and_then(|path| path.strip_suffix("/installed"));
            match (&method, report) {
                (&Method::POST, Some(machine)) => {
                    return installed(&shared_there, machine, &query).map(|entity| (path, entity));
                }
                (_, Some(_)) => return Err(Refusal::method("POST")),
                (&Method::GET | &Method::HEAD, None) => {}
                (_, None) => return Err(Refusal::method("GET, HEAD")),
            }
            let asker = Asker {
                client: client.ip().to_canonical(),
                local,
                claim: &claim,
                path: &path,
            };
            find(&shared_there, &asker).map(|entity| (path, entity))
        });
        (raw_path, seen.or(claim.mac), found)
    })
    .await;
    let (path, machine, found) = match found {
        Ok((_, machine, Ok((path, entity)))) => (path, machine, Ok(entity)),
        Ok((raw_path, machine, Err(refusal))) => (raw_path, machine, Err(refusal)),
        Err(error) => {
            let refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
            (String::new(), None, Err(refusal))
        }
    };
    let response = found.and_then(|entity| {
        entity::respond(entity, request.method(), request.headers())
            .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    });
    let client = client.ip().to_canonical();
    match response {
        Ok(response) => {
            let status = response.status().as_u16();
            let shared = Arc::clone(shared);
            response.map(|body| {
                let body = if body.is_file() {
                    let path = shown(&path);
                    let download = Download::new(client, machine, path, body.left(), began);
                    body.show(shared.downloads.show(download))
                } else {
                    body
                };
                body.on_end(move |sent| {
                    shared.emit(
                        machine,
                        Kind::HttpSent {
                            client,
                            path: shown(&path),
                            status,
                            bytes: sent.bytes,
                            elapsed_ms: u64::try_from(began.elapsed().as_millis())
                                .unwrap_or(u64::MAX),
                            complete: sent.complete,
                        },
                    );
                })
            })
        }
        Err(refusal) => {
            let response = refused(&refusal, request.method());
            shared.emit(
                machine,
                Kind::HttpRefused {
                    client,
                    path: shown(&path),
                    status: refusal.status.as_u16(),
                    why: refusal.why,
                },
            );
            response
        }
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
fn normal_path(raw: &str) -> Result<String, Refusal> {
    let bad = |why| Refusal::new(StatusCode::BAD_REQUEST, why);
    let path = percent_encoding::percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| bad("the path is not UTF-8"))?;
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err(bad("the path holds a control character or a backslash"));
    }
    let mut normal = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == "." || part == ".." {
            return Err(bad("the path leads out of where it starts"));
        }
        normal.push('/');
        normal.push_str(part);
    }
    if normal.is_empty() {
        normal.push('/');
    }
    Ok(normal)
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
                ReportError::Token | ReportError::NoTarget(_) => StatusCode::FORBIDDEN,
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
    let world = shared.worlds.current();
    let name = asker.path.trim_start_matches('/');
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
    };
    let script = shared
        .script(language, asker.client, asker.claim, origin, asker.path)
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
            let refused = normal_path(raw).err().map(|refusal| refusal.status);
            assert_eq!(refused, Some(StatusCode::BAD_REQUEST), "{raw}");
        }
    }
}
