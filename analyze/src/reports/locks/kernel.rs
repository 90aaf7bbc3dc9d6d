//! Locks of the kernel.

use std::cmp::Reverse;

use ktape_schema::{lock_flag, lock_how};

use super::waits::{Kind, Longer, Waits};
use crate::answer::{Cell, Table};
use crate::context::Context;
use crate::run::{BoundedKey, Fold};
use crate::stack_names::StackNames;

/// A lock: its number in the recording, and the text id of its symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KernelKey {
    pub(super) lock: u32,
    pub(super) name: u32,
}

impl BoundedKey for KernelKey {
    const OTHERS: Self = Self { lock: u32::MAX, name: u32::MAX };
}

/// Waits for one of them.
#[derive(Clone, Debug, Default)]
pub(super) struct KernelWaits {
    waits: Waits,
    /// Duration and stack of the longest.
    longest: (u64, u32),
    how: u8,
    flags: u8,
}

impl KernelWaits {
    pub(super) fn add(&mut self, wait: Longer, longest: (u64, u32), how: u8, flags: u8) {
        self.waits.add(wait, Kind::Other, false);
        self.longest = self.longest.max(longest);
        self.how |= how;
        self.flags |= flags;
    }
}

impl Fold for KernelWaits {
    fn fold(&mut self, from: KernelWaits) {
        self.waits.merge(&from.waits);
        self.longest = self.longest.max(from.longest);
        self.how |= from.how;
        self.flags |= from.flags;
    }

    fn weight(&self) -> usize {
        self.waits.weight()
    }
}

/// The kind of lock as the kernel's documentation calls it (Documentation/locking).
fn kind(how: u8) -> &'static str {
    let is = |bits| how & bits == bits;
    let shared = how & (lock_how::READ | lock_how::WRITE) != 0;
    if is(lock_how::MUTEX) {
        "mutex"
    } else if is(lock_how::PERCPU) {
        "percpu_rwsem"
    } else if is(lock_how::RT) {
        "rt_mutex"
    } else if is(lock_how::SPIN) {
        if shared { "rwlock" } else { "spinlock" }
    } else if shared {
        "rwsem"
    } else {
        "semaphore"
    }
}

/// Beginnings of the names of functions that take a lock, not want one.
const TAKERS: &[&str] = &[
    "_raw_", "__raw_", "native_queued_", "queued_", "__pv_queued_", "pv_queued_", "do_raw_",
    "mutex_lock", "__mutex_lock", "mutex_optimistic", "ww_mutex_", "rwsem_", "down_", "__down", "down",
    "percpu_down", "__percpu_", "rt_mutex_", "__rt_mutex_", "rt_spin_", "schedule", "__schedule",
    "resilient_", "lock_mm_and_find_vma", "mmap_read_lock", "mmap_write_lock", "trace_contention",
];

/// The function that wanted the lock: the innermost one that is not about locking.
fn caller(names: &mut StackNames<'_>, kstack: u32) -> Cell {
    if kstack == 0 {
        return Cell::None;
    }
    let mut places = Vec::new();
    names.places(0, kstack, &mut places);
    let takes = |name: &[u8]| TAKERS.iter().any(|taker| name.starts_with(taker.as_bytes()));
    let found = places.iter().rev().map(|place| names.name(place.name)).find(|name| !takes(name));
    Cell::maybe(found, |name| Cell::Symbol(name.to_vec()))
}

/// How the lock is called.
fn name(cx: &Context<'_>, key: KernelKey, waits: &KernelWaits) -> Cell {
    if key == KernelKey::OTHERS {
        return Cell::others();
    }
    if key.name != 0 {
        return Cell::Symbol(cx.strings().get(key.name).to_vec());
    }
    if waits.flags & lock_flag::MMAP_LOCK != 0 {
        return Cell::text("mmap_lock");
    }
    if waits.flags & lock_flag::SIGLOCK != 0 {
        return Cell::text("siglock");
    }
    Cell::None
}

/// Rows shown unless --top asks for others.
const ROWS: usize = 10;

/// The table of all.
pub(super) fn table(cx: &Context<'_>, mut all: Vec<(KernelKey, KernelWaits)>, whole: u64) -> Table {
    let mut columns = vec![("lock", "lock"), ("name", "name"), ("kind", "kind"), ("caller", "wanted by")];
    columns.extend(Waits::COLUMNS);
    let mut table = Table::top("kernel_locks", &columns, ROWS);
    table.title = "Locks of the kernel".to_owned();
    all.sort_by_key(|(key, waits)| (Reverse(waits.waits.total), *key));
    let mut names = StackNames::new(cx);
    table.rows = all
        .iter()
        .map(|(key, waits)| {
            let number = (*key != KernelKey::OTHERS && key.lock != 0).then_some(key.lock);
            let mut row = vec![
                Cell::maybe(number, |lock| Cell::Count(lock.into())),
                name(cx, *key, waits),
                Cell::text(kind(waits.how)),
                caller(&mut names, waits.longest.1),
            ];
            row.extend(waits.waits.cells(whole));
            row
        })
        .collect();
    table
}

#[cfg(test)]
mod tests {
    use super::{kind, lock_how};

    #[test]
    fn kinds_have_the_names_of_the_documentation() {
        for (how, expected) in [
            (lock_how::SPIN, "spinlock"),
            (lock_how::SPIN | lock_how::READ, "rwlock"),
            (lock_how::MUTEX | lock_how::SPIN, "mutex"),
            (lock_how::READ, "rwsem"),
            (lock_how::PERCPU | lock_how::WRITE, "percpu_rwsem"),
            (lock_how::RT, "rt_mutex"),
            (0, "semaphore"),
        ] {
            assert_eq!(kind(how), expected);
        }
    }
}
