//! A server under strace.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Running, Site};

/// A server whose calls are written down. Killed when dropped.
pub(crate) struct Traced {
    serving: Running,
    pid: Pid,
    trace: PathBuf,
}

impl Traced {
    /// Starts `netboot serve` under strace with these options more, and waits until it listens.
    pub(crate) fn serve(site: &Site, options: &[&str]) -> Self {
        let trace = site.folder.path().join("trace");
        let mut command = Command::new("strace");
        command
            .args(["--follow-forks", "--quiet=all"])
            .args(options)
            .arg("--output")
            .arg(&trace)
            .arg(env!("CARGO_BIN_EXE_netboot"))
            .args(site.arguments(["serve"]))
            .env_remove("RUST_LOG");
        let serving = Running::serve_by(command);
        // As each line begins, and the first one is of the first thread.
        let written = std::fs::read_to_string(&trace).expect("a trace");
        let pid = written.split(' ').next().and_then(|pid| pid.parse().ok());
        Self {
            serving,
            pid: Pid::from_raw(pid.expect("a process")),
            trace,
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid, signal).expect("a process that runs");
    }

    /// How many of its calls were made to fail up to now.
    pub(crate) fn calls_that_failed(&self) -> usize {
        let trace = std::fs::read_to_string(&self.trace).expect("a trace");
        trace.matches("(INJECTED)").count()
    }

    /// Has it end by itself; gives all that was written down.
    pub(crate) fn end(mut self) -> String {
        self.signal(Signal::SIGTERM);
        assert!(self.serving.end().success());
        std::fs::read_to_string(&self.trace).expect("a trace")
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Without its tracer it would go on.
        let _ = kill(self.pid, Signal::SIGKILL);
    }
}
