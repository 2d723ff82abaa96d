//! Options inside an option: 43 (RFC 2132 section 8.4), 82 (RFC 3046) and 175 (iPXE).

use super::{Value, ValueError};
use crate::wire::tlv;
use alloc::vec::Vec;
use thiserror::Error;

/// An ordered list of sub-options: a code, and 0 to 255 bytes.
///
/// On the wire each is code, length and bytes, as options are. In 43 and 175 code 0 is padding and
/// 255 ends the list. Option 82 has neither, but no sub-option of these numbers either, so that one
/// reading serves all three.
///
/// ```
/// use netboot_dhcp::value::{SubOptions, Value, pxe};
///
/// let mut options = SubOptions::new();
/// options.add_raw(pxe::DISCOVERY_CONTROL, &[8])?;
/// let mut wire = Vec::new();
/// options.terminated().encode(&mut wire);
/// assert_eq!(wire, [6, 1, 8, 255]);
/// # Ok::<(), netboot_dhcp::value::SubOptionsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubOptions {
    /// As on the wire, without padding and end.
    wire: Vec<u8>,
    terminated: bool,
}

/// A sub-option that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubOptionsError {
    /// More bytes than a length byte counts.
    #[error("sub-option {code} has {len} bytes where 255 are the most")]
    TooLong {
        /// The sub-option's code.
        code: u8,
        /// The bytes that it has.
        len: usize,
    },
    /// 0 and 255 are padding and end.
    #[error("{code} is no sub-option's code")]
    Reserved {
        /// The code.
        code: u8,
    },
}

impl SubOptions {
    /// No sub-options.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            wire: Vec::new(),
            terminated: false,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wire.is_empty()
    }

    /// The sub-options in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = &self.wire[..];
        core::iter::from_fn(move || {
            let (code, data, after) = tlv(rest)?;
            rest = after;
            Some((code, data))
        })
    }

    /// The bytes of the first sub-option of this code.
    #[must_use]
    pub fn raw(&self, code: u8) -> Option<&[u8]> {
        self.iter()
            .find(|(one, _)| *one == code)
            .map(|(_, data)| data)
    }

    /// The first sub-option of this code as a typed value, or `None` where there is none.
    ///
    /// # Errors
    ///
    /// It is there, and its bytes are not such a value.
    pub fn read<T: Value>(&self, code: u8) -> Result<Option<T>, ValueError> {
        self.raw(code).map(T::decode).transpose()
    }

    /// Adds one of these bytes at the end.
    ///
    /// # Errors
    ///
    /// More than 255 bytes, or the code 0 or 255.
    pub fn add_raw(&mut self, code: u8, data: &[u8]) -> Result<(), SubOptionsError> {
        if matches!(code, 0 | 255) {
            return Err(SubOptionsError::Reserved { code });
        }
        let len = data.len();
        let byte = u8::try_from(len).map_err(|_| SubOptionsError::TooLong { code, len })?;
        self.wire.extend([code, byte]);
        self.wire.extend_from_slice(data);
        Ok(())
    }

    /// The same list with 255 written behind it, as PXE's option 43 has it.
    #[must_use]
    pub fn terminated(mut self) -> Self {
        self.terminated = true;
        self
    }
}

impl Value for SubOptions {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let mut options = Self::new();
        let mut rest = data;
        loop {
            match rest {
                [] => return Ok(options),
                [0, after @ ..] => rest = after,
                [255, ..] => return Ok(options.terminated()),
                _ => {
                    let offset = data.len() - rest.len();
                    let Some((_, _, after)) = tlv(rest) else {
                        return Err(ValueError::Truncated { offset });
                    };
                    let len = rest.len() - after.len();
                    options
                        .wire
                        .extend_from_slice(rest.get(..len).unwrap_or_default());
                    rest = after;
                }
            }
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.wire);
        if self.terminated {
            out.push(255);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn sub_options_are_read_past_padding_up_to_the_end() {
        let options = SubOptions::decode(&[6, 1, 8, 0, 0, 9, 0, 255, 1, 1]).unwrap();
        assert_eq!(
            options.iter().collect::<Vec<_>>(),
            vec![(6, &[8][..]), (9, &[][..])]
        );
        assert_eq!(options.raw(9), Some(&[][..]));
        assert_eq!(options.raw(1), None);
    }

    #[test]
    fn truncated_sub_option_is_an_error_with_its_offset() {
        assert_eq!(
            SubOptions::decode(&[6, 1, 8, 9, 4, 1]),
            Err(ValueError::Truncated { offset: 3 })
        );
    }

    #[test]
    fn sub_option_of_256_bytes_is_refused_not_cut() {
        let mut options = SubOptions::new();
        assert_eq!(
            options.add_raw(8, &[0; 256]),
            Err(SubOptionsError::TooLong { code: 8, len: 256 })
        );
        assert_eq!(
            options.add_raw(255, &[]),
            Err(SubOptionsError::Reserved { code: 255 })
        );
        assert!(options.add_raw(8, &[0; 255]).is_ok());
    }
}
