//! Waits that had not ended when the recording stopped.

use std::cmp::Reverse;

use super::waits::{Kind, Longer};
use crate::answer::{Cell, Table};
use crate::context::{Context, ThreadKey};
use crate::task_cells;

/// An open wait; those for locks above others, then by length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Open {
    kind: Reverse<Kind>,
    wait: Longer,
    thread: Reverse<u64>,
    end: Reverse<u64>,
    address: u64,
    began_before: bool,
}

impl Open {
    pub(super) fn new(
        kind: Kind,
        wait: Longer,
        thread: u64,
        end: u64,
        address: u64,
        began_before: bool,
    ) -> Open {
        let (kind, thread, end) = (Reverse(kind), Reverse(thread), Reverse(end));
        Open { kind, wait, thread, end, address, began_before }
    }
}

/// Rows shown unless --top asks for others.
const ROWS: usize = 10;

/// The table of them.
pub(super) fn table(cx: &Context<'_>, open: &[Open]) -> Table {
    let mut columns = task_cells::THREAD.to_vec();
    columns.extend([
        ("kind", "kind"),
        ("address", "word"),
        ("duration_ns", "waited"),
        ("began_before", "since before"),
        ("owner_tid", "owner"),
        ("owner_comm", "owner's name"),
    ]);
    let mut table = Table::top("open", &columns, ROWS);
    table.title = "Still waiting at the end".to_owned();
    table.rows = open
        .iter()
        .map(|open| {
            let mut row = task_cells::thread(cx, ThreadKey(open.thread.0));
            row.extend([
                Cell::text(open.kind.0.name()),
                Cell::Hex(open.address),
                Cell::DurNs(open.wait.duration),
                Cell::Bool(open.began_before),
            ]);
            row.extend(who(cx, open.wait.owner, open.end.0));
            row
        })
        .collect();
    table
}

/// Number and name of a thread (key plus 1, 0 for nobody) at a time.
pub(super) fn who(cx: &Context<'_>, key: u64, time: u64) -> [Cell; 2] {
    match key.checked_sub(1).map(ThreadKey) {
        Some(key) => {
            [Cell::Tid(cx.tasks().tid(key)), Cell::text(cx.thread_comm_at(key, time))]
        }
        None => [Cell::None, Cell::None],
    }
}
