//! A request on the boot network that gets no entity, and its answer.

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Response, StatusCode};

use crate::http::Body;

/// A request that gets no entity.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) why: String,
    /// The methods that are served, where it was another.
    allow: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self {
            status,
            why: why.into(),
            allow: None,
        }
    }

    pub(super) fn method(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("only {} is served here", allow.replace(", ", " and ")),
            )
        }
    }

    pub(super) fn not_found(why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, why)
    }

    /// The answer, with why as its text.
    pub(super) fn response(&self, method: &Method) -> Response<Body> {
        let text = format!("{}\n", self.why);
        let length = HeaderValue::from(text.len());
        let body = if method == Method::HEAD {
            Body::bytes(Bytes::new())
        } else {
            Body::bytes(text)
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        // GRUB skips the first line behind the status of a refusal. It would not know where the
        // text ends, and wait half a minute for more.
        headers.insert(header::CONTENT_LENGTH, length);
        if let Some(methods) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}
