//! `report stalls`.

mod answer;

use std::cmp::Reverse;

use ktape_format::Batch;
use ktape_schema::{OffCpu, fact_flag, off_cpu_state};

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::idle::waits_for_work;
use crate::query::Filter;
use crate::run::{Longest, Read, Report};
use crate::wait_class::state_name;

/// Stalls: single waits of 250 ms or more (--min-duration), open ones first, then the longest.
///
/// Each with its thread, state, system call, stack, and who woke it. An open wait was still going on
/// when the recording stopped: a hang shows here. Threads of the kernel that wait for work (state idle,
/// or asleep interruptibly) are left out.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Stalls {
    /// Show also kernel threads that wait for work.
    #[arg(long)]
    pub all: bool,
    /// Only waits in these states.
    #[arg(long, value_name = "STATE,..", value_delimiter = ',', value_parser = states())]
    pub state: Vec<String>,
}

/// The names of states as the command line takes them.
fn states() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(off_cpu_state::NAMES.iter().map(|entry| entry.1))
}

/// A wait is a stall from this length on unless --min-duration says otherwise, ns.
const DEFAULT: u64 = 250_000_000;

/// Stalls that are kept, open ones and others each: the longest.
const MOST: usize = 10_000;

/// A wait, ordered by its duration, then by what else tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stall {
    duration: u64,
    /// Of waits as long, the one that ended first comes first.
    end: Reverse<u64>,
    thread: Reverse<u64>,
    runq: u64,
    waker: u32,
    waker_tgid: u32,
    ustack: u32,
    kstack: u32,
    cpu: u16,
    prev_cpu: u16,
    syscall: u16,
    state: u8,
    flags: u8,
}

/// From which length on a wait is a stall, ns; `asked` is --min-duration, 0 when it is not given.
fn threshold(asked: u64) -> u64 {
    if asked > 0 { asked } else { DEFAULT }
}

impl Stall {
    fn is(&self, flag: u16) -> bool {
        u16::from(self.flags) & flag != 0
    }
}

/// Waits of one kind.
#[derive(Debug, Default)]
struct Waits {
    kept: Longest<Stall, MOST>,
    /// Those of them of [`DEFAULT`] or more.
    by_default: u64,
}

impl Waits {
    fn add(&mut self, stall: Stall) {
        self.by_default += u64::from(stall.duration >= DEFAULT);
        self.kept.add(stall);
    }

    fn merge(&mut self, from: Waits) {
        self.by_default += from.by_default;
        self.kept.merge(from.kept);
    }
}

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    open: Waits,
    over: Waits,
    /// Waits of kernel threads for work, of any length and of [`DEFAULT`] or more.
    idle: (u64, u64),
}

impl Report for Stalls {
    const NAME: &'static str = "stalls";
    type State = State;

    fn needs(&self) -> Needs {
        Needs::CODE
    }

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let columns = [
            "end", "duration", "runq", "tid", "tgid", "waker", "waker_tgid", "kstack", "ustack", "cpu",
            "prev_cpu", "syscall", "state", "flags",
        ];
        vec![Read::of(OffCpu::DESC.name, &columns)]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let (ends, durations, runqs) = (batch.u64("end"), batch.u64("duration"), batch.u64("runq"));
        let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
        let (wakers, waker_tgids) = (batch.u32("waker"), batch.u32("waker_tgid"));
        let (kstacks, ustacks) = (batch.u32("kstack"), batch.u32("ustack"));
        let (cpus, prev_cpus) = (batch.u16("cpu"), batch.u16("prev_cpu"));
        let (calls, states, flags) = (batch.u16("syscall"), batch.u8("state"), batch.u8("flags"));
        for row in 0..batch.rows() {
            if !self.picks(states[row]) {
                continue;
            }
            let thread = cx.tasks().thread_key(tids[row], tgids[row], ends[row]);
            // One that was woken and starved of a CPU had something to do.
            let starved = runqs[row] >= threshold(cx.least_duration());
            if !self.all && !starved && waits_for_work(cx, thread, states[row]) {
                state.idle.0 += 1;
                state.idle.1 += u64::from(durations[row] >= DEFAULT);
                continue;
            }
            let stall = Stall {
                duration: durations[row],
                end: Reverse(ends[row]),
                thread: Reverse(thread.0),
                runq: runqs[row],
                waker: wakers[row],
                waker_tgid: waker_tgids[row],
                ustack: ustacks[row],
                kstack: kstacks[row],
                cpu: cpus[row],
                prev_cpu: prev_cpus[row],
                syscall: calls[row],
                state: states[row],
                flags: flags[row],
            };
            let waits =
                if stall.is(fact_flag::OPEN) { &mut state.open } else { &mut state.over };
            waits.add(stall);
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.open.merge(from.open);
        into.over.merge(from.over);
        into.idle.0 += from.idle.0;
        into.idle.1 += from.idle.1;
    }

    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
        answer::answer(cx, filter, state)
    }
}

impl Stalls {
    fn picks(&self, state: u8) -> bool {
        self.state.is_empty() || self.state.iter().any(|name| name == state_name(state))
    }
}
