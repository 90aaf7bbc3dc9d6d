//! `report block`.

mod answer;
mod requests;

use ktape_format::Batch;
use ktape_schema::{BlockIo, block_flag};

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::query::Filter;
use crate::run::{Bounded, Read, Report, Slots, StackKey, StackSums};
use requests::{Request, Requests};

/// Disk requests: how many, how large, how long in the queue and in the device.
///
/// A row is a device and an operation. Counts and bytes are those of /proc/diskstats: what completed
/// within the window, where writes are `write`, `empty_flush` (a write without data by which fsync
/// waits for the device's cache), `write_zeroes` and `secure_erase`. Queue is the time before the request was issued to
/// the driver, service the time after it. Percentiles are at most 1/32 above the true ones. Disks
/// without requests of their own (device mapper, md, zram) are seen by those of the disks below them.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Block {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A disk and an operation.
    #[default]
    Device,
    /// A partition and an operation.
    Partition,
    /// The process that made the requests.
    Process,
    /// A stack: where the requests were made.
    Stack,
}

/// Most pairs of device and operation that are told apart.
const MOST: usize = 1 << 12;

/// Requests by device and operation, and by thread or stack when that is asked for.
#[derive(Debug, Default)]
pub struct State {
    devices: Bounded<u64, Requests, MOST>,
    threads: Slots<Requests>,
    stacks: StackSums,
}

impl Report for Block {
    const NAME: &'static str = "block";
    type State = State;

    fn needs(&self) -> Needs {
        Needs { code: self.by == By::Stack, ..Needs::TASKS }
    }

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let mut columns =
            vec!["duration", "queue", "service", "bytes", "device", "error", "flags", "op", "issues"];
        match self.by {
            By::Device => {}
            By::Partition => columns.push("partition"),
            By::Process => columns.extend(["end", "tid", "tgid"]),
            By::Stack => columns.extend(["end", "tid", "tgid", "kstack", "ustack"]),
        }
        vec![Read::of(BlockIo::DESC.name, &columns)]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let (durations, queues) = (batch.u64("duration"), batch.u64("queue"));
        let (services, bytes) = (batch.u64("service"), batch.u64("bytes"));
        let devices = match self.by {
            By::Partition => batch.u32("partition"),
            _ => batch.u32("device"),
        };
        let (errors, flags, ops) = (batch.u16("error"), batch.u16("flags"), batch.u8("op"));
        let issues = batch.u8("issues");
        let tasks = matches!(self.by, By::Process | By::Stack)
            .then(|| (batch.u64("end"), batch.u32("tid"), batch.u32("tgid")));
        let stacks =
            (self.by == By::Stack).then(|| (batch.u32("ustack"), batch.u32("kstack")));
        for row in 0..batch.rows() {
            let request = Request {
                duration: durations[row],
                queue: queues[row],
                service: services[row],
                bytes: bytes[row],
                failed: errors[row] != 0,
                flags: flags[row],
                op: ops[row],
                issues: issues[row],
            };
            let device = u64::from(devices[row]) << 8 | u64::from(ops[row]);
            state.devices.at(device).add(&request);
            let Some((ends, tids, tgids)) = tasks else { continue };
            let thread = cx.tasks().thread_key(tids[row], tgids[row], ends[row]);
            match stacks {
                None => state.threads.at(thread.0).add(&request),
                Some((ustacks, kstacks)) if !request.is(block_flag::BEGAN_BEFORE) => {
                    let (ustack, kstack) = (ustacks[row], kstacks[row]);
                    let key = StackKey { thread: thread.0, ustack, kstack };
                    state.stacks.add(key, request.duration);
                }
                Some(_) => {}
            }
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.devices.merge(from.devices);
        into.threads.merge(from.threads);
        into.stacks.merge(from.stacks);
    }

    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
        answer::answer(self.by, cx, filter, state)
    }
}
