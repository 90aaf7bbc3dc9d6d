//! `StackExport`: the stacks of a trace with one weight each.

use ktape_format::Batch;
use ktape_schema::sample_event;

use crate::answer::{Answer, Block, Cell};
use crate::context::{Context, Needs};
use crate::folded_stacks::name_stacks;
use crate::idle::Idle;
use crate::query::Filter;
use crate::run::{Read, Report, StackKey, StackSums};

/// Stacks, weighed by CPU time or by off-CPU time.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct StackExport {
    /// Which facts' stacks.
    #[arg(long, value_enum, default_value_t, value_name = "FACTS")]
    pub of: Of,
}

/// Which facts' stacks are exported, and what they weigh.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Of {
    /// CPU samples, weighed by what they sampled: nanoseconds of the CPU clock, or cycles.
    #[default]
    Cpu,
    /// Waits, weighed by their duration in microseconds; without those that `report offcpu` leaves out.
    Offcpu,
}

/// Stacks of waits and of clock samples apart from those of cycle samples.
#[derive(Debug, Default)]
pub struct State {
    time: StackSums,
    cycles: StackSums,
    has_time: bool,
    has_cycles: bool,
    /// Waits left out.
    idle: Idle,
}

impl Report for StackExport {
    const NAME: &'static str = "stacks";
    type State = State;

    fn needs(&self) -> Needs {
        Needs::CODE
    }

    fn reads(&self, cx: &Context<'_>) -> Vec<Read> {
        let (mut read, time) = match self.of {
            Of::Cpu => {
                let columns = ["weight", "tid", "tgid", "kstack", "ustack", "event"];
                (Read::of("cpu_sample", &columns), "time")
            }
            Of::Offcpu => {
                let columns =
                    ["duration", "tid", "tgid", "kstack", "ustack", "state", "flags", "runq"];
                (Read::of("off_cpu", &columns), "end")
            }
        };
        if cx.tasks().reused() {
            read.columns.push(time);
        }
        vec![read]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let tasks = cx.tasks();
        let rows = batch.rows();
        let (weight, time) = match self.of {
            Of::Cpu => ("weight", "time"),
            Of::Offcpu => ("duration", "end"),
        };
        let weights = &batch.u64(weight)[..rows];
        let (tids, tgids) = (&batch.u32("tid")[..rows], &batch.u32("tgid")[..rows]);
        let (kstacks, ustacks) = (&batch.u32("kstack")[..rows], &batch.u32("ustack")[..rows]);
        let times = tasks.reused().then(|| batch.u64(time));
        let events = (self.of == Of::Cpu).then(|| batch.u8("event"));
        let waits = (self.of == Of::Offcpu)
            .then(|| (batch.u8("state"), batch.u8("flags"), batch.u64("runq")));
        for row in 0..rows {
            let time = times.map_or(0, |times| times[row]);
            let thread = tasks.thread_key(tids[row], tgids[row], time);
            let mut weight = weights[row];
            if let Some((states, flags, runqs)) = waits {
                let wait = (weight, runqs[row]);
                match state.idle.rest(cx, thread, states[row], flags[row], wait) {
                    Some(rest) => weight = rest,
                    None => continue,
                }
            }
            let thread = thread.0;
            let key = StackKey { thread, ustack: ustacks[row], kstack: kstacks[row] };
            if events.is_some_and(|events| events[row] != sample_event::CPU_CLOCK) {
                state.cycles.add(key, weight);
                state.has_cycles = true;
            } else {
                state.time.add(key, weight);
                state.has_time = true;
            }
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.time.merge(from.time);
        into.cycles.merge(from.cycles);
        into.has_time |= from.has_time;
        into.has_cycles |= from.has_cycles;
        into.idle.merge(from.idle);
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: State) -> Answer {
        // Nanoseconds and cycles do not add up: a trace with both is weighed by samples.
        let both = state.has_time && state.has_cycles;
        let mut sums = state.time;
        sums.merge(state.cycles);
        let column = match self.of {
            Of::Cpu if both => ("samples", "samples"),
            Of::Cpu => ("weight", "weight"),
            Of::Offcpu => ("total_us", "us"),
        };
        let stacks = name_stacks(cx, sums, "stacks", &[column], |sum| {
            vec![Cell::Count(match self.of {
                Of::Cpu if both => sum.count,
                Of::Cpu => sum.total,
                Of::Offcpu => sum.total / 1000,
            })]
        });
        let notes = state.idle.note().into_iter().collect();
        Answer { blocks: vec![Block::Stacks(stacks)], notes, ..Answer::default() }
    }
}
