//! A virtual machine under QEMU with a disk, powered on to boot from its network.
//!
//! The firmware is the real one: SeaBIOS with iPXE's option ROM, or EDK2's with its own PXE and
//! HTTP stack. The machine's first serial line is its console.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::namespace::Namespace;
use crate::Failure;
use crate::config::platform::Platform;

/// What the console keeps of what the machine printed; earlier output is dropped.
const CONSOLE_CAP: usize = 4 << 20;

/// The firmware that a machine is powered on with, and the board that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firmware {
    /// What it runs programs for.
    pub platform: Platform,
    /// The emulator.
    pub qemu: Part,
    /// QEMU's words for the board.
    pub board: &'static [&'static str],
    /// The board's name for a disk of QEMU's.
    pub disk: &'static str,
    /// Its code.
    pub code: Code,
    /// The folder of QEMU's option ROMs, of which the network card has its own; without one it is
    /// the firmware's own network stack that boots.
    pub roms: Option<Part>,
    /// Whether its own network stack boots by PXE, before it would boot by HTTP.
    pub pxe: bool,
    /// Linux's name for the board's first serial line.
    pub serial: &'static str,
}

/// Where the code of a firmware is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// In a read-only memory.
    Rom(Part),
    /// In flash memory, beside the variables that a machine starts with.
    Flash {
        /// The code.
        code: Part,
        /// The variables.
        variables: Part,
    },
}

/// A program or file that the lab needs. As an error: this machine lacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{path} is not here; {cure}")]
pub struct Part {
    /// Where it is.
    pub path: &'static str,
    /// What brings it.
    pub cure: &'static str,
}

/// A machine as it is to be powered on.
#[derive(Debug, Clone)]
pub struct VirtualMachine {
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

const QEMU_X86: Part = Part {
    path: "/usr/bin/qemu-system-x86_64",
    cure: "install the Debian package qemu-system-x86",
};
const QEMU_ARM: Part = Part {
    path: "/usr/bin/qemu-system-aarch64",
    cure: "install the Debian package qemu-system-arm",
};

const fn ovmf(path: &'static str) -> Part {
    Part {
        path,
        cure: "install the Debian package ovmf",
    }
}

const fn aavmf(path: &'static str) -> Part {
    Part {
        path,
        cure: "install the Debian package qemu-efi-aarch64",
    }
}

impl Firmware {
    /// SeaBIOS; QEMU's network ROM is iPXE, which asks as iPXE from the first packet.
    pub const BIOS: Self = Self {
        platform: Platform::Bios,
        qemu: QEMU_X86,
        board: &["-machine", "pc,accel=tcg"],
        disk: "ide-hd",
        code: Code::Rom(Part {
            path: "/usr/share/seabios/bios-256k.bin",
            cure: "install the Debian package seabios",
        }),
        roms: Some(Part {
            path: "/usr/lib/ipxe/qemu",
            cure: "install the Debian package ipxe-qemu",
        }),
        pxe: true,
        serial: "ttyS0",
    };

    /// OVMF with its own PXE stack, architecture 7 (RFC 4578): a program by TFTP.
    pub const UEFI: Self = Self {
        platform: Platform::X64,
        board: &["-machine", "q35,accel=tcg"],
        code: Code::Flash {
            code: ovmf("/usr/share/OVMF/OVMF_CODE_4M.fd"),
            variables: ovmf("/usr/share/OVMF/OVMF_VARS_4M.fd"),
        },
        roms: None,
        ..Self::BIOS
    };

    /// As [`Self::UEFI`], with Microsoft's keys enrolled and Secure Boot enforced.
    pub const UEFI_SECURE_BOOT: Self = Self {
        // This build's variables are only for its System Management Mode to write.
        board: &[
            "-machine",
            "q35,smm=on,accel=tcg",
            "-global",
            "driver=cfi.pflash01,property=secure,value=on",
            "-global",
            "ICH9-LPC.disable_s3=1",
        ],
        code: Code::Flash {
            code: ovmf("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"),
            variables: ovmf("/usr/share/OVMF/OVMF_VARS_4M.ms.fd"),
        },
        ..Self::UEFI
    };

