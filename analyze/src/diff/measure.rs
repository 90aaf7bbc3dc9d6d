//! `Measure`: adds up the facts of one side by group.

use ktape_format::{Batch, ChunkInfo};
use ktape_schema::{FutexWait, block_flag, futex_flag, sample_event, tcp_direction};

use super::grid::Grid;
use super::group::{GroupKey, Sum};
use super::{By, Subject};
use crate::context::{Context, ProcessKey, ThreadKey};
use crate::idle::Idle;
use crate::run::{Bounded, Scan};

/// Most groups that are told apart; a recording of a minute has some thousands.
const MOST: usize = 1 << 16;

/// What is compared, in one window.
pub(super) struct Measure {
    pub(super) subject: Subject,
    pub(super) by: By,
    pub(super) grid: Grid,
}

/// What one thread has added up.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) groups: Bounded<GroupKey, Sum, MOST>,
    pub(super) idle: Idle,
    /// Whether some samples were of the CPU clock, and whether some were of cycles.
    pub(super) clock: bool,
    pub(super) cycles: bool,
}

impl Scan for Measure {
    type Folded = Measured;

    fn skim_chunk(&self, _: &Context<'_>, _: &ChunkInfo, _: &mut Measured) -> bool {
        false
    }

    fn scan_batch(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        match self.subject {
            Subject::Offcpu => self.off_cpu(cx, batch, folded),
            Subject::Cpu => self.cpu(cx, batch, folded),
            Subject::Syscalls => self.syscalls(cx, batch, folded),
            Subject::Io => self.io(cx, batch, folded),
            Subject::Block => self.block(cx, batch, folded),
            Subject::Locks => self.locks(cx, batch, folded),
            Subject::Runqlat => self.runqlat(cx, batch, folded),
            Subject::Tcp => self.tcp(cx, batch, folded),
            Subject::H2 => self.h2(cx, batch, folded),
        }
    }

    fn merge_folded(&self, into: &mut Measured, from: Measured) {
        into.groups.merge(from.groups);
        into.idle.merge(from.idle);
        into.clock |= from.clock;
        into.cycles |= from.cycles;
    }
}

impl Measure {
    fn off_cpu(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        let (ends, durations, runqs) = (batch.u64("end"), batch.u64("duration"), batch.u64("runq"));
        let (calls, states, flags) = (batch.u16("syscall"), batch.u8("state"), batch.u8("flags"));
        for row in 0..batch.rows() {
            let thread = thread(cx, batch, row, ends[row]);
            let wait = (durations[row], runqs[row]);
            let rest = folded.idle.rest(cx, thread, states[row], flags[row], wait);
            let Some(duration) = rest else { continue };
            let class = cx.wait_classes().index(states[row], calls[row]);
            let key = self.task_key(cx, batch, row, thread);
            let slice = self.grid.at(ends[row]);
            folded.groups.at(key).add(1, duration, slice, Some(class));
        }
    }

    fn cpu(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        let (times, weights, events) = (batch.u64("time"), batch.u64("weight"), batch.u8("event"));
        for row in 0..batch.rows() {
            let clock = events[row] == sample_event::CPU_CLOCK;
            folded.clock |= clock;
            folded.cycles |= !clock;
            let key = self.task_key(cx, batch, row, thread(cx, batch, row, times[row]));
            folded.groups.at(key).add(1, weights[row], self.grid.at(times[row]), None);
        }
    }

    fn syscalls(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        let (ends, tgids, numbers) = (batch.u64("end"), batch.u32("tgid"), batch.u32("nr"));
        let (counts, totals) = (batch.u64("count"), batch.u64("total"));
        for row in 0..batch.rows() {
            let who = process(cx, cx.tasks().process_key(tgids[row], ends[row]));
            let what = if self.by == By::Call { numbers[row].into() } else { 0 };
            let sum = folded.groups.at(GroupKey { who, what, how: 0 });
            sum.add(counts[row], totals[row], self.grid.at(ends[row]), None);
        }
    }

    fn io(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        let (ends, durations) = (batch.u64("end"), batch.u64("duration"));
        let (paths, ops) = (batch.u32("path"), batch.u8("op"));
        for row in 0..batch.rows() {
            let thread = thread(cx, batch, row, ends[row]);
            let key = match self.by {
                By::File => {
                    let who = process(cx, cx.tasks().process_of(thread));
                    GroupKey { who, what: paths[row].into(), how: ops[row] }
                }
                _ => self.task_key(cx, batch, row, thread),
            };
            folded.groups.at(key).add(1, durations[row], self.grid.at(ends[row]), None);
        }
    }

