//! `report offcpu`.

mod answer;
mod denet;
mod waits;

use ktape_format::Batch;

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::idle::Idle;
use crate::query::Filter;
use crate::run::{Read, Report, Slots, StackKey, StackSums};
use waits::Waits;

/// Off-CPU time: where threads waited, how long, and for what.
///
/// Each wait is split in two: the part blocked, which counts for its class (sleep, io, lock, poll,
/// child, other: told from the thread's state and the system call that it was in; io counts pipes and
/// sockets, lock counts every futex, so condition variables and joins, too), and the part runnable but
/// without a CPU (runq). A wait counts in the window in which it ends. Waits as long as
/// the recording are left out (mostly daemons that nobody asked for anything) unless threads were
/// chosen, when recording or here, and those of kernel threads that have nothing to do (--idle counts
/// them).
#[derive(clap::Args, Clone, Debug, Default)]
pub struct OffCpu {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
    /// Count, too, threads that were off the CPU during the whole recording, and kernel threads that
    /// have nothing to do.
    #[arg(long)]
    pub idle: bool,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A process.
    #[default]
    Process,
    /// A thread.
    Thread,
    /// A stack: where the thread stood when it left the CPU.
    Stack,
}

/// Waits per thread, and per stack when that is asked for.
#[derive(Debug, Default)]
pub struct State {
    threads: Slots<Waits>,
    stacks: StackSums,
    /// Waits left out.
    idle: Idle,
}

impl Report for OffCpu {
    const NAME: &'static str = "offcpu";
    type State = State;

    fn needs(&self) -> Needs {
        Needs { code: self.by == By::Stack, ..Needs::TASKS }
    }

    fn reads(&self, cx: &Context<'_>) -> Vec<Read> {
        let mut read =
            Read::of("off_cpu", &["duration", "runq", "tid", "tgid", "syscall", "state", "flags"]);
        if cx.tasks().reused() {
            read.columns.push("end");
        }
        if self.by == By::Stack {
            read.columns.extend(["kstack", "ustack"]);
        }
        vec![read]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let (tasks, classes) = (cx.tasks(), cx.wait_classes());
        let rows = batch.rows();
        let (durations, runqs) = (&batch.u64("duration")[..rows], &batch.u64("runq")[..rows]);
        let (tids, tgids) = (&batch.u32("tid")[..rows], &batch.u32("tgid")[..rows]);
        let (calls, states) = (&batch.u16("syscall")[..rows], &batch.u8("state")[..rows]);
        let times = tasks.reused().then(|| batch.u64("end"));
        let stacks = (self.by == By::Stack).then(|| (batch.u32("ustack"), batch.u32("kstack")));
        let flags = &batch.u8("flags")[..rows];
        for row in 0..rows {
            let time = times.map_or(0, |times| times[row]);
            let key = tasks.thread_key(tids[row], tgids[row], time);
            let mut duration = durations[row];
            if !self.idle {
                let wait = (duration, runqs[row]);
                match state.idle.rest(cx, key, states[row], flags[row], wait) {
                    Some(rest) => duration = rest,
                    None => continue,
                }
            }
            let class = classes.index(states[row], calls[row]);
            state.threads.at(key.0).add(duration, runqs[row], class);
            if let Some((ustacks, kstacks)) = stacks {
                let key = StackKey { thread: key.0, ustack: ustacks[row], kstack: kstacks[row] };
                state.stacks.add(key, duration);
            }
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.threads.merge(from.threads);
        into.stacks.merge(from.stacks);
        into.idle.merge(from.idle);
    }

    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
        answer::answer(self.by, cx, filter, state)
    }
}
