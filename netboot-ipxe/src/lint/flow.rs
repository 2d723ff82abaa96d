//! Findings on how a script goes on: labels, what is never reached, a menu's way out, and
//! initrds that no kernel asks for.

use alloc::{collections::BTreeMap, format, string::String};

use super::{Lint, Platform, ReadCommand, ReadLine, Severity};
use crate::{arg::Arg, script::Operator};

impl Lint<'_> {
    pub(super) fn flow(&mut self, lines: &[ReadLine<'_>]) {
        self.labels(lines);
        self.unreachable(lines);
        self.choose(lines);
        if self.platform != Platform::Bios {
            self.initrds(lines);
        }
    }

    fn labels(&mut self, lines: &[ReadLine<'_>]) {
        let mut defined: BTreeMap<&str, ()> = BTreeMap::new();
        for line in lines {
            let Some(label) = &line.label else { continue };
            if defined.insert(label.text, ()).is_some() {
                let message = format!("the label `{}` is there twice", label.text);
                let cure = "`goto` takes the first; rename one";
                self.at_word(
                    Severity::Warning,
                    "duplicate-label",
                    (line, Some(label)),
                    message,
                    cure,
                );
            }
        }
        for line in lines {
            for command in line
                .commands
                .iter()
                .filter(|command| command.name() == Some("goto"))
            {
                let target = command.args.get(1).and_then(Arg::as_text);
                let Some(target) = target.filter(|_| command.args.len() == 2) else {
                    continue;
                };
                if !defined.contains_key(target) {
                    let message = format!("there is no label `{target}`");
                    let cure = "add the label, or correct its name";
                    let at = (line, command.words.get(1));
                    self.at_word(Severity::Error, "unknown-label", at, message, cure);
                }
            }
        }
    }

    fn unreachable(&mut self, lines: &[ReadLine<'_>]) {
        let mut left = false;
        for line in lines {
            if line.label.is_some() {
                left = false;
            }
            let word = line
                .commands
                .iter()
                .find_map(|command| command.words.first());
            if left && word.is_some() {
                let message = String::from("this is never reached");
                let cure = "give it a label that something goes to, or take it out";
                self.at_word(
                    Severity::Warning,
                    "unreachable",
                    (line, word),
                    message,
                    cure,
                );
                left = false;
            }
            left |= always_leaves(line);
        }
    }

    fn choose(&mut self, lines: &[ReadLine<'_>]) {
        for line in lines {
            for (index, command) in line.commands.iter().enumerate() {
                let after = line.commands.get(index + 1..).unwrap_or_default();
                let way_out = after.iter().any(|next| next.before == Some(Operator::Or));
                if command.name() == Some("choose") && !way_out {
                    let message = String::from("Escape in this menu ends the script");
                    let cure = "put `|| goto LABEL` after it";
                    let at = (line, command.words.first());
                    self.at_word(Severity::Warning, "no-way-out", at, message, cure);
                }
            }
        }
    }

    fn initrds(&mut self, lines: &[ReadLine<'_>]) {
        let names_one_later = lines
            .iter()
            .flat_map(|line| &line.commands)
            .any(|command| command.name() == Some("imgargs") && may_name_initrd(command));
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
        let commands = || {
            lines
                .iter()
                .flat_map(|line| line.commands.iter().map(move |c| (line, c)))
        };
        if !commands().any(|(_, command)| command.name() == Some("initrd")) {
            return;
        }
        for (line, command) in commands().filter(|(_, command)| command.name() == Some("kernel")) {
            // These read what is loaded in ways of their own.
            let own = ["wimboot", "memdisk", "xen", "mboot"];
            let other = own
                .iter()
                .any(|own| command.words.iter().any(|w| w.text.contains(own)));
            if !other && !may_name_initrd(command) {
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

/// `initrd=`, or a setting that may hold it.
fn may_name_initrd(command: &ReadCommand<'_>) -> bool {
    command.args.iter().skip(2).any(|arg| match arg.as_text() {
        Some(text) => text.starts_with("initrd="),
        None => true,
    })
}

/// `goto` or `exit` alone on a line: it goes elsewhere, or fails and ends the script.
fn always_leaves(line: &ReadLine<'_>) -> bool {
    let [command] = line.commands.as_slice() else {
        return false;
    };
    matches!(command.name(), Some("goto" | "exit"))
}
