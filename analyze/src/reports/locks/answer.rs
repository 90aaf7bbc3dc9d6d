//! The blocks of the answer about locks.

use std::cmp::Reverse;

use ktape_schema::{LockContention, futex_result};

use super::open::{self, who};
use super::waits::{Kind, Waits};
use super::{By, LockKey, State, kernel};
use crate::answer::{Answer, Block, Cell, Facts, Histogram, Note, NoteKind, Table, Unit};
use crate::context::{Context, ProcessKey, ThreadKey};
use crate::folded_stacks::name_stacks;
use crate::run::{BoundedKey, Slots, StackSums};
use crate::task_cells;

pub(super) fn answer(by: By, cx: &Context<'_>, state: State) -> Answer {
    let open = state.open.into_sorted();
    let mut blocks = vec![Block::Heading("Waits for locks".to_owned())];
    let facts = facts(&state.all, &state.results);
    blocks.push(Block::Facts(facts));
    blocks.push(Block::Table(kinds(&state.by_kind, state.all.total)));
    blocks.push(Block::Histogram(Histogram {
        key: "histogram",
        title: String::new(),
        unit: Unit::Ns,
        buckets: state.all.histogram.log2(),
    }));
    let whole = state.all.total;
    match by {
        By::Lock => blocks.push(Block::Table(locks(cx, state.locks.into_sorted(), whole))),
        By::Stack => blocks.push(stacks(cx, state.stacks, "stacks", "By stack", whole)),
        By::Waker => {
            let title = "By waker: whose wake-ups ended the waits";
            blocks.push(Block::Table(threads(cx, state.tasks, "wakers", title, whole)));
        }
        By::Owner => {
            let title = "By owner: who held the lock when the wait began";
            blocks.push(Block::Table(threads(cx, state.tasks, "owners", title, whole)));
        }
        By::Process => {
            let table = processes(cx, state.tasks, state.kernel_tasks, whole);
            blocks.push(Block::Table(table));
        }
    }
    if !open.is_empty() {
        blocks.push(Block::Table(open::table(cx, &open)));
    }
    let kernel_whole = state.kernel_all.total;
    if cx.was_recorded(LockContention::DESC.name) {
        blocks.push(Block::Facts(Facts {
            key: "kernel",
            rows: vec![
                ("count", "waits for locks of the kernel", Cell::Count(state.kernel_all.count())),
                ("total_ns", "  total", Cell::DurNs(kernel_whole)),
                ("max_ns", "  max", Cell::DurNs(state.kernel_all.histogram.max())),
            ],
            ..Facts::default()
        }));
        let kernel = kernel::table(cx, state.kernel.into_sorted(), kernel_whole);
        if !kernel.rows.is_empty() {
            blocks.push(Block::Table(kernel));
        }
        if by == By::Stack && kernel_whole > 0 {
            let title = "By stack, for locks of the kernel";
            let stacks = stacks(cx, state.kernel_stacks, "kernel_stacks", title, kernel_whole);
            blocks.push(stacks);
        }
    }
    Answer { blocks, notes: notes(cx, &state.by_kind), ..Answer::default() }
}

fn facts(all: &Waits, results: &[u64]) -> Facts {
    let count = |result: u8| Cell::Count(results[usize::from(result)]);
    Facts {
        key: "summary",
        rows: vec![
            ("count", "waits in futex calls", Cell::Count(all.count())),
            ("woken_count", "  woken", count(futex_result::WOKEN)),
            ("timed_out_count", "  timed out", count(futex_result::TIMED_OUT)),
            ("interrupted_count", "  interrupted", count(futex_result::INTERRUPTED)),
            ("failed_count", "  failed", count(futex_result::FAILED)),
            ("open_count", "  still open", count(futex_result::OPEN)),
            ("total_ns", "total", Cell::DurNs(all.total)),
        ],
        ..Facts::default()
    }
}

fn kinds(by_kind: &[Waits], whole: u64) -> Table {
    let mut columns = vec![("kind", "kind")];
    columns.extend(Waits::COLUMNS);
    let mut table = Table::plain("kinds", &columns);
    table.title = "By kind".to_owned();
    table.rows = Kind::ALL
        .iter()
        .zip(by_kind)
        .filter(|(_, waits)| waits.count() > 0)
        .map(|(kind, waits)| {
            let mut row = vec![Cell::text(kind.name())];
            row.extend(waits.cells(whole));
            row
        })
        .collect();
    table
}

