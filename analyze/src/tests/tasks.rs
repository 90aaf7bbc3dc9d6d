use ktape_schema::{TaskComm, TaskExec, TaskExit, TaskRun, TaskStart};

use crate::context::{Context, Needs, ThreadKey};
use crate::cpu_time;
use crate::testing::{START, Tape};

#[test]
fn a_number_that_is_used_again_is_another_thread() {
    let mut tape = Tape::new();
    tape.thread_from(START + 10, 10, 10, "first");
    tape.thread_from(START + 100, 10, 10, "second");
    tape.thread_from(START + 100, 11, 10, "worker");
    let exit = TaskExit {
        time: START + 50,
        start: START + 10,
        run: 7,
        tid: 10,
        tgid: 10,
        code: 256,
        live: 0,
    };
    tape.define(TaskExit::DESC, &exit.encode());
    let trace = tape.trace();
    let cx = Context::load(&trace, Needs::TASKS);
    let comm = |tid, time| cx.thread_comm(cx.tasks().thread_key(tid, 10, START + time)).to_vec();
    assert!(cx.tasks().reused());
    assert_eq!(comm(10, 0), b"first");
    assert_eq!(comm(10, 99), b"first");
    assert_eq!(comm(10, 100), b"second");
    assert_eq!(comm(11, 500), b"worker");
    assert_eq!(comm(12, 500), b"[unknown]");
    let processes = cx.tasks().processes();
    assert_eq!(processes.len(), 2);
    assert_eq!((processes[0].end, processes[0].exit_code), (Some(START + 50), Some(256)));
    assert_eq!((processes[1].end, processes[1].threads.len()), (None, 2));
}

#[test]
fn names_follow_exec_and_comm() {
    let mut tape = Tape::new();
    tape.thread_from(START, 10, 10, "sh");
    let (comm, cmdline) = (tape.string("gcc"), tape.string("gcc -c a.c"));
    let exec = TaskExec { time: START + 10, tgid: 10, comm, cmdline, ..Default::default() };
    tape.define(TaskExec::DESC, &exec.encode());
    let comm = tape.string("cc1");
    let rename = TaskComm { time: START + 20, tid: 10, tgid: 10, comm, flags: 0 };
    tape.define(TaskComm::DESC, &rename.encode());
    let trace = tape.trace();
    let cx = Context::load(&trace, Needs::TASKS);
    let at = |time| cx.thread_comm_at(ThreadKey(0), START + time).to_vec();
    assert_eq!([at(0), at(9), at(10), at(19), at(20)], [&b"sh"[..], b"sh", b"gcc", b"gcc", b"cc1"]);
    let process = &cx.tasks().processes()[0];
    assert_eq!(cx.strings().get(process.comm), b"cc1");
    assert_eq!(cx.strings().get(process.cmdline), b"gcc -c a.c");
}

#[test]
fn parents_are_found_by_number_and_time() {
    let mut tape = Tape::new();
    let start = |time, pid, parent| {
        TaskStart { time: START + time, tid: pid, tgid: pid, parent, ..Default::default() }.encode()
    };
    for row in [start(0, 1, 0), start(5, 2, 1), start(50, 2, 1), start(60, 3, 2), start(7, 4, 2)] {
        tape.define(TaskStart::DESC, &row);
    }
    // Two that claim to be each other's parent.
    tape.define(TaskStart::DESC, &start(9, 8, 9));
    tape.define(TaskStart::DESC, &start(9, 9, 8));
    let trace = tape.trace();
    let cx = Context::load(&trace, Needs::TASKS);
    let processes = cx.tasks().processes();
    let parent = |pid, time: u64| {
        let index = cx.tasks().process_at(pid, START + time).expect("a process");
        let parent = processes[index as usize].parent?;
        Some((processes[parent as usize].pid, processes[parent as usize].start - START))
    };
    assert_eq!(parent(3, 60), Some((2, 50)));
    assert_eq!(parent(4, 7), Some((2, 5)));
    assert_eq!(parent(2, 50), Some((1, 0)));
    assert_eq!(parent(1, 0), None);
    assert!(parent(8, 9).is_none() || parent(9, 9).is_none());
}

#[test]
fn cpu_time_is_that_of_the_recording() {
    let mut tape = Tape::new();
    tape.thread(10, 10, "old");
    tape.thread_from(START + 10, 11, 11, "new");
    // Read once only: what it took before the recording is not known.
    tape.thread(12, 12, "stranger");
    for (time, tid, run) in [(0, 10, 1000), (100, 10, 1500), (100, 11, 30), (100, 12, 9000)] {
        let row = TaskRun { time: START + time, run, tid, tgid: tid, ..Default::default() };
        tape.define(TaskRun::DESC, &row.encode());
    }
    let trace = tape.trace();
    let cx = Context::load(&trace, Needs::TASKS);
    let run = |index: usize| cpu_time::of_thread(&cx, &cx.tasks().threads()[index]);
    assert_eq!((run(0), run(1), run(2)), (Some(500), Some(30), None));
}

#[test]
fn whatever_names_a_task_makes_one() {
    let mut tape = Tape::new();
    let exit =
        TaskExit { time: START + 50, start: START + 10, tid: 31, tgid: 30, ..Default::default() };
    tape.define(TaskExit::DESC, &exit.encode());
    let trace = tape.trace();
    let cx = Context::load(&trace, Needs::TASKS);
    let tids: Vec<u32> = cx.tasks().threads().iter().map(|thread| thread.tid).collect();
    assert_eq!(tids, [30, 31]);
    assert_eq!(cx.tasks().processes().len(), 1);
    assert_eq!(cx.tasks().processes()[0].threads.len(), 2);
}
