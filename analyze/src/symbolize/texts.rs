//! `Texts`: the strings of a trace, and those that are added to it.

use ktape_format::Trace;
use rustc_hash::FxHashMap;

use crate::context::{Loader, LoaderState};
use crate::error::{Error, Result};

/// Ids of texts, old and new.
#[derive(Debug, Default)]
pub(super) struct Texts {
    ids: FxHashMap<Vec<u8>, u32>,
    last: u32,
    added: Vec<(u32, Vec<u8>)>,
}

impl Texts {
    /// Those of a trace. Of texts that read the same, the lowest id is used.
    pub(super) fn of(trace: &Trace) -> Self {
        let mut texts = Self::default();
        Loader::new(trace, &mut LoaderState::new(trace)).each("string", &["id", "text"], |batch| {
            let rows = batch.text("text");
            for (row, &id) in batch.u32("id").iter().enumerate() {
                texts.last = texts.last.max(id);
                if let Some(known) = texts.ids.get_mut(rows.get(row)) {
                    *known = id.min(*known);
                } else {
                    texts.ids.insert(rows.get(row).to_vec(), id);
                }
            }
        });
        texts
    }

    /// The id of a text; 0 for the empty one.
    ///
    /// # Errors
    ///
    /// When the trace has used up all ids.
    pub(super) fn id(&mut self, text: &[u8]) -> Result<u32> {
        if text.is_empty() {
            return Ok(0);
        }
        if let Some(&id) = self.ids.get(text) {
            return Ok(id);
        }
        self.last = self
            .last
            .checked_add(1)
            .ok_or_else(|| Error::Symbolize("the trace has no string id left".to_owned()))?;
        self.ids.insert(text.to_vec(), self.last);
        self.added.push((self.last, text.to_vec()));
        Ok(self.last)
    }

    /// The texts that were added, by id.
    pub(super) fn into_added(self) -> Vec<(u32, Vec<u8>)> {
        self.added
    }
}
