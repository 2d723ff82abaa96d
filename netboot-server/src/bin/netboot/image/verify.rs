//! `netboot image verify`: digests, and signatures where somebody is trusted.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use indicatif::HumanBytes;
use netboot_image::{
    Damage, Generation, GenerationError, ImageName, Report, SignatureReport, Store, StoreError,
    Trust, Verifying,
};
use serde_json::{Value, json};

use super::{Where, failed, one_line, open, out, say, with_state};
use crate::bar::Bar;
use crate::process::Reads;
use netboot_server::{Chain, Failure};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only these images
    name: Vec<ImageName>,
    /// Only this generation of each, by number, or `current`. All are read without it, which takes
    /// as long as the disk needs for what `netboot image list` says is on it
    #[arg(long, value_name = "GENERATION")]
    generation: Option<Which>,
    /// Check the CMS signatures of current generations too, and trust these certificates
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Check the OpenPGP signatures of current generations too, and trust these keys, as `gpg
    /// --export` writes them
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

/// A generation of each image.
#[derive(Debug, Clone, Copy)]
enum Which {
    Current,
    Numbered(Generation),
}

impl FromStr for Which {
    type Err = GenerationError;

    fn from_str(text: &str) -> Result<Self, GenerationError> {
        match text {
            "current" => Ok(Self::Current),
            number => number.parse().map(Self::Numbered),
        }
    }
}

/// What was found out about one generation of an image.
struct Verified {
    report: Report,
    signatures: Vec<SignatureReport>,
}

impl Verified {
    fn is_sound(&self) -> bool {
        self.report.is_whole() && self.signatures.iter().all(|it| it.result.is_ok())
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let (Some(Which::Numbered(number)), []) = (arguments.generation, &*arguments.name) {
        return Err(Failure::new(
            format!("verifying generation {number}"),
            "each image has generations of its own",
            "name the images, or give --generation current",
        ));
    }
    with_state(&arguments.at, Reads::WhatIsNamed, |dir| {
        let store = open(dir)?;
        let verified = verify(&store, arguments).map_err(failed(
            "verifying the images".into(),
            "`netboot image list` shows what there is",
        ))?;
        let sound = verified.iter().all(Verified::is_sound);
        if arguments.json {
            let images: Vec<_> = verified.iter().map(as_json).collect();
            let shown = json!({ "sound": sound, "images": images });
            out(format_args!("{shown:#}\n"))?;
        } else {
            verified.iter().try_for_each(print)?;
        }
        if sound {
            return Ok(ExitCode::SUCCESS);
        }
        if !arguments.json {
            say(
                "netboot: not as it should be; add these images again from a good copy, or go \
                 back to a whole generation with `netboot image rollback`\n",
            );
        }
        Ok(ExitCode::FAILURE)
    })
}

fn verify(store: &Store, arguments: &Arguments) -> Result<Vec<Verified>, StoreError> {
    let bar = Bar::new();
    let progress = |at: Verifying<'_>| {
        bar.show_verifying(at);
        ControlFlow::Continue(())
    };
    let number = match arguments.generation {
        Some(Which::Numbered(generation)) => Some(generation),
        Some(Which::Current) | None => None,
    };
    let mut reports = match arguments.generation {
        _ if !arguments.name.is_empty() => Vec::new(),
        Some(_) => store.verify_current_with(&progress)?,
        None => store.verify_all_with(&progress)?,
    };
    for name in &arguments.name {
        bar.restart();
        match arguments.generation {
            Some(_) => reports.push(store.verify_with(name, number, &progress)?),
            None => reports.extend(store.verify_image_with(name, &progress)?),
        }
    }
    drop(bar);
    let cms = arguments.ca.clone();
    let open_pgp = arguments.keyring.clone();
    let trust: Vec<Trust> = cms
        .map(|authorities| Trust::Cms { authorities })
        .into_iter()
        .chain(open_pgp.map(|keyring| Trust::OpenPgp { keyring }))
        .collect();
    reports
        .into_iter()
        .map(|report| {
            // Of an image that cannot be read, the report has said so.
            let signatures = match (report.name.parse(), report.generation) {
                (Ok(name), Some(generation))
                    if !trust.is_empty() && is_to_be_signed(store, &name, generation, number) =>
                {
                    store.verify_signatures(&name, Some(generation), &trust)?
                }
                _ => Vec::new(),
            };
            Ok(Verified { report, signatures })
        })
        .collect()
}

/// Whether a generation's signatures are looked at: those of earlier ones may never have been made,
/// unless one is asked about.
fn is_to_be_signed(
    store: &Store,
    name: &ImageName,
    generation: Generation,
    asked: Option<Generation>,
) -> bool {
    asked.is_some() || store.current(name).is_ok_and(|it| it == Some(generation))
}

fn print(verified: &Verified) -> Result<(), Failure> {
    let report = &verified.report;
    let name = one_line(&report.name);
    let name = match report.generation {
        Some(generation) => format!("{name} {generation}"),
        None => name,
    };
    for damage in &report.damage {
        out(format_args!("{name}: {}\n", one_line(Chain(damage))))?;
    }
    if report.is_whole() {
        out(format_args!(
            "{name}: {} files, {}: whole\n",
            report.files,
            HumanBytes(report.bytes)
        ))?;
    }
    for signature in &verified.signatures {
        let (of, form) = (&signature.of, &signature.form);
        match &signature.result {
            Ok(()) => out(format_args!("{name}: {of}: signed ({form})\n"))?,
            Err(error) => out(format_args!(
                "{name}: {of}: no signature that holds ({form}): {}\n",
                Chain(error)
            ))?,
        }
    }
    Ok(())
}

fn as_json(verified: &Verified) -> Value {
    let report = &verified.report;
    let signatures = verified.signatures.iter().map(|signature| {
        let error = signature.result.as_ref().err();
        json!({
            "of": signature.of.as_str(),
            "form": signature.form.as_str(),
            "holds": error.is_none(),
            "error": error.map(|error| Chain(error).to_string()),
        })
    });
    json!({
        "name": report.name,
        "generation": report.generation.map(|generation| generation.number()),
        "files": report.files,
        "bytes": report.bytes,
        "whole": report.is_whole(),
        "damage": report.damage.iter().map(damage_as_json).collect::<Vec<_>>(),
        "signatures": signatures.collect::<Vec<_>>(),
    })
}

fn damage_as_json(damage: &Damage) -> Value {
    let (kind, file, expected, found) = match damage {
        Damage::Changed {
            file,
            expected,
            found,
        } => ("changed", Some(file.as_str()), Some(expected), Some(found)),
        Damage::Missing { file, expected } => {
            ("missing", Some(file.as_str()), Some(expected), None)
        }
        Damage::Unsigned { file } => ("missing", Some(file.as_str()), None, None),
        Damage::Extra { file } => ("extra", Some(file.as_str()), None, None),
        Damage::Sums => ("sums", Some("SHA256SUMS"), None, None),
        _ => ("unreadable", None, None, None),
    };
    json!({
        "kind": kind,
        "file": file,
        "expected": expected,
        "found": found,
        "message": Chain(damage).to_string(),
    })
}
