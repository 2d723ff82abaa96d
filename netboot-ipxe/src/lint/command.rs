//! Findings on one command: its name, its options, its words, and whether the build has it.

use alloc::{format, string::String};

use super::{Lint, MAX_FINDINGS, Platform, ReadCommand, ReadLine, Severity, build::scheme_of};
use crate::{
    arg::{Arg, Part},
    cmdline::{self, MAX_BYTES},
    command::ImageVerb,
    getopt::{Invocation, Misuse, starts_with_setting},
    render::MAX_WORDS,
    script::Operator,
    spec::{self, CommandSpec, OptionSpec},
};

impl Lint<'_> {
    /// `next` is the operator after the command.
    pub(super) fn command(
        &mut self,
        line: &ReadLine<'_>,
        command: &ReadCommand<'_>,
        next: Option<Operator>,
    ) {
        let Some(name) = command.name() else { return };
        // Looking for the nearest name takes long, and nothing more would be told.
        if self.found.len() >= MAX_FINDINGS {
            return;
        }
        let at = |index: usize| (line, command.words.get(index));
        let Some(spec) = spec::find(name) else {
            if self.build.has_command(name) {
                return;
            }
            let known = spec::COMMANDS.iter().map(|spec| spec.name);
            let cure = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => String::from("see iPXE's list of commands"),
            };
            let message = format!("there is no command `{name}`");
            self.at_word(Severity::Error, "unknown-command", at(0), message, &cure);
            return;
        };
        // A failure that the line expects is how scripts ask what a build has.
        let guarded = next == Some(Operator::Or);
        if !self.build.has_command(name) && !guarded {
            let message = format!("`{name}` is not in {}", self.build.name());
            let cure = "use a build that has it, or put `||` and another way after it";
            self.at_word(Severity::Warning, "not-in-build", at(0), message, cure);
        }
        self.lone_operator(line, command);
        let words = command.args.get(1..).unwrap_or_default();
        match Invocation::read(spec, words) {
            Ok(invocation) => self.invocation(line, command, &invocation, guarded),
            Err(misuse) => self.misuse(line, command, spec, &misuse),
        }
    }

    /// `|` or `&` before a command's name: a shell's operator, and here one more argument.
    fn lone_operator(&mut self, line: &ReadLine<'_>, command: &ReadCommand<'_>) {
        for (index, pair) in command.words.windows(2).enumerate() {
            let [operator, next] = pair else { continue };
            if matches!(operator.text, "|" | "&") && spec::find(next.text).is_some() {
                let message = format!("`{}` is an argument here, not an operator", operator.text);
                let cure = format!("write `{0}{0}`", operator.text);
                let at = (line, command.words.get(index));
                self.at_word(Severity::Warning, "lone-operator", at, message, &cure);
            }
        }
    }

    fn misuse(
        &mut self,
        line: &ReadLine<'_>,
        command: &ReadCommand<'_>,
        spec: &CommandSpec,
        misuse: &Misuse,
    ) {
        let at = |index: usize| (line, command.words.get(index));
        let name = spec.name;
        match misuse {
            Misuse::UnknownOption(index) => {
                let written = command.words.get(*index).map_or("", |word| word.text);
                let long = written
                    .trim_start_matches('-')
                    .split('=')
                    .next()
                    .unwrap_or_default();
                let near = nearest(long, spec.options.iter().map(|option| option.long));
                let cure = match near {
                    Some(near) => format!("did you mean `--{near}`?"),
                    None if spec.options.is_empty() => {
                        String::from("it has none; put `--` before words that start with `-`")
                    }
                    None => format!("it has {}", list(spec.options)),
                };
                let message = format!("`{name}` has no option `{written}`");
                self.at_word(
                    Severity::Error,
                    "unknown-option",
                    at(*index),
                    message,
                    &cure,
                );
            }
            Misuse::MissingValue(index, option) => {
                let message = format!("`--{}` wants a value", option.long);
                let cure = format!("write `--{}=VALUE` where it starts with `-`", option.long);
                self.at_word(Severity::Error, "option-value", at(*index), message, &cure);
            }
            Misuse::UnwantedValue(index, option) => {
                let message = format!("`--{}` takes no value", option.long);
                self.at_word(
                    Severity::Error,
                    "option-value",
                    at(*index),
                    message,
                    "leave it out",
                );
            }
            Misuse::TooFew { least } => {
                let message = format!("`{name}` wants {least} words or more after its options");
                self.at_word(
                    Severity::Error,
                    "word-count",
                    at(0),
                    message,
                    "add what is missing",
                );
            }
            Misuse::TooMany { most } => {
                // A setting may turn out to be an option.
                if command.args.iter().any(starts_with_setting) {
                    return;
                }
                let message = format!("`{name}` takes {most} words at most after its options");
                let (code, cure) = if *most == MAX_WORDS {
                    ("too-many-words", "make it shorter")
                } else {
                    ("word-count", "take the others out; iPXE has no quotes")
                };
                self.at_word(Severity::Error, code, at(0), message, cure);
            }
        }
    }

    fn invocation(
        &mut self,
        line: &ReadLine<'_>,
        command: &ReadCommand<'_>,
        invocation: &Invocation<'_>,
        guarded: bool,
    ) {
        let at = |index: usize| (line, command.words.get(index));
        let Some(name) = command.name() else { return };
        for (option, _) in &invocation.options {
            if !self.build.has_option(name, option.long) && !guarded {
                let message = format!("`{name} --{}` is not in {}", option.long, self.build.name());
                let cure = "leave it out, or use a build that has it";
                self.at_word(Severity::Warning, "not-in-build", at(0), message, cure);
            }
        }
        for (word, uri) in uris(name, invocation.words) {
            let lacking = match scheme_of(uri) {
                Some(scheme) if !self.build.has_scheme(scheme) => format!("`{scheme}`"),
                _ if !self.build.has_dns() && host(word, uri).is_some_and(is_name) => {
                    String::from("finding hosts by name")
                }
                _ => continue,
            };
            if !guarded {
                let message = format!("{lacking} is not in {}", self.build.name());
                let cure = "use another protocol, or an address";
                self.at_word(Severity::Warning, "not-in-build", at(0), message, cure);
            }
        }
        match name {
            "kernel" | "imgselect" | "imgload" | "imgargs" => {
                let args = invocation.words.get(1..).unwrap_or_default();
                let len = args
                    .iter()
                    .map(|arg| cmdline::known_len(arg) + 1)
                    .sum::<usize>();
                if len > MAX_BYTES + 1 {
                    let message = format!("the command line has {} bytes", len - 1);
                    let cure = format!("kernels keep {MAX_BYTES}; iPXE cuts the rest off");
                    self.at_word(
                        Severity::Warning,
                        "command-line-too-long",
                        at(0),
                        message,
                        &cure,
                    );
                }
            }
            "exit" if self.platform == Platform::Efi => {
                let status = invocation.words.first().map(Arg::as_text);
                if matches!(status, None | Some(Some("0"))) {
                    let message = String::from(
                        "`exit` with status 0 drops some UEFI machines into their setup",
                    );
                    let cure = "write `exit 1` to go on in the boot order";
                    self.at_word(Severity::Warning, "exit-zero", at(0), message, cure);
                }
            }
            _ => {}
        }
    }
}

