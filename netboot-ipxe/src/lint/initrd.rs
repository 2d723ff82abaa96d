//! Findings on initrds: those that no kernel asks for, and those that one asks for in vain.
//!
//! Under UEFI a kernel reads the initrds that its command line names from iPXE's virtual files, by
//! their names without regard to case (`efi_file.c`). Under BIOS iPXE hands over all there are.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Lint, Platform, ReadCommand, ReadLine, Severity};
use crate::{command::ImageVerb, getopt::Invocation, run::name_of, spec};

/// All initrds together, under a name that iPXE always has.
const MAGIC: &str = "initrd.magic";

/// Programs that read what is loaded in ways of their own.
const OWN_WAYS: [&str; 4] = ["wimboot", "memdisk", "xen", "mboot"];

impl Lint<'_> {
    pub(super) fn initrds(&mut self, lines: &[ReadLine<'_>]) {
        if self.platform == Platform::Bios {
            return;
        }
        self.never_loaded(lines);
        if !self.build.kernels_find_initrds() {
            self.not_named(lines);
        }
    }

    /// `initrd=NAME` where nothing of that name is loaded.
    fn never_loaded(&mut self, lines: &[ReadLine<'_>]) {
        // Where one name depends on a setting, it may be any.
        let Some(loaded) = commands(lines)
            .filter(|(_, command)| is_image_command(command))
            .filter_map(|(_, command)| image_name(command))
            .collect::<Option<Vec<String>>>()
        else {
            return;
        };
        for (line, command) in commands(lines).filter(|(_, command)| is_image_command(command)) {
            if has_own_ways(command) {
                continue;
            }
            for (arg, word) in command.args.iter().zip(&command.words).skip(2) {
                let named = arg.as_text().and_then(|text| text.strip_prefix("initrd="));
                let Some(named) = named.map(|name| name.trim_start_matches(['\\', '/', '.']))
                else {
                    continue;
                };
                let is_there = |name: &str| name.eq_ignore_ascii_case(named);
                if is_there(MAGIC) || loaded.iter().any(|name| is_there(name)) {
                    continue;
                }
                let message = format!("nothing of the name `{named}` is loaded here");
                let cure = "load it with `initrd`, or name what is loaded: the last part of its URL, \
                            or its `--name`";
                let at = (line, Some(word));
                self.at_word(Severity::Warning, "initrd-never-loaded", at, message, cure);
            }
        }
    }

    fn not_named(&mut self, lines: &[ReadLine<'_>]) {
        let names_one_later = commands(lines)
            .any(|(_, command)| command.name() == Some("imgargs") && may_name_initrd(command));
        if names_one_later {
            return;
        }
        // A kernel and its initrds stand in one section, between two labels.
        let mut from = 0;
        while let Some(section) = lines.get(from..).filter(|left| !left.is_empty()) {
            let next = section.iter().skip(1).position(|line| line.label.is_some());
            let len = next.map_or(section.len(), |next| next + 1);
            from += len;
            self.section(section.get(..len).unwrap_or_default());
        }
    }

    fn section(&mut self, lines: &[ReadLine<'_>]) {
        if !commands(lines).any(|(_, command)| command.name() == Some("initrd")) {
            return;
        }
        let kernels = commands(lines).filter(|(_, command)| command.name() == Some("kernel"));
        for (line, command) in kernels {
            if !has_own_ways(command) && !may_name_initrd(command) {
                let message = String::from("under UEFI this kernel finds no initrd");
                let cure = "add `initrd=NAME`, the name that iPXE knows the initrd by";
                let at = (line, command.words.first());
                self.at_word(
                    Severity::Warning,
                    "kernel-without-initrd",
                    at,
                    message,
                    cure,
                );
            }
        }
    }
}

fn commands<'l, 'a>(
    lines: &'l [ReadLine<'a>],
) -> impl Iterator<Item = (&'l ReadLine<'a>, &'l ReadCommand<'a>)> {
    lines
        .iter()
        .flat_map(|line| line.commands.iter().map(move |command| (line, command)))
}

fn is_image_command(command: &ReadCommand<'_>) -> bool {
    let mut verbs = ImageVerb::ALL.into_iter();
    verbs.any(|verb| command.name() == Some(verb.name()))
}

/// The name of the image that a command is about, as iPXE has it; `Some(None)` where it depends on
/// a setting, `None` where the command is about no image that it tells.
fn image_name(command: &ReadCommand<'_>) -> Option<Option<String>> {
    let (_, rest) = command.args.split_first()?;
    let read = Invocation::read(spec::find(command.name()?)?, rest).ok()?;
    let mut options = read.options.iter().rev();
    let given = options.find(|(option, _)| option.long == "name");
    if let Some((_, Some(name))) = given {
        return Some(name.as_text().map(ToString::to_string));
    }
    Some(read.words.first()?.as_text().map(name_of))
}

fn has_own_ways(command: &ReadCommand<'_>) -> bool {
    let mut words = command.words.iter();
    words.any(|word| OWN_WAYS.iter().any(|own| word.text.contains(own)))
}

/// `initrd=`, or a setting that may hold it.
fn may_name_initrd(command: &ReadCommand<'_>) -> bool {
    command.args.iter().skip(2).any(|arg| match arg.as_text() {
        Some(text) => text.starts_with("initrd="),
        None => true,
    })
}
