//! A virtual machine under QEMU with a disk, powered on to boot from its network.
//!
//! The firmware is the real one: SeaBIOS with iPXE's option ROM, or OVMF with its own PXE and HTTP
//! stack. The machine's first serial line is its console.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::namespace::Namespace;
use crate::Failure;

/// What the console keeps of what the machine printed; earlier output is dropped.
const CONSOLE_CAP: usize = 4 << 20;

/// The firmware that a machine is powered on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS; QEMU's network ROM is iPXE, which asks as iPXE from the first packet.
    Bios,
    /// OVMF's own PXE stack, architecture 7 (RFC 4578): a program by TFTP.
    Uefi,
    /// OVMF's HTTP boot, architecture 16: a program by URL.
    UefiHttp,
    /// As [`Self::Uefi`], with Microsoft's keys enrolled and Secure Boot enforced.
    UefiSecureBoot,
}

/// A build of OVMF: its code, and the variables that a machine starts with.
struct Ovmf {
    code: &'static str,
    variables: &'static str,
}

/// A program or file that the lab needs and this machine lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not here; install the Debian package {package}")]
pub struct Missing {
    /// The program or file.
    pub what: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
}

/// A machine as it is to be powered on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its firmware.
    pub firmware: Firmware,
    /// The MAC address of the network card that it boots from, as `52:54:00:12:34:56`.
    pub mac: String,
    /// The tap interface that the card is plugged into, in the namespace it is started in.
    pub tap: String,
    /// The other cards that it has, before that one on its bus: MAC address and tap interface.
    pub others: Vec<(String, String)>,
    /// Memory in MiB.
    pub memory_mib: u32,
}

/// The size of an empty disk in bytes.
const DISK_SIZE: u64 = 64 << 20;
const QEMU: &str = "/usr/bin/qemu-system-x86_64";
const OVMF: Ovmf = Ovmf {
    code: "/usr/share/OVMF/OVMF_CODE_4M.fd",
    variables: "/usr/share/OVMF/OVMF_VARS_4M.fd",
};
const OVMF_SECURE_BOOT: Ovmf = Ovmf {
    code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
    variables: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
};

impl Firmware {
    /// What it is of OVMF's; `None` where it is no UEFI.
    const fn ovmf(self) -> Option<Ovmf> {
        match self {
            Self::Bios => None,
            Self::Uefi | Self::UefiHttp => Some(OVMF),
            Self::UefiSecureBoot => Some(OVMF_SECURE_BOOT),
        }
    }

    /// QEMU's words for the board that it is on.
    const fn board(self) -> &'static [&'static str] {
        match self {
            Self::Bios => &["-machine", "pc,accel=tcg"],
            Self::Uefi => &["-machine", "q35,accel=tcg"],
            Self::UefiHttp => &[
                "-machine",
                "q35,accel=tcg",
                "-fw_cfg",
                "name=opt/org.tianocore/IPv4PXESupport,string=n",
            ],
            // This build's variables are only for its System Management Mode to write.
            Self::UefiSecureBoot => &[
                "-machine",
                "q35,smm=on,accel=tcg",
                "-global",
                "driver=cfi.pflash01,property=secure,value=on",
                "-global",
                "ICH9-LPC.disable_s3=1",
            ],
        }
    }
}

impl Machine {
    /// What this machine lacks for the firmware, all of it.
    pub fn missing(firmware: Firmware) -> Vec<Missing> {
        let firmware = match firmware.ovmf() {
            None => [
                ("/usr/lib/ipxe/qemu/pxe-virtio.rom", "ipxe-qemu"),
                ("/usr/share/seabios/bios-256k.bin", "seabios"),
            ],
            Some(ovmf) => [(ovmf.code, "ovmf"), (ovmf.variables, "ovmf")],
        };
        [(QEMU, "qemu-system-x86")]
            .into_iter()
            .chain(firmware)
            .filter(|(what, _)| !Path::new(what).exists())
            .map(|(what, package)| Missing { what, package })
            .collect()
    }

