//! Takes what `nix-build` or Debian left in a directory into a store, and says what was published.
//!
//! ```text
//! cargo run -p netboot-examples --bin image_import -- \
//!     /usr/lib/debian-installer/images/12/amd64/text --store /tmp/images --name debian-12
//! ```
//!
//! The name is that of the directory unless another is given.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use netboot_image::{Import, Progress, Store};

const USAGE: &str = "usage: image_import DIR --store DIR [--name NAME]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image_import: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                eprintln!("  because: {inner}");
                cause = inner.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut dir, mut store, mut name) = (None, None, None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--store") => store = arguments.next().map(PathBuf::from),
            Some("--name") => name = arguments.next().and_then(|name| name.into_string().ok()),
            _ => dir = Some(PathBuf::from(argument)),
        }
    }
    let (Some(dir), Some(store)) = (dir, store) else {
        return Err(USAGE.into());
    };
    let own_name = || Some(dir.file_name()?.to_str()?.to_owned());
    let name = name.or_else(own_name).ok_or(USAGE)?.parse()?;

    let import = Import::find([&dir])?;
    let visible = io::stderr().is_terminal();
    #[expect(
        clippy::disallowed_methods,
        reason = "the program is where the time comes from"
    )]
    let now = SystemTime::now();
    let published = Store::create(store)?.publish(now, import.image(name), &mut |progress| {
        if let (
            true,
            Progress::Copied {
                file,
                done,
                total: Some(total),
            },
        ) = (visible, progress)
        {
            eprint!("\r{file}: {} %   ", done.saturating_mul(100) / total.max(1));
        }
        ControlFlow::Continue(())
    })?;

    let manifest = published.manifest;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} {} for {}",
        manifest.name(),
        manifest.generation(),
        manifest
            .architecture()
            .map_or("any processor", |it| it.as_str())
    )?;
    for file in manifest.files() {
        writeln!(
            out,
            "  {} {} bytes, {}",
            file.name(),
            file.size(),
            file.digest()
        )?;
    }
    writeln!(out, "  {}", import.cmdline.join(" "))?;
    Ok(())
}
