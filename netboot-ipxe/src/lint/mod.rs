//! The linter: what a script says that iPXE will not do, or not do as meant.
//!
//! It reads the text, so that every finding has its place. What a setting will hold is not known
//! here; where a finding would depend on it, there is none.

mod build;
mod command;
mod flow;
mod initrd;

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

pub use self::build::{Build, Platform};
use crate::{
    arg::Arg,
    lex::{self, LogicalLine, Word},
    parse::{self, LineStarts, MAX_DEPTH, ParseProblem},
    script::Operator,
};

/// Something found in a script.
///
/// Shown as `line:column: severity[code]: message; cure`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing it is, as a word that stays the same: `unknown-command`.
    pub code: Cow<'static, str>,
    /// How bad it is.
    pub severity: Severity,
    /// The line, counted from 1.
    pub line: usize,
    /// The character in its line, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub cure: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
#[non_exhaustive]
pub enum Severity {
    /// It works, but perhaps not everywhere or not as meant.
    Warning,
    /// It does not work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            severity,
            line,
            column,
            message,
            cure,
        } = self;
        write!(f, "{line}:{column}: {severity}[{code}]: {message}; {cure}")
    }
}

/// How many findings there are at most; a text with more is not a script that somebody wrote.
pub const MAX_FINDINGS: usize = 1_000;

/// Reads a script for a build and a platform, and says what it found, in the order of the text; at
/// most [`MAX_FINDINGS`].
///
/// ```
/// use netboot_ipxe::lint::{Build, Platform, lint};
///
/// let found = lint("#!ipxe\nkernal http://192.168.100.1/bzImage\n", &Build::debian_12(), Platform::Any);
/// assert_eq!(
///     found[0].to_string(),
///     "2:1: error[unknown-command]: there is no command `kernal`; did you mean `kernel`?"
/// );
/// ```
#[must_use]
pub fn lint(source: &str, build: &Build, platform: Platform) -> Vec<Finding> {
    let mut lint = Lint {
        source,
        starts: LineStarts::new(source),
        build,
        platform,
        found: Vec::new(),
    };
    lint.whole();
    let lines: Vec<LogicalLine<'_>> = lex::logical_lines(source).collect();
    let lines: Vec<ReadLine<'_>> = lines.iter().skip(1).map(|line| lint.read(line)).collect();
    for line in &lines {
        for (index, command) in line.commands.iter().enumerate() {
            let next = line.commands.get(index + 1).and_then(|next| next.before);
            lint.command(line, command, next);
        }
    }
    lint.flow(&lines);
    lint.initrds(&lines);
    lint.found
        .sort_by_key(|finding| (finding.line, finding.column));
    lint.found
}

/// A line as the checks want it.
struct ReadLine<'a> {
    logical: &'a LogicalLine<'a>,
    label: Option<Word<'a>>,
    commands: Vec<ReadCommand<'a>>,
}

/// A command: its words, and what they are as arguments.
struct ReadCommand<'a> {
    before: Option<Operator>,
    words: Vec<Word<'a>>,
    args: Vec<Arg>,
}

impl ReadCommand<'_> {
    /// The command's name, unless it is made from a setting.
    fn name(&self) -> Option<&str> {
        self.args
            .first()
            .and_then(Arg::as_text)
            .filter(|name| !name.is_empty())
    }
}

struct Lint<'a> {
    source: &'a str,
    starts: LineStarts<'a>,
    build: &'a Build,
    platform: Platform,
    found: Vec<Finding>,
}

impl Lint<'_> {
    fn find(
        &mut self,
        severity: Severity,
        code: &'static str,
        offset: usize,
        message: String,
        cure: String,
    ) {
        if self.found.len() >= MAX_FINDINGS {
            return;
        }
        let (line, column) = self.starts.place(offset);
        self.found.push(Finding {
            code: Cow::Borrowed(code),
            severity,
            line,
            column,
            message,
            cure,
        });
    }

    fn at_word(
        &mut self,
        severity: Severity,
        code: &'static str,
        (line, word): (&ReadLine<'_>, Option<&Word<'_>>),
        message: String,
        cure: &str,
    ) {
        let offset = line.logical.source_offset(word.map_or(0, |word| word.at));
        self.find(severity, code, offset, message, cure.to_string());
    }

    /// What concerns the text as a whole.
    fn whole(&mut self) {
        if !lex::has_magic(self.source) {
            let message = ParseProblem::NoMagic.to_string();
            let cure = "make `#!ipxe` the first line, with nothing before it".to_string();
            self.find(Severity::Error, "no-magic", 0, message, cure);
        }
        if let Some(nul) = self.source.find('\0') {
            let message = "iPXE does not see the line after a NUL byte".to_string();
            self.find(
                Severity::Error,
                "nul",
                nul,
                message,
                "take it out".to_string(),
            );
        }
        if !self.source.is_empty() && !self.source.ends_with('\n') {
            let message = "the last line has no line feed".to_string();
            let cure = "end it with one".to_string();
            self.find(
                Severity::Warning,
                "no-final-newline",
                self.source.len(),
                message,
                cure,
            );
        }
    }

    fn read<'a>(&mut self, logical: &'a LogicalLine<'a>) -> ReadLine<'a> {
        if logical.dangling {
            let end = logical.source_offset(logical.text.len());
            let message = "the script ends in a backslash, and iPXE never runs this line";
            let cure = "take the backslash out";
            self.find(
                Severity::Error,
                "unfinished-line",
                end,
                message.to_string(),
                cure.to_string(),
            );
        }
        let split = lex::split(&logical.text);
        let first = core::iter::once((None, split.first));
        let then = split
            .then
            .into_iter()
            .map(|(operator, words)| (Some(operator), words));
        let commands = first.chain(then).map(|(before, words)| {
            let args = words
                .iter()
                .map(|word| {
                    parse::parse_word(word.text).unwrap_or_else(|_| {
                        let offset = logical.source_offset(word.at);
                        let message = format!("settings are nested more than {MAX_DEPTH} deep");
                        let cure = "take them apart with `set`".to_string();
                        self.find(Severity::Error, "nested-too-deep", offset, message, cure);
                        Arg::from(word.text)
                    })
                })
                .collect();
            ReadCommand {
                before,
                words,
                args,
            }
        });
        ReadLine {
            logical,
            label: split.label,
            commands: commands.collect(),
        }
    }
}
