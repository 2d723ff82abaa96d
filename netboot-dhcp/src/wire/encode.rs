//! Writing a message: option splitting (RFC 3396), overload of `file` and `sname` (option 52), END,
//! and padding to the length that old boot ROMs want.
//!
//! Options are written in their order. What does not fit is never cut: the caller gets an error that
//! says by how much, and decides what to leave out.

use super::option::{FILE_AT, SNAME_AT};
use super::{Area, HEADER_LEN, MAGIC_COOKIE, MIN_MESSAGE_LEN, Message, OptionCode};
use alloc::vec::Vec;
use thiserror::Error;

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encoding {
    /// The most bytes the message may have. Default 65,507, the largest UDP payload over IPv4; a
    /// server takes it from option 57.
    pub limit: usize,
    /// Zeros are appended after END up to this length. Default 300 (RFC 951).
    pub min_len: usize,
    /// Whether options that do not fit may go into `file` and `sname`, where those are empty.
    /// Default no: some boot ROMs do not read them there.
    pub overload: bool,
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            limit: 65_507,
            min_len: MIN_MESSAGE_LEN,
            overload: false,
        }
    }
}

/// A message that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The options do not fit.
    #[error("the message needs {need} bytes where {limit} are allowed")]
    TooLong {
        /// The bytes that it would have, without overload.
        need: usize,
        /// The most bytes that it may have.
        limit: usize,
    },
    /// The options that lay in `file` or `sname` no longer fit there.
    #[error("the options in {area:?} need {need} bytes where the field has {capacity}")]
    AreaTooLong {
        /// The field.
        area: Area,
        /// The bytes that they need, END included.
        need: usize,
        /// The bytes of the field.
        capacity: usize,
    },
}

pub(super) fn encode(
    message: &Message,
    encoding: &Encoding,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    out.clear();
    let result = write(message, encoding, out);
    if result.is_err() {
        out.clear();
    }
    result
}

fn write(message: &Message, encoding: &Encoding, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    write_header(message, out);
    let mut file = Field::new(Area::File, &message.file);
    let mut sname = Field::new(Area::Sname, &message.sname);
    for (code, area, value) in message.options.areas() {
        match area {
            Area::Options => write_option(code, value, out),
            Area::File => file.push(code, value),
            Area::Sname => sname.push(code, value),
        }
    }
    let used = file.bit() | sname.bit();
    let said = overload_value(message);
    if said & used != used {
        out.extend([OptionCode::OVERLOAD.0, 1, said | used]);
    }
    out.push(OptionCode::END.0);
    let need = out.len();
    if need > encoding.limit {
        let free = used == 0 && !message.options.contains(OptionCode::OVERLOAD);
        if !(encoding.overload && free && overload(message, encoding.limit, out)) {
            let limit = encoding.limit;
            return Err(EncodeError::TooLong { need, limit });
        }
    } else {
        file.write(FILE_AT, out)?;
        sname.write(SNAME_AT, out)?;
    }
    if out.len() < encoding.min_len.min(encoding.limit) {
        out.resize(encoding.min_len.min(encoding.limit), 0);
    }
    Ok(())
}

fn write_header(message: &Message, out: &mut Vec<u8>) {
    out.reserve(HEADER_LEN);
    out.extend([message.op, message.htype, message.hlen, message.hops]);
    out.extend(message.xid.to_be_bytes());
    out.extend(message.secs.to_be_bytes());
    out.extend(message.flags.to_be_bytes());
    out.extend(message.ciaddr.octets());
    out.extend(message.yiaddr.octets());
    out.extend(message.siaddr.octets());
    out.extend(message.giaddr.octets());
    out.extend_from_slice(&message.chaddr);
    out.extend_from_slice(&message.sname);
    out.extend_from_slice(&message.file);
    out.extend(MAGIC_COOKIE);
}

/// Appends an option, in fragments of 255 bytes where it is longer (RFC 3396 section 5).
pub(super) fn write_option(code: OptionCode, value: &[u8], out: &mut Vec<u8>) {
    for (len, fragment) in fragments(value) {
        out.extend([code.0, len]);
        out.extend_from_slice(fragment);
    }
}

