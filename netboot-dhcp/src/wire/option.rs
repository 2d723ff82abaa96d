//! Options as they lie in a message: one walk over the option field and, where option 52 says so,
//! over `file` and `sname` after it (RFC 2131 section 4.1).
//!
//! The walk never gives up silently. An option that runs past the end of its area is yielded as an
//! error with its offset, and the walk goes on with the next area.

use super::{HEADER_LEN, OptionCode, tlv};
use crate::hex::Hex;
use alloc::vec::Vec;
use core::fmt;
use thiserror::Error;

/// Where in a message an option lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// The option field after the magic cookie.
    Options,
    /// The `file` field, overloaded (option 52 has bit 1).
    File,
    /// The `sname` field, overloaded (option 52 has bit 2).
    Sname,
}

/// One option as it lies in the message: a fragment, where the sender split a long one (RFC 3396).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawOption<'a> {
    /// Its code; never PAD or END.
    pub code: OptionCode,
    /// The field that it lies in.
    pub area: Area,
    /// Bytes from the start of the message to its code.
    pub offset: usize,
    /// Its 0 to 255 bytes.
    pub data: &'a [u8],
}

impl fmt::Debug for RawOption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawOption")
            .field("code", &self.code)
            .field("area", &self.area)
            .field("offset", &self.offset)
            .field("data", &Hex(self.data))
            .finish()
    }
}

/// An option that cannot be read: its area ends before it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The area ends after the option's code.
    #[error("option {code} at offset {offset} ends before its length byte")]
    NoLength {
        /// The option's code.
        code: OptionCode,
        /// Bytes from the start of the message to the code.
        offset: usize,
    },
    /// The area holds fewer bytes than the option's length says.
    #[error("option {code} at offset {offset} says {declared} bytes where {available} are left")]
    Truncated {
        /// The option's code.
        code: OptionCode,
        /// Bytes from the start of the message to the code.
        offset: usize,
        /// The length that the option gives.
        declared: u8,
        /// The bytes that are left in its area.
        available: usize,
    },
}

/// Something that is read without fault, yet not as the RFCs have it written.
///
/// A strict caller turns the first of [`MessageView::anomalies`](super::MessageView::anomalies)
/// into an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Anomaly {
    /// An option that cannot be read.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// An area of options without END.
    #[error("the options in {area:?} have no END")]
    MissingEnd {
        /// The area that has none.
        area: Area,
    },
    /// Bytes other than PAD after END.
    #[error("byte at offset {offset} after END is not PAD")]
    DataAfterEnd {
        /// Bytes from the start of the message to the first such byte.
        offset: usize,
    },
    /// Option 52 with a value other than 1, 2 or 3, or in an overloaded field; it is ignored.
    #[error("option 52 at offset {offset} is not 1, 2 or 3 in the option field")]
    BadOverload {
        /// Bytes from the start of the message to the option.
        offset: usize,
    },
    /// A second server identifier, which should occur once; the first counts.
    #[error("option 54 occurs again at offset {offset}")]
    RepeatedServerId {
        /// Bytes from the start of the message to the repetition.
        offset: usize,
    },
    /// `hlen` is above 16, the size of `chaddr`; 16 bytes are read.
    #[error("hlen is {hlen} where chaddr has 16 bytes")]
    HardwareLength {
        /// The length that the header gives.
        hlen: u8,
    },
}

/// The options of a message in the order of RFC 2131 section 4.1: the option field, `file`,
/// `sname`.
///
/// Each item is an option or the reason why there is none at this place. PAD and END are not
/// yielded. Made by [`MessageView::options`](super::MessageView::options).
#[derive(Clone, Debug)]
pub struct OptionIter<'a> {
    current: AreaIter<'a>,
    file: &'a [u8; 128],
    sname: &'a [u8; 64],
    /// Option 52, once the walk came by a valid one; the last one counts.
    overload: u8,
}

impl<'a> OptionIter<'a> {
    pub(super) const fn new(options: &'a [u8], file: &'a [u8; 128], sname: &'a [u8; 64]) -> Self {
        Self {
            current: AreaIter::new(Area::Options, HEADER_LEN, options),
            file,
            sname,
            overload: 0,
        }
    }

