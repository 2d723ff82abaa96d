//! Why something cannot be written as an iPXE script, and where.

use alloc::string::String;

/// What cannot be written, and where it stands.
///
/// The place is written for the person who wrote the configuration: ``item `nixos`, label`` or
/// ``line 12, `kernel`, argument 3``.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct RenderError {
    place: String,
    problem: RenderProblem,
}

impl RenderError {
    pub(crate) fn new(place: impl Into<String>, problem: RenderProblem) -> Self {
        Self {
            place: place.into(),
            problem,
        }
    }

    /// The argument at fault, in words. Names from the caller appear in it escaped, on one line.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &RenderProblem {
        &self.problem
    }
}

/// What iPXE's script format, or the thing that is booted, cannot represent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderProblem {
    /// A NUL byte: iPXE's lines are C strings.
    #[error("holds a NUL byte")]
    Nul,
    /// `${` with a `}` after it, as text. iPXE expands it whatever is done to hide it, since it
    /// scans the result of an expansion again. Use a [`Setting`](crate::Setting) where the
    /// expansion is meant.
    #[error("holds the text `${{…}}`, which iPXE would expand")]
    Expansion,
    /// A character that has no business in text shown to a person, such as a line break.
    #[error("holds the control character U+{:04X}", u32::from(*.0))]
    Control(char),
    /// A character that cannot stand in a name of this kind.
    #[error("{0:?} cannot stand in this name")]
    Character(char),
    /// Nothing where something is needed: iPXE has no quotes, so no empty argument.
    #[error("is empty")]
    Empty,
    /// A second thing of the same name.
    #[error("is there twice")]
    Duplicate,
    /// Something that this command does not take.
    #[error("is nothing that this command takes")]
    Unknown,
    /// A default that is not the name of an item that can be chosen.
    #[error("is not the name of an item")]
    UnknownItem,
    /// A menu with nothing to choose.
    #[error("has no item to choose")]
    NoItem,
    /// A double quote without its partner, or a space that no quotes can hold: the kernel would
    /// split the argument elsewhere than meant.
    #[error("has double quotes that the kernel would read otherwise than meant")]
    Quotes,
    /// A setting called `_20`, `_23` and so on: the renderer keeps these for characters that it
    /// cannot write otherwise.
    #[error("is a setting that the renderer keeps for itself")]
    Reserved,
    /// More bytes than the receiver takes; it would cut the rest without a word.
    #[error("has {len} bytes, and at most {max} are kept")]
    TooLong {
        /// Bytes there are, settings not counted.
        len: usize,
        /// Bytes there may be.
        max: usize,
    },
    /// More words than iPXE takes in one command.
    #[error("has {count} words, and at most {max} are taken")]
    TooManyWords {
        /// Words there are.
        count: usize,
        /// Words there may be.
        max: usize,
    },
    /// Settings in the names of settings, more than 16 deep.
    #[error("has settings nested too deep")]
    TooDeep,
    /// A backslash at the end of a line, which would join the next line to it.
    #[error("ends in a backslash, which joins the next line to this one")]
    Backslash,
}

/// A text from elsewhere as it may stand in an error: on one line, and not too long.
pub(crate) fn brief(text: &str) -> String {
    const MAX: usize = 40;
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        match c {
            _ if index == MAX => {
                out.push('…');
                break;
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}
