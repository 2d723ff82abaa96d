//! Metrics in Prometheus' text format.
//!
//! What happens is counted as its event goes into the stream, and what is there is looked up when
//! somebody asks. Each label has few values that a stranger cannot add to: names of machines, files
//! and addresses are in the events.

use std::time::Duration;

use netboot_dhcp::value::MessageType;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::paths::Resource;
use crate::telemetry::events::{Kind, Progress, Stage, Step};

/// The media type of the format.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Seconds of what takes microseconds to seconds.
const SHORT: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];
/// Seconds of what takes up to minutes.
const LONG: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];

/// What has been counted since the service started.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    dhcp_messages: IntCounterVec,
    dhcp_reply: HistogramVec,
    lease_commit: HistogramVec,
    tftp_transfers: IntCounterVec,
    tftp_bytes: IntCounter,
    tftp_retransmissions: IntCounter,
    tftp_seconds: HistogramVec,
    http_responses: IntCounterVec,
    http_bytes: IntCounterVec,
    http_cut: IntCounterVec,
    http_seconds: HistogramVec,
    boots: IntCounterVec,
    boot_seconds: HistogramVec,
    boot_findings: IntCounterVec,
    installs: IntCounter,
    /// By protocol.
    malformed: IntCounterVec,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let counters = |name, help, labels: &[&str]| {
            in_registry(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let counter = |name, help| in_registry(&registry, IntCounter::new(name, help));
        let seconds = |name, help, buckets: &[f64], labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            in_registry(&registry, HistogramVec::new(options, labels))
        };
        Self {
            dhcp_messages: counters(
                "netboot_dhcp_messages_total",
                "DHCP messages by type, and whether they were received, sent or ignored for a \
                 reason worth telling.",
                &["type", "outcome"],
            ),
            dhcp_reply: seconds(
                "netboot_dhcp_reply_seconds",
                "Time from taking a DHCP message from the socket to sending its reply.",
                SHORT,
                &["type"],
            ),
            lease_commit: seconds(
                "netboot_lease_commit_seconds",
                "Time to bring a batch of leases to the disk.",
                SHORT,
                &[],
            ),
            tftp_transfers: counters(
                "netboot_tftp_transfers_total",
                "TFTP requests by outcome; unconfirmed ones lack the last acknowledgement only.",
                &["outcome"],
            ),
            tftp_bytes: counter(
                "netboot_tftp_sent_bytes_total",
                "Bytes of files sent by TFTP, retransmissions not counted.",
            ),
            tftp_retransmissions: counter(
                "netboot_tftp_retransmissions_total",
                "TFTP datagrams sent again.",
            ),
            tftp_seconds: seconds(
                "netboot_tftp_transfer_seconds",
                "Time that TFTP transfers took.",
                LONG,
                &[],
            ),
            http_responses: counters(
                "netboot_http_responses_total",
                "HTTP responses on the boot network by what was asked for and class of status.",
                &["resource", "code"],
            ),
            http_bytes: counters(
                "netboot_http_sent_bytes_total",
                "Bytes of bodies sent by HTTP on the boot network.",
                &["resource"],
            ),
            http_cut: counters(
                "netboot_http_cut_off_total",
                "HTTP responses whose body did not go out whole.",
                &["resource"],
            ),
            http_seconds: seconds(
                "netboot_http_response_seconds",
                "Time from an HTTP request to the end of its response.",
                &[SHORT, &[10.0, 30.0, 60.0, 300.0]].concat(),
                &["resource"],
            ),
            boots: counters(
                "netboot_boots_total",
                "Boots that reached a stage, and boots in which it failed, each once a boot.",
                &["stage", "outcome"],
            ),
            boot_seconds: seconds(
                "netboot_boot_stage_seconds",
                "Time from a boot's first event to a stage.",
                LONG,
                &["stage"],
            ),
            boot_findings: counters(
                "netboot_boot_findings_total",
                "Boots that were over in which something was found, by the code of the first \
                 finding.",
                &["code"],
            ),
            installs: counter(
                "netboot_install_changes_total",
                "Changes of install states, by machines and operators.",
            ),
            malformed: counters(
                "netboot_malformed_total",
                "Datagrams and requests that were no such thing.",
                &["protocol"],
            ),
            registry,
        }
    }
}

/// Registers a metric whose name and labels are written above.
///
/// # Panics
///
/// Where they are not valid or not unique, which every test of the service would see.
fn in_registry<M: Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<M>,
) -> M {
    let metric = metric.expect("a valid name");
    registry
        .register(Box::new(metric.clone()))
        .expect("a name of its own");
    metric
}

