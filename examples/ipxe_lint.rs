//! Says what is wrong with iPXE scripts: `ipxe_lint [--json] [--efi | --bios] [--debian-12 |
//! --debian-13 | --default] FILE…`. Ends with 1 where there is an error, with 2 where a file cannot be read.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use netboot_ipxe::lint::{Build, Finding, Platform, Severity, lint};
use serde::Serialize;

#[derive(Serialize)]
struct InFile<'a> {
    file: &'a str,
    #[serde(flatten)]
    finding: &'a Finding,
}

fn main() -> ExitCode {
    let mut build = Build::everything();
    let mut platform = Platform::Any;
    let mut json = false;
    let mut files = Vec::new();
    for arg in std::env::args().skip(1) {
        match arg.as_str() {
            "--json" => json = true,
            "--efi" => platform = Platform::Efi,
            "--bios" => platform = Platform::Bios,
            "--debian-12" => build = Build::debian_12(),
            "--debian-13" => build = Build::debian_13(),
            "--default" => build = Build::default_2026(),
            option if option.starts_with('-') => {
                eprintln!("ipxe_lint: there is no option {option}");
                return ExitCode::from(2);
            }
            _ => files.push(arg),
        }
    }
    if files.is_empty() {
        eprintln!("ipxe_lint: no file given");
        return ExitCode::from(2);
    }
    let mut worst = ExitCode::SUCCESS;
    for file in &files {
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
            let shown = if json {
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
