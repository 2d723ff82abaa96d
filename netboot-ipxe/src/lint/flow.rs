//! Findings on how a script goes on: labels, what is never reached, and a menu's way out.

use alloc::{collections::BTreeMap, format, string::String};

use super::{Lint, ReadLine, Severity};
use crate::{arg::Arg, script::Operator};

impl Lint<'_> {
    pub(super) fn flow(&mut self, lines: &[ReadLine<'_>]) {
        self.labels(lines);
        self.unreachable(lines);
        self.choose(lines);
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
}

/// `goto` or `exit` alone on a line: it goes elsewhere, or fails and ends the script.
fn always_leaves(line: &ReadLine<'_>) -> bool {
    let [command] = line.commands.as_slice() else {
        return false;
    };
    matches!(command.name(), Some("goto" | "exit"))
}
