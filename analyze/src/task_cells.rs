//! The cells that say which process or thread a row is about.

use crate::answer::Cell;
use crate::context::{Context, ProcessKey, ThreadKey};

/// Columns of [`process`].
pub(crate) const PROCESS: [(&str, &str); 3] =
    [("pid", "pid"), ("start_ns", ""), ("comm", "process")];

/// Number, start and name of a process.
pub(crate) fn process(cx: &Context<'_>, key: ProcessKey) -> Vec<Cell> {
    vec![
        Cell::Pid(cx.tasks().pid(key)),
        Cell::maybe(cx.tasks().process(key), |process| Cell::Time(cx.offset(process.start))),
        Cell::text(cx.process_comm(key)),
    ]
}

/// Columns of [`thread`].
pub(crate) const THREAD: [(&str, &str); 4] =
    [("tid", "tid"), ("pid", "pid"), ("start_ns", ""), ("comm", "thread")];

/// Number, process, start and name of a thread.
pub(crate) fn thread(cx: &Context<'_>, key: ThreadKey) -> Vec<Cell> {
    vec![
        Cell::Tid(cx.tasks().tid(key)),
        Cell::Pid(cx.tasks().tgid(key)),
        Cell::maybe(cx.tasks().thread(key), |thread| Cell::Time(cx.offset(thread.start))),
        Cell::text(cx.thread_comm(key)),
    ]
}
