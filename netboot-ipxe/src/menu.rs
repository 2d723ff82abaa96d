//! A menu: its lines, what each does, and how it is shown.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::num::NonZeroU32;

use crate::{
    arg::Arg,
    assemble,
    entry::{Action, LocalDisk},
    error::RenderError,
    script::Script,
};

/// A menu with what its items do. Its script can reach an item's section in one way only: that
/// item was chosen. Cancelling, leaving the shell and giving up on an image all lead elsewhere.
///
/// ```
/// use netboot_ipxe::{Action, Item, LinuxBoot, Menu};
///
/// let debian = LinuxBoot::new("Debian 12", "http://192.168.100.1/images/debian/bzImage")
///     .initrd("initrd", "http://192.168.100.1/images/debian/initrd");
/// let script = Menu::new("Network boot")
///     .item(Item::new("debian", "Debian 12", Action::Linux(debian)).key('d'))
///     .gap("Tools")
///     .item(Item::local_disk("local", "Boot from the local disk"))
///     .item(Item::shell("shell", "iPXE shell"))
///     .default_item("local")
///     .timeout_ms(10_000)
///     .script()?
///     .render()?;
/// assert!(script.contains("item --key d item-debian Debian 12\n"));
/// assert!(script.contains("choose --default item-local --timeout ${menu-timeout} menu-choice ||"));
/// # Ok::<(), netboot_ipxe::RenderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct Menu {
    pub(crate) title: Arg,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) rows: Vec<Row>,
    pub(crate) default: Option<String>,
    pub(crate) timeout_ms: Option<NonZeroU32>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) cancel: Cancel,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub(crate) enum Row {
    Gap(Arg),
    Item(Box<Item>),
}

/// What leaving the menu with Escape or Ctrl-C does. It never boots anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Cancel {
    /// Shows the menu again, now without its timeout. The default.
    #[default]
    Again,
    /// Starts the iPXE shell; its `exit` brings the menu back.
    Shell,
    /// Leaves iPXE with a status. Under UEFI, 1 goes on in the boot order.
    Exit(u8),
}

/// A line of a menu that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct Item {
    pub(crate) name: String,
    pub(crate) text: Arg,
    pub(crate) key: Option<char>,
    pub(crate) action: Action,
}

impl Item {
    /// An item. `name` may be any text and is what [`Menu::default_item`] takes; `text` is shown.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<Arg>, action: Action) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            key: None,
            action,
        }
    }

    /// An item that boots from the machine's own disk, in the way of the platform that it finds.
    #[must_use]
    pub fn local_disk(name: impl Into<String>, text: impl Into<Arg>) -> Self {
        Self::new(name, text, Action::LocalDisk(LocalDisk::ByPlatform))
    }

    /// An item that starts the iPXE shell.
    #[must_use]
    pub fn shell(name: impl Into<String>, text: impl Into<Arg>) -> Self {
        Self::new(name, text, Action::Shell)
    }

    /// The key that chooses it at once: a printable ASCII character, no two items of a menu the
    /// same.
    #[must_use]
    pub fn key(mut self, key: char) -> Self {
        self.key = Some(key);
        self
    }
}

impl Menu {
    /// A menu without items.
    #[must_use]
    pub fn new(title: impl Into<Arg>) -> Self {
        Self {
            title: title.into(),
            rows: Vec::new(),
            default: None,
            timeout_ms: None,
            cancel: Cancel::Again,
        }
    }

    /// Adds an item. Names must differ within a menu.
    #[must_use]
    pub fn item(mut self, item: Item) -> Self {
        self.rows.push(Row::Item(Box::new(item)));
        self
    }

    /// Adds a line that cannot be chosen; an empty one where the text is empty.
    #[must_use]
    pub fn gap(mut self, text: impl Into<Arg>) -> Self {
        self.rows.push(Row::Gap(text.into()));
        self
    }

    /// The item, by its name, that is chosen unless another is. Default: the first.
    #[must_use]
    pub fn default_item(mut self, name: impl Into<String>) -> Self {
        self.default = Some(name.into());
        self
    }

    /// Milliseconds until the default item is chosen. It counts the first time the menu is shown
    /// and, in iPXE, until a key is pressed; 0 and, by default, nothing mean never.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = NonZeroU32::new(timeout_ms);
        self
    }

    /// What leaving the menu does. A menu below another always goes back to that one.
    #[must_use]
    pub fn on_cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// The script that shows the menu.
    ///
    /// # Errors
    ///
    /// Where there is no item, a name or key is there twice, the default is no item, or a text, a
    /// URL or an argument cannot be written; the error names it.
    pub fn script(&self) -> Result<Script, RenderError> {
        assemble::menu(self)
    }
}
