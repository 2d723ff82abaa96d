//! A network namespace that belongs to a value.
//!
//! One thread enters the namespace and stays there; what must happen inside is sent to it. The
//! kernel drops the namespace, and the interfaces in it, when that thread and the programs it
//! started are gone.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};

use crate::Failure;

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace with its loopback interface up.
#[derive(Debug)]
pub struct Namespace {
    jobs: Option<mpsc::Sender<Job>>,
    worker: Option<JoinHandle<()>>,
    handle: File,
}

impl Namespace {
    /// Makes a namespace.
    ///
    /// # Errors
    ///
    /// Without the right to make one (root, or `CAP_SYS_ADMIN`), or without `ip` of iproute2.
    pub fn new() -> Result<Self, Failure> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (ready, entered) = mpsc::channel();
        let worker = std::thread::spawn(move || {
            let namespace = unshare(CloneFlags::CLONE_NEWNET)
                .map_err(std::io::Error::from)
                .and_then(|()| File::open("/proc/thread-self/ns/net"));
            if ready.send(namespace).is_err() {
                return;
            }
            for job in inbox {
                job();
            }
        });
        let handle = entered
            .recv()
            .unwrap_or_else(|_| Err(std::io::Error::other("its thread ended")))
            .map_err(|error| Failure::new("making a network namespace", error, "run it as root"))?;
        let namespace = Self {
            jobs: Some(jobs),
            worker: Some(worker),
            handle,
        };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Runs a closure inside the namespace and waits for it. Sockets made there stay there, and
    /// threads and programs started there are inside too.
    ///
    /// # Panics
    ///
    /// Where the closure panicked, as the closure's own thread has then ended.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, result) = mpsc::channel();
        let sent = self.jobs.as_ref().is_some_and(|jobs| {
            jobs.send(Box::new(move || {
                let _ = answer.send(job());
            }))
            .is_ok()
        });
        assert!(sent, "the namespace's thread has ended");
        result.recv().expect("the closure panicked")
    }

    /// Runs `ip` of iproute2 with words split at spaces.
    ///
    /// # Errors
    ///
    /// Where `ip` is missing or says no; its own words are in the error.
    pub fn ip(&self, words: &str) -> Result<(), Failure> {
        let tried = format!("ip {words}");
        let mut command = Command::new("ip");
        command.args(words.split_whitespace());
        let output = self.run(move || command.output()).map_err(|error| {
            Failure::new(tried.clone(), error, "install the Debian package iproute2")
        })?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::new(
            tried,
            String::from_utf8_lossy(&output.stderr).trim(),
            "run it as root on a kernel with veth and tap interfaces",
        ))
    }

    /// Makes a pair of linked interfaces, `here` in this namespace and `there` in the other.
    ///
    /// # Errors
    ///
    /// As [`Namespace::ip`].
    pub fn link(&self, here: &str, other: &Self, there: &str) -> Result<(), Failure> {
        let other = format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            other.handle.as_raw_fd()
        );
        self.ip(&format!(
            "link add {here} type veth peer name {there} netns {other}"
        ))
    }

    /// Starts a program in the namespace that is killed when the namespace's value is dropped or
    /// this process ends, in whatever way.
    ///
    /// # Errors
    ///
    /// As [`Command::spawn`] has them; a program that is not installed shows as its exit code 127.
    pub fn spawn<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
        set_up: impl FnOnce(&mut Command),
    ) -> std::io::Result<std::process::Child> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program]);
        command.args(arguments);
        set_up(&mut command);
        self.run(move || command.spawn())
    }

    /// Runs a program in the namespace to its end and gives what it printed.
    ///
    /// # Errors
    ///
    /// As [`Namespace::spawn`].
    pub fn output<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> std::io::Result<Output> {
        self.spawn(program, arguments, |command| {
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        })?
        .wait_with_output()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}
