//! `report tree`.

mod answer;
mod order;

use ktape_format::Batch;
use ktape_schema::OffCpu;

use crate::answer::Answer;
use crate::context::Context;
use crate::query::Filter;
use crate::run::{Fold, Read, Report, Slots};

/// Process tree: who started whom, when, for how long, with which result, and where its time went.
///
/// CPU time is that within the recording, as the scheduler counted it (schedstat): the reading at the
/// stop of the recording (for a thread that ended, at its exit) minus the reading at the start; a
/// thread born within the recording began at 0. It is missing where there is one reading too few.
/// Off-CPU and run-queue time are the sums over the waits that the filters let pass; the run queue is
/// part of the off-CPU time. Siblings go by their start. A pid that was used again gives a line for
/// each process that had it.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Tree {
    /// Show also the threads of the kernel.
    #[arg(long)]
    pub all: bool,
}

/// The waits of one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waits {
    count: u64,
    off_cpu: u64,
    runq: u64,
}

impl Fold for Waits {
    fn fold(&mut self, other: Waits) {
        self.count = self.count.saturating_add(other.count);
        self.off_cpu = self.off_cpu.saturating_add(other.off_cpu);
        self.runq = self.runq.saturating_add(other.runq);
    }
}

/// The fold: waits by thread key.
#[derive(Debug, Default)]
pub struct State {
    threads: Slots<Waits>,
}

impl Report for Tree {
    const NAME: &'static str = "tree";
    type State = State;

    fn reads(&self, cx: &Context<'_>) -> Vec<Read> {
        let mut read = Read::maybe(OffCpu::DESC.name, &["duration", "runq", "tid", "tgid"]);
        if cx.tasks().reused() {
            read.columns.push("end");
        }
        vec![read]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let tasks = cx.tasks();
        let (durations, runqs) = (batch.u64("duration"), batch.u64("runq"));
        let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
        let times = tasks.reused().then(|| batch.u64("end"));
        for row in 0..batch.rows() {
            let time = times.map_or(0, |times| times[row]);
            let key = tasks.thread_key(tids[row], tgids[row], time);
            let wait = Waits { count: 1, off_cpu: durations[row], runq: runqs[row] };
            state.threads.at(key.0).fold(wait);
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.threads.merge(from.threads);
    }

    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
        answer::answer(self.all, cx, filter, state)
    }
}
