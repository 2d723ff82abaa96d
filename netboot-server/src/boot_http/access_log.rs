//! Requests in the event stream and in the metrics.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::{Method, Response, StatusCode};
use netboot_dhcp::MacAddr;

use super::refusal::Refusal;
use crate::http::{Body, Download, Downloads, Sent};
use crate::telemetry::Telemetry;
use crate::telemetry::events::Kind;

/// A request that is to be reported.
pub(super) struct AccessLog {
    pub(super) telemetry: Telemetry,
    pub(super) machine: Option<MacAddr>,
    pub(super) client: IpAddr,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) began: Instant,
}

impl AccessLog {
    /// Reports it when the answer is out; a file is shown while it is on its way.
    pub(super) fn answered(
        self,
        response: Response<Body>,
        downloads: &Arc<Downloads>,
    ) -> Response<Body> {
        let status = response.status().as_u16();
        let is_whole = response.status() == StatusCode::OK && self.method == Method::GET;
        response.map(|body| {
            let shown = body.is_file().then(|| {
                downloads.show(Download::new(
                    self.client,
                    self.machine,
                    self.path.clone(),
                    body.left(),
                    self.began,
                ))
            });
            body.watch(|transfer| {
                if let Some(shown) = shown {
                    transfer.show(shown);
                }
                transfer.on_end(move |sent| self.sent(status, is_whole, sent));
            })
        })
    }

    fn sent(self, status: u16, is_whole: bool, sent: Sent) {
        let elapsed = self.began.elapsed();
        self.telemetry.metrics().http_responded(&self.path, elapsed);
        self.telemetry.emit(
            self.machine,
            Kind::HttpSent {
                client: self.client,
                path: self.path,
                status,
                bytes: sent.bytes,
                elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                complete: sent.complete,
                whole: is_whole && sent.complete,
            },
        );
    }

    pub(super) fn refused(self, refusal: Refusal) {
        self.telemetry.emit(
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
