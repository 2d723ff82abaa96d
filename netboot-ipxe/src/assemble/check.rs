//! What an entry's texts, URLs and image names may hold.

use crate::{
    arg::{Arg, Part},
    cmdline,
    error::RenderProblem,
};

/// The problem, unless a text can be shown to a person and be kept in a setting. `${` with `}` or a
/// setting anywhere after it is refused even where the line itself could hold it, and so are `$`
/// right before a setting and `{` right after one: iPXE expands the value again where it is used.
pub(super) fn check_shown(text: &Arg) -> Result<(), RenderProblem> {
    let mut open = false;
    let mut dollar = false;
    let mut after_setting = false;
    for part in text.parts() {
        let Part::Text(part) = part else {
            if open || dollar {
                return Err(RenderProblem::Expansion);
            }
            if let Part::Setting(setting) = part {
                setting.check()?;
            }
            after_setting = true;
            continue;
        };
        // The setting's value may end in `$`.
        if after_setting && part.starts_with('{') {
            return Err(RenderProblem::Expansion);
        }
        after_setting = false;
        if let Some(c) = part.chars().find(|c| c.is_control()) {
            return Err(if c == '\0' {
                RenderProblem::Nul
            } else {
                RenderProblem::Control(c)
            });
        }
        let opens = part.find("${").unwrap_or(part.len());
        let after = if open {
            part
        } else {
            part.get(opens..).unwrap_or_default()
        };
        if after.contains('}') {
            return Err(RenderProblem::Expansion);
        }
        open |= opens < part.len();
        dollar = part.ends_with('$');
    }
    Ok(())
}

pub(super) fn check_url(url: &Arg) -> Result<(), RenderProblem> {
    if url.is_empty() {
        return Err(RenderProblem::Empty);
    }
    let odd = cmdline::texts(url)
        .flat_map(str::chars)
        .find(|c| c.is_whitespace() || c.is_control());
    match odd {
        Some(c) => Err(RenderProblem::Character(c)),
        None => check_shown(url),
    }
}

pub(super) fn is_image_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::Setting;

    #[test]
    fn text_that_a_second_expansion_would_change_is_refused() {
        let x = || Setting::new("x");
        for bad in [
            Arg::from("${x}"),
            Arg::from("${a b}"),
            Arg::from("${").setting(x()),
            Arg::from("$").setting(x()),
            Arg::from(x()).text("{y}"),
            Arg::from("${").setting(x()).text("}"),
        ] {
            assert_eq!(check_shown(&bad), Err(RenderProblem::Expansion), "{bad}");
        }
        for good in [
            Arg::from("$ {x} a} ${"),
            Arg::from("a} ").setting(x()).text(" {"),
        ] {
            assert_eq!(check_shown(&good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_url_holds_no_blank_and_is_not_empty() {
        assert_eq!(
            check_url(&"http://x/a b".into()),
            Err(RenderProblem::Character(' '))
        );
        assert_eq!(
            check_url(&"http://x/\u{a0}".into()),
            Err(RenderProblem::Character('\u{a0}'))
        );
        assert_eq!(check_url(&Arg::new()), Err(RenderProblem::Empty));
        assert_eq!(check_url(&"http://x/a?b=${c".into()), Ok(()));
    }
}
