//! The commands that speak to the server that runs, over its control socket.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{Connection, get, lease, mac};
use crate::support::{Done, Reads, Running, SERVER, Site, netboot, on_a_terminal, write};

const STRANGER: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 0, 0, 9);

fn site() -> Site {
    let targets = json!([{ "name": "node-01", "mac": mac(1), "config": "debian" }]);
    let site = Site::new(&targets);
    site.add("debian", "one");
    site
}

fn json(done: &Done) -> Value {
    assert_eq!(done.code, Some(0), "{}", done.err);
    serde_json::from_str(&done.out).expect("JSON")
}

#[test]
fn where_no_server_runs_each_command_says_so_and_what_to_do() {
    let site = site();
    for command in ["status", "events", "reload"] {
        let done = site.run([command]);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{command}");
        assert!(
            done.err
                .contains("no server runs on this state folder; start it with `"),
            "{}",
            done.err
        );
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
}

#[test]
fn status_tells_services_addresses_boots_and_downloads() {
    let site = site();
    let (k, i) = (
        write(site.folder.path(), "k", &crate::support::kernel("big")),
        write(site.folder.path(), "i", &vec![7; 64 << 20]),
    );
    let add = ["image", "add", "big", "--kernel", &k, "--initrd", &i];
    assert_eq!(site.run(add).code, Some(0));
    let _serving = Running::serve(&site);
    let bound = lease(&site, 1);
    let script = format!("/boot.ipxe?mac={}", mac(1));
    assert_eq!(get(&site, bound.address, &script).status, 200);
    let mut download = Connection::from(&site, bound.address);
    download.send(b"GET /images/big/initrd HTTP/1.1\r\nHost: netboot\r\n\r\n");
    download.begun();

    let shown = site.run(["status"]);
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""));
    for expected in [
        ": 2 image(s), 1 target(s)\n".to_owned(),
        format!("\n  DHCP on lo\n  TFTP on {SERVER}\n  HTTP on {SERVER}\n"),
        "  127.0.0.0/8  1 of 101 addresses\n".into(),
        "\n  LAST  ".into(),
        " % of 64.00 MiB  ".into(),
        "  /images/big/initrd\n".into(),
        format!(
            "  node-01  has its boot script  1     {}  {}\n",
            mac(1),
            bound.address
        ),
    ] {
        assert!(shown.out.contains(&expected), "{expected}\n{}", shown.out);
    }
    assert!(!shown.out.contains('\x1b'), "no terminal, no colours");

    let document = json(&site.run(["status", "--json"]));
    assert_eq!(document["networks"][0]["pool"]["in_use"], 1);
    assert_eq!(document["downloads"][0]["of"], 64 << 20);
    assert_eq!(document["machines"][0]["name"], "node-01");
}

#[test]
fn status_that_watches_shows_what_changes_until_it_is_told_to_end() {
    let site = site();
    let _serving = Running::serve(&site);
    let command = netboot(site.arguments(["status", "--watch", "--json"]));
    let mut watching = Running::start(command, Reads::Output);
    let document: Value = serde_json::from_str(&watching.line("{")).expect("JSON");
    assert_eq!(document["machines"][0]["address"], Value::Null);
    let bound = lease(&site, 1);
    watching.line(&format!("\"address\":\"{}\"", bound.address));
    watching.signal(Signal::SIGINT);
    assert!(watching.end().success());
}

#[test]
fn status_that_watches_waits_for_a_server_that_is_restarted() {
    let site = site();
    let mut serving = Running::serve(&site);
    let command = netboot(site.arguments(["status", "--watch", "--json"]));
    let mut watching = Running::start(command, Reads::Output);
    watching.line(&format!("\"name\":\"TFTP on {SERVER}\""));
    serving.signal(Signal::SIGKILL);
    serving.end();
    site.configure(&json!([]), json!({}));
    let _serving = Running::serve(&site);
    watching.line("\"machines\":[]");
    watching.signal(Signal::SIGINT);
    assert!(watching.end().success());
}

