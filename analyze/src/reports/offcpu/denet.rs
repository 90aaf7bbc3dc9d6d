//! The fields that denet gives for off-CPU time, as a subset of this report's JSON: denet is a monitor
//! of processes, and what reads its output can read this.
//!
//! denet 0.7 (`ebpf.offcpu`): total_time_ns, total_events, avg_time_ns, max_time_ns, min_time_ns,
//! top_blocking_threads, thread_stats, and an analysis that it defines and never fills.

use std::collections::BTreeMap;

use super::waits::Waits;
use crate::answer::{Block, Cell, Facts, Group, Shape, Show, Table};
use crate::wait_class::WaitClass;

/// The summary over all waits: `summary` in JSON.
pub(super) fn summary(all: &Waits, threads: &BTreeMap<(u32, u32), Waits>) -> Block {
    let facts = Facts {
        rows: vec![
            ("total_time_ns", "off-CPU time", Cell::DurNs(all.total)),
            ("total_events", "waits", Cell::Count(all.count)),
            ("avg_time_ns", "average", Cell::DurNs(all.average())),
            ("max_time_ns", "longest", Cell::DurNs(all.max)),
            ("min_time_ns", "shortest", Cell::DurNs(all.min())),
            ("runq_ns", "runnable, no CPU", Cell::DurNs(all.runq)),
        ],
        ..Facts::default()
    };
    let mut blocks = vec![Block::Facts(facts), Block::Facts(bottleneck(all))];
    blocks.push(Block::Table(top(all, threads)));
    blocks.push(Block::Table(stats(threads)));
    Block::Group(Group { key: "summary", blocks, show: Show::All })
}

fn top(all: &Waits, threads: &BTreeMap<(u32, u32), Waits>) -> Table {
    let mut order: Vec<_> = threads.iter().collect();
    order.sort_by_key(|(id, waits)| (std::cmp::Reverse(waits.total), **id));
    let columns = [("tid", ""), ("pid", ""), ("time_ms", ""), ("percentage", "")];
    let mut table = Table::plain("top_blocking_threads", &columns);
    table.show = Show::Json;
    table.rows = order
        .into_iter()
        .take(10)
        .map(|(&(pid, tid), waits)| {
            vec![
                Cell::Tid(tid),
                Cell::Pid(pid),
                Cell::Millis(waits.total),
                Cell::Percent { part: waits.total, whole: all.total },
            ]
        })
        .collect();
    table
}

fn stats(threads: &BTreeMap<(u32, u32), Waits>) -> Table {
    let columns = [
        ("key", ""),
        ("tid", ""),
        ("total_time_ns", ""),
        ("count", ""),
        ("avg_time_ns", ""),
        ("max_time_ns", ""),
        ("min_time_ns", ""),
    ];
    let mut table = Table::plain("thread_stats", &columns);
    (table.shape, table.show) = (Shape::Map, Show::Json);
    table.rows = threads
        .iter()
        .map(|(&(pid, tid), waits)| {
            vec![
                Cell::text(format!("{pid}:{tid}")),
                Cell::Tid(tid),
                Cell::DurNs(waits.total),
                Cell::Count(waits.count),
                Cell::DurNs(waits.average()),
                Cell::DurNs(waits.max),
                Cell::DurNs(waits.min()),
            ]
        })
        .collect();
    table
}

/// What most of the waiting is for, in shares of all off-CPU time: the class with more than half of
/// it; `mixed` when two classes have a fifth or more each; else `unknown`.
fn bottleneck(all: &Waits) -> Facts {
    let (io, lock, sleep) =
        (all.class(WaitClass::Io), all.class(WaitClass::Lock), all.class(WaitClass::Sleep));
    let more_than_half = |part: u64| u128::from(part) * 2 > u128::from(all.total);
    let a_fifth = |part: u64| all.total > 0 && u128::from(part) * 5 >= u128::from(all.total);
    let kind = if more_than_half(io) {
        "io_blocked"
    } else if more_than_half(lock) {
        "lock_contention"
    } else if more_than_half(sleep) {
        "sleep"
    } else if [io, lock, sleep].into_iter().filter(|&part| a_fifth(part)).count() >= 2 {
        "mixed"
    } else {
        "unknown"
    };
    let share = |part| Cell::Percent { part, whole: all.total };
    Facts {
        key: "bottleneck",
        rows: vec![
            ("bottleneck_type", "", Cell::text(kind)),
            ("io_wait_percentage", "in io", share(io)),
            ("lock_contention_percentage", "in futex or lock", share(lock)),
            ("sleep_percentage", "sleeping", share(sleep)),
        ],
        show: Show::All,
    }
}
