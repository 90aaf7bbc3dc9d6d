//! The tables of the answer beside the main one.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_schema::{tcp_reset_direction, tcp_reset_reason, tcp_retransmit_kind, tcp_state_code};

use super::State;
use super::cells;
use super::events::{Change, Reset};
use super::group::Group;
use super::totals::Totals;
use crate::answer::{Block, Cell, Show, Table};
use crate::context::Context;
use crate::run::{Bounded, BoundedKey};

/// A table as a block; in text only with rows in it.
fn block(table: Table) -> Block {
    let show = if table.rows.is_empty() { Show::Json } else { Show::All };
    Block::Table(Table { show, ..table })
}

fn titled(key: &'static str, title: &str, columns: &[(&'static str, &'static str)]) -> Table {
    Table { title: title.to_owned(), ..Table::plain(key, columns) }
}

/// Segments sent again, by kind.
pub(super) fn retransmits(whole: &Group) -> Block {
    let columns = [("kind", "kind"), ("segments", "segments"), ("percentage", "share")];
    let mut table = titled("retransmits", "Retransmits", &columns);
    let all = whole.retransmits.all();
    for (&(code, name), &segments) in
        tcp_retransmit_kind::NAMES.iter().zip(&whole.retransmits.segments)
    {
        debug_assert_eq!(tcp_retransmit_kind::NAMES[code as usize].0, code);
        if segments > 0 {
            let share = Cell::Percent { part: segments, whole: all };
            table.rows.push(vec![Cell::text(name), Cell::Count(segments), share]);
        }
    }
    block(table)
}

/// Resets, by direction, reason and state.
pub(super) fn resets(state: &mut State) -> Block {
    let columns = [
        ("direction", "way"),
        ("reason", "reason"),
        ("state", "state"),
        ("count", "resets"),
        ("without_socket", "no socket"),
    ];
    let mut table = titled("resets", "Resets", &columns);
    let mut all: Vec<_> = std::mem::take(&mut state.resets)
        .into_sorted()
        .into_iter()
        .filter(|(key, _)| *key != u64::OTHERS)
        .collect();
    all.sort_by_key(|(key, reset)| (Reverse(reset.count), *key));
    for (key, reset) in all {
        let [direction, reason, last] = Reset::parts(key);
        table.rows.push(vec![
            Cell::name(tcp_reset_direction::NAMES, direction),
            Cell::name(tcp_reset_reason::NAMES, reason),
            Cell::name(tcp_state_code::NAMES, last),
            Cell::Count(reset.count),
            Cell::Count(reset.strays),
        ]);
    }
    block(table)
}

/// Attempts to connect that failed, by peer and error.
pub(super) fn failures(cx: &Context<'_>, state: &mut State) -> Block {
    let columns = [
        ("remote", "to"),
        ("error", "error"),
        ("count", "attempts"),
        ("avg_ns", "average"),
        ("max_ns", "longest"),
    ];
    let mut table = titled("failed_connects", "Failed connects", &columns);
    let mut all: Vec<_> = std::mem::take(&mut state.failures)
        .into_sorted()
        .into_iter()
        .filter(|(key, _)| *key != <(u64, u32)>::OTHERS)
        .collect();
    all.sort_by_key(|((remote, error), failures)| (Reverse(failures.count), *remote, *error));
    for ((remote, error), failures) in all {
        table.rows.push(vec![
            cells::address(cx, u32::try_from(remote).unwrap_or(0)),
            cells::error(error),
            Cell::Count(failures.count),
            Cell::DurNs(failures.total / failures.count.max(1)),
            Cell::DurNs(failures.max),
        ]);
    }
    block(table)
}

/// Listeners, with their accept queues.
pub(super) fn listeners(cx: &Context<'_>, state: &mut State) -> Block {
    let mut columns = crate::task_cells::PROCESS.to_vec();
    columns.extend([
        ("local", "listens on"),
        ("backlog", "waiting"),
        ("most_backlog", "most"),
        ("max_backlog", "limit"),
        ("full_samples", "full"),
        ("samples", "samples"),
        ("netns", ""),
        ("connection", ""),
    ]);
    let mut table = titled("listeners", "Listeners and their accept queues", &columns);
    for (key, samples) in std::mem::take(&mut state.listeners).into_sorted() {
        let Some(last) = samples.last.as_ref().filter(|_| key != u64::OTHERS) else { continue };
        let mut row = cells::process(cx, last.process);
        row.extend([
            cells::address(cx, last.local),
            Cell::Count(last.backlog.into()),
            Cell::Count(samples.most_backlog.into()),
            Cell::Count(last.max_backlog.into()),
            Cell::Count(samples.full),
            Cell::Count(samples.count),
            Cell::Count(last.netns.into()),
            Cell::Count(key),
        ]);
        table.rows.push(row);
    }
    block(table)
}

/// Time in each state, and changes from state to state.
pub(super) fn states(changes: Bounded<u64, Change, 4096>) -> [Block; 2] {
    let numbers =
        [("count", "times"), ("total_ns", "total"), ("avg_ns", "average"), ("max_ns", "longest")];
    let row = |change: &Change| {
        [
            Cell::Count(change.count),
            Cell::DurNs(change.total),
            Cell::DurNs(change.total / change.count.max(1)),
            Cell::DurNs(change.max),
        ]
    };
    let mut columns = vec![("state", "state")];
    columns.extend(numbers);
    let mut states = titled("states", "Time in states, of changes out of them", &columns);
    let mut columns = vec![("from", "from"), ("to", "to")];
    columns.extend(numbers);
    let mut transitions = titled("transitions", "Changes of state", &columns);
    let mut sums: BTreeMap<u64, Change> = BTreeMap::new();
    for (key, change) in changes.into_sorted() {
        let [old, new] = Change::parts(key);
        // No time is spent in CLOSE: no socket there is watched.
        if old != u64::from(tcp_state_code::CLOSE) {
            crate::run::Fold::fold(sums.entry(old).or_default(), change);
        }
        let mut cells = vec![
            Cell::name(tcp_state_code::NAMES, old),
            Cell::name(tcp_state_code::NAMES, new),
        ];
        cells.extend(row(&change));
        transitions.rows.push(cells);
    }
    for (state, change) in sums {
        let mut cells = vec![Cell::name(tcp_state_code::NAMES, state)];
        cells.extend(row(&change));
        states.rows.push(cells);
    }
    [block(states), block(transitions)]
}

/// What the kernel counted, per network namespace: in text those that are not 0, one by one.
pub(super) fn totals(state: &mut State) -> Vec<Block> {
    let mut columns = vec![("netns", ""), ("duration_ns", "")];
    columns.extend(Totals::COUNTERS.map(|(field, _)| (field, "")));
    let mut table = Table { show: Show::Json, ..Table::plain("counters", &columns) };
    let list = [("netns", "namespace"), ("counter", "counted by the kernel"), ("count", "count")];
    let mut text = Table { show: Show::Text, ..titled("counters", "Counters", &list) };
    for (netns, totals) in std::mem::take(&mut state.totals).into_sorted() {
        let mut row = vec![Cell::Count(netns), Cell::DurNs(totals.duration)];
        row.extend(totals.counts.map(Cell::Count));
        table.rows.push(row);
        for ((_, label), &count) in Totals::COUNTERS.iter().zip(&totals.counts) {
            if count > 0 {
                let row = vec![Cell::Count(netns), Cell::text(label), Cell::Count(count)];
                text.rows.push(row);
            }
        }
    }
    let mut blocks = vec![Block::Table(table)];
    if !text.rows.is_empty() {
        blocks.push(Block::Table(text));
    }
    blocks
}