#[test]
fn status_that_watches_is_cut_to_its_terminal() {
    let site = site();
    let _serving = Running::serve(&site);
    let words = site.arguments(["status", "--watch"]);
    let command = on_a_terminal("stty rows 6 columns 30", words);
    let mut watching = Running::start(command, Reads::Output);
    for _ in 0..2 {
        // Each page begins at the top.
        watching.line("\x1b[H\x1b[Jnetboot ");
        watching.line(" more lines than ");
    }
    let shown = watching.seen.join("\n").replace("\x1b[H\x1b[J", "\r");
    for page in shown
        .split('\r')
        .map(str::trim_start)
        .filter(|page| page.starts_with("netboot"))
    {
        assert!(page.lines().count() <= 5, "{page}");
    }
    assert!(
        watching
            .seen
            .iter()
            .all(|line| line.trim_end().chars().count() <= 30 + 6),
        "{shown}"
    );
}

#[test]
fn events_are_those_of_the_log_and_of_one_machine_where_asked() {
    let site = site();
    let mut serving = Running::serve(&site);
    let (one, two) = (lease(&site, 1), lease(&site, 2));
    let line = |last, address| format!(" DHCPACK(lo) {address} {}", mac(last));
    serving.said(&line(2, two.address));

    let shown = site.run(["events"]).out;
    assert!(shown.contains(&line(1, one.address)) && shown.contains(&line(2, two.address)));
    let mine = site.run(["events", "--mac", &mac(2).to_string()]).out;
    assert!(mine.contains(&line(2, two.address)), "{mine}");
    assert!(
        mine.lines().all(|line| line.contains(&mac(2).to_string())),
        "{mine}"
    );
    let done = site.run(["events", "--json"]);
    let events: Vec<Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(
        events
            .iter()
            .any(|event| event["message"] == "DHCPACK" && event["machine"] == mac(1).to_string())
    );
}

#[test]
fn events_that_follow_come_as_they_happen_and_end_with_the_server() {
    let site = site();
    let mut serving = Running::serve(&site);
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "exec \"$@\" 2>&1",
            "sh",
            env!("CARGO_BIN_EXE_netboot"),
        ])
        .args(site.arguments(["events", "--follow"]));
    let mut following = Running::start(command, Reads::Output);
    let bound = lease(&site, 1);
    following.line(&format!(" DHCPACK(lo) {} {}", bound.address, mac(1)));
    get(&site, STRANGER, "/healthz");
    following.line(" /healthz: 200");
    serving.signal(Signal::SIGTERM);
    assert!(serving.end().success());
    assert!(following.end().success());
    let last = following.seen.last().map(String::as_str);
    assert_eq!(last, Some("netboot: the server ended"));
}

#[test]
fn reload_says_what_came_of_it() {
    let site = site();
    let _serving = Running::serve(&site);
    let target = |name| json!([{ "name": name, "mac": mac(1), "config": "missing" }]);
    site.configure(&target("node-02"), json!({}));
    let done = site.run(["reload"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "the configuration is in service\n")
    );
    assert!(
        done.err.contains("warning: ") && done.err.contains("image missing is not in the store"),
        "{}",
        done.err
    );
    assert_eq!(
        json(&site.run(["status", "--json"]))["machines"][0]["name"],
        "node-02"
    );

    let state = site.state();
    site.configure(&json!([{ "name": "x", "mac": "nonsense" }]), json!({}));
    let done: Done = netboot(["reload", "--state-dir"])
        .arg(state)
        .output()
        .expect("the command")
        .into();
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(
        done.err
            .contains("netboot.targets[0].mac: \"nonsense\" cannot be read"),
        "{}",
        done.err
    );
    assert!(
        done.err.contains("the one before it goes on"),
        "{}",
        done.err
    );
    assert_eq!(
        json(&netboot_on(&site, ["status", "--json"]))["machines"][0]["name"],
        "node-02"
    );
}

