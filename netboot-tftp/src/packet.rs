//! The six packets on the wire: RFC 1350 §5 and the OACK of RFC 2347.
//!
//! [`Packet::decode`] borrows from the datagram and keeps no state. Options are kept raw here, in
//! order, whatever they hold: [`Options`](crate::Options) gives the ones of RFC 2348, 2349 and 7440
//! their meaning. The other direction is in `encode`.
//!
//! Decoding is lenient where real machines need it and nothing is guessed: a request whose option
//! list is cut off keeps the options before the cut, and [`OptionsView::rest`] shows what was left
//! over; an ERROR without its final NUL keeps its text.

use core::fmt;

use nom::bytes::complete::{tag, take_till};
use nom::error::Error as NomError;
use nom::sequence::terminated;
use nom::{IResult, Parser};
use thiserror::Error;

use crate::error_code::ErrorCode;

/// Bytes before the payload of a DATA packet: opcode and block number.
pub const DATA_HEADER_LEN: usize = 4;

/// The longest request and OACK that RFC 2347 §2 allows, in bytes.
pub const MAX_REQUEST_LEN: usize = 512;

pub(crate) const RRQ: u16 = 1;
pub(crate) const WRQ: u16 = 2;
pub(crate) const DATA: u16 = 3;
pub(crate) const ACK: u16 = 4;
pub(crate) const ERROR: u16 = 5;
pub(crate) const OACK: u16 = 6;

/// One TFTP packet, borrowed from a datagram.
///
/// ```
/// use netboot_tftp::Packet;
///
/// let Packet::Rrq(request) = Packet::decode(b"\x00\x01ipxe.efi\0octet\0blksize\x001468\0")? else {
///     panic!("opcode 1 is a read request");
/// };
/// assert_eq!(request.filename, b"ipxe.efi");
/// # Ok::<(), netboot_tftp::DecodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Opcode 1: the client asks to read a file.
    Rrq(RequestView<'a>),
    /// Opcode 2: the client asks to write a file.
    Wrq(RequestView<'a>),
    /// Opcode 3: one block of the file.
    Data {
        /// Block number as it is on the wire, modulo 65536.
        block: u16,
        /// The block's bytes; fewer than the block size in the last block only.
        payload: &'a [u8],
    },
    /// Opcode 4: everything up to this block has arrived.
    Ack {
        /// Block number as it is on the wire, modulo 65536.
        block: u16,
    },
    /// Opcode 5: the transfer is over, and why.
    Error {
        /// The reason as a number.
        code: ErrorCode,
        /// The reason as text, without its NUL; any bytes may be in it.
        message: &'a [u8],
    },
    /// Opcode 6: the options that the server accepts (RFC 2347).
    Oack(OptionsView<'a>),
}

/// A read or write request, RFC 1350 §5 with the option list of RFC 2347.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestView<'a> {
    /// The file's name as it was sent: untrusted bytes without NUL, possibly empty.
    pub filename: &'a [u8],
    /// The transfer mode.
    pub mode: Mode<'a>,
    /// What follows the mode.
    pub options: OptionsView<'a>,
}

/// Transfer mode of a request; its name is compared without regard to case (RFC 1350 §1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode<'a> {
    /// Bytes as they are.
    Octet,
    /// Text, with CR LF at the end of a line.
    Netascii,
    /// `mail`, which RFC 1350 calls obsolete, or anything else.
    Other(&'a [u8]),
}

/// The option list of a request or an OACK, raw and in order.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct OptionsView<'a> {
    bytes: &'a [u8],
}

impl<'a> OptionsView<'a> {
    /// Name and value of each option, in the order sent, unknown and repeated ones included.
    ///
    /// Ends before the first pair that is cut off or has an empty name.
    #[must_use]
    pub fn iter(&self) -> OptionsIter<'a> {
        OptionsIter { rest: self.bytes }
    }

    /// The value of the first option with this name, compared without regard to ASCII case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// What is left after the last whole option: empty in a well-formed packet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        let mut iter = self.iter();
        iter.by_ref().for_each(drop);
        iter.rest
    }
}

