//! The server as its own process in a network namespace: its log, its state folder, and what it
//! left on disk.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use netboot_server::config::platform::Platform;
use netboot_server::lab::{Firmware, Namespace};

/// The kernel and initial RAM disk of the Debian package debian-installer-12-netboot-amd64.
pub(crate) const INSTALLER: &str =
    "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";
/// Those of debian-installer-12-netboot-arm64.
const INSTALLER_ARM64: &str =
    "/usr/lib/debian-installer/images/12/arm64/text/debian-installer/arm64";
/// The interface that the machines are on.
pub(crate) const TAP: &str = "tap0";
/// The machine that boots.
pub(crate) const MAC: &str = "52:54:00:12:34:56";
/// How long a step may take before the test gives up; a bound, and no assertion on speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(400);

/// A server that runs in a namespace.
pub(crate) struct Server {
    child: Child,
    log: Arc<Log>,
    state: PathBuf,
}

#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grown: Condvar,
}

impl Server {
    /// Starts `netboot serve` with this configuration and waits until it listens everywhere.
    pub(crate) fn start(
        namespace: &Namespace,
        state: &Path,
        config: &str,
        endpoints: usize,
    ) -> Self {
        std::fs::create_dir_all(state).expect("a state folder");
        let file = state.join("netboot.toml");
        std::fs::write(&file, config).expect("a configuration");
        let arguments = ["serve", "--config"].map(PathBuf::from);
        let arguments = arguments
            .into_iter()
            .chain([file, "--state-dir".into(), state.to_owned()]);
        let mut child = namespace
            .spawn(env!("CARGO_BIN_EXE_netboot"), arguments, |command| {
                command.env("NO_COLOR", "1").stderr(Stdio::piped());
            })
            .expect("the server starts");
        let log = Arc::new(Log::default());
        let writer = Arc::clone(&log);
        let stderr = child.stderr.take().expect("a pipe");
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut text = writer.text.lock().expect("the log");
                text.push_str(&line);
                text.push('\n');
                writer.grown.notify_all();
            }
        });
        let server = Self {
            child,
            log,
            state: state.to_owned(),
        };
        server.wait_for(|log| log.matches(": listening").count() == endpoints);
        server
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text.lock().expect("the log").clone()
    }

    /// Waits until the log is as wanted.
    #[allow(
        clippy::disallowed_methods,
        reason = "another process logs in real time"
    )]
    pub(crate) fn wait_for(&self, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.log.text.lock().expect("the log");
        while !wanted(&text) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not in time; the log:\n{text}");
            text = self.log.grown.wait_timeout(text, left).expect("the log").0;
        }
    }

    /// Asserts that one line of the log holds all of these.
    pub(crate) fn assert_logged(&self, parts: &[&str]) {
        let log = self.log();
        assert!(
            log.lines()
                .any(|line| parts.iter().all(|part| line.contains(part))),
            "no line with all of {parts:?} in:\n{log}"
        );
    }

    /// Asserts that `netboot why` finds nothing wrong in the machine's boot, once all of it is
    /// recorded.
    #[allow(
        clippy::disallowed_methods,
        reason = "another process records in real time"
    )]
    pub(crate) fn assert_nothing_wrong(&self, machine: &str) {
        let why = || {
            let why = Command::new(env!("CARGO_BIN_EXE_netboot"))
                .args(["why", machine, "--json", "--state-dir"])
                .arg(&self.state)
                .output()
                .expect("it runs");
            let text = String::from_utf8_lossy(&why.stdout).into_owned();
            let document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            (
                document["outcome"] == "handed_over",
                why.status.code(),
                text,
            )
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let (is_whole, code, text) = why();
            if is_whole || Instant::now() > deadline {
                assert!(is_whole && code == Some(0), "{code:?}: {text}");
                return;
            }
        }
    }

    /// Stops it as systemd does, and gives the leases on disk: MAC address and address of each.
    pub(crate) fn stop(mut self) -> Vec<(String, Ipv4Addr)> {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").arg(&id).status().expect("kill runs");
        assert!(killed.success());
        let ended = self.child.wait().expect("it ends");
        assert!(ended.success(), "{ended}; the log:\n{}", self.log());
        leases(&self.state.join("leases"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the lease database without the server's own code.
fn leases(path: &Path) -> Vec<(String, Ipv4Addr)> {
    let bytes = std::fs::read(path).expect("the lease database");
    // The last record of an address is the one that counts.
    let mut leases = BTreeMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let record = line.windows(9).position(|text| text == b"{\"lease\":");
        let Some(record) = record.and_then(|at| line.get(at..)) else {
            continue;
        };
        let record: serde_json::Value = serde_json::from_slice(record).expect("JSON");
        let address = record["lease"]["address"].as_str().expect("an address");
        let address: Ipv4Addr = address.parse().expect("an address");
        leases.insert(address, record["lease"]["client"].to_string());
    }
    leases
        .into_iter()
        .map(|(address, client)| (client, address))
        .collect()
}

/// Runs the `netboot` command on a state folder, outside any namespace.
pub(crate) fn netboot(state: &Path, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_netboot"))
        .args(arguments)
        .arg("--state-dir")
        .arg(state)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// The folder with the Debian installer's kernel and initial RAM disk for a machine.
pub(crate) fn installer(firmware: &Firmware) -> &'static str {
    match firmware.platform {
        Platform::Arm64 => INSTALLER_ARM64,
        _ => INSTALLER,
    }
}

/// Adds the Debian installer's kernel and initial RAM disk as the image `debian`, which boots to a
/// shell and has the token on its command line.
pub(crate) fn add_debian(state: &Path, token: &str) {
    add_debian_for(&Firmware::BIOS, state, token);
}

/// The same for a machine with this firmware.
pub(crate) fn add_debian_for(firmware: &Firmware, state: &Path, token: &str) {
    let (folder, serial) = (installer(firmware), firmware.serial);
    let (kernel, initrd) = (format!("{folder}/linux"), format!("{folder}/initrd.gz"));
    let cmdline = format!("console={serial} rdinit=/bin/sh netboot-token={token}");
    let add = ["image", "add", "debian", "--label", "Debian"];
    let files = [
        "--kernel",
        &kernel,
        "--initrd",
        &initrd,
        "--cmdline",
        &cmdline,
    ];
    netboot(state, &[&add[..], &files[..]].concat());
}

/// A namespace with a tap interface that has an address.
pub(crate) fn namespace_with_tap(address: &str) -> Namespace {
    let namespace = Namespace::new().expect("a network namespace; this test needs root");
    for words in [
        format!("tuntap add {TAP} mode tap"),
        format!("addr add {address} dev {TAP}"),
        format!("link set {TAP} up"),
    ] {
        namespace.ip(&words).expect("ip of iproute2");
    }
    namespace
}
