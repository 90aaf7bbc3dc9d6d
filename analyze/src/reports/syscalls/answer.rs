//! The blocks of the system call answer.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_schema::SyscallLatency;

use super::behaviour::{Mix, RULES};
use super::buckets::Buckets;
use super::sums::Group;
use super::{By, State, denet, slow};
use crate::answer::{Answer, Block, Cell, Facts, Note, NoteKind, Show, Table};
use crate::context::{Context, ProcessKey};
use crate::cpu_time;
use crate::query::Filter;
use crate::syscall_class::SyscallClass;
use crate::task_cells;

/// What all rows have their shares of.
struct Whole {
    sums: Group,
    /// Length of the window, ns.
    window: u64,
}

pub(super) fn answer(by: By, cx: &Context<'_>, filter: &Filter, mut state: State) -> Answer {
    let (from, to) = filter.window(cx);
    // With --time, what was counted covers whole windows of its own.
    let counted = state.counted.map(|(begin, end)| end - begin);
    let window = if filter.is_all_time() { to - from } else { counted.unwrap_or(0) };
    let mut whole = Whole { sums: Group::default(), window };
    let mut names: BTreeMap<u32, Group> = BTreeMap::new();
    let mut classes: BTreeMap<SyscallClass, Group> = BTreeMap::new();
    let mut processes: BTreeMap<ProcessKey, (Group, Mix)> = BTreeMap::new();
    let mut mix = Mix::default();
    for ((process, nr), sums) in std::mem::take(&mut state.calls).into_sorted() {
        let class = SyscallClass::of(cx.syscalls(), nr);
        whole.sums.add(sums);
        names.entry(nr).or_default().add(sums);
        classes.entry(class).or_default().add(sums);
        let (group, calls) = processes.entry(ProcessKey(process)).or_default();
        group.add(sums);
        calls.add(class, sums.count);
        mix.add(class, sums.count);
    }
    mix.lived = whole.window;
    complete(cx, filter, &mut processes, &mut mix);

    let times: BTreeMap<u64, Buckets> = std::mem::take(&mut state.times).into_sorted().into_iter().collect();
    let mut blocks = vec![Block::Heading("System calls".to_owned())];
    blocks.push(Block::Facts(summary(&whole, &mix, cx)));
    blocks.extend(denet::blocks(cx, &names, &classes, whole.window));
    let main = match by {
        By::Name => by_name(cx, &whole, &names, &times),
        By::Class => by_class(cx, &whole, &classes, &times),
        By::Process => by_process(cx, &whole, &processes, &times),
    };
    if by == By::Name {
        let times = &times;
        let classes = by_class(cx, &whole, &classes, times);
        blocks.push(Block::Table(Table { main: false, show: unless_empty(&classes), ..classes }));
    }
    blocks.push(Block::Table(Table { show: unless_empty(&main), ..main }));
    if by != By::Process {
        blocks.push(Block::Table(Table {
            key: "behaviours",
            show: Show::Json,
            main: false,
            ..behaviours(cx, &processes)
        }));
    }
    blocks.extend(slow::blocks(cx, filter, &mut state));
    Answer { blocks, notes: notes(cx, filter, &whole, times.is_empty()), ..Answer::default() }
}

/// People need no header over nothing.
fn unless_empty(table: &Table) -> Show {
    if table.rows.is_empty() { Show::Json } else { Show::All }
}

/// Adds to the mixes how long each process lived in the window, and its CPU time where the window is
/// the whole recording: the scheduler's counters are read at its ends only.
fn complete(
    cx: &Context<'_>,
    filter: &Filter,
    processes: &mut BTreeMap<ProcessKey, (Group, Mix)>,
    whole: &mut Mix,
) {
    let (from, to) = filter.window(cx);
    let timed = (from, to) == (cx.start(), cx.end());
    let mut all = None;
    for (key, (_, mix)) in processes {
        let process = cx.tasks().process(*key);
        let (start, end) = process.map_or((from, to), |process| {
            (process.start.clamp(from, to), process.end.unwrap_or(to).clamp(from, to))
        });
        mix.lived = end.saturating_sub(start);
        mix.cpu = process.filter(|_| timed).and_then(|process| cpu_time::of_process(cx, process));
        all = mix.cpu.map(|cpu| all.unwrap_or(0u64).saturating_add(cpu)).or(all);
    }
    // Of the whole machine: its time is that of all CPUs.
    let cpus = u64::from(cx.meta().host.cpus.max(1));
    whole.cpu = all.map(|cpu| cpu / cpus);
}