/// The words that are URIs or may be, each with the text it starts with.
fn uris<'a>(name: &str, words: &'a [Arg]) -> impl Iterator<Item = (&'a Arg, &'a str)> {
    let image = ImageVerb::ALL.iter().any(|verb| verb.name() == name);
    let (skip, take) = match name {
        "sanboot" | "sanhook" => (0, MAX_WORDS),
        "imgverify" | "imgdecrypt" => (0, 2),
        "imgset" => (1, 1),
        "imgextract" | "fdt" | "shim" | "certstore" => (0, 1),
        _ => (0, usize::from(image)),
    };
    let words = words.iter().skip(skip).take(take);
    words.filter_map(|word| match word.parts().first() {
        Some(Part::Text(text)) => Some((word, text.as_str())),
        _ => None,
    })
}

/// The host in a URI, where it is not made from a setting.
fn host<'a>(word: &Arg, uri: &'a str) -> Option<&'a str> {
    let (_, rest) = uri.split_once("://")?;
    match rest.find(['/', ':', '?', '#']) {
        Some(end) => rest.get(..end),
        None => Some(rest).filter(|_| word.as_text().is_some()),
    }
}

/// True for a name, false for an address; one of IPv6 stands in brackets.
fn is_name(host: &str) -> bool {
    !host.starts_with('[') && host.contains(|c: char| c.is_ascii_alphabetic())
}

fn list(options: &[OptionSpec]) -> String {
    let mut out = String::new();
    for option in options {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str("--");
        out.push_str(option.long);
    }
    out
}

/// The known name that is at most two letters away, the nearest first.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = if name.len() < 4 { 1 } else { 2 };
    known
        .map(|known| (distance(name, known), known))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters to add, take out, change or swap with the next.
fn distance(a: &str, b: &str) -> usize {
    let a: alloc::vec::Vec<char> = a.chars().take(40).collect();
    let b: alloc::vec::Vec<char> = b.chars().take(40).collect();
    let mut before_last = alloc::vec::Vec::new();
    let mut last: alloc::vec::Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = alloc::vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(&last, j) + usize::from(ca != cb))
                .min(cell(&last, j + 1) + 1)
                .min(cell(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca);
            if swapped {
                best = best.min(cell(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = core::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_near_the_right_one() {
        let names = || spec::COMMANDS.iter().map(|spec| spec.name);
        for (wrong, right) in [
            ("kernal", "kernel"),
            ("ehco", "echo"),
            ("inird", "initrd"),
            ("got", "goto"),
        ] {
            assert_eq!(nearest(wrong, names()), Some(right));
        }
        assert_eq!(nearest("launch", names()), None);
    }
}