impl Metrics {
    /// Everything as text, with these gauges of what is there now.
    pub(crate) fn text(&self, gauges: Vec<MetricFamily>) -> String {
        let mut families = self.registry.gather();
        families.extend(gauges);
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&families, &mut text) {
            tracing::error!("metrics cannot be written: {error}");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// Counts what an event means for its machine's boot.
    pub(crate) fn count_step(&self, step: &Step) {
        if let Some((stage, since)) = step.reached {
            let stage = stage_label(stage);
            self.boots.with_label_values(&[stage, "reached"]).inc();
            let seconds = self.boot_seconds.with_label_values(&[stage]);
            seconds.observe(since.as_secs_f64());
        }
        if let Some(stage) = step.failed {
            let labels = [stage_label(stage), "failed"];
            self.boots.with_label_values(&labels).inc();
        }
    }

    /// Counts what happened.
    pub(crate) fn count_event(&self, kind: &Kind) {
        let dhcp = |message: &MessageType, outcome| {
            let labels = [message_label(*message), outcome];
            self.dhcp_messages.with_label_values(&labels).inc();
        };
        let tftp = |outcome| self.tftp_transfers.with_label_values(&[outcome]).inc();
        match kind {
            Kind::Dhcp { message, stage, .. } if *stage == Stage::Server => dhcp(message, "sent"),
            Kind::Dhcp { message, .. } => dhcp(message, "received"),
            Kind::DhcpIgnored { message, .. } => dhcp(message, "ignored"),
            Kind::TftpSent {
                bytes,
                elapsed_ms,
                retransmissions,
                confirmed,
                ..
            } => {
                tftp(if *confirmed {
                    "complete"
                } else {
                    "unconfirmed"
                });
                self.tftp_bytes.inc_by(*bytes);
                self.tftp_retransmissions.inc_by(*retransmissions);
                let elapsed = Duration::from_millis(*elapsed_ms);
                let seconds = self.tftp_seconds.with_label_values::<&str>(&[]);
                seconds.observe(elapsed.as_secs_f64());
            }
            Kind::TftpSizeProbe { .. } => tftp("size_probe"),
            Kind::TftpFailed { .. } => tftp("failed"),
            Kind::HttpSent {
                path,
                status,
                bytes,
                complete,
                ..
            } => {
                let resource = resource_label(Resource::of(path));
                let labels = [resource, code_label(*status)];
                self.http_responses.with_label_values(&labels).inc();
                self.http_bytes
                    .with_label_values(&[resource])
                    .inc_by(*bytes);
                if !complete {
                    self.http_cut.with_label_values(&[resource]).inc();
                }
            }
            Kind::HttpRefused { path, status, .. } => {
                let labels = [resource_label(Resource::of(path)), code_label(*status)];
                self.http_responses.with_label_values(&labels).inc();
            }
            Kind::Install { .. } => self.installs.inc(),
            _ => {}
        }
    }

    /// Says how long an HTTP response took, its body included.
    pub(crate) fn http_responded(&self, path: &str, took: Duration) {
        let resource = resource_label(Resource::of(path));
        let seconds = self.http_seconds.with_label_values(&[resource]);
        seconds.observe(took.as_secs_f64());
    }

    /// Says how long it took from taking a DHCP message to sending its reply of this type.
    pub(crate) fn dhcp_replied(&self, message: MessageType, took: Duration) {
        let seconds = self.dhcp_reply.with_label_values(&[message_label(message)]);
        seconds.observe(took.as_secs_f64());
    }

    /// Says how long it took to bring a batch of leases to the disk.
    pub(crate) fn leases_committed(&self, took: Duration) {
        let seconds = self.lease_commit.with_label_values::<&str>(&[]);
        seconds.observe(took.as_secs_f64());
    }

    /// Says that something was no message of a protocol.
    /// Shows each of these codes from the start: who watches a counter sees no first step from
    /// nothing to one.
    pub(crate) fn know_findings(&self, codes: impl Iterator<Item = &'static str>) {
        for code in codes {
            self.boot_findings.with_label_values(&[code]);
        }
    }

    /// A boot was over in which a rule of this code found something.
    pub(crate) fn boot_finding(&self, code: &str) {
        self.boot_findings.with_label_values(&[code]).inc();
    }

    pub(crate) fn malformed(&self, protocol: &'static str) {
        self.malformed.with_label_values(&[protocol]).inc();
    }
}

/// The messages of RFC 2131 by name.
fn message_label(message: MessageType) -> &'static str {
    let of_rfc_2131 = MessageType::DISCOVER.0..=MessageType::INFORM.0;
    let known = of_rfc_2131.contains(&message.0);
    known.then(|| message.name()).flatten().unwrap_or("other")
}

fn stage_label(stage: Progress) -> &'static str {
    match stage {
        Progress::Asked => "asked",
        Progress::Leased => "leased",
        Progress::Program => "program",
        Progress::Script => "script",
        Progress::Loading => "loading",
        Progress::Image => "image",
    }
}

fn resource_label(resource: Resource) -> &'static str {
    match resource {
        Resource::Script => "script",
        Resource::Program => "program",
        Resource::Image => "image",
        Resource::Optional | Resource::Other => "other",
    }
}

fn code_label(status: u16) -> &'static str {
    match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}
