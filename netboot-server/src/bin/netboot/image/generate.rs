//! `netboot image generate`: from NixOS configurations to images.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use netboot_image::{Generation, ImageName, Import, Progress, Source, Store, StoreError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Where, now, open_or_create, out, say};
use crate::nix::{self, NixError, Order, Roots};
use crate::process::{self, Reads};
use crate::{runtime, told_to_end};
use netboot_server::config::{self, Build, Image};
use netboot_server::{Chain, Failure};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The images: those of the configuration's `images` that say `nix` or `flake`, and
    /// configs/NAME.nix in the state folder
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Vec<ImageName>,
    /// Every image of the configuration that says `nix` or `flake`
    #[arg(long)]
    all: bool,
    /// How many are built at a time; Nix needs some GiB of memory for each
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Let Nix show where an error comes from
    #[arg(long)]
    show_trace: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (state, images) = match config::images(&arguments.at.config, &arguments.at.flags()) {
        Ok(found) => found,
        Err(problems) => {
            say(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    // Nix and the links that it makes need whole paths.
    let state = std::path::absolute(&state).unwrap_or(state);
    let orders = orders(arguments, &state, &images)?;
    process::enter(&state, Reads::WhatIsNamed)?;
    let store = open_or_create(state.join("http/images"))?;
    runtime()?.block_on(generate_all(arguments, orders, state, store))
}

/// One image, what it is built from, and what it is called.
struct Task {
    name: ImageName,
    order: Order,
    label: Option<String>,
}

fn orders(
    arguments: &Arguments,
    state: &Path,
    images: &BTreeMap<ImageName, Image>,
) -> Result<Vec<Task>, Failure> {
    let mut names = arguments.name.clone();
    if arguments.all {
        let built = images.iter().filter(|(_, image)| image.build.is_some());
        names.extend(built.map(|(name, _)| name.clone()));
        if names.is_empty() {
            return Err(Failure::new(
                "generating all images",
                "the configuration says for none what it is built from",
                "add images.NAME.nix or images.NAME.flake to it",
            ));
        }
    }
    names.sort_unstable();
    names.dedup();
    let task = |name: ImageName| {
        let image = images.get(&name);
        let order = match image.and_then(|image| image.build.as_ref()) {
            Some(Build::Nix(file)) => Order::File(state.join(file)),
            Some(Build::Flake(reference)) => Order::Flake(reference.clone()),
            None => Order::File(state.join("configs").join(format!("{name}.nix"))),
        };
        let label = image.and_then(|image| image.label.clone());
        Task { name, order, label }
    };
    Ok(names.into_iter().map(task).collect())
}

async fn generate_all(
    arguments: &Arguments,
    tasks: Vec<Task>,
    state: PathBuf,
    store: Store,
) -> Result<ExitCode, Failure> {
    let stop = CancellationToken::new();
    let told = told_to_end();
    let lines = MultiProgress::new();
    let width = tasks.iter().map(|task| task.name.as_str().len()).max();
    let generator = Arc::new(Generator {
        state,
        store,
        show_trace: arguments.show_trace,
        stop: stop.clone(),
        turns: Semaphore::new(arguments.jobs.into()),
    });
    let mut running = JoinSet::new();
    for task in tasks {
        let line = line(&lines, &task.name, width.unwrap_or(0));
        let generator = Arc::clone(&generator);
        running.spawn(async move {
            let done = generator.generate(&task, &line).await;
            line.finish_and_clear();
            (task.name, done)
        });
    }
    let ending = tokio::spawn(async move {
        told.await;
        stop.cancel();
    });
    let mut code = ExitCode::SUCCESS;
    while let Some(done) = running.join_next().await {
        let (name, done) =
            done.map_err(|error| Failure::new("generating images", error, "try it again"))?;
        match done {
            Ok(generation) => {
                lines.suspend(|| out(format_args!("{name} {generation} is in the store\n")))?;
            }
            Err(failed) => {
                code = ExitCode::FAILURE;
                lines.suspend(|| say(failed));
            }
        }
    }
    ending.abort();
    Ok(code)
}

fn line(lines: &MultiProgress, name: &ImageName, width: usize) -> ProgressBar {
    // Among the others before anything is drawn, else what is drawn first stays.
    let line = lines.add(ProgressBar::new_spinner());
    line.set_prefix(format!("{name:width$}"));
    // The text is a constant, and a line of another look is no reason to stop.
    line.set_style(
        ProgressStyle::with_template("{prefix}  {elapsed:>4}  {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    line.set_message("waiting");
    line.enable_steady_tick(Duration::from_millis(200));
    line
}

/// What an image's generation needs that is the same for all.
struct Generator {
    state: PathBuf,
    store: Store,
    show_trace: bool,
    stop: CancellationToken,
    turns: Semaphore,
}

/// A sentence and, below it, what Nix said last.
struct Failed {
    failure: Failure,
    last: Vec<String>,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "netboot: {}", self.failure)?;
        self.last
            .iter()
            .try_for_each(|line| writeln!(f, "  nix: {line}"))
    }
}

impl Failed {
    fn new(name: &ImageName, why: impl std::fmt::Display, cure: impl Into<String>) -> Self {
        Self {
            failure: Failure::new(format!("generating image {name}"), why, cure),
            last: Vec::new(),
        }
    }

    fn by_nix(name: &ImageName, error: &NixError) -> Self {
        Self {
            last: error.last().to_vec(),
            ..Self::new(name, Chain(error), error.cure())
        }
    }
}

impl Generator {
    async fn generate(
        self: &Arc<Self>,
        task: &Task,
        line: &ProgressBar,
    ) -> Result<Generation, Failed> {
        let name = &task.name;
        let by_nix = |error: NixError| Failed::by_nix(name, &error);
        // The semaphore is never closed.
        let turn = self.stop.run_until_cancelled(self.turns.acquire()).await;
        let Some(_turn) = turn else {
            return Err(by_nix(NixError::ToldToEnd));
        };
        line.reset_elapsed();
        let roots = Roots::lock(&self.state, name).map_err(by_nix)?;
        let root = roots.another().map_err(by_nix)?;
        let out_link = root.out_link();
        let tell = |stage: nix::Stage| line.set_message(stage.to_string());
        nix::build(&task.order, self.show_trace, &out_link, &self.stop, tell)
            .await
            .map_err(by_nix)?;
        let (this, task_name, label) = (Arc::clone(self), name.clone(), task.label.clone());
        let from = match &task.order {
            Order::File(file) => file.display().to_string(),
            Order::Flake(reference) => reference.clone(),
        };
        let (line, stop) = (line.clone(), self.stop.clone());
        let publishing = tokio::task::spawn_blocking(move || {
            let progress = &mut |progress: Progress<'_>| {
                if let Progress::Copied { file, .. } = progress {
                    line.set_message(format!("copying {file}"));
                }
                match stop.is_cancelled() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let generation = this.publish(&task_name, &root, label, from, progress)?;
            // Without its root the image boots all the same; only the next build is slower once Nix
            // collected garbage.
            if let Err(error) = root.keep(generation) {
                say(format_args!(
                    "netboot: {task_name}: no root: {}\n",
                    Chain(&error)
                ));
            }
            roots.let_go(&this.store, &task_name);
            Ok(generation)
        });
        publishing
            .await
            .unwrap_or_else(|error| Err(Failed::new(name, error, "generate it again")))
    }

    /// Imports what was built as the next generation.
    fn publish(
        &self,
        name: &ImageName,
        root: &nix::Root,
        label: Option<String>,
        from: String,
        progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Generation, Failed> {
        let found = Import::find(root.results()).map_err(|error| {
            let cure = "see that it imports nixpkgs' installer/netboot/netboot.nix";
            Failed::new(name, Chain(&error), cure)
        })?;
        let built = std::iter::once(&found.kernel)
            .chain(&found.initrds)
            .chain(&found.script);
        let built = built.map(|path| path.display().to_string());
        let image = found.image(name.clone()).source(Source::new(
            "netboot image generate",
            std::iter::once(from).chain(built),
        ));
        let image = match label {
            Some(label) => image.label(label),
            None => image,
        };
        let published = self.store.publish_with(now(), image, progress);
        let published = published.map_err(|error| {
            let cure = match error {
                StoreError::Full { .. } => "make room there, and generate it again",
                StoreError::Manifest { .. }
                | StoreError::Kernel { .. }
                | StoreError::Initrd { .. } => "correct the configuration, and generate it again",
                StoreError::Cancelled => "generate it again",
                StoreError::Unsettled { .. } => "look after the disk, and verify the image",
                _ => "mend that and generate it again; the store is as it was before",
            };
            Failed::new(name, Chain(&error), cure)
        })?;
        Ok(published.manifest.generation())
    }
}
