//! Scripts as data, and the builder: one method adds one line.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::str::FromStr;

use crate::{
    arg::Arg,
    command::{ChooseCommand, Command, ImageCommand, ImageVerb, ItemCommand},
    error::RenderError,
    parse::{self, ParseError},
    render,
    setting::Setting,
};

/// A script: lines in order.
///
/// ```
/// use netboot_ipxe::{Arg, Command, Script, Setting};
///
/// let mut script = Script::new();
/// script
///     .label("start")
///     .dhcp()
///     .or_goto("start")
///     .echo(Arg::from("address ").setting(Setting::new("ip")))
///     .shell();
/// assert_eq!(
///     script.render()?,
///     "#!ipxe\n:start\ndhcp || goto start\necho address ${ip}\nshell\n"
/// );
/// # Ok::<(), netboot_ipxe::RenderError>(())
/// ```
///
/// What was read can be changed. Another kernel argument:
///
/// ```
/// use netboot_ipxe::{Command, CommandLine, ImageVerb, Script};
///
/// let mut script = Script::parse("#!ipxe\nkernel vmlinuz console=tty0 quiet\nboot\n")?;
/// for command in script.commands_mut() {
///     if let Command::Image(image) = command && image.verb == ImageVerb::Kernel {
///         let mut line = CommandLine::try_from(&image.args)?;
///         line.set("console", "ttyS0");
///         image.args = (&line).try_into()?;
///     }
/// }
/// assert_eq!(script.render()?, "#!ipxe\nkernel vmlinuz console=ttyS0 quiet\nboot\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    lines: Vec<Line>,
}

/// A line: a label, commands with what stands between them, a comment; each may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// The label, without its colon. It is text to the letter: iPXE expands nothing in it.
    pub label: Option<String>,
    /// The first command.
    pub first: Command,
    /// The commands after it, each with the operator before it.
    pub then: Vec<(Operator, Command)>,
    /// What stands after `#`.
    pub comment: Option<String>,
}

/// What decides whether the next command of a line runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `||`: where the last one that ran failed.
    Or,
    /// `&&`: where the last one that ran succeeded.
    And,
    /// `;`: always.
    Always,
}

impl Operator {
    /// How it is written: a word of its own.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Always => ";",
        }
    }
}

impl Line {
    /// A line of one command.
    #[must_use]
    pub fn new(command: Command) -> Self {
        Self {
            label: None,
            first: command,
            then: Vec::new(),
            comment: None,
        }
    }

    /// All its commands, in order.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        core::iter::once(&self.first).chain(self.then.iter().map(|(_, command)| command))
    }

    /// The same, to be changed.
    pub fn commands_mut(&mut self) -> impl Iterator<Item = &mut Command> {
        let then = self.then.iter_mut().map(|(_, command)| command);
        core::iter::once(&mut self.first).chain(then)
    }
}

impl Script {
    /// A script without lines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The lines, in order.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The lines, to be changed, added to and taken out.
    pub fn lines_mut(&mut self) -> &mut Vec<Line> {
        &mut self.lines
    }

