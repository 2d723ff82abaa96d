//! The page for people: the same documents as the API's, as HTML.
//!
//! Each page is written whole by the server and can be read without its script, which only asks
//! for the same page again when `changes` says that it is another now. Nothing is changed here.

mod boots;
mod changes;
mod images;
mod layout;
mod machine;
mod machines;
mod networks;
mod server;
mod units;

use std::sync::Arc;

use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use maud::Markup;
use tokio_util::sync::CancellationToken;

use super::{ApiError, Operations, Query, blocking, nothing, respond};
use crate::http::Body;
use crate::telemetry::host_time;

/// The page's own files and its stream of changes are all that a browser may load for it, and no
/// other site may show it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const ICON: &str = include_str!("icon.svg");

/// Answers what is the page's; a path ends without a slash.
pub(super) async fn read(
    of: &Arc<Operations>,
    path: &str,
    query: Query<'_>,
    stop: &CancellationToken,
) -> Result<Response<Body>, ApiError> {
    match path {
        "" => {
            let part = machines::Part {
                words: query.value("q").unwrap_or_default(),
                page: query.parsed("page")?.unwrap_or(1),
            };
            page(of, move |of| Ok(machines::page(of, &part, host_time()))).await
        }
        "/machine" => {
            let (mac, name) = (query.parsed("mac")?, query.value("name"));
            page(of, move |of| {
                let machine = machine::find(of, mac, name.as_deref()).ok_or_else(nothing)?;
                Ok(machine::page(of, &machine, host_time()))
            })
            .await
        }
        "/boot" => {
            let id = query.parsed("id")?.ok_or_else(nothing)?;
            page(of, move |of| boots::page(of, id, host_time())).await
        }
        "/images" => page(of, |of| Ok(images::page(of, host_time()))).await,
        "/networks" => page(of, |of| Ok(networks::page(of, host_time()))).await,
        "/server" => {
            let health = (of.health)().await;
            page(of, move |of| Ok(server::page(of, &health, host_time()))).await
        }
        "/changes" => Ok(changes::follow(of, stop)),
        "/page.css" => Ok(respond(StatusCode::OK, "text/css; charset=utf-8", STYLE)),
        "/page.js" => Ok(respond(
            StatusCode::OK,
            "text/javascript; charset=utf-8",
            SCRIPT,
        )),
        "/icon.svg" => Ok(respond(StatusCode::OK, "image/svg+xml", ICON)),
        _ => Err(nothing()),
    }
}

/// Makes a page where waiting for files and locks holds nobody up.
async fn page(
    of: &Arc<Operations>,
    make: impl FnOnce(&Operations) -> Result<Markup, ApiError> + Send + 'static,
) -> Result<Response<Body>, ApiError> {
    let page = blocking(of, move |of| make(of)).await?;
    let mut response = respond(
        StatusCode::OK,
        "text/html; charset=utf-8",
        page.into_string(),
    );
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
