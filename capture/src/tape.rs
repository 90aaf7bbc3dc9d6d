//! What has been seen and not yet written: rows of facts and definitions, on their way to the thread
//! that writes.

use crate::error::Result;
use crate::load::{Load, Rows};
use crate::names::Question;
use crate::patience::Patience;
use crate::recording::{Closing, Opening};
use crate::summary::{DumpCause, News};
use crate::writing::{Job, Writing, Written};
use ktape_format::limits::MAX_ROWS;
use ktape_format::schema::{Desc, Loss};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::ops::Range;

/// The open end of the trace.
pub(crate) struct Tape {
    writing: Writing,
    pending: Load,
    /// Bytes in it.
    pending_bytes: usize,
    /// Ids of texts, and the segment that each was told in last.
    strings: FxHashMap<Box<[u8]>, (u32, u32)>,
    string_bytes: usize,
    last_text: u32,
    full: bool,
    recorded: BTreeMap<u16, u64>,
    /// The same by ring and record.
    by_ring: FxHashMap<(u16, u16), u64>,
    /// Counts the segments: parts of the recording each of which defines all that its facts name.
    segment: u32,
}

/// Texts that are remembered, so that they are written once.
const MAX_STRING_BYTES: usize = 8 << 20;

/// What remembering a text takes besides its bytes.
const STRING_OVERHEAD: usize = 40;

/// The ring number of rows that the recorder made itself.
pub(crate) const OWN_RING: u16 = u16::MAX;

/// Bytes with which a load is full: 2 MiB, and enough for each ring that its chunks are
/// worth a codec. What a ring gave in a turn comes on top (`ITEMS_PER_TURN` of reader.rs).
pub(crate) const fn load_bytes(rings: usize) -> usize {
    (2 << 20) + rings * (128 << 10)
}

/// The facts of one ring, to add to.
pub(crate) struct Filling<'a> {
    of_ring: &'a mut Vec<Rows>,
    /// Where the last one was put: the next one mostly is of the same record.
    at: usize,
    bytes: usize,
}

impl Filling<'_> {
    /// Adds a fact.
    pub(crate) fn add(&mut self, desc: &'static Desc, row: &[u8]) {
        if self.of_ring.get(self.at).is_none_or(|rows| rows.desc.id != desc.id) {
            self.at = match self.of_ring.iter().position(|rows| rows.desc.id == desc.id) {
                Some(at) => at,
                None => {
                    self.of_ring.push(Rows { desc, bytes: Vec::with_capacity(64 * desc.size) });
                    self.of_ring.len() - 1
                }
            };
        }
        self.of_ring[self.at].bytes.extend_from_slice(row);
        self.bytes += row.len();
    }
}

impl Tape {
    /// Facts of so many rings go there.
    pub(crate) fn new(writing: Writing, rings: usize) -> Tape {
        Tape {
            writing,
            pending: Load::new(rings),
            pending_bytes: 0,
            strings: FxHashMap::default(),
            string_bytes: 0,
            last_text: 0,
            full: false,
            recorded: BTreeMap::new(),
            by_ring: FxHashMap::default(),
            segment: 0,
        }
    }

