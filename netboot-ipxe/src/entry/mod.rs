//! What a machine can be told to do: boot a Linux, go on with another script or program, boot
//! its own disk, show a message.
//!
//! Each becomes a section of a script by `assemble`; here is what they are made of.

mod dhcp;
mod linux;

use alloc::vec::Vec;

use crate::{
    arg::Arg,
    assemble::{self, Single},
    cmdline::CommandLine,
    error::RenderError,
    menu::Menu,
    script::Script,
};

pub use dhcp::Dhcp;
pub use linux::LinuxBoot;

/// How often a failed boot is tried, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Retry {
    /// Attempts in all. At least one is made. Default: 3.
    pub tries: u8,
    /// Seconds between two attempts. Default: 5.
    pub pause_s: u16,
}

impl Retry {
    /// So many tries, and so many seconds before each but the first.
    #[must_use]
    pub fn new(tries: u8, pause_s: u16) -> Self {
        Self { tries, pause_s }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: 3,
            pause_s: 5,
        }
    }
}

/// What a script without a menu does in the end, when it has given up or said its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Ending {
    /// Starts the iPXE shell. When the shell is left, the firmware goes on in its boot order.
    Shell,
    /// Leaves iPXE, so that the firmware goes on.
    Exit {
        /// Under UEFI, 1 goes on in the boot order, and 0 drops some machines into their setup.
        status: u8,
        /// Milliseconds to wait for a key, so that a message can be read; 0 waits for ever.
        wait_ms: u32,
    },
    /// Restarts the machine: for those that nobody looks at.
    Reboot {
        /// Milliseconds to wait for a key before it; 0 waits for ever.
        wait_ms: u32,
    },
}

/// Another script or program, by its URL.
///
/// ```
/// use netboot_ipxe::{Arg, Chain, Ending, Setting};
///
/// let url = Arg::from("http://192.168.100.1/boot.ipxe?mac=").setting(Setting::new("mac"));
/// let script = Chain::new("the boot script", url).script(Ending::Shell)?.render()?;
/// assert!(script.contains("chain --replace http://192.168.100.1/boot.ipxe?mac=${mac} ||"));
/// # Ok::<(), netboot_ipxe::RenderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct Chain {
    pub(crate) what: Arg,
    pub(crate) url: Arg,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) args: CommandLine,
    pub(crate) dhcp: Option<Dhcp>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) retry: Retry,
    pub(crate) hint: Option<Arg>,
}

impl Chain {
    /// `what` is shown on the console.
    #[must_use]
    pub fn new(what: impl Into<Arg>, url: impl Into<Arg>) -> Self {
        Self {
            what: what.into(),
            url: url.into(),
            args: CommandLine::new(),
            dhcp: None,
            retry: Retry::default(),
            hint: None,
        }
    }

    /// Adds one argument for a program. One with a blank in it is put into double quotes, as for a
    /// kernel.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<Arg>) -> Self {
        self.args.push(arg);
        self
    }

    /// Asks for an address first. Default: it is taken that there is one.
    #[must_use]
    pub fn dhcp_first(mut self, dhcp: Dhcp) -> Self {
        self.dhcp = Some(dhcp);
        self
    }

    /// How often fetching it is tried. What it does once it runs is never tried again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// What to look at when it fails, for the person at the console. Default: the URL.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Arg>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A script that goes on with the other one and does not come back once it has been fetched:
    /// that one's exit status is then what the firmware sees.
    ///
    /// # Errors
    ///
    /// Where a text, the URL or an argument cannot be written; the error names it.
    pub fn script(&self, ending: Ending) -> Result<Script, RenderError> {
        assemble::single(Single::Chain(self), ending)
    }
}

/// How to boot from the machine's own disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum LocalDisk {
    /// Decided when the script runs, by `${platform}`: for when the caller does not know.
    ByPlatform,
    /// The first BIOS drive: `sanboot --no-describe --drive 0x80`.
    Bios,
    /// Back to the firmware with `exit 1`, which goes on in its boot order; `exit 0` drops some
    /// machines into their setup.
    Efi,
}

