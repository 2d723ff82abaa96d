//! Compression of text for clients that take it (RFC 9110, section 12.5.3). Images are never
//! compressed: they are already, and firmware takes no such thing.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::Response;
use hyper::header::{self, HeaderMap, HeaderValue};

use super::body::Body;

/// What is shorter goes as it is: a packet is a packet.
const SHORTEST: usize = 1024;
/// What is longer goes as it is where others would have to wait for it.
const LONGEST: usize = 1 << 20;

/// Whether text of this type is worth compressing.
pub(super) fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || media_type == "application/json"
}

/// Compresses with gzip where the client takes that and it makes the text shorter.
pub(super) fn gzip(text: &Bytes, headers: &HeaderMap) -> Option<Bytes> {
    let is_worth_it = (SHORTEST..=LONGEST).contains(&text.len()) && takes_gzip(headers);
    is_worth_it.then(|| gzipped(text)).flatten()
}

/// The same for a whole answer, of any length, where compressing keeps nobody waiting.
pub(crate) async fn compress(mut response: Response<Body>, asked: &HeaderMap) -> Response<Body> {
    let media_type = response.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|media_type| media_type.to_str().ok());
    let Some(text) = response.body().in_memory().cloned() else {
        return response;
    };
    if text.len() < SHORTEST || !media_type.is_some_and(is_text) {
        return response;
    }
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !takes_gzip(asked) {
        return response;
    }
    let compressed = tokio::task::spawn_blocking(move || gzipped(&text)).await;
    if let Ok(Some(compressed)) = compressed {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(header::CONTENT_LENGTH, compressed.len().into());
        *response.body_mut() = Body::bytes(compressed);
    }
    response
}

fn gzipped(text: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 2), Compression::fast());
    encoder.write_all(text).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < text.len()).then(|| compressed.into())
}

/// Whether one of the Accept-Encoding headers names gzip, or everything, and not with `q=0`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut by_name = None;
    let mut by_star = None;
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for coding in value.to_str().unwrap_or_default().split(',') {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let wanted = quality.is_none_or(|q| q.parse::<f32>().is_ok_and(|q| q > 0.0));
            if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                by_name = Some(wanted);
            } else if name == "*" {
                by_star = Some(wanted);
            }
        }
    }
    by_name.or(by_star).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &str) -> HeaderMap {
        let value = accept.parse().expect("a header value");
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)])
    }

    #[test]
    fn gzip_is_for_who_names_it_or_everything() {
        for (accept, taken) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("br;q=1.0, *;q=0.1", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("*;q=0", false),
            ("identity", false),
            ("gzip;q=nonsense", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(&headers(accept)), taken, "{accept}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_is_short_or_long_or_would_not_shrink_goes_as_it_is() {
        let headers = headers("gzip");
        let text = |length: usize| Bytes::from(vec![b'a'; length]);
        assert!(gzip(&text(SHORTEST - 1), &headers).is_none());
        assert!(gzip(&text(SHORTEST), &headers).is_some());
        assert!(gzip(&text(LONGEST + 1), &headers).is_none());
        // What a random number generator gives.
        let mut state = 1_u64;
        let noise: Bytes = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(4096)
        .collect();
        assert!(gzip(&noise, &headers).is_none());
    }
}
