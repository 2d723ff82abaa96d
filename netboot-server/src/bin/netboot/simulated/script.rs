//! Scripts: run by the interpreter, with files really fetched and nobody at the keyboard. Nothing
//! is fetched while the network card has no address.

use netboot_ipxe::run::{Answer, Effect, End, Image, MenuItem, Run, Settings};

use super::fetch::{Fetched, Fetcher, File, absolute};
use super::report::Report;
use super::settings::open;
use super::{Ended, Machine};
use netboot_server::Failure;

/// How many effects scripts may have before they count as one that does not end.
const MAX_EFFECTS: u32 = 1_000;
/// How many files they may load.
const MAX_FILES: usize = 64;

/// A script under way, and where it came from.
struct Frame {
    run: Run,
    url: String,
}

struct Boot<'r> {
    machine: Machine,
    fetcher: Fetcher,
    report: &'r mut Report,
    /// Whether its network card is open and has an address.
    online: bool,
    /// The script that runs is the last; those before it wait for it.
    frames: Vec<Frame>,
    files: Vec<File>,
    /// The scripts that ran, to see that one starts over.
    ran: Vec<String>,
}

/// What an effect leads to.
enum Next {
    Answer(Answer),
    End(Ended),
}

impl From<Answer> for Next {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// Runs what iPXE was told to boot, a script or a program. Without an address among the settings it
/// is one that the firmware's network brought.
pub(super) async fn run(
    machine: Machine,
    fetcher: Fetcher,
    settings: Settings,
    first: File,
    report: &mut Report,
) -> Result<Ended, Failure> {
    let mut boot = Boot {
        machine,
        fetcher,
        report,
        online: !settings.text("netX/ip").is_empty(),
        frames: Vec::new(),
        files: Vec::new(),
        ran: Vec::new(),
    };
    let length = first.length;
    let ended = boot.run(first, settings).await?;
    let loaded: u64 = boot.files.iter().map(|file| file.length).sum();
    Ok(ended.after(length + loaded))
}

impl Boot<'_> {
    async fn run(&mut self, first: File, settings: Settings) -> Result<Ended, Failure> {
        if !is_script(&first) {
            let mut image = Image::default();
            image.uri.clone_from(&first.url);
            self.files.push(first);
            return Ok(match self.boot(&image, &[], settings, false).await? {
                Next::End(ended) => ended,
                Next::Answer(_) => Ended::stops("iPXE was told no script and no program"),
            });
        }
        if let Some(ended) = self.enter(&first, settings) {
            return Ok(ended);
        }
        let mut answer = Answer::Done;
        for _ in 0..MAX_EFFECTS {
            let Some(frame) = self.frames.last_mut() else {
                break;
            };
            let effect = frame.run.next(answer);
            answer = match self.carry_out(effect).await? {
                Next::Answer(answer) => answer,
                Next::End(ended) => return Ok(ended),
            };
        }
        Ok(Ended::stops(format!(
            "the script does not end: it took {MAX_EFFECTS} effects"
        )))
    }

    /// Starts a script; gives the end where it cannot be.
    fn enter(&mut self, script: &File, settings: Settings) -> Option<Ended> {
        let url = script.url.clone();
        if self.ran.contains(&url) {
            return Some(Ended::stops(format!("{url} starts over")));
        }
        if (script.head.len() as u64) < script.length {
            return Some(Ended::stops(format!(
                "{url} is too long for a script: {} bytes",
                script.length
            )));
        }
        let text = String::from_utf8_lossy(&script.head);
        match Run::new(&text) {
            Ok(mut run) => {
                *run.settings_mut() = settings;
                self.ran.push(url.clone());
                self.frames.push(Frame { run, url });
                None
            }
            Err(error) => Some(Ended::stops(format!("{url}: {error}"))),
        }
    }

