//! The blocks of the answer about counters.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_schema::counted_event;

use super::counts::Counts;
use super::{By, State, places};
use crate::answer::{Answer, Block, Cell, Facts, Note, NoteKind, Table};
use crate::context::{Context, ProcessKey, ThreadKey};
use crate::query::Filter;
use crate::run::Fold;
use crate::task_cells;

pub(super) fn answer(by: By, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
    let window = filter.to.min(cx.end()).saturating_sub(filter.from.max(cx.start()));
    let threads: Vec<(ThreadKey, Counts)> = state
        .threads
        .into_sorted()
        .into_iter()
        .filter(|(_, counts)| !counts.is_empty())
        .map(|(key, counts)| (ThreadKey(key), counts))
        .collect();
    let mut all = Counts::default();
    threads.iter().for_each(|(_, counts)| all.fold(counts.clone()));
    let mut notes = absent(cx);
    if all.scaled {
        let text = "there were more hardware events than counters: they took turns, and their \
                    counts are reckoned from the time that each was on";
        notes.push(Note::new(NoteKind::About, text.to_owned()));
    }
    let mut blocks = vec![
        Block::Heading("Counters".to_owned()),
        Block::Facts(summary(&all, window)),
        Block::Table(events(&all, window)),
    ];
    match by {
        By::Process => blocks.push(Block::Table(processes(cx, threads, &all, window))),
        By::Thread => blocks.push(Block::Table(of_threads(cx, threads, &all, window))),
        By::Function => {
            let (table, estimates) = places::functions(cx, state.samples.into_sorted());
            blocks.push(Block::Table(table));
            notes.extend(estimates);
        }
        By::Stack => {
            let (stacks, estimates) = places::stacks(cx, state.samples.into_sorted());
            blocks.push(Block::Stacks(stacks));
            notes.extend(estimates);
        }
    }
    Answer { blocks, notes, ..Answer::default() }
}

/// What the recording did without, as the probe said.
fn absent(cx: &Context<'_>) -> Vec<Note> {
    let probes = cx.meta().probes.iter();
    let probe = probes.filter(|probe| probe.name == "counters" && !probe.reason.is_empty());
    probe.map(|probe| Note::new(NoteKind::About, probe.reason.clone())).collect()
}

fn summary(all: &Counts, window: u64) -> Facts {
    let rows = vec![
        ("cpu_time_ns", "CPU time", Cell::DurNs(all.task_clock())),
        ("cpus", "  CPUs used", Cell::Quotient { part: all.task_clock(), whole: window }),
        ("instructions_per_cycle", "instructions per cycle", all.per_cycle()),
    ];
    let rows = rows.into_iter().filter(|row| row.2 != Cell::None);
    Facts { key: "summary", rows: rows.collect(), ..Facts::default() }
}

/// Each event, as perf stat has them.
fn events(all: &Counts, window: u64) -> Table {
    let columns = [
        ("event", "event"),
        ("count", "count"),
        ("count_per_s", "per s"),
        ("count_on_cpu_per_s", "per CPU second"),
        ("count_per_1000_instructions", "per 1000 instructions"),
    ];
    let counted = [
        ("cycles", counted_event::CYCLES),
        ("instructions", counted_event::INSTRUCTIONS),
        ("cache-misses", counted_event::CACHE_MISSES),
        ("branch-misses", counted_event::BRANCH_MISSES),
    ];
    let misses = counted_event::CACHE_MISSES | counted_event::BRANCH_MISSES;
    let mut rows = vec![
        ("context-switches", all.switches(), Cell::None),
        ("  voluntary", all.voluntary(), Cell::None),
        ("  involuntary", all.involuntary(), Cell::None),
        ("cpu-migrations", all.migrations(), Cell::None),
        ("page-faults", all.faults(), Cell::None),
        ("  major", all.major_faults(), Cell::None),
    ];
    for (name, event) in counted {
        if let Some(count) = all.event(event) {
            let each = if event & misses != 0 { all.per_thousand(event) } else { Cell::None };
            rows.push((name, count, each));
        }
    }
    if let Some(clock) = all.event(counted_event::CPU_CLOCK) {
        rows.push(("cpu-clock", clock, Cell::None));
    }
    let mut table = Table::plain("events", &columns);
    table.title = "Events".to_owned();
    let hides = all.event(counted_event::INSTRUCTIONS).is_none();
    if hides && let Some(column) = table.columns.last_mut() {
        column.label = "";
    }
    table.rows = rows
        .into_iter()
        .map(|(name, count, each)| {
            vec![
                Cell::text(name),
                Cell::Count(count),
                Cell::Rate { count, per_ns: window },
                Cell::Rate { count, per_ns: all.task_clock() },
                each,
            ]
        })
        .collect();
    table
}

