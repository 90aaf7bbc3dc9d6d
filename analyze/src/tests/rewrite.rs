//! What makes traces of traces, where no sample leads.

use ktape_format::{Batch, Column, FieldSchema, Options, RecordSchema, Trace, Writer, own_schema};
use ktape_schema::{Clock, Loss, OffCpu, StringText};

use crate::query::FilterArgs;
use crate::rewrite::{Redact, Secret, Trim, merge, redact, trim};
use crate::testing::{START, START_REALTIME, Tape};

const SECOND: u64 = 1_000_000_000;

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

/// A recording of a boot from one offset to another, in seconds, with a wait in each.
fn recorded(boot: &str, name: &str, from: u64, to: u64) -> Trace {
    let mut tape = Tape::new();
    (tape.meta.host.boot_id, tape.meta.host.hostname) = (boot.into(), name.into());
    tape.meta.start.mono += from * SECOND;
    tape.meta.start.realtime += from * SECOND;
    tape.thread(7, 7, "worker");
    for second in from..to {
        let end = START + second * SECOND + SECOND / 2;
        tape.off_cpu(OffCpu { end, duration: 5, tid: 7, tgid: 7, ..OffCpu::default() });
    }
    tape.loss(OffCpu::DESC.id, 0, START + to * SECOND, to - from, 0);
    tape.trace()
}

fn trimmed(trace: &Trace, options: &Trim) -> crate::Result<Trace> {
    let mut out = Vec::new();
    trim(trace, options, &mut out)?;
    Ok(Trace::from_stream(&out[..]).expect("a trace"))
}

fn window(time: &str) -> Trim {
    let time = Some(time.to_owned());
    Trim { filter: FilterArgs { time, ..FilterArgs::default() }, ..Trim::default() }
}

fn merged(traces: &[Trace]) -> Trace {
    let mut out = Vec::new();
    merge(traces, &mut out).expect("a new trace");
    Trace::from_stream(&out[..]).expect("a trace")
}

fn rows(trace: &Trace, id: u16) -> u32 {
    trace.chunks().iter().filter(|chunk| chunk.record == id).map(|chunk| chunk.rows).sum()
}

#[test]
fn facts_of_one_boot_count_once_whatever_the_host_is_called() {
    for names in [["a", "a"], ["a", "renamed"]] {
        let [one, other] = names;
        refused(&[recorded("b", one, 0, 4), recorded("b", other, 2, 6)], "count twice");
        merged(&[recorded("b", one, 0, 2), recorded("b", other, 2, 6)]);
        // What is trimmed away does not overlap.
        let first = trimmed(&recorded("b", one, 0, 4), &window(",2s")).expect("a part");
        let both = merged(&[first, recorded("b", other, 2, 6)]);
        assert_eq!(rows(&both, OffCpu::DESC.id), 6);
    }
    merged(&[recorded("a", "a", 0, 4), recorded("b", "b", 2, 6)]);
}

#[test]
fn pseudonyms_of_several_keys_are_refused() {
    let redacted = |key: &[u8], trace: &Trace| {
        let (mut out, secret) = (Vec::new(), Secret::new(key).expect("a key"));
        redact(trace, &Redact::default(), &[], &secret, Some(&mut out)).expect("a new trace");
        Trace::from_stream(&out[..]).expect("a trace")
    };
    let (one, other) = (b"0123456789abcdef", b"another key of a host");
    let trace = recorded("b", "a", 0, 2);
    let later = recorded("b", "a", 2, 4);
    refused(&[redacted(one, &trace), redacted(other, &trace)], "one key");
    refused(&[redacted(one, &trace), recorded("b", "a", 0, 2)], "one key");
    refused(&[redacted(one, &trace), redacted(one, &trace)], "count twice");
    merged(&[redacted(one, &trace), redacted(one, &later)]);
}

