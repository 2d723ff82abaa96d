//! Netascii, the text mode of RFC 1350 §1: on the wire a line ends with CR LF and a bare CR is CR
//! NUL.
//!
//! Here a line ends with LF and CR is a byte like any other, so [`Encoder`] and [`Decoder`] undo
//! each other for any bytes. Both go through a file piece by piece and hold at most one byte of it
//! between pieces. As the length changes on the way, no `tsize` is told or asked for in this mode.

use alloc::vec::Vec;

use crate::packet::Mode;

/// How the bytes of a file are put on the wire; the modes that are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TransferMode {
    /// As they are.
    #[default]
    Octet,
    /// As lines of text.
    Netascii,
}

impl TransferMode {
    /// The mode of a request, or `None` where it is neither of the two.
    #[must_use]
    pub fn from_view(mode: Mode<'_>) -> Option<Self> {
        match mode {
            Mode::Octet => Some(Self::Octet),
            Mode::Netascii => Some(Self::Netascii),
            Mode::Other(_) => None,
        }
    }

    /// The mode's name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Octet => "octet",
            Self::Netascii => "netascii",
        }
    }
}

/// Makes netascii of a file.
///
/// ```
/// use netboot_tftp::netascii::Encoder;
///
/// let mut encoder = Encoder::default();
/// let mut wire = [0; 5];
/// assert_eq!(encoder.encode(b"a\nb\rc", &mut wire), (4, 5));
/// assert_eq!(&wire, b"a\r\nb\r");
/// assert_eq!(encoder.encode(b"c", &mut wire), (1, 2));
/// assert_eq!(&wire[..2], b"\0c");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoder {
    /// The second byte of a pair whose first had the last place.
    pending: Option<u8>,
}

impl Encoder {
    /// Translates until `file` is used up or `wire` is full: how many bytes of each are done.
    ///
    /// A byte that is done may have its second half on the wire still to come: there is more as
    /// long as [`Encoder::is_pending`], even when the file is at its end.
    pub fn encode(&mut self, file: &[u8], wire: &mut [u8]) -> (usize, usize) {
        let mut bytes = file.iter();
        let mut written = 0;
        for place in wire {
            *place = match self.pending.take() {
                Some(second) => second,
                None => match bytes.next() {
                    Some(b'\n') => {
                        self.pending = Some(b'\n');
                        b'\r'
                    }
                    Some(b'\r') => {
                        self.pending = Some(0);
                        b'\r'
                    }
                    Some(byte) => *byte,
                    None => break,
                },
            };
            written += 1;
        }
        (file.len() - bytes.len(), written)
    }

    /// Whether a byte is still to come for what was taken from the file.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }
}

/// Makes a file of netascii.
///
/// Lenient where the peer is not exact: a CR that neither LF nor NUL follows stays what it is.
///
/// ```
/// use netboot_tftp::netascii::Decoder;
///
/// let mut decoder = Decoder::default();
/// let mut file = Vec::new();
/// decoder.decode(b"a\r\nb\r", &mut file);
/// decoder.decode(b"\0c", &mut file);
/// decoder.finish(&mut file);
/// assert_eq!(file, b"a\nb\rc");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decoder {
    /// Whether the last byte was a CR whose meaning the next one decides.
    cr: bool,
}

impl Decoder {
    /// Translates the next bytes from the wire and appends them to `file`, at most one more than
    /// `wire` has.
    pub fn decode(&mut self, wire: &[u8], file: &mut Vec<u8>) {
        file.reserve(wire.len() + 1);
        for &byte in wire {
            if core::mem::take(&mut self.cr) {
                match byte {
                    b'\n' => {
                        file.push(b'\n');
                        continue;
                    }
                    0 => {
                        file.push(b'\r');
                        continue;
                    }
                    _ => file.push(b'\r'),
                }
            }
            if byte == b'\r' {
                self.cr = true;
            } else {
                file.push(byte);
            }
        }
    }

    /// Ends the file: a CR at the very end stays one.
    pub fn finish(&mut self, file: &mut Vec<u8>) {
        if core::mem::take(&mut self.cr) {
            file.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(file: &[u8], piece: usize, room: usize) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let mut wire = Vec::new();
        for piece in file.chunks(piece).chain([&[][..]]) {
            let mut rest = piece;
            loop {
                let mut out = alloc::vec![0; room];
                let (read, written) = encoder.encode(rest, &mut out);
                wire.extend_from_slice(&out[..written]);
                rest = &rest[read..];
                if rest.is_empty() && written < room {
                    break;
                }
            }
        }
        assert!(!encoder.is_pending());
        wire
    }

    fn decode(wire: &[u8], piece: usize) -> Vec<u8> {
        let mut decoder = Decoder::default();
        let mut file = Vec::new();
        for piece in wire.chunks(piece) {
            decoder.decode(piece, &mut file);
        }
        decoder.finish(&mut file);
        file
    }

    #[test]
    fn lines_end_with_cr_lf_and_a_bare_cr_with_nul_wherever_the_cut_is() {
        for size in 1..12 {
            assert_eq!(
                encode(b"a\nb\rc\r\n\n", size, 1),
                b"a\r\nb\r\0c\r\0\r\n\r\n"
            );
            assert_eq!(
                encode(b"a\nb\rc\r\n\n", 3, size),
                b"a\r\nb\r\0c\r\0\r\n\r\n"
            );
            assert_eq!(decode(b"a\r\nb\r\0c\r\0\r\n\r\n", size), b"a\nb\rc\r\n\n");
        }
    }

    #[test]
    fn a_cr_that_means_nothing_stays_what_it_is() {
        assert_eq!(decode(b"a\rb\r\r\nc\r", 2), b"a\rb\r\nc\r");
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn a_file_comes_back_as_it_was(
                file in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0), any::<u8>()], 0..200),
                piece in 1..20_usize,
                room in 1..20_usize,
            ) {
                prop_assert_eq!(decode(&encode(&file, piece, room), room), file);
            }
        }
    }
}
