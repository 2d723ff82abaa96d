//! What is followed at the same time, with a cap.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Values by key. Where all places are taken, the one that was begun first goes.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    values: HashMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
    next: u64,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<K: Copy + Eq + Hash, V> Table<K, V> {
    pub(super) fn find(&mut self, key: &K) -> Option<&mut V> {
        self.values.get_mut(key).map(|(_, value)| value)
    }

    /// Puts a value under a key that has none, and gives the one that had to go.
    pub(super) fn begin(&mut self, key: K, value: V, places: usize) -> Option<V> {
        let first = || self.order.first_key_value().map(|(_, &key)| key);
        let full = self.values.len() >= places && !self.values.contains_key(&key);
        let gone = full.then(first).flatten().and_then(|key| self.remove(&key));
        self.remove(&key);
        self.order.insert(self.next, key);
        self.values.insert(key, (self.next, value));
        self.next += 1;
        gone
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let (number, value) = self.values.remove(key)?;
        self.order.remove(&number);
        Some(value)
    }

    /// Takes all that `is_over` says, in the order in which they were begun.
    pub(super) fn take(&mut self, is_over: impl Fn(&V) -> bool) -> Vec<V> {
        let values = &self.values;
        let over = |key: &&K| values.get(key).is_some_and(|(_, value)| is_over(value));
        let keys: Vec<K> = self.order.values().filter(over).copied().collect();
        keys.iter().filter_map(|key| self.remove(key)).collect()
    }
}
