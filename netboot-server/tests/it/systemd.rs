//! `netboot serve` under a service manager: what it tells, which sockets it takes, and as whom it
//! runs. The notify socket is the test's own; sockets are passed by systemd's
//! `systemd-socket-activate`.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use netboot_server::lab::Namespace;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::client::{get, lease, mac, tftp};
use crate::support::traced::Traced;
use crate::support::{PATIENCE, Reads, Running, SERVER, Site, netboot, wait_until, write};

const STRANGER: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 0, 0, 9);

fn site() -> Site {
    let site = Site::new(&json!([]));
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    write(&programs, "undionly.kpxe", b"a boot program");
    site
}

/// What a service manager hears.
struct Manager(UnixDatagram);

impl Manager {
    fn listen(site: &Site, command: &mut Command) -> Self {
        let path = site.folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time");
        command.env("NOTIFY_SOCKET", path);
        Self(socket)
    }

    /// The next message that holds this line, those before it passed over.
    fn hears(&self, line: &str) -> String {
        loop {
            let mut bytes = [0; 4096];
            let length = self.0.recv(&mut bytes).expect("a message");
            let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if message.lines().any(|one| one == line) {
                return message;
            }
        }
    }
}

#[test]
fn it_tells_when_it_is_ready_alive_reloading_and_stopping() {
    let site = site();
    let mut command = netboot(site.arguments(["serve"]));
    let manager = Manager::listen(&site, &mut command);
    command.env("WATCHDOG_USEC", "100000");
    let mut serving = Running::start(command, Reads::Errors);
    let ready = manager.hears("READY=1");
    assert!(
        ready.contains(&format!(
            "STATUS=DHCP on lo, TFTP on {SERVER}, HTTP on {SERVER}"
        )),
        "{ready}"
    );
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    serving.signal(Signal::SIGHUP);
    let reloading = manager.hears("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.hears("READY=1");
    serving.signal(Signal::SIGTERM);
    manager.hears("STOPPING=1");
    assert!(serving.end().success());
}

/// The command, started by `systemd-socket-activate` with these options before it.
fn activated(site: &Site, options: &[String]) -> Command {
    let mut command = Command::new("systemd-socket-activate");
    command
        .args(options)
        .arg(env!("CARGO_BIN_EXE_netboot"))
        .args(site.arguments(["serve"]))
        .env_remove("RUST_LOG");
    command
}

#[test]
#[ignore = "needs systemd-socket-activate of Debian's systemd"]
fn dhcp_and_tftp_are_served_on_the_sockets_that_were_passed() {
    let site = site();
    let on = |port| ["-l".to_owned(), format!("0.0.0.0:{port}")];
    let options = [
        vec!["--datagram".to_owned()],
        on(site.ports.dhcp).to_vec(),
        on(site.ports.tftp).to_vec(),
    ];
    // It holds both ports, so that the server could not bind them itself.
    let mut serving = Running::start(activated(&site, &options.concat()), Reads::Errors);
    serving.line("Listening on");
    serving.line("Listening on");
    // The first datagram starts the server.
    assert_eq!(
        tftp(&site, STRANGER, b"undionly.kpxe"),
        Ok(b"a boot program".to_vec())
    );
    serving.said("TFTP on 0.0.0.0: listening");
    serving.said("DHCP on lo: listening");
    let bound = lease(&site, 1);
    serving.said(&format!("DHCPACK(lo) {} {}", bound.address, mac(1)));
    // A reload keeps them.
    serving.signal(Signal::SIGHUP);
    serving.line("reloaded the configuration");
    assert_eq!(lease(&site, 1).address, bound.address);
    assert_eq!(
        tftp(&site, STRANGER, b"undionly.kpxe"),
        Ok(b"a boot program".to_vec())
    );
}

#[test]
#[ignore = "needs systemd-socket-activate of Debian's systemd"]
fn http_is_served_on_the_socket_that_was_passed() {
    let site = site();
    let options = ["-l".to_owned(), format!("{SERVER}:{}", site.ports.http)];
    let mut serving = Running::start(activated(&site, &options), Reads::Errors);
    serving.line("Listening on");
    let got = get(&site, STRANGER, "/healthz");
    assert_eq!((got.status, got.text()), (200, "ok\n"));
    serving.said(&format!("HTTP on {SERVER}: listening"));
}

#[test]
#[ignore = "needs root"]
fn started_as_root_it_becomes_the_user_and_keeps_two_capabilities() {
    let namespace = Namespace::new().expect("a network namespace");
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The user has to come this far.
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("one's own folder");
    let state = folder.path().join("state");
    std::fs::create_dir_all(state.join("tftp")).expect("a folder");
    write(&state, "tftp/undionly.kpxe", b"a boot program");
    let config = json!({ "netboot": {
        "user": "nobody", "state_dir": state,
        "server": { "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/8",
                    "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.200" } },
    }});
    let file = write(folder.path(), "netboot.json", config.to_string().as_bytes());
    let arguments = ["serve", "--config", &file].map(String::from);
    let log = folder.path().join("log");
    let output = std::fs::File::create(&log).expect("a file");
    let mut child = namespace
        .spawn(env!("CARGO_BIN_EXE_netboot"), arguments, |command| {
            command.stderr(output).env_remove("RUST_LOG");
        })
        .expect("the server");
    let said = || std::fs::read_to_string(&log).expect("the log");
    // Ports 67, 69 and 80 are bound by the user, and again by each reload.
    let listening = |count| {
        wait_until("it listens", || {
            let ended = std::fs::metadata(format!("/proc/{}", child.id())).is_err();
            assert!(!ended, "{}", said());
            said().matches(": listening").count() == count
        })
    };
    listening(3);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("proc");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.expect("a field")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let nobody = nix::unistd::User::from_name("nobody")
        .expect("users")
        .expect("nobody");
    let everywhere = |id: u32| {
        [
            id.to_string(),
            id.to_string(),
            id.to_string(),
            id.to_string(),
        ]
        .join(" ")
    };
    assert_eq!(field("Uid:"), everywhere(nobody.uid.as_raw()));
    assert_eq!(field("Gid:"), everywhere(nobody.gid.as_raw()));
    // CAP_NET_BIND_SERVICE is bit 10, CAP_NET_RAW bit 13.
    for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
        assert_eq!(field(set), "0000000000002400", "{set}");
    }
    assert_eq!(field("CapInh:"), "0000000000000000");
    assert_eq!(field("NoNewPrivs:"), "1");
    // Every thread is the user's.
    for thread in std::fs::read_dir(format!("/proc/{}/task", child.id())).expect("proc") {
        let status = thread.expect("a thread").path().join("status");
        let status = std::fs::read_to_string(status).expect("proc");
        assert!(status.contains("CapEff:\t0000000000002400\n"), "{status}");
    }
    for owned in ["", "tftp", "tftp/undionly.kpxe", "leases"] {
        let owner = state.join(owned).metadata().expect("a file").uid();
        assert_eq!(owner, nobody.uid.as_raw(), "{owned}");
    }
    let mut more = config.clone();
    more["netboot"]["ports"] = json!({ "http": 81 });
    std::fs::write(&file, more.to_string()).expect("a file");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("one's own file");
    let pid = i32::try_from(child.id()).expect("a process number");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGHUP).expect("a process");
    listening(4);
    child.kill().expect("a process");
    child.wait().expect("a child");
}

