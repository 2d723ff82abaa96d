//! From entries and menus to scripts.
//!
//! A script is laid out as sections: a label, then commands of which the last always goes
//! elsewhere. So no section is reached from the one before it. Failure is handled in one place
//! for all entries; each says what it is in settings before it tries:
//!
//! | setting | what |
//! |---|---|
//! | `boot-what` | the entry, in words |
//! | `boot-hint` | what to look at when it fails |
//! | `boot-again` | the label to try again at |
//! | `boot-tries`, `boot-attempt`, `boot-pause` | the bound, the count, the seconds in between |
//! | `menu-home` | the menu to go back to |
//! | `menu-choice`, `menu-timeout` | what was chosen; how long to wait, 0 after the first time |

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    arg::{Arg, Part},
    cmdline::{self, MAX_BYTES},
    command::{ChooseCommand, Command, ImageCommand, ImageVerb, ItemCommand},
    entry::{Action, Chain, Ending, LinuxBoot, LocalDisk, Notice, Retry},
    error::{Problem, RenderError, brief},
    menu::{Cancel, Item, Menu, Row},
    script::{Line, Operator, Script},
    setting::{Setting, SettingType},
};

/// A script for one entry.
pub(crate) fn single(entry: Single<'_>, ending: Ending) -> Result<Script, RenderError> {
    let mut assembly = Assembly::new();
    let place = Place::new("entry");
    let label = "boot";
    assembly.script.label(label);
    match entry {
        Single::Linux(linux) => assembly.linux(linux, &place, label)?,
        Single::Chain(chain) => assembly.chain(chain, &place, label, None)?,
        Single::LocalDisk(disk) => assembly.local_disk(disk),
        Single::Notice(notice) => assembly.notice(notice, &place)?,
    }
    assembly.failed();
    if assembly.goes_to(GAVE_UP) {
        assembly.script.label(GAVE_UP);
        assembly.ending(ending);
    }
    Ok(assembly.script)
}

