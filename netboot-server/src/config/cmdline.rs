//! Kernel command lines: placeholders, and what a configuration may not say.

use std::fmt;
use std::net::Ipv4Addr;

use netboot_dhcp::MacAddr;
use netboot_image::{Digest, split_cmdline};
use netboot_ipxe::{Ending, LinuxBoot};

use super::nearest::nearest;

/// What may stand between braces in a command line, as [`Values`] says.
const PLACEHOLDERS: [&str; 8] = [
    "mac",
    "mac-dash",
    "ip",
    "server",
    "name",
    "arch",
    "report",
    "state-digest",
];

/// What the placeholders of a command line stand for; `None` leaves the placeholder empty.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Values<'a> {
    /// `{mac}` as `52:54:00:12:34:56` and `{mac-dash}` as `52-54-00-12-34-56`.
    pub mac: Option<MacAddr>,
    /// `{ip}`, the machine's address.
    pub ip: Option<Ipv4Addr>,
    /// `{server}`, this server's address as the machine reaches it.
    pub server: Option<Ipv4Addr>,
    /// `{name}`, the machine's host name.
    pub name: Option<&'a str>,
    /// `{arch}`, the machine's architecture as iPXE calls it: `x86_64`, `i386`, `arm64`.
    pub arch: Option<&'a str>,
    /// `{report}`, the URL that a machine POSTs to when it is installed; empty where no install is
    /// due.
    pub report: Option<&'a str>,
    /// `{state-digest}`, of the document at the machine's `/states/` URL.
    pub state_digest: StateDigest,
}

/// What `{state-digest}` stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StateDigest {
    /// The machine has no document: `none`.
    #[default]
    None,
    /// It has one, and who asks is not known to be the machine: `withheld`. What is secret in a
    /// document can be guessed from its digest.
    Withheld,
    /// The document's, as `sha256:HEX`.
    Of(Digest),
}

impl fmt::Display for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Withheld => f.write_str("withheld"),
            Self::Of(digest) => digest.fmt(f),
        }
    }
}

/// Why a word may not stand in a configuration's command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordError {
    /// A placeholder that nobody knows.
    #[error("holds the placeholder {{{0}}}, which is not known")]
    UnknownPlaceholder(String),
    /// `init=` or `rdinit=`, which belong to the image.
    #[error("would alter how the image starts")]
    AltersInit,
    /// A control character, or white space outside of double quotes.
    #[error("holds a space outside of double quotes, or a control character")]
    NotAWord,
    /// What a script cannot carry to the kernel.
    #[error("{0}")]
    NotForIpxe(netboot_ipxe::RenderProblem),
}

impl WordError {
    /// What to do about it.
    #[must_use]
    pub fn cure(&self) -> String {
        let cure = match self {
            Self::UnknownPlaceholder(name) => {
                let known = PLACEHOLDERS.iter().copied();
                return match nearest(name, known) {
                    Some(near) => format!("did you mean {{{near}}}?"),
                    None => format!("use one of {{{}}}", PLACEHOLDERS.join("}, {")),
                };
            }
            Self::AltersInit => "leave init= and rdinit= to the image's own command line",
            Self::NotAWord => {
                "write it as several words, or with double quotes, as dyndbg=\"file x +p\""
            }
            Self::NotForIpxe(_) => "write it without that; for iPXE's `${net0/mac}` there is {mac}",
        };
        cure.to_owned()
    }
}

/// Checks one word of a configuration's command line.
///
/// # Errors
///
/// Says what is wrong with it.
pub(crate) fn check_word(word: &str) -> Result<(), WordError> {
    let is_several = |words: Vec<String>| !word.is_empty() && words != [word];
    if word.contains(char::is_control) || split_cmdline(word).is_ok_and(is_several) {
        return Err(WordError::NotAWord);
    }
    // What is left where no placeholder has a value, and as the kernel takes off quotes.
    let bare = expand_word(word, &Values::default())?;
    // The first programs of systems split at white space between quotes, too.
    if bare.split_whitespace().any(sets_init) {
        return Err(WordError::AltersInit);
    }
    check_carried(&bare)
}

/// Whether a word says what the kernel starts first.
pub fn sets_init(word: &str) -> bool {
    let bare = word.trim_start_matches('"');
    ["init=", "rdinit="].iter().any(|key| bare.starts_with(key))
}

/// Checks that each placeholder of a word is known.
///
/// # Errors
///
/// Names the first that is not.
pub fn check_placeholders(word: &str) -> Result<(), WordError> {
    expand_word(word, &Values::default()).map(drop)
}

/// Whether a word says something else where these values are there.
pub(crate) fn depends_on(word: &str, values: &Values<'_>) -> bool {
    expand_word(word, values) != expand_word(word, &Values::default())
}

