//! Commands as they run: what each does by itself, and what it asks of the caller.

use alloc::{string::String, vec::Vec};

use super::{
    After, Answer, Effect, End, Flow, Image, MAX_HELD, Pending, Run,
    value::{integer, percent_decode},
};
use crate::{arg::Arg, command::ImageVerb, getopt::Invocation, spec};

/// The options and words of a command, as text.
pub(super) struct Given<'a> {
    invocation: Invocation<'a>,
}

impl Given<'_> {
    pub(super) fn flag(&self, long: &str) -> bool {
        self.invocation
            .options
            .iter()
            .any(|(option, _)| option.long == long)
    }

    pub(super) fn value(&self, long: &str) -> Option<String> {
        let found = self
            .invocation
            .options
            .iter()
            .rev()
            .find(|(option, _)| option.long == long);
        found
            .and_then(|(_, value)| value.as_ref())
            .map(|value| text(value).into())
    }

    /// An option's number, 0 where it is absent; `None` where it is no number.
    pub(super) fn number(&self, long: &str) -> Option<u32> {
        match self.value(long) {
            None => Some(0),
            Some(value) => integer(&value).and_then(|number| u32::try_from(number).ok()),
        }
    }

    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.invocation.words.get(index).map(text)
    }

    fn words_from(&self, index: usize) -> Vec<String> {
        let words = self.invocation.words.get(index..).unwrap_or_default();
        words.iter().map(|word| text(word).into()).collect()
    }

    pub(super) fn rest(&self, index: usize) -> String {
        self.words_from(index).join(" ")
    }
}

/// An expanded word: it is text and nothing else.
fn text(arg: &Arg) -> &str {
    arg.as_text().unwrap_or_default()
}

impl Run {
    pub(super) fn command(&mut self, words: &[String]) -> Flow {
        let Some((name, rest)) = words.split_first() else {
            return Flow::Done(true);
        };
        let args: Vec<Arg> = rest.iter().map(Arg::from).collect();
        let read = spec::find(name).and_then(|spec| Invocation::read(spec, &args).ok());
        // iPXE says what is wrong, and the command fails.
        let Some(invocation) = read else {
            return Flow::Done(false);
        };
        let given = Given { invocation };
        if let Some(verb) = ImageVerb::ALL.into_iter().find(|verb| verb.name() == name) {
            return self.image(verb, &given);
        }
        let first = given.word(0).unwrap_or_default();
        match name.as_str() {
            "goto" => match self.labels.get(first) {
                Some(line) => Flow::Goto(*line),
                None => Flow::Done(false),
            },
            "exit" => match given.word(0).map_or(Some(0), integer) {
                Some(status) => Flow::End(End::Exit {
                    status: u32::try_from(status).unwrap_or(u32::MAX),
                }),
                None => Flow::Done(false),
            },
            "isset" => Flow::Done(!first.is_empty()),
            "iseq" => Flow::Done(Some(first) == given.word(1)),
            "set" => Flow::Done(self.settings.store(first, &given.rest(1))),
            "clear" => Flow::Done(self.settings.clear(first)),
            "inc" => {
                let by = given.word(1).map_or(Some(1), integer);
                Flow::Done(by.is_some_and(|by| self.settings.add(first, by)))
            }
            "imgfree" => Flow::Done(self.imgfree(&given)),
            "menu" | "form" => Flow::Done(self.menu(&given)),
            "item" => Flow::Done(self.item(&given)),
            "choose" => self.choose(&given),
            "present" => self.present(&given),
            _ => asked(name, words, &given),
        }
    }

    fn image(&mut self, verb: ImageVerb, given: &Given<'_>) -> Flow {
        let then = match verb {
            ImageVerb::Imgfetch | ImageVerb::Module | ImageVerb::Initrd | ImageVerb::Imgargs => {
                After::Keep
            }
            ImageVerb::Imgselect | ImageVerb::Imgload | ImageVerb::Kernel => After::Select,
            ImageVerb::Imgexec | ImageVerb::Chain | ImageVerb::Boot => After::Run {
                replace: given.flag("replace"),
                autofree: given.flag("autofree"),
            },
        };
        let args = given.rest(1);
        let Some(uri) = given.word(0) else {
            let only = self.images.first().filter(|_| self.images.len() == 1);
            let name = self
                .selected
                .clone()
                .or_else(|| only.map(|image| image.name.clone()));
            return name.map_or(Flow::Done(false), |name| self.after(&name, &then));
        };
        let fetches = matches!(
            verb,
            ImageVerb::Imgfetch | ImageVerb::Module | ImageVerb::Initrd
        );
        let known = self
            .images
            .iter_mut()
            .find(|image| !fetches && image.name == uri);
        if let Some(image) = known {
            if !args.is_empty() || verb == ImageVerb::Imgargs {
                image.args = args;
            }
            if let Some(name) = given.value("name") {
                image.name = name;
            }
            let name = image.name.clone();
            return self.after(&name, &then);
        }
        if self.images.len() >= MAX_HELD {
            return Flow::End(End::Unbounded);
        }
        let name = given.value("name").unwrap_or_else(|| name_of(uri));
        let image = Image {
            name: name.clone(),
            uri: uri.into(),
            args,
        };
        Flow::Ask(
            Effect::Fetch {
                name,
                uri: uri.into(),
            },
            Pending::Fetch { image, then },
        )
    }

