//! `report io`.

mod answer;
mod operations;
mod slowest;

use std::cmp::Reverse;

use ktape_format::Batch;
use ktape_schema::Io as IoRow;

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::query::Filter;
use crate::run::{Bounded, Longest, Read, Report, Slots, StackKey, StackSums};
use operations::Operations;

/// Slow file I/O: system calls on files that took as long as the recording's threshold, or longer.
///
/// Open ones first (a hang shows here), then the slowest, each with its file, thread and stack.
/// Recorded with `-e io`; its setting `min` is the threshold (5 ms unless set otherwise, 0 records
/// all), so counts and bytes are those of slow operations. A path is told from the root of all mounts.
/// What goes through mappings, io_uring or aio is no system call on a file, and not here.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Io {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// One operation of one thread.
    #[default]
    Call,
    /// A file.
    File,
    /// A process.
    Process,
    /// A file system, by its device.
    Device,
    /// What was done: read, write, sync and so on, by system call.
    Operation,
    /// A stack: where the program called.
    Stack,
}

/// Single operations that are kept, open ones and others each: the longest.
const MOST: usize = 10_000;

/// Most files, devices or operations that are told apart.
const MOST_KEYS: usize = 1 << 16;

/// One operation, ordered by its duration, then by what else tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    duration: u64,
    /// Of those as long, the one that ended first comes first.
    end: Reverse<u64>,
    thread: Reverse<u64>,
    bytes: u64,
    requested: u64,
    offset: i64,
    inode: u64,
    path: u32,
    fs: u32,
    device: u32,
    ustack: u32,
    kstack: u32,
    nr: u16,
    error: u16,
    flags: u16,
    op: u8,
    kind: u8,
}

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    all: Operations,
    open: Longest<Call, MOST>,
    over: Longest<Call, MOST>,
    keys: Bounded<(u64, u32), Operations, MOST_KEYS>,
    threads: Slots<Operations>,
    stacks: StackSums,
}

impl Report for Io {
    const NAME: &'static str = "io";
    type State = State;

    fn needs(&self) -> Needs {
        Needs { code: matches!(self.by, By::Call | By::Stack), ..Needs::TASKS }
    }

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let columns = [
            "end", "duration", "bytes", "requested", "offset", "inode", "tid", "tgid", "path", "fs",
            "device", "kstack", "ustack", "nr", "error", "flags", "op", "kind",
        ];
        vec![Read::of(IoRow::DESC.name, &columns)]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let (ends, durations, bytes) = (batch.u64("end"), batch.u64("duration"), batch.u64("bytes"));
        let (requested, offsets) = (batch.u64("requested"), batch.i64("offset"));
        let (inodes, paths, fss) = (batch.u64("inode"), batch.u32("path"), batch.u32("fs"));
        let (tids, tgids, devices) = (batch.u32("tid"), batch.u32("tgid"), batch.u32("device"));
        let (kstacks, ustacks) = (batch.u32("kstack"), batch.u32("ustack"));
        let (calls, errors, flags) = (batch.u16("nr"), batch.u16("error"), batch.u16("flags"));
        let (ops, kinds) = (batch.u8("op"), batch.u8("kind"));
        for row in 0..batch.rows() {
            let thread = cx.tasks().thread_key(tids[row], tgids[row], ends[row]).0;
            let call = Call {
                duration: durations[row],
                end: Reverse(ends[row]),
                thread: Reverse(thread),
                bytes: bytes[row],
                requested: requested[row],
                offset: offsets[row],
                inode: inodes[row],
                path: paths[row],
                fs: fss[row],
                device: devices[row],
                ustack: ustacks[row],
                kstack: kstacks[row],
                nr: calls[row],
                error: errors[row],
                flags: flags[row],
                op: ops[row],
                kind: kinds[row],
            };
            state.all.add(&call);
            let device = match call.device {
                0 => u64::from(cx.hosts().no_device(batch.ring())) << 32,
                device => u64::from(device) << 32,
            };
            match self.by {
                By::Call if call.is_open() => state.open.add(call),
                By::Call => state.over.add(call),
                By::File => {
                    let key = (device | u64::from(call.path), call.kind.into());
                    state.keys.at(key).add(&call);
                }
                By::Device => state.keys.at((device | u64::from(call.fs), 0)).add(&call),
                By::Operation => {
                    let key = (u64::from(call.op) << 32, call.nr.into());
                    state.keys.at(key).add(&call);
                }
                By::Process => state.threads.at(thread).add(&call),
                By::Stack => {
                    let key = StackKey { thread, ustack: call.ustack, kstack: call.kstack };
                    state.stacks.add(key, call.duration);
                }
            }
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.all.merge(&from.all);
        into.open.merge(from.open);
        into.over.merge(from.over);
        into.keys.merge(from.keys);
        into.threads.merge(from.threads);
        into.stacks.merge(from.stacks);
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: State) -> Answer {
        answer::answer(self.by, cx, state)
    }
}