/// Iterator over the options of an [`OptionsView`].
#[derive(Debug, Clone)]
pub struct OptionsIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for OptionsIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, pair) = (c_string, c_string).parse(self.rest).ok()?;
        if pair.0.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(pair)
    }
}

/// Why a datagram is not a TFTP packet; the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The datagram ends inside a field of fixed size.
    #[error("{what} cut off at offset {offset}")]
    Truncated {
        /// The field.
        what: &'static str,
        /// Where the datagram ends, in bytes from its start.
        offset: usize,
    },
    /// The opcode is none of 1 to 6.
    #[error("unknown opcode {opcode} at offset 0")]
    UnknownOpcode {
        /// The opcode.
        opcode: u16,
    },
    /// A string of a request has no NUL at its end.
    #[error("{what} at offset {offset} has no terminating zero")]
    Unterminated {
        /// The field.
        what: &'static str,
        /// Where the string starts, in bytes from the start of the datagram.
        offset: usize,
    },
}

impl<'a> Packet<'a> {
    /// Reads one datagram.
    ///
    /// Bytes after an ACK are ignored, as some clients pad it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] where the datagram is too short for its opcode, the opcode is unknown, or
    /// the file name or mode of a request is not terminated. Options never make a request
    /// undecodable.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let (opcode, body) = split_u16(datagram, "opcode", 0)?;
        match opcode {
            RRQ => RequestView::decode(body).map(Self::Rrq),
            WRQ => RequestView::decode(body).map(Self::Wrq),
            DATA => {
                let (block, payload) = split_u16(body, "block number", 2)?;
                Ok(Self::Data { block, payload })
            }
            ACK => {
                let (block, _padding) = split_u16(body, "block number", 2)?;
                Ok(Self::Ack { block })
            }
            ERROR => {
                let (code, text) = split_u16(body, "error code", 2)?;
                let message = text.split(|&b| b == 0).next().unwrap_or(text);
                Ok(Self::Error {
                    code: ErrorCode(code),
                    message,
                })
            }
            OACK => Ok(Self::Oack(OptionsView { bytes: body })),
            opcode => Err(DecodeError::UnknownOpcode { opcode }),
        }
    }
}

impl<'a> RequestView<'a> {
    fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let unterminated = |what, rest: &[u8]| DecodeError::Unterminated {
            what,
            offset: 2 + body.len() - rest.len(),
        };
        let (rest, filename) = c_string(body).map_err(|_| unterminated("file name", body))?;
        let (options, mode) = c_string(rest).map_err(|_| unterminated("mode", rest))?;
        Ok(Self {
            filename,
            mode: Mode::from_bytes(mode),
            options: OptionsView { bytes: options },
        })
    }
}

impl<'a> Mode<'a> {
    fn from_bytes(name: &'a [u8]) -> Self {
        if name.eq_ignore_ascii_case(b"octet") {
            Self::Octet
        } else if name.eq_ignore_ascii_case(b"netascii") {
            Self::Netascii
        } else {
            Self::Other(name)
        }
    }
}

impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestView")
            .field("filename", &Quoted(self.filename))
            .field("mode", &self.mode)
            .field("options", &self.options)
            .finish()
    }
}

impl fmt::Debug for Mode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Octet => f.write_str("Octet"),
            Self::Netascii => f.write_str("Netascii"),
            Self::Other(name) => f.debug_tuple("Other").field(&Quoted(name)).finish(),
        }
    }
}

impl fmt::Debug for OptionsView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.iter();
        let options = options.map(|(name, value)| (Quoted(name), Quoted(value)));
        f.debug_map().entries(options).finish()
    }
}

/// A stranger's bytes as a text.
struct Quoted<'a>(&'a [u8]);

impl fmt::Debug for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

fn split_u16<'a>(
    bytes: &'a [u8],
    what: &'static str,
    at: usize,
) -> Result<(u16, &'a [u8]), DecodeError> {
    bytes
        .split_first_chunk::<2>()
        .map(|(value, rest)| (u16::from_be_bytes(*value), rest))
        .ok_or(DecodeError::Truncated {
            what,
            offset: at + bytes.len(),
        })
}

