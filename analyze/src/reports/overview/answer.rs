//! The blocks of the overview.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_schema::{Class, SyscallCount, fact_flag};

use super::{MOST, STACKS, State, Sums, TOP, Wait};
use crate::answer::{Answer, Block, Cell, Facts, FrameKind, Table};
use crate::capture_facts;
use crate::context::{Context, ProcessKey, ThreadKey};
use crate::cpu_time;
use crate::folded_stacks::name_stacks;
use crate::query::Filter;
use crate::reports::cpu::top_functions;
use crate::run::{Fold, Longest, LogHistogram, StackSums};
use crate::task_cells;
use crate::wait_class::state_name;

pub(super) fn answer(cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
    let idle = state.idle;
    let mut blocks = vec![Block::Heading("Capture".to_owned())];
    blocks.push(Block::Facts(capture_facts::host(cx)));
    blocks.push(Block::Table(records(cx)));
    let skipped = capture_facts::probes(cx);
    blocks.push(Block::Table(skipped));
    let mut processes: BTreeMap<ProcessKey, Sums> = BTreeMap::new();
    for (key, sums) in state.threads.into_sorted() {
        if sums.waits > 0 || sums.samples > 0 {
            processes.entry(cx.tasks().process_of(ThreadKey(key))).or_default().fold(sums);
        }
    }
    blocks.push(Block::Table(cpu(cx, filter, &processes)));
    if processes.values().any(|sums| sums.samples > 0) {
        blocks.push(Block::Table(top_functions(cx, state.samples, TOP)));
    }
    blocks.push(Block::Table(off_cpu(cx, &processes)));
    blocks.extend(stacks(cx, state.stacks));
    blocks.push(Block::Table(longest(cx, state.longest)));
    if state.runq.count() > 0 {
        blocks.push(Block::Heading("Run-queue latency".to_owned()));
        blocks.push(Block::Facts(runq(&state.runq)));
    }
    let mut calls = state.calls.into_sorted();
    calls.sort_by_key(|(nr, calls)| (Reverse(calls.count), *nr));
    if !calls.is_empty() {
        let columns =
            [("syscall", "call"), ("count", "calls"), ("errors", "errors"), ("total_ns", "time")];
        let mut table = Table::top("top_syscalls", &columns, TOP);
        table.title = "Most frequent system calls".to_owned();
        table.rows = calls
            .iter()
            .map(|(nr, calls)| {
                vec![
                    Cell::text(cx.syscalls().name(*nr)),
                    Cell::Count(calls.count),
                    Cell::Count(calls.errors),
                    Cell::DurNs(calls.total),
                ]
            })
            .collect();
        blocks.push(Block::Table(table));
    }
    blocks.extend(state.parts.finish(cx, filter));
    Answer { blocks, notes: idle.note().into_iter().collect(), ..Answer::default() }
}

fn records(cx: &Context<'_>) -> Table {
    let columns = [
        ("record", "facts"),
        ("rows", ""),
        ("recorded", "recorded"),
        ("produced", "produced"),
        ("lost", "lost"),
    ];
    let mut table = Table::plain("records", &columns);
    table.rows = capture_facts::records(cx)
        .into_iter()
        .filter(|record| record.class == Class::Fact)
        .map(|record| {
            // A row stands for many calls, and it is calls that are counted.
            let recorded = match record.loss {
                Some(loss) if record.name == SyscallCount::DESC.name => {
                    loss.produced.saturating_sub(loss.lost)
                }
                _ => record.rows,
            };
            vec![
                Cell::text(record.name),
                Cell::Count(record.rows),
                Cell::Count(recorded),
                Cell::maybe(record.loss, |loss| Cell::Count(loss.produced)),
                Cell::maybe(record.loss, |loss| Cell::Count(loss.lost)),
            ]
        })
        .collect();
    table
}

/// By samples; without any, by what the scheduler counted over the whole recording, if all of it is
/// asked for.
fn cpu(cx: &Context<'_>, filter: &Filter, processes: &BTreeMap<ProcessKey, Sums>) -> Table {
    let sampled: u64 = processes.values().map(|sums| sums.samples).sum();
    let mut columns = task_cells::PROCESS.to_vec();
    let mut rows: Vec<(ProcessKey, u64)> = if sampled > 0 {
        columns.extend([("samples", "samples"), ("percentage", "share")]);
        processes.iter().map(|(key, sums)| (*key, sums.samples)).collect()
    } else {
        columns.extend([("cpu_time_ns", "CPU time"), ("percentage", "share")]);
        scheduled(cx, filter)
    };
    rows.retain(|row| row.1 > 0);
    rows.sort_by_key(|(key, value)| (Reverse(*value), cx.tasks().pid(*key), *key));
    let whole = rows.iter().map(|row| row.1).fold(0, u64::saturating_add);
    let mut table = Table::top("top_cpu", &columns, TOP);
    table.title = "Most CPU".to_owned();
    table.rows = rows
        .into_iter()
        .map(|(key, value)| {
            let mut row = task_cells::process(cx, key);
            row.push(if sampled > 0 { Cell::Count(value) } else { Cell::DurNs(value) });
            row.push(Cell::Percent { part: value, whole });
            row
        })
        .collect();
    table
}

