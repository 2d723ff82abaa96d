//! What is there when somebody asks for metrics.

use std::collections::BTreeMap;

use netboot_dhcp::server::{NetworkId, Usage};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use super::Operations;
use crate::config::Mode;
use crate::leases::state;

/// The states of leases, each shown where there is none of it, too.
const LEASE_STATES: [&str; 4] = ["bound", "declined", "expired", "released"];

/// The gauges of the service as it is now.
pub(super) fn gather(of: &Operations) -> Vec<MetricFamily> {
    let world = of.worlds.current();
    let networks = world.config().networks.iter();
    // In proxy mode the addresses are another server's.
    let names: BTreeMap<NetworkId, &str> = networks
        .filter(|network| network.mode != Mode::Proxy)
        .map(|network| (network.id(), network.name.as_str()))
        .collect();
    let now = of.leases.now();
    let mut leases = BTreeMap::from(LEASE_STATES.map(|state| (state, 0_u32)));
    let server = of.leases.lock();
    for lease in server.leases() {
        *leases.entry(state(lease, now)).or_default() += 1;
    }
    let usage: Vec<Usage> = server.usage(now).collect();
    drop(server);
    let pool = |of: fn(&Usage) -> u64| {
        let usage = usage.iter();
        let named =
            usage.filter_map(|one| Some((vec![*names.get(&one.network)?], number(of(one)))));
        named.collect()
    };
    let leases = leases
        .into_iter()
        .map(|(state, count)| (vec![state], f64::from(count)));
    let listening: Vec<bool> = (of.endpoints)().into_iter().map(|(_, now)| now).collect();
    let count = |is: bool| number(listening.iter().filter(|now| **now == is).count() as u64);
    let one = |value: f64| vec![(Vec::new(), value)];
    [
        gauge(
            "netboot_build_info",
            "1, with the version of the service.",
            &["version"],
            vec![(vec![env!("CARGO_PKG_VERSION")], 1.0)],
        ),
        gauge(
            "netboot_start_time_seconds",
            "When the service started, in seconds of Unix time.",
            &[],
            one(of.started.as_duration().as_secs_f64()),
        ),
        gauge(
            "netboot_pool_addresses",
            "Addresses of a network that are given to anybody.",
            &["network"],
            pool(|pool| pool.addresses),
        ),
        gauge(
            "netboot_pool_in_use",
            "Those of them that are leased, offered or in quarantine.",
            &["network"],
            pool(|pool| pool.in_use),
        ),
        gauge(
            "netboot_leases",
            "Leases that are remembered, by state.",
            &["state"],
            leases.collect(),
        ),
        gauge(
            "netboot_images",
            "Images in the store.",
            &[],
            one(number(world.images().count() as u64)),
        ),
        gauge(
            "netboot_images_broken",
            "What stands in the image store and cannot be used.",
            &[],
            one(number(world.broken().len() as u64)),
        ),
        gauge(
            "netboot_downloads",
            "Files on their way out over HTTP.",
            &[],
            one(number(of.downloads.under_way().len() as u64)),
        ),
        gauge(
            "netboot_endpoints",
            "What listens (1), or is waited for (0).",
            &["listening"],
            vec![(vec!["1"], count(true)), (vec!["0"], count(false))],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A count as Prometheus has it, exact below 2^53.
fn number(count: u64) -> f64 {
    count as f64
}

fn gauge(
    name: &str,
    help: &str,
    labels: &[&str],
    values: Vec<(Vec<&str>, f64)>,
) -> Vec<MetricFamily> {
    // A name that is not valid would be missed by the test of all of them.
    let Ok(gauges) = GaugeVec::new(Opts::new(name, help), labels) else {
        return Vec::new();
    };
    for (labels, value) in values {
        if let Ok(gauge) = gauges.get_metric_with_label_values(&labels) {
            gauge.set(value);
        }
    }
    gauges.collect()
}