fn locks(cx: &Context<'_>, mut all: Vec<(LockKey, Waits)>, whole: u64) -> Table {
    let mut columns = vec![("address", "word"), ("kind", "kind"), ("shared", "")];
    columns.extend(task_cells::PROCESS);
    columns.extend(Waits::COLUMNS);
    columns.extend([
        ("max_owner_tid", ""),
        ("max_owner_comm", "longest: owner"),
        ("max_waker_tid", ""),
        ("max_waker_comm", "woken by"),
    ]);
    all.sort_by_key(|(key, waits)| (waits.kind(), Reverse(waits.total), *key));
    let mut table = Table::main("locks", &columns);
    table.title = "By lock".to_owned();
    table.rows = all
        .iter()
        .map(|(key, waits)| {
            let others = *key == LockKey::OTHERS;
            let mut row = vec![
                Cell::maybe((!others).then_some(key.address), Cell::Hex),
                Cell::text(waits.kind().name()),
                Cell::Bool(waits.shared),
            ];
            row.extend(match others {
                true => vec![Cell::None, Cell::None, Cell::others()],
                false => task_cells::process(cx, ProcessKey(key.process)),
            });
            row.extend(waits.cells(whole));
            row.extend(who(cx, waits.longest.owner, u64::MAX));
            row.extend(who(cx, waits.longest.waker, u64::MAX));
            row
        })
        .collect();
    table
}

fn stacks(
    cx: &Context<'_>,
    sums: StackSums,
    key: &'static str,
    title: &str,
    whole: u64,
) -> Block {
    let columns = [
        ("total_ns", "total"),
        ("count", "waits"),
        ("percentage", "of all"),
        ("avg_ns", "average"),
        ("max_ns", "max"),
    ];
    let mut stacks = name_stacks(cx, sums, key, &columns, |sum| {
        vec![
            Cell::DurNs(sum.total),
            Cell::Count(sum.count),
            Cell::Percent { part: sum.total, whole },
            Cell::DurNs(sum.total.checked_div(sum.count).unwrap_or(0)),
            Cell::DurNs(sum.max),
        ]
    });
    stacks.title = title.to_owned();
    Block::Stacks(stacks)
}

fn threads(
    cx: &Context<'_>,
    waits: Slots<Waits>,
    key: &'static str,
    title: &str,
    whole: u64,
) -> Table {
    let tasks = cx.tasks();
    let mut rows: Vec<(ThreadKey, Waits)> = waits
        .into_sorted()
        .into_iter()
        .filter(|(_, waits)| waits.count() > 0)
        .map(|(key, waits)| (ThreadKey(key), waits))
        .collect();
    rows.sort_by_key(|(key, waits)| {
        (Reverse(waits.total), tasks.tgid(*key), tasks.tid(*key), *key)
    });
    let mut columns = task_cells::THREAD.to_vec();
    columns.extend(Waits::COLUMNS);
    let mut table = Table::main(key, &columns);
    table.title = title.to_owned();
    table.rows = rows
        .iter()
        .map(|(key, waits)| {
            let mut row = task_cells::thread(cx, *key);
            row.extend(waits.cells(whole));
            row
        })
        .collect();
    table
}

fn processes(
    cx: &Context<'_>,
    waits: Slots<Waits>,
    kernel: Slots<Waits>,
    whole: u64,
) -> Table {
    let mut all: std::collections::BTreeMap<u64, (Waits, Waits)> = Default::default();
    for (key, waits) in waits.into_sorted() {
        all.entry(key).or_default().0 = waits;
    }
    for (key, waits) in kernel.into_sorted() {
        all.entry(key).or_default().1 = waits;
    }
    let mut rows: Vec<_> =
        all.into_iter().filter(|(_, (user, kernel))| user.count() + kernel.count() > 0).collect();
    rows.sort_by_key(|(key, (user, kernel))| {
        (Reverse(user.total), Reverse(kernel.total), cx.tasks().pid(ProcessKey(*key)), *key)
    });
    let mut columns = task_cells::PROCESS.to_vec();
    columns.extend(Waits::COLUMNS);
    columns.extend([
        ("kernel_count", "kernel: waits"),
        ("kernel_total_ns", "total"),
        ("kernel_max_ns", "max"),
    ]);
    let mut table = Table::main("processes", &columns);
    table.title = "By process".to_owned();
    table.rows = rows
        .iter()
        .map(|(key, (user, kernel))| {
            let mut row = task_cells::process(cx, ProcessKey(*key));
            row.extend(user.cells(whole));
            row.extend([
                Cell::Count(kernel.count()),
                Cell::DurNs(kernel.total),
                Cell::DurNs(kernel.histogram.max()),
            ]);
            row
        })
        .collect();
    table
}

fn notes(cx: &Context<'_>, by_kind: &[Waits]) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut about = |text: String| notes.push(Note::new(NoteKind::About, text));
    let other = by_kind[Kind::Other as usize].count();
    if other > 0 {
        about(format!(
            "{other} waits are of kind other: condition variables, semaphores and what waits for \
             work cannot be told apart; they stand behind the locks"
        ));
    }
    let setting = |name: &str| {
        let probe = cx.meta().probes.iter().find(|probe| probe.name == "locks")?;
        probe.knobs.iter().find(|(knob, _)| knob == name).map(|(_, value)| value.clone())
    };
    if let Some(least) = setting("kernel_min").filter(|least| least != "0ns") {
        about(format!("waits of less than {least} for locks of the kernel were not recorded"));
    }
    if let Some(least) = setting("min").filter(|least| least != "0ns") {
        about(format!("waits of less than {least} in futex calls were not recorded"));
    }
    notes
}
