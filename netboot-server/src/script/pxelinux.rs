//! From a decision to a PXELINUX configuration, for machines that boot without iPXE: by U-Boot,
//! which reads this language too, and by PXELINUX.
//!
//! A line is a keyword and what is behind it, as it is: there are no quotes. U-Boot
//! (`boot/pxe_utils.c`) shows titles and labels, PXELINUX without a menu module what is behind
//! `SAY`; each passes over what it does not know.
//!
//! Files are named relative to the boot program, whose folder both put before every name, one that
//! begins with a slash too. So they are served below any folder.

use netboot_image::{BootMethod, ImageFile, ImageName, LinuxImage, Manifest};
use netboot_ipxe::LocalDisk;

use super::entry::{image_label, words};
use super::{Asker, NOTICE_MS, Report};
use crate::config::{MenuAction, Target};
use crate::policy::{BootAction, Decision};
use crate::world::World;

/// Writes PXELINUX's configuration.
#[must_use]
pub fn write(world: &World, decision: &Decision, asker: &Asker<'_>) -> String {
    let target = decision.target_in(world);
    let entry = match &decision.boot {
        BootAction::Menu => return menu(world, decision, asker),
        BootAction::Image(name, _) => match (world.image(name), asker.report_of(world, decision)) {
            (Some(_), Report::Withheld) => Entry::notice(
                format!("The script that installs image {name} is only for its machine."),
                "netboot leases",
            ),
            (Some(manifest), report) => image(world, manifest, target, asker, report.url()),
            (None, _) => missing(world, name),
        },
        BootAction::MissingImage(name) => missing(world, name),
        BootAction::Local => local(decision.local),
        BootAction::Nothing => local(LocalDisk::Efi),
    };
    let mut text = Pxelinux::default();
    text.line("DEFAULT", "1");
    // What fails is tried again then.
    text.line("TIMEOUT", &tenths(NOTICE_MS / 1000));
    if let Boots::Notice(hint) = &entry.boots {
        text.line("PROMPT", "1");
        text.line("SAY", &entry.text);
        text.line("SAY", hint);
        text.line("MENU TITLE", &format!("{} {hint}", entry.text));
    } else {
        text.line("SAY", &entry.text);
    }
    text.label("1", &entry);
    text.0
}

/// One label of a configuration.
struct Entry {
    /// What it is called.
    text: String,
    boots: Boots,
}

enum Boots {
    Linux {
        kernel: String,
        initrd: Option<String>,
        line: String,
    },
    /// Leaves the program with this status.
    Local(&'static str),
    /// Nothing; the text says why, and this what to do.
    Notice(String),
}

impl Entry {
    fn notice(text: impl Into<String>, on_the_server: &str) -> Self {
        Self {
            text: text.into(),
            boots: Boots::Notice(format!("On the server: {on_the_server}")),
        }
    }
}

/// Text of a configuration.
#[derive(Default)]
struct Pxelinux(String);

impl Pxelinux {
    fn line(&mut self, keyword: &str, rest: &str) {
        let rest = rest.replace(char::is_control, " ");
        let rest = rest.trim();
        // U-Boot takes what begins with # for a comment, up to the end of the line behind it.
        let before = if rest.starts_with('#') { "- " } else { "" };
        self.0.push_str(&format!("{keyword} {before}{rest}\n"));
    }

