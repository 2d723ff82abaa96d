//! A command's words as iPXE reads them: options up to the first word that is none, then the
//! rest.
//!
//! iPXE does this after expansion. Here a word that starts with a setting counts as no option,
//! since what it will be is not known.

use alloc::vec::Vec;

use crate::{
    arg::{Arg, Part},
    spec::{CommandSpec, OptionSpec},
};

/// A command's options, each with its value, and the words after them.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    pub(crate) options: Vec<(&'static OptionSpec, Option<Arg>)>,
    pub(crate) words: &'a [Arg],
    /// `--` or `=` stands before a setting: without it, the setting's value might be an option.
    pub(crate) shielded: bool,
}

/// Why a command's words are not what it takes. The index is that of the word, the command's name
/// counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misuse {
    UnknownOption(usize),
    MissingValue(usize, &'static OptionSpec),
    UnwantedValue(usize, &'static OptionSpec),
    TooFew { least: usize },
    TooMany { most: usize },
}

impl<'a> Invocation<'a> {
    /// Reads the words after a command's name.
    pub(crate) fn read(spec: &CommandSpec, words: &'a [Arg]) -> Result<Self, Misuse> {
        let mut options = Vec::new();
        let mut shielded = false;
        let mut at = 0;
        while let Some(text) = words.get(at).and_then(leading_dash) {
            let here = at + 1;
            at += 1;
            if text == "--"
                && words
                    .get(here - 1)
                    .is_some_and(|word| word.as_text().is_some())
            {
                shielded |= words.get(at).is_some_and(starts_with_setting);
                break;
            }
            let Some(word) = words.get(here - 1) else {
                break;
            };
            if let Some(long) = text.strip_prefix("--") {
                let name = long.split_once('=').map_or(long, |(name, _)| name);
                let found = spec.options.iter().find(|option| option.long == name);
                let joined = long.contains('=');
                // A name that ends in a setting is not known, nor is it an option of that name.
                let whole = joined || word.as_text().is_some();
                let option = found.filter(|_| whole).ok_or(Misuse::UnknownOption(here))?;
                let value = joined.then(|| after(word, "--".len() + name.len() + 1));
                shielded |= value.as_ref().is_some_and(starts_with_setting);
                options.push((option, take_value(option, value, words, &mut at, here)?));
            } else {
                short_options(spec, word, text, words, &mut at, here, &mut options)?;
                let value = options.last().and_then(|(_, value)| value.as_ref());
                shielded |= at == here && value.is_some_and(starts_with_setting);
            }
        }
        let rest = words.get(at..).unwrap_or_default();
        let (least, most) = spec.words;
        if rest.len() < least {
            return Err(Misuse::TooFew { least });
        }
        if rest.len() > most {
            return Err(Misuse::TooMany { most });
        }
        Ok(Self {
            options,
            words: rest,
            shielded,
        })
    }
}

/// `-a`, `-ab`, `-tVALUE` and `-t VALUE`.
fn short_options(
    spec: &CommandSpec,
    word: &Arg,
    text: &str,
    words: &[Arg],
    at: &mut usize,
    here: usize,
    options: &mut Vec<(&'static OptionSpec, Option<Arg>)>,
) -> Result<(), Misuse> {
    let mut from = "-".len();
    loop {
        let letter = text.get(from..).and_then(|left| left.chars().next());
        let option = spec
            .options
            .iter()
            .find(|option| Some(option.short) == letter);
        let option = option.ok_or(Misuse::UnknownOption(here))?;
        from += option.short.len_utf8();
        let left = after(word, from);
        if option.value {
            let value = Some(left).filter(|left| !left.is_empty());
            options.push((option, take_value(option, value, words, at, here)?));
            return Ok(());
        }
        options.push((option, None));
        if left.is_empty() {
            return Ok(());
        }
    }
}

fn take_value(
    option: &'static OptionSpec,
    joined: Option<Arg>,
    words: &[Arg],
    at: &mut usize,
    here: usize,
) -> Result<Option<Arg>, Misuse> {
    match (option.value, joined) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(Misuse::UnwantedValue(here, option)),
        (true, Some(value)) => Ok(Some(value)),
        (true, None) => {
            let next = words.get(*at).filter(|next| leading_dash(next).is_none());
            let value = next.cloned().ok_or(Misuse::MissingValue(here, option))?;
            *at += 1;
            Ok(Some(value))
        }
    }
}

pub(crate) fn starts_with_setting(word: &Arg) -> bool {
    matches!(
        word.parts().first(),
        Some(Part::Setting(_) | Part::Computed(_))
    )
}

/// The text that a word starts with, where that starts with a dash.
fn leading_dash(word: &Arg) -> Option<&str> {
    match word.parts().first() {
        Some(Part::Text(text)) if text.starts_with('-') => Some(text),
        _ => None,
    }
}

/// A word without the first bytes of its leading text.
fn after(word: &Arg, bytes: usize) -> Arg {
    let mut parts = word.parts().iter();
    let mut out = match parts.next() {
        Some(Part::Text(text)) => Arg::from(text.get(bytes..).unwrap_or_default()),
        _ => Arg::new(),
    };
    for part in parts {
        out = out.part(part);
    }
    out
}
