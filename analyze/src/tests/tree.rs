use ktape_schema::{OffCpu, TaskExec, TaskExit, TaskRun, TaskStart, task_flag};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::tree::Tree;
use crate::testing::{START, Tape, answer};

fn start(tape: &mut Tape, time: u64, pid: u32, parent: u32, comm: &str, flags: u32) {
    let comm = tape.string(comm);
    let row = TaskStart {
        time,
        seen: time.max(START),
        tid: pid,
        tgid: pid,
        parent,
        comm,
        flags,
        ..TaskStart::default()
    };
    tape.define(TaskStart::DESC, &row.encode());
}

fn exit(tape: &mut Tape, time: u64, begun: u64, pid: u32, run: u64, code: u32) {
    let row = TaskExit {
        time: START + time,
        start: START + begun,
        run,
        tid: pid,
        tgid: pid,
        code,
        live: 0,
    };
    tape.define(TaskExit::DESC, &row.encode());
}

/// init, a shell, two children one after the other with the same pid, and a kernel thread.
fn tape() -> Tape {
    let mut tape = Tape::new();
    start(&mut tape, START - 5_000, 1, 0, "init", 0);
    start(&mut tape, START - 4_000, 2, 0, "kthreadd", task_flag::KTHREAD);
    start(&mut tape, START - 3_000, 10, 1, "sh", 0);
    start(&mut tape, START + 100, 20, 10, "sh", 0);
    start(&mut tape, START + 500, 20, 10, "second", 0);
    let (comm, cmdline) = (tape.string("cc"), tape.string("cc -c a.c"));
    let exec =
        TaskExec { time: START + 110, tgid: 20, comm, cmdline, uid: 7, ..TaskExec::default() };
    tape.define(TaskExec::DESC, &exec.encode());
    exit(&mut tape, 300, 100, 20, 150, 0x0100);
    exit(&mut tape, 900, 500, 20, 90, 9);
    for (time, tid, run) in
        [(0, 1, 1_000), (1_000, 1, 1_000), (0, 10, 700), (1_000, 10, 720), (1_000, 2, 50)]
    {
        let row = TaskRun { time: START + time, run, tid, tgid: tid, ..TaskRun::default() };
        tape.define(TaskRun::DESC, &row.encode());
    }
    for (end, duration, runq, tid) in
        [(250, 40, 4, 20), (700, 60, 6, 20), (950, 5, 1, 10), (990, 7, 0, 10)]
    {
        let end = START + end;
        tape.off_cpu(OffCpu { end, duration, runq, tid, tgid: tid, ..OffCpu::default() });
    }
    tape
}

fn check(report: &Tree, filter: FilterArgs, expected: &[Value]) -> Value {
    let found = answer(report, &tape(), filter);
    let keys = ["tree", "pid", "depth", "cpu_ns", "off_cpu_ns", "runq_ns", "result"];
    let rows: Vec<Value> = found["processes"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| json!(keys.iter().map(|key| &row[key]).collect::<Vec<_>>()))
        .collect();
    assert_eq!(rows, expected, "{found:#}");
    found
}

#[test]
fn parents_children_times_and_results() {
    let rows = [
        json!(["init", 1, 0, 0, 0, 0, null]),
        json!(["  sh", 10, 1, 20, 12, 1, null]),
        json!(["    cc", 20, 2, 150, 40, 4, "exit 1"]),
        json!(["    second", 20, 2, 90, 60, 6, "SIGKILL"]),
    ];
    let found = check(&Tree::default(), FilterArgs::default(), &rows);
    let expected = json!({
        "parent_pid": 10, "parent_start_ns": -3_000, "start_ns": 100, "from": "0.000000 s",
        "end_ns": 300, "lifetime_ns": 200, "threads": 1, "waits": 1, "exit_code": 1,
        "exit_signal": null, "uid": 7, "command_line": "cc -c a.c"
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&found["processes"][2][key], value, "{key}");
    }
    let second = &found["processes"][3];
    assert_eq!((&second["exit_code"], &second["exit_signal"]), (&Value::Null, &json!(9)));
    let init = &found["processes"][0];
    assert_eq!((&init["from"], &init["to"]), (&json!("before"), &json!("after")));
    assert_eq!(found["process_count"], json!(4));
    assert_eq!((&found["born_count"], &found["ended_count"]), (&json!(2), &json!(2)));
    assert_eq!(found["cpu_ns"], json!(260));
}

#[test]
fn filters_leave_a_forest() {
    let rows = [
        json!(["cc", 20, 0, 150, 40, 4, "exit 1"]),
        json!(["second", 20, 0, 90, 60, 6, "SIGKILL"]),
    ];
    check(&Tree::default(), FilterArgs { pid: vec![20], ..FilterArgs::default() }, &rows);
    // The first one was gone by then; CPU time is that of the recording all the same.
    let late = FilterArgs { time: Some("400ns,800ns".into()), ..FilterArgs::default() };
    let rows = [
        json!(["init", 1, 0, 0, 0, 0, null]),
        json!(["  sh", 10, 1, 20, 0, 0, null]),
        json!(["    second", 20, 2, 90, 60, 6, "SIGKILL"]),
    ];
    check(&Tree::default(), late, &rows);
}

#[test]
fn kernel_threads_show_when_asked_for() {
    let found = answer(&Tree { all: true }, &tape(), FilterArgs::default());
    let rows = found["processes"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["pid"] == json!(2)).expect("a row");
    // It was read once only: no difference to give.
    assert_eq!((&row["tree"], &row["cpu_ns"]), (&json!("kthreadd"), &Value::Null));
}

#[test]
fn the_launched_command_begins_with_its_exec() {
    let mut tape = Tape::new();
    start(&mut tape, START - 900, 10, 1, "ktape", task_flag::COMMAND);
    let comm = tape.string("make");
    let exec = TaskExec { time: START + 70, tgid: 10, comm, ..TaskExec::default() };
    tape.define(TaskExec::DESC, &exec.encode());
    tape.off_cpu(OffCpu { end: START + 100, tid: 10, tgid: 10, ..OffCpu::default() });
    start(&mut tape, START + 80, 11, 10, "cc", 0);
    let found = answer(&Tree::default(), &tape, FilterArgs::default());
    assert_eq!(found["processes"][1]["parent_start_ns"], json!(70), "{found:#}");
    let row = &found["processes"][0];
    assert_eq!((&row["start_ns"], &row["lifetime_ns"]), (&json!(70), &json!(30)), "{found:#}");
}
