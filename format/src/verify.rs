//! Checks a whole trace.

use crate::batch::Batch;
use crate::decode::Decoder;
use crate::error::Error;
use crate::reader::Trace;

/// Something wrong in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the file.
    pub offset: u64,
    /// The record of the chunk; empty when it lies between chunks.
    pub record: String,
    /// The column; empty when it is not about one.
    pub column: String,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "offset {}", self.offset)?;
        if !self.record.is_empty() {
            write!(f, ", record {}", self.record)?;
        }
        if !self.column.is_empty() {
            write!(f, ", column {}", self.column)?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Reads every column of every chunk, and names all that is wrong, in order of offset.
///
/// Costs a full decode; memory does not grow with the file. Whether ids refer to something that is
/// defined is not looked at here.
pub fn verify(trace: &Trace) -> Vec<Problem> {
    let mut problems: Vec<Problem> = trace
        .state()
        .damages()
        .iter()
        .map(|damage| Problem {
            offset: damage.offset,
            record: String::new(),
            column: String::new(),
            what: format!("{} ({} bytes)", damage.what, damage.len),
        })
        .collect();
    let mut decoder = Decoder::new();
    let mut batch = Batch::new();
    for chunk in 0..trace.chunks().len() {
        check(trace, chunk, &mut decoder, &mut batch, &mut problems);
    }
    problems.sort_by_key(|problem| problem.offset);
    problems
}

/// Decodes every column of a chunk, one by one so that each damaged one is named.
pub(crate) fn check(
    trace: &Trace,
    chunk: usize,
    decoder: &mut Decoder,
    batch: &mut Batch,
    problems: &mut Vec<Problem>,
) {
    let info = &trace.chunks()[chunk];
    let fields = trace.record_by_id(info.record).map_or(&[][..], |record| &record.fields);
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    // Usually all is well, and columns that others depend on need decoding only once.
    if decoder.read(trace, chunk, &names, batch).is_ok() {
        if let Some(what) = decoder.stray_column(fields.len()) {
            let record = trace.record_by_id(info.record).map_or("", |record| &record.name);
            problems.push(Problem {
                offset: info.offset,
                record: record.to_owned(),
                column: String::new(),
                what,
            });
        }
        return;
    }
    let before = problems.len();
    for name in names {
        if let Err(Error::Chunk { offset, record, column, what, .. }) =
            decoder.read(trace, chunk, &[name], batch)
        {
            let whole = column.is_empty();
            problems.push(Problem { offset, record, column, what });
            if whole {
                break;
            }
        }
    }
    if problems.len() == before {
        problems.push(Problem {
            offset: info.offset,
            record: info.record.to_string(),
            column: String::new(),
            what: "the schema does not have this record".to_owned(),
        });
    }
}