/// The columns of counts; those of events that nobody counted are not shown.
fn columns(all: &Counts) -> Vec<(&'static str, &'static str)> {
    let shown = |event: u32, label: &'static str| if all.event(event).is_some() { label } else { "" };
    let per_cycle = if all.per_cycle() == Cell::None { "" } else { "per cycle" };
    vec![
        ("cpu_time_ns", "CPU time"),
        ("context_switches", "switches"),
        ("context_switches_per_s", "per s"),
        ("context_switches_on_cpu_per_s", "per CPU s"),
        ("voluntary_switches", ""),
        ("involuntary_switches", "involuntary"),
        ("cpu_migrations", "migrations"),
        ("page_faults", "faults"),
        ("page_faults_on_cpu_per_s", "per CPU s"),
        ("major_faults", "major"),
        ("cycles", shown(counted_event::CYCLES, "cycles")),
        ("instructions", shown(counted_event::INSTRUCTIONS, "instructions")),
        ("instructions_per_cycle", per_cycle),
        ("cache_misses", shown(counted_event::CACHE_MISSES, "cache misses")),
        ("cache_misses_per_1000_instructions", shown(counted_event::CACHE_MISSES, "per 1000")),
        ("branch_misses", shown(counted_event::BRANCH_MISSES, "branch misses")),
        ("branch_misses_per_1000_instructions", shown(counted_event::BRANCH_MISSES, "per 1000")),
        ("cpu_clock_ns", shown(counted_event::CPU_CLOCK, "CPU clock")),
    ]
}

fn cells(counts: &Counts, window: u64) -> Vec<Cell> {
    let count = |event: u32| Cell::maybe(counts.event(event), Cell::Count);
    let on_cpu = counts.task_clock();
    vec![
        Cell::DurNs(on_cpu),
        Cell::Count(counts.switches()),
        Cell::Rate { count: counts.switches(), per_ns: window },
        Cell::Rate { count: counts.switches(), per_ns: on_cpu },
        Cell::Count(counts.voluntary()),
        Cell::Count(counts.involuntary()),
        Cell::Count(counts.migrations()),
        Cell::Count(counts.faults()),
        Cell::Rate { count: counts.faults(), per_ns: on_cpu },
        Cell::Count(counts.major_faults()),
        count(counted_event::CYCLES),
        count(counted_event::INSTRUCTIONS),
        counts.per_cycle(),
        count(counted_event::CACHE_MISSES),
        counts.per_thousand(counted_event::CACHE_MISSES),
        count(counted_event::BRANCH_MISSES),
        counts.per_thousand(counted_event::BRANCH_MISSES),
        Cell::maybe(counts.event(counted_event::CPU_CLOCK), Cell::DurNs),
    ]
}

fn weight(counts: &Counts) -> (Reverse<u64>, Reverse<u64>) {
    (Reverse(counts.task_clock()), Reverse(counts.switches()))
}

fn processes(
    cx: &Context<'_>,
    threads: Vec<(ThreadKey, Counts)>,
    all: &Counts,
    window: u64,
) -> Table {
    let mut sums: BTreeMap<ProcessKey, Counts> = BTreeMap::new();
    for (thread, counts) in threads {
        sums.entry(cx.tasks().process_of(thread)).or_default().fold(counts);
    }
    let mut sums: Vec<(ProcessKey, Counts)> = sums.into_iter().collect();
    sums.sort_by_key(|(key, counts)| (weight(counts), cx.tasks().pid(*key), *key));
    let columns = [task_cells::PROCESS.to_vec(), columns(all)].concat();
    let mut table = Table::main("processes", &columns);
    table.title = "By process".to_owned();
    let row = |(key, counts): &(ProcessKey, Counts)| {
        [task_cells::process(cx, *key), cells(counts, window)].concat()
    };
    table.rows = sums.iter().map(row).collect();
    table
}

fn of_threads(
    cx: &Context<'_>,
    mut threads: Vec<(ThreadKey, Counts)>,
    all: &Counts,
    window: u64,
) -> Table {
    threads.sort_by_key(|(key, counts)| (weight(counts), cx.tasks().tid(*key), *key));
    let columns = [task_cells::THREAD.to_vec(), columns(all)].concat();
    let mut table = Table::main("threads", &columns);
    table.title = "By thread".to_owned();
    let row = |(key, counts): &(ThreadKey, Counts)| {
        [task_cells::thread(cx, *key), cells(counts, window)].concat()
    };
    table.rows = threads.iter().map(row).collect();
    table
}
