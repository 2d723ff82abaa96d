//! The interpreter: runs a script as data, and hands what would touch the world to the caller.
//!
//! [`Run::next`] goes on to the next [`Effect`]; the caller answers it with the following call.
//! What iPXE decides by itself (settings, expansion, guards, `goto`, menus as they are put
//! together) is decided here, in iPXE's order: words are split, then expanded, then options are
//! read.

mod command;
mod effect;
mod menu;
mod settings;
mod value;

use alloc::{collections::BTreeMap, string::String, vec::Vec};

pub(crate) use self::command::name_of;
use self::menu::Menu;
pub use self::{
    effect::{Answer, Effect, End, FormField, Image, MenuItem},
    settings::Settings,
};
use crate::{
    lex,
    parse::{self, LineStarts, ParseError},
    script::Operator,
};

/// How many commands and expansions a script may take; `goto` makes loops.
pub const MAX_STEPS: u32 = 100_000;

/// How long a word may become, and all words of a command together, in bytes. iPXE keeps them on
/// a stack of 8,192 bytes.
const MAX_WORDS_LEN: usize = 16_384;

/// How many images a script may gather, and how many items a menu.
const MAX_HELD: usize = 1_024;

/// How many menus and forms there may be at a time.
const MAX_MENUS: usize = 16;

/// A script under way.
///
/// ```
/// use netboot_ipxe::run::{Answer, Effect, End, Run};
///
/// let mut run = Run::new("#!ipxe\nset x 5\niseq ${x} 5 && echo five ||\nexit 3\n")?;
/// assert_eq!(run.next(Answer::Done), Effect::Echo { text: "five".into(), same_line: false });
/// assert_eq!(run.next(Answer::Done), Effect::End(End::Exit { status: 3 }));
/// # Ok::<(), netboot_ipxe::ParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Run {
    lines: Vec<RunLine>,
    /// For each label, the first line that has it.
    labels: BTreeMap<String, usize>,
    settings: Settings,
    images: Vec<Image>,
    selected: Option<String>,
    menus: Vec<Menu>,
    at: usize,
    next_command: usize,
    succeeded: bool,
    pending: Option<Pending>,
    steps: u32,
    end: Option<End>,
}

#[derive(Debug, Clone)]
struct RunLine {
    number: usize,
    commands: Vec<(Operator, Vec<String>)>,
}

/// What an answer is for.
#[derive(Debug, Clone)]
enum Pending {
    Nothing,
    Fetch {
        image: Image,
        then: After,
    },
    Booted {
        autofree: Option<String>,
        replace: bool,
    },
    Chosen {
        setting: String,
        names: Vec<String>,
    },
    Form {
        title: String,
        fields: Vec<FormField>,
    },
    Read {
        setting: String,
    },
}

/// What is done with an image once it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum After {
    Keep,
    Select,
    Run { replace: bool, autofree: bool },
}

/// How a command went.
enum Flow {
    Done(bool),
    Ask(Effect, Pending),
    Goto(usize),
    End(End),
}

