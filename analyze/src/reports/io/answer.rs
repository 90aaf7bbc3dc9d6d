//! The blocks of the answer about slow file I/O.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_schema::{file_kind, io_op};

use super::operations::Operations;
use super::slowest;
use super::{By, State};
use crate::answer::{Answer, Block, Cell, Facts, Histogram, Table, Unit};
use crate::context::{Context, ProcessKey, ThreadKey};
use crate::enum_name::enum_name;
use crate::folded_stacks::name_stacks;
use crate::run::BoundedKey;
use crate::task_cells;

pub(super) fn answer(by: By, cx: &Context<'_>, state: State) -> Answer {
    let all = state.all;
    let whole = all.times.total;
    let mut blocks = vec![Block::Heading("Slow file I/O".to_owned()), summary(cx, &all)];
    if all.count() > 0 {
        blocks.push(Block::Histogram(Histogram {
            key: "durations",
            title: String::new(),
            unit: Unit::Ns,
            buckets: all.times.histogram.log2(),
        }));
    }
    let keys = state.keys.into_sorted();
    match by {
        By::Call => blocks.extend(slowest::blocks(cx, state.open, state.over)),
        By::File => {
            let name = |key: (u64, u32)| {
                let path = file(cx, key.0 as u32, key.1 as u8);
                vec![Cell::Text(path), Cell::text(cx.device_name((key.0 >> 32) as u32))]
            };
            let columns = [("path", "file"), ("device", "device")];
            blocks.push(table("files", "By file", &columns, keys, name, whole));
        }
        By::Device => {
            let name = |key: (u64, u32)| {
                let device = cx.device_name((key.0 >> 32) as u32);
                vec![Cell::Text(device), Cell::text(cx.strings().get(key.0 as u32))]
            };
            let columns = [("device", "device"), ("fs", "type")];
            blocks.push(table("devices", "By device", &columns, keys, name, whole));
        }
        By::Operation => {
            let name = |key: (u64, u32)| {
                let op = Cell::name(io_op::NAMES, key.0 >> 32);
                vec![op, Cell::text(cx.syscalls().name(key.1))]
            };
            let columns = [("operation", "operation"), ("syscall", "call")];
            blocks.push(table("operations", "By operation", &columns, keys, name, whole));
        }
        By::Process => blocks.push(processes(cx, state.threads.into_sorted(), whole)),
        By::Stack => {
            let columns = [
                ("total_time_ns", "total"),
                ("count", "calls"),
                ("percentage", "of all"),
                ("avg_time_ns", "average"),
                ("max_time_ns", "max"),
            ];
            let mut stacks = name_stacks(cx, state.stacks, "stacks", &columns, |sum| {
                vec![
                    Cell::DurNs(sum.total),
                    Cell::Count(sum.count),
                    Cell::Percent { part: sum.total, whole },
                    Cell::DurNs(sum.total.checked_div(sum.count).unwrap_or(0)),
                    Cell::DurNs(sum.max),
                ]
            });
            stacks.title = "By stack".to_owned();
            blocks.push(Block::Stacks(stacks));
        }
    }
    Answer { blocks, ..Answer::default() }
}

fn summary(cx: &Context<'_>, all: &Operations) -> Block {
    let probe = cx.meta().probes.iter().find(|probe| probe.name == "io");
    let knob = |name: &str| {
        let knob = probe.and_then(|probe| probe.knobs.iter().find(|knob| knob.0 == name));
        Cell::maybe(knob, |knob| Cell::text(&knob.1))
    };
    Block::Facts(Facts {
        key: "summary",
        rows: vec![
            ("threshold", "recorded from", knob("min")),
            ("kinds", "  of", knob("kinds")),
            ("count", "calls", Cell::Count(all.count())),
            ("open", "  still open", Cell::Count(all.open)),
            ("errors", "  failed", Cell::Count(all.errors)),
            ("total_time_ns", "time in calls", Cell::DurNs(all.times.total)),
            ("read_bytes", "read", Cell::Bytes(all.read_bytes)),
            ("written_bytes", "written", Cell::Bytes(all.written_bytes)),
        ],
        ..Facts::default()
    })
}

/// Path of a file, or what it is when it has none.
pub(super) fn file(cx: &Context<'_>, path: u32, kind: u8) -> Vec<u8> {
    match cx.strings().get(path) {
        b"" => format!("[{}]", enum_name(file_kind::NAMES, kind)).into_bytes(),
        path => path.to_vec(),
    }
}

fn table(
    key: &'static str,
    title: &str,
    names: &[(&'static str, &'static str)],
    keys: Vec<((u64, u32), Operations)>,
    name: impl Fn((u64, u32)) -> Vec<Cell>,
    whole: u64,
) -> Block {
    // Ids differ that stand for the same text: add up what reads the same.
    let mut sums: BTreeMap<Vec<String>, (Vec<Cell>, Operations)> = BTreeMap::new();
    for (key, operations) in keys {
        let cells = match key {
            <(u64, u32)>::OTHERS => {
                names.iter().enumerate().map(|(at, _)| if at == 0 { Cell::others() } else { Cell::None }).collect()
            }
            key => name(key),
        };
        let text = cells.iter().map(Cell::plain).collect();
        sums.entry(text).or_insert_with(|| (cells, Operations::default())).1.merge(&operations);
    }
    let mut rows: Vec<_> = sums.into_iter().collect();
    rows.sort_by(|a, b| {
        (Reverse(a.1.1.times.total), &a.0).cmp(&(Reverse(b.1.1.times.total), &b.0))
    });
    let mut table = Table::main(key, &[names, &Operations::COLUMNS].concat());
    table.title = title.to_owned();
    table.rows = rows
        .into_iter()
        .map(|(_, (mut cells, operations))| {
            cells.extend(operations.cells(whole));
            cells
        })
        .collect();
    Block::Table(table)
}

fn processes(cx: &Context<'_>, threads: Vec<(u64, Operations)>, whole: u64) -> Block {
    let tasks = cx.tasks();
    let mut sums: BTreeMap<ProcessKey, Operations> = BTreeMap::new();
    for (key, operations) in threads.iter().filter(|(_, operations)| operations.count() > 0) {
        sums.entry(tasks.process_of(ThreadKey(*key))).or_default().merge(operations);
    }
    let mut rows: Vec<(ProcessKey, Operations)> = sums.into_iter().collect();
    rows.sort_by_key(|(key, sum)| (Reverse(sum.times.total), tasks.pid(*key), *key));
    let columns = [&task_cells::PROCESS[..], &Operations::COLUMNS].concat();
    let mut table = Table::main("processes", &columns);
    table.title = "By process".to_owned();
    table.rows = rows
        .into_iter()
        .map(|(key, operations)| {
            let mut row = task_cells::process(cx, key);
            row.extend(operations.cells(whole));
            row
        })
        .collect();
    Block::Table(table)
}
