use ktape_schema::{OffCpu, TaskStart, fact_flag, off_cpu_state as state, task_flag};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::stalls::Stalls;
use crate::testing::{START, Tape, answer};

const MS: u64 = 1_000_000;

fn wait(end: u64, duration: u64, tid: u32, state: u8, flags: u16) -> OffCpu {
    OffCpu {
        end: START + end * MS,
        duration: duration * MS,
        tid,
        tgid: tid,
        state,
        syscall: 0,
        flags: flags as u8,
        ..OffCpu::default()
    }
}

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "server");
    tape.thread(20, 20, "client");
    let comm = tape.string("kworker/0:1");
    let kthread = TaskStart {
        time: 1,
        seen: START,
        tid: 30,
        tgid: 30,
        comm,
        flags: task_flag::KTHREAD,
        ..TaskStart::default()
    };
    tape.define(TaskStart::DESC, &kthread.encode());
    let ustack = tape.user_stack(&["main", "work"]);
    let kstack = tape.kernel_stack(&["entry", "io_schedule"]);
    tape.off_cpu(wait(900, 249, 10, state::SLEEPING, 0));
    tape.off_cpu(OffCpu {
        waker: 20,
        waker_tgid: 20,
        runq: 2 * MS,
        ustack,
        kstack,
        ..wait(1000, 250, 10, state::IO_WAIT, 0)
    });
    tape.off_cpu(wait(2000, 700, 20, state::SLEEPING, fact_flag::BEGAN_BEFORE));
    tape.off_cpu(wait(3000, 260, 20, state::UNINTERRUPTIBLE, fact_flag::OPEN));
    tape.off_cpu(wait(3000, 900, 30, state::IDLE, fact_flag::OPEN));
    tape.off_cpu(wait(2900, 800, 30, state::SLEEPING, 0));
    tape.off_cpu(wait(2900, 300, 30, state::UNINTERRUPTIBLE, 0));
    tape
}

/// (tid, duration in ms, open) of all stalls, in order.
fn check(report: &Stalls, filter: FilterArgs, idle: u64, expected: &[(u64, u64, bool)]) -> Value {
    let found = answer(report, &tape(), filter);
    let rows = found["stalls"].as_array().expect("rows").iter();
    let rows: Vec<_> = rows
        .map(|row| {
            let duration = row["duration_ns"].as_u64().expect("a number") / MS;
            (row["tid"].as_u64().expect("a number"), duration, row["open"] == json!(true))
        })
        .collect();
    assert_eq!(rows, expected, "{found:#}");
    assert_eq!(found["count"], json!(expected.len()));
    assert_eq!(found["idle_count"], json!(idle));
    found
}

#[test]
fn open_ones_stand_first_then_the_longest() {
    let stalls = [(20, 260, true), (20, 700, false), (30, 300, false), (10, 250, false)];
    let found = check(&Stalls::default(), FilterArgs::default(), 2, &stalls);
    let row = &found["stalls"][3];
    let expected = json!({
        "duration_ns": 250 * MS, "open": false, "began_before": false, "start_ns": 750 * MS,
        "end_ns": 1000 * MS, "tid": 10, "pid": 10, "comm": "server", "process": "server",
        "state": "io_wait", "class": "io", "syscall": "read", "runq_ns": 2 * MS,
        "waker_comm": "client", "waker_tid": 20, "waker_pid": 20, "waker_process": "client",
        "cpu": 0, "prev_cpu": 0, "late_stack": false, "by_interrupt": false,
        "stack": "server;main;work;entry_[k];io_schedule_[k]"
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&row[key], value, "{key}");
    }
    assert_eq!(found["stalls"][1]["began_before"], json!(true));
    assert_eq!(found["stalls"][1]["waker_comm"], json!("interrupt"));
    assert_eq!(found["stalls"][0]["waker_comm"], Value::Null);
    assert_eq!(found["by_class"], json!({"io": 4}));
}

#[test]
fn flags_choose_others() {
    let shorter = FilterArgs { min_duration: Some("249ms".into()), ..FilterArgs::default() };
    let stalls =
        [(20, 260, true), (20, 700, false), (30, 300, false), (10, 250, false), (10, 249, false)];
    check(&Stalls::default(), shorter, 2, &stalls);
    let longer = FilterArgs { min_duration: Some("0.7s".into()), ..FilterArgs::default() };
    check(&Stalls::default(), longer, 2, &[(20, 700, false)]);
    let all = Stalls { all: true, ..Stalls::default() };
    let stalls = [
        (30, 900, true),
        (20, 260, true),
        (30, 800, false),
        (20, 700, false),
        (30, 300, false),
        (10, 250, false),
    ];
    check(&all, FilterArgs::default(), 0, &stalls);
    let disk = Stalls { state: vec!["io_wait".into()], ..Stalls::default() };
    check(&disk, FilterArgs::default(), 0, &[(10, 250, false)]);
}
