//! The probe `syscalls`: exact counts and times, added up in the kernel.

use crate::error::{Error, Result};
use crate::probe::{Attach, AttachPoint, Collect, Knob, KnobKind, PREEMPTED, Probe, Totals, Walk};
use aya::maps::{Map, MapData, PerCpuHashMap};
use ktape_format::schema::{Desc, SyscallCount, SyscallLatency, SyscallSlow};
use rustc_hash::{FxHashMap, FxHashSet};

pub(super) const PROBE: Probe = Probe {
    name: "syscalls",
    about: "exact counts, errors and times of system calls per process, and each slow call",
    cost: "0.3 to 0.5 us per system call",
    default: false,
    always: false,
    records: &[SyscallCount::DESC, SyscallLatency::DESC, SyscallSlow::DESC],
    attach: &[
        AttachPoint {
            what: "a system call returns",
            alternatives: &[
                Attach::Before {
                    kernel: PREEMPTED.0,
                    why: PREEMPTED.1,
                    how: &Attach::TpBtf { program: "sys_exit", tracepoint: "sys_exit" },
                },
                Attach::Tracepoint {
                    program: "sys_exit_event",
                    category: "raw_syscalls",
                    name: "sys_exit",
                },
            ],
        },
        AttachPoint {
            what: "a system call begins",
            alternatives: &[
                Attach::Before {
                    kernel: PREEMPTED.0,
                    why: PREEMPTED.1,
                    how: &Attach::TpBtf { program: "sys_enter", tracepoint: "sys_enter" },
                },
                Attach::Tracepoint {
                    program: "sys_enter_event",
                    category: "raw_syscalls",
                    name: "sys_enter",
                },
            ],
        },
    ],
    optional: &[],
    walks: &[Walk {
        program: "syscalls_open",
        over: "task",
        record: SyscallSlow::DESC,
        at_start: false,
        every: None,
    }],
    maps: &["calls", "more_calls"],
    needs: &[],
    knobs: &[
        Knob {
            name: "slow",
            about: "record single calls that take at least this long (default 10ms)",
            symbol: "syscalls_slow_ns",
            kind: KnobKind::Duration,
            default: 10_000_000,
        },
        Knob {
            name: "stacks",
            about: "take the user stacks of slow calls: `all` (default) or `none`",
            symbol: "syscalls_stacks",
            kind: KnobKind::Choice(&[("none", 0), ("all", 1)]),
            default: 1,
        },
    ],
    totals: Some(Totals { maps: &["calls", "more_calls"], collector }),
};

const BUCKETS: usize = 40;

/// `struct call_totals`: count, errors, total, max, buckets.
type Row = [u64; 4 + BUCKETS];

/// `struct call_key`: tgid, nr.
type Key = [u32; 2];

struct Calls {
    map: PerCpuHashMap<MapData, Key, Row>,
    seen: FxHashMap<Key, Row>,
    last: u64,
    gone: FxHashSet<u32>,
}

fn collector(map: Map) -> Result<Box<dyn Collect>> {
    let map = PerCpuHashMap::try_from(map).map_err(Error::kernel("open a map of system calls"))?;
    let now = crate::clock::monotonic();
    Ok(Box::new(Calls { map, seen: FxHashMap::default(), last: now, gone: FxHashSet::default() }))
}

impl Collect for Calls {
    fn collect(&mut self, now: u64, gone: &[u32], rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        // What ended before the last read made its last call before it, too.
        let ended = std::mem::take(&mut self.gone);
        let duration = now - self.last;
        let mut drop_keys = Vec::new();
        let keys: Vec<Key> = self.map.keys().filter_map(|key| key.ok()).collect();
        for key in keys {
            let Ok(values) = self.map.get(&key, 0) else { continue };
            let mut sum: Row = [0; 4 + BUCKETS];
            for value in values.iter() {
                for (at, (sum, value)) in sum.iter_mut().zip(value).enumerate() {
                    *sum = if at == 3 { (*sum).max(*value) } else { *sum + value };
                }
            }
            let before = self.seen.entry(key).or_insert([0; 4 + BUCKETS]);
            if sum != *before {
                emit(key, &sum, before, now, duration, rows);
            }
            *before = sum;
            if ended.contains(&key[0]) {
                drop_keys.push(key);
            }
        }
        for key in drop_keys {
            self.map.remove(&key).ok();
            self.seen.remove(&key);
        }
        self.gone.extend(gone);
        self.last = now;
    }
}

fn emit(
    key: Key,
    sum: &Row,
    before: &Row,
    end: u64,
    duration: u64,
    rows: &mut dyn FnMut(&'static Desc, &[u8]),
) {
    let [tgid, nr] = key;
    let count = SyscallCount {
        end,
        duration,
        count: sum[0] - before[0],
        errors: sum[1] - before[1],
        total: sum[2] - before[2],
        max: if sum[3] > before[3] { sum[3] } else { 0 },
        tgid,
        nr,
    };
    rows(SyscallCount::DESC, &count.encode());
    for bucket in 0..BUCKETS {
        let count = sum[4 + bucket] - before[4 + bucket];
        if count > 0 {
            let row =
                SyscallLatency { end, duration, count, tgid, nr, bucket: bucket as u32, flags: 0 };
            rows(SyscallLatency::DESC, &row.encode());
        }
    }
}
