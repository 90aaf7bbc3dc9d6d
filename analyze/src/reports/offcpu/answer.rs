//! The blocks of the off-CPU answer.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::waits::Waits;
use super::{By, State, denet};
use crate::answer::{Answer, Block, Cell, Facts, Show, Table};
use crate::context::{Context, Part, ProcessKey, ThreadKey};
use crate::folded_stacks::name_stacks;
use crate::query::Filter;
use crate::task_cells;

pub(super) fn answer(by: By, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
    let threads: Vec<(ThreadKey, Waits)> = state
        .threads
        .into_sorted()
        .into_iter()
        .filter(|(_, waits)| waits.count > 0)
        .map(|(key, waits)| (ThreadKey(key), waits))
        .collect();
    let mut all = Waits::default();
    let mut by_number: BTreeMap<(u32, u32), Waits> = BTreeMap::new();
    for (key, waits) in &threads {
        all.merge(waits);
        by_number.entry((cx.tasks().tgid(*key), cx.tasks().tid(*key))).or_default().merge(waits);
    }
    let mut blocks = vec![Block::Heading("Off-CPU time".to_owned())];
    blocks.push(denet::summary(&all, &by_number));
    blocks.extend(coverage(cx, filter));
    blocks.push(match by {
        By::Process => Block::Table(processes(cx, &threads, all.total)),
        By::Thread => Block::Table(self::threads(cx, &threads, all.total)),
        By::Stack => {
            let columns = [
                ("total_time_ns", "total"),
                ("count", "waits"),
                ("percentage", "of all"),
                ("avg_time_ns", "average"),
                ("max_time_ns", "max"),
            ];
            let mut stacks = name_stacks(cx, state.stacks, "stacks", &columns, |sum| {
                vec![
                    Cell::DurNs(sum.total),
                    Cell::Count(sum.count),
                    Cell::Percent { part: sum.total, whole: all.total },
                    Cell::DurNs(sum.total.checked_div(sum.count).unwrap_or(0)),
                    Cell::DurNs(sum.max),
                ]
            });
            stacks.title = "By stack".to_owned();
            Block::Stacks(stacks)
        }
    });
    Answer { blocks, notes: state.idle.note().into_iter().collect(), ..Answer::default() }
}

/// How much of the long waiting time of the window has its stacks: that of all threads, so it says
/// nothing about a choice of them.
fn coverage(cx: &Context<'_>, filter: &Filter) -> Option<Block> {
    let part = cx.part().is_some_and(Part::picks_tasks);
    if part || filter.picks_tasks() || !filter.cpus.is_empty() || filter.min_duration > 0 {
        return None;
    }
    let sum = cx.coverages().within(filter.from, filter.to);
    if sum.waits == 0 {
        return None;
    }
    let share = |part| Cell::Percent { part, whole: sum.total };
    Some(Block::Facts(Facts {
        key: "stack_coverage",
        rows: vec![
            ("threshold_ns", "long waits of all threads, from", Cell::DurNs(sum.threshold)),
            ("waits", "  number", Cell::Count(sum.waits)),
            ("total_ns", "  total", Cell::DurNs(sum.total)),
            ("both_percentage", "  with stacks", share(sum.both)),
            ("kernel_only_percentage", "  kernel stack only", share(sum.kernel_only)),
        ],
        show: Show::All,
    }))
}

fn processes(cx: &Context<'_>, threads: &[(ThreadKey, Waits)], whole: u64) -> Table {
    let mut by_process: BTreeMap<ProcessKey, (u64, Waits)> = BTreeMap::new();
    for (key, waits) in threads {
        let (count, sum) = by_process.entry(cx.tasks().process_of(*key)).or_default();
        *count += 1;
        sum.merge(waits);
    }
    let mut rows: Vec<_> = by_process.into_iter().collect();
    rows.sort_by_key(|(key, (_, waits))| (Reverse(waits.total), cx.tasks().pid(*key), *key));
    let mut columns = task_cells::PROCESS.to_vec();
    columns.push(("threads", "threads"));
    columns.extend(Waits::COLUMNS);
    let mut table = Table::main("processes", &columns);
    table.title = "By process".to_owned();
    table.rows = rows
        .into_iter()
        .map(|(key, (count, waits))| {
            let mut row = task_cells::process(cx, key);
            row.push(Cell::Count(count));
            row.extend(waits.cells(whole));
            row
        })
        .collect();
    table
}

fn threads(cx: &Context<'_>, threads: &[(ThreadKey, Waits)], whole: u64) -> Table {
    let tasks = cx.tasks();
    let mut rows: Vec<&(ThreadKey, Waits)> = threads.iter().collect();
    rows.sort_by_key(|(key, waits)| (Reverse(waits.total), tasks.tgid(*key), tasks.tid(*key), *key));
    let mut columns = task_cells::THREAD.to_vec();
    columns.push(("process", "process"));
    columns.extend(Waits::COLUMNS);
    let mut table = Table::main("threads", &columns);
    table.title = "By thread".to_owned();
    table.rows = rows
        .into_iter()
        .map(|(key, waits)| {
            let mut row = task_cells::thread(cx, *key);
            row.push(Cell::text(cx.process_comm(tasks.process_of(*key))));
            row.extend(waits.cells(whole));
            row
        })
        .collect();
    table
}