    fn block(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        let (ends, durations) = (batch.u64("end"), batch.u64("duration"));
        let (devices, ops, flags) = (batch.u32("device"), batch.u8("op"), batch.u16("flags"));
        for row in 0..batch.rows() {
            // How long it took is not known.
            if flags[row] & block_flag::BEGAN_BEFORE != 0 {
                continue;
            }
            let thread = thread(cx, batch, row, ends[row]);
            let key = match self.by {
                By::Disk => {
                    let who = process(cx, cx.tasks().process_of(thread));
                    GroupKey { who, what: devices[row].into(), how: ops[row] }
                }
                _ => self.task_key(cx, batch, row, thread),
            };
            folded.groups.at(key).add(1, durations[row], self.grid.at(ends[row]), None);
        }
    }

    fn locks(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        const WHOLE: u16 = futex_flag::OPEN | futex_flag::BEGAN_BEFORE;
        let (ends, durations) = (batch.u64("end"), batch.u64("duration"));
        let futex = batch.record() == FutexWait::DESC.id;
        let flags = futex.then(|| batch.u16("flags"));
        let (stacks, kernel) = match futex {
            true => (batch.u32("ustack"), false),
            false => (batch.u32("kstack"), true),
        };
        for row in 0..batch.rows() {
            // As in `idle.rs`: mostly threads without work.
            if flags.is_some_and(|flags| flags[row] & WHOLE == WHOLE) && !cx.chose_threads() {
                continue;
            }
            let thread = thread(cx, batch, row, ends[row]);
            let (ustack, kstack) = if kernel { (0, stacks[row]) } else { (stacks[row], 0) };
            let key = self.key_of(cx, thread, ustack, kstack);
            folded.groups.at(key).add(1, durations[row], self.grid.at(ends[row]), None);
        }
    }

    fn runqlat(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        let (ends, delays) = (batch.u64("end"), batch.u64("runq"));
        for row in 0..batch.rows() {
            // Still waiting for its event, or its wake-up was not seen: no delay is known.
            if delays[row] == 0 {
                continue;
            }
            let key = self.key_of(cx, thread(cx, batch, row, ends[row]), 0, 0);
            folded.groups.at(key).add(1, delays[row], self.grid.at(ends[row]), None);
        }
    }

    fn tcp(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        let (ends, connects, tgids) = (batch.u64("end"), batch.u64("connect"), batch.u32("tgid"));
        let (locals, remotes, directions) =
            (batch.u32("local"), batch.u32("remote"), batch.u8("direction"));
        for row in 0..batch.rows() {
            // It was there before the recording.
            if connects[row] == 0 {
                continue;
            }
            let who = process(cx, cx.tasks().process_key(tgids[row], ends[row]));
            let key = match (self.by, directions[row]) {
                (By::Process, _) => GroupKey { who, ..GroupKey::default() },
                (_, how @ tcp_direction::ACTIVE) => {
                    GroupKey { who, what: remotes[row].into(), how }
                }
                (_, how) => GroupKey { who, what: locals[row].into(), how },
            };
            folded.groups.at(key).add(1, connects[row], self.grid.at(ends[row]), None);
        }
    }

    fn h2(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Measured) {
        let (ends, durations, tgids) = (batch.u64("end"), batch.u64("duration"), batch.u32("tgid"));
        let (paths, roles) = (batch.u32("path"), batch.u8("role"));
        for row in 0..batch.rows() {
            let who = process(cx, cx.tasks().process_key(tgids[row], ends[row]));
            let key = match self.by {
                By::Method => GroupKey { who, what: paths[row].into(), how: roles[row] },
                _ => GroupKey { who, ..GroupKey::default() },
            };
            folded.groups.at(key).add(1, durations[row], self.grid.at(ends[row]), None);
        }
    }

    /// The group of a row with a thread and both stacks.
    fn task_key(&self, cx: &Context<'_>, batch: &Batch, row: usize, thread: ThreadKey) -> GroupKey {
        match self.by.is_of_stacks() {
            true => self.key_of(cx, thread, batch.u32("ustack")[row], batch.u32("kstack")[row]),
            false => self.key_of(cx, thread, 0, 0),
        }
    }

    fn key_of(&self, cx: &Context<'_>, thread: ThreadKey, ustack: u32, kstack: u32) -> GroupKey {
        let who = match self.by {
            By::Process => process(cx, cx.tasks().process_of(thread)),
            _ => cx.tasks().thread_comm(thread).map_or(0, |name| u64::from(name) + 1),
        };
        let what = match self.by.is_of_stacks() {
            true => u64::from(ustack) << 32 | u64::from(kstack),
            false => 0,
        };
        GroupKey { who, what, how: 0 }
    }
}

fn thread(cx: &Context<'_>, batch: &Batch, row: usize, time: u64) -> ThreadKey {
    cx.tasks().thread_key(batch.u32("tid")[row], batch.u32("tgid")[row], time)
}

fn process(cx: &Context<'_>, key: ProcessKey) -> u64 {
    cx.tasks().process_comm(key).map_or(0, |name| u64::from(name) + 1)
}
