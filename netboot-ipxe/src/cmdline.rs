//! A kernel's command line, as the list of arguments that the kernel will make of it.
//!
//! Linux splits at blanks outside double quotes, takes the quotes around a value away and has no
//! escape for a quote (`lib/cmdline.c`, `next_arg`).

use alloc::vec::Vec;

use crate::{
    arg::{Arg, Part},
    error::Problem,
    render::is_blank,
};

/// What the x86 boot protocol leaves for a command line before version 2.06, and what Linux on
/// x86 says it takes since: iPXE cuts what is longer without a word.
pub(crate) const MAX_BYTES: usize = 2047;

/// The arguments of a kernel, in order.
///
/// ```
/// use netboot_ipxe::CommandLine;
///
/// let line = CommandLine::parse(r#"console=ttyS0 dyndbg="file a.c +p""#)?;
/// assert_eq!(line.args().len(), 2);
/// # Ok::<(), netboot_ipxe::Problem>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    args: Vec<Arg>,
}

impl CommandLine {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Splits a command line as the kernel does. Blanks inside double quotes belong to the
    /// argument, and so do the quotes.
    ///
    /// # Errors
    ///
    /// [`Problem::Quotes`] where a quote has no partner.
    pub fn parse(line: &str) -> Result<Self, Problem> {
        let mut args = Vec::new();
        let mut quoted = false;
        for piece in line.split_inclusive(|c: char| {
            quoted ^= c == '"';
            !quoted && is_blank(c)
        }) {
            let arg = piece.trim_matches(is_blank);
            if !arg.is_empty() {
                args.push(arg.into());
            }
        }
        if quoted {
            Err(Problem::Quotes)
        } else {
            Ok(Self { args })
        }
    }

    /// Adds one argument. A blank in it stays in it: where need be, its value is put into
    /// quotes.
    pub fn push(&mut self, arg: impl Into<Arg>) {
        self.args.push(arg.into());
    }

    /// The arguments as they were given, in order.
    pub fn args(&self) -> &[Arg] {
        &self.args
    }
}

impl<A: Into<Arg>> FromIterator<A> for CommandLine {
    fn from_iter<I: IntoIterator<Item = A>>(args: I) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
        }
    }
}

impl<A: Into<Arg>> Extend<A> for CommandLine {
    fn extend<I: IntoIterator<Item = A>>(&mut self, args: I) {
        self.args.extend(args.into_iter().map(Into::into));
    }
}

/// The argument as it must stand in the line for the kernel to see it whole.
pub(crate) fn quote(arg: &Arg) -> Result<Arg, Problem> {
    if arg.is_empty() {
        return Err(Problem::Empty);
    }
    let mut quoted = false;
    let mut any_quote = false;
    let mut open_blank = false;
    for text in texts(arg) {
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            return Err(Problem::Control(c));
        }
        for b in text.bytes() {
            match b {
                b'"' => {
                    quoted = !quoted;
                    any_quote = true;
                }
                b => open_blank |= !quoted && is_kernel_blank(b),
            }
        }
    }
    match (open_blank, any_quote) {
        _ if quoted => Err(Problem::Quotes),
        (false, _) => Ok(arg.clone()),
        (true, true) => Err(Problem::Quotes),
        (true, false) => Ok(quote_value(arg)),
    }
}

/// A blank to the kernel, whose table of characters is Latin-1: 0xA0, its no-break space, is a byte
/// of `à` in UTF-8.
fn is_kernel_blank(b: u8) -> bool {
    b == b' ' || b == 0xa0
}

/// `key="value"`, or `"word"` where there is no `=` or a blank before it.
fn quote_value(arg: &Arg) -> Arg {
    let mut before_value = texts(arg).flat_map(str::bytes);
    let odd = before_value.find(|b| *b == b'=' || is_kernel_blank(*b));
    let mut open = odd != Some(b'=');
    let mut out = if open { Arg::from("\"") } else { Arg::new() };
    for part in arg.parts() {
        match part {
            Part::Text(text) => match text.split_once('=').filter(|_| !open) {
                Some((key, value)) => {
                    open = true;
                    out = out.text(key).text("=\"").text(value);
                }
                None => out = out.text(text),
            },
            Part::Setting(setting) => out = out.setting(setting.clone()),
            Part::Computed(name) => out = out.computed(name.clone()),
        }
    }
    out.text("\"")
}

pub(crate) fn texts(arg: &Arg) -> impl Iterator<Item = &str> {
    arg.parts().iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

/// The bytes of an argument that are known beforehand.
pub(crate) fn known_len(arg: &Arg) -> usize {
    texts(arg).map(str::len).sum()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::setting::Setting;

    fn quoted(text: &str) -> Result<alloc::string::String, Problem> {
        quote(&text.into()).map(|arg| arg.to_string())
    }

    #[test]
    fn a_value_with_a_blank_is_put_into_quotes() {
        assert_eq!(quoted("quiet").as_deref(), Ok("quiet"));
        assert_eq!(quoted("a=b c").as_deref(), Ok("a=\"b c\""));
        assert_eq!(quoted("a=b=c d").as_deref(), Ok("a=\"b=c d\""));
        assert_eq!(quoted("two words").as_deref(), Ok("\"two words\""));
        assert_eq!(quoted("a=\"b c\"").as_deref(), Ok("a=\"b c\""));
        assert_eq!(quoted("a b=c").as_deref(), Ok("\"a b=c\""));
        assert_eq!(quoted("a=\u{e0}").as_deref(), Ok("a=\"\u{e0}\""));
        assert_eq!(quoted("a=\u{e9}").as_deref(), Ok("a=\u{e9}"));
    }

    #[test]
    fn quotes_that_the_kernel_would_read_otherwise_are_refused() {
        for bad in ["a=\"b", "a=\"b\" c", "say \"x", "\""] {
            assert_eq!(quoted(bad), Err(Problem::Quotes), "{bad}");
        }
        assert_eq!(quoted(""), Err(Problem::Empty));
        assert_eq!(quoted("a\nb"), Err(Problem::Control('\n')));
    }

    #[test]
    fn a_setting_in_a_quoted_value_stays_a_setting() {
        let arg = Arg::from("x=a b ").setting(Setting::new("ip"));
        assert_eq!(
            quote(&arg).map(|arg| arg.to_string()).as_deref(),
            Ok("x=\"a b ${ip}\"")
        );
    }

    #[test]
    fn a_line_splits_at_blanks_outside_quotes() {
        let line = CommandLine::parse("  a  b=\"c d\"\te\n").map(|line| {
            line.args()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        });
        assert_eq!(
            line.as_deref().ok(),
            Some(&["a".into(), "b=\"c d\"".into(), "e".into()][..])
        );
        assert_eq!(CommandLine::parse("a=\"b"), Err(Problem::Quotes));
        assert_eq!(CommandLine::parse(""), Ok(CommandLine::new()));
    }
}
