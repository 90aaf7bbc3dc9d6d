//! The probe `mem`: page faults, the memory of processes, and what the kernel allocates.

use crate::error::{Error, Result};
use crate::probe::{Attach, AttachPoint, Collect, Knob, KnobKind, Optional, Probe, Totals, Walk};
use aya::maps::{Map, MapData, PerCpuHashMap};
use ktape_format::schema::{AllocTotal, Desc, FaultTotal, MemoryUse, PageFault};
use rustc_hash::{FxHashMap, FxHashSet};

/// The value of a knob that is on.
const ALL: u64 = 1;

const fn tracepoint(program: &'static str, tracepoint: &'static str) -> Attach {
    Attach::TpBtf { program, tracepoint }
}

pub(super) const PROBE: Probe = Probe {
    name: "mem",
    about: "exact page faults with their stacks, memory of each process, allocations of the kernel",
    cost: "0.5 to 1 us per page fault, as much again with `kernel=all`",
    default: false,
    always: false,
    records: &[PageFault::DESC, FaultTotal::DESC, MemoryUse::DESC, AllocTotal::DESC],
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
            knob: ("times", ALL),
            point: AttachPoint {
                what: "a fault begins",
                alternatives: &[Attach::All(&[
                    tracepoint("mem_fault_user", "page_fault_user"),
                    tracepoint("mem_fault_kernel", "page_fault_kernel"),
                ])],
            },
        },
        Optional {
            knob: ("kernel", ALL),
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
    ],
    walks: &[Walk {
        program: "mem_use",
        over: "task",
        record: MemoryUse::DESC,
        at_start: true,
        every: Some("every"),
    }],
    maps: &["mem_sums"],
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
            name: "every",
            about: "how often the memory of each process is read (default 1s)",
            symbol: "",
            kind: KnobKind::Duration,
            default: 1_000_000_000,
        },
    ],
    totals: Some(Totals { maps: &["mem_sums"], collector }),
};

/// `struct mem_key`: the site or process, then stack and kind.
type Key = [u64; 2];

/// `struct mem_sum`: count, bytes, the site as a stack.
type Row = [u64; 3];

struct Sums {
    map: PerCpuHashMap<MapData, Key, Row>,
    seen: FxHashMap<Key, Row>,
    last: u64,
    gone: FxHashSet<u32>,
}

fn collector(map: Map) -> Result<Box<dyn Collect>> {
    let map = PerCpuHashMap::try_from(map).map_err(Error::kernel("open the map of memory sums"))?;
    let last = crate::clock::monotonic();
    Ok(Box::new(Sums { map, seen: FxHashMap::default(), last, gone: FxHashSet::default() }))
}

/// Stack and kind of a key, whose second half holds them in this order in memory.
fn halves(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]))
}

impl Collect for Sums {
    fn collect(&mut self, now: u64, gone: &[u32], rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        // What ended before the last read had its last fault before it, too.
        let ended = std::mem::take(&mut self.gone);
        let duration = now - self.last;
        let keys: Vec<Key> = self.map.keys().filter_map(|key| key.ok()).collect();
        for key in keys {
            let Ok(values) = self.map.get(&key, 0) else { continue };
            let mut sum: Row = [0; 3];
            for value in values.iter() {
                sum[0] += value[0];
                sum[1] += value[1];
                sum[2] = sum[2].max(value[2]);
            }
            let before = self.seen.insert(key, sum).unwrap_or_default();
            let (ustack, what) = halves(key[1]);
            let (count, bytes) = (sum[0] - before[0], sum[1] - before[1]);
            if count > 0 && what == 0 {
                let tgid = key[0] as u32;
                let row = FaultTotal { end: now, duration, count, tgid, ustack };
                rows(FaultTotal::DESC, &row.encode());
            } else if count > 0 {
                let site = sum[2] as u32;
                let row = AllocTotal { end: now, duration, count, bytes, site, what };
                rows(AllocTotal::DESC, &row.encode());
            }
            if what == 0 && ended.contains(&(key[0] as u32)) {
                self.map.remove(&key).ok();
                self.seen.remove(&key);
            }
        }
        self.gone.extend(gone);
        self.last = now;
    }
}
