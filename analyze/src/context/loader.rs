//! `Loader`: reads the definition chunks of a trace.

use ktape_format::{Batch, Decoder, Trace};

/// A chunk that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub what: String,
}

/// Reads chunks one after another and remembers those that it could not read.
pub(crate) struct Loader<'t> {
    trace: &'t Trace,
    decoder: Decoder,
    batch: Batch,
    pub(crate) damages: Vec<Damage>,
}

impl<'t> Loader<'t> {
    pub(crate) fn new(trace: &'t Trace) -> Self {
        Self { trace, decoder: Decoder::new(), batch: Batch::new(), damages: Vec::new() }
    }

    /// Calls `take` with every chunk of a record, in file order. A damaged chunk is skipped and noted.
    pub(crate) fn each(&mut self, record: &str, columns: &[&str], mut take: impl FnMut(&Batch)) {
        let Some(id) = record_id(self.trace, record) else { return };
        for (index, chunk) in self.trace.chunks().iter().enumerate() {
            if chunk.record != id {
                continue;
            }
            match self.decoder.read(self.trace, index, columns, &mut self.batch) {
                Ok(()) => take(&self.batch),
                Err(error) => {
                    self.damages.push(Damage { offset: chunk.offset, what: what(&error) });
                }
            }
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
