//! Waits off the CPU: the switch away from a thread joined with the one back to it.

use ktape_schema::{OffCpu, fact_flag, off_cpu_state};
use rustc_hash::FxHashMap;

use super::stacks::Both;
use super::tape::{OWN_RING, Tape};
use super::tasks::Tasks;

/// From the wake-up of a thread on its way out to its switch, ns: as in the recorder (sched.bpf.c).
const WAKE_RACE: u64 = 100_000;
/// In no system call, as far as is known.
const NO_CALL: u16 = u16::MAX;

/// How a thread left the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// For good.
    Dead,
    /// `off_cpu_state`.
    As(u8),
}

/// What `sched_switch` says of why a thread left: `letters` are the bits of its state.
pub(super) fn left(state: u64, letters: &[(u64, u8)]) -> Left {
    let letter = letters.iter().find(|(bit, _)| state & bit != 0).map(|known| known.1);
    Left::As(match letter {
        None if state == 0 || !letters.is_empty() => off_cpu_state::PREEMPTED,
        Some(b'S') => off_cpu_state::SLEEPING,
        Some(b'D') => off_cpu_state::UNINTERRUPTIBLE,
        Some(b'T' | b't') => off_cpu_state::STOPPED,
        Some(b'I') => off_cpu_state::IDLE,
        Some(b'X' | b'Z') => return Left::Dead,
        _ => off_cpu_state::OTHER,
    })
}

/// A moment on a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    pub(super) time: u64,
    pub(super) cpu: u16,
}

/// CPU time and time on the run queue of a thread since the start, ns, and how often it was given a
/// CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) run: u64,
    pub(super) wait: u64,
    pub(super) slices: u64,
}

#[derive(Clone, Copy, Debug)]
struct Off {
    since: At,
    state: u8,
    stacks: Both,
}

#[derive(Clone, Copy, Debug)]
struct Woken {
    time: u64,
    waker: u32,
    waker_tgid: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    off: Option<Off>,
    woken: Option<Woken>,
    usage: Usage,
    /// The CPU that it was given last.
    cpu: u16,
}

/// The waits of all threads.
pub(super) struct Waits {
    threads: FxHashMap<u32, Thread>,
    /// Which thread runs on each CPU, and since when; `None`: since before the start.
    running: FxHashMap<u16, (Option<u32>, u64)>,
    start: u64,
    /// Switches away from threads.
    pub(super) left: u64,
    /// Waits whose end was not seen, only the next one's beginning.
    pub(super) unseen: u64,
    /// Waits that had begun before the first switch.
    pub(super) from_before: u64,
    /// Waits still open at the end.
    pub(super) open: u64,
}

impl Waits {
    pub(super) fn new(start: u64) -> Self {
        Self {
            threads: FxHashMap::default(),
            running: FxHashMap::default(),
            start,
            left: 0,
            unseen: 0,
            from_before: 0,
            open: 0,
        }
    }

    /// A thread leaves its CPU.
    pub(super) fn leave(&mut self, tid: u32, at: At, left: Left, stacks: Both) {
        let run = self.turn(tid, at);
        let thread = self.threads.entry(tid).or_default();
        thread.usage.run = thread.usage.run.saturating_add(run);
        self.left += 1;
        self.unseen += u64::from(thread.off.take().is_some());
        match left {
            Left::Dead => *thread = Thread { usage: thread.usage, ..Thread::default() },
            Left::As(state) => {
                // Woken before it slept, and not just now: that ended no wait.
                thread.woken =
                    thread.woken.filter(|woken| woken.time.saturating_add(WAKE_RACE) >= at.time);
                thread.off = Some(Off { since: at, state, stacks });
            }
        }
    }

    /// How long a thread has been running on a CPU.
    fn turn(&self, tid: u32, at: At) -> u64 {
        match self.running.get(&at.cpu) {
            None => at.time.saturating_sub(self.start),
            Some(&(Some(known), since)) if known == tid => at.time.saturating_sub(since),
            _ => 0,
        }
    }

    /// A CPU goes over to a thread, or to none (0).
    pub(super) fn run(&mut self, tid: u32, at: At) {
        self.running.insert(at.cpu, (Some(tid), at.time));
    }

    /// A thread is given a CPU.
    pub(super) fn arrive(&mut self, tid: u32, at: At, tasks: &Tasks, tape: &mut Tape<'_>) {
        let thread = self.threads.entry(tid).or_default();
        let (off, woken) = (thread.off.take(), thread.woken.take());
        thread.cpu = at.cpu;
        let Some(off) = off else {
            self.from_before += u64::from(thread.usage == Usage::default());
            thread.usage.slices += 1;
            return;
        };
        thread.usage.slices += 1;
        let mut row = fact(tid, off, woken, at, tasks);
        row.cpu = at.cpu;
        thread.usage.wait = thread.usage.wait.saturating_add(row.runq);
        tape.fact(OffCpu::DESC, at.cpu, &row.encode());
    }

