//! `netboot image list`: what is in the store.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;
use netboot_image::{ImageName, Manifest, Store, StoreError, UnusableImage};
use serde_json::{Value, json};

use super::{Where, failed, one_line, open, out, say, taking_out, with_state};
use crate::process::Reads;
use crate::table::{Cell, GOOD, Look, Table};
use crate::time::local;
use netboot_server::{Chain, Failure};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// With all generations that are in the store
    #[arg(long)]
    generations: bool,
    /// As JSON: the manifests, the generations, and what cannot be used
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    with_state(&arguments.at, Reads::NothingElse, |dir| {
        list(dir, arguments)
    })
}

fn list(dir: PathBuf, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let tried = format!("reading the image store {}", dir.display());
    let store = open(dir)?;
    let listing = store
        .list()
        .map_err(failed(tried, "let this user read it"))?;
    let broken = |image: UnusableImage| (image.name, image.error);
    let mut problems: Vec<_> = listing.unusable.into_iter().map(broken).collect();
    let with_history = arguments.generations || arguments.json;
    let images = listing.images.into_iter().map(|current| {
        let history = match with_history {
            true => history(&store, current.name(), &mut problems),
            false => Vec::new(),
        };
        let on_disk = store.disk_use(current.name());
        let on_disk = on_disk.unwrap_or_else(|error| {
            problems.push((current.name().to_string(), error));
            0
        });
        Image {
            current,
            history,
            on_disk,
        }
    });
    let images: Vec<_> = images.collect();
    if arguments.json {
        out(format_args!("{:#}\n", as_json(&images, &problems)))?;
    } else {
        out(shown(&images, arguments.generations))?;
        for (name, error) in &problems {
            let (name, why) = (one_line(name), one_line(Chain(error)));
            say(format_args!("netboot: {name} cannot be used: {why}"));
            if let StoreError::NotCurrent { .. } = error {
                say(format_args!("; {}", taking_out(name)));
            }
            say("\n");
        }
    }
    Ok(match problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

struct Image {
    current: Manifest,
    /// All its generations, oldest first, where they were asked for.
    history: Vec<Manifest>,
    /// Bytes that all its generations take on the disk.
    on_disk: u64,
}

/// What stands in the store and cannot be used.
type Broken = (String, StoreError);

fn history(store: &Store, name: &ImageName, problems: &mut Vec<Broken>) -> Vec<Manifest> {
    let generations = match store.generations(name) {
        Ok(generations) => generations,
        Err(error) => {
            problems.push((name.to_string(), error));
            return Vec::new();
        }
    };
    let manifest = |generation| match store.image(name, Some(generation)) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            problems.push((format!("{name}/{generation}"), error));
            None
        }
    };
    generations.into_iter().filter_map(manifest).collect()
}

fn shown(images: &[Image], generations: bool) -> String {
    let look = Look::of_output();
    if generations {
        let rows = images.iter().flat_map(|image| {
            let row = |manifest: &Manifest| generation_row(manifest, &image.current);
            image.history.iter().map(row).collect::<Vec<_>>()
        });
        let head = ["IMAGE", "GENERATION", "PUBLISHED", "SIZE", "STATE"];
        return Table::new(head, rows).shown(look);
    }
    let head = [
        "IMAGE",
        "GENERATION",
        "KIND",
        "ARCH",
        "SIZE",
        "ON DISK",
        "LABEL",
    ];
    Table::new(head, images.iter().map(image_row)).shown(look)
}

fn image_row(image: &Image) -> [Cell; 7] {
    let current = &image.current;
    let arch = current.architecture();
    [
        current.name().to_string().into(),
        current.generation().to_string().into(),
        current.boot().kind().to_string().into(),
        arch.map_or("any", |it| it.as_str()).into(),
        HumanBytes(bytes(current)).to_string().into(),
        HumanBytes(image.on_disk).to_string().into(),
        current.label().into(),
    ]
}

fn generation_row(manifest: &Manifest, current: &Manifest) -> [Cell; 5] {
    let is_current = manifest.generation() == current.generation();
    let published = jiff::Timestamp::try_from(manifest.created());
    [
        manifest.name().to_string().into(),
        manifest.generation().to_string().into(),
        published.map(local).unwrap_or_default().into(),
        HumanBytes(bytes(manifest)).to_string().into(),
        match is_current {
            true => Cell::styled("current", GOOD),
            false => Cell::past("earlier"),
        },
    ]
}

fn as_json(images: &[Image], problems: &[Broken]) -> Value {
    let generations = images.iter().map(|image| {
        let history = image.history.iter().map(|manifest| {
            json!({
                "generation": manifest.generation().number(),
                "created": created(manifest),
                "bytes": bytes(manifest),
                "current": manifest.generation() == image.current.generation(),
            })
        });
        (image.current.name().to_string(), history.collect())
    });
    let problems = problems
        .iter()
        .map(|(name, error)| json!({ "name": name, "error": Chain(error).to_string() }));
    let on_disk = images.iter().map(|image| {
        let name = image.current.name().to_string();
        (name, image.on_disk.into())
    });
    json!({
        "images": images.iter().map(|image| manifest_as_json(&image.current)).collect::<Value>(),
        "generations": generations.collect::<serde_json::Map<_, Value>>(),
        "disk_bytes": on_disk.collect::<serde_json::Map<_, Value>>(),
        "problems": problems.collect::<Value>(),
    })
}

/// The manifest as it stands in `manifest.json`.
fn manifest_as_json(manifest: &Manifest) -> Value {
    serde_json::from_str(&manifest.to_json()).unwrap_or_default()
}

fn bytes(manifest: &Manifest) -> u64 {
    manifest.files().map(|file| file.size()).sum()
}

/// When it was published, as RFC 3339 writes it.
fn created(manifest: &Manifest) -> String {
    jiff::Timestamp::try_from(manifest.created())
        .map_or_else(|_| String::new(), |at| at.to_string())
}
