//! `report cpu`.

mod answer;
mod weight;

pub(crate) use answer::{Function, functions_of, top_functions};

use ktape_format::Batch;
use ktape_schema::sample_event;

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::query::Filter;
use crate::run::{Read, Report, StackKey, StackSums};

/// CPU profile: which functions, processes, threads or modules ran, by samples.
///
/// `self` counts the samples that interrupted the function itself, `total` those with the function
/// anywhere on the stack, once per sample. Idle CPUs are not sampled: shares are of the samples taken,
/// not of the machine.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Cpu {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A function.
    #[default]
    Function,
    /// A process.
    Process,
    /// A thread.
    Thread,
    /// A module: executable, library, kernel.
    Module,
}

/// Samples per thread and stack: weighed in nanoseconds, and in cycles.
#[derive(Debug, Default)]
pub struct State {
    clock: StackSums,
    cycles: StackSums,
}

impl Report for Cpu {
    const NAME: &'static str = "cpu";
    type State = State;

    fn needs(&self) -> Needs {
        Needs::CODE
    }

    fn reads(&self, cx: &Context<'_>) -> Vec<Read> {
        let columns = ["weight", "tid", "tgid", "kstack", "ustack", "event"];
        let mut read = Read::of("cpu_sample", &columns);
        if cx.tasks().reused() {
            read.columns.push("time");
        }
        vec![read]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let tasks = cx.tasks();
        let (weights, events) = (batch.u64("weight"), batch.u8("event"));
        let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
        let (kstacks, ustacks) = (batch.u32("kstack"), batch.u32("ustack"));
        let times = tasks.reused().then(|| batch.u64("time"));
        for row in 0..batch.rows() {
            let time = times.map_or(0, |times| times[row]);
            let thread = tasks.thread_key(tids[row], tgids[row], time).0;
            let key = StackKey { thread, ustack: ustacks[row], kstack: kstacks[row] };
            let clock = events[row] == sample_event::CPU_CLOCK;
            let sums = if clock { &mut state.clock } else { &mut state.cycles };
            sums.add(key, weights[row]);
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.clock.merge(from.clock);
        into.cycles.merge(from.cycles);
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: State) -> Answer {
        answer::answer(self.by, cx, state)
    }
}
