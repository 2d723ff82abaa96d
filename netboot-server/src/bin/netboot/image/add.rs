//! `netboot image add` and `netboot image sign`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use indicatif::HumanBytes;
use netboot_image::{
    BootMethod, FileName, ImageName, Import, ImportError, Links, Manifest, NewImage, Progress,
    Published, Source, StoreError, split_cmdline,
};

use super::{Signing, Where, failed, now, open, open_or_create, out, say, with_state};
use crate::bar::Bar;
use crate::process::Reads;
use netboot_server::config::{cmdline, never_default};
use netboot_server::{Chain, Failure};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["kernel", "from", "efi", "chain", "iso"])
)]
pub(crate) struct Arguments {
    /// The image's name: letters, digits, `-`, `_` and `.`
    name: ImageName,
    /// A Linux kernel
    #[arg(long, value_name = "FILE", requires = "initrd")]
    kernel: Option<PathBuf>,
    /// An initial RAM disk of the kernel; may be given several times, in order
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "efi", "chain", "iso"])]
    initrd: Vec<PathBuf>,
    /// What a build left: nix-build's results, a kexec tree, a netboot.ipxe, a Debian or Ubuntu
    /// netboot folder; the parts may be in several places
    #[arg(long, value_name = "DIR", num_args = 1..)]
    from: Vec<PathBuf>,
    /// Follow links that lead out of what --from names and not into the Nix store
    #[arg(long, requires = "from")]
    follow: bool,
    /// An EFI program
    #[arg(long, value_name = "FILE")]
    efi: Option<PathBuf>,
    /// The address of a boot script or boot program elsewhere
    #[arg(long, value_name = "URL")]
    chain: Option<String>,
    /// A disc image
    #[arg(long, value_name = "FILE")]
    iso: Option<PathBuf>,
    /// A file to be served beside the others, such as a seed or a squashfs; may be given several
    /// times
    #[arg(long, value_name = "NAME=FILE", value_parser = named_file)]
    file: Vec<(FileName, PathBuf)>,
    /// The kernel's command line or the EFI program's arguments, split at spaces outside of double
    /// quotes; behind what --from finds, and behind a unified kernel's own
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    cmdline: String,
    /// What the menu calls it
    #[arg(long)]
    label: Option<String>,
    /// A longer text for people
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    by: Signing,
    #[command(flatten)]
    at: Where,
}

