//! Commands as data: a variant for each command whose arguments this crate understands, and
//! [`Command::Other`] for all the rest.
//!
//! Every value is an [`Arg`], since a script may put a setting wherever it may put text.
//!
//! A variant is for what entries, menus and the interpreter build on. All others, from `param` to
//! `vcreate`, share one type: a struct for each would only say again what the table of iPXE's
//! commands says. [`CommandBuilder`] checks names, options and counts against that table, and
//! [`OtherCommand`] reads a command by it.

use alloc::vec::Vec;

use crate::{
    arg::Arg,
    classify,
    other::{CommandBuilder, OtherCommand},
};

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// No command at all. After `||` it makes a failure harmless: `sleep 5 ||`.
    Nothing,
    /// Goes on at the first line that has this label.
    Goto(Arg),
    /// Ends the script, with status 0 where none is given.
    Exit(Option<Arg>),
    /// Succeeds where the value is not empty.
    Isset(Arg),
    /// Succeeds where both values are the same text.
    Iseq(Arg, Arg),
    /// Waits; fails when Ctrl-C is pressed. In seconds.
    Sleep(Arg),
    /// Waits for a key; fails on a timeout, or on another key than the one asked for.
    Prompt {
        /// The key, as a character or its code (`0x197e` is F10); any key where absent.
        key: Option<Arg>,
        /// In milliseconds; without end where absent.
        timeout_ms: Option<Arg>,
        /// What to show.
        text: Arg,
    },
    /// Shows a line.
    Echo {
        /// Leaves out the line's end (`-n`).
        same_line: bool,
        /// What to show.
        text: Arg,
    },
    /// Starts the interactive shell; succeeds or fails as its `exit` says.
    Shell,
    /// Writes a setting, or deletes it where the value is empty.
    Set {
        /// `[scope/]name[:type]`, not its value.
        setting: Arg,
        /// The value, in the form of its type.
        value: Arg,
    },
    /// Deletes a setting.
    Clear(Arg),
    /// Adds to a setting.
    Inc {
        /// `[scope/]name[:type]`, not its value.
        setting: Arg,
        /// How much; 1 where absent.
        by: Option<Arg>,
    },
    /// Reads a setting from the keyboard.
    Read(Arg),
    /// Fetches, selects or runs an image.
    Image(ImageCommand),
    /// Forgets images: those named, or all where none is.
    Imgfree(Vec<Arg>),
    /// Checks an image against a detached signature. Not in default builds.
    Imgverify {
        /// Whose signature it must be: the subject's common name.
        signer: Option<Arg>,
        /// Keeps the signature among the images.
        keep: bool,
        /// The image.
        image: Arg,
        /// Where the signature is.
        signature: Arg,
    },
    /// Starts a menu.
    Menu {
        /// Its name, where there are several at a time.
        name: Option<Arg>,
        /// Deletes it instead.
        delete: bool,
        /// What stands above it.
        title: Arg,
    },
    /// Adds to a menu.
    Item(ItemCommand),
    /// Shows the menu; fails when it is left with Escape or Ctrl-C.
    Choose(ChooseCommand),
    /// Attaches a disk and boots from it.
    Sanboot {
        /// The drive's number, such as `0x80`.
        drive: Option<Arg>,
        /// Leaves out the description of the disk for the system that boots.
        no_describe: bool,
        /// Keeps it attached on failure.
        keep: bool,
        /// Disks by URI; a local drive where there is none.
        uris: Vec<Arg>,
    },
    /// Configures network interfaces by DHCP: those named, or all where none is.
    Dhcp(Vec<Arg>),
    /// Restarts the machine.
    Reboot {
        /// Without going through the firmware's tests.
        warm: bool,
    },
    /// Any other command: known to the table of iPXE's commands or not. See [`OtherCommand`].
    Other(OtherCommand),
}

impl Command {
    /// A command in its words, the name first: the way to write what has no variant. Words that
    /// a variant can hold become that variant.
    ///
    /// ```
    /// use netboot_ipxe::{Command, Script};
    ///
    /// let mut script = Script::new();
    /// script.command(Command::from_words(vec!["ntp".into(), "192.168.100.1".into()]));
    /// assert_eq!(script.render()?, "#!ipxe\nntp 192.168.100.1\n");
    /// assert_eq!(Command::from_words(vec!["shell".into()]), Command::Shell);
    /// # Ok::<(), netboot_ipxe::RenderError>(())
    /// ```
    #[must_use]
    pub fn from_words(words: Vec<Arg>) -> Self {
        classify::command(words)
    }

