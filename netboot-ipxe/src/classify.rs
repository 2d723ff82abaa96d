//! From a command's words to its variant of [`Command`]. What a variant cannot hold to the last
//! word stays [`Command::Other`], so nothing is lost.

use alloc::vec::Vec;

use crate::{
    arg::Arg,
    command::{ChooseCommand, Command, ImageCommand, ImageVerb, ItemCommand},
    getopt::Invocation,
    other::OtherCommand,
    spec,
};

pub(crate) fn command(words: Vec<Arg>) -> Command {
    let Some((name, rest)) = words.split_first() else {
        return Command::Nothing;
    };
    let typed = name.as_text().and_then(|name| {
        let spec = spec::find(name)?;
        let invocation = Invocation::read(spec, rest).ok()?;
        typed(name, Options { invocation })
    });
    typed.unwrap_or_else(|| Command::Other(OtherCommand::new(words)))
}

/// What is left of an invocation while a variant takes from it.
struct Options<'a> {
    invocation: Invocation<'a>,
}

impl<'a> Options<'a> {
    fn value(&mut self, long: &str) -> Option<Arg> {
        let options = &mut self.invocation.options;
        // The last one counts, as in iPXE.
        let value = options
            .iter()
            .rev()
            .find(|(option, _)| option.long == long)?
            .1
            .clone();
        options.retain(|(option, _)| option.long != long);
        value
    }

    fn flag(&mut self, long: &str) -> bool {
        let before = self.invocation.options.len();
        self.invocation
            .options
            .retain(|(option, _)| option.long != long);
        self.invocation.options.len() < before
    }

    fn word(&mut self) -> Option<Arg> {
        let (first, others) = self.invocation.words.split_first()?;
        self.invocation.words = others;
        Some(first.clone())
    }

    fn words(&mut self) -> Vec<Arg> {
        core::mem::take(&mut self.invocation.words).to_vec()
    }

    /// All words left, as one text.
    fn rest(&mut self) -> Arg {
        let words = core::mem::take(&mut self.invocation.words);
        let Some((first, others)) = words.split_first() else {
            return Arg::new();
        };
        others
            .iter()
            .fold(first.clone(), |text, word| text.text(" ").join(word))
    }

    fn is_used_up(&self) -> bool {
        self.invocation.options.is_empty() && self.invocation.words.is_empty()
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
    o.is_used_up().then_some(command)
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
