//! Says what is wrong with iPXE scripts.
//!
//! `cargo run -p netboot-examples --bin ipxe_lint -- --efi --debian-12 boot.ipxe`

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use netboot_ipxe::lint::{Build, Finding, Platform, Severity, lint};
use serde::Serialize;

#[derive(Serialize)]
struct InFile<'a> {
    file: &'a str,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// Say what is wrong with iPXE scripts. Ends with 1 where there is an error, with 2 where a file
/// cannot be read.
#[derive(Debug, Parser)]
struct Arguments {
    /// Scripts to read.
    #[arg(required = true)]
    files: Vec<String>,
    /// Print each finding as a line of JSON.
    #[arg(long)]
    json: bool,
    /// The scripts run under UEFI.
    #[arg(long, conflicts_with = "bios")]
    efi: bool,
    /// The scripts run under BIOS.
    #[arg(long)]
    bios: bool,
    /// Debian 12's build of iPXE runs them; where no build is named, one of everything does.
    #[arg(long, group = "build")]
    debian_12: bool,
    /// Debian 13's build of iPXE runs them.
    #[arg(long, group = "build")]
    debian_13: bool,
    /// A build in iPXE's default configuration runs them.
    #[arg(long, group = "build")]
    default: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let build = match arguments {
        Arguments {
            debian_12: true, ..
        } => Build::debian_12(),
        Arguments {
            debian_13: true, ..
        } => Build::debian_13(),
        Arguments { default: true, .. } => Build::default_2026(),
        _ => Build::everything(),
    };
    let platform = match (arguments.efi, arguments.bios) {
        (true, _) => Platform::Efi,
        (_, true) => Platform::Bios,
        _ => Platform::Any,
    };
    let mut worst = ExitCode::SUCCESS;
    for file in &arguments.files {
        let source = match std::fs::read(file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                eprintln!("ipxe_lint: reading {file}: {error}");
                return ExitCode::from(2);
            }
        };
        for finding in lint(&source, &build, platform) {
            if finding.severity == Severity::Error {
                worst = ExitCode::FAILURE;
            }
            let shown = if arguments.json {
                let finding = &finding;
                serde_json::to_string(&InFile { file, finding }).unwrap_or_default()
            } else {
                format!("{file}:{finding}")
            };
            match writeln!(io::stdout(), "{shown}") {
                // Nobody reads on, as behind `| head`.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return worst,
                Err(error) => {
                    eprintln!("ipxe_lint: writing what was found: {error}");
                    return ExitCode::from(2);
                }
                Ok(()) => {}
            }
        }
    }
    worst
}