#[test]
fn a_user_that_is_no_name_is_told_with_its_place() {
    let site = site();
    site.configure(&json!([]), json!({ "user": "Net Boot" }));
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err
            .contains("netboot.user: \"Net Boot\" is no name of a user\n  cure: write "),
        "{}",
        done.err
    );
    site.configure(&json!([]), json!({ "user": "netboot" }));
    let done = site.run(["check", "--print"]);
    assert!(done.out.contains("user = \"netboot\""), "{}", done.out);
}

#[test]
#[ignore = "needs root"]
fn a_user_that_does_not_exist_is_one_sentence_with_what_to_do() {
    let site = site();
    site.configure(&json!([]), json!({ "user": "nobody-of-that-name" }));
    let done = site.run(["serve"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err
            .contains("there is no such user; make it with `useradd"),
        "{}",
        done.err
    );
}

#[test]
fn it_may_open_as_many_files_as_the_system_lets_it() {
    let site = site();
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -Sn 256; exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_netboot"),
        ])
        .args(site.arguments(["serve"]));
    let mut serving = Running::start(command, Reads::Errors);
    serving.line("HTTP on");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", serving.child.id()));
    let limits = limits.expect("proc");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = line.expect("a limit").split_whitespace().collect();
    assert_eq!(words[3], words[4], "{limits}");
}

/// The units and the user as this repository has them.
const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/systemd");

