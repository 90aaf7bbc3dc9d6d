//! `script`: writes the rows of a trace.

use std::io::Write;

use ktape_format::Trace;
use ktape_schema::Class;

use super::frames::Frames;
use super::json_line::json_line;
use super::merge::{Job, merge};
use super::options::{Form, Script};
use super::text_line::text_line;
use crate::answer::{Note, NoteKind};
use crate::context::{Context, Needs};
use crate::error::{Error, Result};
use crate::query::{FilterArgs, RowFilter};
use crate::row_layout::Layout;
use crate::run::{definitions, gaps, loss};

/// Text is handed on in pieces of this many bytes.
const PIECE: usize = 1 << 16;

/// Writes the rows of a trace that pass the filters, in order of time over all rings. What the reader
/// must know besides (losses, damage, what could not be filtered) is returned.
///
/// # Errors
///
/// [`Error::Option`] for a filter or a record that does not exist; [`Error::Write`] when `out` fails.
pub fn script(
    trace: &Trace,
    filter: &FilterArgs,
    options: &Script,
    out: &mut impl Write,
) -> Result<Vec<Note>> {
    let cx = Context::load(trace, Needs::CODE);
    let filter = filter.resolve(&cx)?;
    let mut jobs = Vec::new();
    for schema in wanted(trace, &options.record)? {
        let rows = RowFilter::new(&cx, &filter, schema);
        jobs.push(Job { schema, layout: Layout::of(schema), filter: rows });
    }
    let mut frames = options.stacks.then(|| Frames::new(&cx));
    let mut text = String::new();
    let merged = merge(&cx, &jobs, None, |job, batch, row| {
        let frames = frames.as_mut();
        match options.format {
            Form::Text => text_line(&cx, job, batch, row, frames, &mut text),
            Form::Json => json_line(&cx, job, batch, row, frames, &mut text),
        }
        if text.len() >= PIECE {
            out.write_all(text.as_bytes()).map_err(Error::Write)?;
            text.clear();
        }
        Ok(())
    })?;
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Write)?;

    let mut notes: Vec<Note> =
        jobs.iter().filter_map(|job| loss(&cx, &filter, &job.schema.name)).collect();
    let mut damages = merged.damages;
    damages.extend(cx.damages());
    damages.sort();
    damages.dedup();
    notes.extend(definitions(&cx));
    notes.extend(gaps(&cx, &damages));
    if merged.unordered {
        notes.push(Note::new(
            NoteKind::Damage,
            "too many chunks overlap in time to hold them all: some rows are out of order"
                .to_owned(),
        ));
    }
    for job in jobs.iter().filter(|job| !job.filter.missing().is_empty()) {
        let (record, options) = (&job.schema.name, job.filter.missing().join(", "));
        notes.push(Note::new(
            NoteKind::Filter,
            format!("{record} rows are left out: they do not state what {options} asks for"),
        ));
    }
    Ok(notes)
}

/// The records that are asked for: those named, or all facts.
pub(crate) fn wanted<'t>(
    trace: &'t Trace,
    record: &[String],
) -> Result<Vec<&'t ktape_format::RecordSchema>> {
    let schema = &trace.meta().schema;
    if record.is_empty() {
        return Ok(schema.iter().filter(|record| record.class == Class::Fact as u8).collect());
    }
    record
        .iter()
        .map(|name| {
            trace.record(name).ok_or_else(|| {
                let names: Vec<&str> = schema.iter().map(|record| &*record.name).collect();
                Error::Option {
                    option: "--record",
                    value: name.clone(),
                    reason: format!("the trace has no such record; there are {}", names.join(", ")),
                }
            })
        })
        .collect()
}