/// Checks that a script can carry a word to the kernel.
///
/// # Errors
///
/// Says what it holds that iPXE or the kernel would read otherwise.
pub fn check_carried(word: &str) -> Result<(), WordError> {
    if word.is_empty() {
        return Ok(());
    }
    LinuxBoot::new("word", "/kernel")
        .arg(word)
        .script(Ending::Exit {
            status: 1,
            wait_ms: 0,
        })
        .and_then(|script| script.render())
        .map(|_| ())
        .map_err(|error| WordError::NotForIpxe(error.problem().clone()))
}

/// Puts the values in place of the placeholders of a word.
///
/// # Errors
///
/// Where a placeholder is not known. Braces that hold anything but lower-case letters and `-` are
/// no placeholder and stay as they are.
pub(crate) fn expand_word(word: &str, values: &Values<'_>) -> Result<String, WordError> {
    let mut expanded = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, behind)) = rest.split_once('{') {
        expanded.push_str(before);
        let placeholder = behind
            .split_once('}')
            .filter(|(name, _)| is_placeholder(name) && !before.ends_with('$'));
        match placeholder {
            Some((name, behind)) => {
                expanded.push_str(&value(name, values)?);
                rest = behind;
            }
            None => {
                expanded.push('{');
                rest = behind;
            }
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn is_placeholder(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

fn value(name: &str, values: &Values<'_>) -> Result<String, WordError> {
    Ok(match name {
        "mac" => values.mac.map(|mac| mac.to_string()),
        "mac-dash" => values.mac.map(|mac| mac.to_string().replace(':', "-")),
        "ip" => values.ip.map(|ip| ip.to_string()),
        "server" => values.server.map(|server| server.to_string()),
        "name" => values.name.map(String::from),
        "arch" => values.arch.map(String::from),
        "report" => values.report.map(String::from),
        "state-digest" => Some(values.state_digest.to_string()),
        _ => return Err(WordError::UnknownPlaceholder(name.into())),
    }
    .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn values() -> Values<'static> {
        Values {
            mac: Some(MAC),
            ip: Some(Ipv4Addr::new(192, 168, 100, 101)),
            server: Some(Ipv4Addr::new(192, 168, 100, 1)),
            name: Some("node-01"),
            arch: Some("x86_64"),
            report: Some("http://192.168.100.1/machines/node-01/installed"),
            state_digest: StateDigest::None,
        }
    }

    #[test]
    fn each_placeholder_gives_its_value() {
        for (word, expected) in [
            ("BOOTIF=01-{mac-dash}", "BOOTIF=01-52-54-00-12-34-56"),
            ("ip={ip}::{server}", "ip=192.168.100.101::192.168.100.1"),
            (
                "x={mac}/{name}/{arch}",
                "x=52:54:00:12:34:56/node-01/x86_64",
            ),
            (
                "report={report}",
                "report=http://192.168.100.1/machines/node-01/installed",
            ),
            ("digest={state-digest}", "digest=none"),
            ("plain", "plain"),
        ] {
            assert_eq!(expand_word(word, &values()).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn braces_that_are_no_placeholder_stay() {
        for word in [
            "a={",
            "a={}",
            "a={X}",
            "a={b",
            "a}b",
            "${net0/mac}",
            "${mac}",
        ] {
            assert_eq!(expand_word(word, &values()).as_deref(), Ok(word));
        }
    }

    #[test]
    fn a_value_is_not_expanded_again() {
        let values = Values {
            name: Some("{ip}"),
            ..values()
        };
        assert_eq!(expand_word("{name}", &values).as_deref(), Ok("{ip}"));
    }

    #[test]
    fn a_word_that_alters_the_start_or_is_no_word_is_refused() {
        assert_eq!(check_word("init=/bin/sh"), Err(WordError::AltersInit));
        assert_eq!(check_word("rdinit=/bin/sh"), Err(WordError::AltersInit));
        assert_eq!(check_word("\"init=/bin/sh\""), Err(WordError::AltersInit));
        assert_eq!(check_word("{name}init=/x"), Err(WordError::AltersInit));
        assert!(matches!(
            check_word("BOOTIF=${net0/mac}"),
            Err(WordError::NotForIpxe(
                netboot_ipxe::RenderProblem::Expansion
            ))
        ));
        let hidden = "x=\"a init=/x\"";
        assert_eq!(check_word(hidden), Err(WordError::AltersInit));
        for several in ["a b", " a", "a=\"b\" c", "a=\"b c\" d"] {
            assert_eq!(check_word(several), Err(WordError::NotAWord), "{several}");
        }
        // As `next_arg` in Linux' lib/cmdline.c takes it: one parameter.
        assert_eq!(check_word("dyndbg=\"file x +p\""), Ok(()));
        assert_eq!(
            check_word("x={host}"),
            Err(WordError::UnknownPlaceholder("host".into()))
        );
        assert_eq!(check_word("console=ttyS0,115200"), Ok(()));
    }
}
