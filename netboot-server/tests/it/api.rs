//! The API on the admin address: its documents, the event stream, and what it refuses.

use std::io::Read;
use std::net::Ipv4Addr;

use netboot_dhcp::client::Profile;
use netboot_dhcp::value::MessageType;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{
    Answer, Connection, client_socket, discover, get, lease, mac, message,
};
use crate::support::{Running, SERVER, Site, wait_until};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

fn site() -> Site {
    Site::new(&json!([
        { "name": "node-01", "mac": mac(1), "ip": "127.0.0.50", "config": "debian",
          "state": { "secret": "for node-01 only" } },
    ]))
}

fn ask(site: &Site, method: &str, path: &str) -> Answer {
    Connection::to(SERVER, site.ports.admin).ask(method, path, &[])
}

/// Asks again and again, since what a client has got is told a moment later.
#[track_caller]
fn document(site: &Site, path: &str) -> Value {
    let answer = ask(site, "GET", path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn serve(site: &Site) -> Running {
    let mut serving = Running::serve(site);
    serving.said("API and metrics on 127.0.0.1");
    serving
}

#[test]
fn of_a_network_in_proxy_mode_no_addresses_are_told() {
    let site = site();
    let server = json!({
        "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/8", "mode": "proxy",
    });
    site.configure(&json!([]), json!({ "server": server }));
    let _serving = serve(&site);
    let network = &document(&site, "/api/v1/status")["networks"][0];
    assert_eq!(
        (&network["mode"], &network["pool"]),
        (&json!("proxy"), &json!(null))
    );
    let metrics = ask(&site, "GET", "/metrics");
    assert!(
        !metrics.text().contains("netboot_pool_"),
        "{}",
        metrics.text()
    );
    let shown = site.run(["status"]).out;
    let words = shown
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let line = "lo lo 127.0.0.0/8 another server's addresses";
    assert!(words.into_iter().any(|words| words == line), "{shown}");
}

#[test]
fn the_documents_tell_of_networks_machines_leases_and_images() {
    let site = site();
    site.add("debian", "one");
    let mut serving = serve(&site);
    assert_eq!(lease(&site, 1).address, Ipv4Addr::new(127, 0, 0, 50));
    let stranger = lease(&site, 7).address;
    for path in [
        "/boot.ipxe",
        "/images/debian/@1/bzImage",
        "/images/debian/@1/initrd",
    ] {
        get(&site, Ipv4Addr::new(127, 0, 0, 50), path);
    }
    serving.line("@1/initrd: 200");

    let status = document(&site, "/api/v1/status");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["networks"][0]["subnet"], "127.0.0.0/8");
    assert_eq!(status["networks"][0]["mode"], "authoritative");
    // 127.0.0.100 to 127.0.0.200; the reservation is not among them.
    assert_eq!(
        status["networks"][0]["pool"],
        json!({ "addresses": 101, "in_use": 1 })
    );
    assert_eq!(
        (&status["images"], &status["targets"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(status["downloads"], json!([]));
    let dhcp = json!({ "name": "DHCP on lo", "listening": true });
    assert_eq!(status["endpoints"][0], dhcp);
    let admin = format!("API and metrics on 127.0.0.1:{}", site.ports.admin);
    let admin = json!({ "name": admin, "listening": true });
    let endpoints = status["endpoints"].as_array().expect("a list");
    assert!(endpoints.contains(&admin), "{endpoints:?}");

    let machines = document(&site, "/api/v1/machines");
    let machines = machines.as_array().expect("a list");
    assert_eq!(machines.len(), 2, "{machines:?}");
    let node = &machines[0];
    assert_eq!(node["mac"], json!(mac(1)));
    assert_eq!(node["name"], "node-01");
    assert_eq!(
        (&node["image"], &node["address"]),
        (&json!("debian"), &json!("127.0.0.50"))
    );
    assert_eq!(node["boot"]["id"], 1);
    assert_eq!(node["boot"]["progress"], "image");
    assert_eq!(machines[1]["boot"]["progress"], "leased");
    assert_eq!(machines[1]["address"], json!(stranger));

    let leases = document(&site, "/api/v1/leases");
    assert_eq!(leases[0]["address"], "127.0.0.50");
    assert_eq!(leases[0]["client"], "02:00:00:00:00:01");
    assert_eq!(
        (&leases[0]["state"], &leases[0]["host_name"]),
        (&json!("bound"), &json!("node-01"))
    );
    assert_eq!(leases.as_array().map(Vec::len), Some(2));

    let images = document(&site, "/api/v1/images");
    assert_eq!(
        (&images[0]["name"], &images[0]["generation"]),
        (&json!("debian"), &json!(1))
    );
    for path in ["status", "machines", "leases", "images", "events"] {
        let text = ask(&site, "GET", &format!("/api/v1/{path}")).body;
        let text = String::from_utf8(text).expect("text");
        assert!(!text.contains("for node-01 only"), "{path}: {text}");
    }
}

/// A machine's document, by its place in the list.
fn boot(site: &Site, at: usize) -> Value {
    document(site, "/api/v1/machines")[at]["boot"].clone()
}

#[test]
fn what_a_machine_has_is_what_was_wholly_sent() {
    let site = site();
    site.add("debian", "one");
    let mut serving = serve(&site);
    let node = lease(&site, 1).address;
    get(&site, node, "/boot.ipxe");
    serving.line("/boot.ipxe: 200");
    let mut ask = |method: &str, file: &str, headers: &[(&str, &str)], progress: &str| {
        let path = format!("/images/debian/@1/{file}");
        let answer = Connection::from(&site, node).ask(method, &path, headers);
        serving.line(&format!("{path}: {}", answer.status));
        assert_eq!(boot(&site, 0)["progress"], progress, "{method} {file}");
    };
    ask("HEAD", "bzImage", &[], "script");
    ask("GET", "bzImage", &[], "loading");
    ask("GET", "bzImage", &[], "loading");
    ask("HEAD", "initrd", &[], "loading");
    ask("GET", "initrd", &[("Range", "bytes=0-3")], "loading");
    ask("GET", "initrd", &[], "image");
    assert_eq!(boot(&site, 0)["failed"], Value::Null);
}

#[test]
fn a_script_that_only_says_what_is_wrong_is_a_boot_that_failed() {
    let site = site();
    let mut serving = serve(&site);
    let node = lease(&site, 1).address;
    get(&site, node, "/boot.ipxe");
    serving.line("/boot.ipxe: 200");
    let boot = boot(&site, 0);
    assert_eq!(
        (&boot["progress"], &boot["failed"]),
        (&json!("script"), &json!("image"))
    );
}

#[test]
fn a_script_that_somebody_else_looks_at_is_not_its_machines_boot() {
    let site = site();
    site.add("debian", "one");
    let mut serving = serve(&site);
    lease(&site, 1);
    let path = format!("/boot.ipxe?mac={}", mac(1));
    for from in [STRANGER, SERVER] {
        assert!(
            get(&site, from, &path)
                .text()
                .contains("/images/debian/@1/")
        );
        serving.line("/boot.ipxe: 200");
        assert_eq!(boot(&site, 0)["progress"], "leased", "{from}");
    }
    // Nor is it a boot of one that was never heard of.
    get(&site, STRANGER, &format!("/boot.ipxe?mac={}", mac(9)));
    serving.line("/boot.ipxe: 200");
    let machines = document(&site, "/api/v1/machines");
    assert_eq!(machines.as_array().map(Vec::len), Some(1), "{machines}");
}

#[test]
fn in_proxy_mode_a_machine_has_the_address_that_it_asks_from() {
    let site = site();
    let mut network = json!({
        "name": "lab", "server": SERVER, "interface": "lo", "subnet": "127.0.0.0/8",
        "ranges": [{ "start": "127.0.0.100", "end": "127.0.0.200" }],
    });
    let configure = |network: &Value| {
        let networks = json!({ "networks": [network], "server": null });
        site.configure(&json!([]), networks);
    };
    configure(&network);
    let mut serving = serve(&site);
    let before = lease(&site, 7).address;
    network["mode"] = json!("proxy");
    network["ranges"] = json!([]);
    configure(&network);
    serving.signal(Signal::SIGHUP);
    serving.line("reloaded");
    // To another server: option 54 is its address.
    let mut request = message(MessageType::REQUEST, mac(7), Some(STRANGER));
    let ours = request
        .windows(6)
        .position(|it| it == [54, 4, 127, 0, 0, 1]);
    request[ours.expect("option 54") + 5] = 2;
    let socket = client_socket(&site);
    socket
        .send_to(&request, (SERVER, site.ports.dhcp))
        .expect("a datagram");
    wait_until("it was heard", || {
        get(&site, STRANGER, "/boot.ipxe");
        let machines = document(&site, "/api/v1/machines");
        machines[0]["address"] == json!(STRANGER) && machines[0]["mac"] == json!(mac(7))
    });
    assert_ne!(before, STRANGER);
}

#[test]
fn what_is_decided_on_a_message_comes_after_it() {
    let site = site();
    let network = json!({
        "server": SERVER, "interface": "lo", "subnet": "127.0.0.0/8", "allow": "known",
    });
    let targets = json!([{ "name": "node-01", "mac": mac(1), "ip": "127.0.0.50" }]);
    site.configure(&targets, json!({ "networks": [network], "server": null }));
    let mut serving = serve(&site);
    discover(&site, Profile::pxe_bios(mac(9)));
    serving.line("DHCPOFFER");
    let all = document(&site, "/api/v1/events");
    let events = all["events"].as_array().expect("a list");
    let of_it = events
        .iter()
        .filter(|event| event["machine"] == json!(mac(9)));
    let said: Vec<_> = of_it
        .map(|event| event["message"].as_str().or(event["kind"].as_str()))
        .collect();
    assert_eq!(said, ["DHCPDISCOVER", "left_out"].map(Some));
}

#[test]
fn documents_and_metrics_are_compressed_for_who_takes_it() {
    let site = site();
    let _serving = serve(&site);
    for path in ["/metrics", "/api/v1/explain?mac=02:00:00:00:00:01"] {
        let mut admin = Connection::to(SERVER, site.ports.admin);
        let takes = [("Accept-Encoding", "gzip")];
        let gzip = admin.ask("GET", path, &takes);
        assert_eq!(gzip.header("content-encoding"), "gzip", "{path}");
        let mut text = String::new();
        flate2::read::GzDecoder::new(gzip.body.as_slice())
            .read_to_string(&mut text)
            .expect("gzip");
        assert!(text.len() > 1024 && gzip.body.len() < text.len(), "{text}");
        let plain = admin.ask("GET", path, &[]);
        assert_eq!(plain.header("content-encoding"), "");
        assert_eq!(plain.header("vary"), "accept-encoding");
        // Figures in it go on; what it begins with does not.
        assert_eq!(&plain.text()[..20], &text[..20]);
    }
}

#[test]
fn explain_gives_the_decision_and_its_reasons() {
    let site = site();
    let _serving = serve(&site);
    let explained = document(&site, "/api/v1/explain?mac=02:00:00:00:00:01");
    assert_eq!(explained["target"], "node-01");
    let decision = explained["decision"].as_str().expect("a text");
    assert!(decision.contains("image debian is missing"), "{decision}");
    let reasons = explained["reasons"].as_array().expect("a list");
    assert!(
        reasons.contains(&json!("image debian is not in the store")),
        "{reasons:?}"
    );
    let wrong = ask(&site, "GET", "/api/v1/explain?mac=nonsense");
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.text().starts_with("{\"error\":\"mac: "),
        "{}",
        wrong.text()
    );
}

#[test]
fn events_are_given_from_a_number_on_and_as_they_come() {
    let site = site();
    let mut serving = serve(&site);
    get(&site, STRANGER, "/nothing");
    serving.line("/nothing: 404");
    let all = document(&site, "/api/v1/events");
    assert_eq!(all["missed"], 0);
    let events = all["events"].as_array().expect("a list");
    let last = events.last().expect("an event");
    assert_eq!(
        (&last["kind"], &last["status"]),
        (&json!("http_refused"), &json!(404))
    );
    let line = last["line"].as_str().expect("a line");
    assert!(
        line.starts_with("HTTP (unknown machine) 127.0.0.9 /nothing: 404"),
        "{line}"
    );
    let seq = last["seq"].as_u64().expect("a number");
    let behind = document(&site, &format!("/api/v1/events?since={seq}"));
    assert_eq!(behind["events"], json!([]));

    let mut follow = Connection::to(SERVER, site.ports.admin);
    let path = format!("/api/v1/events?follow&since={}", seq - 1);
    follow.send(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes());
    let event = |line: &str| serde_json::from_str::<Value>(line).expect("a line of JSON");
    assert_eq!(&event(&follow.first_line()), last);
    get(&site, STRANGER, "/nothing-else");
    let next = event(&follow.chunk());
    assert_eq!(
        (&next["seq"], &next["path"]),
        (&json!(seq + 1), &json!("/nothing-else"))
    );
}

#[test]
fn a_follower_of_events_that_shuts_its_side_is_let_go_without_an_event() {
    let site = site();
    let _serving = serve(&site);
    let mut follow = Connection::to(SERVER, site.ports.admin);
    follow.send(b"GET /api/v1/events?follow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    get(&site, STRANGER, "/nothing");
    follow.first_line();
    follow.shut();
    assert!(follow.is_ended());
}

#[test]
fn a_server_that_ends_ends_the_streams_of_events() {
    let site = site();
    let mut serving = serve(&site);
    let mut follow = Connection::to(SERVER, site.ports.admin);
    follow.send(b"GET /api/v1/events?follow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    get(&site, STRANGER, "/nothing");
    follow.first_line();
    serving.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(follow.rest(), b"0\r\n\r\n");
    assert_eq!(serving.end().code(), Some(0));
}

#[test]
fn the_admin_address_changes_nothing_and_has_nothing_of_the_boot_network() {
    let site = site();
    let _serving = serve(&site);
    for (method, path) in [
        ("POST", "/api/v1/reload"),
        ("DELETE", "/api/v1/leases/127.0.0.50"),
        ("POST", "/api/v1/machines/node-01/installed"),
    ] {
        let answer = ask(&site, method, path);
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
    }
    for path in [
        "/boot.ipxe",
        "/states/node-01.json",
        "/api/v1/nothing",
        "/api/v1/../v1/x",
    ] {
        assert_eq!(ask(&site, "GET", path).status, 404, "{path}");
    }
    assert_eq!(get(&site, STRANGER, "/api/v1/status").status, 404);
    let head = ask(&site, "HEAD", "/api/v1/status");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_page_of_another_site_reads_nothing_of_the_api_and_machines_may_ask_by_any_name() {
    let site = site();
    site.configure(&json!([]), json!({ "admin_names": ["boot.example.org"] }));
    let _serving = serve(&site);
    let status = |port, path: &str, host: &str| {
        let mut connection = Connection::to(SERVER, port);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        connection.answer(false)
    };
    let admin = site.ports.admin;
    for path in ["/metrics", "/api/v1/leases", "/", "/changes", "/nothing"] {
        let answer = status(admin, path, &format!("rebind.example.com:{admin}"));
        assert_eq!(answer.status, 421, "{path}");
        assert!(answer.text().contains("admin_names"), "{}", answer.text());
    }
    for host in ["127.0.0.1", "localhost", "boot.example.org"] {
        assert_eq!(
            status(admin, "/metrics", &format!("{host}:{admin}")).status,
            200,
            "{host}"
        );
    }
    let boot = status(site.ports.http, "/boot.ipxe", "whatever.dhcp.says");
    assert_eq!(boot.status, 200);
}
