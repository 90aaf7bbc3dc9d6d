//! Single operations, one by one.

use ktape_schema::{file_kind, io_flag, io_op};

use super::answer::file;
use super::{Call, MOST};
use crate::answer::{Block, Cell};
use crate::context::{Context, ThreadKey};
use crate::errno::errno_name;
use crate::fact_list::{FactList, Row};
use crate::run::Longest;

/// Keys, and labels in text.
const COLUMNS: [(&str, &str); 22] = [
    ("duration_ns", "took"),
    ("open", ""),
    ("began_before", ""),
    ("start_ns", "from"),
    ("end_ns", ""),
    ("tid", "tid"),
    ("pid", "pid"),
    ("comm", "thread"),
    ("process", ""),
    ("operation", ""),
    ("syscall", "call"),
    ("io_bytes", "bytes"),
    ("requested_bytes", "of"),
    ("offset", "at"),
    ("error", "error"),
    ("path", "file"),
    ("kind", ""),
    ("inode", ""),
    ("device", "device"),
    ("fs", "type"),
    ("direct", ""),
    ("sync", ""),
];

pub(super) fn blocks(
    cx: &Context<'_>,
    open: Longest<Call, MOST>,
    over: Longest<Call, MOST>,
) -> Vec<Block> {
    let added = open.added() + over.added();
    let mut list = FactList::new(cx, "calls", &COLUMNS);
    for call in [open, over].into_iter().flat_map(Longest::into_sorted) {
        list.push(row(cx, &call));
    }
    list.title = "Slowest".to_owned();
    list.not_kept = added.saturating_sub(list.len() as u64);
    list.into_blocks("where the program called")
}

fn row(cx: &Context<'_>, call: &Call) -> Row {
    let tasks = cx.tasks();
    let (thread, end) = (ThreadKey(call.thread.0), call.end.0);
    let comm = cx.thread_comm_at(thread, end);
    let open = call.is_open();
    let before = call.is(io_flag::BEGAN_BEFORE);
    let known = call.kind != file_kind::NONE;
    let error = (call.error != 0).then(|| match errno_name(-i64::from(call.error)) {
        Some(name) => name.to_owned(),
        None => call.error.to_string(),
    });
    let cells = vec![
        Cell::DurNs(call.duration),
        Cell::Bool(open),
        Cell::Bool(before),
        Cell::Time(cx.offset(end.saturating_sub(call.duration))),
        Cell::Time(cx.offset(end)),
        Cell::Tid(tasks.tid(thread)),
        Cell::Pid(tasks.tgid(thread)),
        Cell::text(comm),
        Cell::text(cx.process_comm(tasks.process_of(thread))),
        Cell::name(io_op::NAMES, call.op),
        Cell::text(cx.syscalls().name(call.nr.into())),
        Cell::Bytes(call.bytes),
        Cell::Bytes(call.requested),
        Cell::maybe((call.offset >= 0).then_some(call.offset), Cell::Int),
        Cell::maybe(error, Cell::text),
        Cell::Text(file(cx, call.path, call.kind)),
        Cell::name(file_kind::NAMES, call.kind),
        Cell::maybe(known.then_some(call.inode), Cell::Count),
        Cell::maybe(known.then_some(call.device), |device| Cell::text(cx.device_name(device))),
        Cell::text(cx.strings().get(call.fs)),
        Cell::Bool(call.is(io_flag::DIRECT)),
        Cell::Bool(call.is(io_flag::SYNC)),
    ];
    let mark = match (open, before) {
        (true, true) => "open, began before",
        (true, false) => "open",
        (false, true) => "began before",
        (false, false) => "",
    };
    Row { cells, mark, comm: comm.to_vec(), ustack: call.ustack, kstack: call.kstack }
}