    /// The id of a text; 0 is the empty one.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> u32 {
        if bytes.is_empty() {
            return 0;
        }
        if let Some((id, told)) = self.strings.get_mut(bytes) {
            if *told != self.segment {
                *told = self.segment;
                self.pending_bytes += bytes.len() + STRING_OVERHEAD;
                self.pending.texts.push((*id, bytes.to_vec()));
            }
            return *id;
        }
        if self.string_bytes > MAX_STRING_BYTES {
            // A text that comes again gets a second id: longer, not wrong.
            self.strings.clear();
            self.string_bytes = 0;
        }
        self.last_text += 1;
        let id = self.last_text;
        self.string_bytes += bytes.len() + STRING_OVERHEAD;
        self.pending_bytes += bytes.len() + STRING_OVERHEAD;
        self.strings.insert(bytes.into(), (id, self.segment));
        self.pending.texts.push((id, bytes.to_vec()));
        id
    }

    /// The number of the segment that is being recorded. What was told in another one is not known
    /// in this one.
    pub(crate) fn segment(&self) -> u32 {
        self.segment
    }

    /// So many ids of texts that nobody else uses.
    pub(crate) fn reserve_texts(&mut self, count: usize) -> Range<u32> {
        let first = self.last_text + 1;
        self.last_text += count as u32;
        first..self.last_text + 1
    }

    /// Takes a definition. It will stand before the facts that are taken after it.
    pub(crate) fn define(&mut self, desc: &'static Desc, row: &[u8]) {
        let rows = self
            .pending
            .definitions
            .entry(desc.id)
            .or_insert_with(|| Rows { desc, bytes: Vec::new() });
        rows.bytes.extend_from_slice(row);
        self.pending_bytes += row.len();
    }

    /// Takes a reading of a loss counter.
    pub(crate) fn loss(&mut self, loss: Loss) {
        self.pending.losses.push(loss);
    }

    /// Takes a fact.
    pub(crate) fn fact(&mut self, desc: &'static Desc, ring: u16, row: &[u8]) {
        self.fill(ring, |filling| filling.add(desc, row));
    }

    /// Takes what `facts` adds from one ring.
    pub(crate) fn fill<T>(&mut self, ring: u16, facts: impl FnOnce(&mut Filling<'_>) -> T) -> T {
        let last = self.pending.facts.len() - 1;
        let of_ring = &mut self.pending.facts[usize::from(ring).min(last)];
        let mut filling = Filling { of_ring, at: 0, bytes: 0 };
        let given = facts(&mut filling);
        self.pending_bytes += filling.bytes;
        let mut of_ring = filling.of_ring.iter();
        self.full |= of_ring.any(|rows| rows.bytes.len() >= MAX_ROWS * rows.desc.size);
        given
    }

    /// Whether some ring has a chunk's worth of facts, or all of them have a load's.
    pub(crate) fn is_full(&self) -> bool {
        self.full || self.pending_bytes >= load_bytes(self.pending.facts.len())
    }

    /// Takes the facts not yet handed over, to translate them; [`Tape::put_back`] gives them back.
    pub(crate) fn take_pending(&mut self) -> Vec<Vec<Rows>> {
        std::mem::take(&mut self.pending.facts)
    }

    /// Gives back what [`Tape::take_pending`] took.
    pub(crate) fn put_back(&mut self, facts: Vec<Vec<Rows>>) {
        self.pending.facts = facts;
    }

    /// What is handed over next is to be safe: see [`Load::secured`].
    pub(crate) fn secure(&mut self) {
        self.pending.secured = true;
    }

    /// Hands everything over to be written.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.full = false;
        self.pending_bytes = 0;
        if self.pending.is_empty() {
            return self.writing.check();
        }
        let rings = self.pending.facts.len() - 1;
        for (ring, of_ring) in self.pending.facts.iter().enumerate() {
            let ring = if ring == rings { OWN_RING } else { ring as u16 };
            for Rows { desc, bytes } in of_ring.iter().filter(|rows| !rows.bytes.is_empty()) {
                let rows = (bytes.len() / desc.size) as u64;
                *self.recorded.entry(desc.id).or_default() += rows;
                *self.by_ring.entry((ring, desc.id)).or_default() += rows;
            }
        }
        let next = self.writing.empty().unwrap_or_else(|| Load::new(rings));
        self.writing.send(Job::Load(std::mem::replace(&mut self.pending, next)))
    }

    /// Has names found and written down, after all that was defined so far.
    pub(crate) fn names(&mut self, question: Question) -> Result<()> {
        self.flush()?;
        self.writing.send(Job::Names(question))
    }

    /// The error of the thread that writes, if there was one.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.writing.check()
    }

    /// Bytes written so far, of all files.
    pub(crate) fn written(&self) -> u64 {
        self.writing.written()
    }

    /// Facts handed over so far, by record id.
    pub(crate) fn recorded(&self) -> &BTreeMap<u16, u64> {
        &self.recorded
    }

    /// Those of one ring.
    pub(crate) fn recorded_of(&self, ring: u16, record: u16) -> u64 {
        self.by_ring.get(&(ring, record)).copied().unwrap_or(0)
    }

    /// Ends the segment and begins the next one, which knows nothing of what was told before.
    pub(crate) fn next_segment(&mut self, closing: Closing, opening: Opening) -> Result<()> {
        self.flush()?;
        self.writing.send(Job::Next(closing, opening))?;
        self.segment += 1;
        Ok(())
    }

    /// Ends the last segment.
    pub(crate) fn close(&mut self, closing: Closing) -> Result<()> {
        self.flush()?;
        self.writing.send(Job::Close(closing))
    }

    /// What the thread that writes has to tell.
    pub(crate) fn news(&self) -> Option<News> {
        self.writing.news()
    }

    /// Has what is held in memory written to a file.
    pub(crate) fn dump(&mut self, cause: DumpCause) -> Result<()> {
        self.writing.send(Job::Dump(cause))
    }

    /// Bytes of the file, or segment, that is being written.
    pub(crate) fn written_here(&self) -> u64 {
        self.writing.written_here(self.segment)
    }

    /// Waits no longer than that for the thread that writes.
    pub(crate) fn set_patience(&mut self, patience: Patience) {
        self.writing.set_patience(patience);
    }

    /// Nothing is recorded any more: waits until it is told to give up.
    pub(crate) fn begin_last(&mut self) {
        self.writing.begin_last();
    }

    /// Waits until what is left is written, and the trailer.
    pub(crate) fn finish(&mut self) -> Result<Written> {
        self.flush()?;
        self.writing.finish()
    }
}
