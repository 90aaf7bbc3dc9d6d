//! `report wakeups`.

mod answer;
mod path;
mod wait;

use ktape_format::Batch;
use ktape_schema::off_cpu_state;

use crate::answer::Answer;
use crate::context::{Context, Needs, ThreadKey};
use crate::idle::Idle;
use crate::query::Filter;
use crate::run::{Bounded, Fold, Longest, Read, Report};
use wait::{NOBODY, Wait};

/// Who wakes whom, and what the longest waits were really for: their critical paths.
///
/// A wait is followed back from its end: to the thread that ended it, to what that one had waited for
/// before, and so on, until the wait began. The steps add up to the wait. What --pid, --comm or
/// --time exclude cannot be followed: --thread and --process choose the waits instead, and let the
/// paths lead everywhere.
#[derive(clap::Args, Clone, Debug)]
pub struct Wakeups {
    /// What one row of the sums is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
    /// How many waits to follow: the longest.
    #[arg(long, default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(0..=100))]
    pub paths: u64,
    /// Tell the steps of each path in order of time, and not only what they add up to.
    #[arg(long)]
    pub steps: bool,
    /// Follow waits of this thread only.
    #[arg(long, value_name = "TID")]
    pub thread: Option<u32>,
    /// Follow waits of this process only.
    #[arg(long, value_name = "PID")]
    pub process: Option<u32>,
}

impl Default for Wakeups {
    fn default() -> Self {
        Self { by: By::Process, paths: 3, steps: false, thread: None, process: None }
    }
}

/// What one row of the sums is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A process that wakes another one.
    #[default]
    Process,
    /// A thread that wakes another one.
    Thread,
}

/// Most pairs of threads that are told apart.
const PAIRS: usize = 1 << 15;
/// Waits that paths can lead through: the longest.
const KEPT: usize = 1 << 17;

/// Waits that one thread ended for another.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: u64,
    /// Time until the wake-up, ns.
    total: u64,
    max: u64,
}

impl Fold for Sums {
    fn fold(&mut self, from: Sums) {
        self.count = self.count.wrapping_add(from.count);
        self.total = self.total.wrapping_add(from.total);
        self.max = self.max.max(from.max);
    }
}

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    /// By who woke and who was woken.
    pairs: Bounded<(u64, u64), Sums, PAIRS>,
    waits: Longest<Wait, KEPT>,
    idle: Idle,
}

impl Report for Wakeups {
    const NAME: &'static str = "wakeups";
    type State = State;

    fn needs(&self) -> Needs {
        Needs::TASKS
    }

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let columns = [
            "end", "duration", "runq", "tid", "tgid", "waker", "waker_tgid", "syscall", "state", "flags",
        ];
        vec![Read::of("off_cpu", &columns)]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let (ends, durations, runqs) = (batch.u64("end"), batch.u64("duration"), batch.u64("runq"));
        let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
        let (wakers, waker_tgids) = (batch.u32("waker"), batch.u32("waker_tgid"));
        let (calls, states, flags) = (batch.u16("syscall"), batch.u8("state"), batch.u8("flags"));
        for row in 0..batch.rows() {
            let (end, duration) = (ends[row], durations[row]);
            let runq = runqs[row].min(duration);
            let thread = cx.tasks().thread_key(tids[row], tgids[row], end);
            let woken = end.saturating_sub(runq);
            let waker = match wakers[row] {
                0 => NOBODY,
                tid => cx.tasks().thread_key(tid, waker_tgids[row], woken).0,
            };
            state.waits.add(Wait {
                duration,
                end,
                thread: thread.0,
                runq,
                waker,
                state: states[row],
                syscall: calls[row],
                flags: flags[row],
            });
            if matches!(
                states[row],
                off_cpu_state::PREEMPTED | off_cpu_state::YIELDED | off_cpu_state::NEW
            ) {
                continue;
            }
            let rest = state.idle.rest(cx, thread, states[row], flags[row], (duration, runq));
            if rest.is_some_and(|rest| rest > runq) {
                let blocked = duration - runq;
                let sums = Sums { count: 1, total: blocked, max: blocked };
                state.pairs.at((waker, thread.0)).fold(sums);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.pairs.merge(from.pairs);
        into.waits.merge(from.waits);
        into.idle.merge(from.idle);
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: State) -> Answer {
        answer::answer(self, cx, state)
    }
}

impl Wakeups {
    /// Whether a wait is one of those to follow: somebody waited for something, and it is over.
    fn follows(&self, cx: &Context<'_>, wait: &Wait) -> bool {
        let thread = ThreadKey(wait.thread);
        let chosen = self.thread.is_none_or(|tid| cx.tasks().tid(thread) == tid)
            && self.process.is_none_or(|pid| cx.tasks().tgid(thread) == pid);
        let asked = self.thread.is_some() || self.process.is_some();
        let mut idle = Idle::default();
        let whole = (wait.duration, wait.runq);
        let counts = idle.rest(cx, thread, wait.state, wait.flags, whole);
        chosen && !wait.is_open() && (asked || counts.is_some_and(|rest| rest == wait.duration))
    }
}
