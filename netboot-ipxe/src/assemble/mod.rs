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
//! | `boot-card` | the number of the network card that an address is asked for on |
//! | `menu-home` | the menu to go back to |
//! | `menu-choice`, `menu-timeout` | what was chosen; how long to wait, 0 after the first time |

mod chain;
mod check;
mod labels;
mod linux;
mod menu;
mod words;

use alloc::{format, string::String, vec::Vec};

use self::{
    check::{check_shown, check_url},
    labels::Labels,
};
use crate::{
    arg::Arg,
    command::Command,
    entry::{Chain, Disc, Ending, LinuxBoot, LocalDisk, Notice, Retry},
    error::{RenderError, RenderProblem, brief},
    menu::Menu,
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
        Single::Disc(disc) => assembly.disc(disc, &place, label)?,
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
    Disc(&'a Disc),
    LocalDisk(LocalDisk),
    Notice(&'a Notice),
}

/// A script for a menu.
pub(crate) fn menu(menu: &Menu) -> Result<Script, RenderError> {
    let mut assembly = Assembly::new();
    if let Some(ms) = menu.timeout_ms {
        assembly
            .script
            .set(&setting("menu-timeout"), Arg::from(ms.get()));
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

    fn error(&self, what: &str, problem: RenderProblem) -> RenderError {
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

    fn disc(&mut self, disc: &Disc, place: &Place, label: &str) -> Result<(), RenderError> {
        check_url(&disc.url).map_err(|problem| place.error("URL", problem))?;
        let hint = disc.hint.as_ref().unwrap_or(&disc.url);
        self.attempt(place, label, &disc.what, hint, disc.retry)?;
        // A disc that comes back has not booted either.
        self.script
            .command(Command::Sanboot {
                drive: None,
                no_describe: true,
                keep: false,
                uris: [disc.url.clone()].into(),
            })
            .or_nothing()
            .goto(FAILED);
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
                return Err(place.error(which, RenderProblem::Empty));
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

    fn notice(&mut self, notice: &Notice, place: &Place) -> Result<(), RenderError> {
        for line in &notice.lines {
            place.shown("message", line)?;
            self.script.echo(line.clone());
        }
        self.script.goto(GAVE_UP);
        Ok(())
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
