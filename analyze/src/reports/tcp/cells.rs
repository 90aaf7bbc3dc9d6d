//! Cells that several tables of the answer share.

use crate::answer::Cell;
use crate::context::{Context, ProcessKey};
use crate::run::LogHistogram;
use crate::task_cells;

/// The key of a process; a socket without one says 0.
pub(super) fn process_key(cx: &Context<'_>, tgid: u32, time: u64) -> Option<u64> {
    (tgid != 0).then(|| cx.tasks().process_key(tgid, time).0)
}

/// The cells of [`task_cells::PROCESS`].
pub(super) fn process(cx: &Context<'_>, key: Option<u64>) -> Vec<Cell> {
    match key {
        Some(key) => task_cells::process(cx, ProcessKey(key)),
        None => vec![Cell::None, Cell::None, Cell::text("[unknown]")],
    }
}

/// An address, or nothing.
pub(super) fn address(cx: &Context<'_>, id: u32) -> Cell {
    match cx.strings().get(id) {
        [] => Cell::None,
        text => Cell::text(text),
    }
}

/// The name of an errno.h number, or the number; nothing for 0.
pub(super) fn error(error: u32) -> Cell {
    match crate::errno::errno_name(-i64::from(error)) {
        _ if error == 0 => Cell::None,
        Some(name) => Cell::text(name),
        None => Cell::text(error.to_string()),
    }
}

/// Microseconds, where they are known.
pub(super) fn micros(us: u32) -> Cell {
    Cell::maybe((us > 0).then(|| u64::from(us) * 1000), Cell::DurNs)
}

/// A percentile, where there are values.
pub(super) fn percentile(of: &LogHistogram, per_mille: u64) -> Cell {
    Cell::maybe((of.count() > 0).then(|| of.percentile(per_mille)), Cell::DurNs)
}

/// The largest value, where there is one.
pub(super) fn max(of: &LogHistogram) -> Cell {
    Cell::maybe((of.count() > 0).then(|| of.max()), Cell::DurNs)
}
