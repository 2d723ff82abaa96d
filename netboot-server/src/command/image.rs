//! `netboot image`: what is in the store, and putting something there.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use netboot_image::{ImageName, NewImage, Progress, Source, Store, StoreError};

use super::{Where, out, say};
use crate::failure::{Chain, Failure};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Put a kernel and its initial RAM disks into the store, as the next generation of NAME
    Add {
        /// The image's name: letters, digits, `-`, `_` and `.`
        name: ImageName,
        /// The kernel
        #[arg(long, value_name = "FILE")]
        kernel: PathBuf,
        /// An initial RAM disk; may be given several times, in order
        #[arg(long, value_name = "FILE", required = true)]
        initrd: Vec<PathBuf>,
        /// The kernel's command line, split at spaces
        #[arg(long, default_value = "", allow_hyphen_values = true)]
        cmdline: String,
        /// What the menu calls it
        #[arg(long)]
        label: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// List the images
    List {
        #[command(flatten)]
        at: Where,
    },
    /// Read every file of the images and compare it with its digest
    Verify {
        /// Only these images
        name: Vec<ImageName>,
        #[command(flatten)]
        at: Where,
    },
}

pub(super) fn run(action: &Action) -> Result<ExitCode, Failure> {
    match action {
        Action::Add {
            name,
            kernel,
            initrd,
            cmdline,
            label,
            at,
        } => {
            let mut image = NewImage::linux(name.clone(), kernel)
                .cmdline(cmdline.split_whitespace())
                .source(Source::new(
                    "netboot image add",
                    std::iter::once(kernel)
                        .chain(initrd)
                        .map(|path| path.display().to_string()),
                ));
            for initrd in initrd {
                image = image.initrd(initrd);
            }
            if let Some(label) = label {
                image = image.label(label);
            }
            with_state(at, |dir| add(dir, name, image))
        }
        Action::List { at } => with_state(at, list),
        Action::Verify { name, at } => with_state(at, |dir| verify(dir, name)),
    }
}

fn with_state(
    at: &Where,
    act: impl FnOnce(PathBuf) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    match at.state_dir_or_say() {
        Ok(state) => act(state.join("http/images")),
        Err(code) => Ok(code),
    }
}

fn failed(tried: String, cure: &str) -> impl FnOnce(StoreError) -> Failure {
    move |error| Failure::new(tried, Chain(&error), cure)
}

fn open(dir: PathBuf) -> Result<Store, Failure> {
    let tried = format!("opening the image store {}", dir.display());
    Store::open(dir).map_err(failed(
        tried,
        "name its state folder with --state-dir or --config, or add an image first",
    ))
}

fn add(dir: PathBuf, name: &ImageName, image: NewImage) -> Result<ExitCode, Failure> {
    let tried = format!("opening the image store {}", dir.display());
    let store = Store::create(dir).map_err(failed(
        tried,
        "run it as the user that owns the folder, or name another with --state-dir",
    ))?;
    let mut line = ProgressLine::default();
    let published = store.publish(
        std::time::UNIX_EPOCH + now_since_epoch(),
        image,
        &mut |progress| {
            if let Progress::Copied { file, done, total } = progress {
                line.show(file, done, total);
            }
            ControlFlow::Continue(())
        },
    );
    line.clear();
    let published = published.map_err(failed(
        format!("adding image {name}"),
        "mend that and add it again; the store is as it was before",
    ))?;
    let manifest = &published.manifest;
    out(format_args!(
        "{name} {} is in the store:\n",
        manifest.generation()
    ))?;
    for file in manifest.files() {
        out(format_args!(
            "  {}  {} bytes  {}\n",
            file.name(),
            file.size(),
            file.digest()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn now_since_epoch() -> std::time::Duration {
    jiff::Timestamp::now()
        .as_duration()
        .try_into()
        .unwrap_or_default()
}

fn list(dir: PathBuf) -> Result<ExitCode, Failure> {
    let shown = dir.display().to_string();
    let listing = open(dir)?.list().map_err(failed(
        format!("reading the image store {shown}"),
        "let this user read it",
    ))?;
    for manifest in &listing.images {
        let bytes: u64 = manifest.files().map(|file| file.size()).sum();
        out(format_args!(
            "{} {}  {}  {bytes} bytes  {}\n",
            manifest.name(),
            manifest.generation(),
            manifest.architecture().map_or("any", |it| it.as_str()),
            manifest.label()
        ))?;
    }
    for problem in &listing.problems {
        say(format_args!(
            "netboot: {} cannot be used: {}\n",
            problem.name,
            Chain(&problem.error)
        ));
    }
    Ok(if listing.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn verify(dir: PathBuf, names: &[ImageName]) -> Result<ExitCode, Failure> {
    let store = open(dir)?;
    let go_on = |_: netboot_image::Verifying<'_>| ControlFlow::Continue(());
    let reports = if names.is_empty() {
        store.verify_all(&go_on)
    } else {
        let verify = |name| store.verify(name, None, &go_on);
        names.iter().map(verify).collect()
    }
    .map_err(failed(
        "verifying the images".into(),
        "`netboot image list` shows what there is",
    ))?;
    let mut whole = true;
    for report in &reports {
        if report.is_whole() {
            out(format_args!(
                "{}: {} files, {} bytes: whole\n",
                report.name, report.files, report.bytes
            ))?;
            continue;
        }
        whole = false;
        for damage in &report.damage {
            out(format_args!("{}: {}\n", report.name, Chain(damage)))?;
        }
    }
    if !whole {
        say("netboot: damaged; add these images again from a good copy\n");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// One line that is written over and over, only on a terminal.
#[derive(Default)]
struct ProgressLine {
    shown: bool,
    last_mib: u64,
}

impl ProgressLine {
    fn show(&mut self, file: &str, done: u64, total: Option<u64>) {
        let mib = done >> 20;
        if mib == self.last_mib || !std::io::stderr().is_terminal() {
            return;
        }
        self.last_mib = mib;
        self.shown = true;
        let of = total
            .map(|total| format!(" of {}", total >> 20))
            .unwrap_or_default();
        say(format_args!("\r\x1b[K{file}: {mib}{of} MiB"));
    }

    fn clear(&self) {
        if self.shown {
            say("\r\x1b[K");
        }
    }
}
