//! The page on the admin address: what it shows, and what it lets a browser do.

use std::net::Ipv4Addr;

use netboot_dhcp::client::Profile;
use serde_json::json;

use crate::support::client::{Answer, Connection, discover, get, lease, lease_as, mac, tftp};
use crate::support::{Running, SERVER, Site, wait_until};

const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 50);

fn site() -> Site {
    let site = Site::new(&json!([
        { "name": "node-01", "mac": mac(1), "ip": NODE, "config": "debian",
          "state": { "secret": "for node-01 only" } },
    ]));
    site.add("debian", "one");
    site
}

fn serve(site: &Site) -> Running {
    let mut serving = Running::serve(site);
    serving.said("API and metrics on 127.0.0.1");
    serving
}

fn page(site: &Site, path: &str) -> Answer {
    let answer = Connection::to(SERVER, site.ports.admin).ask("GET", path, &[]);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

#[test]
fn the_pages_show_machines_images_networks_and_the_server() {
    let site = site();
    let mut serving = serve(&site);
    lease_as(&site, Profile::pxe_bios(mac(1)));
    get(&site, NODE, "/boot.ipxe");
    get(&site, NODE, "/images/debian/@1/missing");
    serving.line("/images/debian/@1/missing: 404");
    let shown = |path: &str, words: &[&str]| {
        let page = page(&site, path);
        for word in words {
            assert!(
                page.text().contains(word),
                "{word} on {path}: {}",
                page.text()
            );
        }
    };
    let failed = "failed: the image was not loaded";
    shown(
        "/",
        &["node-01", "1 with a failed boot", failed, "127.0.0.50"],
    );
    let of_node = [
        "image debian @1",
        "DHCPACK(lo)",
        "missing: 404",
        "bound",
        failed,
    ];
    shown(&format!("/machine?mac={}", mac(1)), &of_node);
    shown("/machine?name=node-01", &of_node);
    wait_until("its boot is recorded with its cause", || {
        let machine = page(&site, "/machine?name=node-01");
        machine.text().contains("A file of its image is not served")
    });
    let of_boot = [
        "Boot 1 of node-01",
        "image-missing",
        "What to do: ",
        "<svg class=\"timeline\"",
        "its boot script",
        "see above: ",
    ];
    shown("/boot?id=1", &of_boot);
    shown("/images", &["debian", "Booted by", "node-01"]);
    shown("/networks", &["127.0.0.0/8", "0 of 101"]);
    shown("/server", &["leases can be written", "DHCP on lo"]);
}

#[test]
fn what_a_machine_asks_for_is_shown_as_text() {
    let site = site();
    let mut serving = serve(&site);
    lease(&site, 1);
    let refused = tftp(&site, NODE, b"<img src=x onerror=alert(1)>");
    assert!(refused.is_err(), "{refused:?}");
    serving.line("onerror");
    let page = page(&site, &format!("/machine?mac={}", mac(1)));
    let text = page.text();
    assert!(!text.contains("<img") && text.contains("&lt;img"), "{text}");
}

#[test]
fn a_browser_may_load_nothing_from_elsewhere_and_run_no_script_of_the_markup() {
    let site = site();
    let _serving = serve(&site);
    for path in [
        "/",
        "/images",
        "/networks",
        "/server",
        "/machine?name=node-01",
    ] {
        let page = page(&site, path);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(
            !policy.contains("unsafe") && !policy.contains("//"),
            "{policy}"
        );
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        let text = page.text();
        assert!(
            !text.contains("=\"http") && !text.contains(" style="),
            "{path}: {text}"
        );
        assert!(!text.contains("for node-01 only"), "{path}");
    }
    for (path, kind) in [("/page.js", "text/javascript"), ("/page.css", "text/css")] {
        assert!(page(&site, path).header("content-type").starts_with(kind));
    }
}

#[test]
fn the_page_takes_no_change_and_shows_no_machine_of_a_name_that_nobody_has() {
    let site = site();
    let _serving = serve(&site);
    let mut admin = Connection::to(SERVER, site.ports.admin);
    assert_eq!(admin.ask("POST", "/", &[]).status, 403);
    assert_eq!(admin.ask("HEAD", "/", &[]).status, 200);
    assert_eq!(admin.ask("GET", "/machine?name=nobody", &[]).status, 404);
    assert_eq!(admin.ask("GET", "/machine", &[]).status, 404);
    assert_eq!(admin.ask("GET", "/?page=x", &[]).status, 400);
}

#[test]
fn changes_are_told_as_server_sent_events() {
    let site = site();
    let _serving = serve(&site);
    let mut changes = Connection::to(SERVER, site.ports.admin);
    let ask = "GET /changes HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    changes.send(ask.as_bytes());
    assert_eq!(changes.first_line(), "data: changed\n\n");
    discover(&site, Profile::pxe_bios(mac(9)));
    assert_eq!(changes.chunk(), "data: changed\n\n");
}
