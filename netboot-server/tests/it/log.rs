//! What the log of `netboot serve` looks like: for people, for programs, and on a terminal.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::client::{lease, mac};
use crate::support::{Reads, Running, Site, netboot, on_a_terminal};

#[test]
fn json_lines_hold_the_sentence_and_what_a_program_looks_for() {
    let site = Site::new(&json!([]));
    let command = netboot(site.arguments(["serve", "--log-format", "json"]));
    let mut serving = Running::start(command, Reads::Errors);
    serving.line("HTTP on 127.0.0.1: listening");
    let bound = lease(&site, 1);
    let line = serving.line("DHCPACK");
    let event: Value = serde_json::from_str(&line).expect("JSON");
    let sentence = format!("DHCPACK(lo) {} {}", bound.address, mac(1));
    assert_eq!(event["message"], sentence);
    assert_eq!(event["level"], "INFO");
    assert_eq!(event["kind"], "dhcp");
    assert_eq!(event["machine"], mac(1).to_string());
    assert_eq!(event["boot_id"], 1);
    let at = event["timestamp"].as_str().expect("a time");
    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    serving.signal(Signal::SIGTERM);
    serving.end();
    for line in &serving.seen {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn colours_are_for_terminals_and_not_where_no_color_is_set() {
    let site = Site::new(&json!([]));
    for (no_color, coloured) in [("", true), ("1", false)] {
        let mut command = on_a_terminal("echo $$", site.arguments(["serve"]));
        command.env("NO_COLOR", no_color);
        let mut serving = Running::start(command, Reads::Output);
        let pid = serving.line("").trim().parse().expect("its number");
        let line = serving.line("HTTP on 127.0.0.1: listening");
        assert_eq!(line.contains('\x1b'), coloured, "{line:?}");
        // `script` ends when the server has; signalled itself, it would end before the server.
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("a server that runs");
        serving.end();
    }
    let plain = Running::serve(&site);
    assert!(
        plain.seen.iter().all(|line| !line.contains('\x1b')),
        "{:?}",
        plain.seen
    );
}
