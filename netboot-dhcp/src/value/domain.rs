//! Option 119: the domains that a client completes names with (RFC 3397), in the DNS's own coding
//! with its compression (RFC 1035 section 4.1.4).

use super::{Value, ValueError};
use alloc::{string::String, vec::Vec};
use thiserror::Error;

/// Domain names in order of search, as texts without a dot at their end.
///
/// A label is of letters, digits, `-` and `_`; others are refused, since such names end up in files
/// of the client's system. A name has at most 253 characters, and a read list so at most 127 times
/// the bytes that it was read from.
///
/// ```
/// use netboot_dhcp::value::{DomainSearch, Value};
///
/// // "eng.lab", and "www" before the name that begins at byte 4.
/// let list = DomainSearch::decode(b"\x03eng\x03lab\0\x03www\xc0\x04")?;
/// assert_eq!(list.iter().collect::<Vec<_>>(), ["eng.lab", "www.lab"]);
/// # Ok::<(), netboot_dhcp::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainSearch(Vec<String>);

/// A text that is no domain name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name:?} is no domain name: labels have 1 to 63 letters, digits, - or _, all of it 253")]
#[non_exhaustive]
pub struct DomainNameError {
    /// The text.
    pub name: String,
}

const MAX_NAME: usize = 253;

impl DomainSearch {
    /// A list of no names.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The names in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Adds a name at the end; a dot at its end is dropped.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn push(&mut self, name: &str) -> Result<(), DomainNameError> {
        let short = name.strip_suffix('.').unwrap_or(name);
        let labels = short.split('.').all(|label| is_label(label.as_bytes()));
        if !labels || short.len() > MAX_NAME {
            return Err(DomainNameError { name: name.into() });
        }
        self.0.push(short.into());
        Ok(())
    }
}

/// At least one name.
impl Value for DomainSearch {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let mut names = Vec::new();
        let mut at = 0;
        while at < data.len() {
            let (name, end) = name_at(data, at)?;
            names.push(name);
            at = end;
        }
        if names.is_empty() {
            return Err(ValueError::TooShort { least: 3, found: 0 });
        }
        Ok(Self(names))
    }

    /// Without compression.
    fn encode(&self, out: &mut Vec<u8>) {
        for name in &self.0 {
            for label in name.split('.') {
                // At most 63 by `push` and `decode`.
                out.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(label.as_bytes());
            }
            out.push(0);
        }
    }
}

/// The name that begins at `start`, and where the bytes after it begin.
fn name_at(data: &[u8], start: usize) -> Result<(String, usize), ValueError> {
    let truncated = ValueError::Truncated { offset: start };
    let mut name = String::new();
    let mut at = start;
    // Where to go on once the first pointer was followed.
    let mut end = None;
    // A pointer leads further back each time, so that the walk ends.
    let mut earliest = start;
    loop {
        let (len, rest) = match data.get(at..) {
            Some([len, rest @ ..]) => (*len, rest),
            _ => return Err(truncated),
        };
        match len {
            0 if name.is_empty() => return Err(ValueError::Item { offset: start }),
            0 => return Ok((name, end.unwrap_or(at + 1))),
            1..=63 => {
                let label = rest.get(..usize::from(len)).ok_or(truncated)?;
                let dot = usize::from(!name.is_empty());
                let fits = name.len() + dot + label.len() <= MAX_NAME;
                let text = core::str::from_utf8(label).ok().filter(|_| is_label(label));
                let Some(text) = text.filter(|_| fits) else {
                    return Err(ValueError::Item { offset: start });
                };
                if dot == 1 {
                    name.push('.');
                }
                name.push_str(text);
                at += 1 + label.len();
            }
            192.. => {
                let low = *rest.first().ok_or(truncated)?;
                let target = usize::from(u16::from_be_bytes([len & 63, low]));
                if target >= earliest {
                    return Err(ValueError::Item { offset: start });
                }
                end.get_or_insert(at + 2);
                earliest = target;
                at = target;
            }
            64..=191 => return Err(ValueError::Item { offset: start }),
        }
    }
}

fn is_label(label: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&label.len()) && label.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(data: &[u8]) -> Result<Vec<String>, ValueError> {
        DomainSearch::decode(data).map(|DomainSearch(names)| names)
    }

    #[test]
    fn compressed_list_of_rfc_3397_is_read() {
        // The example of RFC 3397 section 2.
        let data = b"\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04";
        let names = names(data).unwrap();
        assert_eq!(names, ["eng.apple.com", "marketing.apple.com"]);
    }

    #[test]
    fn pointers_that_do_not_lead_back_are_refused() {
        for data in [
            &b"\xc0\x00"[..],
            b"\x01a\xc0\x00",
            b"\x01a\0\xc0\x03",
            b"\x01a\xc0\x09",
        ] {
            assert!(names(data).is_err(), "{data:?}");
        }
    }

    #[test]
    fn names_that_are_none_are_refused_with_their_offset() {
        let offset = 3;
        assert_eq!(names(b"\x01a\0\x01/\0"), Err(ValueError::Item { offset }));
        assert_eq!(names(b"\x01a\0\0"), Err(ValueError::Item { offset }));
        assert_eq!(
            names(b"\x01a\0\x05abc"),
            Err(ValueError::Truncated { offset })
        );
        assert_eq!(names(b"\x01a\0\x40abc"), Err(ValueError::Item { offset }));
        assert!(names(b"").is_err());
        let long = b"\x3faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".repeat(4);
        assert_eq!(
            names(&[&long[..], b"\0"].concat()),
            Err(ValueError::Item { offset: 0 })
        );
    }

    #[test]
    fn pushed_names_are_written_label_by_label() {
        let mut list = DomainSearch::new();
        list.push("lab.example.").unwrap();
        for bad in ["", ".", "a..b", "a b", &"a".repeat(64)] {
            assert!(list.push(bad).is_err(), "{bad:?}");
        }
        let mut out = Vec::new();
        list.encode(&mut out);
        assert_eq!(out, b"\x03lab\x07example\0");
    }
}