/// CPU time of processes within the recording, of those threads of which it is known. Left out is who
/// only woke somebody that was recorded.
fn scheduled(cx: &Context<'_>, filter: &Filter) -> Vec<(ProcessKey, u64)> {
    if !filter.is_all_time() || !filter.cpus.is_empty() || filter.min_duration > 0 {
        return Vec::new();
    }
    let mut sums: BTreeMap<ProcessKey, u64> = BTreeMap::new();
    for (index, thread) in (0u64..).zip(cx.tasks().threads()) {
        let key = ProcessKey::index(thread.process);
        let process = &cx.tasks().processes()[thread.process as usize];
        let passes = !process.is_bystander()
            && filter.passes_pid(thread.tgid)
            && filter.passes_tid(thread.tid)
            && filter.passes_name(cx, ThreadKey(index), u64::MAX);
        let run = cpu_time::of_thread(cx, thread).filter(|_| passes).unwrap_or(0);
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(run);
    }
    sums.into_iter().collect()
}

fn off_cpu(cx: &Context<'_>, processes: &BTreeMap<ProcessKey, Sums>) -> Table {
    let mut rows: Vec<_> = processes.iter().filter(|(_, sums)| sums.waits > 0).collect();
    rows.sort_by_key(|(key, sums)| (Reverse(sums.off_cpu), cx.tasks().pid(**key), **key));
    let whole = rows.iter().map(|(_, sums)| sums.off_cpu).fold(0, u64::saturating_add);
    let mut columns = task_cells::PROCESS.to_vec();
    columns.extend([
        ("count", "waits"),
        ("total_time_ns", "off-CPU"),
        ("percentage", "share"),
        ("max_time_ns", "longest"),
        ("runq_ns", "runq"),
    ]);
    let mut table = Table::top("top_off_cpu", &columns, TOP);
    table.title = "Most off-CPU time".to_owned();
    table.rows = rows
        .into_iter()
        .map(|(key, sums)| {
            let mut row = task_cells::process(cx, *key);
            row.extend([
                Cell::Count(sums.waits),
                Cell::DurNs(sums.off_cpu),
                Cell::Percent { part: sums.off_cpu, whole },
                Cell::DurNs(sums.longest),
                Cell::DurNs(sums.runq),
            ]);
            row
        })
        .collect();
    table
}

fn longest(cx: &Context<'_>, waits: Longest<Wait, MOST>) -> Table {
    let columns = [
        ("end_ns", "ended at"),
        ("duration_ns", "waited"),
        ("tid", "tid"),
        ("pid", "pid"),
        ("comm", "thread"),
        ("state", "state"),
        ("syscall", "in"),
        ("open", "open"),
    ];
    let mut table = Table::top("longest_waits", &columns, TOP);
    table.title = "Longest waits".to_owned();
    let added = waits.added();
    let waits = waits.into_sorted();
    table.not_kept = added - waits.len() as u64;
    table.rows = waits
        .into_iter()
        .map(|wait| {
            let key = ThreadKey(wait.thread);
            vec![
                Cell::Time(cx.offset(wait.end)),
                Cell::DurNs(wait.duration),
                Cell::Tid(cx.tasks().tid(key)),
                Cell::Pid(cx.tasks().tgid(key)),
                Cell::text(cx.thread_comm_at(key, wait.end)),
                Cell::text(state_name(wait.state)),
                Cell::text(cx.syscalls().name(wait.syscall.into())),
                Cell::Bool(u16::from(wait.flags) & fact_flag::OPEN != 0),
            ]
        })
        .collect();
    table
}

/// Where most of the off-CPU time was waited.
fn stacks(cx: &Context<'_>, sums: StackSums) -> Option<Block> {
    let columns = [("total_time_ns", "total"), ("count", "waits"), ("max_time_ns", "longest")];
    let mut stacks = name_stacks(cx, sums, "top_off_cpu_stacks", &columns, |sum| {
        vec![Cell::DurNs(sum.total), Cell::Count(sum.count), Cell::DurNs(sum.max)]
    });
    // A row without any frame but the thread's name tells nothing here.
    stacks.rows.retain(|row| row.frames.iter().any(|frame| frame.0 == FrameKind::Kernel));
    stacks.main = false;
    stacks.top = Some(STACKS);
    stacks.title = "Most off-CPU time, by stack (report offcpu --by stack has all)".to_owned();
    (!stacks.rows.is_empty()).then_some(Block::Stacks(stacks))
}

fn runq(delays: &LogHistogram) -> Facts {
    let percentile = |per_mille| Cell::DurNs(delays.percentile(per_mille));
    Facts {
        key: "runq",
        rows: vec![
            ("count", "count", Cell::Count(delays.count())),
            ("p50_ns", "p50", percentile(500)),
            ("p90_ns", "p90", percentile(900)),
            ("p99_ns", "p99", percentile(990)),
            ("max_ns", "max", Cell::DurNs(delays.max())),
        ],
        ..Facts::default()
    }
}