fn named_file(text: &str) -> Result<(FileName, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it is written NAME=FILE")?;
    let name = name.parse().map_err(|error| format!("{error}"))?;
    Ok((name, path.into()))
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let image = image(arguments)?;
    if let Some(what) = never_default(&arguments.name) {
        warn(&what, "add it by another name");
    }
    with_state(&arguments.at, Reads::WhatIsNamed, |dir| {
        let store = open_or_create(dir)?;
        let published = publish(
            format!("adding image {}", arguments.name),
            |now, progress| store.publish_with(now, image, progress),
        )?;
        warn_of_second_init(published.manifest.boot());
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn sign(dir: PathBuf, name: &ImageName, by: &Signing) -> Result<ExitCode, Failure> {
    let signers = by.signers();
    if signers.is_empty() {
        return Err(Failure::new(
            format!("signing image {name}"),
            "no key is named",
            "give --cert FILE --key FILE, or --gpg",
        ));
    }
    let store = open(dir)?;
    let before = store.image(name, None).map_err(failed(
        format!("signing image {name}"),
        "`netboot image list` shows what there is",
    ))?;
    let published = publish(format!("signing image {name}"), |now, progress| {
        store.sign_with(now, name, signers, progress)
    })?;
    say_what_is_left_behind(&before, &published.manifest)?;
    Ok(ExitCode::SUCCESS)
}

/// The signatures of the generation before that are not in the new one. There is one of each form:
/// iPXE refuses a file of which it does not trust every signer (`cms_verify`), and GRUB reads the
/// first signature only (`grub_verify_signature_real`).
fn say_what_is_left_behind(before: &Manifest, after: &Manifest) -> Result<(), Failure> {
    let generation = before.generation();
    let (mut replaced, mut lost) = (BTreeSet::new(), BTreeSet::new());
    for old in before.signatures() {
        let mut made = after.signatures().iter();
        let kept = made.find(|new| (new.of(), new.form()) == (old.of(), old.form()));
        let digest = |manifest: &Manifest| {
            let file = manifest.file(old.file().as_str());
            file.map(|file| file.digest())
        };
        let form = old.form().to_string();
        match kept {
            None => lost.insert((old.of().to_string(), form)),
            // Only of what is listed is the digest known, and the rest is made anew each time.
            Some(_) if digest(before).is_none() || digest(before) != digest(after) => {
                replaced.insert(form)
            }
            Some(_) => continue,
        };
    }
    for form in replaced {
        out(format_args!(
            "its {form} signatures take the place of those before, which only {generation} has\n"
        ))?;
    }
    for (of, form) in lost {
        out(format_args!(
            "{of} is another file now: its {form} signature is in {generation} only; sign with all \
             keys at once to have each\n"
        ))?;
    }
    Ok(())
}

/// What the arguments describe.
fn image(arguments: &Arguments) -> Result<NewImage, Failure> {
    let name = arguments.name.clone();
    let wrong = |why: &dyn std::fmt::Display, cure: &str| {
        Failure::new(format!("adding image {}", arguments.name), why, cure)
    };
    let source = |from: &[&PathBuf]| {
        let from = from.iter().map(|path| path.display().to_string());
        Source::new("netboot image add", from)
    };
    let image = if let Some(kernel) = &arguments.kernel {
        let files: Vec<_> = std::iter::once(kernel).chain(&arguments.initrd).collect();
        let image = NewImage::linux(name, kernel).source(source(&files));
        arguments.initrd.iter().fold(image, NewImage::initrd)
    } else if let Some(program) = &arguments.efi {
        NewImage::efi(name, program).source(source(&[program]))
    } else if let Some(disc) = &arguments.iso {
        NewImage::iso(name, disc).source(source(&[disc]))
    } else if let Some(url) = &arguments.chain {
        NewImage::chain(name, url)
    } else {
        let links = match arguments.follow {
            true => Links::Anywhere,
            false => Links::Within,
        };
        let found = Import::find_by(&arguments.from, links).map_err(|error| {
            let cure = match error {
                ImportError::Outside { .. } => {
                    "the file would be served to anybody: name its folder, too, or give --follow, \
                     if that is meant"
                        .to_owned()
                }
                _ => folders_meant(&arguments.from),
            };
            wrong(&Chain(&error), &cure)
        })?;
        found.image(name)
    };
    let words = split_cmdline(&arguments.cmdline)
        .map_err(|error| wrong(&error, "close the quote in --cmdline"))?;
    for word in &words {
        // What no script could carry is refused here, where somebody can mend it.
        cmdline::check_carried(word).map_err(|error| {
            let why = format!("{word:?} in its command line: {error}");
            wrong(&why, &error.cure())
        })?;
        // Braces may be the kernel's own.
        if let Err(error) = cmdline::check_placeholders(word) {
            let what = format!("{word:?} in its command line {error} and stays as it is");
            warn(&what, &error.cure());
        }
    }
    let mut image = image.cmdline(words);
    for (name, path) in &arguments.file {
        image = image.file(name.clone(), path);
    }
    if let Some(label) = &arguments.label {
        image = image.label(label);
    }
    if let Some(description) = &arguments.description {
        image = image.description(description);
    }
    let signers = arguments.by.signers();
    Ok(signers.into_iter().fold(image, NewImage::sign))
}

/// Says so where the words that were given name another program to start than what is in the image
/// does, which the kernel then does not start.
fn warn_of_second_init(boot: &BootMethod) {
    let (own, given) = match boot {
        BootMethod::Linux(linux) => (&[][..], linux.cmdline()),
        BootMethod::Efi(efi) => (
            efi.unified().map_or(&[][..], |it| it.cmdline()),
            efi.cmdline(),
        ),
        _ => return,
    };
    let inits: Vec<_> = own
        .iter()
        .chain(given)
        .filter(|word| cmdline::sets_init(word))
        .collect();
    for key in ["init=", "rdinit="] {
        let mut of_key = inits
            .iter()
            .rev()
            .filter(|word| word.trim_start_matches('"').starts_with(key));
        if let (Some(last), Some(first)) = (of_key.next(), of_key.next()) {
            let what = format!("its command line has {first} and, behind it, {last}, which holds");
            warn(
                &what,
                &format!("leave {key} out of --cmdline, where the image says it itself"),
            );
        }
    }
}

/// What to name in place of folders that hold no image.
fn folders_meant(named: &[PathBuf]) -> String {
    let below = named.iter().flat_map(|dir| Import::below(dir));
    let below: Vec<_> = below
        .map(|dir| format!("--from {}", dir.display()))
        .collect();
    match below.as_slice() {
        [] => "name the folders that hold kernel, initial RAM disk and script".to_owned(),
        below => format!("did you mean {}?", below.join(", or ")),
    }
}

/// Says what is likely not meant, and is done all the same.
fn warn(what: &str, cure: &str) {
    say(format_args!("warning: {what}\n  cure: {cure}\n"));
}

fn publish(
    tried: String,
    publish: impl FnOnce(
        std::time::SystemTime,
        &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Published, StoreError>,
) -> Result<Published, Failure> {
    let bar = Bar::new();
    let mut current = String::new();
    let published = publish(now(), &mut |progress| {
        if let Progress::Copied { file, done, total } = progress {
            if current != file {
                file.clone_into(&mut current);
                bar.restart();
            }
            bar.show(file.to_owned(), done, total);
        }
        ControlFlow::Continue(())
    });
    drop(bar);
    let published = published.map_err(|error| {
        let cure = match error {
            StoreError::Unsettled { .. } => "look after the disk, and verify the image",
            _ => "mend that and try again; the store is as it was before",
        };
        failed(tried, cure)(error)
    })?;
    let manifest = &published.manifest;
    let (name, generation) = (manifest.name(), manifest.generation());
    out(format_args!("{name} {generation} is in the store:\n"))?;
    for file in manifest.files() {
        out(format_args!(
            "  {}  {}  {}\n",
            file.name(),
            HumanBytes(file.size()),
            file.digest()
        ))?;
    }
    if let BootMethod::Efi(efi) = manifest.boot()
        && let Some(unified) = efi.unified()
    {
        let own = unified.cmdline();
        out(format_args!(
            "  it is a unified kernel, {}\n",
            match own {
                [] => "without a command line of its own".to_owned(),
                own => format!("with the command line {}", own.join(" ")),
            }
        ))?;
        if !own.is_empty() && !efi.cmdline().is_empty() {
            out(format_args!(
                "  where Secure Boot is on, that is all it takes: not {}\n",
                efi.cmdline().join(" ")
            ))?;
        }
    }
    for signature in manifest.signatures() {
        out(format_args!(
            "  {} is signed: {} ({})\n",
            signature.of(),
            signature.file(),
            signature.form()
        ))?;
    }
    Ok(published)
}
