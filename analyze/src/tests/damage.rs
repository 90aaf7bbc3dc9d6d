use ktape_format::Trace;
use serde_json::Value;

use crate::query::FilterArgs;
use crate::render::json;
use crate::reports::REPORTS;
use crate::run::{Entry, Query, run};
use crate::script::{Script, script};
use crate::testing::{Random, busy};

fn report(entry: &Entry, trace: &Trace) -> Vec<u8> {
    let matches = entry.augment(clap::Command::new("report")).get_matches_from(["report"]);
    let answer = entry.run(&matches, trace, &Query { threads: 1, ..Query::default() });
    json(&answer.expect("an answer"))
}

fn kinds(trace: &Trace) -> Vec<String> {
    let answer = run(&crate::reports::offcpu::OffCpu::default(), trace, &Query::default());
    let found: Value = serde_json::from_slice(&json(&answer.expect("an answer"))).expect("JSON");
    let notes = found["notes"].as_array().expect("notes").iter();
    notes.filter_map(|note| note["kind"].as_str().map(str::to_owned)).collect()
}

#[test]
fn an_unfinished_trace_says_so() {
    let bytes = busy(1, 200).bytes(None);
    assert!(
        !kinds(&Trace::from_stream(&bytes[..]).expect("a trace")).contains(&"unfinished".into())
    );
    let cut = |len: usize| Trace::from_stream(&bytes[..len]).expect("a trace");
    let whole = cut(bytes.len());
    let last = whole.chunks().last().expect("a chunk");
    let end = (last.offset + u64::from(last.len)) as usize;
    assert!(kinds(&cut(end)).contains(&"unfinished".to_owned()), "{:?}", kinds(&cut(end)));
    // All was written but a part of the index, which a scan makes up for.
    assert!(!kinds(&cut(bytes.len() - 20)).contains(&"unfinished".to_owned()));
}

/// A trace with bytes changed in its chunk of waits.
fn damaged() -> Vec<u8> {
    let bytes = busy(2, 200).bytes(None);
    let trace = Trace::from_stream(&bytes[..]).expect("a trace");
    let off_cpu = ktape_schema::OffCpu::DESC.id;
    let chunk = trace.chunks().iter().find(|chunk| chunk.record == off_cpu).expect("a chunk");
    let mut bad = bytes.clone();
    let middle = chunk.offset as usize + chunk.len as usize * 3 / 4;
    bad[middle..middle + 16].iter_mut().for_each(|byte| *byte ^= 0x55);
    bad
}

#[test]
fn a_damaged_chunk_is_named_and_the_rest_is_answered() {
    let trace = Trace::from_stream(&damaged()[..]).expect("a trace");
    assert!(kinds(&trace).contains(&"damage".to_owned()), "{:?}", kinds(&trace));
}

#[test]
fn warnings_do_not_depend_on_where_the_trace_lies() {
    let bytes = damaged();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ktape");
    std::fs::write(&path, &bytes).expect("a file");
    let notes = |trace: Trace| {
        script(&trace, &FilterArgs::default(), &Script::default(), &mut Vec::new()).expect("rows")
    };
    let piped = notes(Trace::from_stream(&bytes[..]).expect("a trace"));
    assert!(!piped.is_empty());
    assert_eq!(notes(Trace::open(&path).expect("a trace")), piped);
}

#[test]
fn mutated_traces_never_panic() {
    let bytes = busy(3, 60).bytes(Some(4));
    let mut random = Random::new(11);
    for _ in 0..300 {
        let mut bad = bytes.clone();
        for _ in 0..=random.below(8) {
            let at = random.below(bad.len() as u64) as usize;
            bad[at] = random.below(256) as u8;
        }
        let Ok(trace) = Trace::from_stream(&bad[..]) else { continue };
        for entry in REPORTS {
            report(entry, &trace);
        }
        crate::info::info(&trace, crate::info::InfoOptions::default());
        crate::dangling::dangling(&trace);
    }
}

#[test]
fn definitions_that_make_no_sense_are_harmless() {
    use ktape_schema::{OffCpu, Stack, StackNode, TaskExec, TaskExit, TaskStart};
    let mut tape = busy(4, 50);
    let mut random = Random::new(5);
    for _ in 0..300 {
        let mut id = || [0, 1, 2, 3, 100, 105, u32::MAX][random.below(7) as usize];
        let start =
            TaskStart { tid: id(), tgid: id(), parent: id(), comm: id(), ..Default::default() };
        tape.define(TaskStart::DESC, &start.encode());
        let exec = TaskExec { tgid: id(), comm: id(), cmdline: id(), ..Default::default() };
        tape.define(TaskExec::DESC, &exec.encode());
        let exit = TaskExit { time: id().into(), tid: id(), tgid: id(), ..Default::default() };
        tape.define(TaskExit::DESC, &exit.encode());
        tape.define(
            StackNode::DESC,
            &StackNode { id: id(), parent: id(), frame: id(), flags: 0 }.encode(),
        );
        tape.define(
            Stack::DESC,
            &Stack { id: id(), node: id(), side: 9, ..Default::default() }.encode(),
        );
        let (tid, tgid, kstack, ustack) = (id(), id(), id(), id());
        let (duration, runq) = (u64::MAX, u64::MAX);
        let end = u64::MAX;
        tape.off_cpu(OffCpu {
            end,
            duration,
            runq,
            tid,
            tgid,
            kstack,
            ustack,
            ..Default::default()
        });
    }
    let trace = tape.trace();
    for entry in REPORTS {
        report(entry, &trace);
    }
    crate::info::info(&trace, crate::info::InfoOptions::default());
    let found = crate::dangling::dangling(&trace);
    assert!(found.iter().any(|dangling| dangling.column == "frame"), "{found:?}");
}
