//! Restarts, kill -9, and the end in the middle of a download.

use super::*;

#[test]
fn leases_survive_a_restart() {
    let site = site();
    site.add("debian", "one");
    let mut serving = Running::serve(&site);
    let first: Vec<_> = (1..=5).map(|last| lease(&site, last).address).collect();
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code(), Some(0));
    drop(serving);
    let _serving = Running::serve(&site);
    // Known before it has asked for anything.
    assert_eq!(get(&site, NODE, "/states/node-01.json").status, 200);
    let mut again: Vec<_> = (1..=5)
        .rev()
        .map(|last| lease(&site, last).address)
        .collect();
    again.reverse();
    assert_eq!(again, first);
}

/// Kills the server right behind an ACK, round by round; every lease that was told must be there.
fn kill_rounds(rounds: u8) {
    let site = site();
    let targets: Vec<_> = (1..=rounds)
        .map(|last| {
            json!({ "name": format!("m{last}"), "mac": mac(last), "state": { "number": last } })
        })
        .collect();
    site.configure(&json!(targets), json!({}));
    let mut told = Vec::new();
    for last in 1..=rounds {
        let mut serving = Running::serve(&site);
        told.push((last, lease(&site, last).address));
        serving.signal(Signal::SIGKILL);
        assert_eq!(serving.end().code(), None);
    }
    let _serving = Running::serve(&site);
    for (last, address) in told {
        let state = get(&site, address, &format!("/states/m{last}.json"));
        assert_eq!(state.text(), format!("{{\n  \"number\": {last}\n}}\n"));
    }
}

#[test]
fn a_lease_that_was_acknowledged_survives_kill_9() {
    kill_rounds(8);
}

#[test]
#[ignore = "takes half a minute and more; the soak runs it"]
fn every_lease_survives_a_long_row_of_kill_9() {
    for _ in 0..10 {
        kill_rounds(90);
    }
}

#[test]
fn a_download_under_way_is_finished_when_the_server_is_told_to_end() {
    let site = site();
    let kernel = crate::support::kernel("large");
    let kernel = write(site.folder.path(), "kernel", &kernel);
    let large: Vec<u8> = (0..8_u32 << 20).map(|at| at.to_le_bytes()[1]).collect();
    let initrd = write(site.folder.path(), "initrd", &large);
    let done = site.run([
        "image", "add", "large", "--kernel", &kernel, "--initrd", &initrd,
    ]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let mut serving = Running::serve(&site);
    let mut http = Connection::from(&site, STRANGER);
    http.send(b"GET /images/large/initrd HTTP/1.1\r\nHost: x\r\n\r\n");
    http.begun();
    serving.signal(Signal::SIGTERM);
    serving.line("stopping");
    let answer = http.answer(false);
    assert_eq!(answer.body.len(), large.len());
    assert!(answer.body == large);
    assert_eq!(serving.end().code(), Some(0));
    assert!(
        serving
            .seen
            .iter()
            .any(|line| line.contains("/images/large/initrd: 200, 8388608 bytes")),
        "its line is in the log: {:#?}",
        serving.seen
    );
}

#[test]
fn the_demo_and_a_server_do_not_disturb_each_other() {
    let site = site();
    let _serving = Running::serve(&site);
    let mut demo = Running::start(netboot(["demo"]), Reads::Output);
    demo.line("booted: ");
    assert_eq!(demo.end().code(), Some(0));
    assert_eq!(lease(&site, 1).address, NODE);
}
