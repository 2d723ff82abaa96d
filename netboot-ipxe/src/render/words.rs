//! Words: arguments written so that iPXE splits and expands them back into what they were.

use alloc::{collections::BTreeSet, format, string::String};
use core::fmt::Write as _;

use super::{escaped_char, is_blank};
use crate::{
    arg::{Arg, Part},
    error::{RenderError, RenderProblem},
    parse::MAX_DEPTH,
};

/// Writes the words of one line.
pub(super) struct Words<'a> {
    text: &'a mut String,
    escapes: &'a mut BTreeSet<char>,
    /// Where the line starts.
    start: usize,
    /// The command under way, for errors.
    pub(super) name: &'a str,
    /// The line's number, for errors.
    pub(super) number: usize,
    /// Words of the command so far, its name and options not counted.
    pub(super) count: usize,
    /// How many settings are open where it writes.
    depth: usize,
}

/// Where a token of the line is, and what is odd in it.
struct Token {
    start: usize,
    /// Its first character is text, not a setting's.
    text_first: bool,
    /// Its last character is text.
    text_last: bool,
    /// Text holds `${`, as yet without its `}`.
    open: bool,
    /// Text holds `${` and what closes it, or may: iPXE would expand it.
    expands: bool,
}

impl<'a> Words<'a> {
    pub(super) fn new(
        text: &'a mut String,
        escapes: &'a mut BTreeSet<char>,
        start: usize,
        number: usize,
    ) -> Self {
        Self {
            text,
            escapes,
            start,
            name: "",
            number,
            count: 0,
            depth: 0,
        }
    }

    pub(super) fn name(&mut self, name: &'a str) {
        self.name = name;
        self.raw(name);
    }

    pub(super) fn raw(&mut self, word: &str) {
        self.space();
        self.text.push_str(word);
    }

    fn space(&mut self) {
        if self.text.len() > self.start {
            self.text.push(' ');
        }
    }

    pub(super) fn flag(&mut self, flag: &str, on: bool) {
        if on {
            self.raw(flag);
        }
    }

    /// `--option value`, or `--option=value` where iPXE would take the value for an option or
    /// would not see it.
    pub(super) fn option(&mut self, option: &str, value: Option<&Arg>) -> Result<(), RenderError> {
        let Some(value) = value else { return Ok(()) };
        self.raw(option);
        let joined = value.is_empty() || starts_with_dash(value);
        self.text.push(if joined { '=' } else { ' ' });
        self.token_of(value, option)
    }

    pub(super) fn maybe(&mut self, arg: Option<&Arg>) -> Result<(), RenderError> {
        arg.map_or(Ok(()), |arg| self.first(arg))
    }

    pub(super) fn all(&mut self, args: &[Arg]) -> Result<(), RenderError> {
        let Some((first, others)) = args.split_first() else {
            return Ok(());
        };
        self.first(first)?;
        others.iter().try_for_each(|arg| self.one(arg))
    }

    /// The first word that is not an option: `--` goes before it where it looks like one.
    pub(super) fn first(&mut self, arg: &Arg) -> Result<(), RenderError> {
        self.end_options(arg);
        self.one(arg)
    }

    pub(super) fn first_rest(&mut self, arg: &Arg) -> Result<(), RenderError> {
        self.end_options(arg);
        self.rest(arg)
    }

    fn end_options(&mut self, arg: &Arg) {
        if starts_with_dash(arg) {
            self.raw("--");
        }
    }

    /// An argument as one word.
    pub(super) fn one(&mut self, arg: &Arg) -> Result<(), RenderError> {
        self.count += 1;
        if arg.is_empty() {
            return Err(self.error(&format!("argument {}", self.count), RenderProblem::Empty));
        }
        self.space();
        self.token_of(arg, "")
    }

    fn token_of(&mut self, arg: &Arg, option: &str) -> Result<(), RenderError> {
        let mut token = self.token();
        let written = self
            .parts(arg, &mut token)
            .and_then(|()| self.end_token(&token));
        written.map_err(|problem| self.error_at(option, problem))
    }

    /// An argument as all the words that are left: iPXE joins them with single spaces.
    pub(super) fn rest(&mut self, arg: &Arg) -> Result<(), RenderError> {
        if arg.is_empty() {
            return Ok(());
        }
        self.count += 1;
        self.space();
        self.rest_parts(arg)
            .map_err(|problem| self.error_at("", problem))
    }