impl Run {
    /// A script from its text, at its start and with no settings.
    ///
    /// # Errors
    ///
    /// As [`Script::parse`](crate::Script::parse).
    pub fn new(source: &str) -> Result<Self, ParseError> {
        parse::parse(source)?;
        let starts = LineStarts::new(source);
        let (mut lines, mut labels) = (Vec::new(), BTreeMap::new());
        for line in lex::logical_lines(source).skip(1) {
            let split = lex::split(&line.text);
            let words = |words: &[lex::Word<'_>]| words.iter().map(|w| w.text.into()).collect();
            // Before the first command there is nothing that could have failed.
            let mut commands = alloc::vec![(Operator::Always, words(&split.first))];
            commands.extend(
                split
                    .then
                    .iter()
                    .map(|(operator, then)| (*operator, words(then))),
            );
            if let Some(label) = split.label {
                labels.entry(label.text.into()).or_insert(lines.len());
            }
            lines.push(RunLine {
                number: starts.place(line.source_offset(0)).0,
                commands,
            });
        }
        Ok(Self {
            lines,
            labels,
            settings: Settings::new(),
            images: Vec::new(),
            selected: None,
            menus: Vec::new(),
            at: 0,
            next_command: 0,
            succeeded: true,
            pending: None,
            steps: 0,
            end: None,
        })
    }

    /// The settings as they are now.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The settings, to write what the machine brings along, such as `net0/mac`.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The images that are there now.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// Goes on to the next effect. `answer` is for the one before; the first call's is not looked
    /// at.
    pub fn next(&mut self, answer: Answer) -> Effect {
        if let Some(end) = &self.end {
            return Effect::End(end.clone());
        }
        if let Some(pending) = self.pending.take()
            && let Some(effect) = self.answered(pending, answer)
        {
            return effect;
        }
        loop {
            let Some(line) = self.lines.get(self.at) else {
                return self.finish(End::Exit { status: 0 });
            };
            let Some((operator, words)) = line.commands.get(self.next_command) else {
                if !self.succeeded {
                    let number = line.number;
                    return self.failed(number);
                }
                self.at += 1;
                self.next_command = 0;
                continue;
            };
            let runs = match operator {
                Operator::Always => true,
                Operator::Or => !self.succeeded,
                Operator::And => self.succeeded,
            };
            self.next_command += 1;
            if !runs {
                if !self.step() {
                    return self.finish(End::Unbounded);
                }
                continue;
            }
            let words = words.clone();
            let flow = match self.expand_all(&words) {
                Some(words) => self.command(&words),
                None => Flow::End(End::Unbounded),
            };
            if let Some(effect) = self.follow(flow) {
                return effect;
            }
        }
    }

    /// Takes a command's outcome; gives what has to go to the caller.
    fn follow(&mut self, flow: Flow) -> Option<Effect> {
        match flow {
            Flow::Done(succeeded) => {
                self.succeeded = succeeded;
                None
            }
            Flow::Ask(effect, pending) => {
                self.pending = Some(pending);
                Some(effect)
            }
            Flow::Goto(line) => {
                self.at = line;
                self.next_command = 0;
                self.succeeded = true;
                None
            }
            Flow::End(end) => Some(self.finish(end)),
        }
    }

    fn finish(&mut self, end: End) -> Effect {
        self.end = Some(end.clone());
        Effect::End(end)
    }

    fn failed(&mut self, line: usize) -> Effect {
        let command = self
            .lines
            .get(self.at)
            .and_then(|line| line.commands.get(self.next_command.saturating_sub(1)))
            .map_or_else(String::new, |(_, words)| words.join(" "));
        self.finish(End::Failed { line, command })
    }

    /// A step; false where there have been too many.
    fn step(&mut self) -> bool {
        self.steps = self.steps.saturating_add(1);
        self.steps <= MAX_STEPS
    }

    fn expand_all(&mut self, words: &[String]) -> Option<Vec<String>> {
        if !self.step() {
            return None;
        }
        let mut len = 0;
        let expanded = words.iter().map(|word| {
            let word = self.expand(word)?;
            len += word.len();
            Some(word).filter(|_| len <= MAX_WORDS_LEN)
        });
        expanded.collect()
    }

    /// iPXE's expansion: the last `${` before the first `}`, then from the start again, until there
    /// is none. `None` where that does not end, or makes too long a word.
    fn expand(&mut self, word: &str) -> Option<String> {
        let mut text = String::from(word);
        while let Some(first) = text.find("${") {
            let end = text
                .get(first..)
                .and_then(|rest| rest.find('}'))
                .map(|end| first + end);
            let Some(end) = end else { break };
            let Some(start) = text.get(..end).and_then(|before| before.rfind("${")) else {
                break;
            };
            let value = self
                .settings
                .text(text.get(start + 2..end).unwrap_or_default());
            text.replace_range(start..=end, &value);
            if !self.step() || text.len() > MAX_WORDS_LEN {
                return None;
            }
        }
        Some(text)
    }
}
