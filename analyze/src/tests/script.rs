use ktape_schema::{CpuSample, OffCpu, SyscallCount, fact_flag, off_cpu_state as state};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::script::{Form, Script, script};
use crate::testing::{START, Tape, busy};

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "server");
    tape.thread(11, 10, "a\x1bb\"");
    let ustack = tape.user_stack(&["main", "work|inner", ""]);
    let kstack = tape.kernel_stack(&["entry", "schedule"]);
    tape.off_cpu(OffCpu {
        end: START + 3_000,
        duration: 1_500,
        runq: 100,
        tid: 10,
        tgid: 10,
        waker: 11,
        waker_tgid: 10,
        kstack,
        ustack,
        cpu: 1,
        prev_cpu: 0,
        syscall: 202,
        state: state::SLEEPING,
        flags: (fact_flag::OPEN | fact_flag::LATE_STACK) as u8,
    });
    let sample = CpuSample {
        time: START + 2_000_000_000,
        weight: 7,
        tid: 11,
        tgid: 10,
        event: 1,
        mode: 2,
        ..CpuSample::default()
    };
    tape.sample(sample);
    let count = SyscallCount {
        end: START + 2_500,
        duration: 9,
        count: 4,
        tgid: 10,
        nr: 9_999,
        ..SyscallCount::default()
    };
    tape.fact(SyscallCount::DESC, 0, &count.encode());
    tape
}

fn written(tape: &Tape, options: &Script, filter: FilterArgs) -> String {
    let mut out = Vec::new();
    script(&tape.trace(), &filter, options, &mut out).expect("a script");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn lines_stand_in_order_of_time() {
    let expected = concat!(
        "          server 10 [---] 0.000002500: syscall_count: duration=9ns count=4 errors=0 \
         total=0ns max=0ns nr=syscall_9999\n",
        "          server 10/10 [001] 0.000003000: off_cpu: duration=1500ns runq=100ns waker=11 \
         waker_comm=\"a\\x1bb\\x22\" waker_tgid=10 prev_cpu=0 syscall=futex state=sleeping \
         flags=open|late_stack\n",
        "         a\\x1bb\" 10/11 [000] 2.000000000: cpu_sample: weight=7 event=cpu_clock mode=kernel\n",
    );
    assert_eq!(written(&tape(), &Script::default(), FilterArgs::default()), expected);
}

#[test]
fn stacks_stand_below_innermost_first() {
    let options = Script { record: vec!["off_cpu".to_owned()], stacks: true, ..Script::default() };
    let text = written(&tape(), &options, FilterArgs::default());
    let stack: Vec<&str> = text.lines().skip(1).map(str::trim_start).collect();
    let expected = [
        "50 schedule+0x0 ([kernel])",
        "40 entry+0x0 ([kernel])",
        "30 [unknown] (/usr/bin/app)",
        "20 inner (inlined)",
        "20 work+0x0 (/usr/bin/app)",
        "10 main+0x0 (/usr/bin/app)",
        "",
    ];
    assert_eq!(stack, expected);
}

#[test]
fn json_has_every_field_and_what_ids_stand_for() {
    let options = Script { format: Form::Json, stacks: true, ..Script::default() };
    let text = written(&tape(), &options, FilterArgs { tid: vec![10], ..FilterArgs::default() });
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("valid JSON")).collect();
    assert_eq!(lines.len(), 1, "a filter by thread leaves no counts");
    let expected = json!({
        "record": "off_cpu", "comm": "server", "start": START + 1_500, "end": START + 3_000,
        "duration": 1_500, "runq": 100, "tid": 10, "tgid": 10, "waker": 11,
        "waker_comm": "a\u{1b}b\"", "waker_tgid": 10, "cpu": 1, "prev_cpu": 0, "syscall": 202,
        "syscall_name": "futex", "state": 1, "state_name": "sleeping", "flags": 5,
        "flags_names": ["open", "late_stack"], "kstack": 2, "ustack": 1
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&lines[0][key], value, "{key}");
    }
    let names: Vec<_> = lines[0]["ustack_frames"]
        .as_array()
        .expect("frames")
        .iter()
        .map(|frame| (frame["name"].as_str(), frame["kind"].as_str()))
        .collect();
    let expected =
        [("main", "user"), ("work", "user"), ("inner", "inlined"), ("[unknown]", "user")];
    assert_eq!(names, expected.map(|(name, kind)| (Some(name), Some(kind))));
}

#[test]
fn definitions_can_be_asked_for() {
    let options =
        Script { record: vec!["string".into(), "task_start".into()], ..Script::default() };
    let text = written(&tape(), &options, FilterArgs::default());
    assert!(text.contains("string: id=1 text=\"server\"\n"), "{text}");
    assert!(
        text.contains("-1.000000000: task_start: seen=0.000000000 uid=0 comm=\"server\"\n"),
        "{text}"
    );
}

#[test]
fn an_unknown_record_is_an_error_of_usage() {
    let options = Script { record: vec!["nope".to_owned()], ..Script::default() };
    let error = script(&tape().trace(), &FilterArgs::default(), &options, &mut Vec::new());
    assert!(error.is_err_and(|error| error.is_usage()));
}

/// Rows of one ring and time keep the order of the file, so the property holds where times differ.
#[test]
fn however_a_trace_is_cut_its_times_rise() {
    let times = |trace: &ktape_format::Trace| {
        let mut out = Vec::new();
        let options = Script { format: Form::Json, ..Script::default() };
        script(trace, &FilterArgs::default(), &options, &mut out).expect("a script");
        let text = String::from_utf8(out).expect("UTF-8");
        let mut rows: Vec<(u64, String)> = text
            .lines()
            .map(|line| {
                let row: Value = serde_json::from_str(line).expect("valid JSON");
                let time = row["end"].as_u64().or(row["time"].as_u64()).expect("a time");
                (time, line.to_owned())
            })
            .collect();
        assert!(rows.is_sorted_by_key(|row| row.0));
        rows.sort();
        rows
    };
    let tape = busy(3, 500);
    let whole = times(&tape.trace());
    assert_eq!(whole.len(), tape.fact_count());
    assert!(times(&tape.cut(1)) == whole && times(&tape.cut(2)) == whole);
}
