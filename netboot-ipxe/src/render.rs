//! From a script to its text.
//!
//! iPXE splits a line at blanks before it expands settings, and knows neither quotes nor escapes.
//! So a character that would mean something where it stands (a blank inside an argument, `#` at
//! a word's start, a lone operator, a backslash at a line's end) is written as a setting that
//! holds it: `set _20:hex 20` stands once at the top of the script, and `${_20:string}` in the
//! word. What even that cannot say is an error.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
};
use core::fmt::Write as _;

use crate::{
    arg::{Arg, Part},
    command::{ChooseCommand, Command, ImageCommand, ItemCommand},
    error::{Problem, RenderError},
    script::{Line, Script},
};

/// iPXE's `MAX_ARGUMENTS`: more words than this fail the command.
pub(crate) const MAX_WORDS: usize = 255;

pub(crate) const MAGIC: &str = "#!ipxe";

/// The characters that are ever written by a setting of their own.
const ESCAPED: &str = "\t\n\u{b}\u{c}\r #&:;\\|";

pub(crate) fn render(script: &Script) -> Result<String, RenderError> {
    let mut body = String::new();
    let mut escapes = BTreeSet::new();
    for (index, line) in script.lines().iter().enumerate() {
        render_line(&mut body, &mut escapes, index + 1, line)?;
    }
    let mut text = String::with_capacity(MAGIC.len() + 1 + escapes.len() * 16 + body.len());
    text.push_str(MAGIC);
    text.push('\n');
    for c in escapes {
        let code = u32::from(c);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "set _{code:02x}:hex {code:02x}");
    }
    text.push_str(&body);
    Ok(text)
}

/// The character that the setting `_NN:string` stands for.
pub(crate) fn escaped_char(name: &str) -> Option<char> {
    ESCAPED
        .chars()
        .find(|c| name == format!("_{:02x}", u32::from(*c)))
}

fn render_line(
    text: &mut String,
    escapes: &mut BTreeSet<char>,
    number: usize,
    line: &Line,
) -> Result<(), RenderError> {
    let start = text.len();
    let fail = |what: &str, problem| RenderError::new(format!("line {number}, {what}"), problem);
    if let Some(label) = &line.label {
        if let Some(c) = label.chars().find(|c| *c == '\0' || is_blank(*c)) {
            return Err(fail("label", Problem::Character(c)));
        }
        text.push(':');
        text.push_str(label);
    }
    let mut words = Words {
        text,
        escapes,
        start,
        name: "",
        number,
        count: 0,
    };
    words.command(&line.first)?;
    for (operator, command) in &line.then {
        words.raw(operator.token());
        words.command(command)?;
    }
    if let Some(comment) = &line.comment {
        let end = comment.chars().next_back().filter(|c| *c == '\r');
        if let Some(c) = comment.chars().find(|c| matches!(c, '\0' | '\n')).or(end) {
            return Err(fail("comment", Problem::Control(c)));
        }
        words.raw("#");
        text.push_str(comment);
    }
    if text.get(start..).is_some_and(|line| line.ends_with('\\')) {
        return Err(fail("label or comment", Problem::Backslash));
    }
    text.push('\n');
    Ok(())
}

