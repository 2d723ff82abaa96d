//! The event stream over the API: what the ring still holds, and what comes.
//!
//! A line is one event in JSON, with `line` as the log writes it, or `{"missed": N}` where the
//! reader was too slow or came too late.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde::{Serialize, Serializer};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Operations;
use crate::http::Body;
use crate::telemetry::events::{Event, Read, Reader};

/// Lines that wait for a client; the ring holds the rest.
const WAITING: usize = 16;

/// What is behind a number of the stream.
#[derive(Debug, Serialize)]
pub(super) struct List {
    /// Events that the ring no longer holds.
    missed: u64,
    events: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten, serialize_with = "shared_event")]
    event: Arc<Event>,
    line: String,
}

fn shared_event<S: Serializer>(event: &Arc<Event>, serializer: S) -> Result<S::Ok, S::Error> {
    event.as_ref().serialize(serializer)
}

impl From<Arc<Event>> for Line {
    fn from(event: Arc<Event>) -> Self {
        let line = event.to_string();
        Self { event, line }
    }
}

/// The events behind this number that the ring holds.
pub(super) fn list(of: &Operations, since: u64) -> List {
    let mut reader = of.telemetry.events().after(since);
    let mut list = List {
        missed: 0,
        events: Vec::new(),
    };
    while let Some(read) = reader.try_next() {
        match read {
            Read::Event(event) => list.events.push(event.into()),
            Read::Missed(missed) => list.missed += missed,
        }
    }
    list
}

/// The events behind this number, one a line, for as long as the client listens.
pub(super) fn follow(of: &Operations, since: u64, stop: &CancellationToken) -> Response<Body> {
    let (lines, waiting) = mpsc::channel(WAITING);
    let reader = of.telemetry.events().after(since);
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = lines.closed() => {}
            () = stop.cancelled() => {}
            () = write(reader, &lines) => {}
        }
    });
    let mut response = Response::new(Body::live(waiting));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn write(mut reader: Reader, lines: &mpsc::Sender<Bytes>) {
    loop {
        let written = match reader.next().await {
            Read::Event(event) => serde_json::to_vec(&Line::from(event)),
            Read::Missed(missed) => serde_json::to_vec(&serde_json::json!({ "missed": missed })),
        };
        let Ok(mut line) = written else {
            continue;
        };
        line.push(b'\n');
        if lines.send(line.into()).await.is_err() {
            return;
        }
    }
}
