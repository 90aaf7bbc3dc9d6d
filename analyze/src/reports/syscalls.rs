//! `report syscalls`.

mod answer;
mod behaviour;
mod buckets;
mod denet;
mod slow;
mod sums;

use ktape_format::Batch;
use ktape_schema::{SyscallCount, SyscallLatency, SyscallSlow};

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::query::Filter;
use crate::run::{Bounded, Fold, Longest, Read, Report};
use buckets::Buckets;
use slow::Slow;
use sums::Sums;

/// System calls: how many, how slow, how many failed, and which single calls took long.
///
/// Counts, errors and times are exact: the kernel side adds up every call. Percentiles come from
/// histograms of powers of two: linearly interpolated between the borders of the bucket (never above
/// the longest call where that is known), so they lie in the same power of two as the true value.
/// Times include what the thread waited inside the call. Calls that never return (exit, exit_group)
/// are counted and take no time.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Syscalls {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A system call.
    #[default]
    Name,
    /// A class of system calls.
    Class,
    /// A process, with what its calls say of its behaviour.
    Process,
}

/// Slow calls that are kept, open ones and others each: the longest.
const SLOW: usize = 10_000;
/// Most processes and calls that are told apart.
const MOST: usize = 1 << 18;

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    /// By process key and number.
    calls: Bounded<(u64, u32), Sums, MOST>,
    /// By process key with `--by process`, by number else.
    times: Bounded<u64, Buckets, MOST>,
    open: Longest<Slow, SLOW>,
    slow: Longest<Slow, SLOW>,
    /// Where the windows in which calls were counted begin and end.
    counted: Option<(u64, u64)>,
}

/// Both of two windows and what lies between them.
fn join(a: Option<(u64, u64)>, b: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    }
}

impl Report for Syscalls {
    const NAME: &'static str = "syscalls";
    type State = State;

    fn needs(&self) -> Needs {
        Needs::CODE
    }

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let counts = ["end", "duration", "count", "errors", "total", "max", "tgid", "nr"];
        let latencies: &[&'static str] = match self.by {
            By::Process => &["end", "count", "tgid", "bucket"],
            By::Name | By::Class => &["count", "nr", "bucket"],
        };
        vec![
            Read::of(SyscallCount::DESC.name, &counts),
            Read::maybe(SyscallLatency::DESC.name, latencies),
            Read::maybe(SyscallSlow::DESC.name, &Slow::COLUMNS),
        ]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        match batch.record() {
            id if id == SyscallCount::DESC.id => count(cx, batch, state),
            id if id == SyscallLatency::DESC.id => self.latency(cx, batch, state),
            id if id == SyscallSlow::DESC.id => {
                for row in 0..batch.rows() {
                    let call = Slow::of(cx, batch, row);
                    let kept = if call.is_open() { &mut state.open } else { &mut state.slow };
                    kept.add(call);
                }
            }
            _ => {}
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.calls.merge(from.calls);
        into.times.merge(from.times);
        into.counted = join(into.counted, from.counted);
        into.open.merge(from.open);
        into.slow.merge(from.slow);
    }

    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
        answer::answer(self.by, cx, filter, state)
    }
}

fn count(cx: &Context<'_>, batch: &Batch, state: &mut State) {
    let (ends, tgids, numbers) = (batch.u64("end"), batch.u32("tgid"), batch.u32("nr"));
    let durations = batch.u64("duration");
    let (counts, errors) = (batch.u64("count"), batch.u64("errors"));
    let (totals, longest) = (batch.u64("total"), batch.u64("max"));
    for row in 0..batch.rows() {
        let process = cx.tasks().process_key(tgids[row], ends[row]);
        let sums = Sums {
            count: counts[row],
            errors: errors[row],
            total: totals[row],
            max: longest[row],
        };
        state.calls.at((process.0, numbers[row])).fold(sums);
        let begin = ends[row].saturating_sub(durations[row]);
        state.counted = join(state.counted, Some((begin, ends[row])));
    }
}

impl Syscalls {
    fn latency(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let (counts, buckets) = (batch.u64("count"), batch.u32("bucket"));
        for row in 0..batch.rows() {
            let key = match self.by {
                By::Process => {
                    cx.tasks().process_key(batch.u32("tgid")[row], batch.u64("end")[row]).0
                }
                By::Name | By::Class => batch.u32("nr")[row].into(),
            };
            state.times.at(key).add(buckets[row], counts[row]);
        }
    }
}
