//! From a script to its text.
//!
//! iPXE splits a line at blanks before it expands settings, and knows neither quotes nor escapes.
//! So a character that would mean something where it stands (a blank inside an argument, `#` at
//! a word's start, a lone operator, a backslash at a line's end) is written as a setting that
//! holds it: `set _20:hex 20` stands once at the top of the script, and `${_20:string}` in the
//! word. What even that cannot say is an error.

mod words;

use alloc::{collections::BTreeSet, format, string::String};
use core::fmt::Write as _;

use self::words::Words;
use crate::{
    arg::Arg,
    command::{ChooseCommand, Command, ImageCommand, ItemCommand},
    error::{RenderError, RenderProblem},
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
    let code = name.strip_prefix('_')?;
    let lower_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if code.len() != 2 || !code.bytes().all(lower_hex) {
        return None;
    }
    let c = char::from(u8::from_str_radix(code, 16).ok()?);
    Some(c).filter(|c| ESCAPED.contains(*c))
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
            return Err(fail("label", RenderProblem::Character(c)));
        }
        text.push(':');
        text.push_str(label);
    }
    let mut words = Words::new(text, escapes, start, number);
    words.command(&line.first)?;
    for (operator, command) in &line.then {
        words.raw(operator.token());
        words.command(command)?;
    }
    if let Some(comment) = &line.comment {
        let end = comment.chars().next_back().filter(|c| *c == '\r');
        if let Some(c) = comment.chars().find(|c| matches!(c, '\0' | '\n')).or(end) {
            return Err(fail("comment", RenderProblem::Control(c)));
        }
        words.raw("#");
        text.push_str(comment);
    }
    if text.get(start..).is_some_and(|line| line.ends_with('\\')) {
        return Err(fail("label or comment", RenderProblem::Backslash));
    }
    text.push('\n');
    Ok(())
}

/// What C calls a space, and iPXE splits words at.
pub(crate) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
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
                    return Err(self.error("argument 1", RenderProblem::Reserved));
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
            let problem = RenderProblem::TooManyWords {
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
            return Err(self.error("option --replace", RenderProblem::Unknown));
        }
        match &image.image {
            Some(uri) => self.first(uri)?,
            None if image.args.is_empty() && image.verb.runs() => {}
            None => return Err(self.error("image", RenderProblem::Empty)),
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
            Some(_) if item.gap => Err(self.error("name of a gap", RenderProblem::Unknown)),
            Some(name) => {
                self.first(name)?;
                self.rest(&item.text)
            }
            None if item.gap => self.first_rest(&item.text),
            None if item.text.is_empty() => Ok(()),
            None => Err(self.error("name", RenderProblem::Empty)),
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
}

/// True for the name of a setting that holds a character for the renderer.
fn keeps_escape(setting: &Arg) -> bool {
    let name = setting.as_text().and_then(|text| text.split(':').next());
    name.is_some_and(|name| escaped_char(name).is_some())
}