    /// A command by its name, to add options and words to.
    ///
    /// ```
    /// use netboot_ipxe::{Command, Script};
    ///
    /// let mut script = Script::new();
    /// script
    ///     .command(Command::named("vcreate").option("tag", "5").word("net0").build()?)
    ///     .command(Command::named("params").flag("delete").build()?);
    /// assert_eq!(script.render()?, "#!ipxe\nvcreate --tag=5 net0\nparams --delete\n");
    ///
    /// let wrong = Command::named("vcreate").option("tga", "5").word("net0").build();
    /// assert!(wrong.is_err_and(|error| error.place() == "`vcreate`, option --tga"));
    /// # Ok::<(), netboot_ipxe::RenderError>(())
    /// ```
    #[must_use]
    pub fn named(name: &str) -> CommandBuilder {
        CommandBuilder::new(name)
    }
}

/// Which of the image commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageVerb {
    /// Fetches.
    Imgfetch,
    /// The same.
    Module,
    /// The same.
    Initrd,
    /// Fetches where need be, and selects for `boot`.
    Imgselect,
    /// The same.
    Imgload,
    /// The same.
    Kernel,
    /// The same, replacing the arguments.
    Imgargs,
    /// Fetches where need be, and runs.
    Imgexec,
    /// The same.
    Chain,
    /// The same.
    Boot,
}

impl ImageVerb {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Imgfetch,
        Self::Module,
        Self::Initrd,
        Self::Imgselect,
        Self::Imgload,
        Self::Kernel,
        Self::Imgargs,
        Self::Imgexec,
        Self::Chain,
        Self::Boot,
    ];

    /// iPXE's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Imgfetch => "imgfetch",
            Self::Module => "module",
            Self::Initrd => "initrd",
            Self::Imgselect => "imgselect",
            Self::Imgload => "imgload",
            Self::Kernel => "kernel",
            Self::Imgargs => "imgargs",
            Self::Imgexec => "imgexec",
            Self::Chain => "chain",
            Self::Boot => "boot",
        }
    }

    /// True for those that run the image.
    #[must_use]
    pub fn runs(self) -> bool {
        matches!(self, Self::Imgexec | Self::Chain | Self::Boot)
    }
}

/// A command that fetches, selects or runs an image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageCommand {
    /// Which.
    pub verb: ImageVerb,
    /// The image's name from then on; the last part of its URI where absent.
    pub name: Option<Arg>,
    /// In milliseconds; without end where absent.
    pub timeout_ms: Option<Arg>,
    /// Shows no progress. Not known to Debian 12's build.
    pub quiet: bool,
    /// Forgets the image once it has run.
    pub autofree: bool,
    /// Ends this script first. Only for verbs that run the image.
    pub replace: bool,
    /// A URI, or the name of an image that is there. Only verbs that run can do without.
    pub image: Option<Arg>,
    /// The image's arguments, as one text.
    pub args: Arg,
}

impl ImageCommand {
    /// `verb` on `image`, with no option and no arguments.
    #[must_use]
    pub fn new(verb: ImageVerb, image: Option<Arg>) -> Self {
        Self {
            verb,
            name: None,
            timeout_ms: None,
            quiet: false,
            autofree: false,
            replace: false,
            image,
            args: Arg::new(),
        }
    }
}

/// One line of a menu.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemCommand {
    /// The menu, where there are several at a time.
    pub menu: Option<Arg>,
    /// The key that chooses it, as a character or its code.
    pub key: Option<Arg>,
    /// Chosen unless another is.
    pub default: bool,
    /// Only text: it cannot be chosen, and has no name.
    pub gap: bool,
    /// What `choose` writes when it is chosen.
    pub name: Option<Arg>,
    /// What is shown.
    pub text: Arg,
}

impl ItemCommand {
    /// A line that can be chosen.
    #[must_use]
    pub fn new(name: impl Into<Arg>, text: impl Into<Arg>) -> Self {
        Self {
            name: Some(name.into()),
            text: text.into(),
            ..Self::default()
        }
    }

    /// A line that is only text.
    #[must_use]
    pub fn gap(text: impl Into<Arg>) -> Self {
        Self {
            gap: true,
            text: text.into(),
            ..Self::default()
        }
    }
}

/// How a menu is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChooseCommand {
    /// The menu, where there are several at a time.
    pub menu: Option<Arg>,
    /// The item's name that is chosen unless another is.
    pub default: Option<Arg>,
    /// In milliseconds, after which the default is chosen; 0 or absent: never.
    pub timeout_ms: Option<Arg>,
    /// Keeps the menu for another `choose`.
    pub keep: bool,
    /// Where the chosen item's name is written.
    pub setting: Arg,
}

impl ChooseCommand {
    /// Waits for ever and writes the name of what is chosen to this setting.
    #[must_use]
    pub fn new(setting: impl Into<Arg>) -> Self {
        Self {
            menu: None,
            default: None,
            timeout_ms: None,
            keep: false,
            setting: setting.into(),
        }
    }
}
