//! Metrics: what is counted of a boot, and what Prometheus' own tool says of them and of the rules.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

use netboot_dhcp::client::Profile;
use serde_json::json;

use crate::support::client::{Connection, get, lease_as, mac, tftp};
use crate::support::{Running, SERVER, Site, write};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// A server behind which one machine has booted, and a stranger was refused.
fn after_a_boot() -> (Site, Running) {
    let site = Site::new(&json!([{ "name": "node-01", "mac": mac(1), "config": "debian" }]));
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    write(&programs, "undionly.kpxe", &b"a boot program".repeat(100));
    site.add("debian", "one");
    let mut serving = Running::serve(&site);
    serving.said("API and metrics on");
    let machine = lease_as(&site, Profile::pxe_bios(mac(1))).address;
    // Its event comes behind it, and steps are told in their order.
    serving.said("DHCPACK");
    tftp(&site, machine, b"undionly.kpxe").expect("a program");
    serving.said("sent undionly.kpxe");
    get(&site, machine, "/boot.ipxe");
    serving.said("/boot.ipxe: 200");
    for file in ["bzImage", "initrd"] {
        get(&site, machine, &format!("/images/debian/@1/{file}"));
        serving.said(&format!("@1/{file}: 200"));
    }
    get(&site, STRANGER, "/nothing");
    serving.said("/nothing: 404");
    let mut http = Connection::from(&site, STRANGER);
    http.send(b"no HTTP\r\n\r\n");
    http.rest();
    serving.said("malformed dropped");
    (site, serving)
}

fn metrics(site: &Site) -> String {
    let answer = Connection::to(SERVER, site.ports.admin).ask("GET", "/metrics", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    answer.text().to_owned()
}

#[test]
fn each_step_of_a_boot_is_counted() {
    let (site, _serving) = after_a_boot();
    let metrics = metrics(&site);
    for line in [
        "netboot_dhcp_messages_total{outcome=\"received\",type=\"DHCPDISCOVER\"} 1",
        "netboot_dhcp_messages_total{outcome=\"sent\",type=\"DHCPACK\"} 1",
        "netboot_dhcp_reply_seconds_count{type=\"DHCPACK\"} 1",
        "netboot_lease_commit_seconds_count 1",
        "netboot_tftp_transfers_total{outcome=\"complete\"} 1",
        "netboot_tftp_sent_bytes_total 1400",
        "netboot_tftp_transfer_seconds_count 1",
        "netboot_http_responses_total{code=\"2xx\",resource=\"script\"} 1",
        "netboot_http_responses_total{code=\"2xx\",resource=\"image\"} 2",
        "netboot_http_responses_total{code=\"4xx\",resource=\"other\"} 1",
        "netboot_http_sent_bytes_total{resource=\"image\"} 1098",
        "netboot_http_response_seconds_count{resource=\"image\"} 2",
        "netboot_boots_total{outcome=\"reached\",stage=\"asked\"} 1",
        "netboot_boots_total{outcome=\"reached\",stage=\"leased\"} 1",
        "netboot_boots_total{outcome=\"reached\",stage=\"program\"} 1",
        "netboot_boots_total{outcome=\"reached\",stage=\"script\"} 1",
        "netboot_boots_total{outcome=\"reached\",stage=\"loading\"} 1",
        "netboot_boots_total{outcome=\"reached\",stage=\"image\"} 1",
        "netboot_boot_stage_seconds_count{stage=\"image\"} 1",
        "netboot_malformed_total{protocol=\"HTTP\"} 1",
        "netboot_leases{state=\"bound\"} 1",
        "netboot_leases{state=\"declined\"} 0",
        "netboot_images 1",
        "netboot_images_broken 0",
        "netboot_downloads 0",
        "netboot_endpoints{listening=\"0\"} 0",
    ] {
        assert!(
            metrics.lines().any(|one| one == line),
            "no {line} in\n{metrics}"
        );
    }
    let in_use = metrics
        .lines()
        .find(|line| line.starts_with("netboot_pool_in_use{network="));
    assert!(
        in_use.is_some_and(|line| line.ends_with("} 1")),
        "{metrics}"
    );
}

#[test]
fn strangers_add_no_series() {
    let (site, mut serving) = after_a_boot();
    let series = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names = lines.filter_map(|line| line.rsplit_once(' '));
        names.map(|(name, _)| name.to_owned()).collect()
    };
    let before = series(&metrics(&site));
    for number in 0..20 {
        get(&site, STRANGER, &format!("/nothing-{number}"));
    }
    serving.said("/nothing-19: 404");
    assert_eq!(series(&metrics(&site)), before);
}

fn promtool(arguments: &[&str], input: &str) {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/prometheus");
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(rules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool of the Debian package prometheus");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("a reader");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

#[test]
#[ignore = "needs promtool of the Debian package prometheus"]
fn promtool_finds_nothing_wrong() {
    let (site, _serving) = after_a_boot();
    let metrics = metrics(&site);
    promtool(&["check", "metrics"], &metrics);
    promtool(&["check", "rules", "netboot.rules.yml"], "");
    promtool(&["test", "rules", "netboot.rules.test.yml"], "");
    // No rule waits for a metric that is not there.
    let rules = include_str!("../../dist/prometheus/netboot.rules.yml");
    let names = rules
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("netboot_"));
    for name in names {
        let is_there = metrics.contains(&format!("\n{name}"));
        // A counter that has counted nothing yet shows only what it is.
        let is_told = metrics.contains(&format!("# TYPE {name} "));
        assert!(is_there || is_told, "{name}");
    }
}
