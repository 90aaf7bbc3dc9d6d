use ktape_schema::{CpuSample, OffCpu, SyscallCount, WireFork, WireStack};

use crate::info::{InfoOptions, info};
use crate::query::FilterArgs;
use crate::render::{Style, text};
use crate::reports::offcpu::OffCpu as Report;
use crate::reports::overview::Overview;
use crate::run::{Query, run};
use crate::script::{Script, script};
use crate::testing::{START, Tape};

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "a");
    let id = OffCpu::DESC.id;
    for (cpu, time, produced, lost) in
        [(0, 1, 100, 0), (0, 2, 200, 20), (0, 3, 300, 20), (1, 1, 10, 0), (1, 3, 30, 5)]
    {
        tape.loss(id, cpu, START + time * 1_000_000_000, produced, lost);
    }
    tape.loss(CpuSample::DESC.id, 0, START + 1_000_000_000, 7, 7);
    tape.off_cpu(OffCpu { end: START + 1_500_000_000, tid: 10, tgid: 10, ..OffCpu::default() });
    tape
}

fn check(filter: FilterArgs, expected: Option<&str>) {
    let query = Query { filter, threads: 1 };
    let answer = run(&Report::default(), &tape().trace(), &query).expect("an answer");
    let page = String::from_utf8(text(&answer, Style::Plain)).expect("UTF-8");
    let warning = page.lines().find(|line| line.starts_with("warning: LOST"));
    assert_eq!(warning, expected, "{page}");
}

#[test]
fn every_answer_says_what_its_window_lost() {
    let time = |text: &str| FilterArgs { time: Some(text.into()), ..FilterArgs::default() };
    check(
        FilterArgs::default(),
        Some(
            "warning: LOST 25 of 330 off_cpu facts (7.58 %) in this window: the kernel's buffers were full",
        ),
    );
    check(
        time("1.2s,1.3s"),
        Some(
            "warning: LOST 25 of 120 off_cpu facts (20.83 %) in this window: the kernel's buffers were full",
        ),
    );
    check(time("0s,1s"), None);
    let cpu = FilterArgs { cpu: vec!["1".into()], ..FilterArgs::default() };
    check(
        cpu,
        Some(
            "warning: LOST 5 of 30 off_cpu facts (16.67 %) in this window: the kernel's buffers were full",
        ),
    );
    let pid = FilterArgs { pid: vec![10], ..FilterArgs::default() };
    check(
        pid,
        Some(
            "warning: LOST 25 of 330 off_cpu facts (7.58 %) in this window: the kernel's buffers were full; \
             whose they were is not known, the filters cannot tell",
        ),
    );
}

#[test]
fn lost_messages_are_told_everywhere() {
    let mut tape = tape();
    tape.loss(WireStack::DESC.id, 0, START + 1, 3000, 10);
    tape.loss(WireFork::DESC.id, 0, START + 1, 400, 2);
    tape.loss(99, 0, START + 1, 5, 1);
    let trace = tape.trace();
    let note = "LOST 13 of 3405 definitions (stacks, starts of threads, others): some threads or \
                stacks may be unnamed or missing";
    // Before the window, too: the definitions are missing in it.
    let filter = FilterArgs { time: Some("1.2s,1.3s".into()), ..FilterArgs::default() };
    let query = Query { filter: filter.clone(), threads: 1 };
    let answer = run(&Report::default(), &trace, &query).expect("an answer");
    assert!(answer.notes.iter().any(|found| found.text == note), "{:?}", answer.notes);
    let notes = script(&trace, &filter, &Script::default(), &mut Vec::new()).expect("rows");
    assert!(notes.iter().any(|found| found.text == note), "{notes:?}");

    let page = String::from_utf8(text(&info(&trace, InfoOptions::default()), Style::Plain))
        .expect("UTF-8");
    for (record, numbers) in
        [("wire_stack", ["3000", "10"]), ("wire_fork", ["400", "2"]), ("record 99", ["5", "1"])]
    {
        let line = page.lines().find(|line| line.starts_with(record)).expect(record);
        assert!(line.contains("message"), "{line}");
        assert!(numbers.iter().all(|number| line.split_whitespace().any(|word| word == *number)));
    }
}

/// Of system calls it is calls that are counted, and no ring that loses them.
#[test]
fn calls_that_the_map_did_not_take() {
    let mut tape = tape();
    let row = SyscallCount { end: START + 9, count: 900, tgid: 10, ..Default::default() };
    tape.fact(SyscallCount::DESC, 0, &row.encode());
    tape.loss(SyscallCount::DESC.id, 0, START + 9, 1000, 100);
    let query = Query { threads: 1, ..Query::default() };
    let answer = run(&Overview::default(), &tape.trace(), &query).expect("an answer");
    let page = String::from_utf8(text(&answer, Style::Plain)).expect("UTF-8");
    let starting =
        |start| page.lines().find(|line: &&str| line.starts_with(start)).expect("a line");
    assert_eq!(
        starting("warning: LOST 100 "),
        "warning: LOST 100 of 1000 system calls (10.00 %) in this window: the kernel's map of calls was full",
    );
    let cells: Vec<&str> = starting("syscall_count").split_whitespace().collect();
    assert_eq!(cells, ["syscall_count", "900", "1000", "100"]);
    let cells: Vec<&str> = starting("off_cpu").split_whitespace().collect();
    assert_eq!(cells, ["off_cpu", "1", "330", "25"]);
}