    /// EDK2's firmware for QEMU's ARM board, architecture 11.
    pub const ARM64: Self = Self {
        platform: Platform::Arm64,
        qemu: QEMU_ARM,
        board: &["-machine", "virt,accel=tcg", "-cpu", "cortex-a57"],
        disk: "virtio-blk-pci",
        code: Code::Flash {
            code: aavmf("/usr/share/AAVMF/AAVMF_CODE.fd"),
            variables: aavmf("/usr/share/AAVMF/AAVMF_VARS.fd"),
        },
        serial: "ttyAMA0",
        ..Self::UEFI
    };

    /// The same firmware, by UEFI's HTTP boot: a program by URL.
    #[must_use]
    pub const fn by_http(self) -> Self {
        Self { pxe: false, ..self }
    }

    /// All that it needs.
    fn parts(&self) -> impl Iterator<Item = Part> {
        let code = match self.code {
            Code::Rom(code) => [Some(code), None],
            Code::Flash { code, variables } => [Some(code), Some(variables)],
        };
        let others = [Some(self.qemu), self.roms];
        others.into_iter().chain(code).flatten()
    }
}

impl VirtualMachine {
    /// What this machine lacks for the firmware, all of it.
    pub fn missing(firmware: Firmware) -> Vec<Part> {
        let parts = firmware.parts();
        parts
            .filter(|part| !Path::new(part.path).exists())
            .collect()
    }

    /// Powers the machine on inside the namespace. `scratch` is a folder for its firmware's
    /// variables and its disk, and outlives the machine. The disk is the `disk.img` there, else an
    /// empty one.
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
            // UEFI looks at no device that is not in the boot order.
            "-device",
            &format!("{},drive=d0,bootindex=2", self.firmware.disk),
        ]);
        push(self.firmware.board);
        for (number, (mac, tap)) in self.others.iter().enumerate() {
            push(&[
                "-netdev",
                &format!("tap,id=other{number},ifname={tap},script=no,downscript=no"),
                "-device",
                &format!("virtio-net-pci,netdev=other{number},mac={mac},romfile="),
            ]);
        }
        push(&[
            "-netdev",
            &format!("tap,id=n0,ifname={},script=no,downscript=no", self.tap),
            "-device",
            &format!(
                "virtio-net-pci,netdev=n0,mac={},bootindex=1{}",
                self.mac,
                self.firmware.roms.map_or(",romfile=", |_| "")
            ),
        ]);
        // A ROM that is named by its path would not be made to fit the card.
        if let Some(roms) = self.firmware.roms {
            push(&["-L", roms.path]);
        }
        match self.firmware.code {
            Code::Rom(code) => push(&["-bios", code.path]),
            Code::Flash { code, variables } => {
                let variables = copy_variables(variables, scratch)?;
                push(&[
                    "-drive",
                    &format!("if=pflash,format=raw,readonly=on,file={}", code.path),
                    "-drive",
                    &format!("if=pflash,format=raw,file={}", variables.display()),
                ]);
                push(&["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"]);
                // EDK2 since 2024 has no network where it has no random numbers.
                push(&["-device", "virtio-rng-pci"]);
            }
        }
        if !self.firmware.pxe {
            push(&["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n"]);
        }
        let child = namespace
            .spawn(self.firmware.qemu.path, arguments, |command| {
                command
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::inherit());
            })
            .map_err(|error| {
                Failure::new(
                    format!("starting {}", self.firmware.qemu.path),
                    error,
                    self.firmware.qemu.cure,
                )
            })?;
        Console::attach(child)
    }
}

fn copy_variables(variables: Part, scratch: &Path) -> Result<PathBuf, Failure> {
    let own = scratch.join("variables.fd");
    std::fs::copy(variables.path, &own).map_err(|error| {
        Failure::new(
            format!("copying {} to {}", variables.path, own.display()),
            error,
            variables.cure,
        )
    })?;
    Ok(own)
}

/// The serial console of a running machine; dropping it switches the machine off.
#[derive(Debug)]
pub struct Console {
    powered_on: Instant,
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
    #[expect(
        clippy::disallowed_methods,
        reason = "a virtual machine runs in real time"
    )]
    fn attach(mut child: Child) -> Result<Self, Failure> {
        let powered_on = Instant::now();
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
            powered_on,
            child: Mutex::new(child),
            keyboard: Mutex::new(keyboard),
            screen,
        })
    }

    /// For how long the machine has been on.
    #[must_use]
    pub fn on_for(&self) -> Duration {
        self.powered_on.elapsed()
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