fn c_string(input: &[u8]) -> IResult<&[u8], &[u8], NomError<&[u8]>> {
    terminated(take_till(|b| b == 0), tag(&[0_u8][..])).parse(input)
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn debug_of_a_request_has_its_texts() {
        let wire = b"\x00\x01a\x1b\0octet\0blksize\x001468\0";
        assert_eq!(
            format!("{:?}", Packet::decode(wire).unwrap()),
            "Rrq(RequestView { filename: \"a\\x1b\", mode: Octet, options: {\"blksize\": \"1468\"} })"
        );
    }

    #[test]
    fn read_request_of_rfc_2348_decodes() {
        // RFC 2348, "Blocksize Option" example: "test file" in octet mode with blksize 1428.
        let wire = b"\x00\x01testfile\x00octet\x00blksize\x001428\x00";
        let Ok(Packet::Rrq(request)) = Packet::decode(wire) else {
            panic!("not a read request");
        };
        assert_eq!(request.filename, b"testfile");
        assert_eq!(request.mode, Mode::Octet);
        assert_eq!(
            request.options.iter().collect::<alloc::vec::Vec<_>>(),
            [(&b"blksize"[..], &b"1428"[..])]
        );
        assert_eq!(request.options.rest(), b"");
    }

    #[test]
    fn mode_is_compared_without_case() {
        let Ok(Packet::Wrq(request)) = Packet::decode(b"\x00\x02f\x00NetASCII\x00") else {
            panic!("not a write request");
        };
        assert_eq!(request.mode, Mode::Netascii);
    }

    #[test]
    fn unknown_options_stay_visible_and_a_cut_list_keeps_what_came_before() {
        let Ok(Packet::Rrq(request)) =
            Packet::decode(b"\x00\x01f\0octet\0x-new\0yes\0BLKSIZE\x0014")
        else {
            panic!("not a read request");
        };
        assert_eq!(request.options.find("X-NEW"), Some(&b"yes"[..]));
        assert_eq!(request.options.find("blksize"), None);
        assert_eq!(request.options.rest(), b"BLKSIZE\x0014");
    }

    #[test]
    fn data_ack_and_error_decode() {
        assert_eq!(
            Packet::decode(&[0, 3, 0xff, 0xfe, b'a', b'b']),
            Ok(Packet::Data {
                block: 0xfffe,
                payload: b"ab"
            })
        );
        assert_eq!(
            Packet::decode(&[0, 4, 1, 0, 9, 9]),
            Ok(Packet::Ack { block: 256 })
        );
        // As EDK2 ends its size probe.
        assert_eq!(
            Packet::decode(b"\x00\x05\x00\x08User aborted the transfer\x00"),
            Ok(Packet::Error {
                code: ErrorCode::OPTION_REFUSED,
                message: b"User aborted the transfer"
            })
        );
        assert_eq!(
            Packet::decode(b"\x00\x05\x00\x01no zero"),
            Ok(Packet::Error {
                code: ErrorCode::FILE_NOT_FOUND,
                message: b"no zero"
            })
        );
    }

    #[test]
    fn errors_say_what_and_where() {
        assert_eq!(
            Packet::decode(&[0]),
            Err(DecodeError::Truncated {
                what: "opcode",
                offset: 1
            })
        );
        assert_eq!(
            Packet::decode(&[0, 3, 7]),
            Err(DecodeError::Truncated {
                what: "block number",
                offset: 3
            })
        );
        assert_eq!(
            Packet::decode(&[0, 9, 0, 0]),
            Err(DecodeError::UnknownOpcode { opcode: 9 })
        );
        assert_eq!(
            Packet::decode(b"\x00\x01file"),
            Err(DecodeError::Unterminated {
                what: "file name",
                offset: 2
            })
        );
        assert_eq!(
            Packet::decode(b"\x00\x01file\0oct"),
            Err(DecodeError::Unterminated {
                what: "mode",
                offset: 7
            })
        );
    }
}