    /// A thread is given a CPU, as perf's own records of switches say: they come without the other
    /// thread's, and where both are told twice.
    pub(super) fn arrive_if_off(&mut self, tid: u32, at: At, tasks: &Tasks, tape: &mut Tape<'_>) {
        if self.threads.get(&tid).is_some_and(|thread| thread.off.is_some()) {
            self.run(tid, at);
            self.arrive(tid, at, tasks, tape);
        }
    }

    /// A thread is woken; `waker` is (tid, tgid), or zeros for an interrupt.
    pub(super) fn wake(&mut self, tid: u32, time: u64, (waker, waker_tgid): (u32, u32)) {
        let thread = self.threads.entry(tid).or_default();
        // Of a wait only its first wake-up counts: sched_wakeup follows sched_waking.
        if thread.off.is_none() || thread.woken.is_none() {
            thread.woken = Some(Woken { time, waker, waker_tgid });
        }
    }

    /// A new thread waits for its first run.
    pub(super) fn wake_new(&mut self, tid: u32, at: At, (waker, waker_tgid): (u32, u32)) {
        let off = Off { since: at, state: off_cpu_state::NEW, stacks: Both::default() };
        let woken = Woken { time: at.time, waker, waker_tgid };
        self.threads
            .insert(tid, Thread { off: Some(off), woken: Some(woken), ..Thread::default() });
    }

    /// Whether the file tells both ends of waits: one of a single process has only switches away.
    pub(super) fn have_ends(&self) -> bool {
        self.unseen <= self.left / 2
    }

    /// Tells the waits that are open at the end.
    pub(super) fn tell_open(&mut self, time: u64, tasks: &Tasks, tape: &mut Tape<'_>) {
        if !self.have_ends() {
            return;
        }
        let mut open: Vec<(u32, Off, Option<Woken>)> = self
            .threads
            .iter()
            .filter_map(|(&tid, thread)| Some((tid, thread.off?, thread.woken)))
            .collect();
        open.sort_unstable_by_key(|wait| wait.0);
        self.open = open.len() as u64;
        for (tid, off, woken) in open {
            let mut row = fact(tid, off, woken, At { time, cpu: off.since.cpu }, tasks);
            row.flags = fact_flag::OPEN as u8;
            tape.fact(OffCpu::DESC, OWN_RING, &row.encode());
        }
    }

    /// CPU time and run-queue time of a thread up to a moment.
    pub(super) fn usage(&self, tid: u32, time: u64) -> Usage {
        let Some(thread) = self.threads.get(&tid) else { return Usage::default() };
        let mut usage = thread.usage;
        if let Some(&(Some(on), since)) = self.running.get(&thread.cpu)
            && on == tid
        {
            usage.run = usage.run.saturating_add(time.saturating_sub(since));
        }
        usage
    }
}

fn fact(tid: u32, off: Off, woken: Option<Woken>, at: At, tasks: &Tasks) -> OffCpu {
    let duration = at.time.saturating_sub(off.since.time);
    let (runq, waker, waker_tgid) = match woken {
        _ if off.state == off_cpu_state::PREEMPTED => (duration, 0, 0),
        Some(woken) => {
            let from = woken.time.max(off.since.time);
            (at.time.saturating_sub(from), woken.waker, woken.waker_tgid)
        }
        None => (0, 0, 0),
    };
    OffCpu {
        end: at.time,
        duration,
        runq,
        tid,
        tgid: tasks.tgid(tid),
        waker,
        waker_tgid,
        kstack: off.stacks.kernel,
        ustack: off.stacks.user,
        cpu: at.cpu,
        prev_cpu: off.since.cpu,
        syscall: NO_CALL,
        state: off.state,
        flags: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_those_of_the_kernels_own_text() {
        let letters =
            [(1, b'S'), (2, b'D'), (4, b'T'), (8, b't'), (16, b'X'), (32, b'Z'), (128, b'I')];
        let check = |state, expected| assert_eq!(left(state, &letters), expected, "{state}");
        check(0, Left::As(off_cpu_state::PREEMPTED));
        check(0x100, Left::As(off_cpu_state::PREEMPTED));
        check(1, Left::As(off_cpu_state::SLEEPING));
        check(2, Left::As(off_cpu_state::UNINTERRUPTIBLE));
        check(8, Left::As(off_cpu_state::STOPPED));
        check(16, Left::Dead);
        check(128, Left::As(off_cpu_state::IDLE));
        assert_eq!(left(1, &[]), Left::As(off_cpu_state::OTHER));
    }
}
