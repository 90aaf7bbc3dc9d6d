//! What makes traces of traces, where no sample leads.

use ktape_format::{Batch, Column, FieldSchema, Options, RecordSchema, Trace, Writer, own_schema};
use ktape_schema::StringText;

use crate::rewrite::{Redact, Secret, Trim, merge, redact, trim};
use crate::testing::Tape;

/// A trace of a host, with a thread.
fn host(change: impl FnOnce(&mut ktape_format::Meta)) -> Trace {
    let mut tape = Tape::new();
    tape.thread(7, 7, "worker");
    change(&mut tape.meta);
    tape.trace()
}

#[track_caller]
fn refused(traces: &[Trace], words: &str) {
    let error = merge(traces, Vec::new()).expect_err("refused").to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn hosts_that_cannot_go_together_are_refused() {
    let named = |name: &str| host(|meta| meta.host.boot_id = name.to_owned());
    let arm = host(|meta| (meta.host.boot_id, meta.host.arch) = ("b".into(), "aarch64".into()));
    refused(&[named("a"), arm], "numbers of system calls");
    let large = |name: &str| {
        host(|meta| (meta.host.boot_id, meta.host.possible_cpus) = (name.into(), 40_000))
    };
    refused(&[large("a"), large("b")], "80000 CPUs");
    let many: Vec<Trace> = (0..513).map(|number| named(&number.to_string())).collect();
    refused(&many, "513 hosts");
}

#[test]
fn hosts_get_names_of_their_own_and_one_clock() {
    let other = |meta: &mut ktape_format::Meta| {
        meta.host.boot_id = "b".to_owned();
        // Booted 5 s later.
        meta.start.mono -= 5_000_000_000;
    };
    let mut out = Vec::new();
    let traces = [host(|meta| meta.host.boot_id = "a".to_owned()), host(other)];
    merge(&traces, &mut out).expect("a new trace");
    let merged = Trace::from_stream(&out[..]).expect("a trace");
    assert_eq!(merged.meta().host.hostname, "host, host#2");
    assert_eq!(merged.meta().start, traces[0].meta().start);
    let clocks = merged.meta().notes.iter().filter(|note| note.0 == "merged clocks");
    let clocks: Vec<&str> = clocks.map(|note| &*note.1).collect();
    assert!(clocks[0].starts_with("host: moved by 0s"), "{clocks:?}");
    assert!(clocks[1].starts_with("host#2: moved by 5s"), "{clocks:?}");
}

/// A trace of a newer program: a record, a kind of id and texts that nobody knows here.
fn newer(kind: &str) -> Trace {
    let field = |name: &str, ty, kind: &str| FieldSchema {
        name: name.into(),
        ty,
        kind: kind.into(),
        names: Vec::new(),
        doc: String::new(),
    };
    let fields = vec![field("time", 4, "time_ns"), field("what", 3, kind)];
    let record =
        RecordSchema { id: 900, name: "newer".into(), class: 1, doc: String::new(), fields };
    let mut meta = Tape::new().meta;
    meta.schema = own_schema();
    meta.schema.push(record.clone());
    let start = meta.start.mono;
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).expect("a header");
    writer.texts(&[(1, b"a secret".to_vec())]).expect("written");
    let columns = vec![
        ("time".to_owned(), Column::U64(vec![start + 1, start + 2])),
        ("what".to_owned(), Column::U32(vec![1, 1])),
    ];
    writer.columns(&record, 0, &Batch::from_columns(900, 0, columns)).expect("written");
    Trace::from_stream(&writer.finish().expect("written").0[..]).expect("a trace")
}

#[test]
fn what_a_newer_program_wrote_is_kept_replaced_or_refused() {
    let trace = newer("string_id");
    let mut out = Vec::new();
    trim(&trace, &Trim::default(), &mut out).expect("a new trace");
    let part = Trace::from_stream(&out[..]).expect("a trace");
    let rows = |trace: &Trace, id| {
        let chunks = trace.chunks().iter().filter(|chunk| chunk.record == id);
        chunks.map(|chunk| chunk.rows).sum::<u32>()
    };
    assert_eq!((rows(&part, 900), rows(&part, StringText::DESC.id)), (2, 1));
    let secret = Secret::new(b"0123456789abcdef").expect("a key");
    let mut out = Vec::new();
    redact(&trace, &Redact::default(), &[], &secret, Some(&mut out)).expect("a new trace");
    let text = String::from_utf8_lossy(&out);
    assert!(!text.contains("secret") && text.contains("x-"));
    let elsewhere = || host(|meta| meta.host.boot_id = "b".to_owned());
    merge(&[elsewhere(), trace], Vec::new()).expect("a new trace");
    refused(&[elsewhere(), newer("colour_id")], "colour_id");
}
