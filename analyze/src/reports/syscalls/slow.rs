//! `Slow`: a single call that took long.

use std::cmp::Reverse;

use ktape_format::Batch;
use ktape_schema::{SyscallSlow, fact_flag};

use super::State;
use crate::answer::{Block, Cell};
use crate::context::{Context, ThreadKey};
use crate::errno::errno_name;
use crate::fact_list::{FactList, Row};
use crate::query::Filter;

/// A slow call, ordered by its duration, then by what else tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slow {
    duration: u64,
    /// Of calls as long, the one that ended first comes first.
    end: Reverse<u64>,
    thread: Reverse<u64>,
    nr: u32,
    ret: i64,
    ustack: u32,
    arg0: u32,
    cpu: u16,
    flags: u16,
}

impl Slow {
    pub(super) const COLUMNS: [&'static str; 10] =
        ["end", "duration", "ret", "tid", "tgid", "nr", "ustack", "cpu", "flags", "arg0"];

    pub(super) fn of(cx: &Context<'_>, batch: &Batch, row: usize) -> Self {
        let end = batch.u64("end")[row];
        let thread = cx.tasks().thread_key(batch.u32("tid")[row], batch.u32("tgid")[row], end);
        Self {
            duration: batch.u64("duration")[row],
            end: Reverse(end),
            thread: Reverse(thread.0),
            nr: batch.u32("nr")[row],
            ret: batch.i64("ret")[row],
            ustack: batch.u32("ustack")[row],
            arg0: batch.u32("arg0")[row],
            cpu: batch.u16("cpu")[row],
            flags: batch.u16("flags")[row],
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.flags & fact_flag::OPEN != 0
    }
}

/// Keys, and labels in text.
const COLUMNS: [(&str, &str); 14] = [
    ("duration_ns", "took"),
    ("open", ""),
    ("start_ns", "from"),
    ("end_ns", ""),
    ("syscall", "call"),
    ("class", ""),
    ("ret", "returned"),
    ("errno", "error"),
    ("arg0", "arg 0"),
    ("tid", "tid"),
    ("pid", "pid"),
    ("comm", "thread"),
    ("process", "process"),
    ("cpu", "cpu"),
];

/// The slow calls as blocks, open ones first; none when the trace has none.
pub(super) fn blocks(cx: &Context<'_>, filter: &Filter, state: &mut State) -> Vec<Block> {
    let open = std::mem::take(&mut state.open);
    let slow = std::mem::take(&mut state.slow);
    let all = open.added() + slow.added();
    if all == 0 {
        return Vec::new();
    }
    let mut list = FactList::new(cx, "slow_calls", &COLUMNS);
    for call in open.into_sorted().into_iter().chain(slow.into_sorted()) {
        list.push(row(cx, &call));
    }
    list.title = match threshold(cx, filter) {
        Some(threshold) => {
            format!("Slow calls: {all} of {} or more", Cell::DurNs(threshold).plain())
        }
        None => format!("Slow calls: {all}"),
    };
    list.not_kept = all - list.len() as u64;
    list.into_blocks("taken at the return of the call")
}

/// From what length on calls are listed.
fn threshold(cx: &Context<'_>, filter: &Filter) -> Option<u64> {
    let probes = cx.meta().probes.iter();
    let probe = probes.filter(|probe| probe.records.iter().any(|r| r == SyscallSlow::DESC.name));
    let knob = probe.flat_map(|probe| &probe.knobs).find(|(name, _)| name == "slow")?;
    let recorded = crate::query::parse_duration(&knob.1).ok()?;
    Some(recorded.max(filter.min_duration))
}

fn row(cx: &Context<'_>, call: &Slow) -> Row {
    let (thread, end) = (ThreadKey(call.thread.0), call.end.0);
    let name = cx.syscalls().name(call.nr);
    let returned = !call.is_open();
    let cells = vec![
        Cell::DurNs(call.duration),
        Cell::Bool(call.is_open()),
        Cell::Time(cx.offset(end.saturating_sub(call.duration))),
        Cell::Time(cx.offset(end)),
        Cell::text(&name),
        Cell::text(crate::syscall_class::SyscallClass::of(cx.syscalls(), call.nr).name()),
        Cell::maybe(returned.then_some(call.ret), Cell::Int),
        Cell::maybe(errno_name(call.ret).filter(|_| returned), Cell::text),
        Cell::Hex(call.arg0.into()),
        Cell::Tid(cx.tasks().tid(thread)),
        Cell::Pid(cx.tasks().tgid(thread)),
        Cell::text(cx.thread_comm_at(thread, end)),
        Cell::text(cx.process_comm(cx.tasks().process_of(thread))),
        Cell::maybe(returned.then_some(call.cpu), |cpu| Cell::Cpu(cpu.into())),
    ];
    Row {
        cells,
        mark: if call.is_open() { "open" } else { "" },
        comm: cx.thread_comm_at(thread, end).to_vec(),
        ustack: call.ustack,
        kstack: 0,
    }
}
