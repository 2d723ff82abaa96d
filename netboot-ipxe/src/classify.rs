//! From a command's words to its variant of [`Command`]. What a variant cannot hold to the last
//! word stays [`Command::Other`], so nothing is lost.

use alloc::vec::Vec;

use crate::{
    arg::Arg,
    command::{ChooseCommand, Command, ImageCommand, ImageVerb, ItemCommand},
    getopt::Invocation,
    other::OtherCommand,
    spec::{self, OptionSpec},
};

pub(crate) fn command(mut words: Vec<Arg>) -> Command {
    let typed = match words.split_first_mut() {
        None => Some(Command::Nothing),
        Some((name, rest)) => name.as_text().and_then(|name| {
            let invocation = Invocation::read(spec::find(name)?, rest).ok();
            let Invocation { options, words, .. } = invocation.filter(|read| !read.shielded)?;
            let first = rest.len() - words.len();
            let words = rest.get_mut(first..)?;
            typed(name, Options { options, words })
        }),
    };
    typed.unwrap_or_else(|| Command::Other(OtherCommand::new(words)))
}

/// What is left of an invocation while a variant takes from it: options first. Words are moved
/// out, and only when no option is left that the variant does not hold, so that all of them are
/// still there where it holds not everything.
struct Options<'a> {
    options: Vec<(&'static OptionSpec, Option<Arg>)>,
    words: &'a mut [Arg],
}

impl<'a> Options<'a> {
    fn value(&mut self, long: &str) -> Option<Arg> {
        let mut found = None;
        // The last one counts, as in iPXE.
        self.options.retain_mut(|(option, value)| {
            let taken = option.long == long;
            if taken {
                found = value.take();
            }
            !taken
        });
        found
    }

    fn flag(&mut self, long: &str) -> bool {
        let before = self.options.len();
        self.options.retain(|(option, _)| option.long != long);
        self.options.len() < before
    }

    fn word(&mut self) -> Option<Arg> {
        let (first, others) = self.take_words().split_first_mut()?;
        self.words = others;
        Some(core::mem::take(first))
    }

    fn words(&mut self) -> Vec<Arg> {
        let words = self.take_words();
        words.iter_mut().map(core::mem::take).collect()
    }

    /// All words left, as one text.
    fn rest(&mut self) -> Arg {
        let words = self.take_words();
        let texts: Option<Vec<&str>> = words.iter().map(Arg::as_text).collect();
        if let Some(texts) = texts {
            return texts.join(" ").into();
        }
        let mut words = words.iter_mut().map(core::mem::take);
        let first = words.next().unwrap_or_default();
        words.fold(first, |text, word| text.text(" ").append(word))
    }

    fn take_words(&mut self) -> &'a mut [Arg] {
        if self.options.is_empty() {
            core::mem::take(&mut self.words)
        } else {
            &mut []
        }
    }
}

fn typed(name: &str, mut o: Options<'_>) -> Option<Command> {
    let command = match name {
        "goto" => Command::Goto(o.word()?),
        "exit" => Command::Exit(o.word()),
        "isset" => Command::Isset(o.word()?),
        "iseq" => Command::Iseq(o.word()?, o.word()?),
        "sleep" => Command::Sleep(o.word()?),
        "prompt" => Command::Prompt {
            key: o.value("key"),
            timeout_ms: o.value("timeout"),
            text: o.rest(),
        },
        "echo" => Command::Echo {
            same_line: o.flag("n"),
            text: o.rest(),
        },
        "shell" => Command::Shell,
        "set" => Command::Set {
            setting: o.word()?,
            value: o.rest(),
        },
        "clear" => Command::Clear(o.word()?),
        "inc" => Command::Inc {
            setting: o.word()?,
            by: o.word(),
        },
        "read" => Command::Read(o.word()?),
        "imgfree" => Command::Imgfree(o.words()),
        "imgverify" => Command::Imgverify {
            signer: o.value("signer"),
            keep: o.flag("keep"),
            image: o.word()?,
            signature: o.word()?,
        },
        "menu" => Command::Menu {
            name: o.value("name"),
            delete: o.flag("delete"),
            title: o.rest(),
        },
        "item" => item(&mut o),
        "choose" => Command::Choose(ChooseCommand {
            menu: o.value("menu"),
            default: o.value("default"),
            timeout_ms: o.value("timeout"),
            keep: o.flag("keep"),
            setting: o.word()?,
        }),
        "sanboot" => Command::Sanboot {
            drive: o.value("drive"),
            no_describe: o.flag("no-describe"),
            keep: o.flag("keep"),
            uris: o.words(),
        },
        "dhcp" => Command::Dhcp(o.words()),
        "reboot" => Command::Reboot {
            warm: o.flag("warm"),
        },
        name => {
            let verb = ImageVerb::ALL
                .into_iter()
                .find(|verb| verb.name() == name)?;
            Command::Image(ImageCommand {
                verb,
                name: o.value("name"),
                timeout_ms: o.value("timeout"),
                quiet: o.flag("quiet"),
                autofree: o.flag("autofree"),
                replace: o.flag("replace"),
                image: o.word(),
                args: o.rest(),
            })
        }
    };
    // No word is left: the table's counts are those that the variants hold.
    o.options.is_empty().then_some(command)
}

fn item(o: &mut Options<'_>) -> Command {
    let gap = o.flag("gap");
    Command::Item(ItemCommand {
        menu: o.value("menu"),
        key: o.value("key"),
        default: o.flag("default"),
        gap,
        name: if gap { None } else { o.word() },
        text: o.rest(),
    })
}
