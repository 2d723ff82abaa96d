//! `netboot image`: what is in the store, putting something there, and taking it away.

mod add;
mod generate;
mod generations;
mod list;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use netboot_image::{ImageName, Signer, Store, StoreError};

use super::{Where, examples, out, say};
use crate::nix;
use crate::process::Reads;
use netboot_server::{Chain, Failure, state_dir};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Put an image into the store, as the next generation of NAME
    #[command(after_help = examples::IMAGE_ADD)]
    Add(Box<add::Arguments>),
    /// Build images from NixOS configurations, and put them into the store
    #[command(after_help = examples::IMAGE_GENERATE)]
    Generate(generate::Arguments),
    /// List the images
    #[command(after_help = examples::IMAGE_LIST)]
    List(list::Arguments),
    /// Read every file of the images and compare it with its digest
    #[command(after_help = examples::IMAGE_VERIFY)]
    Verify(verify::Arguments),
    /// Sign an image that is in the store, as the next generation of NAME
    #[command(after_help = examples::IMAGE_SIGN)]
    Sign {
        /// The image
        name: ImageName,
        #[command(flatten)]
        by: Signing,
        #[command(flatten)]
        at: Where,
    },
    /// Make an earlier generation of an image the current one
    #[command(after_help = examples::IMAGE_ROLLBACK)]
    Rollback(generations::Rollback),
    /// Remove the generations that nobody needs any longer
    #[command(after_help = examples::IMAGE_PRUNE)]
    Prune(generations::Prune),
    /// Take images out of the store, with all their generations
    Remove {
        /// The images
        #[arg(required = true)]
        name: Vec<ImageName>,
        #[command(flatten)]
        at: Where,
    },
}

/// With which keys to sign; nothing is signed where none is named.
#[derive(Debug, Args)]
pub(super) struct Signing {
    /// Sign with CMS, as iPXE's `imgverify` takes it: the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Sign with gpg, by its default key or the one named
    #[arg(long, value_name = "KEY", num_args = 0..=1, require_equals = true)]
    gpg: Option<Option<String>>,
    /// The folder of gpg's keys
    #[arg(long, value_name = "DIR", requires = "gpg")]
    gpg_home: Option<PathBuf>,
}

impl Signing {
    fn signers(&self) -> Vec<Signer> {
        let cms = self.cert.clone().zip(self.key.clone());
        let cms = cms.map(|(certificate, key)| Signer::Cms { certificate, key });
        let open_pgp = self.gpg.clone().map(|key| Signer::OpenPgp {
            key,
            home: self.gpg_home.clone(),
        });
        cms.into_iter().chain(open_pgp).collect()
    }
}

pub(super) fn run(action: &Action) -> Result<ExitCode, Failure> {
    match action {
        Action::Add(arguments) => add::run(arguments),
        Action::Generate(arguments) => generate::run(arguments),
        Action::List(arguments) => list::run(arguments),
        Action::Verify(arguments) => verify::run(arguments),
        Action::Sign { name, by, at } => {
            with_state(at, Reads::WhatIsNamed, |dir| add::sign(dir, name, by))
        }
        Action::Rollback(arguments) => generations::roll_back(arguments),
        Action::Prune(arguments) => generations::prune(arguments),
        Action::Remove { name, at } => with_state(at, Reads::NothingElse, |dir| remove(dir, name)),
    }
}

fn with_state(
    at: &Where,
    reads: Reads,
    act: impl FnOnce(PathBuf) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    match at.state_dir_or_say(reads) {
        Ok(state) => act(state.join("http/images")),
        Err(code) => Ok(code),
    }
}

fn failed(tried: String, cure: &str) -> impl FnOnce(StoreError) -> Failure {
    move |error| {
        let cure = match error.denied() {
            Some(path) => state_dir::who_may(path),
            None => cure.to_owned(),
        };
        Failure::new(tried, Chain(&error), cure)
    }
}

/// The store, made where there is none yet.
fn open_or_create(dir: PathBuf) -> Result<Store, Failure> {
    let tried = format!("opening the image store {}", dir.display());
    Store::create(dir).map_err(failed(
        tried,
        "run it as the user that owns the folder, or name another with --state-dir",
    ))
}

fn open(dir: PathBuf) -> Result<Store, Failure> {
    let tried = format!("opening the image store {}", dir.display());
    Store::open(dir).map_err(failed(
        tried,
        "name its state folder with --state-dir or --config, or add an image first",
    ))
}

/// What to do with the generations of an image that has no current one.
fn taking_out(name: impl std::fmt::Display) -> String {
    format!(
        "`netboot image remove {name}` takes them out, and `netboot image rollback {name}` makes \
         the newest current again"
    )
}

/// A text in which names of any file may stand, without what would move the cursor of a terminal.
fn one_line(text: impl std::fmt::Display) -> String {
    let mut shown = String::new();
    for c in text.to_string().chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

fn now() -> std::time::SystemTime {
    crate::host_time().into()
}

fn remove(dir: PathBuf, names: &[ImageName]) -> Result<ExitCode, Failure> {
    let store = open(dir)?;
    for name in names {
        store.remove(name).map_err(failed(
            format!("removing image {name}"),
            "`netboot image list` shows what there is",
        ))?;
        nix::let_go(&store, name);
        out(format_args!("{name} is no longer in the store\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
