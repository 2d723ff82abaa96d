//! Values as people and other programs read them: one form of each type, from which both the text
//! of a message and its serialized form are made.

use super::{
    AddressPair, Arch, Authentication, ClasslessRoute, ClientId, DomainSearch, Enterprise,
    MachineId, MessageType, NetworkInterface, Parameters, SubOptions, Text, UserClass, VendorClass,
    ipxe,
};
use crate::Seconds;
use crate::hex::Hex;
use alloc::string::{String, ToString};
use alloc::{format, vec, vec::Vec};
use bytes::Bytes;
use core::fmt;
use core::net::Ipv4Addr;

/// A value taken apart. What a stranger may choose is [`Self::Text`] or [`Self::Bytes`], which are
/// escaped in texts; the rest is letters, digits and punctuation.
pub(crate) enum Shown {
    Flag(bool),
    Number(i64),
    Seconds(u32),
    /// A number of a registry, and its name there. Serialized it is the number.
    Named(u16, Option<&'static str>),
    /// An address, a name, hex digits: what has one spelling.
    Word(String),
    Text(String),
    /// A text of no declared encoding.
    Bytes(Bytes),
    /// A number, and the bytes that belong to it.
    Numbered(u32, Bytes),
    List(Vec<Self>),
    Fields(Vec<(&'static str, Self)>),
}

/// A type whose values can be shown.
pub(super) trait Show {
    fn show(&self) -> Shown;
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Seconds(seconds) => Seconds(*seconds).fmt(f),
            Self::Named(number, None) => number.fmt(f),
            Self::Named(number, Some(name)) => write!(f, "{number} ({name})"),
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bytes(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::Numbered(number, bytes) => write!(f, "{number}={}", Hex(bytes)),
            Self::List(items) if items.is_empty() => f.write_str("none"),
            Self::List(items) => separated(f, ", ", items, |f, item| item.fmt(f)),
            Self::Fields(fields) => separated(f, "; ", fields, |f, (name, value)| {
                write!(f, "{name} {value}")
            }),
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    separator: &str,
    items: &[T],
    mut write: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(separator)?;
        }
        write(f, item)?;
    }
    Ok(())
}

#[cfg(feature = "serde")]
impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Seconds(seconds) => serializer.serialize_u32(*seconds),
            Self::Named(number, _) => serializer.serialize_u16(*number),
            Self::Word(text) | Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.collect_str(&bytes.escape_ascii()),
            Self::Numbered(number, bytes) => {
                (number, format!("{}", Hex(bytes))).serialize(serializer)
            }
            Self::List(items) => serializer.collect_seq(items),
            Self::Fields(fields) => serializer.collect_map(fields.iter().map(|(k, v)| (k, v))),
        }
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Show for $type {
            fn show(&self) -> Shown {
                Shown::Number(i64::from(*self))
            }
        }
    )*};
}
numbers!(u8, u16, u32, i32);

macro_rules! words {
    ($($type:ty),*) => {$(
        impl Show for $type {
            fn show(&self) -> Shown {
                Shown::Word(self.to_string())
            }
        }
    )*};
}
words!(Ipv4Addr, ClientId, MachineId, MessageType);

impl Show for bool {
    fn show(&self) -> Shown {
        Shown::Flag(*self)
    }
}

/// An option that says all by being there.
impl Show for () {
    fn show(&self) -> Shown {
        Shown::Flag(true)
    }
}

impl Show for Seconds {
    fn show(&self) -> Shown {
        Shown::Seconds(self.0)
    }
}

impl Show for Bytes {
    fn show(&self) -> Shown {
        Shown::Word(Hex(self).to_string())
    }
}

impl Show for Text {
    fn show(&self) -> Shown {
        Shown::Text(self.0.clone())
    }
}

impl<T: Show> Show for Vec<T> {
    fn show(&self) -> Shown {
        Shown::List(self.iter().map(T::show).collect())
    }
}

impl Show for Arch {
    fn show(&self) -> Shown {
        Shown::Named(self.0, self.name())
    }
}

impl Show for Parameters {
    fn show(&self) -> Shown {
        Shown::List(self.0.iter().map(|code| code.0.show()).collect())
    }
}

impl Show for AddressPair {
    fn show(&self) -> Shown {
        Shown::Word(format!("{} by {}", self.destination, self.by))
    }
}

impl Show for ClasslessRoute {
    fn show(&self) -> Shown {
        let (destination, prefix, router) = (self.destination(), self.prefix(), self.router());
        Shown::Word(format!("{destination}/{prefix} by {router}"))
    }
}

impl Show for DomainSearch {
    fn show(&self) -> Shown {
        let names = self.iter().map(|name| Shown::Word(name.into()));
        Shown::List(names.collect())
    }
}

impl Show for VendorClass {
    fn show(&self) -> Shown {
        Shown::Bytes(self.0.clone())
    }
}

impl Show for UserClass {
    fn show(&self) -> Shown {
        let classes = self.classes().map(Bytes::copy_from_slice);
        Shown::List(classes.map(Shown::Bytes).collect())
    }
}

impl Show for NetworkInterface {
    fn show(&self) -> Shown {
        vec![self.kind, self.major, self.minor].show()
    }
}

impl Show for SubOptions {
    fn show(&self) -> Shown {
        let items = self.iter();
        let items =
            items.map(|(code, data)| Shown::Numbered(code.into(), Bytes::copy_from_slice(data)));
        Shown::List(items.collect())
    }
}

impl Show for Enterprise {
    fn show(&self) -> Shown {
        Shown::Numbered(self.number(), Bytes::copy_from_slice(self.data()))
    }
}

impl Show for Authentication {
    fn show(&self) -> Shown {
        Shown::Fields(vec![
            ("protocol", self.protocol.show()),
            ("algorithm", self.algorithm.show()),
            ("replay_method", self.replay_method.show()),
            ("replay", Shown::Word(self.replay.to_string())),
            ("information", self.information.show()),
        ])
    }
}

/// iPXE's sub-options, with the names of the features among them.
pub(super) fn ipxe_options(options: &SubOptions) -> Shown {
    let features = ipxe::features(options).filter_map(ipxe::feature);
    let features = features.map(|name| Shown::Word(name.into())).collect();
    Shown::Fields(vec![
        ("features", Shown::List(features)),
        ("sub_options", options.show()),
    ])
}
