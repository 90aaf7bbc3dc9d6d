//! Ids of a trace, given in order of first appearance, and in which segment each was told last.

use rustc_hash::FxHashMap;
use std::hash::Hash;

/// An id, and the segment in which it was defined last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: u32,
    pub(crate) segment: u32,
}

/// What has an id already. Where segments follow, an id stays that of its key, and can be told again.
pub(crate) struct Ids<K> {
    known: FxHashMap<K, Told>,
    /// Keys by id; empty where there are no segments.
    keys: FxHashMap<u32, K>,
    keeps: bool,
    last: u32,
}

impl<K: Copy + Hash + Eq> Ids<K> {
    /// `keeps`: there will be segments.
    pub(crate) fn new(keeps: bool) -> Ids<K> {
        Ids { known: FxHashMap::default(), keys: FxHashMap::default(), keeps, last: 0 }
    }

    /// Whether there will be segments.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// The id of a key, and whether it has to be defined: it is new, or new in this segment.
    pub(crate) fn id(&mut self, key: K, segment: u32) -> (u32, bool) {
        let next = self.last + 1;
        let told = self.known.entry(key).or_insert(Told { id: next, segment });
        let new = told.id == next;
        if new {
            self.last = next;
            if self.keeps {
                self.keys.insert(next, key);
            }
            return (next, true);
        }
        let again = told.segment != segment;
        told.segment = segment;
        (told.id, again)
    }

    /// The key of an id that a segment uses, and whether it has to be defined there; `None` when it
    /// was forgotten.
    pub(crate) fn again(&mut self, id: u32, segment: u32) -> Option<(K, bool)> {
        let key = *self.keys.get(&id)?;
        let told = self.known.get_mut(&key)?;
        let again = told.segment != segment;
        told.segment = segment;
        Some((key, again))
    }

    /// The key of an id.
    pub(crate) fn key(&self, id: u32) -> Option<&K> {
        self.keys.get(&id)
    }

    /// All keys of ids that can be told again.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.keys.values()
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Those that were told in a segment.
    pub(crate) fn told(&self, segment: u32) -> impl Iterator<Item = (&K, u32)> {
        self.known
            .iter()
            .filter(move |(_, told)| told.segment == segment)
            .map(|(k, told)| (k, told.id))
    }

    /// Forgets all but these ids.
    pub(crate) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.known.retain(|_, told| keep(told.id));
        self.known.shrink_to_fit();
        self.keys.retain(|&id, _| keep(id));
        self.keys.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn an_id_is_told_once_in_each_segment() {
        let mut ids = Ids::new(true);
        assert_eq!(ids.id('a', 0), (1, true));
        assert_eq!(ids.id('a', 0), (1, false));
        assert_eq!(ids.id('b', 0), (2, true));
        assert_eq!(ids.id('a', 1), (1, true));
        assert_eq!(ids.again(1, 1), Some(('a', false)));
        assert_eq!(ids.again(2, 1), Some(('b', true)));
        assert_eq!(ids.again(2, 1), Some(('b', false)));
        assert_eq!(ids.told(1).count(), 2);
        ids.retain(|id| id == 1);
        assert_eq!(ids.again(2, 2), None);
        assert_eq!(ids.id('b', 2), (3, true), "forgotten: another id");
    }
}
