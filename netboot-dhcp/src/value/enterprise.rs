//! Options 124 and 125: what vendors identify by their enterprise number (RFC 3925); sub-option 9
//! of option 82 has the layout of 125 (RFC 4243).

use super::{SubOptions, SubOptionsError, Value, ValueError};
use alloc::vec::Vec;
use bytes::Bytes;

/// One vendor's part: an IANA enterprise number, and 0 to 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Enterprise {
    number: u32,
    data: Bytes,
}

/// The parts of options 124 and 125 in order. What the bytes of a part are depends on the option:
/// [`Enterprise::classes`] for 124, [`Enterprise::sub_options`] for 125.
///
/// ```
/// use netboot_dhcp::value::{Enterprise, Value};
///
/// let vendors = Vec::<Enterprise>::decode(&[0, 0, 0x0d, 0xe9, 3, 1, 1, 7])?;
/// assert_eq!(vendors[0].number(), 3561);
/// assert_eq!(vendors[0].sub_options()?.raw(1), Some(&[7][..]));
/// # Ok::<(), netboot_dhcp::value::ValueError>(())
/// ```
impl Value for Vec<Enterprise> {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let mut parts = Self::new();
        let mut rest = data;
        while !rest.is_empty() {
            let offset = data.len() - rest.len();
            let split = rest.split_first_chunk::<4>().and_then(|(number, rest)| {
                let (len, rest) = rest.split_first()?;
                let (data, after) = rest.split_at_checked(usize::from(*len))?;
                Some((u32::from_be_bytes(*number), data, after))
            });
            let Some((number, part, after)) = split else {
                return Err(ValueError::Truncated { offset });
            };
            let data = Bytes::copy_from_slice(part);
            parts.push(Enterprise { number, data });
            rest = after;
        }
        if parts.is_empty() {
            return Err(ValueError::TooShort { least: 5, found: 0 });
        }
        Ok(parts)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for part in self {
            out.extend(part.number.to_be_bytes());
            // `new` and `decode` let no more than 255 bytes in.
            out.push(u8::try_from(part.data.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(&part.data);
        }
    }
}

impl Enterprise {
    /// A vendor's part.
    ///
    /// # Errors
    ///
    /// More than 255 bytes; the error's code is 0, since a part has none.
    pub fn new(number: u32, data: &[u8]) -> Result<Self, SubOptionsError> {
        let len = data.len();
        if len > 255 {
            return Err(SubOptionsError::TooLong { code: 0, len });
        }
        let data = Bytes::copy_from_slice(data);
        Ok(Self { number, data })
    }

    /// The vendor's enterprise number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The part's bytes.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The part's sub-options, as option 125 has them.
    ///
    /// # Errors
    ///
    /// One of them runs past the end.
    pub fn sub_options(&self) -> Result<SubOptions, ValueError> {
        SubOptions::decode(&self.data)
    }

    /// The vendor classes, each with its length before it, as option 124 has them.
    ///
    /// # Errors
    ///
    /// One of them runs past the end.
    pub fn classes(&self) -> Result<Vec<&[u8]>, ValueError> {
        let mut classes = Vec::new();
        let mut rest = &self.data[..];
        while let [len, after @ ..] = rest {
            let Some((class, after)) = after.split_at_checked(usize::from(*len)) else {
                let offset = self.data.len() - rest.len();
                return Err(ValueError::Truncated { offset });
            };
            classes.push(class);
            rest = after;
        }
        Ok(classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn vendors_are_read_one_after_another_and_written_back() {
        let wire = [0, 0, 0, 9, 4, 1, b'a', 1, b'b', 0, 0, 1, 0, 0];
        let vendors = Vec::<Enterprise>::decode(&wire).unwrap();
        assert_eq!(vendors[0].classes(), Ok(vec![&b"a"[..], b"b"]));
        assert_eq!((vendors[1].number(), vendors[1].data()), (256, &[][..]));
        let mut out = Vec::new();
        vendors.encode(&mut out);
        assert_eq!(out, wire);
    }

    #[test]
    fn part_that_runs_past_the_end_is_an_error_with_its_offset() {
        let offset = 5;
        assert_eq!(
            Vec::<Enterprise>::decode(&[0, 0, 0, 9, 0, 0, 0, 0, 9, 2, 1]),
            Err(ValueError::Truncated { offset })
        );
        let part = Enterprise::new(9, &[1, b'a', 2, b'b']).unwrap();
        assert_eq!(part.classes(), Err(ValueError::Truncated { offset: 2 }));
        assert!(Enterprise::new(9, &[0; 256]).is_err());
        assert!(Vec::<Enterprise>::decode(&[]).is_err());
    }
}