    /// The commands of all lines, in order.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.lines.iter().flat_map(Line::commands)
    }

    /// The same, to be changed.
    pub fn commands_mut(&mut self) -> impl Iterator<Item = &mut Command> {
        self.lines.iter_mut().flat_map(Line::commands_mut)
    }

    /// Reads a script. Rendering it again gives a script of the same meaning; layout within lines
    /// and what follows the magic on its line are not kept.
    ///
    /// ```
    /// use netboot_ipxe::{Command, Script};
    ///
    /// let script = Script::parse("#!ipxe\n  dhcp  ||  shell # no network\n")?;
    /// assert_eq!(script.lines()[0].first, Command::Dhcp(vec![]));
    /// assert_eq!(script.render()?, "#!ipxe\ndhcp || shell # no network\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where iPXE would not take it for a script, or would not see all of it; the error has the
    /// place. A command that iPXE does not know is no error: it is kept word by word.
    pub fn parse(source: &str) -> Result<Self, ParseError> {
        parse::parse(source)
    }

    /// The script as iPXE reads it, ending in a line feed. The same script always gives the same
    /// text.
    ///
    /// # Errors
    ///
    /// Where an argument holds what iPXE cannot represent; the error names it.
    pub fn render(&self) -> Result<String, RenderError> {
        render::render(self)
    }

    /// Adds a line.
    pub fn line(&mut self, line: Line) -> &mut Self {
        self.lines.push(line);
        self
    }

    /// Adds a line of one command.
    pub fn command(&mut self, command: Command) -> &mut Self {
        self.line(Line::new(command))
    }

    /// Adds a line that is a label. It holds no blank and is written to the letter.
    pub fn label(&mut self, label: &str) -> &mut Self {
        self.line(Line {
            label: Some(label.into()),
            ..Line::new(Command::Nothing)
        })
    }

    /// Adds a line that is a comment.
    pub fn comment(&mut self, text: &str) -> &mut Self {
        let text = if text.is_empty() {
            String::new()
        } else {
            [" ", text].concat()
        };
        self.line(Line {
            comment: Some(text),
            ..Line::new(Command::Nothing)
        })
    }

    /// Adds a command to the last line, or to a first one where there is none.
    pub fn then(&mut self, operator: Operator, command: Command) -> &mut Self {
        if self.lines.is_empty() {
            self.lines.push(Line::new(Command::Nothing));
        }
        if let Some(line) = self.lines.last_mut() {
            line.then.push((operator, command));
        }
        self
    }

    /// Adds `|| goto label` to the last line.
    pub fn or_goto(&mut self, label: &str) -> &mut Self {
        self.then(Operator::Or, Command::Goto(label.into()))
    }

    /// Adds `&& goto label` to the last line.
    pub fn and_goto(&mut self, label: &str) -> &mut Self {
        self.then(Operator::And, Command::Goto(label.into()))
    }

    /// Adds `||` and nothing after it to the last line: its failure does not end the script.
    pub fn or_nothing(&mut self) -> &mut Self {
        self.then(Operator::Or, Command::Nothing)
    }

    /// Adds `goto`. The label may hold settings.
    pub fn goto(&mut self, label: impl Into<Arg>) -> &mut Self {
        self.command(Command::Goto(label.into()))
    }

    /// Adds `exit` with a status.
    pub fn exit(&mut self, status: u8) -> &mut Self {
        self.command(Command::Exit(Some(u32::from(status).into())))
    }

    /// Adds `isset`.
    pub fn isset(&mut self, value: impl Into<Arg>) -> &mut Self {
        self.command(Command::Isset(value.into()))
    }

    /// Adds `iseq`.
    pub fn iseq(&mut self, a: impl Into<Arg>, b: impl Into<Arg>) -> &mut Self {
        self.command(Command::Iseq(a.into(), b.into()))
    }

    /// Adds `sleep`.
    pub fn sleep(&mut self, seconds: u32) -> &mut Self {
        self.command(Command::Sleep(seconds.into()))
    }

    /// Adds `echo`.
    pub fn echo(&mut self, text: impl Into<Arg>) -> &mut Self {
        self.command(Command::Echo {
            same_line: false,
            text: text.into(),
        })
    }

    /// Adds `prompt` for any key, without a timeout where there is none.
    pub fn prompt(&mut self, text: impl Into<Arg>, timeout_ms: Option<u32>) -> &mut Self {
        self.command(Command::Prompt {
            key: None,
            timeout_ms: timeout_ms.map(Arg::from),
            text: text.into(),
        })
    }

    /// Adds `shell`.
    pub fn shell(&mut self) -> &mut Self {
        self.command(Command::Shell)
    }

    /// Adds `set`.
    pub fn set(&mut self, setting: &Setting, value: impl Into<Arg>) -> &mut Self {
        self.command(Command::Set {
            setting: setting.to_string().into(),
            value: value.into(),
        })
    }

    /// Adds `inc` by one.
    pub fn inc(&mut self, setting: &Setting) -> &mut Self {
        self.command(Command::Inc {
            setting: setting.to_string().into(),
            by: None,
        })
    }

    /// Adds `imgfree` for all images.
    pub fn imgfree(&mut self) -> &mut Self {
        self.command(Command::Imgfree(Vec::new()))
    }

    /// Adds `kernel` with the name it gets and its arguments.
    pub fn kernel(
        &mut self,
        name: impl Into<Arg>,
        url: impl Into<Arg>,
        args: impl Into<Arg>,
    ) -> &mut Self {
        self.command(Command::Image(ImageCommand {
            name: Some(name.into()),
            args: args.into(),
            ..ImageCommand::new(ImageVerb::Kernel, Some(url.into()))
        }))
    }

    /// Adds `initrd` with the name it gets.
    pub fn initrd(&mut self, name: impl Into<Arg>, url: impl Into<Arg>) -> &mut Self {
        self.command(Command::Image(ImageCommand {
            name: Some(name.into()),
            ..ImageCommand::new(ImageVerb::Initrd, Some(url.into()))
        }))
    }

    /// Adds `boot` of the kernel selected.
    pub fn boot(&mut self) -> &mut Self {
        self.command(Command::Image(ImageCommand::new(ImageVerb::Boot, None)))
    }

    /// Adds `chain`.
    pub fn chain(&mut self, url: impl Into<Arg>) -> &mut Self {
        self.command(Command::Image(ImageCommand::new(
            ImageVerb::Chain,
            Some(url.into()),
        )))
    }

    /// Adds `menu`.
    pub fn menu(&mut self, title: impl Into<Arg>) -> &mut Self {
        self.command(Command::Menu {
            name: None,
            delete: false,
            title: title.into(),
        })
    }

    /// Adds `item`.
    pub fn item(&mut self, item: ItemCommand) -> &mut Self {
        self.command(Command::Item(item))
    }

    /// Adds `choose`.
    pub fn choose(&mut self, choose: ChooseCommand) -> &mut Self {
        self.command(Command::Choose(choose))
    }

    /// Adds `dhcp` on all interfaces.
    pub fn dhcp(&mut self) -> &mut Self {
        self.command(Command::Dhcp(Vec::new()))
    }
}

impl FromStr for Script {
    type Err = ParseError;

    fn from_str(source: &str) -> Result<Self, ParseError> {
        Self::parse(source)
    }
}

impl FromIterator<Line> for Script {
    fn from_iter<I: IntoIterator<Item = Line>>(lines: I) -> Self {
        Self {
            lines: lines.into_iter().collect(),
        }
    }
}

impl Extend<Line> for Script {
    fn extend<I: IntoIterator<Item = Line>>(&mut self, lines: I) {
        self.lines.extend(lines);
    }
}