    async fn carry_out(&mut self, effect: Effect) -> Result<Next, Failure> {
        Ok(match effect {
            Effect::End(end) => self.leave(end)?,
            Effect::Echo { text, .. } => {
                self.report.say("says", text)?;
                Answer::Done.into()
            }
            Effect::Sleep { seconds } => {
                self.report
                    .say("waits", format_args!("{seconds} s, skipped here"))?;
                Answer::Done.into()
            }
            Effect::Prompt {
                text, timeout_ms, ..
            } => {
                if timeout_ms == 0 {
                    return Ok(Next::End(Ended::stops(format!(
                        "it waits for a key for ever: {text}"
                    ))));
                }
                self.report
                    .say("asks", format_args!("{text}, and nobody presses a key"))?;
                Answer::Failed.into()
            }
            Effect::Dhcp { interfaces } => self.dhcp(&interfaces).await?.into(),
            Effect::Fetch { name, uri } => self.fetch(&name, &uri).await?.into(),
            Effect::Boot {
                kernel,
                initrds,
                replace,
            } => {
                let settings = self.settings();
                self.boot(&kernel, &initrds, settings, replace).await?
            }
            Effect::Choose {
                title,
                items,
                default,
                timeout_ms,
            } => self.choose(&title, &items, default, timeout_ms)?,
            Effect::Form { title, .. } => {
                Next::End(Ended::stops(format!("a form waits for a person: {title}")))
            }
            Effect::Read { setting } => Next::End(Ended::stops(format!(
                "it waits for a person to type {setting}"
            ))),
            Effect::Shell => Next::End(Ended::stops("iPXE's shell waits for a person")),
            Effect::Sanboot { uris, .. } if uris.is_empty() => {
                Next::End(Ended::boots("the local disk"))
            }
            Effect::Sanboot { uris, .. } => Next::End(Ended::boots(format!(
                "the disk {}, which was not looked at",
                uris.join(" ")
            ))),
            Effect::Reboot { .. } => Next::End(Ended::stops("the script restarts the machine")),
            Effect::Verify { image, signature } => {
                self.report.say(
                    "note",
                    format_args!("the signature {signature} of {image} was not checked"),
                )?;
                Answer::Done.into()
            }
            Effect::Command { words } if words.first().is_some_and(|name| name == "poweroff") => {
                Next::End(Ended::stops("the script switches the machine off"))
            }
            Effect::Command { words } if words.first().is_some_and(|name| name == "ifclose") => {
                self.online = false;
                Answer::Done.into()
            }
            Effect::Command { words } => {
                self.report
                    .say("note", format_args!("taken as done: {}", words.join(" ")))?;
                Answer::Done.into()
            }
            _ => Answer::Done.into(),
        })
    }

    /// A script's end: that of the boot, or the answer to the script that called it.
    fn leave(&mut self, end: End) -> Result<Next, Failure> {
        let Some(frame) = self.frames.pop() else {
            return Ok(Answer::Done.into());
        };
        let url = &frame.url;
        let (status, why) = match &end {
            End::Exit { status } => (*status, format!("{url} ends with {status}")),
            End::Failed { line, command } => (1, format!("{url}, line {line}: `{command}` fails")),
            End::Unbounded => {
                let why = format!("{url} does not end, or gathers too much");
                return Ok(Next::End(Ended::stops(why)));
            }
            End::Replaced => (0, format!("{url} was replaced")),
        };
        if let Some(caller) = self.frames.last_mut() {
            *caller.run.settings_mut() = frame.run.settings().clone();
            self.report.say("script", why)?;
            let succeeded = status == 0;
            return Ok(if succeeded {
                Answer::Done
            } else {
                Answer::Failed
            }
            .into());
        }
        Ok(Next::End(match end {
            End::Exit { status } => Ended::boots(format!(
                "what the firmware has next: the script leaves iPXE with status {status}"
            )),
            _ => Ended::stops(why),
        }))
    }

    /// iPXE's DHCP, on the one card that there is.
    async fn dhcp(&mut self, interfaces: &[String]) -> Result<Answer, Failure> {
        let has = |name: &String| name == "net0";
        if !interfaces.is_empty() && !interfaces.iter().any(has) {
            return Ok(Answer::Failed);
        }
        let bound = match self.machine.dhcp_as_ipxe(self.report).await {
            Ok(bound) => bound,
            Err(failure) => {
                self.report.say("failed", &failure)?;
                return Ok(Answer::Failed);
            }
        };
        self.fetcher = self.machine.fetcher(&bound)?;
        self.online = true;
        if let Some(frame) = self.frames.last_mut() {
            open(frame.run.settings_mut(), &self.machine, &bound);
        }
        Ok(Answer::Done)
    }

