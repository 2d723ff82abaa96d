//! What the event stream and metrics are told of a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::Response;
use netboot_dhcp::MacAddr;

use super::body::Body;
use super::downloads::Download;
use super::refusal::Refusal;
use super::transfer::Sent;
use crate::service::Shared;
use crate::telemetry::events::Kind;

/// What the event stream is told of a request.
pub(super) struct AccessLog {
    pub(super) shared: Arc<Shared>,
    pub(super) machine: Option<MacAddr>,
    pub(super) client: IpAddr,
    pub(super) path: String,
    pub(super) began: Instant,
}

impl AccessLog {
    /// What is told when the answer is out; a file is shown while it is on its way.
    pub(super) fn of(self, response: Response<Body>) -> Response<Body> {
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

    pub(super) fn refused(self, refusal: Refusal) {
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
