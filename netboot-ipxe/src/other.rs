//! Commands without a variant of their own, read and put together by the table of iPXE's commands.

use alloc::{format, string::String, vec::Vec};

use crate::{
    arg::{Arg, Part},
    command::Command,
    error::{RenderError, RenderProblem, brief},
    getopt::Invocation,
    spec,
};

/// A command without a variant of its own: its words, the name first, and what they are by the
/// table of iPXE's commands.
///
/// ```
/// use netboot_ipxe::{Command, Script};
///
/// let script = Script::parse("#!ipxe\nvcreate -t 5 net0\n")?;
/// let Command::Other(vlan) = &script.lines()[0].first else { panic!("it has no variant") };
/// assert_eq!(vlan.name(), Some("vcreate"));
/// assert_eq!(vlan.option("tag"), Some("5".into()));
/// assert_eq!(vlan.operands(), Some(&["net0".into()][..]));
/// # Ok::<(), netboot_ipxe::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherCommand {
    words: Vec<Arg>,
}

impl OtherCommand {
    pub(crate) fn new(words: Vec<Arg>) -> Self {
        Self { words }
    }

    /// The words, the command's name first. Each is written as one word.
    #[must_use]
    pub fn words(&self) -> &[Arg] {
        &self.words
    }

    /// The command's name; `None` where it is made from a setting.
    pub fn name(&self) -> Option<&str> {
        self.words.first().and_then(Arg::as_text)
    }

    /// True where the option `--long` is there, in whichever form it is written.
    #[must_use]
    pub fn has_option(&self, long: &str) -> bool {
        let read = self.invocation();
        read.is_some_and(|read| read.options.iter().any(|(option, _)| option.long == long))
    }

    /// The value of the option `--long`; the last one counts, as in iPXE.
    #[must_use]
    pub fn option(&self, long: &str) -> Option<Arg> {
        let options = self.invocation()?.options.into_iter().rev();
        let mut values = options.filter(|(option, _)| option.long == long);
        values.next().and_then(|(_, value)| value)
    }

    /// The words after the options; `None` where iPXE would refuse the command, or this crate
    /// does not know it.
    #[must_use]
    pub fn operands(&self) -> Option<&[Arg]> {
        self.invocation().map(|read| read.words)
    }

    fn invocation(&self) -> Option<Invocation<'_>> {
        let (_, rest) = self.words.split_first()?;
        Invocation::read(spec::find(self.name()?)?, rest).ok()
    }
}

/// A command put together by name and checked against the table of iPXE's commands: its name, its
/// options and whether they take values, and how many words follow. Start with
/// [`Command::named`].
#[derive(Debug, Clone)]
pub struct CommandBuilder {
    name: String,
    options: Vec<(String, Option<Arg>)>,
    operands: Vec<Arg>,
}

impl CommandBuilder {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            options: Vec::new(),
            operands: Vec::new(),
        }
    }

    /// Adds the option `--long`, which takes no value.
    #[must_use]
    pub fn flag(mut self, long: &str) -> Self {
        self.options.push((long.into(), None));
        self
    }

    /// Adds the option `--long` with its value.
    #[must_use]
    pub fn option(mut self, long: &str, value: impl Into<Arg>) -> Self {
        self.options.push((long.into(), Some(value.into())));
        self
    }

    /// Adds a word after the options. It is one word to iPXE, whatever it holds.
    #[must_use]
    pub fn word(mut self, word: impl Into<Arg>) -> Self {
        self.operands.push(word.into());
        self
    }

    /// The command; the variant that can hold it, where there is one.
    ///
    /// # Errors
    ///
    /// Where iPXE has no command of that name, or the command no such option; where an option
    /// lacks its value or takes none; where there are too few or too many words. The error names
    /// which.
    pub fn build(self) -> Result<Command, RenderError> {
        let name = brief(&self.name);
        let fail = |what: &str, problem| Err(RenderError::new(format!("`{name}`{what}"), problem));
        let Some(spec) = spec::find(&self.name) else {
            return fail("", RenderProblem::Unknown);
        };
        let mut words = Vec::from([Arg::from(self.name.as_str())]);
        for (long, value) in self.options {
            let what = format!(", option --{}", brief(&long));
            match (
                spec.options.iter().find(|option| option.long == long),
                value,
            ) {
                (Some(option), None) if !option.value => words.push(format!("--{long}").into()),
                (Some(option), Some(value)) if option.value => {
                    words.push(Arg::from(format!("--{long}=")).join(&value));
                }
                (Some(option), None) if option.value => return fail(&what, RenderProblem::Empty),
                _ => return fail(&what, RenderProblem::Unknown),
            }
        }
        let (least, most) = spec.words;
        let count = self.operands.len();
        if count < least {
            return fail(&format!(", argument {}", count + 1), RenderProblem::Empty);
        }
        if count > most {
            return fail("", RenderProblem::TooManyWords { count, max: most });
        }
        // A setting may turn out to start with a dash.
        let first = self
            .operands
            .first()
            .and_then(|first| first.parts().first());
        let plain = |part: &Part| matches!(part, Part::Text(text) if !text.starts_with('-'));
        if first.is_some_and(|part| !plain(part)) {
            words.push("--".into());
        }
        words.extend(self.operands);
        Ok(Command::from_words(words))
    }
}
