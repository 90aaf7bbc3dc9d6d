//! What programs allocate from their C libraries.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_format::Batch;

use crate::answer::{Block, Cell, Facts, Stacks, Table};
use crate::context::{Context, ProcessKey};
use crate::folded_stacks::{Named, name_sums};
use crate::run::{Bounded, BoundedKey, Fold};
use crate::task_cells;

/// The columns that are read.
pub(super) const COLUMNS: [&str; 9] = [
    "end",
    "count",
    "bytes",
    "frees",
    "freed_bytes",
    "unknown_frees",
    "tgid",
    "ustack",
    "image",
];

/// Most stacks that are told apart.
const MOST: usize = 1 << 17;

/// A stack of a program of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct HeapKey {
    process: u64,
    image: u32,
    stack: u32,
}

impl BoundedKey for HeapKey {
    const OTHERS: Self = Self { process: u64::MAX, image: u32::MAX, stack: u32::MAX };
}

/// Allocations, and what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heap {
    count: u64,
    bytes: u64,
    frees: u64,
    freed_bytes: u64,
    unknown_frees: u64,
    /// Of the last program of a process, what is left of its allocations.
    live: u64,
    live_bytes: u64,
}

impl Fold for Heap {
    fn fold(&mut self, from: Heap) {
        self.count = self.count.saturating_add(from.count);
        self.bytes = self.bytes.saturating_add(from.bytes);
        self.frees = self.frees.saturating_add(from.frees);
        self.freed_bytes = self.freed_bytes.saturating_add(from.freed_bytes);
        self.unknown_frees = self.unknown_frees.saturating_add(from.unknown_frees);
        self.live = self.live.saturating_add(from.live);
        self.live_bytes = self.live_bytes.saturating_add(from.live_bytes);
    }
}

/// The fold over `heap_total`.
pub(super) type Heaps = Bounded<HeapKey, Heap, MOST>;

pub(super) fn scan(cx: &Context<'_>, batch: &Batch, heaps: &mut Heaps) {
    let [counts, bytes, frees, freed, unknown] =
        ["count", "bytes", "frees", "freed_bytes", "unknown_frees"].map(|name| batch.u64(name));
    let (ends, tgids) = (batch.u64("end"), batch.u32("tgid"));
    let (ustacks, images) = (batch.u32("ustack"), batch.u32("image"));
    for row in 0..batch.rows() {
        let process = cx.tasks().process_key(tgids[row], ends[row]).0;
        let key = HeapKey { process, image: images[row], stack: ustacks[row] };
        heaps.at(key).fold(Heap {
            count: counts[row],
            bytes: bytes[row],
            frees: frees[row],
            freed_bytes: freed[row],
            unknown_frees: unknown[row],
            ..Heap::default()
        });
    }
}

/// All sums, with what lives. What a process had before it ran another program went with that.
pub(super) fn lives(heaps: Heaps, window: Window) -> Vec<(HeapKey, Heap)> {
    let mut all = heaps.into_sorted();
    let mut last: BTreeMap<u64, u32> = BTreeMap::new();
    for (key, _) in &all {
        let image = last.entry(key.process).or_default();
        *image = key.image.max(*image);
    }
    for (key, heap) in &mut all {
        if window.from_start && last.get(&key.process) == Some(&key.image) {
            heap.live = heap.count.saturating_sub(heap.frees);
            heap.live_bytes = heap.bytes.saturating_sub(heap.freed_bytes);
        }
    }
    all
}

const CELLS: [(&str, &str); 7] = [
    ("live_bytes", "live bytes"),
    ("live_blocks", "live blocks"),
    ("allocations", "allocations"),
    ("allocations_per_s", "per s"),
    ("allocated_bytes", "bytes"),
    ("frees", "frees"),
    ("freed_bytes", "freed bytes"),
];

/// The part of the recording that is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) ns: u64,
    /// It begins with the recording. Only then all that is freed was allocated in it.
    pub(super) from_start: bool,
}

fn cells(heap: &Heap, window: Window) -> Vec<Cell> {
    let lives = window.from_start.then_some(());
    vec![
        Cell::maybe(lives, |()| Cell::Bytes(heap.live_bytes)),
        Cell::maybe(lives, |()| Cell::Count(heap.live)),
        Cell::Count(heap.count),
        Cell::Rate { count: heap.count, per_ns: window.ns },
        Cell::Bytes(heap.bytes),
        Cell::Count(heap.frees),
        Cell::Bytes(heap.freed_bytes),
    ]
}

/// All of it, and by process.
pub(super) fn blocks(cx: &Context<'_>, all: &[(HeapKey, Heap)], window: Window) -> Vec<Block> {
    if all.is_empty() {
        return Vec::new();
    }
    let mut sum = Heap::default();
    let mut processes: BTreeMap<ProcessKey, Heap> = BTreeMap::new();
    for (key, heap) in all {
        sum.fold(*heap);
        processes.entry(ProcessKey(key.process)).or_default().fold(*heap);
    }
    let labels = [
        "allocated and not freed",
        "  in blocks",
        "allocations",
        "  per s",
        "  bytes",
        "frees",
        "  bytes",
    ];
    let keys = CELLS.map(|(key, _)| key);
    let rows = keys.into_iter().zip(labels).zip(cells(&sum, window));
    let mut rows: Vec<_> = rows.map(|((key, label), cell)| (key, label, cell)).collect();
    rows.push(("unknown_frees", "  of what is not known", Cell::Count(sum.unknown_frees)));
    let facts = Facts { key: "heap", rows, ..Facts::default() };
    let mut processes: Vec<(ProcessKey, Heap)> = processes.into_iter().collect();
    processes.sort_by_key(|(key, heap)| {
        (Reverse((heap.live_bytes, heap.bytes)), cx.tasks().pid(*key), *key)
    });
    let mut columns = task_cells::PROCESS.to_vec();
    columns.extend(CELLS);
    columns.push(("unknown_frees", "unknown"));
    let mut table = Table::plain("heap_processes", &columns);
    table.title = "Allocations from the C library, by process".to_owned();
    table.rows = processes
        .iter()
        .map(|(key, heap)| {
            let unknown = vec![Cell::Count(heap.unknown_frees)];
            let process = match key.0 == HeapKey::OTHERS.process {
                true => vec![Cell::None, Cell::None, Cell::others()],
                false => task_cells::process(cx, *key),
            };
            [process, cells(heap, window), unknown].concat()
        })
        .collect();
    vec![Block::Facts(facts), Block::Table(table)]
}

/// Stacks that read the same in several processes of one name are one row.
pub(super) fn stacks(cx: &Context<'_>, all: Vec<(HeapKey, Heap)>, window: Window) -> Stacks {
    let sums: Vec<(Named<'_>, Heap)> = all
        .into_iter()
        .filter(|(_, heap)| heap.count > 0 || heap.frees > 0)
        .map(|(key, heap)| {
            let named = match key == HeapKey::OTHERS {
                true => Named::OTHERS,
                false => Named {
                    comm: cx.process_comm(ProcessKey(key.process)),
                    parts: Some((key.stack, 0)),
                },
            };
            (named, heap)
        })
        .collect();
    let order = |heap: &Heap| (heap.live_bytes, heap.bytes, heap.count);
    let mut stacks = name_sums(cx, sums, &CELLS, order, |heap| cells(heap, window));
    stacks.title = "Allocations from the C library, by stack".to_owned();
    stacks
}
