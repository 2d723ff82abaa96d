//! From a decision to GRUB's configuration, for machines whose Secure Boot trusts a distribution's
//! shim and GRUB and no iPXE.
//!
//! Kernels and initial RAM disks come over HTTP where GRUB can: Debian 13's signed one by the
//! firmware's HTTP after HTTP boot and by its own after PXE, and any other that has the module
//! `http`. A signed one loads no modules, and that of Debian 12 was built without it. There they
//! come by TFTP, under the same paths.
//!
//! GRUB's shell has two quotes. Between `'` nothing means anything but the next `'`, so every text
//! that comes from outside is written so, and a `'` in it as `'\''`.

use netboot_image::{BootMethod, ImageFile, ImageName, LinuxImage, Manifest};
use netboot_ipxe::LocalDisk;

use super::entry::{image_label, line_length, program_too_long, too_long, words};
use super::{Asker, NOTICE_MS, Report};
use crate::config::{MenuAction, Target};
use crate::policy::{BootAction, Decision};
use crate::world::World;

/// Where systems keep their boot loaders on a disk, below its `/EFI` and without `.efi`; last what
/// any system may keep there.
const LOADERS: [&str; 12] = [
    "debian/shim$arch",
    "ubuntu/shim$arch",
    "fedora/shim$arch",
    "redhat/shim$arch",
    "centos/shim$arch",
    "rocky/shim$arch",
    "almalinux/shim$arch",
    "opensuse/shim",
    "sles/shim",
    "Microsoft/Boot/bootmgfw",
    "systemd/systemd-boot$arch",
    "BOOT/BOOT$arch",
];

/// Writes GRUB's configuration.
#[must_use]
pub fn write(world: &World, decision: &Decision, asker: &Asker<'_>) -> String {
    let target = decision.target_in(world);
    let mut grub = Grub::default();
    if matches!(decision.boot, BootAction::Menu | BootAction::Image(..)) {
        grub.choose_protocol(asker);
    }
    match &decision.boot {
        BootAction::Menu => menu(&mut grub, world, decision, asker),
        BootAction::Image(name, _) => match (world.image(name), asker.report_of(world, decision)) {
            (Some(_), Report::Withheld) => grub.notice(&[
                &format!("The script that installs image {name} is only for its machine."),
                "On the server: netboot leases",
            ]),
            (Some(manifest), report) => {
                image(&mut grub, world, manifest, target, asker, report.url())
            }
            (None, _) => grub.missing(world, name),
        },
        BootAction::MissingImage(name) => grub.missing(world, name),
        BootAction::Local => grub.local(decision.local),
        BootAction::Nothing => grub.exit(),
    }
    grub.0
}

/// Text of a configuration.
#[derive(Default)]
struct Grub(String);

impl Grub {
    /// A command with its words, each as it is but for what has to be quoted.
    fn line(&mut self, words: &[&str]) {
        for (index, word) in words.iter().enumerate() {
            if index > 0 {
                self.0.push(' ');
            }
            self.0.push_str(&quoted(word));
        }
        self.0.push('\n');
    }

    /// Sets `$from` to where files are loaded from.
    fn choose_protocol(&mut self, asker: &Asker<'_>) {
        let (http, server) = (asker.origin.authority(), asker.origin.server);
        self.0.push_str(&format!("set from='(tftp,{server})'\n"));
        // GRUB has no other word for whether it can: `insmod` succeeds in any case.
        self.0
            .push_str(&format!("if [ -s '(http,{http})/healthz' ]\nthen\n"));
        self.0.push_str(&format!("set from='(http,{http})'\nfi\n"));
    }

    /// A command with files of this server, then words.
    fn load(&mut self, command: &str, files: &[String], words: &[String]) {
        self.0.push_str(command);
        for file in files {
            self.0.push_str(&format!(" \"$from\"{}", quoted(file)));
        }
        for word in words {
            self.0.push(' ');
            self.0.push_str(&quoted(word));
        }
        self.0.push('\n');
    }

    fn echo(&mut self, text: &str) {
        self.line(&["echo", text]);
    }

    /// Says why nothing boots, and starts over.
    fn notice(&mut self, lines: &[&str]) {
        for line in lines {
            self.echo(line);
        }
        let seconds = (NOTICE_MS / 1000).to_string();
        self.line(&["sleep", &seconds]);
        self.line(&["reboot"]);
    }

    fn missing(&mut self, world: &World, name: &ImageName) {
        self.notice(&[
            &format!("The image {name} is not in the store."),
            &format!("On the server: {}", world.config().command_for(name)),
        ]);
    }

    /// The first boot loader that a disk has, unless the firmware is to go on by itself: GRUB of
    /// 2.06 hands it the status 0, with which it opens its setup instead.
    fn local(&mut self, disk: LocalDisk) {
        if disk != LocalDisk::Efi {
            self.0.push_str(&format!(
                "set arch=x64\nif [ \"$grub_cpu\" = arm64 ]\nthen\nset arch=aa64\nfi\n\
                 for loader in {}\ndo\n\
                 if search --no-floppy --set=root --file \"/EFI/$loader.efi\"\nthen\n\
                 if chainloader \"/EFI/$loader.efi\"\nthen\nboot\nfi\nfi\ndone\n",
                LOADERS.join(" ")
            ));
        }
        self.exit();
    }

    /// Leaves GRUB with the status by which firmware goes on in its boot order.
    fn exit(&mut self) {
        self.line(&["exit", "1"]);
    }
}

