//! What `netboot doctor` says of this host; what needs networks of its own is in `lab/running.rs`.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use crate::support::{Running, SERVER, Site};

/// Every finding: its state, what it is about, how that is, and the cure.
fn findings(site: &Site) -> Vec<[String; 4]> {
    let done = site.run(["doctor", "--json"]);
    let document: Value = serde_json::from_str(&done.out).expect("JSON");
    let findings = document["findings"].as_array().expect("a list");
    let faults = findings.iter().any(|finding| finding["state"] == "fault");
    assert_eq!(document["healthy"], !faults);
    assert_eq!(done.code, Some(i32::from(faults)), "{}", done.out);
    let text = |finding: &Value, key| finding[key].as_str().expect("text").to_owned();
    findings
        .iter()
        .map(|finding| ["state", "about", "what", "cure"].map(|key| text(finding, key)))
        .collect()
}

/// The one finding about something.
#[track_caller]
fn about<'f>(findings: &'f [[String; 4]], what: &str) -> [&'f str; 3] {
    let mut found = findings.iter().filter(|[_, about, ..]| about == what);
    let first = found.next().unwrap_or_else(|| panic!("{findings:#?}"));
    assert!(found.next().is_none(), "{findings:#?}");
    let [state, _, how, cure] = first;
    [state, how, cure].map(String::as_str)
}

#[test]
fn each_port_is_free_or_somebody_elses_and_the_cure_finds_who() {
    let site = Site::new(&json!([]));
    let _other = UdpSocket::bind((SERVER, site.ports.tftp)).expect("the site's own port");
    let findings = findings(&site);
    let free = format!("port {} (HTTP on {SERVER})", site.ports.http);
    assert_eq!(about(&findings, &free), ["ok", "is free", ""]);
    let tftp = site.ports.tftp;
    let taken = about(&findings, &format!("port {tftp} (TFTP on {SERVER})"));
    let cure = format!("find it with `ss -lntup 'sport = :{tftp}'` and stop it");
    assert_eq!(taken, ["fault", "another program has it", &cure]);
}

#[test]
fn the_boot_servers_port_is_minded_in_proxy_mode_only() {
    let site = Site::new(&json!([]));
    let port = format!("port {} (the boot server on lo)", site.ports.boot_server);
    assert!(findings(&site).iter().all(|[_, about, ..]| *about != port));
    let proxy =
        json!({ "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/8", "mode": "proxy" });
    site.configure(&json!([]), json!({ "server": proxy }));
    assert_eq!(about(&findings(&site), &port), ["ok", "is free", ""]);
}

#[test]
fn a_server_that_runs_has_its_ports() {
    let site = Site::new(&json!([]));
    let _serving = Running::serve(&site);
    let findings = findings(&site);
    let [state, how, _] = about(&findings, "server");
    assert_eq!((state, how), ("ok", "runs, and has its ports"));
    let ports = findings
        .iter()
        .filter(|[_, it, ..]| it.starts_with("port "));
    assert_eq!(ports.count(), 0);
}

#[test]
fn the_ports_of_a_server_that_cannot_be_asked_are_nobody_elses() {
    let site = Site::new(&json!([]));
    std::fs::create_dir_all(site.state()).expect("a folder");
    let control = UnixListener::bind(site.state().join("control")).expect("a socket");
    std::thread::spawn(move || {
        for stream in control.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"what is this?\r\n\r\n");
        }
    });
    let _other = UdpSocket::bind((SERVER, site.ports.tftp)).expect("the site's own port");
    let findings = findings(&site);
    let [state, how, cure] = about(&findings, "server");
    assert_eq!((state, cure), ("warning", "see the server's log"));
    assert!(how.starts_with("may run: asking the server at "), "{how}");
    let ports = findings
        .iter()
        .filter(|[_, it, ..]| it.starts_with("port "));
    assert_eq!(ports.count(), 0);
}

#[test]
fn a_damaged_file_of_an_image_is_a_fault_with_its_cure() {
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    site.add("rescue", "one");
    let whole = "debian, rescue: each file has its digest";
    assert_eq!(about(&findings(&site), "images"), ["ok", whole, ""]);
    let file = site.state().join("http/images/debian/initrd");
    std::fs::remove_file(&file).expect("a file");
    std::fs::write(&file, "initrd two").expect("another of its length");
    let found = findings(&site);
    let [state, how, cure] = about(&found, "image debian @1");
    assert_eq!(state, "fault");
    assert!(how.starts_with("initrd: expected sha256:"), "{how}");
    assert!(
        cure.starts_with("`netboot image rollback debian`"),
        "{cure}"
    );
    assert!(found.iter().all(|[_, it, ..]| it != "images"), "{found:#?}");
    let quick = site.run(["doctor", "--quick"]);
    assert!(
        quick.out.contains("images: debian, rescue\n"),
        "{}",
        quick.out
    );
}

#[test]
fn an_image_whose_link_was_removed_by_hand_is_named() {
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    std::fs::remove_file(site.state().join("http/images/debian")).expect("a link");
    let folder = site.state().join("http/images").display().to_string();
    let found = findings(&site);
    let [state, how, cure] = about(&found, &folder);
    assert_eq!(state, "warning");
    let why = "image debian cannot be used: none of its generations is current, and @1 is in the \
               store";
    assert_eq!(how, why);
    assert!(cure.contains("`netboot image remove`"), "{cure}");
}
