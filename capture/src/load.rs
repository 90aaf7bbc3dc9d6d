//! What goes from the thread that drains the rings to the one that writes, at once.

use ktape_format::schema::{Desc, Loss};
use std::collections::BTreeMap;

/// Rows of one record from one ring, as they lay in it.
pub(crate) struct Rows {
    pub(crate) desc: &'static Desc,
    pub(crate) bytes: Vec<u8>,
}

/// Rows that are written together: definitions first, then the facts that may name them.
///
/// The buffers go back and forth between the two threads, so that a flood allocates nothing.
pub(crate) struct Load {
    /// Texts with their ids.
    pub(crate) texts: Vec<(u32, Vec<u8>)>,
    /// Definitions by record id: a record only names records with smaller ids.
    pub(crate) definitions: BTreeMap<u16, Rows>,
    /// Loss counters, as the kernel programs count: from the start of the recording.
    pub(crate) losses: Vec<Loss>,
    /// Facts by ring, then in order of first appearance; those of the recorder's own making last.
    pub(crate) facts: Vec<Vec<Rows>>,
    /// Everything that was pending is in it, with the loss counters of that moment.
    pub(crate) secured: bool,
}

impl Load {
    /// An empty one for so many rings.
    pub(crate) fn new(rings: usize) -> Load {
        Load {
            texts: Vec::new(),
            definitions: BTreeMap::new(),
            losses: Vec::new(),
            facts: (0..=rings).map(|_| Vec::new()).collect(),
            secured: false,
        }
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        let mut rows = self.definitions.values().chain(self.facts.iter().flatten());
        self.texts.is_empty() && self.losses.is_empty() && rows.all(|rows| rows.bytes.is_empty())
    }

    /// Takes everything out and keeps the buffers.
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.losses.clear();
        self.secured = false;
        for rows in self.definitions.values_mut().chain(self.facts.iter_mut().flatten()) {
            rows.bytes.clear();
        }
    }
}