/// More readings of loss counters than other definitions are remembered.
#[test]
fn readings_of_losses_are_as_many_as_a_recording_makes() {
    let mut tape = Tape::new();
    tape.thread(7, 7, "worker");
    for end in [1, 5] {
        let end = START + end * SECOND;
        tape.off_cpu(OffCpu { end, duration: 5, tid: 7, tgid: 7, ..OffCpu::default() });
    }
    for reading in 0..300_000 {
        tape.loss(OffCpu::DESC.id, 0, START + reading * 20_000, reading, 0);
    }
    let whole = tape.trace();
    let parts = [",2s", "2s,"].map(|time| trimmed(&whole, &window(time)).expect("a part"));
    let again = merged(&parts);
    for id in [OffCpu::DESC.id, Loss::DESC.id] {
        assert_eq!(rows(&again, id), rows(&whole, id));
    }
}

#[test]
fn a_clock_that_was_set_does_not_move_a_host_by_half() {
    let clocked = |boot: &str, step: u64| {
        let mut tape = Tape::new();
        tape.meta.host.boot_id = boot.to_owned();
        tape.thread(7, 7, "worker");
        for second in 0..10 {
            let mono = START + second * SECOND;
            let set = if second > 7 { step } else { 0 };
            let realtime = START_REALTIME + second * SECOND + set;
            let row = Clock { mono, realtime, boottime: mono };
            tape.define(Clock::DESC, &row.encode());
        }
        tape.trace()
    };
    let mut out = Vec::new();
    let traces = [clocked("a", 0), clocked("b", 3600 * SECOND)];
    let answer = merge(&traces, &mut out).expect("a new trace");
    let merged = Trace::from_stream(&out[..]).expect("a trace");
    let clocks = merged.meta().notes.iter().filter(|note| note.0 == "merged clocks");
    let clocks: Vec<&str> = clocks.map(|note| &*note.1).collect();
    assert!(clocks[1].starts_with("host#2: moved by 0s"), "{clocks:?}");
    let text = String::from_utf8(crate::render::json(&answer)).expect("UTF-8");
    assert!(text.contains("host#2: its clock was set") && !text.contains("host: its"), "{text}");
}

#[test]
fn a_part_of_a_part_is_of_what_both_chose() {
    let mut tape = Tape::new();
    for (cpu, tid) in (0u16..4).zip(7..) {
        tape.thread(tid, tid, "worker");
        let end = START + SECOND;
        let row = OffCpu { end, duration: 5, tid, tgid: tid, cpu, ..OffCpu::default() };
        tape.fact(OffCpu::DESC, cpu, &row.encode());
    }
    let whole = tape.trace();
    let of = |cpu: &str, pid: &[u32], comm: &str| {
        let list = |text: &str| -> Vec<String> {
            text.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect()
        };
        let (cpu, comm) = (list(cpu), list(comm));
        Trim {
            filter: FilterArgs { cpu, pid: pid.to_vec(), comm, ..Default::default() },
            ..Trim::default()
        }
    };
    let note = |trace: &Trace, name: &str| {
        let found = trace.meta().notes.iter().find(|note| note.0 == name);
        found.map_or(String::new(), |note| note.1.clone())
    };
    let first = trimmed(&whole, &of("0-1", &[7, 8], "")).expect("a part");
    let second = trimmed(&first, &of("1-2", &[8, 9], "")).expect("a part");
    assert_eq!(note(&second, "trimmed cpu"), "1-1");
    assert_eq!(note(&second, "trimmed pid"), "8");
    assert_eq!(rows(&second, OffCpu::DESC.id), 1);
    let refused = |part: &Trace, options: &Trim, words: &str| {
        let error = trimmed(part, options).err().expect("refused").to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&first, &of("2-3", &[], ""), "--cpu");
    refused(&first, &of("", &[9], ""), "--pid");
    let named = trimmed(&whole, &of("", &[], "w*")).expect("a part");
    refused(&named, &of("", &[], "*r"), "--comm");
    trimmed(&named, &of("", &[], "w*")).expect("the same again");
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
