//! Writes what the fuzz targets that read traces begin with, cut from samples/ so that each is small:
//! `cargo run -p ktape-tests --example fuzz_seeds -- FOLDER` (`cargo xtask fuzz` does).

use std::path::{Path, PathBuf};

use ktape_analyze::query::FilterArgs;
use ktape_analyze::rewrite::{Redact, Secret, Trim, merge, redact, trim};
use ktape_format::schema::Class;
use ktape_format::{Batch, Decoder, Meta, Options, RecordSchema, Trace, Writer};
use ktape_tests::samples;

/// Rows that a seed has of each record's facts, and of each record's definitions.
const FACTS: usize = 6;
const DEFINITIONS: usize = 24;
/// Rows of a chunk that is a seed of its own: so many that codecs differ, and so few that all of them
/// are tried.
const ROWS: [usize; 2] = [20, 300];
/// Below level 4 other codecs are taken than from there on.
const LEVELS: [i32; 2] = [1, 9];

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("the folder to write to"));
    for name in samples::names() {
        let trace = Trace::open(&samples::path(&name)).expect("the sample");
        let small = cut(&trace, |_| true);
        for target in ["open", "report", "rewrite"] {
            put(&folder, target, &name, &small);
        }
        put(&folder, "open", &format!("{name}-unfinished"), unfinished(&small));
        put(&folder, "metadata", &name, metadata(&small));
        for (kind, made) in made_of(&small) {
            let name = format!("{name}-{kind}");
            put(&folder, "report", &name, &made);
            put(&folder, "rewrite", &name, &made);
            put(&folder, "metadata", &name, metadata(&made));
        }
        // With the facts of one record, which are read faster.
        for fact in trace.meta().schema.iter().filter(|record| record.class == Class::Fact as u8) {
            if trace.chunks().iter().any(|chunk| chunk.record == fact.id) {
                let part = cut(&trace, |record| record.id == fact.id);
                let name = format!("{name}-{}", fact.name);
                for target in ["open", "report", "rewrite"] {
                    put(&folder, target, &name, unfinished(&part));
                }
            }
        }
        chunks(&trace, &folder, &name);
    }
}

fn put(folder: &Path, target: &str, name: &str, bytes: &[u8]) {
    let folder = folder.join(target);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), bytes).expect("a file");
}

/// The metadata without what is read by people only.
fn bare(meta: &Meta, keep: impl Fn(&RecordSchema) -> bool) -> Meta {
    let mut meta = meta.clone();
    meta.schema.retain(keep);
    for record in &mut meta.schema {
        record.doc.clear();
        for field in &mut record.fields {
            field.doc.clear();
            field.names.truncate(2);
        }
    }
    meta.command_line.truncate(2);
    meta
}

/// A few rows of each record in a trace: of its definitions, and of the facts that are wanted.
fn cut(trace: &Trace, wanted: impl Fn(&RecordSchema) -> bool) -> Vec<u8> {
    let mut left: Vec<(u16, usize)> = Vec::new();
    for record in &trace.meta().schema {
        let fact = record.class == Class::Fact as u8;
        let there = trace.chunks().iter().any(|chunk| chunk.record == record.id);
        if there && (!fact || wanted(record)) {
            left.push((record.id, if fact { FACTS } else { DEFINITIONS }));
        }
    }
    let meta = bare(trace.meta(), |record| left.iter().any(|(id, _)| *id == record.id));
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).expect("a header");
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let left = left.iter_mut().find(|(id, _)| *id == chunk.record).map(|(_, left)| left);
        let Some(left) = left.filter(|left| **left > 0) else { continue };
        let (record, rows) = rows(trace, index);
        let part = rows.slice(0, rows.rows().min(*left));
        *left -= part.rows();
        writer.columns(record, chunk.ring, &part).expect("written to memory");
    }
    writer.finish().expect("written to memory").0
}

fn rows(trace: &Trace, index: usize) -> (&RecordSchema, Batch) {
    let record = trace.record_by_id(trace.chunks()[index].record).expect("a record");
    let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
    let mut batch = Batch::new();
    Decoder::new().read(trace, index, &names, &mut batch).expect("a readable chunk");
    (record, batch)
}

/// A trace without its trailer.
fn unfinished(bytes: &[u8]) -> &[u8] {
    let trace = Trace::from_stream(bytes).expect("a trace");
    let end =
        trace.chunks().last().map_or(bytes.len() as u64, |last| last.offset + u64::from(last.len));
    &bytes[..usize::try_from(end).expect("in memory")]
}

fn metadata(bytes: &[u8]) -> &[u8] {
    let trace = Trace::from_stream(bytes).expect("a trace");
    &bytes[24..usize::try_from(trace.header_len()).expect("in memory")]
}

/// Traces made of a trace, whose headers have notes that others lack.
fn made_of(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let open = || Trace::from_stream(bytes).expect("a trace");
    let mut made = Vec::new();
    let cut = |time: &str| {
        let filter = FilterArgs { time: Some(time.to_owned()), ..FilterArgs::default() };
        let mut out = Vec::new();
        let done = trim(&open(), &Trim { filter, ..Trim::default() }, &mut out).is_ok();
        done.then_some(out)
    };
    if let (Some(first), Some(second)) = (cut(",50ms"), cut("50ms,")) {
        let parts: Vec<Trace> =
            [&first, &second].map(|part| Trace::from_stream(&part[..]).expect("a trace")).into();
        let mut out = Vec::new();
        if merge(&parts, &mut out).is_ok() {
            made.push(("merged", out));
        }
        made.push(("trimmed", first));
    }
    let mut meta = open().meta().clone();
    meta.host.boot_id.push_str(", elsewhere");
    let (elsewhere, _) = Writer::new(Vec::new(), meta, Options::default())
        .and_then(Writer::finish)
        .expect("written to memory");
    let hosts = vec![open(), Trace::from_stream(&elsewhere[..]).expect("a trace")];
    let mut out = Vec::new();
    if merge(&hosts, &mut out).is_ok() {
        made.push(("hosts", out));
    }
    let secret = Secret::new(b"0123456789abcdef").expect("a key");
    let mut out = Vec::new();
    if redact(&open(), &Redact::default(), &[], &secret, Some(&mut out)).is_ok() {
        made.push(("redacted", out));
    }
    made
}

/// The first chunk of each record as a trace of its own, short and long.
fn chunks(trace: &Trace, folder: &Path, sample: &str) {
    let mut seen = Vec::new();
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let (record, batch) = rows(trace, index);
        for (at, most) in ROWS.into_iter().enumerate() {
            let known = seen.contains(&(chunk.record, most));
            if known || at > 0 && batch.rows() <= ROWS[at - 1] {
                continue;
            }
            seen.push((chunk.record, most));
            for level in LEVELS {
                let meta =
                    bare(&Meta { schema: trace.meta().schema.clone(), ..Meta::default() }, |r| {
                        r.id == chunk.record
                    });
                let part = batch.slice(0, batch.rows().min(most));
                let mut writer =
                    Writer::new(Vec::new(), meta, Options { level }).expect("a header");
                writer.columns(record, chunk.ring, &part).expect("written to memory");
                let (bytes, _) = writer.finish().expect("written to memory");
                let name = format!("{sample}-{}-{most}-{level}", record.name);
                put(folder, "chunk", &name, unfinished(&bytes));
            }
        }
    }
}
