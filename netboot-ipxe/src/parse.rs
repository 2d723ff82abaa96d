//! From a script's text to the model.
//!
//! A command that is misspelt or misused is no error here: it is kept word by word. What is an
//! error is what iPXE would not run as a script at all, or not to its end.

use alloc::{string::String, vec::Vec};

use crate::{
    arg::{Arg, Part},
    classify,
    command::Command,
    lex::{self, LogicalLine, Word},
    render::escaped_char,
    script::{Line, Script},
    setting::{Setting, SettingType},
};

/// How deep `${…}` may stand inside another: this many.
pub(crate) const MAX_DEPTH: usize = 16;

/// Why a text is no script, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ParseError {
    line: usize,
    column: usize,
    offset: usize,
    problem: ParseProblem,
}

/// What is wrong with a text that is no script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseProblem {
    /// It does not start with `#!ipxe` and a blank: iPXE does not take it for a script.
    #[error("a script starts with `#!ipxe` and the end of the line")]
    NoMagic,
    /// A NUL byte: iPXE would not see the rest of the line.
    #[error("holds a NUL byte")]
    Nul,
    /// A backslash at the end of the last line, with no line to join: iPXE never runs that line.
    #[error("the last line ends in a backslash")]
    Unfinished,
    /// Settings nested more than 16 deep.
    #[error("settings are nested too deep")]
    TooDeep,
}

impl ParseError {
    fn new(source: &str, offset: usize, problem: ParseProblem) -> Self {
        let (line, column) = line_and_column(source, offset);
        Self {
            line,
            column,
            offset,
            problem,
        }
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The character in its line, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The byte in the text, counted from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> ParseProblem {
        self.problem
    }
}

/// Line and column of a byte, each counted from 1.
pub(crate) fn line_and_column(source: &str, offset: usize) -> (usize, usize) {
    LineStarts::new(source).place(offset)
}

/// Where each line of a text starts, for looking up many places in it.
pub(crate) struct LineStarts<'a> {
    source: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineStarts<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        let feeds = source.match_indices('\n').map(|(feed, _)| feed + 1);
        Self {
            source,
            starts: core::iter::once(0).chain(feeds).collect(),
        }
    }

    /// Line and column of a byte, each counted from 1.
    pub(crate) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        let before = self.source.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

pub(crate) fn parse(source: &str) -> Result<Script, ParseError> {
    if !lex::has_magic(source) {
        return Err(ParseError::new(source, 0, ParseProblem::NoMagic));
    }
    if let Some(nul) = source.find('\0') {
        return Err(ParseError::new(source, nul, ParseProblem::Nul));
    }
    let mut escapes = Escapes {
        known: Vec::new(),
        open: true,
    };
    let mut script = Script::new();
    for (index, line) in lex::logical_lines(source).enumerate() {
        if line.dangling {
            let offset = source
                .trim_end_matches(['\r', '\n'])
                .len()
                .saturating_sub(1);
            return Err(ParseError::new(source, offset, ParseProblem::Unfinished));
        }
        // The first line is the magic, and otherwise a comment.
        if index > 0
            && let Some(line) = parse_line(&line, &mut escapes)
                .map_err(|(at, problem)| ParseError::new(source, line.source_offset(at), problem))?
        {
            script.line(line);
        }
    }
    Ok(script)
}

/// The characters that lines right after the magic keep in settings, as the renderer writes them.
struct Escapes {
    known: Vec<char>,
    /// Only such lines so far.
    open: bool,
}

impl Escapes {
    /// True where a line is one of those; it is not part of the model.
    fn take(&mut self, line: &str) -> bool {
        let code = line
            .strip_prefix("set ")
            .and_then(|rest| rest.split_once(":hex "));
        let escaped = code.and_then(|(name, hex)| {
            escaped_char(name).filter(|_| name.strip_prefix('_') == Some(hex))
        });
        match escaped.filter(|_| self.open) {
            Some(c) => {
                self.known.push(c);
                true
            }
            None => {
                self.open = false;
                false
            }
        }
    }

    fn char_of(&self, setting: &Setting) -> Option<char> {
        let plain =
            setting.scope_name().is_none() && setting.setting_type() == Some(&SettingType::String);
        escaped_char(setting.name()).filter(|c| plain && self.known.contains(c))
    }
}

fn parse_line(
    line: &LogicalLine<'_>,
    escapes: &mut Escapes,
) -> Result<Option<Line>, (usize, ParseProblem)> {
    if escapes.take(&line.text) {
        return Ok(None);
    }
    let split = lex::split(&line.text);
    let command = |words: &[Word<'_>]| -> Result<Command, (usize, ParseProblem)> {
        let mut args = Vec::with_capacity(words.len());
        for word in words {
            args.push(parse_arg(word.text, escapes).map_err(|problem| (word.at, problem))?);
        }
        Ok(classify::command(args))
    };
    let then = split
        .then
        .iter()
        .map(|(operator, words)| Ok((*operator, command(words)?)));
    Ok(Some(Line {
        label: split.label.map(|label| String::from(label.text)),
        first: command(&split.first)?,
        then: then.collect::<Result<_, _>>()?,
        comment: split.comment.map(String::from),
    }))
}

/// A word as it stands, without regard to characters kept in settings.
pub(crate) fn parse_word(word: &str) -> Result<Arg, ParseProblem> {
    parse_arg(
        word,
        &Escapes {
            known: Vec::new(),
            open: false,
        },
    )
}

/// A word as text and settings. Like iPXE, it takes the last `${` before the first `}` for a pair;
/// what has no partner is text.
fn parse_arg(word: &str, escapes: &Escapes) -> Result<Arg, ParseProblem> {
    if !word.contains("${") {
        return Ok(word.into());
    }
    // What stands before each `${` that is open, with how deep its settings go.
    let mut open: Vec<(Arg, usize)> = Vec::new();
    let (mut current, mut depth) = (Arg::new(), 0);
    let mut left = word;
    while let Some(at) = left.find(['$', '}']) {
        let (text, rest) = left.split_at(at);
        current = current.text(text);
        if let Some(inner) = rest.strip_prefix("${") {
            open.push((core::mem::take(&mut current), depth));
            depth = 0;
            left = inner;
        } else if let Some(after) = rest.strip_prefix('}') {
            current = match open.pop() {
                Some(_) if depth >= MAX_DEPTH => return Err(ParseProblem::TooDeep),
                Some((outer, outer_depth)) => {
                    depth = outer_depth.max(depth + 1);
                    add_setting(outer.computed(current), escapes)
                }
                None => current.text("}"),
            };
            left = after;
        } else {
            current = current.text("$");
            left = rest.strip_prefix('$').unwrap_or_default();
        }
    }
    current = current.text(left);
    if open.is_empty() {
        return Ok(current);
    }
    // What is still open was never closed: it is text.
    open.push((current, depth));
    let mut pieces = open.into_iter().map(|(piece, _)| piece);
    let first = pieces.next().unwrap_or_default();
    Ok(pieces.fold(first, |whole, piece| whole.text("${").join(&piece)))
}

/// The argument with its last part, a setting, as the character it stands for, if it does.
fn add_setting(arg: Arg, escapes: &Escapes) -> Arg {
    let Some((Part::Setting(last), before)) = arg.parts().split_last() else {
        return arg;
    };
    let Some(c) = escapes.char_of(last) else {
        return arg;
    };
    let mut out = Arg::new();
    for part in before {
        out = out.part(part);
    }
    out.text(c.encode_utf8(&mut [0; 4]))
}
