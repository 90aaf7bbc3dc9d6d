//! CPU time within the recording, from what the scheduler counted.

use crate::context::{Context, Process, Thread};

/// CPU time of a thread within the recording, ns. `None` when it cannot be told.
///
/// The last reading of the scheduler's cumulative counter (at the thread's exit, else at the stop of
/// the recording), minus the first one (at the start of the recording) for a thread that was there
/// before. A thread that was born within the recording began at 0. One that was there before and was
/// read only once (its exit) has no difference to give.
pub(crate) fn of_thread(cx: &Context<'_>, thread: &Thread) -> Option<u64> {
    let last = thread.last_usage?;
    if thread.start >= cx.start() {
        return Some(last.run);
    }
    let first = thread.first_usage.filter(|first| first.time < last.time)?;
    Some(last.run.saturating_sub(first.run))
}

/// CPU time of a process within the recording: the sum over its threads of which it is known. `None`
/// when it is known of none.
pub(crate) fn of_process(cx: &Context<'_>, process: &Process) -> Option<u64> {
    let threads = cx.tasks().threads();
    let times =
        process.threads.iter().filter_map(|&index| of_thread(cx, threads.get(index as usize)?));
    times.reduce(u64::saturating_add)
}
