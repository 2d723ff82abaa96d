//! Arguments: text and settings, kept apart.
//!
//! iPXE has neither quotes nor escapes. What an argument's text says is never looked at for
//! meaning here; how it is written, or that it cannot be, is the renderer's business.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::setting::Setting;

/// One argument of a command, or a text such as a menu's title: pieces of text and settings.
///
/// Text made from a `&str` or a `String` is only ever text.
///
/// ```
/// use netboot_ipxe::{Arg, Setting, SettingType};
///
/// let mac = Setting::new("mac").scope("net0").typed(SettingType::HexHyp);
/// let bootif = Arg::from("BOOTIF=01-").setting(mac);
/// assert_eq!(bootif.to_string(), "BOOTIF=01-${net0/mac:hexhyp}");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "crate::form::ArgForm", into = "crate::form::ArgForm")
)]
pub struct Arg {
    parts: Vec<Part>,
}

/// A piece of an [`Arg`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text, taken to the letter.
    Text(String),
    /// The value that a setting has when the line runs.
    Setting(Setting),
    /// The value of the setting whose name is put together when the line runs, as
    /// `${${which}/mac}`.
    Computed(Arg),
}

impl Arg {
    /// An empty argument, to add to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        if text.is_empty() {
            return self;
        }
        match self.parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            // Most arguments are one text.
            None => self.parts = Vec::from([Part::Text(text.into())]),
            Some(_) => self.parts.push(Part::Text(text.into())),
        }
        self
    }

    /// Adds the value of a setting.
    #[must_use]
    pub fn setting(mut self, setting: Setting) -> Self {
        self.parts.push(Part::Setting(setting));
        self
    }

    /// Adds the value of the setting that `name` gives when the line runs. Where `name` is
    /// nothing but text that names a setting, this is [`setting`](Self::setting).
    #[must_use]
    pub fn computed(mut self, name: Arg) -> Self {
        self.parts.push(match name.as_text().map(Setting::parse) {
            Some(Ok(setting)) => Part::Setting(setting),
            _ => Part::Computed(name),
        });
        self
    }

    /// Adds all of `other`.
    #[must_use]
    pub fn join(self, other: &Arg) -> Self {
        other.parts.iter().fold(self, Self::part)
    }

    /// Adds all of `other`, as [`join`](Self::join), without copying more than text.
    pub(crate) fn append(self, other: Arg) -> Self {
        if self.is_empty() {
            return other;
        }
        other.parts.into_iter().fold(self, |mut whole, part| {
            match part {
                Part::Text(text) => return whole.text(&text),
                part => whole.parts.push(part),
            }
            whole
        })
    }

    pub(crate) fn part(mut self, part: &Part) -> Self {
        match part {
            Part::Text(text) => return self.text(text),
            part => self.parts.push(part.clone()),
        }
        self
    }

    /// The pieces, in order. No text is empty and no two texts are neighbours.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// True where there is neither text nor setting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The text, where there is no setting in it.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::new().text(text)
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        if text.is_empty() {
            Self::new()
        } else {
            Self {
                parts: [Part::Text(text)].into(),
            }
        }
    }
}

impl From<&String> for Arg {
    fn from(text: &String) -> Self {
        Self::new().text(text)
    }
}

impl From<u32> for Arg {
    fn from(number: u32) -> Self {
        Self::from(number.to_string())
    }
}

impl From<Setting> for Arg {
    fn from(setting: Setting) -> Self {
        Self::new().setting(setting)
    }
}

/// For people: settings appear as `${…}`, text as it is. This is not how it is rendered.
impl core::fmt::Display for Arg {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for part in &self.parts {
            let piece = match part {
                Part::Text(text) => text.clone(),
                Part::Setting(setting) => format!("${{{setting}}}"),
                Part::Computed(name) => format!("${{{name}}}"),
            };
            f.write_str(&piece)?;
        }
        Ok(())
    }
}
