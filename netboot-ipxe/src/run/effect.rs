//! What passes between a script under way and its caller: effects one way, answers the other.

use alloc::{string::String, vec::Vec};

#[cfg(doc)]
use super::MAX_STEPS;

/// Something that the script wants of the world, or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Shows text.
    Echo {
        /// The text, without the line's end.
        text: String,
        /// Leaves out the line's end.
        same_line: bool,
    },
    /// Waits for a key. [`Answer::Failed`] is a timeout, or another key.
    Prompt {
        /// What is shown.
        text: String,
        /// The key that is asked for, as written; any where absent.
        key: Option<String>,
        /// Milliseconds; 0 waits for ever.
        timeout_ms: u32,
    },
    /// Waits. [`Answer::Failed`] is Ctrl-C.
    Sleep {
        /// Seconds.
        seconds: u32,
    },
    /// Starts the shell. The answer is that of its `exit`.
    Shell,
    /// Fetches an image.
    Fetch {
        /// The name it will have.
        name: String,
        /// From where.
        uri: String,
    },
    /// Runs an image. An answer means that it came back.
    Boot {
        /// The image, with its arguments.
        kernel: Image,
        /// All other images, in the order they were fetched.
        initrds: Vec<Image>,
        /// The script has ended before this.
        replace: bool,
    },
    /// Shows a menu. Answer with [`Answer::Text`], the name of an item; anything else leaves it.
    Choose {
        /// What stands above it.
        title: String,
        /// Its lines.
        items: Vec<MenuItem>,
        /// The name that is chosen unless another is.
        default: Option<String>,
        /// Milliseconds until then; 0 never.
        timeout_ms: u32,
    },
    /// Shows a form. [`Answer::Texts`] gives its fields values, in their order, [`Answer::Done`]
    /// leaves them as they are; anything else leaves the form. It comes again where a field's
    /// type does not take its value.
    Form {
        /// What stands above it.
        title: String,
        /// Its lines.
        fields: Vec<FormField>,
    },
    /// Reads a line from the keyboard for a setting. Answer with [`Answer::Text`].
    Read {
        /// The setting.
        setting: String,
    },
    /// Boots from a disk. An answer means that it came back.
    Sanboot {
        /// The drive's number as written.
        drive: Option<String>,
        /// Disks by URI; a local drive where there is none.
        uris: Vec<String>,
    },
    /// Asks for addresses.
    Dhcp {
        /// On which interfaces; all where there is none.
        interfaces: Vec<String>,
    },
    /// Checks an image against a signature.
    Verify {
        /// The image's name.
        image: String,
        /// Where the signature is.
        signature: String,
    },
    /// Restarts the machine. An answer means that it did not.
    Reboot {
        /// Without going through the firmware's tests.
        warm: bool,
    },
    /// Runs a command that the interpreter knows only by name.
    Command {
        /// Its words, expanded, the name first.
        words: Vec<String>,
    },
    /// The end. Every further call gives the same.
    End(End),
}

/// How a script ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It ran off its end, or said `exit` with a status.
    Exit {
        /// 0 is success.
        status: u32,
    },
    /// A command failed and nothing caught it.
    Failed {
        /// The line, counted from 1 as in the text; a joined line by its first.
        line: usize,
        /// The command as it was written.
        command: String,
    },
    /// An image took its place.
    Replaced,
    /// It took more than [`MAX_STEPS`] steps, or gathered more than a machine could hold.
    Unbounded,
}

/// What the caller says to an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It was done.
    Done,
    /// It failed.
    Failed,
    /// It was done, and this is what came of it.
    Text(String),
    /// It was done, and these are the values of a form's fields that have a setting.
    Texts(Vec<String>),
}

/// An image that was fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// Its name.
    pub name: String,
    /// Where it came from.
    pub uri: String,
    /// Its arguments.
    pub args: String,
}

/// A line of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MenuItem {
    /// What choosing it gives; `None` for a line that cannot be chosen.
    pub name: Option<String>,
    /// What is shown.
    pub text: String,
    /// The key that chooses it, as written.
    pub key: Option<String>,
}

/// A line of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormField {
    /// The setting that it shows and writes; `None` for a line of text.
    pub setting: Option<String>,
    /// What is shown.
    pub text: String,
    /// The setting's value as it is.
    pub value: String,
    /// Shows no value (`--secret`).
    pub secret: bool,
}