/// What C calls a space, and iPXE splits words at.
pub(crate) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// Writes the words of one line.
struct Words<'a> {
    text: &'a mut String,
    escapes: &'a mut BTreeSet<char>,
    /// Where the line starts.
    start: usize,
    /// The command under way, for errors.
    name: &'a str,
    /// The line's number, for errors.
    number: usize,
    /// Words of the command so far, its name not counted.
    count: usize,
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
    fn command(&mut self, command: &'a Command) -> Result<(), RenderError> {
        self.count = 0;
        match command {
            Command::Nothing => return Ok(()),
            Command::Goto(label) => {
                self.name("goto");
                self.first(label)?;
            }
            Command::Exit(status) => {
                self.name("exit");
                self.maybe(status.as_ref())?;
            }
            Command::Isset(value) => {
                self.name("isset");
                self.first(value)?;
            }
            Command::Iseq(a, b) => {
                self.name("iseq");
                self.first(a)?;
                self.one(b)?;
            }
            Command::Sleep(seconds) => {
                self.name("sleep");
                self.first(seconds)?;
            }
            Command::Prompt {
                key,
                timeout_ms,
                text,
            } => {
                self.name("prompt");
                self.option("--key", key.as_ref())?;
                self.option("--timeout", timeout_ms.as_ref())?;
                self.first_rest(text)?;
            }
            Command::Echo { same_line, text } => {
                self.name("echo");
                self.flag("-n", *same_line);
                self.first_rest(text)?;
            }
            Command::Shell => self.name("shell"),
            Command::Set { setting, value } => {
                self.name("set");
                if keeps_escape(setting) {
                    return Err(self.error("argument 1", Problem::Reserved));
                }
                self.first(setting)?;
                self.rest(value)?;
            }
            Command::Clear(setting) => {
                self.name("clear");
                self.first(setting)?;
            }
            Command::Inc { setting, by } => {
                self.name("inc");
                self.first(setting)?;
                if let Some(by) = by {
                    self.one(by)?;
                }
            }
            Command::Read(setting) => {
                self.name("read");
                self.first(setting)?;
            }
            Command::Image(image) => self.image(image)?,
            Command::Imgfree(images) => {
                self.name("imgfree");
                self.all(images)?;
            }
            Command::Imgverify {
                signer,
                keep,
                image,
                signature,
            } => {
                self.name("imgverify");
                self.option("--signer", signer.as_ref())?;
                self.flag("--keep", *keep);
                self.first(image)?;
                self.one(signature)?;
            }
            Command::Menu {
                name,
                delete,
                title,
            } => {
                self.name("menu");
                self.option("--name", name.as_ref())?;
                self.flag("--delete", *delete);
                self.first_rest(title)?;
            }
            Command::Item(item) => self.item(item)?,
            Command::Choose(choose) => self.choose(choose)?,
            Command::Sanboot {
                drive,
                no_describe,
                keep,
                uris,
            } => {
                self.name("sanboot");
                self.flag("--no-describe", *no_describe);
                self.option("--drive", drive.as_ref())?;
                self.flag("--keep", *keep);
                self.all(uris)?;
            }
            Command::Dhcp(interfaces) => {
                self.name("dhcp");
                self.all(interfaces)?;
            }
            Command::Reboot { warm } => {
                self.name("reboot");
                self.flag("--warm", *warm);
            }
            Command::Other(other) => {
                self.name = "command";
                for word in other.words() {
                    self.one(word)?;
                }
                // Its name is a word as any other here.
                self.count = self.count.saturating_sub(1);
            }
        }
        if self.count > MAX_WORDS {
            let problem = Problem::TooManyWords {
                count: self.count,
                max: MAX_WORDS,
            };
            return Err(RenderError::new(
                format!("line {}, `{}`", self.number, self.name),
                problem,
            ));
        }
        Ok(())
    }

    fn image(&mut self, image: &'a ImageCommand) -> Result<(), RenderError> {
        self.name(image.verb.name());
        self.option("--name", image.name.as_ref())?;
        self.option("--timeout", image.timeout_ms.as_ref())?;
        self.flag("--quiet", image.quiet);
        self.flag("--autofree", image.autofree);
        self.flag("--replace", image.replace);
        if image.replace && !image.verb.runs() {
            return Err(self.error("option --replace", Problem::Unknown));
        }
        match &image.image {
            Some(uri) => self.first(uri)?,
            None if image.args.is_empty() && image.verb.runs() => {}
            None => return Err(self.error("image", Problem::Empty)),
        }
        self.rest(&image.args)
    }

    fn item(&mut self, item: &'a ItemCommand) -> Result<(), RenderError> {
        self.name("item");
        self.option("--menu", item.menu.as_ref())?;
        self.option("--key", item.key.as_ref())?;
        self.flag("--default", item.default);
        self.flag("--gap", item.gap);
        match &item.name {
            // After `--gap`, iPXE takes the first word for text too.
            Some(_) if item.gap => Err(self.error("name of a gap", Problem::Unknown)),
            Some(name) => {
                self.first(name)?;
                self.rest(&item.text)
            }
            None if item.gap => self.first_rest(&item.text),
            None if item.text.is_empty() => Ok(()),
            None => Err(self.error("name", Problem::Empty)),
        }
    }

    fn choose(&mut self, choose: &'a ChooseCommand) -> Result<(), RenderError> {
        self.name("choose");
        self.option("--menu", choose.menu.as_ref())?;
        self.option("--default", choose.default.as_ref())?;
        self.option("--timeout", choose.timeout_ms.as_ref())?;
        self.flag("--keep", choose.keep);
        self.first(&choose.setting)
    }

    fn name(&mut self, name: &'a str) {
        self.name = name;
        self.raw(name);
    }

    fn raw(&mut self, word: &str) {
        self.space();
        self.text.push_str(word);
    }

    fn space(&mut self) {
        if self.text.len() > self.start {
            self.text.push(' ');
        }
    }

    fn flag(&mut self, flag: &str, on: bool) {
        if on {
            self.raw(flag);
            self.count += 1;
        }
    }

    /// `--option value`, or `--option=value` where iPXE would take the value for an option or
    /// would not see it.
    fn option(&mut self, option: &str, value: Option<&Arg>) -> Result<(), RenderError> {
        let Some(value) = value else { return Ok(()) };
        self.raw(option);
        self.count += 2;
        let joined = value.is_empty() || starts_with_dash(value);
        self.text.push(if joined { '=' } else { ' ' });
        self.token_of(value, option)
    }

    fn maybe(&mut self, arg: Option<&Arg>) -> Result<(), RenderError> {
        arg.map_or(Ok(()), |arg| self.first(arg))
    }

    fn all(&mut self, args: &[Arg]) -> Result<(), RenderError> {
        let Some((first, others)) = args.split_first() else {
            return Ok(());
        };
        self.first(first)?;
        others.iter().try_for_each(|arg| self.one(arg))
    }

    /// The first word that is not an option: `--` goes before it where it looks like one.
    fn first(&mut self, arg: &Arg) -> Result<(), RenderError> {
        self.end_options(arg);
        self.one(arg)
    }

    fn first_rest(&mut self, arg: &Arg) -> Result<(), RenderError> {
        self.end_options(arg);
        self.rest(arg)
    }

    fn end_options(&mut self, arg: &Arg) {
        if starts_with_dash(arg) {
            self.raw("--");
            self.count += 1;
        }
    }

    /// An argument as one word.
    fn one(&mut self, arg: &Arg) -> Result<(), RenderError> {
        self.count += 1;
        if arg.is_empty() {
            return Err(self.error(&format!("argument {}", self.count), Problem::Empty));
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
    fn rest(&mut self, arg: &Arg) -> Result<(), RenderError> {
        if arg.is_empty() {
            return Ok(());
        }
        self.count += 1;
        self.space();
        self.rest_parts(arg)
            .map_err(|problem| self.error_at("", problem))
    }

    fn rest_parts(&mut self, arg: &Arg) -> Result<(), Problem> {
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

    fn parts(&mut self, arg: &Arg, token: &mut Token) -> Result<(), Problem> {
        arg.parts()
            .iter()
            .try_for_each(|part| self.part(part, token))
    }

    fn part(&mut self, part: &Part, token: &mut Token) -> Result<(), Problem> {
        // A value may hold the `}` that the text before it waits for.
        token.expands |= token.open && !matches!(part, Part::Text(_));
        match part {
            Part::Text(text) => self.text_part(text, token)?,
            Part::Setting(setting) => {
                setting.check()?;
                let name = setting.name();
                if setting.scope_name().is_none() && escaped_char(name).is_some() {
                    // The name is the renderer's own: read back, it would be a character.
                    return Err(Problem::Reserved);
                }
                token.text_last = false;
                self.text.push_str("${");
                self.text.push_str(&setting.to_string());
                self.text.push('}');
            }
            Part::Computed(name) => {
                token.text_last = false;
                self.text.push_str("${");
                let mut inner = self.token();
                self.parts(name, &mut inner)?;
                let own = name.parts().iter().any(|part| match part {
                    Part::Text(text) => text.contains('}') || text.contains("${"),
                    _ => false,
                });
                if own {
                    return Err(Problem::Expansion);
                }
                self.text.push('}');
            }
        }
        Ok(())
    }

    fn text_part(&mut self, text: &str, token: &mut Token) -> Result<(), Problem> {
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
                return Err(Problem::Nul);
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
    fn end_token(&mut self, token: &Token) -> Result<(), Problem> {
        if token.expands {
            return Err(Problem::Expansion);
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

    fn error_at(&self, option: &str, problem: Problem) -> RenderError {
        if option.is_empty() {
            self.error(&format!("argument {}", self.count), problem)
        } else {
            self.error(&format!("option {option}"), problem)
        }
    }

    fn error(&self, what: &str, problem: Problem) -> RenderError {
        RenderError::new(
            format!("line {}, `{}`, {what}", self.number, self.name),
            problem,
        )
    }
}

/// True for the name of a setting that holds a character for the renderer.
fn keeps_escape(setting: &Arg) -> bool {
    let name = setting.as_text().and_then(|text| text.split(':').next());
    name.is_some_and(|name| escaped_char(name).is_some())
}

fn escape(c: char) -> String {
    format!("${{_{:02x}:string}}", u32::from(c))
}

fn starts_with_dash(arg: &Arg) -> bool {
    matches!(arg.parts().first(), Some(Part::Text(text)) if text.starts_with('-'))
}
