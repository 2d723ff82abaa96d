//! Writing a message: header, options, overload of `file` and `sname` (option 52), END, and padding
//! to the length that old boot ROMs want.
//!
//! Options are written in their order. What does not fit is never cut: the caller gets an error
//! that says by how much, and decides what to leave out.

use super::option::{FILE_AT, SNAME_AT};
use super::options::fragments;
use super::{Area, HEADER_LEN, MAGIC_COOKIE, MIN_MESSAGE_LEN, Message, OptionCode, Options};
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
    let options = &message.options;
    let limit = encoding.limit;
    let min_len = encoding.min_len.min(limit);
    let need = HEADER_LEN + options.area(Area::Options).len() + 1;
    out.reserve(need.max(min_len));
    write_header(message, out);
    write_options(options, out);
    let need = out.len();
    if need <= limit {
        write_fields(options, out)?;
    } else {
        let spread = encoding.overload.then(|| spread(message, limit)).flatten();
        let spread = spread.ok_or(EncodeError::TooLong { need, limit })?;
        out.truncate(HEADER_LEN);
        write_options(&spread, out);
        write_fields(&spread, out)?;
    }
    if out.len() < min_len {
        out.resize(min_len, 0);
    }
    Ok(())
}

fn write_header(message: &Message, out: &mut Vec<u8>) {
    let mut header = [0; HEADER_LEN];
    header[..4].copy_from_slice(&[message.op, message.htype, message.hlen, message.hops]);
    header[4..8].copy_from_slice(&message.xid.to_be_bytes());
    header[8..10].copy_from_slice(&message.secs.to_be_bytes());
    header[10..12].copy_from_slice(&message.flags.to_be_bytes());
    header[12..16].copy_from_slice(&message.ciaddr.octets());
    header[16..20].copy_from_slice(&message.yiaddr.octets());
    header[20..24].copy_from_slice(&message.siaddr.octets());
    header[24..28].copy_from_slice(&message.giaddr.octets());
    header[28..SNAME_AT].copy_from_slice(&message.chaddr);
    header[SNAME_AT..FILE_AT].copy_from_slice(&message.sname);
    header[FILE_AT..236].copy_from_slice(&message.file);
    header[236..].copy_from_slice(&MAGIC_COOKIE);
    out.extend_from_slice(&header);
}

/// Writes the option field, with option 52 where other fields hold options and it is not said yet.
fn write_options(options: &Options, out: &mut Vec<u8>) {
    out.extend_from_slice(options.area(Area::Options));
    let mut used = 0;
    for (area, bit) in [(Area::File, 1), (Area::Sname, 2)] {
        if !options.area(area).is_empty() {
            used |= bit;
        }
    }
    if used != 0 {
        let said = overload_value(options);
        if said & used != used {
            out.extend([OptionCode::OVERLOAD.0, 1, said | used]);
        }
    }
    out.push(OptionCode::END.0);
}

/// What the option 52 that the list holds says; as in reading, the last valid one counts.
fn overload_value(options: &Options) -> u8 {
    let valid = |(code, data): (OptionCode, &[u8])| match (code, data) {
        (OptionCode::OVERLOAD, [bits @ 1..=3]) => Some(*bits),
        _ => None,
    };
    let field = fragments(options.area(Area::Options));
    field.filter_map(valid).last().unwrap_or(0)
}

/// Writes the options that lie in `file` and `sname` over those fields.
fn write_fields(options: &Options, out: &mut [u8]) -> Result<(), EncodeError> {
    for (area, start, end) in [
        (Area::File, FILE_AT, FILE_AT + 128),
        (Area::Sname, SNAME_AT, FILE_AT),
    ] {
        let bytes = options.area(area);
        if bytes.is_empty() {
            continue;
        }
        let field = out.get_mut(start..end).unwrap_or_default();
        let capacity = field.len();
        let Some((target, rest)) = field.split_at_mut_checked(bytes.len()) else {
            let need = bytes.len() + 1;
            return Err(EncodeError::AreaTooLong {
                area,
                need,
                capacity,
            });
        };
        target.copy_from_slice(bytes);
        rest.fill(0);
        // A captured field may be full to the last byte, without END.
        if let Some(end) = rest.first_mut() {
            *end = OptionCode::END.0;
        }
    }
    Ok(())
}

/// The options over the option field, `file` and `sname`, as far as those are not in use.
fn spread(message: &Message, limit: usize) -> Option<Options> {
    let options = &message.options;
    let used = [Area::File, Area::Sname].map(|area| !options.area(area).is_empty());
    if used.contains(&true) || options.contains(OptionCode::OVERLOAD) {
        return None;
    }
    // Each field ends with END; the option field has option 52 besides.
    let room = |field: &[u8]| match field.iter().all(|byte| *byte == 0) {
        true => field.len() - 1,
        false => 0,
    };
    let capacities = [
        limit.checked_sub(HEADER_LEN + 4)?,
        room(&message.file),
        room(&message.sname),
    ];
    options.spread(capacities)
}