fn summary(whole: &Whole, mix: &Mix, cx: &Context<'_>) -> Facts {
    let sums = whole.sums.sums;
    let share = |part| Cell::Percent { part, whole: sums.count };
    let cpus = u64::from(cx.meta().host.cpus.max(1));
    Facts {
        rows: vec![
            ("window_ns", "window", Cell::DurNs(whole.window)),
            ("total", "calls", Cell::Count(sums.count)),
            ("rate_per_s", "  rate", Cell::Rate { count: sums.count, per_ns: whole.window }),
            ("errors", "errors", Cell::Count(sums.errors)),
            ("error_percentage", "  share", share(sums.errors)),
            ("total_time_ns", "time in calls", Cell::DurNs(sums.total)),
            ("behaviour", "behaviour", Cell::text(mix.behaviour().name())),
            ("file_io_percentage", "  file_io", share(mix.file_io)),
            ("network_percentage", "  network", share(mix.network)),
            ("memory_percentage", "  memory", share(mix.memory)),
            (
                "cpu_percentage",
                "  CPU, of all CPUs",
                Cell::maybe(mix.cpu, |cpu| Cell::Percent {
                    part: cpu.saturating_mul(cpus),
                    whole: whole.window.saturating_mul(cpus),
                }),
            ),
        ],
        ..Facts::default()
    }
}

/// What every table ends with: keys, labels.
const COLUMNS: [(&str, &str); 12] = [
    ("count", "calls"),
    ("percentage", "share"),
    ("rate_per_s", "rate"),
    ("errors", "errors"),
    ("error_percentage", "failed"),
    ("total_time_ns", "time"),
    ("time_percentage", "of time"),
    ("avg_ns", "average"),
    ("p50_ns", "p50"),
    ("p90_ns", "p90"),
    ("p99_ns", "p99"),
    ("max_ns", "max"),
];

fn cells(whole: &Whole, group: &Group, times: Option<&Buckets>) -> Vec<Cell> {
    let (sums, all) = (group.sums, whole.sums.sums);
    let timed = sums.total > 0;
    let percentile = |per_mille| {
        let time = times.and_then(|times| times.percentile(per_mille, group.max()));
        Cell::maybe(time, Cell::DurNs)
    };
    vec![
        Cell::Count(sums.count),
        Cell::Percent { part: sums.count, whole: all.count },
        Cell::Rate { count: sums.count, per_ns: whole.window },
        Cell::Count(sums.errors),
        Cell::Percent { part: sums.errors, whole: sums.count },
        Cell::DurNs(sums.total),
        Cell::Percent { part: sums.total, whole: all.total },
        Cell::maybe(timed.then(|| sums.average()), Cell::DurNs),
        percentile(500),
        percentile(900),
        percentile(990),
        Cell::maybe(group.max().filter(|_| timed), Cell::DurNs),
    ]
}

fn by_name(
    cx: &Context<'_>,
    whole: &Whole,
    names: &BTreeMap<u32, Group>,
    times: &BTreeMap<u64, Buckets>,
) -> Table {
    let mut columns = vec![("syscall", "call"), ("nr", ""), ("class", "class")];
    columns.extend(COLUMNS);
    let mut table = Table::main("syscalls", &columns);
    table.title = "By system call".to_owned();
    let mut order: Vec<_> = names.iter().collect();
    order.sort_by_key(|(nr, group)| (Reverse(group.sums.count), **nr));
    table.rows = order
        .into_iter()
        .map(|(&nr, group)| {
            let mut row = vec![
                Cell::text(cx.syscalls().name(nr)),
                Cell::Count(nr.into()),
                Cell::text(SyscallClass::of(cx.syscalls(), nr).name()),
            ];
            row.extend(cells(whole, group, times.get(&nr.into())));
            row
        })
        .collect();
    table
}

