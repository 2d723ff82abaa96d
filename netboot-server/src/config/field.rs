//! A value as it was written, right or wrong.
//!
//! Reading a document never stops at a wrong value: it is kept with its place until all are known.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::problem::Problems;

/// What a key wants, in words.
pub(super) trait Wanted: DeserializeOwned {
    /// As it reads after "wants": `an IPv4 address such as 192.168.100.1`.
    const WANTED: &'static str;
}

/// A value of a key that wants a `T`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field<T> {
    /// It is one.
    Right(T),
    /// It is something else: the value as JSON writes it, and why it is none.
    Wrong { written: String, why: String },
}

impl<T: Wanted> Field<T> {
    /// A value that code gives. It is read as if it stood in a file, so that the same is refused.
    pub(super) fn written(value: impl Serialize) -> Self {
        let read = serde_json::to_value(value).and_then(Self::deserialize);
        read.unwrap_or_else(|error| Self::Wrong {
            written: "the value".into(),
            why: error.to_string(),
        })
    }

    /// The value, or a problem at the place.
    pub(super) fn check(self, place: impl fmt::Display, problems: &mut Problems) -> Option<T> {
        match self {
            Self::Right(value) => Some(value),
            Self::Wrong { written, why } => {
                problems.error(
                    place,
                    format!("{written} cannot be read: {why}"),
                    format!("write {}", T::WANTED),
                );
                None
            }
        }
    }
}

impl<'de, T: Wanted> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = serde_json::Value::deserialize(deserializer)?;
        let read = T::deserialize(&written);
        let read = match (read, unquoted(&written)) {
            (Err(_), Some(value)) => T::deserialize(&value),
            (read, _) => read,
        };
        Ok(match read {
            Ok(value) => Self::Right(value),
            Err(error) => Self::Wrong {
                written: written.to_string(),
                why: error.to_string(),
            },
        })
    }
}

/// The number, or `true` or `false`, that a text holds: people write these with quotes around them,
/// too.
pub(super) fn unquoted(written: &serde_json::Value) -> Option<serde_json::Value> {
    let text = written.as_str()?.trim();
    let is: Result<bool, _> = text.parse();
    is.map(serde_json::Value::from).ok().or_else(|| {
        let number: serde_json::Number = text.parse().ok()?;
        Some(number.into())
    })
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Right(value) => value.serialize(serializer),
            Self::Wrong { written, .. } => serializer.serialize_str(written),
        }
    }
}
