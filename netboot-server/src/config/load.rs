//! From files to a configuration, or to what a command needs of one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use netboot_image::ImageName;

use super::document::Document;
use super::{Config, DEFAULT_FILES, DEFAULT_STATE_DIR, Host, Image, Problems, read, resolve};

/// What the command line says in place of, or beside, a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
}

/// Reads and checks the files, later ones over earlier ones. No file named means the first of
/// [`DEFAULT_FILES`] that exists.
pub fn load(files: &[PathBuf], flags: &Flags, host: &Host) -> (Option<Config>, Problems) {
    let mut problems = Problems::default();
    let netboot = read_files(files, &mut problems);
    if netboot.is_none() && !problems.any_error() {
        problems.error(
            DEFAULT_FILES.join(" or "),
            "is not there",
            "write one, or name a file with --config; `netboot demo` needs none",
        );
    }
    finish(netboot, flags, host, problems)
}

/// The state folder that the files name, nothing else in them resolved: what the image commands
/// need, which work while networks and machines are still being written down.
pub fn state_dir(files: &[PathBuf], flags: &Flags) -> (Option<PathBuf>, Problems) {
    let mut problems = Problems::default();
    if let Some(dir) = &flags.state_dir {
        return (Some(dir.clone()), problems);
    }
    let netboot = read_files(files, &mut problems);
    if problems.any_error() {
        return (None, problems);
    }
    let dir = netboot.and_then(|netboot| netboot.state_dir);
    (
        Some(dir.unwrap_or_else(|| DEFAULT_STATE_DIR.into())),
        problems,
    )
}

/// The state folder and the images that the files name, nothing else in them resolved. No file at
/// all is none with images.
pub fn images(
    files: &[PathBuf],
    flags: &Flags,
) -> Result<(PathBuf, BTreeMap<ImageName, Image>), Problems> {
    let mut problems = Problems::default();
    let mut netboot = read_files(files, &mut problems).unwrap_or_default();
    let dir = netboot.state_dir.take();
    let dir = flags.state_dir.clone().or(dir);
    let images = resolve::images(netboot, &mut problems);
    if problems.any_error() {
        return Err(problems);
    }
    Ok((dir.unwrap_or_else(|| DEFAULT_STATE_DIR.into()), images))
}

fn read_files(files: &[PathBuf], problems: &mut Problems) -> Option<Document> {
    let default: Vec<PathBuf>;
    let files = if files.is_empty() {
        let mut defaults = DEFAULT_FILES.iter().map(PathBuf::from);
        default = defaults
            .find(|file| !matches!(file.try_exists(), Ok(false)))
            .into_iter()
            .collect();
        &default
    } else {
        files
    };
    let mut whole: Option<Document> = None;
    for file in files {
        if let Some(netboot) = read::read_file(file, problems) {
            match &mut whole {
                Some(whole) => whole.merge(netboot),
                None => whole = Some(netboot),
            }
        }
    }
    whole
}

/// Reads and checks one text; `name` is how problems call it.
pub fn load_text(
    name: &str,
    text: &str,
    json: bool,
    flags: &Flags,
    host: &Host,
) -> (Option<Config>, Problems) {
    let mut problems = Problems::default();
    let netboot = read::read_text(name, text, json, &mut problems);
    finish(netboot, flags, host, problems)
}

impl Document {
    /// Checks it as a file is checked, and derives what it does not say. Problems are at places
    /// such as `netboot.targets[1].ip`.
    pub fn check(mut self, host: &Host) -> (Option<Config>, Problems) {
        let mut problems = Problems::default();
        self.stand_at("netboot", &mut problems);
        finish(Some(self), &Flags::default(), host, problems)
    }
}

fn finish(
    netboot: Option<Document>,
    flags: &Flags,
    host: &Host,
    mut problems: Problems,
) -> (Option<Config>, Problems) {
    let mut config = netboot.map(|netboot| resolve::resolve(netboot, host, &mut problems));
    if let (Some(config), Some(dir)) = (&mut config, &flags.state_dir) {
        config.state_dir.clone_from(dir);
    }
    if problems.any_error() {
        return (None, problems);
    }
    (config, problems)
}
