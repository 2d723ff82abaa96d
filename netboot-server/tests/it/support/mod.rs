//! What the tests of the service and of the command share: state folders, free ports, and the
//! `netboot` command as a child.

pub(crate) mod client;
pub(crate) mod nix;
pub(crate) mod traced;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use ::nix::sys::signal::{Signal, kill};
use ::nix::unistd::{Pid, getuid};
use serde_json::{Value, json};

/// How long anything may take that is waited for; only a failure takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The `netboot` command with these arguments, no configuration of the host's in sight.
pub(crate) fn netboot(arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netboot"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// The same on a terminal of its own, by `script` of util-linux, once the shell that becomes it did
/// `first`.
pub(crate) fn on_a_terminal(first: &str, arguments: Vec<OsString>) -> Command {
    let words: Vec<_> = arguments
        .into_iter()
        .map(|word| word.into_string().expect("text"))
        .collect();
    let line = format!(
        "{first}; exec {} {}",
        env!("CARGO_BIN_EXE_netboot"),
        words.join(" ")
    );
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .env_remove("RUST_LOG");
    command
}

/// What a command that ended wrote, and how it ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Runs it to its end.
pub(crate) fn run(arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Done {
    netboot(arguments).output().expect("the command").into()
}

/// A `netboot` that runs, with its lines as they come. Killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
    /// The lines that were waited past.
    pub(crate) seen: Vec<String>,
}

impl Running {
    /// Starts it and reads its standard error; for the demo, its standard output.
    pub(crate) fn start(mut command: Command, reads: Reads) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        match reads {
            Reads::Output => command.stdout(Stdio::piped()),
            Reads::Errors => command.stderr(Stdio::piped()),
        };
        let mut child = command.spawn().expect("the command");
        let output: Box<dyn Read + Send> = match reads {
            Reads::Output => Box::new(child.stdout.take().expect("a pipe")),
            Reads::Errors => Box::new(child.stderr.take().expect("a pipe")),
        };
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Starts `netboot serve` and waits until it listens on all of DHCP, TFTP and HTTP.
    pub(crate) fn serve(site: &Site) -> Self {
        Self::serve_by(netboot(site.arguments(["serve"])))
    }

    /// The same by a command of one's own.
    pub(crate) fn serve_by(command: Command) -> Self {
        let mut serving = Self::start(command, Reads::Errors);
        for _ in 0..3 {
            serving.line("listening");
        }
        serving
    }

    /// The next line that holds this.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "a test gives up some time")]
    pub(crate) fn line(&mut self, part: &str) -> String {
        let began = std::time::Instant::now();
        loop {
            // Others may come without end.
            let left = PATIENCE.saturating_sub(began.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(why) => panic!("no line with {part:?} ({why}): {:#?}", self.seen),
            }
        }
    }

    /// A line that holds this, already seen or still to come.
    #[track_caller]
    pub(crate) fn said(&mut self, part: &str) -> String {
        let seen = self.seen.iter().find(|line| line.contains(part)).cloned();
        seen.unwrap_or_else(|| self.line(part))
    }

    /// Whether a line that holds this has come.
    pub(crate) fn has_said(&mut self, part: &str) -> bool {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().any(|line| line.contains(part))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number");
        kill(Pid::from_raw(pid), signal).expect("a process that runs");
    }

    /// All further lines, to the end of the process.
    pub(crate) fn end(&mut self) -> ExitStatus {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {:#?}", self.seen),
            }
        }
        self.child.wait().expect("a child")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which of a child's outputs is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reads {
    Output,
    Errors,
}

/// A state folder and a configuration beside it that serves the loopback interface.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ports: Ports,
    _reserved: File,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) dhcp: u16,
    pub(crate) dhcp_client: u16,
    pub(crate) tftp: u16,
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) admin: u16,
    pub(crate) boot_server: u16,
}

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;

