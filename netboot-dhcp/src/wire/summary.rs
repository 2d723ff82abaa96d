//! A whole message as people and other programs read it, a view and an owned one alike.
//!
//! Options stand in their order. One of known type is shown as that, where it first occurs and with
//! the value of all its occurrences; the others are in hex. What is malformed says so in its place.
//! Texts that a stranger may choose are escaped, so that a message can be written to a terminal.

use super::option::{OVERLOAD_FILE, OVERLOAD_SNAME};
use super::{
    Area, BOOTREPLY, BOOTREQUEST, BROADCAST_FLAG, Message, MessageView, OptionCode, OptionError,
};
use crate::HardwareAddr;
use crate::hex::Hex;
use crate::value::{Shown, ValueError, key};
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

struct Summary<'a> {
    op: u8,
    hlen: u8,
    hops: u8,
    xid: u32,
    secs: u16,
    flags: u16,
    ciaddr: Ipv4Addr,
    yiaddr: Ipv4Addr,
    siaddr: Ipv4Addr,
    giaddr: Ipv4Addr,
    hardware: HardwareAddr,
    /// Up to the NUL; `None` where it is empty, or options lie in the field.
    sname: Option<&'a [u8]>,
    file: Option<&'a [u8]>,
    options: Vec<Entry<'a>>,
}

enum Entry<'a> {
    Option {
        code: OptionCode,
        raw: &'a [u8],
        /// Whether the code occurred before.
        again: bool,
        /// That of all occurrences. `None` where the code has no known type, and behind the first.
        value: Option<Result<Shown, ValueError>>,
    },
    Malformed(OptionError),
}

impl<'a> Summary<'a> {
    fn of_view(view: &MessageView<'a>) -> Self {
        let overload = view.options().overload_after_walk();
        let options = view.options();
        Self {
            op: view.op(),
            hlen: view.hlen(),
            hops: view.hops(),
            xid: view.xid(),
            secs: view.secs(),
            flags: view.flags(),
            ciaddr: view.ciaddr(),
            yiaddr: view.yiaddr(),
            siaddr: view.siaddr(),
            giaddr: view.giaddr(),
            hardware: view.hardware(),
            sname: text(view.sname(), overload & OVERLOAD_SNAME != 0),
            file: text(view.file(), overload & OVERLOAD_FILE != 0),
            options: entries(options.map(|item| item.map(|option| (option.code, option.data)))),
        }
    }

    fn of_message(message: &'a Message) -> Self {
        let holds_options = |area| !message.options.area(area).is_empty();
        Self {
            op: message.op,
            hlen: message.hlen,
            hops: message.hops,
            xid: message.xid,
            secs: message.secs,
            flags: message.flags,
            ciaddr: message.ciaddr,
            yiaddr: message.yiaddr,
            siaddr: message.siaddr,
            giaddr: message.giaddr,
            hardware: message.hardware(),
            sname: text(&message.sname, holds_options(Area::Sname)),
            file: text(&message.file, holds_options(Area::File)),
            options: entries(message.options.iter().map(Ok)),
        }
    }

    /// What the message says it is.
    fn message_type(&self) -> Option<&Shown> {
        self.options.iter().find_map(|entry| match entry {
            Entry::Option {
                code: OptionCode::MESSAGE_TYPE,
                value: Some(Ok(value)),
                ..
            } => Some(value),
            _ => None,
        })
    }

    fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("op", &self.op)
            .field("hops", &self.hops)
            .field("xid", &format_args!("{:08x}", self.xid))
            .field("secs", &self.secs)
            .field("flags", &format_args!("{:04x}", self.flags))
            .field("ciaddr", &self.ciaddr)
            .field("yiaddr", &self.yiaddr)
            .field("siaddr", &self.siaddr)
            .field("giaddr", &self.giaddr)
            .field("hlen", &self.hlen)
            .field("hardware", &self.hardware)
            .field("sname", &self.sname.map(Quoted))
            .field("file", &self.file.map(Quoted))
            .field("options", &self.options)
            .finish()
    }
}

/// The text in a field, unless options lie there.
fn text(field: &[u8], holds_options: bool) -> Option<&[u8]> {
    let text = field.split(|byte| *byte == 0).next();
    text.filter(|text| !text.is_empty() && !holds_options)
}