/// A command on the state folder, with no configuration.
fn netboot_on<const N: usize>(site: &Site, arguments: [&str; N]) -> Done {
    let mut command = netboot(arguments);
    command.arg("--state-dir").arg(site.state());
    command.output().expect("the command").into()
}

#[test]
fn what_a_server_refuses_is_told_with_what_to_do() {
    let site = site();
    let _serving = Running::serve(&site);
    for (asked, why, cure) in [
        (
            ["leases", "remove", "127.0.0.9"],
            "127.0.0.9 has no lease",
            "`netboot leases` lists those that there are",
        ),
        (
            ["machine", "node-07", "installed"],
            "no target is called \"node-07\"",
            "`netboot check --print`",
        ),
    ] {
        let done = site.run(asked);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
        assert!(
            done.err.contains(why) && done.err.contains(cure),
            "{}",
            done.err
        );
    }
}

#[test]
fn the_socket_is_its_owners_and_groups_and_is_replaced_after_a_kill() {
    let site = site();
    let mut serving = Running::serve(&site);
    let socket = site.state().join("control");
    let mode = socket.metadata().expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    serving.signal(Signal::SIGKILL);
    serving.end();
    assert!(socket.exists());
    assert!(site.run(["status"]).err.contains("no server runs"));
    let mut serving = Running::serve(&site);
    assert_eq!(site.run(["status"]).code, Some(0));
    serving.signal(Signal::SIGTERM);
    assert!(serving.end().success());
    assert!(!socket.exists());
}

#[test]
fn links_are_the_commands_that_the_scripts_were() {
    let site = site();
    let _serving = Running::serve(&site);
    let link = |name: &str| {
        let link = site.folder.path().join(name);
        symlink(env!("CARGO_BIN_EXE_netboot"), &link).expect("a link");
        let mut command = Command::new(link);
        command.args(site.arguments([]));
        command
    };
    let done = |name| -> Done { link(name).output().expect("the command").into() };
    let status = done("netboot-status");
    assert!(status.out.contains("\nLast boots\n"), "{}", status.err);

    let file = site.state().join("configs/boot.ipxe");
    std::fs::remove_file(&file).expect("the server wrote it");
    let menu = done("netboot-update-menu");
    assert_eq!(menu.code, Some(0), "{}", menu.err);
    assert_eq!(std::fs::read_to_string(file).expect("a menu"), menu.out);

    let mut logs = Running::start(link("netboot-logs"), Reads::Output);
    let bound = lease(&site, 1);
    logs.line(&format!(" DHCPACK(lo) {} {}", bound.address, mac(1)));
}

#[test]
fn completions_are_what_their_shell_can_read() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = crate::support::run(["completions", shell]);
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert!(done.out.contains("status"), "{shell}");
    }
    let script = crate::support::run(["completions", "bash"]).out;
    let completes = "source /dev/stdin; COMP_WORDS=(netboot sta) COMP_CWORD=1; _netboot netboot \
                     sta netboot; echo ${COMPREPLY[@]}";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "netboot", script.as_bytes());
    let done: Done = Command::new("bash")
        .args(["-c", &completes.replace("/dev/stdin", &file)])
        .output()
        .expect("bash")
        .into();
    assert_eq!(done.out, "status\n", "{}", done.err);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let page = crate::support::run(["man"]).out;
    assert!(page.contains(".TH netboot 1"), "{page}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("man1").display().to_string();
    assert_eq!(crate::support::run(["man", "--dir", &dir]).code, Some(0));
    for name in [
        "netboot",
        "netboot-serve",
        "netboot-status",
        "netboot-image-add",
    ] {
        let page = std::fs::read_to_string(format!("{dir}/{name}.1")).expect("a page");
        assert!(page.contains(&format!(".TH {name}")), "{page}");
    }
}
