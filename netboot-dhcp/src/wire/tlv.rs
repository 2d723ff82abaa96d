//! The one grammar of options and sub-options: a code, a length, so many bytes.

use nom::{IResult, Parser, multi::length_data, number::complete::u8 as byte, sequence::pair};

/// Splits the first code-length-value triple off `input`.
///
/// `None` says that `input` ends inside it. PAD and END are the caller's business: they have no
/// length, and some registries of sub-options do not have them.
pub(crate) fn tlv(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let parsed: IResult<&[u8], (u8, &[u8]), ()> = pair(byte, length_data(byte)).parse(input);
    let (rest, (code, data)) = parsed.ok()?;
    Some((code, data, rest))
}

#[cfg(test)]
mod tests {
    use super::tlv;

    #[test]
    fn triple_is_split_off_whole_or_not_at_all() {
        assert_eq!(tlv(&[6, 1, 8, 255]), Some((6, &[8][..], &[255][..])));
        assert_eq!(tlv(&[6, 0]), Some((6, &[][..], &[][..])));
        assert_eq!(tlv(&[6, 2, 8]), None);
        assert_eq!(tlv(&[6]), None);
        assert_eq!(tlv(&[]), None);
    }
}