/// What can be a script by itself.
pub(crate) enum Single<'a> {
    Linux(&'a LinuxBoot),
    Chain(&'a Chain),
    LocalDisk(LocalDisk),
    Notice(&'a Notice),
}

/// A script for a menu.
pub(crate) fn menu(menu: &Menu) -> Result<Script, RenderError> {
    let mut assembly = Assembly::new();
    if let Some(ms) = menu.timeout_ms {
        assembly.script.set(&setting("menu-timeout"), Arg::from(ms));
    }
    let top = assembly.labels.unique("menu");
    assembly.menu(menu, &Place::new("menu"), &top, None)?;
    assembly.failed();
    if assembly.goes_to(GAVE_UP) {
        assembly
            .script
            .label(GAVE_UP)
            .prompt("Press a key to go back to the menu.", None)
            .or_nothing()
            .goto(setting("menu-home"));
    }
    Ok(assembly.script)
}

const FAILED: &str = "failed";
const GAVE_UP: &str = "gave-up";

struct Assembly {
    script: Script,
    labels: Labels,
}

/// Where in the caller's data something stands, for errors.
struct Place(String);

impl Place {
    fn new(what: &str) -> Self {
        Self(what.into())
    }

    fn item(name: &str) -> Self {
        Self(format!("item `{}`", brief(name)))
    }

    fn error(&self, what: &str, problem: Problem) -> RenderError {
        RenderError::new(format!("{}, {what}", self.0), problem)
    }

    /// The error, unless a text can be shown to a person and be kept in a setting.
    fn shown(&self, what: &str, text: &Arg) -> Result<(), RenderError> {
        check_shown(text).map_err(|problem| self.error(what, problem))
    }
}

impl Assembly {
    fn new() -> Self {
        let mut labels = Labels::default();
        labels.reserve(FAILED);
        labels.reserve(GAVE_UP);
        Self {
            script: Script::new(),
            labels,
        }
    }

    fn goes_to(&self, label: &str) -> bool {
        self.script.lines().iter().flat_map(Line::commands).any(
            |command| matches!(command, Command::Goto(target) if target.as_text() == Some(label)),
        )
    }

    /// The section of an item of the menu at `home`.
    fn item(&mut self, item: &Item, label: &str, home: &str) -> Result<(), RenderError> {
        let place = &Place::item(&item.name);
        self.script.label(label);
        match &item.action {
            Action::Linux(linux) => self.linux(linux, place, label)?,
            Action::Chain(chain) => self.chain(chain, place, label, Some(home))?,
            Action::LocalDisk(disk) => self.local_disk(*disk),
            Action::Shell => self.shell(home),
            Action::Notice(notice) => self.notice(notice, place)?,
            Action::Menu(below) => self.menu(below, place, label, Some(home))?,
            Action::Reboot => {
                self.script
                    .command(Command::Reboot { warm: false })
                    .or_nothing()
                    .goto(GAVE_UP);
            }
            Action::Exit(status) => {
                self.script.exit(*status);
            }
        }
        Ok(())
    }

    fn linux(&mut self, linux: &LinuxBoot, place: &Place, label: &str) -> Result<(), RenderError> {
        check_url(&linux.kernel).map_err(|problem| place.error("kernel URL", problem))?;
        let kernel_name = kernel_name(linux);
        let args = kernel_args(linux, kernel_name, place)?;
        let hint = linux.hint.as_ref().unwrap_or(&linux.kernel);
        self.attempt(place, label, &linux.what, hint, linux.retry)?;
        self.script
            .kernel(kernel_name, linux.kernel.clone(), args)
            .or_goto(FAILED);
        for initrd in &linux.initrds {
            self.script
                .initrd(initrd.name.as_str(), initrd.url.clone())
                .or_goto(FAILED);
        }
        let signed = linux
            .initrds
            .iter()
            .map(|initrd| (initrd.name.as_str(), &initrd.signature));
        for (name, signature) in
            core::iter::once((kernel_name, &linux.kernel_signature)).chain(signed)
        {
            let Some(url) = signature else { continue };
            check_url(url).map_err(|problem| place.error("signature URL", problem))?;
            let command = Command::Imgverify {
                signer: linux.signer.clone(),
                keep: false,
                image: name.into(),
                signature: url.clone(),
            };
            self.script.command(command).or_goto(FAILED);
        }
        // A kernel that comes back has not booted either.
        self.script.boot().or_nothing().goto(FAILED);
        Ok(())
    }

    fn chain(
        &mut self,
        chain: &Chain,
        place: &Place,
        label: &str,
        home: Option<&str>,
    ) -> Result<(), RenderError> {
        check_url(&chain.url).map_err(|problem| place.error("URL", problem))?;
        place.shown("arguments", &chain.args)?;
        let hint = chain.hint.as_ref().unwrap_or(&chain.url);
        self.attempt(place, label, &chain.what, hint, chain.retry)?;
        if chain.dhcp {
            self.script
                .isset(Setting::new("ip"))
                .then(Operator::Or, Command::Dhcp(Vec::new()))
                .or_goto(FAILED);
        }
        let fetch = ImageCommand {
            args: chain.args.clone(),
            ..ImageCommand::new(ImageVerb::Imgselect, Some(chain.url.clone()))
        };
        match home {
            // What it does once it runs is its own affair: a script that ends in `exit 1` has not
            // failed to be fetched.
            Some(menu) => {
                self.script.command(Command::Image(fetch)).or_goto(FAILED);
                self.script.boot().or_nothing().goto(menu);
            }
            None => {
                let replace = ImageCommand {
                    verb: ImageVerb::Chain,
                    replace: true,
                    ..fetch
                };
                self.script
                    .command(Command::Image(replace))
                    .or_goto(FAILED)
                    .goto(GAVE_UP);
            }
        }
        Ok(())
    }

    /// What every attempt starts with, and the label to come back to.
    fn attempt(
        &mut self,
        place: &Place,
        label: &str,
        what: &Arg,
        hint: &Arg,
        retry: Retry,
    ) -> Result<(), RenderError> {
        for (which, text) in [("title", what), ("hint", hint)] {
            place.shown(which, text)?;
            if text.is_empty() {
                return Err(place.error(which, Problem::Empty));
            }
        }
        let again = self.labels.unique(&format!("{label}-try"));
        self.script
            .set(&setting("boot-what"), what.clone())
            .set(&setting("boot-hint"), hint.clone())
            .set(&setting("boot-again"), again.as_str())
            .set(
                &setting("boot-tries"),
                Arg::from(u32::from(retry.tries.max(1))),
            )
            .set(&setting("boot-pause"), Arg::from(u32::from(retry.pause_s)))
            .set(&attempt(), "1")
            .label(&again)
            .imgfree()
            .echo(Arg::from("Booting ").setting(setting("boot-what")));
        Ok(())
    }

    /// The one place where failure is handled.
    fn failed(&mut self) {
        if !self.goes_to(FAILED) {
            return;
        }
        let text = |text: &str| Arg::from(text);
        self.script
            .label(FAILED)
            .imgfree()
            .echo(
                text("Could not boot ")
                    .setting(setting("boot-what"))
                    .text(": attempt ")
                    .setting(attempt())
                    .text(" of ")
                    .setting(setting("boot-tries")),
            )
            .echo(text("Look at: ").setting(setting("boot-hint")))
            .iseq(attempt(), setting("boot-tries"))
            .and_goto(GAVE_UP)
            .or_nothing()
            .inc(&attempt())
            .echo(
                text("Trying again in ")
                    .setting(setting("boot-pause"))
                    .text(" seconds; Ctrl-C gives up"),
            )
            .command(Command::Sleep(setting("boot-pause").into()))
            .or_goto(GAVE_UP)
            .goto(setting("boot-again"));
    }

    fn local_disk(&mut self, disk: LocalDisk) {
        match disk {
            LocalDisk::Efi => {
                self.script.exit(1);
                return;
            }
            LocalDisk::ByPlatform => {
                self.script
                    .iseq(setting("platform"), "efi")
                    .then(Operator::And, Command::Exit(Some("1".into())))
                    .or_nothing();
            }
            LocalDisk::Bios => {}
        }
        self.script
            .command(Command::Sanboot {
                drive: Some("0x80".into()),
                no_describe: true,
                keep: false,
                uris: Vec::new(),
            })
            .or_nothing()
            .echo("Could not boot from the local disk. Look at: the disk, and its boot loader")
            .goto(GAVE_UP);
    }

    fn shell(&mut self, home: &str) {
        self.script
            .echo("Type exit to go back to the menu.")
            .shell()
            .or_nothing()
            .goto(home);
    }

    fn notice(&mut self, notice: &Notice, place: &Place) -> Result<(), RenderError> {
        for line in &notice.lines {
            place.shown("message", line)?;
            self.script.echo(line.clone());
        }
        self.script.goto(GAVE_UP);
        Ok(())
    }

    fn menu(
        &mut self,
        menu: &Menu,
        place: &Place,
        label: &str,
        parent: Option<&str>,
    ) -> Result<(), RenderError> {
        place.shown("title", &menu.title)?;
        let items: Vec<(&Item, String)> = menu
            .rows
            .iter()
            .filter_map(|row| match row {
                Row::Item(item) => Some(&**item),
                Row::Gap(_) => None,
            })
            .map(|item| {
                (
                    item,
                    self.labels.unique(&format!("item-{}", slug(&item.name))),
                )
            })
            .collect();
        check_items(&items, place)?;
        let default = match &menu.default {
            None => None,
            Some(name) => {
                let found = items.iter().find(|(item, _)| item.name == *name);
                let (_, label) = found.ok_or_else(|| {
                    place.error(&format!("default `{}`", brief(name)), Problem::UnknownItem)
                })?;
                Some(label.as_str())
            }
        };
        if parent.is_none() {
            self.script.label(label);
        }
        self.script
            .set(&setting("menu-home"), label)
            .menu(menu.title.clone());
        self.rows(menu, &items, place)?;
        if let Some(parent) = parent {
            self.script.item(ItemCommand {
                name: Some(parent.into()),
                text: "Back".into(),
                ..ItemCommand::default()
            });
        }
        let cancelled = self.labels.unique(&format!("{label}-cancelled"));
        let timed = parent.is_none() && menu.timeout_ms.is_some();
        self.script
            .choose(ChooseCommand {
                menu: None,
                default: default.map(Arg::from),
                timeout_ms: timed.then(|| setting("menu-timeout").into()),
                keep: false,
                setting: "menu-choice".into(),
            })
            .or_goto(&cancelled);
        self.no_more_timeout(timed);
        self.script.goto(setting("menu-choice")).label(&cancelled);
        self.no_more_timeout(timed);
        match (parent, menu.cancel) {
            (Some(parent), _) => {
                self.script.goto(parent);
            }
            (None, Cancel::Again) => {
                self.script.goto(label);
            }
            (None, Cancel::Shell) => self.shell(label),
            (None, Cancel::Exit(status)) => {
                self.script.exit(status);
            }
        }
        for (item, item_label) in &items {
            self.item(item, item_label, label)?;
        }
        Ok(())
    }

    fn rows(
        &mut self,
        menu: &Menu,
        items: &[(&Item, String)],
        place: &Place,
    ) -> Result<(), RenderError> {
        let mut labels = items.iter().map(|(_, label)| label.as_str());
        for row in &menu.rows {
            match row {
                Row::Gap(text) => {
                    place.shown("gap", text)?;
                    self.script.item(ItemCommand {
                        gap: true,
                        text: text.clone(),
                        ..ItemCommand::default()
                    });
                }
                Row::Item(item) => {
                    Place::item(&item.name).shown("text", &item.text)?;
                    // Without a text, iPXE would take the item for a gap.
                    let text = if item.text.is_empty() {
                        item.name.as_str().into()
                    } else {
                        item.text.clone()
                    };
                    Place::item(&item.name).shown("name", &text)?;
                    self.script.item(ItemCommand {
                        key: item.key.map(|key| key.to_string().into()),
                        name: labels.next().map(Arg::from),
                        text,
                        ..ItemCommand::default()
                    });
                }
            }
        }
        Ok(())
    }

    fn no_more_timeout(&mut self, timed: bool) {
        if timed {
            self.script.set(&setting("menu-timeout"), "0");
        }
    }

    fn ending(&mut self, ending: Ending) {
        let wait = |script: &mut Script, wait_ms: u32, text: &str| {
            let timeout = Some(wait_ms).filter(|ms| *ms > 0);
            script.prompt(text, timeout).or_nothing();
        };
        match ending {
            Ending::Shell => {
                self.script
                    .echo("Type exit to leave iPXE and go on in the boot order.")
                    .shell()
                    .or_nothing()
                    .exit(1);
            }
            Ending::Exit { status, wait_ms } => {
                wait(
                    &mut self.script,
                    wait_ms,
                    "Leaving iPXE; a key goes on at once.",
                );
                self.script.exit(status);
            }
            Ending::Reboot { wait_ms } => {
                wait(
                    &mut self.script,
                    wait_ms,
                    "Restarting; a key goes on at once.",
                );
                self.script.command(Command::Reboot { warm: false });
            }
        }
    }
}

fn setting(name: &str) -> Setting {
    Setting::new(name)
}

fn attempt() -> Setting {
    Setting::new("boot-attempt").typed(SettingType::Int32)
}

fn check_items(items: &[(&Item, String)], place: &Place) -> Result<(), RenderError> {
    if items.is_empty() {
        return Err(place.error("items", Problem::NoItem));
    }
    let mut names = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for (item, _) in items {
        let place = Place::item(&item.name);
        if !names.insert(item.name.as_str()) {
            return Err(place.error("name", Problem::Duplicate));
        }
        let Some(key) = item.key else { continue };
        if !key.is_ascii_graphic() {
            return Err(place.error("key", Problem::Character(key)));
        }
        if !keys.insert(key) {
            return Err(place.error(&format!("key `{key}`"), Problem::Duplicate));
        }
    }
    Ok(())
}

/// iPXE knows an image by its name without regard to case, and under UEFI the kernel takes the
/// first of that name.
fn kernel_args(linux: &LinuxBoot, kernel_name: &str, place: &Place) -> Result<Arg, RenderError> {
    let mut taken = BTreeSet::from([kernel_name.to_ascii_lowercase()]);
    let mut line = Arg::new();
    let mut len = 0;
    for initrd in &linux.initrds {
        let at = |what: &str, problem| {
            place.error(
                &format!("initrd `{}`, {what}", brief(&initrd.name)),
                problem,
            )
        };
        if initrd.name.is_empty() {
            return Err(at("name", Problem::Empty));
        }
        if let Some(c) = initrd.name.chars().find(|c| !is_image_char(*c)) {
            return Err(at("name", Problem::Character(c)));
        }
        if !taken.insert(initrd.name.to_ascii_lowercase()) {
            return Err(at("name", Problem::Duplicate));
        }
        check_url(&initrd.url).map_err(|problem| at("URL", problem))?;
        add_word(
            &mut line,
            &mut len,
            &Arg::from("initrd=").text(&initrd.name),
        );
    }
    for (index, arg) in linux.args.args().iter().enumerate() {
        if cmdline::texts(arg)
            .next()
            .is_some_and(|text| text.starts_with("initrd="))
        {
            continue;
        }
        let at = |problem| {
            let shown = brief(&arg.to_string());
            place.error(&format!("kernel argument {} `{shown}`", index + 1), problem)
        };
        let arg = cmdline::quote(arg).map_err(at)?;
        check_shown(&arg).map_err(at)?;
        add_word(&mut line, &mut len, &arg);
    }
    if len > MAX_BYTES {
        return Err(place.error(
            "kernel arguments",
            Problem::TooLong {
                len,
                max: MAX_BYTES,
            },
        ));
    }
    Ok(line)
}

fn add_word(line: &mut Arg, len: &mut usize, word: &Arg) {
    if !line.is_empty() {
        *line = core::mem::take(line).text(" ");
        *len += 1;
    }
    *len += cmdline::known_len(word);
    *line = core::mem::take(line).join(word);
}

/// The kernel's name as iPXE would make it from the URL, unless an initrd has it or it is no
/// plain name.
fn kernel_name(linux: &LinuxBoot) -> &str {
    let tail = linux
        .kernel
        .parts()
        .last()
        .and_then(|part| match part {
            Part::Text(text) => text.rsplit_once('/'),
            _ => None,
        })
        .map(|(_, tail)| tail)
        .filter(|tail| !tail.is_empty() && tail.chars().all(is_image_char))
        .filter(|tail| {
            !linux
                .initrds
                .iter()
                .any(|initrd| initrd.name.eq_ignore_ascii_case(tail))
        });
    tail.unwrap_or("kernel")
}

fn is_image_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The problem, unless a text can be shown to a person and be kept in a setting. `${` with `}` or
/// a setting anywhere after it is refused even where the line itself could hold it, and so is `$`
/// right before a setting: iPXE expands the value again where it is used.
fn check_shown(text: &Arg) -> Result<(), Problem> {
    let mut open = false;
    let mut dollar = false;
    for part in text.parts() {
        let Part::Text(part) = part else {
            if open || dollar {
                return Err(Problem::Expansion);
            }
            if let Part::Setting(setting) = part {
                setting.check()?;
            }
            continue;
        };
        if let Some(c) = part.chars().find(|c| c.is_control()) {
            return Err(if c == '\0' {
                Problem::Nul
            } else {
                Problem::Control(c)
            });
        }
        let opens = part.find("${").unwrap_or(part.len());
        let after = if open {
            part
        } else {
            part.get(opens..).unwrap_or_default()
        };
        if after.contains('}') {
            return Err(Problem::Expansion);
        }
        open |= opens < part.len();
        dollar = part.ends_with('$');
    }
    Ok(())
}

fn check_url(url: &Arg) -> Result<(), Problem> {
    if url.is_empty() {
        return Err(Problem::Empty);
    }
    let odd = cmdline::texts(url)
        .flat_map(str::chars)
        .find(|c| c.is_whitespace() || c.is_control());
    match odd {
        Some(c) => Err(Problem::Character(c)),
        None => check_shown(url),
    }
}

/// The labels of a script, each only once.
#[derive(Default)]
struct Labels {
    taken: BTreeSet<String>,
}

impl Labels {
    fn reserve(&mut self, label: &str) {
        self.taken.insert(label.into());
    }

    fn unique(&mut self, wish: &str) -> String {
        let mut label = String::from(wish);
        let mut number = 2_u32;
        while !self.taken.insert(label.clone()) {
            label = format!("{wish}-{number}");
            number = number.saturating_add(1);
        }
        label
    }
}

/// What is left of a name in a label: lower-case ASCII letters and digits, `-` between them.
fn slug(name: &str) -> String {
    const MAX: usize = 40;
    let mut out = String::new();
    for c in name.chars() {
        if out.len() >= MAX {
            break;
        }
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    let trimmed = out.trim_end_matches('-').len();
    out.truncate(trimmed);
    if out.is_empty() { "x".into() } else { out }
}
