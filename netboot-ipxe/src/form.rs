//! The model as it is written down with the feature `serde`.
//!
//! What is read passes the checks of what is built: an argument's text is only ever text, a setting
//! has a name that can be written, and a script is the text that [`Script::render`] gives and
//! [`Script::parse`] takes.

use alloc::{borrow::Cow, string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::{
    arg::{Arg, Part},
    entry::Notice,
    error::RenderProblem,
    script::Script,
    setting::Setting,
};

/// An argument: a text, or pieces of which those that are settings say so.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum ArgForm {
    Text(String),
    Pieces(Vec<Piece>),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Piece {
    Text(String),
    Setting(SettingPiece),
    Computed(ComputedPiece),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingPiece {
    setting: Setting,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ComputedPiece {
    computed: Arg,
}

impl From<Arg> for ArgForm {
    fn from(arg: Arg) -> Self {
        if let Some(text) = arg.as_text() {
            return Self::Text(text.into());
        }
        let pieces = arg.parts().iter().cloned().map(|part| match part {
            Part::Text(text) => Piece::Text(text),
            Part::Setting(setting) => Piece::Setting(SettingPiece { setting }),
            Part::Computed(computed) => Piece::Computed(ComputedPiece { computed }),
        });
        Self::Pieces(pieces.collect())
    }
}

impl From<ArgForm> for Arg {
    fn from(form: ArgForm) -> Self {
        match form {
            ArgForm::Text(text) => text.into(),
            ArgForm::Pieces(pieces) => {
                let pieces = pieces.into_iter();
                pieces.fold(Self::new(), |arg, piece| match piece {
                    Piece::Text(text) => arg.text(&text),
                    Piece::Setting(piece) => arg.setting(piece.setting),
                    Piece::Computed(piece) => arg.computed(piece.computed),
                })
            }
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.check().map_err(ser::Error::custom)?;
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl Serialize for Script {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.render().map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl From<Notice> for Vec<Arg> {
    fn from(notice: Notice) -> Self {
        notice.lines
    }
}

impl TryFrom<Vec<Arg>> for Notice {
    type Error = RenderProblem;

    fn try_from(lines: Vec<Arg>) -> Result<Self, RenderProblem> {
        if lines.is_empty() {
            return Err(RenderProblem::Empty);
        }
        Ok(Self { lines })
    }
}
