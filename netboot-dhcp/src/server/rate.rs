//! How often something may happen to one key: a count in a window of time, of few keys.

use crate::{Seconds, Timestamp};
use alloc::collections::{btree_map::BTreeMap, btree_set::BTreeSet};

/// Keys that are counted; beyond it the one whose window began first is forgotten.
const MOST_KEYS: usize = 1024;

/// Counts by key. A window begins with a key's first count, and the next one behind its end.
#[derive(Clone, Debug)]
pub(super) struct Rate<K> {
    most: u32,
    window: Seconds,
    counts: BTreeMap<K, (Timestamp, u32)>,
    by_age: BTreeSet<(Timestamp, K)>,
}

impl<K: Ord + Clone> Rate<K> {
    /// At most so many in each window of this length.
    pub(super) const fn new(most: u32, window: Seconds) -> Self {
        Self {
            most,
            window,
            counts: BTreeMap::new(),
            by_age: BTreeSet::new(),
        }
    }

    /// How many of this key are in its window.
    pub(super) fn count(&self, now: Timestamp, key: &K) -> u32 {
        let counted = self.counts.get(key).filter(|(began, _)| {
            // A clock that was set back begins a new window, too.
            (*began..began.after(self.window)).contains(&now)
        });
        counted.map_or(0, |(_, count)| *count)
    }

    /// Counts one of this key; whether it is within what may be.
    pub(super) fn allows(&mut self, now: Timestamp, key: &K) -> bool {
        let before = self.count(now, key);
        if let Some((began, count)) = self.counts.get_mut(key) {
            if before > 0 {
                *count = before.saturating_add(1);
                return before < self.most;
            }
            self.by_age.remove(&(*began, key.clone()));
        } else if self.counts.len() >= MOST_KEYS
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.counts.remove(&oldest);
        }
        self.counts.insert(key.clone(), (now, 1));
        self.by_age.insert((now, key.clone()));
        self.most > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_where_that_is_the_most() {
        let mut rate = Rate::new(0, Seconds(1));
        assert!(!rate.allows(Timestamp(0), &0) && !rate.allows(Timestamp(5_000), &0));
    }

    #[test]
    fn each_key_has_its_own_window_and_few_are_remembered() {
        let mut rate = Rate::new(2, Seconds(1));
        let at = Timestamp;
        assert!(rate.allows(at(500), &0) && rate.allows(at(1_499), &0));
        assert!(!rate.allows(at(1_499), &0), "a third within a second");
        assert!(rate.allows(at(1_499), &1), "another key");
        assert_eq!(
            (rate.count(at(1_499), &0), rate.count(at(1_500), &0)),
            (3, 0)
        );
        assert!(rate.allows(at(1_500), &0), "the next second");
        assert!(rate.allows(at(2_499), &0) && !rate.allows(at(2_499), &0));
        assert!(rate.allows(at(0), &0), "a clock that was set back");
        for key in 0..5_000 {
            rate.allows(at(2_000), &key);
        }
        assert_eq!(rate.counts.len(), MOST_KEYS);
        assert_eq!(rate.by_age.len(), MOST_KEYS);
    }
}
