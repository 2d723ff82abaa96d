//! `netboot serve` takes another configuration while it runs: whole, or not at all.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::client::{Connection, get, lease, mac, tftp};
use support::{Running, SERVER, Site, free_ports, write};

fn target(config: &str) -> Value {
    json!([{ "name": "node-01", "mac": mac(1), "config": config }])
}

fn site() -> Site {
    let site = Site::new(&target("one"));
    site.add("one", "first");
    site.add("two", "second");
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    write(&programs, "undionly.kpxe", &b"a boot program".repeat(10_000));
    site
}

fn script(site: &Site) -> String {
    let path = format!("/boot.ipxe?mac={}", mac(1));
    let got = get(site, SERVER, &path);
    assert_eq!(got.status, 200);
    String::from_utf8(got.body).expect("text")
}
