//! Server-sent events that say when a page is another than it was.
//!
//! They carry no content: the page is written in one place only.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use hyper::header::{self, HeaderValue};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::admin::Operations;
use crate::http::Body;

/// How often is looked, and so the most that a page is asked for again.
const EVERY: Duration = Duration::from_secs(1);
/// After so many looks without a change the page is asked for all the same: it tells how long ago
/// things were.
const AT_LEAST: u32 = 10;

/// Says `data: changed` for as long as the client listens.
pub(super) fn follow(of: &Arc<Operations>, stop: &CancellationToken) -> Response<Body> {
    let (lines, waiting) = mpsc::channel(1);
    let (of, stop) = (Arc::clone(of), stop.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = lines.closed() => {}
            () = stop.cancelled() => {}
            () = write(&of, &lines) => {}
        }
    });
    let mut response = Response::new(Body::live(waiting));
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn write(of: &Operations, lines: &mpsc::Sender<Bytes>) {
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    let mut quiet = 0;
    loop {
        looks.tick().await;
        let state = (of.telemetry.events().last(), of.worlds.recent().number());
        let is_moving = !of.downloads.under_way().is_empty();
        quiet += 1;
        if told == Some(state) && !is_moving && quiet < AT_LEAST {
            continue;
        }
        (told, quiet) = (Some(state), 0);
        if lines
            .send(Bytes::from_static(b"data: changed\n\n"))
            .await
            .is_err()
        {
            return;
        }
    }
}
