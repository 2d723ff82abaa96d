//! Writing packets into the caller's buffer: RFC 1350 §5 and RFC 2347.

use thiserror::Error;

use crate::error_code::ErrorCode;
use crate::netascii::TransferMode;
use crate::packet::{ACK, DATA, DATA_HEADER_LEN, ERROR, MAX_REQUEST_LEN, OACK, RRQ, WRQ};

/// Which way a file goes, as its client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the server: a read request, RRQ.
    Read,
    /// To the server: a write request, WRQ.
    Write,
}

/// The four bytes that precede a block's payload.
#[must_use]
pub fn encode_data_header(block: u16) -> [u8; DATA_HEADER_LEN] {
    head(DATA, block)
}

/// A whole ACK.
#[must_use]
pub fn encode_ack(block: u16) -> [u8; 4] {
    head(ACK, block)
}

/// Writes an ERROR and returns its length. The text ends at its first NUL, if it has one.
///
/// # Errors
///
/// [`BufferTooSmall`] unless `buf` holds `message` and five bytes.
pub fn encode_error(
    code: ErrorCode,
    message: &str,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let mut out = Emit::new(buf);
    out.put(&head(ERROR, code.0));
    out.put(message.split('\0').next().unwrap_or(message).as_bytes());
    out.put(&[0]);
    out.finish()
}

/// Writes a request and returns its length.
///
/// `options` are pairs of name and value as they go on the wire.
///
/// # Errors
///
/// [`EncodeRequestError`] where a name or value holds a NUL, the request would exceed
/// [`MAX_REQUEST_LEN`], or `buf` is too small.
pub fn encode_request(
    direction: Direction,
    filename: &[u8],
    mode: TransferMode,
    options: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
    buf: &mut [u8],
) -> Result<usize, EncodeRequestError> {
    if filename.contains(&0) {
        return Err(EncodeRequestError::Nul);
    }
    let mut out = Emit::new(buf);
    let opcode = match direction {
        Direction::Read => RRQ,
        Direction::Write => WRQ,
    };
    out.put(&opcode.to_be_bytes());
    for text in [filename, mode.name().as_bytes()] {
        out.put(text);
        out.put(&[0]);
    }
    for (name, value) in options {
        let (name, value) = (name.as_ref(), value.as_ref());
        if name.contains('\0') || value.contains('\0') {
            return Err(EncodeRequestError::Nul);
        }
        put_option(&mut out, name, value);
    }
    if out.needed > MAX_REQUEST_LEN {
        return Err(EncodeRequestError::TooLong { len: out.needed });
    }
    Ok(out.finish()?)
}

/// The caller's buffer cannot hold what was to be written; the caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("buffer of {have} bytes where {needed} are needed")]
#[non_exhaustive]
pub struct BufferTooSmall {
    /// Bytes needed.
    pub needed: usize,
    /// Bytes that the buffer has.
    pub have: usize,
}

/// Why a request cannot be written; the caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeRequestError {
    /// A string holds a NUL, which ends strings on the wire.
    #[error("a name or value of the request holds a zero byte")]
    Nul,
    /// RFC 2347 §2 caps a request at 512 bytes.
    #[error("request of {len} bytes exceeds the {MAX_REQUEST_LEN} that are allowed")]
    TooLong {
        /// Length of the request.
        len: usize,
    },
    /// The buffer is too small.
    #[error(transparent)]
    Buffer(#[from] BufferTooSmall),
}

/// Writes an OACK of these options and returns its length.
pub(crate) fn encode_oack(
    options: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let mut out = Emit::new(buf);
    out.put(&OACK.to_be_bytes());
    for (name, value) in options {
        put_option(&mut out, name.as_ref(), value.as_ref());
    }
    out.finish()
}

fn put_option(out: &mut Emit<'_>, name: &str, value: &str) {
    for text in [name, value] {
        out.put(text.as_bytes());
        out.put(&[0]);
    }
}

/// Appends to a buffer and keeps counting past its end, so that the error can say what was needed.
struct Emit<'b> {
    buf: &'b mut [u8],
    needed: usize,
}

impl<'b> Emit<'b> {
    fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, needed: 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        let start = self.needed;
        self.needed += bytes.len();
        if let Some(place) = self.buf.get_mut(start..self.needed) {
            place.copy_from_slice(bytes);
        }
    }

    fn finish(self) -> Result<usize, BufferTooSmall> {
        if self.needed <= self.buf.len() {
            Ok(self.needed)
        } else {
            Err(BufferTooSmall {
                needed: self.needed,
                have: self.buf.len(),
            })
        }
    }
}

fn head(opcode: u16, value: u16) -> [u8; 4] {
    let [a, b] = opcode.to_be_bytes();
    let [c, d] = value.to_be_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_OPTIONS: [(&str, &str); 0] = [];

    #[test]
    fn encoders_write_the_bytes_of_the_rfc() {
        assert_eq!(encode_data_header(258), [0, 3, 1, 2]);
        assert_eq!(encode_ack(65535), [0, 4, 0xff, 0xff]);
        let mut buf = [0xaa; 64];
        let n = encode_error(ErrorCode::FILE_NOT_FOUND, "file not found", &mut buf).unwrap();
        assert_eq!(&buf[..n], b"\x00\x05\x00\x01file not found\x00");
        let read = |name: &[u8], buf: &mut [u8]| {
            let options = [("tsize", "0"), ("windowsize", "16")];
            encode_request(Direction::Read, name, TransferMode::Octet, options, buf)
        };
        let n = read(b"a/b", &mut buf).unwrap();
        assert_eq!(
            &buf[..n],
            b"\x00\x01a/b\x00octet\x00tsize\x000\x00windowsize\x0016\x00"
        );
        let mode = TransferMode::Netascii;
        let n = encode_request(Direction::Write, b"log", mode, NO_OPTIONS, &mut buf).unwrap();
        assert_eq!(&buf[..n], b"\x00\x02log\x00netascii\x00");
    }

    #[test]
    fn encoders_say_what_does_not_fit() {
        assert_eq!(
            encode_error(ErrorCode::DISK_FULL, "full", &mut [0; 8]),
            Err(BufferTooSmall { needed: 9, have: 8 })
        );
        let read = |name: &[u8]| {
            let mode = TransferMode::Octet;
            encode_request(Direction::Read, name, mode, NO_OPTIONS, &mut [0; 600])
        };
        assert_eq!(
            read(&[b'x'; 510]),
            Err(EncodeRequestError::TooLong { len: 519 })
        );
        assert_eq!(read(b"a\0b"), Err(EncodeRequestError::Nul));
    }
}
