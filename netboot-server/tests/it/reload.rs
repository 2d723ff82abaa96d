//! `netboot serve` takes another configuration while it runs, whole or not at all, and it ends
//! soon.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{Connection, get, lease, mac, tftp};
use crate::support::{Running, SERVER, Site, write};

/// An address that nobody has leased.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const PROGRAM: &[u8] = b"a boot program";

fn target(config: &str) -> Value {
    json!([{ "name": "node-01", "mac": mac(1), "config": config }])
}

/// A site with the images `one` and `two`, whose machine 1 boots the first.
fn site() -> Site {
    let site = Site::new(&target("one"));
    site.add("one", "first");
    site.add("two", "second");
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    write(&programs, "undionly.kpxe", &PROGRAM.repeat(10_000));
    site
}

/// Adds an image that is more than the system's buffers hold; gives its initrd.
fn add_big(site: &Site) -> Vec<u8> {
    let initrd = vec![7_u8; 64 << 20];
    let folder = site.folder.path();
    let (k, i) = (
        write(folder, "k", &crate::support::kernel("big")),
        write(folder, "i", &initrd),
    );
    let done = site.run(["image", "add", "big", "--kernel", &k, "--initrd", &i]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    initrd
}

fn script(site: &Site) -> String {
    let got = get(site, STRANGER, &format!("/boot.ipxe?mac={}", mac(1)));
    assert_eq!(got.status, 200);
    String::from_utf8(got.body).expect("text")
}

fn reload(serving: &mut Running) {
    serving.signal(Signal::SIGHUP);
    serving.line("reloaded");
}

#[test]
fn a_changed_target_boots_its_new_image_after_a_reload() {
    let site = site();
    let mut serving = Running::serve(&site);
    assert!(script(&site).contains("/images/one/"));
    site.configure(&target("two"), json!({}));
    assert!(script(&site).contains("/images/one/"), "not asked yet");
    reload(&mut serving);
    assert!(script(&site).contains("/images/two/"));
}

#[test]
fn a_bad_configuration_changes_nothing_and_all_of_it_is_in_the_log() {
    let site = site();
    let mut serving = Running::serve(&site);
    let bad = json!([
        { "name": "node-01", "mac": mac(1), "config": "two" },
        { "name": "b", "mac": "nonsense" },
        { "name": "c", "mac": mac(3), "colour": "red" },
    ]);
    site.configure(&bad, json!({}));
    reload(&mut serving);
    for expected in [
        "netboot.targets[1].mac: \"nonsense\"",
        "netboot.targets[2].colour: no such key is known",
        "ERROR the configuration was not reloaded: the one before it goes on",
    ] {
        serving.said(expected);
    }
    assert!(script(&site).contains("/images/one/"));
}

#[test]
fn a_port_that_is_taken_leaves_every_port_as_it_was() {
    let site = site();
    let mut serving = Running::serve(&site);
    let taken = std::net::TcpListener::bind((SERVER, 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let ports = json!({
        "dhcp": site.ports.dhcp, "dhcp_client": site.ports.dhcp_client,
        "tftp": site.ports.tftp, "http": port,
    });
    site.configure(&target("two"), json!({ "ports": ports }));
    reload(&mut serving);
    serving.said("another program has the port");
    assert!(script(&site).contains("/images/one/"));
}

#[test]
fn state_folder_and_user_stay_until_a_restart() {
    let site = site();
    let mut command = crate::support::netboot(["serve", "--config"]);
    command.arg(site.config());
    let folder = |name: &str| json!({ "state_dir": site.folder.path().join(name) });
    site.configure(&target("one"), folder("state"));
    let mut serving = Running::serve_by(command);
    site.configure(&target("two"), folder("other"));
    reload(&mut serving);
    serving.said("restart the service for that");
    let mut user = folder("state");
    user["user"] = json!("netboot");
    site.configure(&target("two"), user);
    reload(&mut serving);
    serving.said("changing the user to netboot: no `user` is in use; restart the service for that");
    assert!(script(&site).contains("/images/one/"));
}

#[test]
fn networks_and_ports_come_and_go_and_leases_stay() {
    let site = site();
    let mut serving = Running::serve(&site);
    let before = lease(&site, 7);
    let second = Ipv4Addr::new(127, 128, 0, 1);
    let other = json!({ "networks": [{
        "name": "other", "server": second, "subnet": "127.128.0.0/16",
        "ranges": [{ "start": "127.128.0.100", "end": "127.128.0.200" }],
    }], "server": {
        "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/16",
        "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.200" },
    }});
    site.configure(&target("one"), other);
    reload(&mut serving);
    serving.said(&format!("HTTP on {second}: listening"));
    let answers = |address| std::net::TcpStream::connect((address, site.ports.http)).is_ok();
    assert!(answers(second) && answers(SERVER));
    assert_eq!(lease(&site, 7).address, before.address);

    site.configure(&target("one"), json!({}));
    reload(&mut serving);
    serving.said(&format!("HTTP on {second}: closed"));
    crate::support::wait_until("it is closed", || !answers(second));
    assert_eq!(lease(&site, 7).address, before.address);
}

#[test]
fn an_address_that_is_reserved_anew_is_its_machines_once_the_other_has_moved() {
    let site = site();
    let mut serving = Running::serve(&site);
    let before = lease(&site, 7).address;
    let mut targets = target("one");
    targets[0]["mac"] = json!(mac(8).to_string());
    targets[0]["ip"] = json!(before);
    site.configure(&targets, json!({}));
    reload(&mut serving);
    let after = lease(&site, 7).address;
    assert_ne!(after, before);
    let (machine, ended) = (mac(7), format!("the lease of {before} has ended"));
    serving.said(&format!("{ended}: {machine} has {after} now"));
    assert_eq!(lease(&site, 8).address, before);
}

#[test]
fn machines_boot_and_downloads_go_on_while_it_reloads_again_and_again() {
    let site = site();
    let big = add_big(&site);
    let mut serving = Running::serve(&site);
    let mut download = Connection::from(&site, STRANGER);
    download.send(b"GET /images/big/initrd HTTP/1.1\r\nHost: netboot\r\n\r\n");
    download.begun();
    let ready = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let machines = scope.spawn(|| {
            let mut boots = 0;
            while !ready.load(Ordering::Relaxed) || boots < 3 {
                let bound = lease(&site, 1);
                assert_eq!(
                    tftp(&site, bound.address, b"undionly.kpxe"),
                    Ok(PROGRAM.repeat(10_000))
                );
                let script = script(&site);
                let generation = script.split_whitespace().find_map(|word| {
                    let at = word.find("/images/")?;
                    word.ends_with("bzImage").then(|| word[at..].to_owned())
                });
                let kernel = get(&site, bound.address, &generation.expect("a kernel"));
                assert_eq!(kernel.status, 200);
                boots += 1;
            }
            boots
        });
        for round in 0..20 {
            let image = if round % 2 == 0 { "two" } else { "one" };
            site.configure(&target(image), json!({}));
            reload(&mut serving);
            assert!(
                script(&site).contains(&format!("/images/{image}/")),
                "{round}"
            );
        }
        ready.store(true, Ordering::Relaxed);
        assert!(machines.join().expect("every machine boots") >= 3);
    });
    assert_eq!(download.answer(false).body, big);
}

