//! `report locks`.

mod answer;
mod kernel;
mod open;
mod waits;

use ktape_format::Batch;
use ktape_schema::{FutexWait, LockContention, futex_flag, futex_result};

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::query::Filter;
use crate::run::{Bounded, BoundedKey, Longest, Read, Report, Slots, StackKey, StackSums};
use kernel::{KernelKey, KernelWaits};
use open::Open;
use waits::{Kind, Longer, Waits};

/// Locks: waits in futex calls and for locks of the kernel, by lock, stack, waker, owner or process.
///
/// A lock of a program is a futex word: a process and an address in it. Its kind is told from what is
/// known: `mutex` when its owner is (a glibc mutex, or one with priority inheritance), `lock` when the
/// word was 2, as in contended locks of glibc and Rust, `join` for the end of a thread, and `other` for
/// the rest, such as condition variables, semaphores and thread pools that wait for work. Kernel locks
/// have a number, a name when they are static, and the function that wanted them. Percentiles are at
/// most 1/32 above the true ones; the maximum is exact.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Locks {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A lock.
    #[default]
    Lock,
    /// The stack that waited.
    Stack,
    /// The thread whose wake-up ended the wait.
    Waker,
    /// The thread that held the lock, where it is known.
    Owner,
    /// The process that waited.
    Process,
}

/// Most locks that are told apart.
const MOST: usize = 1 << 13;
/// Open waits that are kept: the longest.
const OPEN: usize = 1000;

/// A lock of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct LockKey {
    /// [`crate::context::ProcessKey`].
    process: u64,
    address: u64,
}

impl BoundedKey for LockKey {
    const OTHERS: Self = Self { process: u64::MAX, address: u64::MAX };
}

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    all: Waits,
    by_kind: [Waits; Kind::ALL.len()],
    results: [u64; 5],
    locks: Bounded<LockKey, Waits, MOST>,
    /// By thread or process.
    tasks: Slots<Waits>,
    stacks: StackSums,
    open: Longest<Open, OPEN>,
    kernel_all: Waits,
    kernel: Bounded<KernelKey, KernelWaits, MOST>,
    kernel_tasks: Slots<Waits>,
    kernel_stacks: StackSums,
}

impl Report for Locks {
    const NAME: &'static str = "locks";
    type State = State;

    fn needs(&self) -> Needs {
        Needs::CODE
    }

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let futex = [
            "end", "duration", "address", "tid", "tgid", "waker", "waker_tgid", "owner", "owner_tgid",
            "ustack", "word", "flags", "op", "result", "owner_by",
        ];
        let kernel = ["end", "duration", "lock", "name", "tid", "tgid", "kstack", "how", "flags"];
        vec![
            Read::of(FutexWait::DESC.name, &futex),
            Read::maybe(LockContention::DESC.name, &kernel),
        ]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        if batch.record() == LockContention::DESC.id {
            self.contention(cx, batch, state);
        } else {
            self.futex(cx, batch, state);
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.all.merge(&from.all);
        for (into, from) in into.by_kind.iter_mut().zip(&from.by_kind) {
            into.merge(from);
        }
        for (into, from) in into.results.iter_mut().zip(from.results) {
            *into += from;
        }
        into.locks.merge(from.locks);
        into.tasks.merge(from.tasks);
        into.stacks.merge(from.stacks);
        into.open.merge(from.open);
        into.kernel_all.merge(&from.kernel_all);
        into.kernel.merge(from.kernel);
        into.kernel_tasks.merge(from.kernel_tasks);
        into.kernel_stacks.merge(from.kernel_stacks);
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: State) -> Answer {
        answer::answer(self.by, cx, state)
    }
}

impl Locks {
    fn futex(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let tasks = cx.tasks();
        let (ends, durations) = (batch.u64("end"), batch.u64("duration"));
        let (addresses, words) = (batch.u64("address"), batch.u32("word"));
        let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
        let (wakers, waker_tgids) = (batch.u32("waker"), batch.u32("waker_tgid"));
        let (owners, owner_tgids) = (batch.u32("owner"), batch.u32("owner_tgid"));
        let (ustacks, flags) = (batch.u32("ustack"), batch.u16("flags"));
        let (ops, results) = (batch.u8("op"), batch.u8("result"));
        let owner_by = batch.u8("owner_by");
        for row in 0..batch.rows() {
            let (end, duration) = (ends[row], durations[row]);
            let thread = tasks.thread_key(tids[row], tgids[row], end);
            let process = tasks.process_of(thread);
            let key = |tid: u32, tgid: u32| (tid != 0).then(|| tasks.thread_key(tid, tgid, end));
            let owner = key(owners[row], owner_tgids[row]);
            let waker = key(wakers[row], waker_tgids[row]);
            let awaited = || {
                let awaited = tasks.thread_key(words[row], tgids[row], end);
                tasks.thread(awaited).is_some()
            };
            let kind = Kind::of(ops[row], owner_by[row], words[row], flags[row], awaited);
            let wait = Longer {
                duration,
                owner: owner.map_or(0, |key| key.0.saturating_add(1)),
                waker: waker.map_or(0, |key| key.0.saturating_add(1)),
            };
            let shared = flags[row] & futex_flag::SHARED != 0;
            state.all.add(wait, kind, shared);
            state.by_kind[kind as usize].add(wait, kind, shared);
            let result = usize::from(results[row]).min(state.results.len() - 1);
            state.results[result] += 1;
            if results[row] == futex_result::OPEN {
                let began_before = flags[row] & futex_flag::BEGAN_BEFORE != 0;
                let address = addresses[row];
                state.open.add(Open::new(kind, wait, thread.0, end, address, began_before));
            }
            match self.by {
                By::Lock => {
                    let key = LockKey { process: process.0, address: addresses[row] };
                    state.locks.at(key).add(wait, kind, shared);
                }
                By::Stack => {
                    let key = StackKey { thread: thread.0, ustack: ustacks[row], kstack: 0 };
                    state.stacks.add(key, duration);
                }
                By::Waker | By::Owner => {
                    let task = if self.by == By::Waker { waker } else { owner };
                    if let Some(task) = task {
                        state.tasks.at(task.0).add(wait, kind, shared);
                    }
                }
                By::Process => state.tasks.at(process.0).add(wait, kind, shared),
            }
        }
    }

    fn contention(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let (ends, durations) = (batch.u64("end"), batch.u64("duration"));
        let (locks, names) = (batch.u32("lock"), batch.u32("name"));
        let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
        let (kstacks, hows) = (batch.u32("kstack"), batch.u8("how"));
        let flags = batch.u8("flags");
        for row in 0..batch.rows() {
            let thread = cx.tasks().thread_key(tids[row], tgids[row], ends[row]);
            let wait = Longer { duration: durations[row], ..Longer::default() };
            state.kernel_all.add(wait, Kind::Other, false);
            let key = KernelKey { lock: locks[row], name: names[row] };
            let longest = (durations[row], kstacks[row]);
            state.kernel.at(key).add(wait, longest, hows[row], flags[row]);
            match self.by {
                By::Stack => {
                    let key = StackKey { thread: thread.0, ustack: 0, kstack: kstacks[row] };
                    state.kernel_stacks.add(key, durations[row]);
                }
                By::Process => {
                    let process = cx.tasks().process_of(thread);
                    state.kernel_tasks.at(process.0).add(wait, Kind::Other, false);
                }
                By::Lock | By::Waker | By::Owner => {}
            }
        }
    }
}