fn done(program: &str, arguments: &[&str]) -> crate::support::Done {
    let output = Command::new(program).args(arguments).output();
    output.expect("a program of Debian's systemd").into()
}

#[test]
#[ignore = "needs systemd-analyze of Debian's systemd"]
fn the_units_hold_and_little_is_exposed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut units = Vec::new();
    for unit in ["netboot.service", "netboot.socket"] {
        let text = std::fs::read_to_string(format!("{DIST}/{unit}")).expect("a unit");
        // The command is where this test built it.
        let text = text.replace(
            "=netboot ",
            concat!("=", env!("CARGO_BIN_EXE_netboot"), " "),
        );
        units.push(write(folder.path(), unit, text.as_bytes()));
    }
    let verified = done(
        "systemd-analyze",
        &["verify", "--man=no", &units[0], &units[1]],
    );
    assert_eq!((verified.code, verified.err.as_str()), (Some(0), ""));
    // In tenths: it fails above 2.0.
    let options = ["security", "--offline=true", "--threshold=20", "--no-pager"];
    let exposed = done("systemd-analyze", &[&options[..], &[&units[0]]].concat());
    assert_eq!(exposed.code, Some(0), "{}", exposed.out);
}

#[test]
#[ignore = "needs root, and systemd-sysusers of Debian's systemd"]
fn the_user_is_made_with_the_state_folder_as_its_home() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path().display().to_string();
    std::fs::create_dir(root.path().join("etc")).expect("a folder");
    let users = format!("{DIST}/netboot.sysusers.conf");
    let made = done("systemd-sysusers", &[&format!("--root={folder}"), &users]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let users = std::fs::read_to_string(root.path().join("etc/passwd")).expect("users");
    let user = users.lines().find(|line| line.starts_with("netboot:"));
    let user: Vec<_> = user.expect("the user").split(':').collect();
    assert_eq!(user[5..], ["/var/lib/netboot", "/usr/sbin/nologin"]);
}

/// The calls of a set of `SystemCallFilter=`, those of the sets in it too.
fn calls(set: &str) -> BTreeSet<String> {
    let listed = done("systemd-analyze", &["syscall-filter", set]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    let entries = listed.out.lines().skip(1).map(str::trim);
    let entries = entries.filter(|line| !line.is_empty() && !line.starts_with('#'));
    entries
        .flat_map(|entry| {
            if entry.starts_with('@') {
                calls(entry)
            } else {
                BTreeSet::from([entry.to_owned()])
            }
        })
        .collect()
}

#[test]
#[ignore = "needs strace, and systemd-analyze of Debian's systemd"]
fn what_the_server_calls_is_what_the_unit_lets_it_call() {
    let unit = std::fs::read_to_string(format!("{DIST}/netboot.service")).expect("a unit");
    let mut allowed = BTreeSet::new();
    for filter in unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
    {
        match filter.strip_prefix('~') {
            Some(denied) => {
                let denied: BTreeSet<_> = denied.split(' ').flat_map(calls).collect();
                allowed.retain(|call| !denied.contains(call));
            }
            None => allowed.extend(filter.split(' ').flat_map(calls)),
        }
    }
    let site = site();
    let serving = Traced::serve(&site, &[]);
    let bound = lease(&site, 1);
    assert!(tftp(&site, bound.address, b"undionly.kpxe").is_ok());
    for path in ["/boot.ipxe", "/healthz", "/undionly.kpxe"] {
        assert_eq!(get(&site, bound.address, path).status, 200);
    }
    assert_eq!(site.run(["reload"]).code, Some(0));
    assert_eq!(site.run(["status"]).code, Some(0));
    let text = serving.end();
    // As `1234  recvmsg(9, …`; what was interrupted goes on in a line with `<... recvmsg resumed>`.
    let called = text.lines().filter_map(|line| {
        let (call, _) = line.split_once(' ')?.1.trim_start().split_once('(')?;
        call.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_')
            .then(|| call.to_owned())
    });
    let called: BTreeSet<String> = called.collect();
    assert!(
        called.contains("recvmsg") || called.contains("recvmmsg"),
        "{called:?}"
    );
    // The limit on open files is the unit's to raise, and the call then gives EPERM.
    let more: Vec<_> = called
        .difference(&allowed)
        .filter(|call| *call != "prlimit64")
        .collect();
    assert!(more.is_empty(), "{more:?}");
}
