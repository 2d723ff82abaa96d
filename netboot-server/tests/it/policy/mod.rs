//! What machines get of a running `netboot serve`, over its sockets: by UUID, by platform, by
//! option, and installs that happen once.

mod install;
mod machine;
mod menu;
mod program;

use std::net::Ipv4Addr;

use netboot_dhcp::client::{Bound, Profile};
use netboot_dhcp::value::{Arch, MachineId, UserClass, key};
use netboot_dhcp::wire::OptionCode;
use netboot_dhcp::{HardwareAddr, MacAddr};
use serde_json::{Value, json};

use crate::support::client::{Answer, Connection, get, goes_on_with, lease, lease_as, mac, tftp};
use crate::support::{Running, Site, run, wait_until};

const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 50);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

fn site(targets: Value, more: Value) -> Site {
    let site = Site::new(&targets);
    site.configure(&targets, more);
    for program in ["undionly.kpxe", "ipxe.efi", "snponly.efi"] {
        put(&site, program, program);
    }
    site
}

/// Puts a file into the operator's folder.
fn put(site: &Site, name: &str, content: &str) {
    let path = site.state().join("tftp").join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, content).expect("a file");
}

fn boot(site: &Site, mut profile: Profile) -> Bound {
    profile.collect_ms = 0;
    lease_as(site, profile)
}

fn post(site: &Site, from: Ipv4Addr, path: &str) -> Answer {
    Connection::from(site, from).ask("POST", path, &[("Content-Length", "0")])
}

fn script(site: &Site, from: Ipv4Addr, path: &str) -> String {
    let answer = get(site, from, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text().to_owned()
}

fn by_tftp(site: &Site, from: Ipv4Addr, name: &str) -> String {
    let file = tftp(site, from, name.as_bytes());
    let file = file.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    String::from_utf8(file).expect("text")
}

/// Runs `netboot machine` on a site.
fn machine(site: &Site, name: &str, word: &str) -> String {
    let done = site.run(["machine", name, word]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    done.out
}

/// A machine that installs itself, its address kept for it, and another one.
fn installing() -> Site {
    let install = json!({ "image": "installer" });
    let cmdline = "report={report}";
    let site = site(
        json!([
            { "name": "node-01", "mac": mac(1), "ip": NODE, "install": install,
              "cmdline": cmdline },
            { "name": "node-02", "mac": mac(2), "install": install, "cmdline": cmdline },
        ]),
        json!({}),
    );
    site.add("installer", "installer");
    site
}

/// The path of the report that a script holds, with its query.
fn report(script: &str) -> String {
    let (_, url) = script.split_once("report=http://").expect("a report");
    let url = url.split_whitespace().next().unwrap_or_default();
    let (_, path) = url.split_once('/').expect("a path");
    format!("/{path}")
}

fn installs(script: &str) -> bool {
    script.contains("/images/installer/")
}
