//! `report counters`.

mod answer;
mod counts;
mod places;

use ktape_format::Batch;
use ktape_schema::{CounterSample, CounterTotal, counter_event};

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::query::Filter;
use crate::run::{Bounded, BoundedKey, Fold, Read, Report, Slots, StackKey, Sum};
use counts::Counts;

/// Counters: context switches, migrations, page faults; cycles, instructions, cache and branch misses.
///
/// Counts of processes and threads are exact, and those of the kernel are always there; those of the CPU
/// only where its counters can be seen, which virtual machines often hide. By function and by stack they
/// are estimates from samples, each of which stands for the events since the one before. Page faults are
/// those of getrusage(2), with pages that were provided in advance (`MAP_POPULATE`), which the event of
/// perf and `report mem` leave out.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Counters {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
    /// With --by function or stack: this event only [default: all, by stack the first that was sampled].
    #[arg(long, value_enum, value_name = "EVENT")]
    pub event: Option<Event>,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A process.
    #[default]
    Process,
    /// A thread.
    Thread,
    /// A function, by samples.
    Function,
    /// A stack, by samples.
    Stack,
}

/// An event that can be sampled, by perf's name.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Cycles of the CPU.
    Cycles,
    /// Instructions that it retired.
    Instructions,
    /// Cache misses, mostly of the last level.
    CacheMisses,
    /// Mispredicted branches.
    BranchMisses,
    /// The kernel's clock of the CPU.
    CpuClock,
    /// Context switches.
    ContextSwitches,
    /// Moves to another CPU.
    CpuMigrations,
    /// Page faults.
    PageFaults,
}

impl Event {
    fn value(self) -> u8 {
        match self {
            Event::Cycles => counter_event::CYCLES,
            Event::Instructions => counter_event::INSTRUCTIONS,
            Event::CacheMisses => counter_event::CACHE_MISSES,
            Event::BranchMisses => counter_event::BRANCH_MISSES,
            Event::CpuClock => counter_event::CPU_CLOCK,
            Event::ContextSwitches => counter_event::CONTEXT_SWITCHES,
            Event::CpuMigrations => counter_event::CPU_MIGRATIONS,
            Event::PageFaults => counter_event::PAGE_FAULTS,
        }
    }
}

/// Most stacks that are told apart.
const MOST: usize = 1 << 18;

/// Where an event was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct SampleKey {
    event: u8,
    stack: StackKey,
}

impl BoundedKey for SampleKey {
    const OTHERS: Self = Self { event: u8::MAX, stack: StackKey::OTHERS };
}

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    threads: Slots<Counts>,
    samples: Bounded<SampleKey, Sum, MOST>,
}

impl Counters {
    fn is_by_place(&self) -> bool {
        matches!(self.by, By::Function | By::Stack)
    }
}

impl Report for Counters {
    const NAME: &'static str = "counters";
    type State = State;

    fn needs(&self) -> Needs {
        if self.is_by_place() { Needs::CODE } else { Needs::TASKS }
    }

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let totals: Vec<&'static str> =
            ["end", "tid", "tgid", "flags", "counted"].into_iter().chain(counts::COLUMNS).collect();
        if !self.is_by_place() {
            return vec![Read::of(CounterTotal::DESC.name, &totals)];
        }
        let samples = ["time", "weight", "tid", "tgid", "kstack", "ustack", "event"];
        vec![
            Read::maybe(CounterTotal::DESC.name, &totals),
            Read::of(CounterSample::DESC.name, &samples),
        ]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        if batch.record() == CounterTotal::DESC.id {
            counts::scan(cx, batch, &mut state.threads);
            return;
        }
        let (times, weights, events) = (batch.u64("time"), batch.u64("weight"), batch.u8("event"));
        let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
        let (kstacks, ustacks) = (batch.u32("kstack"), batch.u32("ustack"));
        for row in 0..batch.rows() {
            if self.event.is_some_and(|event| event.value() != events[row]) {
                continue;
            }
            let thread = cx.tasks().thread_key(tids[row], tgids[row], times[row]).0;
            let stack = StackKey { thread, ustack: ustacks[row], kstack: kstacks[row] };
            let weight = weights[row];
            let sum = Sum { count: 1, total: weight, max: weight };
            state.samples.at(SampleKey { event: events[row], stack }).fold(sum);
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.threads.merge(from.threads);
        into.samples.merge(from.samples);
    }

    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
        answer::answer(self.by, cx, filter, state)
    }
}