    fn rest_parts(&mut self, arg: &Arg) -> Result<(), RenderProblem> {
        let mut token = self.token();
        for (index, part) in arg.parts().iter().enumerate() {
            let Part::Text(text) = part else {
                self.part(part, &mut token)?;
                continue;
            };
            let last = index + 1 == arg.parts().len();
            let mut left = text.as_str();
            while let Some((word, after)) = left.split_once(' ') {
                self.text_part(word, &mut token)?;
                let in_word = self.text.len() > token.start;
                if in_word && !(last && after.is_empty()) {
                    self.end_token(&token)?;
                    self.text.push(' ');
                    self.count += 1;
                    token = self.token();
                } else {
                    self.escape(' ', &mut token);
                }
                left = after;
            }
            self.text_part(left, &mut token)?;
        }
        self.end_token(&token)
    }

    fn token(&self) -> Token {
        Token {
            start: self.text.len(),
            text_first: false,
            text_last: false,
            open: false,
            expands: false,
        }
    }

    fn parts(&mut self, arg: &Arg, token: &mut Token) -> Result<(), RenderProblem> {
        arg.parts()
            .iter()
            .try_for_each(|part| self.part(part, token))
    }

    fn part(&mut self, part: &Part, token: &mut Token) -> Result<(), RenderProblem> {
        // A value may hold the `}` that the text before it waits for.
        token.expands |= token.open && !matches!(part, Part::Text(_));
        if self.depth >= MAX_DEPTH && !matches!(part, Part::Text(_)) {
            return Err(RenderProblem::TooDeep);
        }
        match part {
            Part::Text(text) => self.text_part(text, token)?,
            Part::Setting(setting) => {
                setting.check()?;
                let name = setting.name();
                if setting.scope_name().is_none() && escaped_char(name).is_some() {
                    // The name is the renderer's own: read back, it would be a character.
                    return Err(RenderProblem::Reserved);
                }
                token.text_last = false;
                self.text.push_str("${");
                // Writing to a String cannot fail.
                let _ = write!(self.text, "{setting}");
                self.text.push('}');
            }
            Part::Computed(name) => {
                token.text_last = false;
                self.text.push_str("${");
                let mut inner = self.token();
                self.depth += 1;
                let written = self.parts(name, &mut inner);
                self.depth -= 1;
                written?;
                let own = name.parts().iter().any(|part| match part {
                    Part::Text(text) => text.contains('}') || text.contains("${"),
                    _ => false,
                });
                if own {
                    return Err(RenderProblem::Expansion);
                }
                self.text.push('}');
            }
        }
        Ok(())
    }

    fn text_part(&mut self, text: &str, token: &mut Token) -> Result<(), RenderProblem> {
        if text.is_empty() {
            return Ok(());
        }
        if let Some(open) = if token.open { Some(0) } else { text.find("${") } {
            token.open = true;
            token.expands |= text.get(open..).is_some_and(|text| text.contains('}'));
        }
        if text.bytes().all(|b| b > b' ') {
            token.text_first |= self.text.len() == token.start;
            token.text_last = true;
            self.text.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            if c == '\0' {
                return Err(RenderProblem::Nul);
            }
            if is_blank(c) {
                self.escape(c, token);
            } else {
                token.text_first |= self.text.len() == token.start;
                token.text_last = true;
                self.text.push(c);
            }
        }
        Ok(())
    }

    fn escape(&mut self, c: char, token: &mut Token) {
        token.text_last = false;
        self.escapes.insert(c);
        self.text.push_str(&escape(c));
    }

    /// Looks at the token as a whole: what would give it a meaning is written otherwise.
    fn end_token(&mut self, token: &Token) -> Result<(), RenderProblem> {
        if token.expands {
            return Err(RenderProblem::Expansion);
        }
        if token.text_last && self.text.ends_with('\\') {
            self.text.pop();
            self.escapes.insert('\\');
            self.text.push_str(&escape('\\'));
        }
        let written = self.text.get(token.start..).unwrap_or_default();
        let first = written.chars().next().filter(|&c| {
            token.text_first
                && (c == '#'
                    || (c == ':' && token.start == self.start)
                    || matches!(written, "||" | "&&" | ";"))
        });
        if let Some(first) = first {
            self.escapes.insert(first);
            self.text
                .replace_range(token.start..token.start + first.len_utf8(), &escape(first));
        }
        Ok(())
    }

    fn error_at(&self, option: &str, problem: RenderProblem) -> RenderError {
        if option.is_empty() {
            self.error(&format!("argument {}", self.count), problem)
        } else {
            self.error(&format!("option {option}"), problem)
        }
    }

    pub(super) fn error(&self, what: &str, problem: RenderProblem) -> RenderError {
        RenderError::new(
            format!("line {}, `{}`, {what}", self.number, self.name),
            problem,
        )
    }
}

fn escape(c: char) -> String {
    format!("${{_{:02x}:string}}", u32::from(c))
}

fn starts_with_dash(arg: &Arg) -> bool {
    matches!(arg.parts().first(), Some(Part::Text(text)) if text.starts_with('-'))
}
