//! `netboot demo`: the whole chain on this machine, with a simulated or a virtual machine.

mod image;
mod simulated;
mod vm;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::told_to_end;
use netboot_server::Failure;
use netboot_server::lab;

/// What `netboot demo` is asked.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Boot a virtual machine with this firmware, in a network namespace; needs root and QEMU
    #[arg(long, value_name = "FIRMWARE", num_args = 0..=1, default_missing_value = "bios")]
    vm: Option<Firmware>,
    /// The kernel that the virtual machine boots [default: that of the Debian package
    /// debian-installer-12-netboot-amd64]
    #[arg(long, requires = "vm", requires = "initrd")]
    kernel: Option<PathBuf>,
    /// Its initial RAM disk
    #[arg(long, requires = "vm", requires = "kernel")]
    initrd: Option<PathBuf>,
    /// Its command line [default: console=ttyS0, and a shell in Debian's initial RAM disk]
    #[arg(long, requires = "vm", allow_hyphen_values = true)]
    cmdline: Option<String>,
    /// Switch the virtual machine off when its console has shown this
    #[arg(long, requires = "vm", value_name = "TEXT")]
    until: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Firmware {
    /// SeaBIOS with iPXE in the network card's ROM
    Bios,
    /// OVMF, which loads iPXE by TFTP
    Uefi,
    /// OVMF, which loads iPXE by HTTP
    UefiHttp,
}

impl From<Firmware> for lab::Firmware {
    fn from(firmware: Firmware) -> Self {
        match firmware {
            Firmware::Bios => Self::BIOS,
            Firmware::Uefi => Self::UEFI,
            Firmware::UefiHttp => Self::UEFI.by_http(),
        }
    }
}

/// Runs the demo.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match arguments.vm {
        None => simulated::run()?,
        Some(firmware) => vm::run(firmware.into(), arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn scratch() -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("netboot-demo-")
        .tempdir()
        .map_err(|error| {
            Failure::new(
                "making a temporary folder",
                error,
                "make room in it, or name another with TMPDIR",
            )
        })
}

/// Comes when the demo is told to end; the signals are caught from the call on. Needs a runtime.
fn interrupted() -> impl Future<Output = Failure> {
    let told = told_to_end();
    async {
        told.await;
        Failure::new("the demo", "interrupted", "nothing was left behind")
    }
}
