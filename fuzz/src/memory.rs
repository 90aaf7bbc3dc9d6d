//! The allocator of all targets: taking too much is a finding, also where no page of it is touched.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Most bytes that one allocation may have: the longest chunk (FORMAT.md) and some more.
const MOST_AT_ONCE: usize = 96 << 20;
/// Most bytes that there may be at any time: what tests/hostile.rs gives a process.
const MOST: usize = 512 << 20;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
/// Set when the process is ending: what tells of it takes memory, too.
static ENDING: AtomicBool = AtomicBool::new(false);

struct Bounded;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

#[expect(unsafe_code, reason = "an allocator")]
// SAFETY: every call goes to the system's allocator with what the caller gave.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(place, layout, size) }
    }
}

fn take(size: usize) {
    let taken = TAKEN.fetch_add(size, Ordering::Relaxed) + size;
    if (size > MOST_AT_ONCE || taken > MOST) && !ENDING.swap(true, Ordering::Relaxed) {
        let backtrace = Backtrace::force_capture();
        eprintln!("an allocation of {size} bytes makes {taken}\n{backtrace}");
        std::process::abort();
    }
}