impl Site {
    /// A site with these targets.
    pub(crate) fn new(targets: &Value) -> Self {
        let (ports, reserved) = free_ports();
        let site = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            ports,
            _reserved: reserved,
        };
        site.configure(targets, json!({}));
        site
    }

    /// Writes the configuration anew, with more keys under `netboot`.
    pub(crate) fn configure(&self, targets: &Value, more: Value) {
        let mut document = json!({ "netboot": {
            "ports": {
                "dhcp": self.ports.dhcp, "dhcp_client": self.ports.dhcp_client,
                "tftp": self.ports.tftp, "http": self.ports.http,
                "boot_server": self.ports.boot_server,
            },
            "admin_listen": format!("127.0.0.1:{}", self.ports.admin),
            "server": {
                "ip": SERVER, "interface": "lo", "subnet": "127.0.0.0/8",
                "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.200" },
            },
            "targets": targets,
        }});
        for (key, value) in more.as_object().expect("a table") {
            document["netboot"][key] = value.clone();
        }
        std::fs::write(self.config(), document.to_string()).expect("a file");
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("netboot.json")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Arguments of a command that works on this site.
    pub(crate) fn arguments<'a>(&self, of: impl IntoIterator<Item = &'a str>) -> Vec<OsString> {
        let mut all: Vec<OsString> = of.into_iter().map(Into::into).collect();
        all.extend(["--config".into(), self.config().into()]);
        all.extend(["--state-dir".into(), self.state().into()]);
        all
    }

    /// Runs a command on this site to its end.
    pub(crate) fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Done {
        run(self.arguments(arguments))
    }

    /// Adds an image whose kernel and initrd hold `mark`; gives both.
    pub(crate) fn add(&self, name: &str, mark: &str) -> (Vec<u8>, Vec<u8>) {
        let (kernel, initrd) = (kernel(mark), format!("initrd {mark}").into_bytes());
        let kernel_file = write(self.folder.path(), &format!("{name}.kernel"), &kernel);
        let initrd_file = write(self.folder.path(), &format!("{name}.initrd"), &initrd);
        let arguments = [
            "image",
            "add",
            name,
            "--kernel",
            &kernel_file,
            "--initrd",
            &initrd_file,
            "--cmdline",
            "console=ttyS0",
        ];
        let state = self.state();
        let done: Done = netboot(arguments)
            .arg("--state-dir")
            .arg(state)
            .output()
            .expect("the command")
            .into();
        assert_eq!(done.code, Some(0), "{}", done.err);
        (kernel, initrd)
    }
}

/// Looks again and again until it is so.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test gives up some time")]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// Writes a file and gives its path as text.
pub(crate) fn write(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file");
    path.into_os_string().into_string().expect("text")
}

/// Ports that nobody has now, below those that the system hands out by itself, so that nobody gets
/// them by chance between here and their use. No other test of this user gets them while the file
/// is open, in this process or another one.
fn free_ports() -> (Ports, File) {
    const BLOCKS: u16 = 2_500;
    const FIRST: u16 = 10_000;
    // To bind one would not do: a process that another thread starts just then has it for a moment.
    let tables = ["udp", "udp6", "tcp", "tcp6"]
        .map(|table| std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default());
    let is_free = |port: &u16| {
        let bound = format!(":{port:04X}");
        let mut lines = tables.iter().flat_map(|table| table.lines().skip(1));
        !lines.any(|line| {
            let local = line.split_whitespace().nth(1);
            local.is_some_and(|local| local.ends_with(&bound))
        })
    };
    let folder = std::env::temp_dir().join(format!("netboot-test-ports-{}", getuid()));
    std::fs::create_dir_all(&folder).expect("a folder of locks");
    let begin = u16::try_from(std::process::id() % u32::from(BLOCKS)).expect("below 2,500");
    let found = (0..BLOCKS).find_map(|nth| {
        let block = (begin + nth) % BLOCKS;
        let lock = File::create(folder.join(block.to_string())).ok()?;
        lock.try_lock().ok()?;
        let first = FIRST + block * 8;
        let mut ports = (first..first + 8).filter(is_free);
        let mut port = || ports.next();
        let ports = Ports {
            dhcp: port()?,
            dhcp_client: port()?,
            tftp: port()?,
            http: port()?,
            https: port()?,
            admin: port()?,
            boot_server: port()?,
        };
        Some((ports, lock))
    });
    found.expect("free ports")
}

/// A kernel's first sectors, by hand from the kernel's x86 boot protocol: version 2.15, one setup
/// sector, 64 bytes of protected-mode code, in which `mark` stands.
pub(crate) fn kernel(mark: &str) -> Vec<u8> {
    let mut image = vec![0; 1024 + 64];
    for (at, bytes) in [
        (0x1f1, &b"\x01"[..]),
        (0x1f4, b"\x04"),
        (0x1fe, b"\x55\xaa"),
        (0x202, b"HdrS\x0f\x02"),
        (0x211, b"\x01"),
        (0x236, b"\x01"),
        (0x238, b"\xff\x07"),
        (1024, mark.as_bytes()),
    ] {
        image[at..at + bytes.len()].copy_from_slice(bytes);
    }
    image
}