fn by_class(
    cx: &Context<'_>,
    whole: &Whole,
    classes: &BTreeMap<SyscallClass, Group>,
    times: &BTreeMap<u64, Buckets>,
) -> Table {
    let mut buckets: BTreeMap<SyscallClass, Buckets> = BTreeMap::new();
    for (&nr, times) in times {
        // A number that is no u32 is no number of a call.
        let class = SyscallClass::of(cx.syscalls(), u32::try_from(nr).unwrap_or(u32::MAX));
        buckets.entry(class).or_default().merge(times);
    }
    let mut columns = vec![("class", "class")];
    columns.extend(COLUMNS);
    let mut table = Table::main("classes", &columns);
    table.title = "By class".to_owned();
    let mut order: Vec<_> = classes.iter().collect();
    order.sort_by_key(|(class, group)| (Reverse(group.sums.count), **class));
    table.rows = order
        .into_iter()
        .map(|(class, group)| {
            let mut row = vec![Cell::text(class.name())];
            row.extend(cells(whole, group, buckets.get(class)));
            row
        })
        .collect();
    table
}

/// Processes in the order of all tables: most calls first.
fn in_order<'p>(
    cx: &Context<'_>,
    processes: &'p BTreeMap<ProcessKey, (Group, Mix)>,
) -> Vec<(ProcessKey, &'p Group, &'p Mix)> {
    let mut order: Vec<_> =
        processes.iter().map(|(key, (group, mix))| (*key, group, mix)).collect();
    order.sort_by_key(|(key, group, _)| (Reverse(group.sums.count), cx.tasks().pid(*key), *key));
    order
}

const BEHAVIOUR: [(&str, &str); 6] = [
    ("behaviour", "behaviour"),
    ("file_io_percentage", "file_io"),
    ("network_percentage", "network"),
    ("memory_percentage", "memory"),
    ("cpu_percentage", "CPU"),
    ("lived_ns", ""),
];

fn behaviour(mix: &Mix) -> [Cell; 6] {
    let share = |part| Cell::Percent { part, whole: mix.calls };
    [
        Cell::text(mix.behaviour().name()),
        share(mix.file_io),
        share(mix.network),
        share(mix.memory),
        Cell::maybe(mix.cpu, |cpu| Cell::Percent { part: cpu, whole: mix.lived }),
        Cell::DurNs(mix.lived),
    ]
}

fn by_process(
    cx: &Context<'_>,
    whole: &Whole,
    processes: &BTreeMap<ProcessKey, (Group, Mix)>,
    times: &BTreeMap<u64, Buckets>,
) -> Table {
    let mut columns = task_cells::PROCESS.to_vec();
    columns.extend(COLUMNS);
    columns.extend(BEHAVIOUR);
    let mut table = Table::main("processes", &columns);
    table.title = "By process".to_owned();
    table.rows = in_order(cx, processes)
        .into_iter()
        .map(|(key, group, mix)| {
            let mut row = task_cells::process(cx, key);
            row.extend(cells(whole, group, times.get(&key.0)));
            row.extend(behaviour(mix));
            row
        })
        .collect();
    table
}

fn behaviours(cx: &Context<'_>, processes: &BTreeMap<ProcessKey, (Group, Mix)>) -> Table {
    let mut columns = task_cells::PROCESS.to_vec();
    columns.push(("count", ""));
    columns.extend(BEHAVIOUR);
    let mut table = Table::plain("behaviours", &columns);
    table.rows = in_order(cx, processes)
        .into_iter()
        .map(|(key, group, mix)| {
            let mut row = task_cells::process(cx, key);
            row.push(Cell::Count(group.sums.count));
            row.extend(behaviour(mix));
            row
        })
        .collect();
    table
}

fn notes(cx: &Context<'_>, filter: &Filter, whole: &Whole, no_times: bool) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut about = |text: &str| notes.push(Note::new(NoteKind::About, text.to_owned()));
    if !filter.is_all_time() {
        about(
            "calls are counted in windows of about a second, and belong to --time when their window \
             ends in it: the window above is that of the counts",
        );
    }
    if whole.sums.sums.count == 0 {
        return notes;
    }
    if no_times {
        about(&format!("no percentiles: the trace has no {} facts", SyscallLatency::DESC.name));
    } else {
        about(
            "percentiles are interpolated within powers of two: the true ones lie in the same power \
             of two",
        );
    }
    if whole.sums.max().is_none() {
        about(
            "the longest call is unknown (-) where none in this window was longer than one before it",
        );
    }
    if cx.syscalls().all().is_empty() {
        let arch = &cx.meta().host.arch;
        about(&format!("the system calls of {arch} have no names here: all are of class other"));
    }
    about(RULES);
    notes
}
