//! The probe `mem`: page faults, the memory of processes, and what the kernel allocates.

use crate::departed::Departed;
use crate::error::Result;
use crate::heap;
use crate::probe::{Attach, AttachPoint, Collect, Knob, KnobKind, Optional, Probe, Totals, Walk};
use crate::table::Table;
use aya::maps::Map;
use ktape_format::schema::{AllocTotal, Desc, FaultTotal, HeapTotal, MemoryUse, PageFault};
use rustc_hash::FxHashMap;

/// The value of a knob that is on.
const ALL: u64 = 1;

const fn tracepoint(program: &'static str, tracepoint: &'static str) -> Attach {
    Attach::TpBtf { program, tracepoint }
}

pub(super) const PROBE: Probe = Probe {
    name: "mem",
    about: "exact page faults with their stacks, memory of each process, allocations of the kernel",
    cost: "1 to 3 us per page fault, as much again with `kernel=all`; `heap=all`: 15 us per malloc \
           or free of every process, nearly all of it for the traps",
    default: false,
    always: false,
    records: &[
        PageFault::DESC,
        FaultTotal::DESC,
        MemoryUse::DESC,
        AllocTotal::DESC,
        HeapTotal::DESC,
    ],
    attach: &[
        AttachPoint {
            what: "a page is read in for a fault",
            alternatives: &[Attach::PageFaults { program: "mem_major", major: true }],
        },
        AttachPoint {
            what: "a page is mapped for a fault",
            alternatives: &[Attach::PageFaults { program: "mem_minor", major: false }],
        },
    ],
    optional: &[
        Optional {
            knob: ("times", &[ALL]),
            point: AttachPoint {
                what: "a fault begins",
                alternatives: &[Attach::All(&[
                    tracepoint("mem_fault_user", "page_fault_user"),
                    tracepoint("mem_fault_kernel", "page_fault_kernel"),
                ])],
            },
        },
        Optional {
            knob: ("kernel", &[ALL]),
            point: AttachPoint {
                what: "the kernel allocates and frees",
                alternatives: &[Attach::All(&[
                    tracepoint("mem_kfree", "kfree"),
                    tracepoint("mem_kmalloc", "kmalloc"),
                    tracepoint("mem_cache_free", "kmem_cache_free"),
                    tracepoint("mem_cache_alloc", "kmem_cache_alloc"),
                    tracepoint("mem_page_free", "mm_page_free"),
                    tracepoint("mem_page_alloc", "mm_page_alloc"),
                ])],
            },
        },
        Optional {
            knob: ("heap", &[ALL]),
            point: AttachPoint {
                what: "a program allocates or frees by its C library",
                alternatives: &[heap::FUNCTIONS],
            },
        },
    ],
    walks: &[Walk {
        program: "mem_use",
        over: "task",
        record: MemoryUse::DESC,
        at_start: true,
        every: Some("every"),
    }],
    maps: &["mem_sums", "mem_rests", "heap_sums", "heap_blocks", "heap_callers"],
    needs: &[],
    knobs: &[
        Knob {
            name: "stacks",
            about: "take the user stacks of faults: `all` (default) or `none`",
            symbol: "mem_stacks",
            kind: KnobKind::Choice(&[("none", 0), ("all", 1)]),
            default: 1,
        },
        Knob {
            name: "times",
            about: "how long major faults take (x86): `all` (default) or `none`",
            symbol: "",
            kind: KnobKind::Choice(&[("none", 0), ("all", ALL)]),
            default: ALL,
        },
        Knob {
            name: "kernel",
            about: "what the kernel allocates, by call site: `none` (default) or `all`",
            symbol: "",
            kind: KnobKind::Choice(&[("none", 0), ("all", ALL)]),
            default: 0,
        },
        Knob {
            name: "heap",
            about: "malloc and free of the C library, with what lives by stack: `none` (default) or `all`",
            symbol: "",
            kind: KnobKind::Choice(&[("none", 0), ("all", ALL)]),
            default: 0,
        },
        Knob {
            name: "heap_stacks",
            about: "take the user stacks of allocations: `all` (default) or `none`",
            symbol: "mem_heap_stacks",
            kind: KnobKind::Choice(&[("none", 0), ("all", ALL)]),
            default: ALL,
        },
        Knob {
            name: "every",
            about: "how often the memory of each process is read (default 1s)",
            symbol: "",
            kind: KnobKind::Duration,
            default: 1_000_000_000,
        },
    ],
    totals: &[Totals { maps: &["mem_sums", "mem_rests"], collector }, heap::SUMS, heap::BLOCKS],
};

/// Words of `struct mem_key`: the site (two) or process, stack, kind.
const KEY: usize = 4;

/// `struct mem_sum`: count, bytes, the site as a stack.
type Row = [u64; 3];

struct Sums {
    /// By place, and without it; each with what was read of it.
    tables: [(Table<KEY, 3>, FxHashMap<[u32; KEY], Row>); 2],
    last: u64,
    departed: Departed,
}

fn collector(maps: &[Map]) -> Result<Box<dyn Collect>> {
    Ok(Box::new(Sums {
        tables: [
            (Table::new(&maps[0])?, FxHashMap::default()),
            (Table::new(&maps[1])?, FxHashMap::default()),
        ],
        last: crate::clock::monotonic(),
        departed: Departed::default(),
    }))
}

impl Collect for Sums {
    fn collect(&mut self, now: u64, gone: &[u32], rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        let Self { tables, last, departed } = self;
        let ended = departed.turn(gone);
        let duration = now - *last;
        for (table, seen) in tables {
            table.each(|key, values| {
                let mut sum: Row = [0; 3];
                for value in values {
                    sum[0] += value[0];
                    sum[1] += value[1];
                    sum[2] = sum[2].max(value[2]);
                }
                let before = seen.insert(key, sum).unwrap_or_default();
                let [tgid, _, ustack, what] = key;
                let (count, bytes) = (sum[0] - before[0], sum[1] - before[1]);
                if count > 0 && what == 0 {
                    let row = FaultTotal { end: now, duration, count, tgid, ustack };
                    rows(FaultTotal::DESC, &row.encode());
                } else if count > 0 {
                    let site = sum[2] as u32;
                    let row = AllocTotal { end: now, duration, count, bytes, site, what };
                    rows(AllocTotal::DESC, &row.encode());
                }
                if what == 0 && ended.contains(&tgid) {
                    if count == 0 {
                        table.remove(&key);
                        seen.remove(&key);
                    } else {
                        departed.keep(tgid);
                    }
                }
            });
        }
        *last = now;
    }
}