/// A text of no declared encoding, in quotes.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Debug for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn entries<'a>(
    items: impl Iterator<Item = Result<(OptionCode, &'a [u8]), OptionError>> + Clone,
) -> Vec<Entry<'a>> {
    let mut seen = [false; 256];
    let entry = |item: Result<(OptionCode, &'a [u8]), _>| match item {
        Err(error) => Entry::Malformed(error),
        Ok((code, raw)) => {
            let again = core::mem::replace(&mut seen[usize::from(code.0)], true);
            let occurrences = || {
                let options = items.clone().filter_map(Result::ok);
                options
                    .filter(move |(one, _)| *one == code)
                    .map(|(_, data)| data)
            };
            let value = if again {
                None
            } else {
                key::show(code, occurrences())
            };
            Entry::Option {
                code,
                raw,
                again,
                value,
            }
        }
    };
    items.clone().map(entry).collect()
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message_type() {
            Some(kind) => kind.fmt(f)?,
            None => f.write_str("no message type")?,
        }
        let hardware = self.hardware;
        match self.op {
            BOOTREQUEST => write!(f, " from {hardware}")?,
            BOOTREPLY => write!(f, " to {hardware}")?,
            op => write!(f, " of {hardware}, op {op}")?,
        }
        write!(f, ", xid {:08x}", self.xid)?;
        if usize::from(self.hlen) > 16 {
            write!(f, "\n  hlen {}", self.hlen)?;
        }
        if self.hops > 0 {
            write!(f, "\n  hops {}", self.hops)?;
        }
        if self.secs > 0 {
            write!(f, "\n  secs {}", self.secs)?;
        }
        if self.flags > 0 {
            let broadcast = self.flags & BROADCAST_FLAG != 0;
            let broadcast = if broadcast { ", broadcast" } else { "" };
            write!(f, "\n  flags {:04x}{broadcast}", self.flags)?;
        }
        for (name, address) in [
            ("ciaddr", self.ciaddr),
            ("yiaddr", self.yiaddr),
            ("siaddr", self.siaddr),
            ("giaddr", self.giaddr),
        ] {
            if !address.is_unspecified() {
                write!(f, "\n  {name} {address}")?;
            }
        }
        for (name, text) in [("sname", self.sname), ("file", self.file)] {
            if let Some(text) = text {
                write!(f, "\n  {name} {}", Quoted(text))?;
            }
        }
        let mut options = self.options.iter();
        options.try_for_each(|option| write!(f, "\n  {option}"))
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, raw, again, value) = match self {
            Self::Option {
                code,
                raw,
                again,
                value,
            } => (code, raw, again, value),
            Self::Malformed(error) => return write!(f, "malformed: {error}"),
        };
        write!(f, "{code}")?;
        if let Some(name) = code.name() {
            write!(f, " {name}")?;
        }
        f.write_str(if *again { " again: " } else { ": " })?;
        match value {
            Some(Ok(value)) => value.fmt(f),
            None if raw.is_empty() => f.write_str("no bytes"),
            None => Hex(raw).fmt(f),
            Some(Err(error)) if raw.is_empty() => write!(f, "malformed: {error}"),
            Some(Err(error)) => write!(f, "{} malformed: {error}", Hex(raw)),
        }
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Its type, its sender or receiver and its transaction; then, each on a line of its own, the
/// fields that are not 0, and the options.
impl fmt::Display for MessageView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Summary::of_view(self).fmt(f)
    }
}

impl fmt::Debug for MessageView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Summary::of_view(self).debug("MessageView", f)
    }
}

/// As [`MessageView`]'s.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Summary::of_message(self).fmt(f)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Summary::of_message(self).debug("Message", f)
    }
}

#[cfg(feature = "serde")]
mod serialized {
    use super::{Entry, Hex, Message, MessageView, Summary};
    use core::fmt::Display;
    use serde::ser::{Serialize, SerializeStruct as _, Serializer};

    struct AsText<T>(T);

    impl<T: Display> Serialize for AsText<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&self.0)
        }
    }

    /// The fields under their names in RFC 2131, `xid` in hex, `chaddr` with the type and length
    /// that belong to it; each option as `code`, `name`, `raw` (in hex), `value` and `error`.
    impl Serialize for MessageView<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Summary::of_view(self).serialize(serializer)
        }
    }

    /// As [`MessageView`]'s.
    impl Serialize for Message {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Summary::of_message(self).serialize(serializer)
        }
    }

    impl Serialize for Summary<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut message = serializer.serialize_struct("Message", 13)?;
            message.serialize_field("op", &self.op)?;
            message.serialize_field("hops", &self.hops)?;
            message.serialize_field("xid", &AsText(format_args!("{:08x}", self.xid)))?;
            message.serialize_field("secs", &self.secs)?;
            message.serialize_field("flags", &self.flags)?;
            message.serialize_field("ciaddr", &self.ciaddr)?;
            message.serialize_field("yiaddr", &self.yiaddr)?;
            message.serialize_field("siaddr", &self.siaddr)?;
            message.serialize_field("giaddr", &self.giaddr)?;
            message.serialize_field("chaddr", &self.hardware)?;
            for (name, text) in [("sname", self.sname), ("file", self.file)] {
                let text = text.map(|text| AsText(text.escape_ascii()));
                message.serialize_field(name, &text)?;
            }
            message.serialize_field("options", &self.options)?;
            message.end()
        }
    }

    impl Serialize for Entry<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let (code, raw, value) = match self {
                Self::Option {
                    code, raw, value, ..
                } => (code, raw, value),
                Self::Malformed(error) => {
                    let mut malformed = serializer.serialize_struct("Malformed", 1)?;
                    malformed.serialize_field("error", &AsText(error))?;
                    return malformed.end();
                }
            };
            let value = value.as_ref();
            let error = value.and_then(|value| value.as_ref().err()).map(AsText);
            let value = value.and_then(|value| value.as_ref().ok());
            let mut option = serializer.serialize_struct("Option", 5)?;
            option.serialize_field("code", code)?;
            option.serialize_field("name", &code.name())?;
            option.serialize_field("raw", &AsText(Hex(raw)))?;
            option.serialize_field("value", &value)?;
            option.serialize_field("error", &error)?;
            option.end()
        }
    }
}
