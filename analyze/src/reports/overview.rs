//! `ktape report` without a name.

mod answer;
mod parts;

use ktape_format::Batch;
use ktape_schema::{CpuSample, OffCpu, SyscallCount};

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::idle::Idle;
use crate::query::Filter;
use crate::reports::cpu::Cpu;
use crate::run::{
    Bounded, Fold, Longest, LogHistogram, Read, Report, Slots, StackKey, StackSums,
};

use parts::Parts;

/// Overview: what was captured, what was lost, and the top of everything, with functions and stacks.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Overview {}

/// What one thread did.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    samples: u64,
    waits: u64,
    off_cpu: u64,
    runq: u64,
    longest: u64,
}

/// A wait, ordered by length, then by what else tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wait {
    duration: u64,
    end: u64,
    thread: u64,
    state: u8,
    syscall: u16,
    flags: u8,
}

/// What one system call cost, in all processes.
#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    count: u64,
    errors: u64,
    total: u64,
}

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    threads: Slots<Sums>,
    runq: LogHistogram,
    longest: Longest<Wait, MOST>,
    stacks: StackSums,
    samples: <Cpu as Report>::State,
    calls: Bounded<u32, Calls, CALLS>,
    /// Waits left out.
    idle: Idle,
    parts: Parts,
}

/// Rows of each "top" table, unless --top asks for others.
const TOP: usize = 10;
/// Stacks that are shown: each takes many lines.
const STACKS: usize = 3;
/// Longest waits that are kept: --top may ask for so many.
const MOST: usize = 1000;
/// Most system calls that are told apart; a kernel has some hundreds.
const CALLS: usize = 1 << 14;

impl State {
    fn off_cpu(&mut self, cx: &Context<'_>, batch: &Batch) {
        let (ends, durations, runqs) = (batch.u64("end"), batch.u64("duration"), batch.u64("runq"));
        let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
        let (states, calls, flags) = (batch.u8("state"), batch.u16("syscall"), batch.u8("flags"));
        let (kstacks, ustacks) = (batch.u32("kstack"), batch.u32("ustack"));
        for row in 0..batch.rows() {
            let key = cx.tasks().thread_key(tids[row], tgids[row], ends[row]);
            let thread = key.0;
            let wait = Wait {
                duration: durations[row],
                end: ends[row],
                thread,
                state: states[row],
                syscall: calls[row],
                flags: flags[row],
            };
            if runqs[row] > 0 {
                self.runq.add(runqs[row]);
            }
            let whole = (durations[row], runqs[row]);
            let Some(duration) = self.idle.rest(cx, key, states[row], flags[row], whole) else {
                continue;
            };
            let sums = self.threads.at(thread);
            sums.waits += 1;
            sums.off_cpu = sums.off_cpu.wrapping_add(duration);
            sums.runq = sums.runq.wrapping_add(runqs[row]);
            sums.longest = sums.longest.max(duration);
            self.longest.add(Wait { duration, ..wait });
            let key = StackKey { thread, ustack: ustacks[row], kstack: kstacks[row] };
            self.stacks.add(key, duration);
        }
    }

    fn cpu_samples(&mut self, cx: &Context<'_>, batch: &Batch) {
        let (times, tids, tgids) = (batch.u64("time"), batch.u32("tid"), batch.u32("tgid"));
        for row in 0..batch.rows() {
            let thread = cx.tasks().thread_key(tids[row], tgids[row], times[row]);
            self.threads.at(thread.0).samples += 1;
        }
        Cpu::default().scan(cx, batch, &mut self.samples);
    }

    fn syscalls(&mut self, batch: &Batch) {
        let (numbers, counts) = (batch.u32("nr"), batch.u64("count"));
        let (errors, totals) = (batch.u64("errors"), batch.u64("total"));
        for row in 0..batch.rows() {
            let calls = Calls { count: counts[row], errors: errors[row], total: totals[row] };
            self.calls.at(numbers[row]).fold(calls);
        }
    }
}

impl Report for Overview {
    const NAME: &'static str = "overview";
    type State = State;

    fn needs(&self) -> Needs {
        Needs::CODE
    }

    fn reads(&self, cx: &Context<'_>) -> Vec<Read> {
        let waits = [
            "end", "duration", "runq", "tid", "tgid", "syscall", "state", "flags", "kstack", "ustack",
        ];
        let samples = ["time", "tid", "tgid", "weight", "event", "kstack", "ustack"];
        let mut reads = vec![
            Read::maybe("off_cpu", &waits),
            Read::maybe("cpu_sample", &samples),
            Read::maybe("syscall_count", &["nr", "count", "errors", "total"]),
        ];
        reads.extend(Parts::reads(cx));
        reads
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        match batch.record() {
            id if id == OffCpu::DESC.id => state.off_cpu(cx, batch),
            id if id == CpuSample::DESC.id => state.cpu_samples(cx, batch),
            id if id == SyscallCount::DESC.id => state.syscalls(batch),
            _ => state.parts.scan(cx, batch),
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.threads.merge(from.threads);
        into.runq.merge(&from.runq);
        into.longest.merge(from.longest);
        into.stacks.merge(from.stacks);
        Cpu::default().merge(&mut into.samples, from.samples);
        into.idle.merge(from.idle);
        into.calls.merge(from.calls);
        into.parts.merge(from.parts);
    }

    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
        answer::answer(cx, filter, state)
    }
}

impl Fold for Calls {
    fn fold(&mut self, from: Calls) {
        self.count = self.count.wrapping_add(from.count);
        self.errors = self.errors.wrapping_add(from.errors);
        self.total = self.total.wrapping_add(from.total);
    }
}

impl Fold for Sums {
    fn fold(&mut self, from: Sums) {
        self.samples += from.samples;
        self.waits += from.waits;
        self.off_cpu = self.off_cpu.wrapping_add(from.off_cpu);
        self.runq = self.runq.wrapping_add(from.runq);
        self.longest = self.longest.max(from.longest);
    }
}
