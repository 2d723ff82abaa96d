//! A machine that runs a script: an `ipxe.lkrn` in QEMU, without a network.

use std::{
    io::{Read as _, Write as _},
    path::PathBuf,
    process::{self, Child, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

/// Longer than any script here runs; only so that a hang ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of the `ipxe.lkrn` that is run, where it is another than that of Debian's package.
const FOLDER: &str = "NETBOOT_IPXE";

/// A machine whose console is being read.
pub(crate) struct Machine {
    child: Child,
    console: Receiver<Vec<u8>>,
    seen: String,
    /// How much of `seen` has been waited for.
    at: usize,
    script: PathBuf,
}

impl Machine {
    pub(crate) fn start(name: &str, text: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.ipxe"));
        std::fs::write(&path, text).expect("the script is written");
        let folder = std::env::var_os(FOLDER).map_or("/usr/lib/ipxe".into(), PathBuf::from);
        let mut child = process::Command::new("qemu-system-x86_64")
            .args(["-nographic", "-nic", "none", "-no-reboot", "-m", "128"])
            .args(["-machine", "graphics=off", "-kernel"])
            .arg(folder.join("ipxe.lkrn"))
            .arg("-initrd")
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-system-x86_64 starts");
        let mut stdout = child.stdout.take().expect("its output is a pipe");
        let (send, console) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = stdout.read(&mut buffer) {
                if send.send(buffer[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            console,
            seen: String::new(),
            at: 0,
            script: path,
        }
    }

    /// Waits until the console has shown `text`, after what was waited for before.
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            let plain = plain(&self.seen);
            if let Some(found) = plain.get(self.at..).and_then(|rest| rest.find(text)) {
                self.at += found + text.len();
                return;
            }
            match self.console.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!(
                    "no {text:?} ({error}) in:\n{}",
                    plain.get(self.at..).unwrap_or("")
                ),
            }
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        let stdin = self.child.stdin.as_mut().expect("its input is a pipe");
        stdin
            .write_all(keys.as_bytes())
            .and_then(|()| stdin.flush())
            .expect("it takes keys");
    }

    /// Everything until the machine is switched off.
    pub(crate) fn finish(mut self) -> String {
        while let Ok(bytes) = self.console.recv_timeout(PATIENCE) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        plain(&self.seen)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.script);
    }
}

/// The console without escape sequences and carriage returns.
fn plain(console: &str) -> String {
    let mut out = String::new();
    let mut chars = console.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                let sequence = chars.next() == Some('[');
                while sequence && chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
            }
            '\r' => {}
            c => out.push(c),
        }
    }
    out
}
