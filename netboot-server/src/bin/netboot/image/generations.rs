//! `netboot image rollback` and `netboot image prune`.

use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use netboot_image::{Generation, ImageName, Keep, Store, StoreError};

use super::{Where, failed, now, one_line, open, out, say, taking_out, with_state};
use crate::bar::Bar;
use crate::nix;
use crate::process::Reads;
use netboot_server::{Chain, Failure, state_dir};

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The image
    name: ImageName,
    /// The generation to go back to, or forward again [default: the one before the current one]
    #[arg(long, value_name = "GENERATION")]
    to: Option<Generation>,
    /// Go there even where its files are damaged
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Only these images
    name: Vec<ImageName>,
    /// How many of the newest generations stay, the current one counted where it is among them. The
    /// current one stays in any case, and so does what was published, current or in a boot script
    /// within a day
    #[arg(long, value_name = "N", default_value_t = Keep::default().newest)]
    keep: usize,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) fn roll_back(arguments: &Rollback) -> Result<ExitCode, Failure> {
    let name = &arguments.name;
    with_state(&arguments.at, Reads::NothingElse, |dir| {
        let store = open(dir)?;
        let wrong = || {
            failed(
                format!("rolling back image {name}"),
                "`netboot image list --generations` shows what there is",
            )
        };
        let to = match arguments.to {
            Some(to) => to,
            None => before(&store, name).map_err(wrong())?.ok_or_else(|| {
                Failure::new(
                    format!("rolling back image {name}"),
                    "no generation before the current one is in the store",
                    "name one with --to; `netboot image list --generations` shows what there is",
                )
            })?,
        };
        if !arguments.force {
            refuse_damaged(&store, name, to)?;
        }
        store.roll_back(now(), name, to).map_err(wrong())?;
        out(format_args!("{name} {to} is current\n"))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Reads a generation before machines get it: what is damaged boots none of them.
fn refuse_damaged(store: &Store, name: &ImageName, to: Generation) -> Result<(), Failure> {
    let tried = format!("rolling back image {name}");
    let bar = Bar::new();
    let report = store.verify_with(name, Some(to), &|at| {
        bar.show_verifying(at);
        ControlFlow::Continue(())
    });
    drop(bar);
    let report = report.map_err(failed(
        tried.clone(),
        "`netboot image list --generations` shows what there is",
    ))?;
    match report.damage.as_slice() {
        [] => Ok(()),
        damage => {
            let damage: Vec<_> = damage.iter().map(|it| one_line(Chain(it))).collect();
            Err(Failure::new(
                tried,
                format!("generation {to} is damaged: {}", damage.join("; ")),
                format!(
                    "`netboot image verify {name}` says which generations are whole: name one \
                     with --to, or go to this one all the same with --force"
                ),
            ))
        }
    }
}

/// The newest generation before the current one; where none is current, the newest of all.
fn before(store: &Store, name: &ImageName) -> Result<Option<Generation>, StoreError> {
    let current = store.current(name)?;
    let earlier = |generation: &Generation| current.is_none_or(|current| *generation < current);
    Ok(store.generations(name)?.into_iter().rfind(earlier))
}

pub(super) fn prune(arguments: &Prune) -> Result<ExitCode, Failure> {
    with_state(&arguments.at, Reads::NothingElse, |dir| {
        let shown = dir.display().to_string();
        let store = open(dir)?;
        let names = if arguments.name.is_empty() {
            every_name(&store).map_err(failed(
                format!("reading the image store {shown}"),
                "let this user read it",
            ))?
        } else {
            arguments.name.clone()
        };
        let keep = Keep::newest(arguments.keep);
        for name in &names {
            if let Ok(None) = store.current(name)
                && let Ok(generations) = store.generations(name)
            {
                let none = StoreError::NotCurrent { generations };
                say(format_args!(
                    "netboot: {name}: {none}; {}\n",
                    taking_out(name)
                ));
            }
            let (gone, done) = if arguments.dry_run {
                (store.prunable(now(), name, keep), "would be removed")
            } else {
                (store.prune(now(), name, keep), "removed")
            };
            let gone = gone.map_err(failed(
                format!("pruning image {name}"),
                "mend that and prune again; `netboot image list --generations` shows what there is",
            ))?;
            for generation in gone {
                out(format_args!("{name} {generation} {done}\n"))?;
            }
            if !arguments.dry_run {
                nix::let_go(&store, name);
            }
        }
        if let (Some(state), false) = (store.root().ancestors().nth(2), arguments.dry_run) {
            state_dir::clear_leftovers(state, now());
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The images, those that cannot be used included: they have generations too.
fn every_name(store: &Store) -> Result<Vec<ImageName>, StoreError> {
    let listing = store.list()?;
    let broken = listing.unusable.iter().filter_map(|image| {
        let name = ImageName::parse(&image.name).ok()?;
        store.generations(&name).is_ok().then_some(name)
    });
    let names = listing.images.iter().map(|image| image.name().clone());
    Ok(names.chain(broken).collect())
}
