//! The blocks of the answer about disk requests.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_schema::block_op;

use super::requests::Requests;
use super::{By, State};
use crate::answer::{self, Answer, Cell, Facts, Histogram, Note, NoteKind, Table, Unit};
use crate::context::{Context, ProcessKey, ThreadKey};
use crate::folded_stacks::name_stacks;
use crate::query::Filter;
use crate::run::{BoundedKey, Fold};
use crate::task_cells;

pub(super) fn answer(by: By, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
    let (from, to) = filter.window(cx);
    let window = to - from;
    let devices = state.devices.into_sorted();
    let mut all = Requests::default();
    devices.iter().for_each(|(_, requests)| all.fold(requests.clone()));
    let total = all.whole.total;
    let mut blocks =
        vec![answer::Block::Heading("Disk requests".to_owned()), summary(&all, window)];
    if all.service.histogram.count() > 0 {
        blocks.push(answer::Block::Histogram(Histogram {
            key: "service",
            title: "Service time".to_owned(),
            unit: Unit::Ns,
            buckets: all.service.histogram.log2(),
        }));
    }
    blocks.push(match by {
        By::Device => answer::Block::Table(by_device(cx, "devices", "device", devices, window)),
        By::Partition => {
            answer::Block::Table(by_device(cx, "partitions", "partition", devices, window))
        }
        By::Process => answer::Block::Table(processes(cx, state.threads.into_sorted())),
        By::Stack => {
            let columns = [
                ("total_time_ns", "total"),
                ("count", "requests"),
                ("percentage", "of all"),
                ("avg_time_ns", "average"),
                ("max_time_ns", "max"),
            ];
            let mut stacks = name_stacks(cx, state.stacks, "stacks", &columns, |sum| {
                vec![
                    Cell::DurNs(sum.total),
                    Cell::Count(sum.count),
                    Cell::Percent { part: sum.total, whole: total },
                    Cell::DurNs(sum.total.checked_div(sum.count).unwrap_or(0)),
                    Cell::DurNs(sum.max),
                ]
            });
            stacks.title = "By stack of who made the request".to_owned();
            answer::Block::Stacks(stacks)
        }
    });
    Answer { blocks, notes: notes(&all, by), ..Answer::default() }
}

fn summary(all: &Requests, window: u64) -> answer::Block {
    let per_ns = window;
    let facts = Facts {
        key: "summary",
        rows: vec![
            ("count", "requests", Cell::Count(all.count)),
            ("rate_per_s", "  rate", Cell::Rate { count: all.count, per_ns }),
            ("total_bytes", "bytes", Cell::Bytes(all.bytes)),
            ("per_second_bytes", "  per second", per_second(all.bytes, window)),
            ("errors", "errors", Cell::Count(all.errors)),
            ("open", "not completed", Cell::Count(all.open)),
            ("began_before", "begun before", Cell::Count(all.began_before)),
        ],
        ..Facts::default()
    };
    answer::Block::Facts(facts)
}

/// Bytes per second, rounded down.
fn per_second(bytes: u64, window: u64) -> Cell {
    let rate = u128::from(bytes) * 1_000_000_000 / u128::from(window.max(1));
    Cell::Bytes(u64::try_from(rate).unwrap_or(u64::MAX))
}

fn by_device(
    cx: &Context<'_>,
    key: &'static str,
    what: &'static str,
    devices: Vec<(u64, Requests)>,
    window: u64,
) -> Table {
    let mut columns = vec![
        (what, what),
        ("operation", "operation"),
        ("count", "requests"),
        ("rate_per_s", "rate"),
        ("total_bytes", "bytes"),
        ("per_second_bytes", "per second"),
        ("avg_bytes", "size"),
        ("sequential_percentage", "sequential"),
        ("merged_percentage", "merged"),
        ("errors", "errors"),
        ("open", "open"),
        ("open_max_ns", ""),
        ("began_before", ""),
    ];
    columns.extend(Requests::LATENCIES);
    let mut table = Table::main(key, &columns);
    table.title = format!("By {what} and operation");
    let mut rows = devices;
    rows.sort_by_key(|(key, requests)| (Reverse(requests.whole.total), *key));
    table.rows = rows
        .into_iter()
        .map(|(key, requests)| {
            let (count, per_ns) = (requests.count, window);
            let [device, op] = match key {
                u64::OTHERS => [Cell::others(), Cell::None],
                key => {
                    let device = cx.device_name((key >> 8) as u32);
                    [Cell::text(device), Cell::name(block_op::NAMES, key as u8)]
                }
            };
            let mut row = vec![
                device,
                op,
                Cell::Count(count),
                Cell::Rate { count, per_ns },
                Cell::Bytes(requests.bytes),
                per_second(requests.bytes, window),
                Cell::maybe(requests.bytes.checked_div(count), Cell::Bytes),
                Cell::Percent { part: requests.sequential, whole: count },
                Cell::Percent { part: requests.merged, whole: count },
                Cell::Count(requests.errors),
                Cell::Count(requests.open),
                Cell::DurNs(requests.open_max),
                Cell::Count(requests.began_before),
            ];
            row.extend(requests.latencies());
            row
        })
        .collect();
    table
}

fn processes(cx: &Context<'_>, threads: Vec<(u64, Requests)>) -> Table {
    let tasks = cx.tasks();
    let mut sums: BTreeMap<ProcessKey, Requests> = BTreeMap::new();
    for (key, requests) in threads {
        if requests.count + requests.open > 0 {
            sums.entry(tasks.process_of(ThreadKey(key))).or_default().fold(requests);
        }
    }
    let mut rows: Vec<(ProcessKey, Requests)> = sums.into_iter().collect();
    rows.sort_by_key(|(key, requests)| (Reverse(requests.whole.total), tasks.pid(*key), *key));
    let mut columns = task_cells::PROCESS.to_vec();
    columns.extend([
        ("count", "requests"),
        ("reads", "reads"),
        ("read_bytes", "read"),
        ("writes", "writes"),
        ("write_bytes", "written"),
        ("errors", "errors"),
        ("open", "open"),
        ("total_time_ns", "total"),
    ]);
    columns.extend(Requests::LATENCIES);
    let mut table = Table::main("processes", &columns);
    table.title = "By process".to_owned();
    table.rows = rows
        .into_iter()
        .map(|(key, requests)| {
            // Process 0 stands for requests that nobody is known to have made.
            let nobody = tasks.pid(key) == 0;
            let mut row = task_cells::process(cx, key);
            if nobody {
                row[2] = Cell::text("[block layer]");
            }
            row.extend([
                Cell::Count(requests.count),
                Cell::Count(requests.reads),
                Cell::Bytes(requests.read_bytes),
                Cell::Count(requests.writes),
                Cell::Bytes(requests.write_bytes),
                Cell::Count(requests.errors),
                Cell::Count(requests.open),
                Cell::DurNs(requests.whole.total),
            ]);
            row.extend(requests.latencies());
            row
        })
        .collect();
    table
}

fn notes(all: &Requests, by: By) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut about = |text: &str| notes.push(Note::new(NoteKind::About, text.to_owned()));
    if all.began_before > 0 {
        about(
            "requests that began before the recording count with their bytes, but not in times: when \
             they were issued is not known",
        );
    }
    if all.open > 0 {
        about("open: requests that had not completed when the recording stopped; not in counts");
    }
    if by == By::Process {
        about(
            "a request belongs to the thread that made it: data that was written into the page \
             cache is sent to the disk later, mostly by threads of the kernel",
        );
    }
    notes
}
