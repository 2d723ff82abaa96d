//! Network namespaces without names: each lives as long as a thread, and what that thread starts,
//! is in it.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};

/// Runs `work` in a namespace that has a loopback interface and nothing else.
pub(crate) fn in_namespace<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        enter();
        work()
    });
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn enter() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace (root is needed)");
    ip("link set lo up");
    // Resolvers, that of tftpd-hpa for one, believe in no IPv4 where the loopback address is the
    // only one.
    ip("addr add 10.9.1.1/32 dev lo");
}

/// A second namespace, with a thread that works in it.
pub(crate) struct Neighbour<T> {
    thread: JoinHandle<T>,
    go: mpsc::Sender<()>,
}

impl<T: Send + 'static> Neighbour<T> {
    /// Connects this namespace, as 10.9.0.1, and a new one, as 10.9.0.2, by a cable with an MTU of 1500.
    /// `work` begins there when [`Neighbour::join`] is called.
    pub(crate) fn connect(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (tell, told) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            enter();
            let own = std::fs::read_link("/proc/thread-self").expect("a thread's own folder");
            let id = own.file_name().and_then(OsStr::to_str).map(str::to_owned);
            tell.send(id.expect("a number")).expect("a listener");
            wait.recv().expect("a cable");
            ip("addr add 10.9.0.2/24 dev cable");
            ip("link set cable up");
            work()
        });
        let id: String = told.recv().expect("a namespace");
        ip(&format!(
            "link add cable type veth peer name cable netns {id}"
        ));
        ip("addr add 10.9.0.1/24 dev cable");
        ip("link set cable up");
        Self { thread, go }
    }

    /// Lets the neighbour begin and waits for its result.
    pub(crate) fn join(self) -> T {
        self.go.send(()).expect("a neighbour");
        self.thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn ip(arguments: &str) {
    let done = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("ip, from the Debian package iproute2");
    assert!(done.status.success(), "ip {arguments}: {done:?}");
}

/// A program that is killed when this goes, and what it has forked with it.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn start(program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let child = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", program.as_ref()));
        Self { child }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not.
        let group = format!("-{}", self.child.id());
        let _gone = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _reaped = self.child.wait();
    }
}

/// Runs a program to its end, for at most a minute, and gives what it printed.
pub(crate) fn run(folder: &Path, line: &[&str]) -> String {
    let done = Command::new("timeout")
        .arg("60")
        .args(line)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("timeout, from the Debian package coreutils");
    let text = [done.stdout, done.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(done.status.success(), "{line:?}: {:?} {text}", done.status);
    text
}

/// Any bytes: no line ends, no zeros.
pub(crate) fn content(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| u8::try_from(i * 31 % 199 + 50).expect("less than 249"))
        .collect()
}

/// Lines of text, with a CR that belongs to none.
pub(crate) fn text() -> Vec<u8> {
    b"one\ntwo\rthree\n\n".repeat(3000)
}

/// Sizes about which programs disagree, and one of some windows.
pub(crate) const SIZES: [usize; 6] = [1, 511, 512, 513, 1428 * 16, 1_000_003];
