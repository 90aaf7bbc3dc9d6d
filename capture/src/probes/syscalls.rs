//! The probe `syscalls`: exact counts and times, added up in the kernel.

use crate::departed::Departed;
use crate::error::Result;
use crate::probe::{Attach, AttachPoint, Collect, Knob, KnobKind, not_preempted, Probe, Totals, Walk};
use crate::table::Table;
use aya::maps::Map;
use ktape_format::schema::{Desc, SyscallCount, SyscallLatency, SyscallSlow};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Where all of them are recorded, one program does what each of them does when a system call begins,
/// and one what they do when it returns.
pub(super) const TOGETHER: Attach = Attach::Together {
    probes: &["io", "locks", "syscalls", "tcp"],
    how: &not_preempted(&Attach::All(&[
            Attach::TpBtf { program: "calls_exit", tracepoint: "sys_exit" },
            Attach::TpBtf { program: "calls_enter", tracepoint: "sys_enter" },
        ])),
};

pub(super) const PROBE: Probe = Probe {
    name: "syscalls",
    about: "exact counts, errors and times of system calls per process, and each slow call",
    cost: "0.3 to 0.5 us per system call",
    default: false,
    always: false,
    records: &[SyscallCount::DESC, SyscallLatency::DESC, SyscallSlow::DESC],
    // The end first, so that no call is seen to begin that is not seen to end.
    attach: &[AttachPoint {
        what: "a system call begins and returns",
        alternatives: &[
            TOGETHER,
            not_preempted(&Attach::All(&[
                    Attach::TpBtf { program: "sys_exit", tracepoint: "sys_exit" },
                    Attach::TpBtf { program: "sys_enter", tracepoint: "sys_enter" },
                ])),
            Attach::All(&[
                Attach::Tracepoint {
                    program: "sys_exit_event",
                    category: "raw_syscalls",
                    name: "sys_exit",
                },
                Attach::Tracepoint {
                    program: "sys_enter_event",
                    category: "raw_syscalls",
                    name: "sys_enter",
                },
            ]),
        ],
    }],
    optional: &[],
    walks: &[Walk {
        program: "syscalls_open",
        over: "task",
        record: SyscallSlow::DESC,
        at_start: false,
        every: None,
    }],
    maps: &["calls", "more_calls", "call_places"],
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
    totals: &[Totals { maps: &["calls", "more_calls"], collector }],
};

const BUCKETS: usize = 40;

/// `struct call_totals`: count, errors, total, max, buckets.
type Row = [u64; 4 + BUCKETS];

/// The longest call in it.
const MAX: usize = 3;

/// `struct call_key`: tgid, nr, CPU.
type Key = [u32; 3];

struct Calls {
    /// Each with what was read of it: a call can have a row in both.
    tables: [(Table<3, { 4 + BUCKETS }>, FxHashMap<Key, Row>); 2],
    /// The longest call so far, by process and number.
    longest: FxHashMap<(u32, u32), u64>,
    last: u64,
    departed: Departed,
}

fn collector(maps: &[Map]) -> Result<Box<dyn Collect>> {
    Ok(Box::new(Calls {
        tables: [
            (Table::new(&maps[0])?, FxHashMap::default()),
            (Table::new(&maps[1])?, FxHashMap::default()),
        ],
        longest: FxHashMap::default(),
        last: crate::clock::monotonic(),
        departed: Departed::default(),
    }))
}

impl Collect for Calls {
    fn collect(&mut self, now: u64, gone: &[u32], rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        let ended = self.departed.turn(gone);
        let mut grown: BTreeMap<(u32, u32), Row> = BTreeMap::new();
        for (table, seen) in &mut self.tables {
            table.each(|key @ [tgid, nr, _], row| {
                let row = row[0];
                let before = seen.insert(key, row).unwrap_or([0; _]);
                if row != before {
                    add(grown.entry((tgid, nr)).or_insert([0; _]), &row, &before);
                }
                if ended.contains(&tgid) {
                    if row == before {
                        table.remove(&key);
                        seen.remove(&key);
                    } else {
                        self.departed.keep(tgid);
                    }
                }
            });
        }
        self.longest.retain(|call, _| !ended.contains(&call.0) || grown.contains_key(call));
        for ((tgid, nr), mut grown) in grown {
            let longest = self.longest.entry((tgid, nr)).or_default();
            if grown[MAX] > *longest {
                *longest = grown[MAX];
            } else {
                grown[MAX] = 0;
            }
            emit(tgid, nr, &grown, now, now - self.last, rows);
        }
        self.last = now;
    }
}

/// Adds what a row has grown by on one CPU; the longest call there since the start is kept as it is.
fn add(sum: &mut Row, row: &Row, before: &Row) {
    for at in 0..row.len() {
        sum[at] = if at == MAX { sum[at].max(row[at]) } else { sum[at] + row[at] - before[at] };
    }
}

fn emit(
    tgid: u32,
    nr: u32,
    grown: &Row,
    end: u64,
    duration: u64,
    rows: &mut dyn FnMut(&'static Desc, &[u8]),
) {
    let [count, errors, total, max, ref buckets @ ..] = *grown;
    let count = SyscallCount { end, duration, count, errors, total, max, tgid, nr };
    rows(SyscallCount::DESC, &count.encode());
    for (bucket, &count) in (0..).zip(buckets) {
        if count > 0 {
            let row = SyscallLatency { end, duration, count, tgid, nr, bucket, flags: 0 };
            rows(SyscallLatency::DESC, &row.encode());
        }
    }
}
