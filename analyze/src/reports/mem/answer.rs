//! The blocks of the answer about memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_schema::alloc_what;

use super::{By, Calls, Faults, OfProcess, PlaceKey, State, heap, resident};
use crate::answer::{
    Answer, Block, Cell, Facts, Histogram, Note, NoteKind, Stacks, Table, Unit,
};
use crate::context::{Context, ProcessKey};
use crate::folded_stacks::{Named, name_sums};
use crate::query::Filter;
use crate::run::{BoundedKey, Fold};
use crate::stack_names::StackNames;
use crate::task_cells;

/// Faults of a row: key, label.
const FAULTS: [(&str, &str); 5] = [
    ("minor_faults", "minor faults"),
    ("minor_per_s", "per s"),
    ("major_faults", "major"),
    ("major_ns", "their time"),
    ("major_max_ns", "longest"),
];

fn fault_cells(faults: &Faults, window: u64) -> Vec<Cell> {
    let timed = (faults.timed > 0).then_some(());
    vec![
        Cell::Count(faults.minor),
        Cell::Rate { count: faults.minor, per_ns: window },
        Cell::Count(faults.major),
        Cell::maybe(timed, |()| Cell::DurNs(faults.total)),
        Cell::maybe(timed, |()| Cell::DurNs(faults.max)),
    ]
}

pub(super) fn answer(by: By, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
    let window = filter.to.min(cx.end()).saturating_sub(filter.from.max(cx.start()));
    let mut all = Faults::default();
    let processes: Vec<(ProcessKey, OfProcess)> = state
        .processes
        .into_sorted()
        .into_iter()
        .map(|(key, process)| (ProcessKey(key), process))
        .filter(|(_, process)| {
            process.faults.minor > 0 || process.faults.major > 0 || process.memory.last.is_some()
        })
        .collect();
    processes.iter().for_each(|(_, process)| all.fold(process.faults.clone()));
    let keys = FAULTS.map(|(key, _)| key);
    let labels = ["minor faults", "  per s", "major faults", "  their time", "  longest"];
    let cells = fault_cells(&all, window);
    let rows = keys.into_iter().zip(labels).zip(cells).map(|((key, label), cell)| (key, label, cell));
    let mut blocks = vec![
        Block::Heading("Memory".to_owned()),
        Block::Facts(Facts { key: "summary", rows: rows.collect(), ..Facts::default() }),
    ];
    if state.times.count() > 0 {
        blocks.push(Block::Histogram(Histogram {
            key: "histogram",
            title: "Times of major faults".to_owned(),
            unit: Unit::Ns,
            buckets: state.times.log2(),
        }));
    }
    let sites = state.sites.into_sorted();
    let span = heap::Window { ns: window, from_start: filter.from <= cx.start() };
    let heaps = heap::lives(state.heaps, span);
    let approximate = processes.iter().any(|(_, process)| process.memory.approximate);
    let of_heaps = heap::blocks(cx, &heaps, span);
    match by {
        By::Process => blocks.push(Block::Table(table(cx, processes, window))),
        By::Stack => blocks.push(Block::Stacks(stacks(cx, state.stacks.into_sorted()))),
        By::Site => blocks.push(Block::Table(site_table(cx, &sites))),
        By::Heap => blocks.push(Block::Stacks(heap::stacks(cx, heaps, span))),
    }
    blocks.extend(of_heaps);
    if !sites.is_empty() {
        blocks.push(Block::Table(kinds(&sites)));
    }
    let note = approximate.then(|| {
        let text = "the memory of processes is approximate: before 6.2 each thread keeps up to 64 \
                    pages of each kind to itself";
        Note::new(NoteKind::About, text.to_owned())
    });
    Answer { blocks, notes: note.into_iter().collect(), ..Answer::default() }
}