/// The pieces of a value with their length bytes; one empty piece for an empty value.
fn fragments(value: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let empty = value.is_empty().then_some((0, value));
    let pieces = value.chunks(255).map(|piece| {
        // At most 255 by the line above.
        (u8::try_from(piece.len()).unwrap_or(u8::MAX), piece)
    });
    empty.into_iter().chain(pieces)
}

/// What the option 52 that the list holds says; as in reading, the last valid one counts.
fn overload_value(message: &Message) -> u8 {
    let mut value = 0;
    for (code, area, data) in message.options.areas() {
        if let (OptionCode::OVERLOAD, Area::Options, [bits @ 1..=3]) = (code, area, data) {
            value = *bits;
        }
    }
    value
}

/// Writes the options again, over the option field, `file` and `sname` in this order. False where
/// they do not fit, or a field is in use.
fn overload(message: &Message, limit: usize, out: &mut Vec<u8>) -> bool {
    out.truncate(HEADER_LEN);
    let file_free = message.file.iter().all(|byte| *byte == 0);
    let sname_free = message.sname.iter().all(|byte| *byte == 0);
    // Option 52 and END.
    let Some(capacity) = limit.checked_sub(HEADER_LEN + 4) else {
        return false;
    };
    let mut file = Field::new(Area::File, &message.file);
    let mut sname = Field::new(Area::Sname, &message.sname);
    let mut area = Area::Options;
    for (code, _, value) in message.options.areas() {
        for (len, fragment) in fragments(value) {
            let need = fragment.len() + 2;
            if area == Area::Options && out.len() - HEADER_LEN + need > capacity {
                area = Area::File;
            }
            if area == Area::File && !(file_free && file.has_room(need)) {
                area = Area::Sname;
            }
            match area {
                Area::Options => {
                    out.extend([code.0, len]);
                    out.extend_from_slice(fragment);
                }
                Area::File => file.push_fragment(code, len, fragment),
                Area::Sname if sname_free && sname.has_room(need) => {
                    sname.push_fragment(code, len, fragment);
                }
                Area::Sname => return false,
            }
        }
    }
    out.extend([OptionCode::OVERLOAD.0, 1, file.bit() | sname.bit()]);
    out.push(OptionCode::END.0);
    file.write(FILE_AT, out).is_ok() && sname.write(SNAME_AT, out).is_ok()
}

/// `file` or `sname` being filled with options.
struct Field {
    area: Area,
    bytes: [u8; 128],
    capacity: usize,
    /// The bytes that the options need; above `capacity` they do not fit.
    need: usize,
    used: bool,
}

impl Field {
    fn new(area: Area, field: &[u8]) -> Self {
        Self {
            area,
            bytes: [0; 128],
            capacity: field.len(),
            need: 0,
            used: false,
        }
    }

    /// The field's bit in option 52, where it holds options.
    fn bit(&self) -> u8 {
        match self.area {
            Area::File if self.used => 1,
            Area::Sname if self.used => 2,
            _ => 0,
        }
    }

    /// Whether `need` more bytes fit, and END behind them.
    fn has_room(&self, need: usize) -> bool {
        self.need + need < self.capacity
    }

    fn push(&mut self, code: OptionCode, value: &[u8]) {
        for (len, fragment) in fragments(value) {
            self.push_fragment(code, len, fragment);
        }
    }

    fn push_fragment(&mut self, code: OptionCode, len: u8, fragment: &[u8]) {
        self.used = true;
        for byte in [code.0, len].iter().chain(fragment) {
            if let Some(slot) = self.bytes.get_mut(self.need) {
                *slot = *byte;
            }
            self.need += 1;
        }
    }

    /// Puts END behind the options and the whole into the message at `at`, if there are any.
    fn write(mut self, at: usize, out: &mut [u8]) -> Result<(), EncodeError> {
        if !self.used {
            return Ok(());
        }
        // A captured field may be full to the last byte, without END.
        if let Some(slot) = self.bytes.get_mut(self.need)
            && self.need < self.capacity
        {
            *slot = OptionCode::END.0;
        }
        let target = out.get_mut(at..at + self.capacity);
        let source = self.bytes.get(..self.capacity);
        match (target, source) {
            (Some(target), Some(source)) if self.need <= self.capacity => {
                target.copy_from_slice(source);
                Ok(())
            }
            _ => Err(EncodeError::AreaTooLong {
                area: self.area,
                need: self.need + 1,
                capacity: self.capacity,
            }),
        }
    }
}
