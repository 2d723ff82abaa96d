//! An owned, ordered list of options.
//!
//! What was decoded stays as it was sent: order, repetitions, fragments, zero lengths, unknown
//! codes, and the field each option lay in. Reading joins the occurrences of a code (RFC 3396); a
//! value of more than 255 bytes is split as it is added. The list is kept in the form of the wire,
//! so that decoding and encoding copy it whole.

use super::{Area, HEADER_LEN, MessageView, OptionCode, join, tlv};
use crate::hex::Hex;
use crate::value::{Key, ReadError, Value};
use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

/// Options in their order, any code any number of times.
///
/// Each is read and written as a type by its [`Key`]: [`read`](Self::read), [`put`](Self::put) and
/// [`add`](Self::add); or as bytes by its code: [`raw`](Self::raw), [`put_raw`](Self::put_raw) and
/// [`add_raw`](Self::add_raw).
///
/// ```
/// use netboot_dhcp::value::{MessageType, key};
/// use netboot_dhcp::wire::{OptionCode, Options};
///
/// let mut options = Options::new();
/// options.put(key::MESSAGE_TYPE, &MessageType::DISCOVER);
/// options.put_raw(OptionCode(224), b"site");
/// assert_eq!(options.raw(OptionCode(224)).as_deref(), Some(&b"site"[..]));
/// assert_eq!(options.read(key::MESSAGE_TYPE)?, Some(MessageType::DISCOVER));
/// # Ok::<(), netboot_dhcp::value::ReadError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The options of each field: whole fragments of code, length and bytes, without PAD and END.
    field: Vec<u8>,
    file: Vec<u8>,
    sname: Vec<u8>,
}

impl Options {
    /// No options.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            field: Vec::new(),
            file: Vec::new(),
            sname: Vec::new(),
        }
    }

    /// No options yet, and room for so many occurrences and bytes of values.
    #[must_use]
    pub fn with_capacity(entries: usize, bytes: usize) -> Self {
        Self {
            field: Vec::with_capacity(2 * entries + bytes),
            ..Self::new()
        }
    }

    /// How many occurrences there are, fragments counted one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Every occurrence in order: code, and 0 to 255 bytes.
    pub fn iter(&self) -> impl Iterator<Item = (OptionCode, &[u8])> + Clone {
        fragments(&self.field)
            .chain(fragments(&self.file))
            .chain(fragments(&self.sname))
    }

    /// Whether the option occurs.
    #[must_use]
    pub fn contains(&self, code: OptionCode) -> bool {
        self.instances(code).next().is_some()
    }

    /// The bytes of one option: all its occurrences joined in order (RFC 3396 section 7).
    #[must_use]
    pub fn raw(&self, code: OptionCode) -> Option<Cow<'_, [u8]>> {
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

    /// Adds an occurrence of these bytes at the end of the option field, whatever was there before.
    ///
    /// The value may have any length; above 255 bytes it becomes several occurrences. PAD and END
    /// are no options and are not added.
    pub fn add_raw(&mut self, code: OptionCode, value: &[u8]) {
        write_option(code, value, &mut self.field);
    }

    /// Gives the option these bytes: in the place of its first occurrence, else at the end.
    pub fn put_raw(&mut self, code: OptionCode, value: &[u8]) {
        if !self.replace(code, Some(value)) {
            self.add_raw(code, value);
        }
    }

    /// Adds an occurrence with a typed value, like [`Self::add_raw`].
    pub fn add<T: Value>(&mut self, key: Key<T>, value: &T) {
        self.add_with(key.code(), |out| value.encode(out));
    }

    /// Gives the option a typed value, like [`Self::put_raw`].
    pub fn put<T: Value>(&mut self, key: Key<T>, value: &T) {
        if self.contains(key.code()) {
            let mut data = Vec::new();
            value.encode(&mut data);
            self.put_raw(key.code(), &data);
        } else {
            self.add(key, value);
        }
    }

    /// Takes every occurrence of the option out; says whether there was one.
    pub fn remove(&mut self, code: OptionCode) -> bool {
        self.replace(code, None)
    }

    /// Adds an occurrence whose value `write` appends.
    pub(crate) fn add_with(&mut self, code: OptionCode, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.field.len();
        // The length takes its place when it is known.
        self.field.extend([code.0, 0]);
        write(&mut self.field);
        let value = self.field.get(start + 2..).unwrap_or_default();
        match u8::try_from(value.len()) {
            Ok(len) if code.is_option() => {
                if let Some(place) = self.field.get_mut(start + 1) {
                    *place = len;
                }
            }
            _ => {
                let value = value.to_vec();
                self.field.truncate(start);
                self.add_raw(code, &value);
            }
        }
    }

    /// A message's options, malformed ones left out.
    pub(super) fn of(view: &MessageView<'_>) -> Self {
        let bytes = view.bytes();
        let mut options = Self::with_capacity(0, bytes.len() - HEADER_LEN);
        // Options that lie end to end are copied at once.
        let (mut area, mut run) = (Area::Options, 0..0);
        for option in view.options().flatten() {
            if option.offset != run.end {
                let copied = bytes.get(run).unwrap_or_default();
                options.area_mut(area).extend_from_slice(copied);
                area = option.area;
                run = option.offset..option.offset;
            }
            run.end += 2 + option.data.len();
        }
        let copied = bytes.get(run).unwrap_or_default();
        options.area_mut(area).extend_from_slice(copied);
        options
    }

    /// What lies in a field, as it goes on the wire.
    pub(super) const fn area(&self, area: Area) -> &[u8] {
        match area {
            Area::Options => self.field.as_slice(),
            Area::File => self.file.as_slice(),
            Area::Sname => self.sname.as_slice(),
        }
    }

    /// The same options over all three fields, filled in the order of [`Area`] up to so many bytes
    /// each. `None` where they do not fit.
    pub(super) fn spread(&self, capacities: [usize; 3]) -> Option<Self> {
        let mut spread = Self::new();
        let areas = [Area::Options, Area::File, Area::Sname];
        let mut areas = areas.into_iter().zip(capacities);
        let (mut area, mut capacity) = areas.next()?;
        for (code, data) in self.iter() {
            while spread.area(area).len() + 2 + data.len() > capacity {
                (area, capacity) = areas.next()?;
            }
            write_option(code, data, spread.area_mut(area));
        }
        Some(spread)
    }

    const fn area_mut(&mut self, area: Area) -> &mut Vec<u8> {
        match area {
            Area::Options => &mut self.field,
            Area::File => &mut self.file,
            Area::Sname => &mut self.sname,
        }
    }

    /// Takes every occurrence out, and puts a value in the place of the first; says whether there
    /// was one.
    fn replace(&mut self, code: OptionCode, mut value: Option<&[u8]>) -> bool {
        if !self.contains(code) {
            return false;
        }
        for area in [&mut self.field, &mut self.file, &mut self.sname] {
            let mut changed = Vec::with_capacity(area.len());
            for (other, data) in fragments(area) {
                if other != code {
                    write_option(other, data, &mut changed);
                } else if let Some(value) = value.take() {
                    write_option(code, value, &mut changed);
                }
            }
            *area = changed;
        }
        true
    }

    fn instances(&self, code: OptionCode) -> impl Iterator<Item = &[u8]> + Clone {
        self.iter()
            .filter(move |(one, _)| *one == code)
            .map(|(_, data)| data)
    }
}