    /// What a verb does with an image that is there.
    fn after(&mut self, name: &str, then: &After) -> Flow {
        match then {
            After::Keep => Flow::Done(true),
            After::Select => {
                self.selected = Some(name.into());
                Flow::Done(true)
            }
            After::Run { replace, autofree } => {
                // Of several images of one name, the one fetched last was meant.
                let mut latest_first = self.images.iter().rev();
                let Some(kernel) = latest_first.find(|image| image.name == name) else {
                    return Flow::Done(false);
                };
                let kernel = kernel.clone();
                let others = self.images.iter().filter(|image| image.name != name);
                let effect = Effect::Boot {
                    kernel,
                    initrds: others.cloned().collect(),
                    replace: *replace,
                };
                let autofree = autofree.then(|| name.into());
                Flow::Ask(
                    effect,
                    Pending::Booted {
                        autofree,
                        replace: *replace,
                    },
                )
            }
        }
    }

    fn imgfree(&mut self, given: &Given<'_>) -> bool {
        let names = given.words_from(0);
        if names.is_empty() {
            self.images.clear();
            self.selected = None;
            return true;
        }
        names.iter().all(|name| {
            let before = self.images.len();
            self.images.retain(|image| image.name != *name);
            self.selected = self.selected.take().filter(|selected| selected != name);
            self.images.len() < before
        })
    }

    /// Takes the answer to an effect; gives the next one where that follows at once.
    pub(super) fn answered(&mut self, pending: Pending, answer: Answer) -> Option<Effect> {
        let done = answer != Answer::Failed;
        let flow = match (pending, answer) {
            (Pending::Fetch { image, then }, _) if done => {
                let name = image.name.clone();
                self.images.push(image);
                self.after(&name, &then)
            }
            (Pending::Booted { replace: true, .. }, _) => Flow::End(End::Replaced),
            (Pending::Booted { autofree, .. }, _) => {
                if let Some(name) = autofree {
                    self.images.retain(|image| image.name != name);
                }
                Flow::Done(done)
            }
            (Pending::Chosen { setting, names }, Answer::Text(chosen)) => {
                Flow::Done(names.contains(&chosen) && self.settings.store(&setting, &chosen))
            }
            (Pending::Chosen { .. }, _) => Flow::Done(false),
            (Pending::Form { title, fields }, Answer::Texts(texts)) => {
                self.filled(title, fields, texts)
            }
            (Pending::Form { title, fields }, Answer::Done) => {
                self.filled(title, fields, Vec::new())
            }
            (Pending::Form { .. }, _) => Flow::Done(false),
            (Pending::Read { setting }, Answer::Text(read)) => {
                Flow::Done(self.settings.store(&setting, &read))
            }
            _ => Flow::Done(done),
        };
        self.follow(flow)
    }
}

/// Commands that are the caller's to carry out.
fn asked(name: &str, words: &[String], given: &Given<'_>) -> Flow {
    let first = || String::from(given.word(0).unwrap_or_default());
    let effect = match name {
        "echo" => Effect::Echo {
            text: given.rest(0),
            same_line: given.flag("n"),
        },
        "prompt" => {
            let Some(timeout_ms) = given.number("timeout") else {
                return Flow::Done(false);
            };
            Effect::Prompt {
                text: given.rest(0),
                key: given.value("key"),
                timeout_ms,
            }
        }
        "sleep" => {
            let seconds = integer(&first()).and_then(|seconds| u32::try_from(seconds).ok());
            let Some(seconds) = seconds else {
                return Flow::Done(false);
            };
            Effect::Sleep { seconds }
        }
        "shell" => Effect::Shell,
        "read" => {
            let setting = first();
            return Flow::Ask(
                Effect::Read {
                    setting: setting.clone(),
                },
                Pending::Read { setting },
            );
        }
        "sanboot" => Effect::Sanboot {
            drive: given.value("drive"),
            uris: given.words_from(0),
        },
        "dhcp" | "ifconf" => Effect::Dhcp {
            interfaces: given.words_from(0),
        },
        "imgverify" => Effect::Verify {
            image: first(),
            signature: given.word(1).unwrap_or_default().into(),
        },
        "reboot" => Effect::Reboot {
            warm: given.flag("warm"),
        },
        _ => Effect::Command {
            words: words.to_vec(),
        },
    };
    Flow::Ask(effect, Pending::Nothing)
}

/// The name that iPXE gives an image: the last part of its URI's path.
pub(crate) fn name_of(uri: &str) -> String {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let tail = path.rsplit('/').next().unwrap_or_default();
    String::from_utf8_lossy(&percent_decode(tail)).into_owned()
}