    async fn fetch(&mut self, name: &str, uri: &str) -> Result<Answer, Failure> {
        if !self.online {
            self.report.say(
                "failed",
                format_args!("{uri}: the network is unreachable, no card has an address"),
            )?;
            return Ok(Answer::Failed);
        }
        let base = self.frames.last().map_or("", |frame| frame.url.as_str());
        let url = absolute(base, uri);
        if self.files.len() >= MAX_FILES {
            self.report.say(
                "note",
                format_args!("{MAX_FILES} files are enough: not {url}"),
            )?;
            return Ok(Answer::Failed);
        }
        match self.fetcher.get(&url, self.report).await {
            Ok(Fetched::File(file)) => {
                // The interpreter knows it by what the script calls it.
                self.files.push(file);
                Ok(Answer::Done)
            }
            Ok(Fetched::NotAsked(why)) => {
                self.report.say("note", format_args!("{name}: {why}"))?;
                Ok(Answer::Done)
            }
            // What comes then is the script's to say.
            Err(failure) => {
                self.report.say("failed", &failure)?;
                Ok(Answer::Failed)
            }
        }
    }

    /// Runs an image: another script, or a program that ends all scripts.
    async fn boot(
        &mut self,
        kernel: &Image,
        initrds: &[Image],
        settings: Settings,
        replace: bool,
    ) -> Result<Next, Failure> {
        let Some(program) = self.file(&kernel.uri) else {
            let what = format!("{}, which was not looked at", kernel.uri);
            return Ok(Next::End(Ended::boots(what)));
        };
        if is_script(&program) {
            if replace {
                self.frames.pop();
            }
            return Ok(match self.enter(&program, settings) {
                Some(ended) => Next::End(ended),
                None => Answer::Done.into(),
            });
        }
        if self.machine.firmware.is_uefi() && !program.head.starts_with(b"MZ") {
            self.report.say(
                "failed",
                format_args!("{} is no UEFI program: iPXE refuses it", program.url),
            )?;
            return Ok(Answer::Failed.into());
        }
        let initrds: Vec<File> = initrds
            .iter()
            .filter_map(|initrd| self.file(&initrd.uri))
            .collect();
        for file in std::iter::once(&program).chain(&initrds) {
            if let Err(why) = self.fetcher.verify(file, self.report).await? {
                return Ok(Next::End(Ended::stops(why)));
            }
        }
        let mut what = program.url;
        for word in [" ", &kernel.args] {
            what.push_str(word);
        }
        for initrd in &initrds {
            what.push_str(" + ");
            what.push_str(&initrd.url);
        }
        Ok(Next::End(Ended::boots(what)))
    }

    fn choose(
        &mut self,
        title: &str,
        items: &[MenuItem],
        default: Option<String>,
        timeout_ms: u32,
    ) -> Result<Next, Failure> {
        let first = || items.iter().find_map(|item| item.name.clone());
        let names = || items.iter().filter_map(|item| item.name.as_deref());
        if let Some(choice) = self.machine.choices.pop_front() {
            // The menus of `netboot serve` have a prefix before an item's name: `item-1-debian`.
            let ending = format!("-{choice}");
            let chosen = names()
                .find(|name| *name == choice)
                .or_else(|| names().find(|name| name.ends_with(&ending)));
            let Some(chosen) = chosen.map(str::to_owned) else {
                let names: Vec<&str> = names().collect();
                let why = format!("the menu has no item {choice}, but {}", names.join(", "));
                return Ok(Next::End(Ended::stops(why)));
            };
            self.report
                .say("chooses", format_args!("{chosen} in {title}"))?;
            return Ok(Answer::Text(chosen).into());
        }
        if timeout_ms == 0 {
            let why = format!("the menu waits for a person: {title}");
            return Ok(Next::End(Ended::stops(why)));
        }
        let Some(chosen) = default.or_else(first) else {
            return Ok(Answer::Failed.into());
        };
        self.report
            .say("chooses", format_args!("{chosen} in {title}, the default"))?;
        Ok(Answer::Text(chosen).into())
    }

    /// A file by what a script called it, or by its URL; of several the last.
    fn file(&self, uri: &str) -> Option<File> {
        let base = self.frames.last().map_or("", |frame| frame.url.as_str());
        let url = absolute(base, uri);
        let mut latest_first = self.files.iter().rev();
        latest_first.find(|file| file.url == url).cloned()
    }

    fn settings(&self) -> Settings {
        self.frames
            .last()
            .map(|frame| frame.run.settings().clone())
            .unwrap_or_default()
    }
}

fn is_script(file: &File) -> bool {
    file.head.starts_with(b"#!ipxe") || file.head.starts_with(b"#!gpxe")
}
