//! Which definitions a recording of some processes writes.

use crate::options::Output;
use crate::output::Sink;
use crate::recording::Recording;
use crate::reel::Reel;
use crate::tape::Tape;
use crate::tasks::Tasks;
use crate::writing::Writing;
use ktape_format::schema::{WireExec, WireFork, task_flag};
use ktape_format::{Batch, Decoder, Meta, Trace, Value};
use std::sync::mpsc::channel;

const SHELL: u32 = 4_194_001;
const SLEEP: u32 = 4_194_002;

/// The defined threads as (tid, command line, whether a bystander), in order.
#[track_caller]
fn check(does: impl FnOnce(&mut Tasks, &mut Tape), expected: &[(u32, &str, bool)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ktape");
    let sink = Sink::open(&Output::File(path.clone())).expect("a file");
    let reel = Reel::new(sink, path.clone(), Meta::default(), 3).expect("a trace");
    let recording = Recording::One { reel, sync: false };
    let writing = Writing::start(recording, channel().1, None).expect("a thread");
    let mut tape = Tape::new(writing, 1);
    let mut tasks = Tasks::new(true, None, false);
    does(&mut tasks, &mut tape);
    tape.flush().expect("written");
    tape.finish().expect("written");
    let trace = Trace::open(&path).expect("a trace");
    let mut rows = Vec::new();
    let mut strings = vec![String::new()];
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    let mut read = |record: &str, columns: &[&str], row: &mut dyn FnMut(&[Value<'_>])| {
        let id = trace.record(record).expect("a record").id;
        for (index, chunk) in trace.chunks().iter().enumerate() {
            if chunk.record == id {
                decoder.read(&trace, index, columns, &mut batch).expect("a readable chunk");
                let at = |name| batch.names().position(|own| own == name).expect("a column");
                let at: Vec<usize> = columns.iter().map(|name| at(*name)).collect();
                for number in 0..batch.rows() {
                    let values: Vec<_> = at.iter().map(|&at| batch.value(at, number)).collect();
                    row(&values);
                }
            }
        }
    };
    read("string", &["text"], &mut |row| {
        if let Value::Text(text) = row[0] {
            strings.push(String::from_utf8_lossy(text).into_owned());
        }
    });
    read("task_start", &["tid", "cmdline", "flags"], &mut |row| {
        if let [Value::U64(tid), Value::U64(cmdline), Value::U64(flags)] = *row {
            let bystander = flags & u64::from(task_flag::BYSTANDER) != 0;
            rows.push((tid as u32, strings[cmdline as usize].clone(), bystander));
        }
    });
    let expected: Vec<_> =
        expected.iter().map(|&(tid, command, flag)| (tid, command.to_owned(), flag)).collect();
    assert_eq!(rows, expected);
}

fn fork(tasks: &mut Tasks, tape: &mut Tape, tid: u32, parent: u32) {
    let fork = WireFork { time: 10, start: 10, tid, tgid: tid, parent, ..WireFork::default() };
    tasks.fork(&fork, tape);
}

fn exec(tasks: &mut Tasks, tape: &mut Tape, tgid: u32, args: &[u8]) {
    let args_len = args.len() as u32;
    let exec = WireExec { time: 20, tgid, old_tid: tgid, args_len, ..WireExec::default() };
    tasks.exec(&exec, args, tape);
}

fn family(tasks: &mut Tasks, tape: &mut Tape) {
    fork(tasks, tape, SHELL, 1);
    exec(tasks, tape, SHELL, b"sh\0");
    fork(tasks, tape, SLEEP, SHELL);
    exec(tasks, tape, SLEEP, b"sleep\x001\0");
}

#[test]
fn a_child_that_wakes_its_parent_has_its_command_line() {
    let does = |tasks: &mut Tasks, tape: &mut Tape| {
        family(tasks, tape);
        tasks.know(SHELL, SHELL, true, 30, tape);
        tasks.know(SLEEP, SLEEP, false, 30, tape);
        tasks.know(SLEEP, SLEEP, true, 30, tape);
    };
    check(does, &[(SHELL, "sh", false), (SLEEP, "sleep 1", false)]);
}

#[test]
fn who_only_woke_somebody_is_told_whole_once_facts_are_about_it() {
    let woke = |tasks: &mut Tasks, tape: &mut Tape| {
        family(tasks, tape);
        tasks.know(SLEEP, SLEEP, true, 30, tape);
        tasks.know(SHELL, SHELL, false, 30, tape);
        // A bystander may run another program.
        exec(tasks, tape, SHELL, b"bash\0-i\0");
    };
    check(woke, &[(SLEEP, "sleep 1", false), (SHELL, "", true)]);
    let whole = |tasks: &mut Tasks, tape: &mut Tape| {
        woke(tasks, tape);
        assert!(tasks.is_known(SHELL, false) && !tasks.is_known(SHELL, true));
        tasks.know(SHELL, SHELL, true, 40, tape);
        assert!(tasks.is_known(SHELL, true));
        tasks.know(SHELL, SHELL, true, 50, tape);
    };
    check(whole, &[(SLEEP, "sleep 1", false), (SHELL, "", true), (SHELL, "bash -i", false)]);
}
