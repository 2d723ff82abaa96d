//! A kernel's command line, as the list of arguments that the kernel will make of it.
//!
//! Linux splits at blanks outside double quotes, takes the quotes around a value away and has no
//! escape for a quote (`lib/cmdline.c`, `next_arg`).

use alloc::vec::Vec;
use core::str::FromStr;

use crate::{
    arg::{Arg, Part},
    error::RenderProblem,
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
/// # Ok::<(), netboot_ipxe::RenderProblem>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct CommandLine {
    args: Vec<Arg>,
}

impl CommandLine {
    /// No arguments.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Splits a command line as the kernel does. Blanks inside double quotes belong to the
    /// argument, and so do the quotes.
    ///
    /// # Errors
    ///
    /// [`RenderProblem::Quotes`] where a quote has no partner.
    pub fn parse(line: &str) -> Result<Self, RenderProblem> {
        Self::try_from(&Arg::from(line))
    }

    /// Adds one argument. A blank in it stays in it: where need be, its value is put into
    /// quotes.
    pub fn push(&mut self, arg: impl Into<Arg>) {
        self.args.push(arg.into());
    }

    /// Gives the parameter `key` this value: in the place of the first argument for it, and the
    /// only one; at the end where there is none.
    ///
    /// ```
    /// use netboot_ipxe::{Arg, CommandLine};
    ///
    /// let mut line = CommandLine::parse("root=/dev/sda1 quiet")?;
    /// line.set("root", "/dev/vda1");
    /// line.remove("quiet");
    /// assert_eq!(Arg::try_from(&line)?.to_string(), "root=/dev/vda1");
    /// # Ok::<(), netboot_ipxe::RenderProblem>(())
    /// ```
    pub fn set(&mut self, key: &str, value: impl Into<Arg>) {
        let arg = Arg::from(key).text("=").append(value.into());
        let place = self.args.iter().position(|arg| is_for(arg, key));
        self.remove(key);
        self.args.insert(place.unwrap_or(self.args.len()), arg);
    }

    /// Takes out every argument for the parameter `key`, with a value or without.
    pub fn remove(&mut self, key: &str) {
        self.args.retain(|arg| !is_for(arg, key));
    }

    /// The arguments as they were given, in order.
    #[must_use]
    pub fn args(&self) -> &[Arg] {
        &self.args
    }
}

impl FromStr for CommandLine {
    type Err = RenderProblem;

    fn from_str(line: &str) -> Result<Self, RenderProblem> {
        Self::parse(line)
    }
}

/// Splits as [`CommandLine::parse`] does. What a setting will hold is taken for no blank and no
/// quote.
impl TryFrom<&Arg> for CommandLine {
    type Error = RenderProblem;

    fn try_from(line: &Arg) -> Result<Self, RenderProblem> {
        let (mut args, mut arg, mut quoted) = (Vec::new(), Arg::new(), false);
        for part in line.parts() {
            let Part::Text(text) = part else {
                arg = arg.part(part);
                continue;
            };
            for c in text.chars() {
                quoted ^= c == '"';
                if quoted || !is_blank(c) {
                    arg = arg.text(c.encode_utf8(&mut [0; 4]));
                } else if !arg.is_empty() {
                    args.push(core::mem::take(&mut arg));
                }
            }
        }
        if quoted {
            return Err(RenderProblem::Quotes);
        }
        args.extend(Some(arg).filter(|arg| !arg.is_empty()));
        Ok(Self { args })
    }
}

/// The line as one text, each argument quoted where the kernel would otherwise split it.
///
/// # Errors
///
/// Where an argument cannot be written so that the kernel sees it whole.
impl TryFrom<&CommandLine> for Arg {
    type Error = RenderProblem;

    fn try_from(line: &CommandLine) -> Result<Self, RenderProblem> {
        line.args.iter().try_fold(Arg::new(), |line, arg| {
            let gap = if line.is_empty() { "" } else { " " };
            Ok(line.text(gap).append(quote(arg)?))
        })
    }
}

/// Whether an argument is for a parameter. The kernel takes `-` and `_` in its name for the same
/// (`kernel/params.c`, `parameq`).
fn is_for(arg: &Arg, key: &str) -> bool {
    let Some(Part::Text(text)) = arg.parts().first() else {
        return false;
    };
    let text = text.strip_prefix('"').unwrap_or(text);
    let (name, whole) = match text.split_once('=') {
        Some((name, _)) => (name, true),
        None => (text.trim_end_matches('"'), arg.parts().len() == 1),
    };
    let alike = |b: u8| if b == b'-' { b'_' } else { b };
    whole && name.bytes().map(alike).eq(key.bytes().map(alike))
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
pub(crate) fn quote(arg: &Arg) -> Result<Arg, RenderProblem> {
    if arg.is_empty() {
        return Err(RenderProblem::Empty);
    }
    let mut quoted = false;
    let mut any_quote = false;
    let mut open_blank = false;
    for text in texts(arg) {
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            return Err(RenderProblem::Control(c));
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
        _ if quoted => Err(RenderProblem::Quotes),
        (false, _) => Ok(arg.clone()),
        (true, true) => Err(RenderProblem::Quotes),
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

    fn quoted(text: &str) -> Result<alloc::string::String, RenderProblem> {
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
            assert_eq!(quoted(bad), Err(RenderProblem::Quotes), "{bad}");
        }
        assert_eq!(quoted(""), Err(RenderProblem::Empty));
        assert_eq!(quoted("a\nb"), Err(RenderProblem::Control('\n')));
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
        assert_eq!(CommandLine::parse("a=\"b"), Err(RenderProblem::Quotes));
        assert_eq!(CommandLine::parse(""), Ok(CommandLine::new()));
    }

    #[test]
    fn a_line_with_settings_is_split_and_put_together_again() {
        let ip = || Setting::new("ip");
        let text = Arg::from("a=\"").setting(ip()).text(" b\"  ").setting(ip());
        let text = text.text(" c").setting(ip()).text("d e");
        let line = CommandLine::try_from(&text).expect("it can be split");
        let shown: Vec<_> = line.args().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a=\"${ip} b\"", "${ip}", "c${ip}d", "e"]);
        let whole = Arg::try_from(&line).map(|line| line.to_string());
        assert_eq!(whole.as_deref(), Ok("a=\"${ip} b\" ${ip} c${ip}d e"));
        let open = Arg::from("a=\"b ").setting(ip());
        assert_eq!(CommandLine::try_from(&open), Err(RenderProblem::Quotes));
    }

    #[test]
    fn a_parameter_is_set_in_its_place_and_once() {
        let mut line = CommandLine::parse("x a-b=1 ab=2 \"a_b=3 4\" a-b").expect("a line");
        line.set("a_b", Arg::from("5 ").setting(Setting::new("ip")));
        line.set("new", "6");
        line.remove("x");
        let whole = Arg::try_from(&line).map(|line| line.to_string());
        assert_eq!(whole.as_deref(), Ok("a_b=\"5 ${ip}\" ab=2 new=6"));
        // What a setting adds to a name makes it another.
        let mut line = CommandLine::new();
        line.push(Arg::from("con").setting(Setting::new("ip")));
        line.remove("con");
        assert_eq!(line.args().len(), 1);
    }
}
