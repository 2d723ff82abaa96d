//! Labels: each only once in a script, and safe whatever the names were that they come from.

use alloc::{collections::BTreeSet, format, string::String};

/// The labels of a script, each only once.
#[derive(Default)]
pub(super) struct Labels {
    taken: BTreeSet<String>,
}

impl Labels {
    pub(super) fn reserve(&mut self, label: &str) {
        self.taken.insert(label.into());
    }

    pub(super) fn unique(&mut self, wish: &str) -> String {
        let mut label = String::from(wish);
        let mut number = 2_u32;
        while !self.taken.insert(label.clone()) {
            label = format!("{wish}-{number}");
            number = number.saturating_add(1);
        }
        label
    }
}

/// What is left of a name in a label: lower-case ASCII letters and digits, `-` between them.
pub(super) fn slug(name: &str) -> String {
    const MAX: usize = 40;
    let mut out = String::new();
    for c in name.chars() {
        if out.len() >= MAX {
            break;
        }
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    let trimmed = out.trim_end_matches('-').len();
    out.truncate(trimmed);
    if out.is_empty() { "x".into() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_holds_nothing_odd_whatever_the_name_is() {
        assert_eq!(slug("NixOS 25.05 (unstable)"), "nixos-25-05-unstable");
        assert_eq!(slug("${x} || goto y\n:z"), "x-goto-y-z");
        assert_eq!(slug("äöü"), "x");
        assert_eq!(slug(""), "x");
        assert_eq!(slug(&"ab ".repeat(50)).len(), 40);
    }

    #[test]
    fn the_same_wish_gets_another_number() {
        let mut labels = Labels::default();
        labels.reserve("a-2");
        assert_eq!(labels.unique("a"), "a");
        assert_eq!(labels.unique("a"), "a-3");
        assert_eq!(labels.unique("a-2"), "a-2-2");
    }
}
