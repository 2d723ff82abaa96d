//! What an entry's texts, URLs and image names may hold.

use crate::{
    arg::{Arg, Part},
    cmdline,
    error::Problem,
};

/// The problem, unless a text can be shown to a person and be kept in a setting. `${` with `}` or
/// a setting anywhere after it is refused even where the line itself could hold it, and so is `$`
/// right before a setting: iPXE expands the value again where it is used.
pub(super) fn check_shown(text: &Arg) -> Result<(), Problem> {
    let mut open = false;
    let mut dollar = false;
    for part in text.parts() {
        let Part::Text(part) = part else {
            if open || dollar {
                return Err(Problem::Expansion);
            }
            if let Part::Setting(setting) = part {
                setting.check()?;
            }
            continue;
        };
        if let Some(c) = part.chars().find(|c| c.is_control()) {
            return Err(if c == '\0' {
                Problem::Nul
            } else {
                Problem::Control(c)
            });
        }
        let opens = part.find("${").unwrap_or(part.len());
        let after = if open {
            part
        } else {
            part.get(opens..).unwrap_or_default()
        };
        if after.contains('}') {
            return Err(Problem::Expansion);
        }
        open |= opens < part.len();
        dollar = part.ends_with('$');
    }
    Ok(())
}

pub(super) fn check_url(url: &Arg) -> Result<(), Problem> {
    if url.is_empty() {
        return Err(Problem::Empty);
    }
    let odd = cmdline::texts(url)
        .flat_map(str::chars)
        .find(|c| c.is_whitespace() || c.is_control());
    match odd {
        Some(c) => Err(Problem::Character(c)),
        None => check_shown(url),
    }
}

pub(super) fn is_image_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}
