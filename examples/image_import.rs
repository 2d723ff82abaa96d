//! Takes what `nix-build` or Debian left in a directory into a store, and says what was published.
//!
//! ```text
//! cargo run -p netboot-examples --bin image_import -- \
//!     /usr/lib/debian-installer/images/12/amd64/text --store /tmp/images --name debian-12
//! ```

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser;
use netboot_image::{ImageName, Import, Progress, Store};

/// Takes what `nix-build` or Debian left in a directory into a store.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where kernel, initial RAM disk and script are
    dir: PathBuf,
    /// The store; it is made where there is none
    #[arg(long)]
    store: PathBuf,
    /// The image's name; that of the directory by default
    #[arg(long)]
    name: Option<ImageName>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[expect(
        clippy::disallowed_methods,
        reason = "the program is where the time comes from"
    )]
    let now = SystemTime::now();
    match import(now, &arguments, &mut io::stdout().lock()) {
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

fn import(
    now: SystemTime,
    arguments: &Arguments,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let Arguments { dir, store, name } = arguments;
    let name = match name {
        Some(name) => name.clone(),
        None => std::path::absolute(dir)?
            .file_name()
            .ok_or("this directory has no name: give one with --name")?
            .to_string_lossy()
            .parse()
            .map_err(|error| format!("{error}; give another one with --name"))?,
    };
    let import = Import::find([dir])?;
    let visible = io::stderr().is_terminal();
    let published =
        Store::create(store)?.publish_with(now, import.image(name), &mut |progress| {
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
    if visible {
        eprintln!();
    }

    let manifest = published.manifest;
    let processor = manifest.architecture();
    writeln!(
        out,
        "{} {} for {}",
        manifest.name(),
        manifest.generation(),
        processor.map_or("any processor", |it| it.as_str())
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
    if !import.cmdline.is_empty() {
        writeln!(out, "  {}", import.cmdline.join(" "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// `image_import DIR --store images` with more words, run in a folder.
    fn run(folder: &std::path::Path, dir: &str, more: &[&str]) -> Result<String, String> {
        let store = folder.join("images").into_os_string();
        let words = [
            "image_import".into(),
            folder.join(dir).into_os_string(),
            "--store".into(),
            store,
        ];
        let words = words.into_iter().chain(more.iter().map(Into::into));
        let arguments = Arguments::try_parse_from(words).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        import(SystemTime::UNIX_EPOCH, &arguments, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn what_nix_leaves_is_published_under_the_directorys_name_or_another() {
        let folder = std::env::temp_dir().join(format!("image_import-{}", std::process::id()));
        let build = folder.join("proxmox-host");
        fs::create_dir_all(&build).expect("a directory");
        // Sectors of an arm64 Image: "ARM\x64" at 56 is all that its header must have.
        let mut kernel = [0; 64];
        kernel[56..60].copy_from_slice(b"ARM\x64");
        fs::write(build.join("Image"), kernel).expect("a file");
        fs::write(build.join("initrd"), "abc").expect("a file");
        let script = "#!ipxe\nkernel Image init=/nix/store/0-nixos/init initrd=initrd quiet \
                      ${cmdline}\n\
                      initrd initrd\nboot\n";
        fs::write(build.join("netboot.ipxe"), script).expect("a file");

        let said = run(&folder, "proxmox-host", &[]).expect("published");
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines[0], "proxmox-host @1 for arm64");
        assert!(lines[1].starts_with("  Image 64 bytes, sha256:"), "{said}");
        // FIPS 180-4's example.
        assert_eq!(
            lines[2],
            "  initrd 3 bytes, \
             sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(lines[3..], ["  init=/nix/store/0-nixos/init quiet"]);
        let again = run(&folder, "proxmox-host/.", &["--name", "node"]).expect("published");
        assert!(again.starts_with("node @1 "), "{again}");
        for file in ["proxmox-host/manifest.json", "node/initrd"] {
            assert!(folder.join("images").join(file).is_file(), "{file}");
        }

        let refused = run(&folder, "images", &[]).expect_err("no image");
        assert!(refused.starts_with("no kernel in "), "{refused}");
        let refused = run(&folder, "proxmox-host", &["--name", "../etc"]).expect_err("no name");
        assert!(refused.contains("--name"), "{refused}");
        fs::remove_dir_all(&folder).expect("removed");
    }
}
