//! `Loader`: reads the definition chunks of a trace.

use ktape_format::{Batch, ChunkInfo, Decoder, Trace};

/// A chunk that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub what: String,
}

/// Definitions that any trace may have.
const ROWS: u64 = 256 << 10;
/// Bytes of texts that any trace may have.
const TEXT: u64 = 64 << 20;

/// Reads chunks one after another and remembers those that it could not read.
///
/// Definitions stay in memory, and in a hostile trace millions of them take some bytes. A real one
/// takes four bytes and more of the file, and texts do not shrink to a sixteenth: so there is a limit
/// that grows with the file, and chunks beyond it count as damaged.
pub(crate) struct Loader<'a> {
    trace: &'a Trace,
    state: &'a mut LoaderState,
}

/// What a loader keeps from one record to the next.
pub(crate) struct LoaderState {
    decoder: Decoder,
    batch: Batch,
    /// How many definitions may still come.
    rows: u64,
    /// How many bytes of texts may still come.
    text: u64,
    pub(crate) damages: Vec<Damage>,
}

impl LoaderState {
    pub(crate) fn new(trace: &Trace) -> Self {
        let file = trace.size();
        Self {
            decoder: Decoder::new(),
            batch: Batch::new(),
            rows: ROWS + file / 4,
            text: TEXT.saturating_add(file.saturating_mul(16)),
            damages: Vec::new(),
        }
    }
}

impl<'a> Loader<'a> {
    pub(crate) fn new(trace: &'a Trace, state: &'a mut LoaderState) -> Self {
        Self { trace, state }
    }

    /// Calls `take` with every chunk of a record, in file order. A damaged chunk is skipped and noted.
    pub(crate) fn each(&mut self, record: &str, columns: &[&str], mut take: impl FnMut(&Batch)) {
        self.chunks(record, columns, |_| true, |_, batch| take(batch));
    }

    /// Whether `is` holds for any chunk of a record; looks from the end of the file on, and no further
    /// than it must. What it reads is not kept.
    pub(crate) fn any(
        &mut self,
        record: &str,
        columns: &[&str],
        is: impl Fn(&Batch) -> bool,
    ) -> bool {
        let Some(id) = record_id(self.trace, record) else { return false };
        let LoaderState { decoder, batch, damages, .. } = &mut *self.state;
        let chunks = self.trace.chunks().iter().enumerate().rev();
        chunks.filter(|(_, chunk)| chunk.record == id).any(|(index, chunk)| {
            match decoder.read(self.trace, index, columns, batch) {
                Ok(()) => is(batch),
                Err(error) => {
                    damages.push(Damage { offset: chunk.offset, what: what(&error) });
                    false
                }
            }
        })
    }

    /// As [`Loader::each`], of the chunks that `wanted` accepts by their heads.
    pub(crate) fn each_of(
        &mut self,
        record: &str,
        columns: &[&str],
        wanted: impl Fn(&ChunkInfo) -> bool,
        mut take: impl FnMut(&Batch),
    ) {
        self.chunks(record, columns, wanted, |_, batch| take(batch));
    }

    /// As [`Loader::each`], with the number of each chunk, for a record whose texts are read later: what
    /// they claim to take counts.
    pub(crate) fn each_text(
        &mut self,
        record: &str,
        columns: &[&str],
        take: impl FnMut(usize, &Batch),
    ) {
        self.chunks(record, columns, |_| true, take);
    }

    fn chunks(
        &mut self,
        record: &str,
        columns: &[&str],
        wanted: impl Fn(&ChunkInfo) -> bool,
        mut take: impl FnMut(usize, &Batch),
    ) {
        let Some(id) = record_id(self.trace, record) else { return };
        for (index, chunk) in self.trace.chunks().iter().enumerate() {
            if chunk.record != id || !wanted(chunk) {
                continue;
            }
            let rows = u64::from(chunk.rows);
            let state = &mut *self.state;
            let read = match rows <= state.rows {
                true => state.decoder.read(self.trace, index, columns, &mut state.batch),
                false => Ok(()),
            };
            let texts = state.decoder.claimed_text();
            let damage = match read {
                Err(error) => what(&error),
                Ok(()) if rows > state.rows || texts > state.text => {
                    format!("record {record}: more definitions than a trace of this size has")
                }
                Ok(()) => {
                    state.rows -= rows;
                    state.text -= texts;
                    take(index, &state.batch);
                    continue;
                }
            };
            state.damages.push(Damage { offset: chunk.offset, what: damage });
        }
    }
}

/// What is wrong with a chunk, without the name of the file: the same trace gives the same answer
/// wherever it lies.
pub(crate) fn what(error: &ktape_format::Error) -> String {
    match error {
        ktape_format::Error::Chunk { record, column, what, .. } if column.is_empty() => {
            format!("record {record}: {what}")
        }
        ktape_format::Error::Chunk { record, column, what, .. } => {
            format!("record {record}, column {column}: {what}")
        }
        other => other.to_string(),
    }
}

/// The id of a record in this trace: that of our own schema, if the trace agrees with it.
pub(crate) fn record_id(trace: &Trace, record: &str) -> Option<u16> {
    let schema = trace.record(record)?;
    match ktape_schema::by_name(record) {
        Some(desc) if desc.id != schema.id => None,
        _ => Some(schema.id),
    }
}