/// A word that GRUB's shell takes as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let shown = word.replace(char::is_control, " ");
    format!("'{}'", shown.replace('\'', r"'\''"))
}

fn image(
    grub: &mut Grub,
    world: &World,
    manifest: &Manifest,
    target: Option<&Target>,
    asker: &Asker<'_>,
    report: Option<&str>,
) {
    let (name, generation) = (manifest.name(), manifest.generation());
    let path = |file: &ImageFile| format!("/images/{name}/{generation}/{}", file.name());
    grub.echo(&format!(
        "Booting {} ({name} {generation})",
        image_label(world, manifest)
    ));
    match manifest.boot() {
        BootMethod::Linux(linux) => {
            let words = words(world, manifest, linux.cmdline(), target, asker, report);
            boot_linux(grub, name, linux, &words, path);
        }
        BootMethod::Efi(efi) => {
            let words = words(world, manifest, efi.arguments(), target, asker, report);
            if let Some([what, cure]) = program_too_long(name, efi, &words) {
                return grub.notice(&[&what, &cure]);
            }
            // GRUB makes the words one text, each byte a character (`grub_cmd_chainloader`).
            if let Some(word) = words.iter().find(|word| !word.is_ascii()) {
                return grub.notice(&[
                    &format!("GRUB cannot hand the word {word} to image {name} as it is."),
                    "On the server: write cmdline of the image, the group or the target in ASCII",
                ]);
            }
            grub.load("if chainloader", &[path(efi.program())], &words);
            grub.0.push_str("then\nboot\nfi\n");
            grub.notice(&[&format!("Could not boot image {name}.")]);
        }
        other => grub.notice(&[&format!(
            "The image {name} is of kind {}, which GRUB cannot boot.",
            other.kind()
        )]),
    }
}

fn boot_linux(
    grub: &mut Grub,
    name: &ImageName,
    linux: &LinuxImage,
    words: &[String],
    path: impl Fn(&ImageFile) -> String,
) {
    // GRUB adds a name of its own before the words, which is no longer than iPXE's.
    let length = line_length(linux, words);
    if let Some([what, cure]) = too_long(name, length, linux.cmdline_limit()) {
        return grub.notice(&[&what, &cure]);
    }
    // GRUB puts a backslash before these, which the kernel would read as part of the word.
    if let Some(word) = words.iter().find(|word| word.contains(['\'', '\\'])) {
        grub.notice(&[
            &format!("GRUB cannot hand the word {word} to the kernel of image {name} as it is."),
            "On the server: write cmdline of the image, the group or the target without ' and \\",
        ]);
        return;
    }
    // What the kernel takes off again; GRUB puts its own around a word with a blank in it.
    let words: Vec<_> = words.iter().map(|word| word.replace('"', "")).collect();
    grub.load("if linux", &[path(linux.kernel())], &words);
    grub.0.push_str("then\n");
    let initrds: Vec<_> = linux.initrds().iter().map(path).collect();
    if initrds.is_empty() {
        grub.line(&["boot"]);
    } else {
        grub.load("if initrd", &initrds, &[]);
        grub.0.push_str("then\nboot\nfi\n");
    }
    grub.0.push_str("fi\n");
    grub.notice(&[
        &format!("Could not boot image {name}."),
        &format!("On the server: netboot image verify {name}; netboot check"),
    ]);
}

fn menu(grub: &mut Grub, world: &World, decision: &Decision, asker: &Asker<'_>) {
    let target = decision.target_in(world);
    let settings = &world.config().menu;
    let items = world.menu_items();
    let default = world.default_item(&items);
    match default.filter(|_| settings.timeout_s > 0) {
        Some(_) => grub
            .0
            .push_str(&format!("set timeout={}\n", settings.timeout_s)),
        None => grub.0.push_str("set timeout=-1\n"),
    }
    for (index, item) in items.iter().enumerate() {
        let id = index.to_string();
        if default == Some(index) {
            grub.0.push_str(&format!("set default={id}\n"));
        }
        let label = |default: &str| item.label.clone().unwrap_or_else(|| default.to_owned());
        let mut section = Grub::default();
        let text = match &item.action {
            MenuAction::Image(name) => match world.image(name) {
                Some(manifest) => {
                    image(&mut section, world, manifest, target, asker, None);
                    label(image_label(world, manifest))
                }
                None => {
                    section.missing(world, name);
                    format!("{} (not in the store)", label(name.as_str()))
                }
            },
            MenuAction::Chain(url) => {
                section.notice(&["GRUB cannot go on with an iPXE script."]);
                label(url)
            }
            MenuAction::Local => {
                section.local(decision.local);
                label("Boot from the local disk")
            }
            MenuAction::Shell => {
                section.echo("Escape leads to the menu; there, c opens the shell.");
                section.line(&["sleep", "--interruptible", "5"]);
                label("GRUB shell")
            }
        };
        let head = format!("menuentry {} --id {id} {{\n", quoted(&text));
        grub.0.push_str(&head);
        grub.0.push_str(&section.0);
        grub.0.push_str("}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_nothing_to_grubs_shell() {
        for (word, written) in [
            ("console=ttyS0,115200", "console=ttyS0,115200"),
            ("a b", "'a b'"),
            ("$root", "'$root'"),
            ("a;reboot", "'a;reboot'"),
            ("it's", r"'it'\''s'"),
            ("a\nb", "'a b'"),
            ("#x", "'#x'"),
            ("\\", r"'\'"),
            ("(http,10.0.0.1)/x", "'(http,10.0.0.1)/x'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), written);
        }
    }
}