/// Appends an option, in fragments of 255 bytes where it is longer (RFC 3396 section 5).
fn write_option(code: OptionCode, value: &[u8], out: &mut Vec<u8>) {
    if !code.is_option() {
        return;
    }
    let mut rest = value;
    loop {
        let (fragment, more) = rest.split_at(rest.len().min(255));
        // Lossless by the line above.
        let len = u8::try_from(fragment.len()).unwrap_or(u8::MAX);
        out.extend([code.0, len]);
        out.extend_from_slice(fragment);
        if more.is_empty() {
            return;
        }
        rest = more;
    }
}

/// The fragments of a field, which holds nothing else.
pub(super) fn fragments(bytes: &[u8]) -> impl Iterator<Item = (OptionCode, &[u8])> + Clone {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let (code, data, after) = tlv(rest)?;
        rest = after;
        Some((OptionCode(code), data))
    })
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.iter().map(|(code, data)| (code, Hex(data)));
        f.debug_map().entries(options).finish()
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
    fn put_keeps_the_place_of_the_first_occurrence() {
        let mut options = Options::new();
        options.add_raw(OptionCode(1), b"a");
        options.add_raw(OptionCode(2), b"b");
        options.add_raw(OptionCode(3), b"");
        options.add_raw(OptionCode(2), b"c");
        assert_eq!(options.raw(OptionCode(2)).as_deref(), Some(&b"bc"[..]));
        options.put_raw(OptionCode(2), b"longer");
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

    /// A value of somebody else's, which takes away where it should append.
    struct Greedy;

    impl Value for Greedy {
        fn decode(_data: &[u8]) -> Result<Self, crate::value::ValueError> {
            Ok(Self)
        }

        fn encode(&self, out: &mut Vec<u8>) {
            out.clear();
        }
    }

    #[test]
    fn value_that_does_not_append_loses_options_and_breaks_nothing() {
        let mut options = Options::new();
        options.add_raw(OptionCode(1), b"a");
        options.add(Key::new(OptionCode(224)), &Greedy);
        assert!(options.is_empty());
        options.add_raw(OptionCode(2), b"b");
        assert_eq!(list(&options), vec![(2, b"b".to_vec())]);
    }

    #[test]
    fn pad_and_end_are_no_options() {
        let mut options = Options::new();
        options.add_raw(OptionCode(1), b"a");
        options.add_raw(OptionCode::PAD, b"x");
        options.add_raw(OptionCode::END, b"y");
        options.add_raw(OptionCode(2), b"b");
        assert_eq!(list(&options), vec![(1, b"a".to_vec()), (2, b"b".to_vec())]);
    }
}