    fn label(&mut self, name: &str, entry: &Entry) {
        self.line("LABEL", name);
        self.line("MENU LABEL", &entry.text);
        match &entry.boots {
            Boots::Linux {
                kernel,
                initrd,
                line,
            } => {
                self.line("LINUX", kernel);
                // Before the command line, in which U-Boot would look for one.
                if let Some(initrd) = initrd {
                    self.line("INITRD", initrd);
                }
                // U-Boot refuses the whole file for a keyword with nothing behind it.
                if !line.is_empty() {
                    self.line("APPEND", line);
                }
            }
            Boots::Local(status) => self.line("LOCALBOOT", status),
            Boots::Notice(_) => {
                // U-Boot goes on with its other ways to boot; PXELINUX takes the last that is said,
                // and starts over.
                self.line("LOCALBOOT", "-1");
                self.line("CONFIG", "pxelinux.cfg/default");
            }
        }
    }
}

/// Seconds as both languages count them.
fn tenths(seconds: u32) -> String {
    seconds.saturating_mul(10).to_string()
}

fn missing(world: &World, name: &ImageName) -> Entry {
    Entry::notice(
        format!("The image {name} is not in the store."),
        &world.config().command_for(name),
    )
}

/// PXELINUX ends as the ROM that started it expects, so that the firmware goes on in its boot
/// order, or as one that failed; U-Boot runs its own `localcmd`, where it has one, or goes on.
fn local(disk: LocalDisk) -> Entry {
    Entry {
        text: "Boot from the local disk".to_owned(),
        boots: Boots::Local(match disk {
            LocalDisk::Efi => "-1",
            _ => "0",
        }),
    }
}

fn image(
    world: &World,
    manifest: &Manifest,
    target: Option<&Target>,
    asker: &Asker<'_>,
    report: Option<&str>,
) -> Entry {
    let (name, generation) = (manifest.name(), manifest.generation());
    match manifest.boot() {
        BootMethod::Linux(linux) => {
            let words = words(world, manifest, linux.cmdline(), target, asker, report);
            let path = |file: &ImageFile| format!("images/{name}/{generation}/{}", file.name());
            let text = format!("{} ({name} {generation})", image_label(world, manifest));
            linux_entry(name, text, linux, &words, path)
        }
        other => Entry::notice(
            format!(
                "The image {name} is of kind {}, which is booted by iPXE only.",
                other.kind()
            ),
            "name iPXE as the machine's program",
        ),
    }
}

fn linux_entry(
    name: &ImageName,
    text: String,
    linux: &LinuxImage,
    words: &[String],
    path: impl Fn(&ImageFile) -> String,
) -> Entry {
    let initrds = linux.initrds();
    if initrds.len() > 1 {
        return Entry::notice(
            format!(
                "The image {name} has {} initial RAM disks, and U-Boot takes one.",
                initrds.len()
            ),
            "add the image with one that holds them all",
        );
    }
    // U-Boot replaces $ and takes ' and \ off, and PXELINUX does not; either takes initrd= for its
    // own, and U-Boot a line that begins with # for a comment.
    let changed = |word: &&String| word.contains(['$', '\'', '\\']) || word.contains("initrd=");
    let comment = words.first().filter(|word| word.starts_with('#'));
    if let Some(word) = words.iter().find(changed).or(comment) {
        return Entry::notice(
            format!("The word {word} cannot be handed to the kernel of image {name} as it is."),
            "write cmdline of the image, the group or the target without $ ' \\ and initrd=",
        );
    }
    let kernel = path(linux.kernel());
    let initrd = initrds.first().map(path);
    let line = words.join(" ");
    // PXELINUX puts these before the words.
    let before = "BOOT_IMAGE= ".len() + kernel.len();
    let initrd_len = initrd
        .as_ref()
        .map_or(0, |path| " initrd=".len() + path.len());
    let length = before + line.len() + initrd_len;
    let limit = linux.cmdline_limit();
    if length > limit as usize {
        return Entry::notice(
            format!(
                "The command line for image {name} has {length} bytes, and its kernel takes \
                 {limit}."
            ),
            "shorten cmdline of the image, the group or the target",
        );
    }
    Entry {
        text,
        boots: Boots::Linux {
            kernel,
            initrd,
            line,
        },
    }
}

fn menu(world: &World, decision: &Decision, asker: &Asker<'_>) -> String {
    let target = decision.target_in(world);
    let settings = &world.config().menu;
    let items = world.menu_items();
    let default = world.default_item(&items);
    let entries = items.iter().map(|item| {
        let mut entry = match &item.action {
            MenuAction::Image(name) => match world.image(name) {
                Some(manifest) => Entry {
                    text: image_label(world, manifest).to_owned(),
                    ..image(world, manifest, target, asker, None)
                },
                None => missing(world, name),
            },
            MenuAction::Chain(url) => Entry::notice(
                format!("{url} is an iPXE script."),
                "name iPXE as the machine's program",
            ),
            MenuAction::Local => local(decision.local),
            MenuAction::Shell => Entry {
                text: "Leave this menu".to_owned(),
                boots: Boots::Local("-1"),
            },
        };
        if let Some(label) = &item.label {
            entry.text.clone_from(label);
        }
        entry
    });
    let entries: Vec<_> = entries.collect();
    let mut text = Pxelinux::default();
    text.line("DEFAULT", &(default.unwrap_or(0) + 1).to_string());
    text.line("PROMPT", "1");
    let timeout = default.map_or(0, |_| settings.timeout_s);
    text.line("TIMEOUT", &tenths(timeout.into()));
    text.line("SAY", &settings.title);
    for (index, entry) in entries.iter().enumerate() {
        text.line("SAY", &format!("{}: {}", index + 1, entry.text));
    }
    text.line("MENU TITLE", &settings.title);
    for (index, entry) in entries.iter().enumerate() {
        text.label(&(index + 1).to_string(), entry);
    }
    text.0
}
