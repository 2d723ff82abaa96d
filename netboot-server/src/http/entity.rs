//! An entity and the conditions on it: HEAD, Range, If-Range and If-None-Match (RFC 9110).
//!
//! The validator is always the entity's digest, never a modification time: files that Nix made all
//! carry the same one.

use std::fs::File;
use std::{fmt, io};

use bytes::Bytes;
use headers::{ETag, Header, HeaderMapExt, IfMatch, IfNoneMatch, IfRange};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode};
use netboot_image::Digest;

use super::body::Body;
use super::encoding;

/// Headers of an answer, that room is made for.
const HEADERS: usize = 8;

/// What a URL names.
#[derive(Debug)]
pub(crate) struct Entity {
    /// Its bytes.
    pub(crate) payload: Payload,
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// Its validator.
    pub(crate) etag: HeaderValue,
    /// Whether the bytes behind this URL never change.
    pub(crate) immutable: bool,
}

/// The bytes of an entity.
#[derive(Debug)]
pub(crate) enum Payload {
    /// In memory.
    Bytes(Bytes),
    /// An open file of this length.
    File(File, u64),
}

impl Payload {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    fn part(self, start: u64, length: u64) -> io::Result<Body> {
        match self {
            Self::Bytes(bytes) => {
                let start = usize::try_from(start).map_err(io::Error::other)?;
                let length = usize::try_from(length).map_err(io::Error::other)?;
                Ok(Body::bytes(bytes.slice(start..start + length)))
            }
            Self::File(file, _) => Ok(Body::file(file, start, length)),
        }
    }
}

/// The validator of bytes that have this digest.
pub(crate) fn etag(digest: &Digest) -> HeaderValue {
    quoted(format_args!("{}", digest.hex()))
}

fn quoted(text: fmt::Arguments<'_>) -> HeaderValue {
    // A digest is hex digits.
    HeaderValue::try_from(format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The media type of a file by its name; firmware insists on that of EFI programs.
pub(crate) fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("efi" | "EFI") => "application/efi",
        Some("ipxe" | "cfg" | "txt") => "text/plain; charset=utf-8",
        Some("json") => "application/json",
        Some("iso") => "application/vnd.efi-iso",
        Some("img") => "application/vnd.efi-img",
        _ if name == "SHA256SUMS" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Answers GET or HEAD for the entity as the request's conditions have it.
///
/// # Errors
///
/// Where the file cannot be positioned.
pub(crate) fn respond(
    entity: Entity,
    method: &Method,
    conditions: &HeaderMap,
) -> io::Result<Response<Body>> {
    let mut response = Response::new(Body::bytes(Bytes::new()));
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    let headers = response.headers_mut();
    let entity = in_best_form(entity, conditions, headers);
    let etag = is_conditional(conditions).then(|| parsed(&entity.etag));
    let etag = etag.flatten();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(entity.media_type),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, entity.etag);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(if entity.immutable {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        }),
    );
    if let Some(status) = etag.as_ref().and_then(|etag| unmet(conditions, etag)) {
        *response.status_mut() = status;
        return Ok(response);
    }
    let payload = entity.payload;
    let length = payload.length();
    // A range of a GET only, and only while the client's half is of the same entity.
    let unchanged =
        condition::<IfRange>(conditions).is_none_or(|seen| !seen.is_modified(etag.as_ref(), None));
    let range = (method == Method::GET && unchanged)
        .then(|| wanted_part(conditions, length))
        .flatten();
    let (start, wanted) = match range {
        None => (0, length),
        Some(Ok((start, end))) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(
                response.headers_mut(),
                header::CONTENT_RANGE,
                &format!("bytes {start}-{}/{length}", end - 1),
            );
            (start, end - start)
        }
        Some(Err(Unsatisfiable)) => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(
                response.headers_mut(),
                header::CONTENT_RANGE,
                &format!("bytes */{length}"),
            );
            set(response.headers_mut(), header::CONTENT_LENGTH, "0");
            return Ok(response);
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(wanted));
    if method == Method::GET {
        *response.body_mut() = payload.part(start, wanted)?;
    }
    Ok(response)
}