    /// The bits of option 52 that hold for this message, 0 where there is none.
    pub(super) fn overload_after_walk(mut self) -> u8 {
        self.by_ref().for_each(drop);
        self.overload
    }

    /// Reads on to the end and notes what is irregular.
    pub(super) fn anomalies(mut self, found: &mut Vec<Anomaly>) {
        let mut server_id_seen = false;
        loop {
            while let Some(item) = self.current.next() {
                match item {
                    Err(error) => found.push(error.into()),
                    Ok(option) => {
                        let offset = option.offset;
                        match option.code {
                            OptionCode::OVERLOAD if !self.note_overload(&option) => {
                                found.push(Anomaly::BadOverload { offset });
                            }
                            OptionCode::SERVER_ID if server_id_seen => {
                                found.push(Anomaly::RepeatedServerId { offset });
                            }
                            OptionCode::SERVER_ID => server_id_seen = true,
                            _ => {}
                        }
                    }
                }
            }
            found.extend(self.current.end_anomaly());
            match self.next_area() {
                Some(area) => self.current = area,
                None => return,
            }
        }
    }

    /// Takes option 52 to heart; false where it is not a valid one.
    #[inline]
    fn note_overload(&mut self, option: &RawOption<'_>) -> bool {
        match (option.area, option.data) {
            (Area::Options, [value @ 1..=3]) => {
                self.overload = *value;
                true
            }
            _ => false,
        }
    }

    fn next_area(&self) -> Option<AreaIter<'a>> {
        let file = self.overload & OVERLOAD_FILE != 0;
        let sname = self.overload & OVERLOAD_SNAME != 0;
        match self.current.area {
            Area::Options if file => Some(AreaIter::new(Area::File, FILE_AT, self.file)),
            Area::Options | Area::File if sname => {
                Some(AreaIter::new(Area::Sname, SNAME_AT, self.sname))
            }
            _ => None,
        }
    }
}

impl<'a> Iterator for OptionIter<'a> {
    type Item = Result<RawOption<'a>, OptionError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.current.next() {
                if let Ok(option) = &item
                    && option.code == OptionCode::OVERLOAD
                {
                    self.note_overload(option);
                }
                return Some(item);
            }
            self.current = self.next_area()?;
        }
    }
}

/// The options of one area.
#[derive(Clone, Debug)]
struct AreaIter<'a> {
    area: Area,
    /// Offset of the area's end from the start of the message.
    end: usize,
    rest: &'a [u8],
    faulty: bool,
}

impl<'a> AreaIter<'a> {
    const fn new(area: Area, start: usize, bytes: &'a [u8]) -> Self {
        Self {
            area,
            end: start + bytes.len(),
            rest: bytes,
            faulty: false,
        }
    }

    const fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// What is wrong behind the last option, once all were read.
    fn end_anomaly(&self) -> Option<Anomaly> {
        match self.rest {
            // The fault says it already.
            [] if self.faulty => None,
            [] => Some(Anomaly::MissingEnd { area: self.area }),
            [_end, padding @ ..] => {
                let at = padding.iter().position(|byte| *byte != 0)?;
                Some(Anomaly::DataAfterEnd {
                    offset: self.offset() + 1 + at,
                })
            }
        }
    }
}

impl<'a> Iterator for AreaIter<'a> {
    type Item = Result<RawOption<'a>, OptionError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while let [0, rest @ ..] = self.rest {
            self.rest = rest;
        }
        let code = match self.rest {
            // END stays in `rest`, so that a further call finds it again.
            [] | [255, ..] => return None,
            [code, ..] => OptionCode(*code),
        };
        let offset = self.offset();
        let Some((_, data, rest)) = tlv(self.rest) else {
            let error = match self.rest {
                [_, declared, left @ ..] => OptionError::Truncated {
                    code,
                    offset,
                    declared: *declared,
                    available: left.len(),
                },
                _ => OptionError::NoLength { code, offset },
            };
            self.rest = &[];
            self.faulty = true;
            return Some(Err(error));
        };
        self.rest = rest;
        Some(Ok(RawOption {
            code,
            area: self.area,
            offset,
            data,
        }))
    }
}

pub(super) const SNAME_AT: usize = 44;
pub(super) const FILE_AT: usize = 108;
pub(super) const OVERLOAD_FILE: u8 = 1;
pub(super) const OVERLOAD_SNAME: u8 = 2;