#[test]
fn half_a_request_is_closed_at_the_end_while_a_download_may_finish() {
    let site = site();
    let big = add_big(&site);
    let mut serving = Running::serve(&site);
    let mut half = Connection::from(&site, STRANGER);
    half.send(b"GET /healthz HT");
    let mut download = Connection::from(&site, STRANGER);
    download.send(b"GET /images/big/initrd HTTP/1.1\r\nHost: netboot\r\n\r\n");
    download.begun();
    serving.signal(Signal::SIGTERM);
    assert_eq!(half.rest(), b"");
    assert_eq!(download.answer(false).body, big);
    assert!(serving.end().success());
}

#[test]
fn who_tells_it_to_end_twice_does_not_wait_for_downloads() {
    let site = site();
    add_big(&site);
    let mut serving = Running::serve(&site);
    let mut download = Connection::from(&site, STRANGER);
    download.send(b"GET /images/big/initrd HTTP/1.1\r\nHost: netboot\r\n\r\n");
    download.begun();
    serving.signal(Signal::SIGTERM);
    serving.line("stopping");
    serving.signal(Signal::SIGTERM);
    serving.line("stopped before downloads were done");
    assert!(serving.end().success());
}

#[test]
fn another_dhcp_port_is_taken_by_a_reload_and_another_boot_servers_port_by_a_restart() {
    let site = site();
    let mut serving = Running::serve(&site);
    let port = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
        socket.local_addr().expect("an address").port()
    };
    let other = port();
    let mut reload = |dhcp: u16, boot_server: u16| {
        let ports = json!({
            "dhcp": dhcp, "dhcp_client": site.ports.dhcp_client, "tftp": site.ports.tftp,
            "http": site.ports.http, "boot_server": boot_server,
        });
        site.configure(&target("two"), json!({ "ports": ports }));
        serving.signal(Signal::SIGHUP);
        serving.line("reloaded")
    };
    let said = reload(other, site.ports.boot_server);
    assert!(!said.contains("was not reloaded"), "{said}");
    let bound = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, other));
    assert!(bound.is_err(), "nobody listens on the new port");
    let said = reload(other, port());
    assert!(said.contains("was not reloaded"), "{said}");
}

#[test]
fn a_reload_to_an_interface_that_is_not_there_says_who_is_served_no_more() {
    let site = site();
    let mut serving = Running::serve(&site);
    let server = json!({
        "ip": SERVER, "interface": "absent0", "subnet": "127.0.0.0/8",
        "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.200" },
    });
    site.configure(&target("one"), json!({ "server": server }));
    let done = site.run(["reload"]);
    // It is served as soon as it comes.
    assert_eq!(done.code, Some(0), "{}", done.err);
    let absent =
        "netboot.server.interface: absent0 is not there: nobody on it is served until it is";
    let ended = "interface lo: is in no network any more: nobody on it is given an address";
    for said in [absent, ended] {
        assert!(done.err.contains(said), "{said}\n{}", done.err);
        serving.said(said);
    }
}