/// The entity, or its text compressed where the client takes that; each has a validator of its own.
fn in_best_form(entity: Entity, conditions: &HeaderMap, headers: &mut HeaderMap) -> Entity {
    let Payload::Bytes(text) = &entity.payload else {
        return entity;
    };
    if !encoding::is_text(entity.media_type) {
        return entity;
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // A part is one of the text as it is.
    let compressed = if conditions.contains_key(header::RANGE) {
        None
    } else {
        encoding::gzip(text, conditions)
    };
    let Some(compressed) = compressed else {
        return entity;
    };
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let tag = entity.etag.to_str().unwrap_or_default();
    Entity {
        etag: quoted(format_args!("{}-gzip", tag.trim_matches('"'))),
        payload: Payload::Bytes(compressed),
        ..entity
    }
}

/// The status of a request whose conditions are not met.
fn unmet(conditions: &HeaderMap, etag: &ETag) -> Option<StatusCode> {
    let wanted = condition::<IfMatch>(conditions);
    if wanted.is_some_and(|wanted| !wanted.precondition_passes(etag)) {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    let known = condition::<IfNoneMatch>(conditions);
    known
        .is_some_and(|known| !known.precondition_passes(etag))
        .then_some(StatusCode::NOT_MODIFIED)
}

/// A condition, unless a tag in it holds a space or a tab, which none may (RFC 9110 section 8.8.3):
/// `headers` asserts in debug builds that there is none.
fn condition<H: Header>(conditions: &HeaderMap) -> Option<H> {
    let mut values = conditions.get_all(H::name()).iter();
    let is_valid = values.all(|value| {
        let mut within = false;
        value.as_bytes().iter().all(|byte| {
            within ^= *byte == b'"';
            !(within && matches!(byte, b' ' | b'\t'))
        })
    });
    is_valid.then(|| conditions.typed_get()).flatten()
}

fn parsed(etag: &HeaderValue) -> Option<ETag> {
    etag.to_str().ok()?.parse().ok()
}

fn is_conditional(conditions: &HeaderMap) -> bool {
    [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_RANGE]
        .iter()
        .any(|name| conditions.contains_key(name))
}

struct Unsatisfiable;

/// The one part that a Range header asks for, from the first byte to the one behind the last.
/// Several parts, another unit or a malformed header mean the whole entity, as RFC 9110 allows.
fn wanted_part(conditions: &HeaderMap, length: u64) -> Option<Result<(u64, u64), Unsatisfiable>> {
    let header = conditions.get(header::RANGE)?.to_str().ok()?;
    let (unit, part) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = part.trim().split_once('-')?;
    let (start, end) = match (first, last) {
        ("", last) => (length.saturating_sub(position(last)?), length),
        (first, "") => (position(first)?, length),
        (first, last) => {
            let (first, last) = (position(first)?, position(last)?);
            if first > last {
                return None;
            }
            (first, last.saturating_add(1).min(length))
        }
    };
    Some(if start < end {
        Ok((start, end))
    } else {
        Err(Unsatisfiable)
    })
}

/// A number of digits alone; one too large to be held is larger than every length.
fn position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn ask(method: &Method, headers: &[(&'static str, &str)]) -> Response<Body> {
        let mut conditions = HeaderMap::new();
        for (name, value) in headers {
            conditions.insert(*name, HeaderValue::from_str(value).expect("a header value"));
        }
        let entity = Entity {
            payload: Payload::Bytes(Bytes::from_static(b"0123456789")),
            media_type: media_type("bzImage"),
            etag: HeaderValue::try_from(format!("\"{DIGEST}\"")).expect("a header value"),
            immutable: true,
        };
        respond(entity, method, &conditions).expect("bytes in memory")
    }

    fn header<'r>(response: &'r Response<Body>, name: &str) -> &'r str {
        let value = response.headers().get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    fn body(response: Response<Body>) -> Vec<u8> {
        let mut body = Box::pin(response.into_body());
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut bytes = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
            bytes.extend(frame.into_data().expect("data"));
        }
        bytes
    }

    use hyper::body::Body as _;
    use std::task::{Context, Poll};

    #[test]
    fn get_gives_all_of_it_with_length_and_validator() {
        let response = ask(&Method::GET, &[]);
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-length"), "10");
        assert_eq!(header(&response, "etag"), format!("\"{DIGEST}\""));
        assert_eq!(header(&response, "accept-ranges"), "bytes");
        assert_eq!(body(response), b"0123456789");
    }

    #[test]
    fn head_is_get_without_the_body() {
        let response = ask(&Method::HEAD, &[("range", "bytes=0-0")]);
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-length"), "10");
        assert_eq!(body(response), b"");
    }

    #[test]
    fn a_range_gives_that_part() {
        for (range, part, shown) in [
            ("bytes=2-4", &b"234"[..], "bytes 2-4/10"),
            ("bytes=7-", b"789", "bytes 7-9/10"),
            ("bytes=-3", b"789", "bytes 7-9/10"),
            ("bytes=0-99", b"0123456789", "bytes 0-9/10"),
            ("bytes=-99", b"0123456789", "bytes 0-9/10"),
            ("Bytes=9-18446744073709551615", b"9", "bytes 9-9/10"),
        ] {
            let response = ask(&Method::GET, &[("range", range)]);
            assert_eq!(response.status(), 206, "{range}");
            assert_eq!(header(&response, "content-range"), shown);
            assert_eq!(header(&response, "content-length"), part.len().to_string());
            assert_eq!(body(response), part);
        }
    }

    #[test]
    fn a_range_behind_the_end_is_told_the_length() {
        for range in [
            "bytes=10-",
            "bytes=10-11",
            "bytes=-0",
            "bytes=99999999999999999999-",
        ] {
            let response = ask(&Method::GET, &[("range", range)]);
            assert_eq!(response.status(), 416, "{range}");
            assert_eq!(header(&response, "content-range"), "bytes */10");
            assert_eq!(body(response), b"");
        }
    }

    #[test]
    fn several_ranges_or_nonsense_give_all_of_it() {
        for range in [
            "bytes=0-1,4-5",
            "lines=1-2",
            "bytes=x",
            "bytes=4-2",
            "bytes=-",
            "bytes=+1-2",
            "bytes",
        ] {
            let response = ask(&Method::GET, &[("range", range)]);
            assert_eq!(response.status(), 200, "{range}");
            assert_eq!(body(response), b"0123456789");
        }
    }

    #[test]
    fn if_range_of_another_entity_gives_all_of_it() {
        let same = format!("\"{DIGEST}\"");
        for (seen, status) in [(same.as_str(), 206), ("\"other\"", 200)] {
            let response = ask(&Method::GET, &[("range", "bytes=1-"), ("if-range", seen)]);
            assert_eq!(response.status(), status, "{seen}");
        }
        let dated = ("if-range", "Thu, 01 Jan 1970 00:00:01 GMT");
        let response = ask(&Method::GET, &[("range", "bytes=1-"), dated]);
        assert_eq!(response.status(), 200);
    }

    #[test]
    fn a_known_entity_is_not_sent_again() {
        let same = format!("\"{DIGEST}\"");
        for (known, status) in [(same.as_str(), 304), ("*", 304), ("\"other\"", 200)] {
            let response = ask(&Method::GET, &[("if-none-match", known)]);
            assert_eq!(response.status(), status, "{known}");
        }
        let response = ask(&Method::GET, &[("if-match", "\"other\"")]);
        assert_eq!(response.status(), 412);
    }

    #[test]
    fn firmware_sees_the_type_that_it_insists_on() {
        assert_eq!(media_type("ipxe.efi"), "application/efi");
        assert_eq!(media_type("boot.ipxe"), "text/plain; charset=utf-8");
        assert_eq!(media_type("bzImage"), "application/octet-stream");
    }

    #[test]
    fn a_tag_that_holds_what_none_may_is_no_condition() {
        for name in ["if-match", "if-none-match", "if-range"] {
            for value in ["\"a b\"", "W/\"a\tb\"", "\"a\", \" \"", "\"a b"] {
                let answer = ask(&Method::GET, &[(name, value), ("range", "bytes=0-3")]);
                assert_eq!(
                    answer.status(),
                    StatusCode::PARTIAL_CONTENT,
                    "{name}: {value}"
                );
            }
        }
        let spaced = format!("\"a\" ,  \"{DIGEST}\"");
        let answer = ask(&Method::GET, &[("if-none-match", &spaced)]);
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    }
}
