//! The part of the probe `mem` that follows malloc(3) and free(3) of C libraries.

use crate::departed::Departed;
use crate::error::Result;
use crate::probe::{Attach, Collect, Totals};
use crate::table::Table;
use aya::maps::Map;
use ktape_format::schema::{Desc, HeapTotal};
use rustc_hash::{FxHashMap, FxHashSet};
use std::time::{Duration, Instant};

/// The sums by stack.
pub(crate) const SUMS: Totals = Totals { maps: &["heap_sums"], collector: sums };

/// What lives.
pub(crate) const BLOCKS: Totals = Totals { maps: &["heap_blocks"], collector: blocks };

const fn libc(program: &'static str, function: &'static str) -> Attach {
    Attach::Uprobe { program, library: "libc", function, at_return: false }
}

const fn libc_return(function: &'static str) -> Attach {
    Attach::Uprobe { program: "heap_return", library: "libc", function, at_return: true }
}

/// All that allocates and frees. Each return before its entry, so that no entry goes without.
pub(crate) const FUNCTIONS: Attach = Attach::All(&[
    libc_return("malloc"),
    libc_return("calloc"),
    libc_return("realloc"),
    libc_return("memalign"),
    libc_return("aligned_alloc"),
    libc_return("posix_memalign"),
    libc("heap_malloc", "malloc"),
    libc("heap_calloc", "calloc"),
    libc("heap_realloc", "realloc"),
    libc("heap_memalign", "memalign"),
    libc("heap_memalign", "aligned_alloc"),
    libc("heap_posix_memalign", "posix_memalign"),
    libc("heap_free", "free"),
]);

/// Words of `struct heap_sum_key`: process, image, stack, 0.
const KEY: usize = 4;

/// `struct heap_sum`: count, bytes, frees, freed bytes, unknown frees.
type Row = [u64; 5];

fn sums(maps: &[Map]) -> Result<Box<dyn Collect>> {
    Ok(Box::new(Sums {
        table: Table::new(&maps[0])?,
        seen: FxHashMap::default(),
        last: crate::clock::monotonic(),
        departed: Departed::default(),
    }))
}

fn blocks(maps: &[Map]) -> Result<Box<dyn Collect>> {
    Ok(Box::new(Blocks {
        table: Table::new(&maps[0])?,
        departed: Departed::default(),
        waiting: FxHashSet::default(),
        swept: Instant::now(),
    }))
}

struct Sums {
    table: Table<KEY, 5>,
    seen: FxHashMap<[u32; KEY], Row>,
    last: u64,
    departed: Departed,
}

impl Collect for Sums {
    fn collect(&mut self, now: u64, gone: &[u32], rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        let Self { table, seen, last, departed } = self;
        let ended = departed.turn(gone);
        let duration = now - *last;
        table.each(|key, values| {
            let mut sum: Row = [0; 5];
            for value in values {
                sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += value);
            }
            let before = seen.insert(key, sum).unwrap_or_default();
            let [tgid, image, ustack, _] = key;
            if sum != before {
                let row = HeapTotal {
                    end: now,
                    duration,
                    count: sum[0] - before[0],
                    bytes: sum[1] - before[1],
                    frees: sum[2] - before[2],
                    freed_bytes: sum[3] - before[3],
                    unknown_frees: sum[4] - before[4],
                    tgid,
                    ustack,
                    image,
                    flags: 0,
                };
                rows(HeapTotal::DESC, &row.encode());
            }
            if ended.contains(&tgid) {
                if sum == before {
                    table.remove(&key);
                    seen.remove(&key);
                } else {
                    departed.keep(tgid);
                }
            }
        });
        *last = now;
    }
}

/// How often what ended processes have left in the map of blocks is swept out: each time takes a
/// look at all that lives, a second for a million.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Keeps the map of blocks free of ended processes. It makes no rows.
struct Blocks {
    table: Table<4, 2>,
    departed: Departed,
    waiting: FxHashSet<u32>,
    swept: Instant,
}

impl Collect for Blocks {
    fn collect(&mut self, _: u64, gone: &[u32], _: &mut dyn FnMut(&'static Desc, &[u8])) {
        self.waiting.extend(self.departed.turn(gone));
        if self.waiting.is_empty() || self.swept.elapsed() < SWEEP_EVERY {
            return;
        }
        self.swept = Instant::now();
        let ended = std::mem::take(&mut self.waiting);
        // `struct heap_key`: the address in two words, process, image.
        self.table.each(|key, _| {
            if ended.contains(&key[2]) {
                self.table.remove(&key);
            }
        });
    }
}