fn table(cx: &Context<'_>, mut all: Vec<(ProcessKey, OfProcess)>, window: u64) -> Table {
    let page = u64::from(cx.meta().host.page_size);
    let bytes = |pages: u64| pages.saturating_mul(page);
    let mut columns = task_cells::PROCESS.to_vec();
    columns.extend(FAULTS);
    columns.extend([
        ("rss_bytes", "memory"),
        ("rss_growth_bytes", "grown by"),
        ("rss_max_bytes", "max"),
        ("rss_peak_bytes", "ever"),
        ("anon_bytes", "anonymous"),
        ("file_bytes", "of files"),
        ("shmem_bytes", "shared"),
        ("swap_bytes", "in swap"),
    ]);
    all.sort_by_key(|(key, process)| {
        let growth = |process: &OfProcess| {
            let (first, last) = (process.memory.first, process.memory.last);
            first.zip(last).map_or(0, |(a, b)| resident(&b).saturating_sub(resident(&a)))
        };
        let faults = &process.faults;
        let weight = (Reverse(faults.major), Reverse(faults.minor), Reverse(growth(process)));
        (weight, cx.tasks().pid(*key), *key)
    });
    let mut table = Table::main("processes", &columns);
    table.title = "By process".to_owned();
    table.rows = all
        .iter()
        .map(|(key, process)| {
            let memory = &process.memory;
            let mut row = task_cells::process(cx, *key);
            row.extend(fault_cells(&process.faults, window));
            let samples = memory.first.zip(memory.last);
            row.push(Cell::maybe(memory.last, |last| Cell::Bytes(bytes(resident(&last)))));
            row.push(Cell::maybe(samples, |(first, last)| {
                let (first, last) = (bytes(resident(&first)), bytes(resident(&last)));
                let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
                Cell::Int(signed(last) - signed(first))
            }));
            row.push(Cell::maybe(memory.last, |_| Cell::Bytes(bytes(memory.most))));
            row.push(Cell::maybe(memory.last, |_| Cell::Bytes(bytes(memory.peak))));
            row.extend((0..4).map(|at| Cell::maybe(memory.last, |last| Cell::Bytes(bytes(last.1[at])))));
            row
        })
        .collect();
    table
}

/// Stacks that read the same in several processes of one name are one row.
fn stacks(cx: &Context<'_>, all: Vec<(PlaceKey, Faults)>) -> Stacks {
    let sums: Vec<(Named<'_>, Faults)> = all
        .into_iter()
        .map(|(key, faults)| {
            let named = match key == PlaceKey::OTHERS {
                true => Named::OTHERS,
                false => Named {
                    comm: cx.process_comm(ProcessKey(key.of)),
                    parts: Some((key.stack, 0)),
                },
            };
            (named, faults)
        })
        .collect();
    let columns = [
        ("minor_faults", "minor faults"),
        ("major_faults", "major faults"),
        ("major_ns", "their time"),
        ("major_max_ns", "longest"),
    ];
    let order = |faults: &Faults| (faults.minor.saturating_add(faults.major), faults.total);
    let mut stacks = name_sums(cx, sums, &columns, order, |faults| {
        vec![
            Cell::Count(faults.minor),
            Cell::Count(faults.major),
            Cell::DurNs(faults.total),
            Cell::DurNs(faults.max),
        ]
    });
    stacks.title = "By stack".to_owned();
    stacks
}

/// The name of a kind of call.
fn what(of: u64) -> &'static str {
    let found = alloc_what::NAMES.iter().find(|(value, _)| *value == of);
    found.map_or("other", |(_, name)| name)
}

fn site_table(cx: &Context<'_>, all: &[(PlaceKey, Calls)]) -> Table {
    let mut names = StackNames::new(cx);
    let mut places = Vec::new();
    // Several addresses of one function are one row.
    let mut rows: BTreeMap<(Option<Vec<u8>>, &str), Calls> = BTreeMap::new();
    for (key, calls) in all {
        let name = if *key == PlaceKey::OTHERS {
            Some(b"[others]".to_vec())
        } else if key.stack == 0 {
            None
        } else {
            names.places(0, key.stack, &mut places);
            places.last().map(|place| names.name(place.name).to_vec())
        };
        rows.entry((name, what(key.of))).or_default().fold(*calls);
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(a, x), (b, y)| (y.bytes, y.count).cmp(&(x.bytes, x.count)).then(a.cmp(b)));
    let columns =
        [("site", "caller"), ("what", "does"), ("count", "calls"), ("total_bytes", "bytes")];
    let mut table = Table::main("sites", &columns);
    table.title = "What the kernel allocates and frees, by caller".to_owned();
    table.rows = rows
        .into_iter()
        .map(|((name, what), calls)| {
            let known = !what.ends_with("free") || calls.bytes > 0;
            vec![
                Cell::maybe(name, Cell::Symbol),
                Cell::text(what),
                Cell::Count(calls.count),
                Cell::maybe(known.then_some(calls.bytes), Cell::Bytes),
            ]
        })
        .collect();
    table
}

fn kinds(all: &[(PlaceKey, Calls)]) -> Table {
    let mut sums: BTreeMap<u64, Calls> = BTreeMap::new();
    for (key, calls) in all.iter().filter(|(key, _)| *key != PlaceKey::OTHERS) {
        sums.entry(key.of).or_default().fold(*calls);
    }
    let columns = [("what", "the kernel's"), ("count", "calls"), ("total_bytes", "bytes")];
    let mut table = Table::plain("kernel", &columns);
    table.title = "Allocations of the kernel".to_owned();
    table.rows = sums
        .into_iter()
        .map(|(of, calls)| {
            let known = of != u64::from(alloc_what::KFREE);
            vec![
                Cell::text(what(of)),
                Cell::Count(calls.count),
                Cell::maybe(known.then_some(calls.bytes), Cell::Bytes),
            ]
        })
        .collect();
    table
}
