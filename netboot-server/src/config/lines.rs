//! On which line of its file each key of a configuration stands.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use super::document::Place;

/// The lines of some files, by place.
#[derive(Debug, Default, Clone)]
pub(super) struct Lines {
    files: Vec<String>,
    by_place: BTreeMap<String, usize>,
}

impl Lines {
    /// Takes in a file that can be read as what it is; `file` is how places call it.
    pub(super) fn read(&mut self, file: &str, text: &str, json: bool) {
        let ends: Vec<_> = text.match_indices('\n').map(|(at, _)| at).collect();
        let mut found = Found {
            line_of: |offset| 1 + ends.partition_point(|end| *end < offset),
            by_place: &mut self.by_place,
        };
        let top = |key: &str| Place(format!("{file}: {key}"));
        if json {
            let tables: BTreeMap<String, &RawValue> =
                serde_json::from_str(text).unwrap_or_default();
            for (key, value) in tables {
                found.json(text, &top(&key), value);
            }
        } else if let Ok(table) = DeTable::parse(text) {
            for (key, value) in table.get_ref() {
                found.toml(&top(key.get_ref()), key.span().start, value.get_ref());
            }
        }
        self.files.push(file.to_owned());
    }

    /// The place with the line on which it stands, or on which what it would be in stands. One that
    /// names no file is in the last that has most of it.
    pub(super) fn with_line(&self, place: &str) -> Option<String> {
        let inside = self.files.iter().find_map(|file| {
            let key = place.strip_prefix(file.as_str())?.strip_prefix(": ")?;
            let (_, line) = self.nearest(place)?;
            Some(format!("{file}:{line}: {key}"))
        });
        if inside.is_some() {
            return inside;
        }
        let files = self.files.iter();
        let found = files.filter_map(|file| {
            let (length, line) = self.nearest(&format!("{file}: {place}"))?;
            Some((length - file.len(), format!("{file}:{line}: {place}")))
        });
        let found = found.max_by_key(|(length, _)| *length);
        found.map(|(_, shown)| shown)
    }

    /// The line of the longest part of a place that stands in a file, and how long that is.
    fn nearest(&self, place: &str) -> Option<(usize, usize)> {
        let mut part = place;
        loop {
            if let Some(line) = self.by_place.get(part) {
                return Some((part.len(), *line));
            }
            (part, _) = part.rsplit_once(['.', '['])?;
        }
    }
}

/// What was found so far.
struct Found<'m, F> {
    line_of: F,
    by_place: &'m mut BTreeMap<String, usize>,
}

impl<F: Fn(usize) -> usize> Found<'_, F> {
    fn put(&mut self, place: &Place, offset: usize) {
        let line = (self.line_of)(offset);
        self.by_place.insert(place.0.clone(), line);
    }

    fn toml(&mut self, place: &Place, offset: usize, value: &DeValue<'_>) {
        self.put(place, offset);
        match value {
            DeValue::Table(table) => {
                for (key, value) in table {
                    let place = place.key(key.get_ref());
                    self.toml(&place, key.span().start, value.get_ref());
                }
            }
            DeValue::Array(list) => {
                for (index, item) in list.iter().enumerate() {
                    let place = Place(format!("{place}[{index}]"));
                    self.toml(&place, item.span().start, item.get_ref());
                }
            }
            _ => {}
        }
    }

    fn json(&mut self, text: &str, place: &Place, value: &RawValue) {
        // It is a part of the text.
        let offset = value.get().as_ptr().addr() - text.as_ptr().addr();
        self.put(place, offset);
        if let Ok(table) = serde_json::from_str::<BTreeMap<String, &RawValue>>(value.get()) {
            for (key, value) in table {
                self.json(text, &place.key(key), value);
            }
        } else if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(value.get()) {
            for (index, item) in list.into_iter().enumerate() {
                self.json(text, &Place(format!("{place}[{index}]")), item);
            }
        }
    }
}
