//! An owned, ordered list of options.
//!
//! What was decoded stays as it was sent: order, repetitions, fragments, zero lengths, unknown codes,
//! and the field each option lay in. Reading joins the occurrences of a code (RFC 3396); writing
//! splits what is longer than 255 bytes, when the list is encoded.

use super::view::join;
use super::{Area, OptionCode};
use crate::value::{Key, ReadError, Value};
use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

/// Options in their order, any code any number of times.
///
/// ```
/// use netboot_dhcp::value::{MessageType, key};
/// use netboot_dhcp::wire::{OptionCode, Options};
///
/// let mut options = Options::new();
/// options.put(key::MESSAGE_TYPE, &MessageType::DISCOVER);
/// options.set(OptionCode(224), b"site");
/// assert_eq!(options.get(OptionCode(224)).as_deref(), Some(&b"site"[..]));
/// assert_eq!(options.read(key::MESSAGE_TYPE)?, Some(MessageType::DISCOVER));
/// # Ok::<(), netboot_dhcp::value::ReadError>(())
/// ```
#[derive(Clone, Default)]
pub struct Options {
    /// The values, end to end: two allocations hold any number of options.
    data: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    code: OptionCode,
    area: Area,
    /// Where its bytes end in `data`; they begin where the entry before it ends.
    end: usize,
}

impl Options {
    /// No options.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            data: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// No options yet, and room for so many occurrences and bytes of values.
    #[must_use]
    pub fn with_capacity(entries: usize, bytes: usize) -> Self {
        Self {
            data: Vec::with_capacity(bytes),
            entries: Vec::with_capacity(entries),
        }
    }

    /// How many occurrences there are, fragments counted one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every occurrence in order: code and bytes.
    pub fn iter(&self) -> impl Iterator<Item = (OptionCode, &[u8])> {
        self.areas().map(|(code, _, data)| (code, data))
    }

    /// Whether the option occurs.
    #[must_use]
    pub fn contains(&self, code: OptionCode) -> bool {
        self.entries.iter().any(|entry| entry.code == code)
    }

    /// The value of one option: all its occurrences joined in order (RFC 3396 section 7).
    #[must_use]
    pub fn get(&self, code: OptionCode) -> Option<Cow<'_, [u8]>> {
        join(self.instances(code))
    }

    /// One option as a typed value, or `None` where it does not occur.
    ///
    /// # Errors
    ///
    /// The option is there, and its bytes are not such a value.
    pub fn read<T: Value>(&self, key: Key<T>) -> Result<Option<T>, ReadError> {
        key.read(self.instances(key.code()))
    }

    /// Adds an occurrence at the end, whatever was there before.
    ///
    /// The value may have any length; above 255 bytes it is split when encoded. PAD and END are no
    /// options and are not added.
    pub fn push(&mut self, code: OptionCode, value: &[u8]) {
        self.push_in(Area::Options, code, value);
    }

    /// Gives the option this one value: in the place of its first occurrence, else at the end.
    pub fn set(&mut self, code: OptionCode, value: &[u8]) {
        let Some(place) = self.entries.iter().position(|entry| entry.code == code) else {
            return self.push(code, value);
        };
        let mut changed = Self::with_capacity(self.entries.len(), self.data.len() + value.len());
        for (at, (other, area, data)) in self.areas().enumerate() {
            if at == place {
                changed.push_in(area, code, value);
            } else if other != code {
                changed.push_in(area, other, data);
            }
        }
        *self = changed;
    }

    /// Gives the option a typed value, like [`Self::set`].
    pub fn put<T: Value>(&mut self, key: Key<T>, value: &T) {
        if self.contains(key.code()) {
            let mut data = Vec::new();
            value.encode(&mut data);
            self.set(key.code(), &data);
        } else {
            value.encode(&mut self.data);
            self.close_entry(Area::Options, key.code());
        }
    }

    /// Takes every occurrence of the option out; says whether there was one.
    pub fn remove(&mut self, code: OptionCode) -> bool {
        if !self.contains(code) {
            return false;
        }
        let mut changed = Self::with_capacity(self.entries.len(), self.data.len());
        for (other, area, data) in self.areas().filter(|(other, ..)| *other != code) {
            changed.push_in(area, other, data);
        }
        *self = changed;
        true
    }

    pub(super) fn push_in(&mut self, area: Area, code: OptionCode, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.close_entry(area, code);
    }

    /// Every occurrence with the field it lies in.
    pub(super) fn areas(&self) -> impl Iterator<Item = (OptionCode, Area, &[u8])> {
        let mut start = 0;
        self.entries.iter().map(move |entry| {
            let data = self.data.get(start..entry.end).unwrap_or_default();
            start = entry.end;
            (entry.code, entry.area, data)
        })
    }

    fn close_entry(&mut self, area: Area, code: OptionCode) {
        if code == OptionCode::PAD || code == OptionCode::END {
            let start = self.entries.last().map_or(0, |entry| entry.end);
            self.data.truncate(start);
            return;
        }
        self.entries.push(Entry {
            code,
            area,
            end: self.data.len(),
        });
    }

    fn instances(&self, code: OptionCode) -> impl Iterator<Item = &[u8]> + Clone {
        let entries = &self.entries;
        entries.iter().enumerate().filter_map(move |(at, entry)| {
            let before = at.checked_sub(1).and_then(|before| entries.get(before));
            let start = before.map_or(0, |before| before.end);
            (entry.code == code).then(|| self.data.get(start..entry.end).unwrap_or_default())
        })
    }
}

impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        self.areas().eq(other.areas())
    }
}

impl Eq for Options {}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn list(options: &Options) -> Vec<(u8, Vec<u8>)> {
        options
            .iter()
            .map(|(code, data)| (code.0, data.to_vec()))
            .collect()
    }

    #[test]
    fn set_keeps_the_place_of_the_first_occurrence() {
        let mut options = Options::new();
        options.push(OptionCode(1), b"a");
        options.push(OptionCode(2), b"b");
        options.push(OptionCode(3), b"");
        options.push(OptionCode(2), b"c");
        assert_eq!(options.get(OptionCode(2)).as_deref(), Some(&b"bc"[..]));
        options.set(OptionCode(2), b"longer");
        assert_eq!(
            list(&options),
            vec![
                (1, b"a".to_vec()),
                (2, b"longer".to_vec()),
                (3, b"".to_vec())
            ]
        );
        assert!(options.remove(OptionCode(1)));
        assert!(!options.remove(OptionCode(1)));
        assert_eq!(
            list(&options),
            vec![(2, b"longer".to_vec()), (3, b"".to_vec())]
        );
    }

    #[test]
    fn pad_and_end_are_no_options() {
        let mut options = Options::new();
        options.push(OptionCode(1), b"a");
        options.push(OptionCode::PAD, b"x");
        options.push(OptionCode::END, b"y");
        options.push(OptionCode(2), b"b");
        assert_eq!(list(&options), vec![(1, b"a".to_vec()), (2, b"b".to_vec())]);
    }
}