    /// Powers the machine on inside the namespace. `scratch` is a folder for its firmware's variables
    /// and its disk, and outlives the machine. The disk is the `disk.img` there, else an empty one.
    ///
    /// # Errors
    ///
    /// Where its files cannot be made, or QEMU cannot be started.
    pub fn power_on(&self, namespace: &Namespace, scratch: &Path) -> Result<Console, Failure> {
        let disk = scratch.join("disk.img");
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&disk)
            .and_then(|file| match file.metadata()?.len() {
                0 => file.set_len(DISK_SIZE),
                _ => Ok(()),
            })
            .map_err(|error| {
                Failure::new(
                    format!("making the disk {}", disk.display()),
                    error,
                    "make room in the temporary folder",
                )
            })?;
        let mut arguments: Vec<OsString> = [
            "-nographic",
            "-monitor",
            "none",
            "-serial",
            "stdio",
            "-no-reboot",
            "-m",
            &self.memory_mib.to_string(),
        ]
        .map(OsString::from)
        .into();
        let mut push = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        push(&[
            "-drive",
            &format!("file={},format=raw,if=none,id=d0", disk.display()),
            // OVMF looks at no device that is not in the boot order.
            "-device",
            "ide-hd,drive=d0,bootindex=2",
            "-netdev",
            &format!("tap,id=n0,ifname={},script=no,downscript=no", self.tap),
        ]);
        push(self.firmware.board());
        for (number, (mac, tap)) in self.others.iter().enumerate() {
            push(&[
                "-netdev",
                &format!("tap,id=other{number},ifname={tap},script=no,downscript=no"),
                "-device",
                &format!("virtio-net-pci,netdev=other{number},mac={mac},romfile="),
            ]);
        }
        match self.firmware.ovmf() {
            None => push(&[
                "-device",
                &format!("virtio-net-pci,netdev=n0,mac={},bootindex=1", self.mac),
            ]),
            Some(ovmf) => {
                let variables = ovmf.copy_variables(scratch)?;
                push(&[
                    "-drive",
                    &format!("if=pflash,format=raw,readonly=on,file={}", ovmf.code),
                    "-drive",
                    &format!("if=pflash,format=raw,file={}", variables.display()),
                    // Without the option ROM it is OVMF's own network stack that boots.
                    "-device",
                    &format!(
                        "virtio-net-pci,netdev=n0,mac={},romfile=,bootindex=1",
                        self.mac
                    ),
                ]);
                push(&["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"]);
            }
        }
        let child = namespace
            .spawn(QEMU, arguments, |command| {
                command
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::inherit());
            })
            .map_err(|error| {
                Failure::new(
                    format!("starting {QEMU}"),
                    error,
                    "install the Debian packages qemu-system-x86 and util-linux",
                )
            })?;
        Console::attach(child)
    }
}

impl Ovmf {
    fn copy_variables(&self, scratch: &Path) -> Result<PathBuf, Failure> {
        let variables = scratch.join("variables.fd");
        std::fs::copy(self.variables, &variables).map_err(|error| {
            Failure::new(
                format!("copying {} to {}", self.variables, variables.display()),
                error,
                "install the Debian package ovmf",
            )
        })?;
        Ok(variables)
    }
}

/// The serial console of a running machine; dropping it switches the machine off.
#[derive(Debug)]
pub struct Console {
    child: Mutex<Child>,
    keyboard: Mutex<ChildStdin>,
    screen: Arc<Screen>,
}

#[derive(Debug, Default)]
struct Screen {
    state: Mutex<Printed>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Printed {
    text: Vec<u8>,
    dropped: usize,
    off: bool,
}

impl Screen {
    fn lock(&self) -> MutexGuard<'_, Printed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Console {
    fn attach(mut child: Child) -> Result<Self, Failure> {
        let (Some(keyboard), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new(
                "reading the machine's console",
                "it has none",
                "report this as a defect",
            ));
        };
        let screen = Arc::new(Screen::default());
        let writer = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut chunk) {
                let mut printed = writer.lock();
                printed.text.extend(chunk.iter().take(length));
                if printed.text.len() > CONSOLE_CAP {
                    let excess = printed.text.len() - CONSOLE_CAP;
                    printed.text.drain(..excess);
                    printed.dropped += excess;
                }
                writer.changed.notify_all();
            }
            writer.lock().off = true;
            writer.changed.notify_all();
        });
        Ok(Self {
            child: Mutex::new(child),
            keyboard: Mutex::new(keyboard),
            screen,
        })
    }

    /// What the machine has printed so far, bytes that are no text replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().text).into_owned()
    }

    /// Waits until the machine prints something more than the first `seen` bytes, and gives it;
    /// `None` once it is off and all was given.
    #[must_use]
    pub fn more(&self, seen: usize) -> Option<Vec<u8>> {
        let mut printed = self.screen.lock();
        loop {
            let start = seen.saturating_sub(printed.dropped);
            if let Some(new) = printed.text.get(start..).filter(|new| !new.is_empty()) {
                return Some(new.to_vec());
            }
            if printed.off {
                return None;
            }
            printed = self
                .screen
                .changed
                .wait(printed)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until the machine has printed `wanted`, at most `patience`; false where it did not, or
    /// was switched off before.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a virtual machine runs in real time"
    )]
    pub fn wait_for(&self, wanted: &str, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut printed = self.screen.lock();
        loop {
            if contains(&printed.text, wanted.as_bytes()) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if printed.off || left.is_zero() {
                return false;
            }
            printed = self
                .screen
                .changed
                .wait_timeout(printed, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Types on the machine's keyboard.
    ///
    /// # Errors
    ///
    /// Where the machine is off.
    pub fn type_text(&self, text: &str) -> std::io::Result<()> {
        let mut keyboard = self.keyboard.lock().unwrap_or_else(PoisonError::into_inner);
        keyboard.write_all(text.as_bytes())?;
        keyboard.flush()
    }

    /// Switches the machine off, as pulling its plug does.
    pub fn power_off(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.power_off();
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len().max(1)).any(|part| part == wanted)
}
