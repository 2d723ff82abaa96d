//! A request on the boot network that gets no entity, and its answer.

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Response, StatusCode};

use crate::http::{self, Body};

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
        let mut response = http::text_answer(self.status, &self.why, method);
        if let Some(methods) = self.allow {
            let headers = response.headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}
