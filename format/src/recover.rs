//! Makes a valid trace of a damaged one.

use std::io::Write;
use std::path::Path;

use crate::batch::Batch;
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::meta::{Meta, own_schema};
use crate::reader::Trace;
use crate::scan::Damage;
use crate::verify::{Problem, check};
use crate::writer::{Options, Writer};

/// The name of the note of a recovered trace that tells what it lacks.
pub const LACKS: &str = "recovered without";

/// What was saved and what was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Chunks written.
    pub chunks: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of the new trace.
    pub bytes: u64,
    /// Chunks whose head could be read but whose columns could not.
    pub lost_chunks: u64,
    /// Rows in them.
    pub lost_rows: u64,
    /// Bytes of the old trace that are not in the new one, a damaged trailer aside.
    pub lost_bytes: u64,
    /// What was wrong between chunks.
    pub damages: Vec<Damage>,
    /// What was wrong in the lost chunks.
    pub problems: Vec<Problem>,
    /// Whether the header was unreadable and this program's own schema was taken in its place.
    pub header_lost: bool,
    /// Whether the recorder had come to its end.
    pub finished: bool,
}

impl Recovered {
    /// Whether nothing that was in the old trace is missing in the new one.
    pub fn is_whole(&self) -> bool {
        self.lost_bytes == 0 && self.lost_chunks == 0 && !self.header_lost
    }
}

/// Writes a valid trace of all chunks of `input` that can be read whole, byte for byte, and tells
/// in its notes where it comes from and what it lacks.
///
/// A trace with an unreadable header is searched for chunks too; they are then taken to have this
/// program's own schema. When there are none either, the error is that of the header.
pub fn recover(input: &Path, out: impl Write) -> Result<Recovered> {
    let (trace, header_lost) = match Trace::open(input) {
        Ok(trace) => (trace, false),
        Err(Error::Header { path, what, offset }) => {
            let meta = Meta { schema: own_schema(), ..Meta::default() };
            let trace = Trace::headless(input, meta, &format!("header: {what}"))?;
            if trace.chunks().is_empty() {
                return Err(Error::Header { path, what, offset });
            }
            (trace, true)
        }
        Err(error) => return Err(error),
    };
    let mut lost = Recovered {
        header_lost,
        finished: trace.is_finished(),
        damages: trace.state().damages().to_vec(),
        lost_bytes: {
            let damages = trace.state().damages().iter().filter(|damage| !damage.trailer);
            damages.map(|damage| damage.len).sum()
        },
        ..Recovered::default()
    };
    let good = good_chunks(&trace, &mut lost);
    let mut meta = trace.meta().clone();
    let name = input.file_name().unwrap_or(input.as_os_str()).to_string_lossy().into_owned();
    meta.notes.push(("recovered from".to_owned(), name));
    meta.notes.push((
        if lost.is_whole() { "recovered whole" } else { LACKS }.to_owned(),
        format!(
            "{} bytes ({} chunks, {} rows{})",
            lost.lost_bytes,
            lost.lost_chunks,
            lost.lost_rows,
            if header_lost { ", the header" } else { "" }
        ),
    ));
    meta.notes.extend(trace.unfinished_note());
    let mut writer = Writer::new(out, meta, Options::default())?;
    let mut buffer = Vec::new();
    for chunk in good {
        let info = &trace.chunks()[chunk];
        let bytes =
            trace.source.bytes(info.offset, info.len as usize, &mut buffer).map_err(|source| {
                Error::Read { path: trace.path.clone(), offset: info.offset, source }
            })?;
        writer.copy(info, bytes)?;
        lost.chunks += 1;
        lost.rows += u64::from(info.rows);
    }
    let (_, summary) = writer.finish()?;
    lost.bytes = summary.bytes;
    Ok(lost)
}

/// The chunks that can be read whole; counts the others.
fn good_chunks(trace: &Trace, lost: &mut Recovered) -> Vec<usize> {
    let mut decoder = Decoder::new();
    let mut batch = Batch::new();
    let mut good = Vec::new();
    for (chunk, info) in trace.chunks().iter().enumerate() {
        let before = lost.problems.len();
        check(trace, chunk, &mut decoder, &mut batch, &mut lost.problems);
        if lost.problems.len() == before {
            good.push(chunk);
        } else {
            lost.lost_chunks += 1;
            lost.lost_rows += u64::from(info.rows);
            lost.lost_bytes += u64::from(info.len);
        }
    }
    good
}