impl LocalDisk {
    /// A script that boots from the disk at once.
    ///
    /// ```
    /// use netboot_ipxe::{Ending, LocalDisk};
    ///
    /// let script = LocalDisk::Efi.script(Ending::Shell)?.render()?;
    /// assert!(script.contains("\nexit 1\n"));
    /// # Ok::<(), netboot_ipxe::RenderError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the other entries.
    pub fn script(self, ending: Ending) -> Result<Script, RenderError> {
        assemble::single(Single::LocalDisk(self), ending)
    }
}

/// A disc image, booted from as from a drive.
///
/// ```
/// use netboot_ipxe::{Disc, Ending};
///
/// let script = Disc::new("Rescue disc", "http://192.168.100.1/images/rescue/rescue.iso")
///     .script(Ending::Shell)?
///     .render()?;
/// assert!(script.contains(
///     "sanboot --no-describe http://192.168.100.1/images/rescue/rescue.iso ||"
/// ));
/// # Ok::<(), netboot_ipxe::RenderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct Disc {
    pub(crate) what: Arg,
    pub(crate) url: Arg,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) retry: Retry,
    pub(crate) hint: Option<Arg>,
}

impl Disc {
    /// `what` is shown on the console; `url` is the disc's, from which blocks are read as they are
    /// needed.
    #[must_use]
    pub fn new(what: impl Into<Arg>, url: impl Into<Arg>) -> Self {
        Self {
            what: what.into(),
            url: url.into(),
            retry: Retry::default(),
            hint: None,
        }
    }

    /// How often it is tried.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// What to look at when it fails, for the person at the console. Default: the URL.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Arg>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A script that boots from it at once.
    ///
    /// # Errors
    ///
    /// Where a text or the URL cannot be written; the error names it.
    pub fn script(&self, ending: Ending) -> Result<Script, RenderError> {
        assemble::single(Single::Disc(self), ending)
    }
}

/// Something to say, and nothing to boot: why, and what to do about it.
///
/// ```
/// use netboot_ipxe::{Ending, Notice};
///
/// let script = Notice::new("The image debian is not in the store.")
///     .line("On the server: netboot image add debian --kernel FILE --initrd FILE")
///     .script(Ending::Shell)?
///     .render()?;
/// assert!(script.contains("echo The image debian is not in the store.\n"));
/// # Ok::<(), netboot_ipxe::RenderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "alloc::vec::Vec<Arg>", into = "alloc::vec::Vec<Arg>")
)]
pub struct Notice {
    pub(crate) lines: Vec<Arg>,
}

impl Notice {
    /// A notice of one line.
    #[must_use]
    pub fn new(line: impl Into<Arg>) -> Self {
        Self {
            lines: [line.into()].into(),
        }
    }

    /// Adds a line. An empty one is shown as an empty line.
    #[must_use]
    pub fn line(mut self, line: impl Into<Arg>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// A script that says it and ends.
    ///
    /// # Errors
    ///
    /// Where a line holds what cannot be shown; the error names it.
    pub fn script(&self, ending: Ending) -> Result<Script, RenderError> {
        assemble::single(Single::Notice(self), ending)
    }
}

/// What an item of a menu does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Action {
    /// Boots a Linux.
    Linux(LinuxBoot),
    /// Goes on with another script or program; the menu comes back when that ends.
    Chain(Chain),
    /// Boots from a disc image.
    Disc(Disc),
    /// Boots from the machine's own disk.
    LocalDisk(LocalDisk),
    /// Starts the iPXE shell; its `exit` brings the menu back.
    Shell,
    /// Says something; a key brings the menu back.
    Notice(Notice),
    /// Opens a menu below this one. Leaving it with Escape brings this one back; it has no timeout,
    /// and its [`Cancel`](crate::Cancel) is not looked at.
    Menu(Menu),
    /// Restarts the machine.
    Reboot,
    /// Leaves iPXE with a status. Under UEFI, 1 goes on in the boot order.
    Exit(u8),
}
