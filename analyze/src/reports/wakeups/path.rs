//! The critical path of a wait: what it was really for, step by step.

use super::wait::{NOBODY, Wait};

/// What a thread did in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// It had a CPU, or waited for less than can be followed.
    Ran,
    /// It waited for a CPU.
    Runnable,
    /// It waited for something that no thread brought: a timer, a device, an interrupt; or nobody
    /// knows who did. The system call that it was in, and its state.
    Blocked { syscall: u16, state: u8 },
    /// Nothing is known of it.
    Unknown,
}

/// A part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// A [`crate::context::ThreadKey`].
    pub(super) thread: u64,
    pub(super) doing: Doing,
    /// Monotonic ns.
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The waits of all threads, by thread and time.
pub(super) struct Waits(Vec<Wait>);

/// The most steps of a path; the rest of it is told as one.
const MOST: usize = 20_000;

impl Waits {
    pub(super) fn new(mut waits: Vec<Wait>) -> Waits {
        waits.sort_unstable_by_key(|wait| (wait.thread, wait.end, *wait));
        Waits(waits)
    }

    /// The last wait of a thread that had ended by a moment.
    fn before(&self, thread: u64, moment: u64) -> Option<&Wait> {
        let after = self.0.partition_point(|wait| (wait.thread, wait.end) <= (thread, moment));
        self.0[..after].last().filter(|wait| wait.thread == thread)
    }

    /// The steps of a wait, in order of time: together as long as the wait. `known` says of which
    /// threads the trace tells.
    pub(super) fn path(&self, wait: &Wait, known: &dyn Fn(u64) -> bool) -> Vec<Step> {
        let mut back = Backwards { start: wait.start(), at: wait.end, steps: Vec::new() };
        let mut next = back.through(wait);
        while back.at > back.start {
            let thread = next;
            if back.steps.len() >= MOST || !known(thread) {
                back.step(thread, Doing::Unknown, back.start);
                break;
            }
            let Some(last) = self.before(thread, back.at) else {
                back.step(thread, Doing::Ran, back.start);
                break;
            };
            let at = back.at;
            back.step(thread, Doing::Ran, last.end);
            next = back.through(last);
            // Waits of no length, which only a damaged trace has, would lead round in circles.
            if back.at == at {
                back.step(next, Doing::Unknown, back.start);
            }
        }
        back.steps.reverse();
        back.steps
    }
}

/// A path in the making, from its end.
struct Backwards {
    start: u64,
    at: u64,
    steps: Vec<Step>,
}

impl Backwards {
    /// A step that began at `from`, or at the start of the path if that is later.
    fn step(&mut self, thread: u64, doing: Doing, from: u64) {
        let from = from.max(self.start);
        if from < self.at {
            self.steps.push(Step { thread, doing, from, to: self.at });
            self.at = from;
        }
    }

    /// Goes back through a wait that ends here; gives the thread with which the path goes on.
    fn through(&mut self, wait: &Wait) -> u64 {
        if wait.was_runnable() {
            self.step(wait.thread, Doing::Runnable, wait.start());
            return wait.thread;
        }
        self.step(wait.thread, Doing::Runnable, wait.woken());
        if wait.waker == NOBODY || wait.waker == wait.thread {
            let doing = Doing::Blocked { syscall: wait.syscall, state: wait.state };
            self.step(wait.thread, doing, wait.start());
            return wait.thread;
        }
        wait.waker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ktape_schema::off_cpu_state as state;

    /// A wait from, to, woken when and by whom.
    fn wait(thread: u64, start: u64, woken: u64, end: u64, waker: u64) -> Wait {
        Wait {
            duration: end - start,
            end,
            thread,
            runq: end - woken,
            waker,
            state: state::SLEEPING,
            syscall: 7,
            flags: 0,
        }
    }

    fn check(waits: &[Wait], expected: &[(u64, &str, u64, u64)]) {
        let steps = Waits::new(waits.to_vec()).path(&waits[0], &|thread| thread != 99);
        let found: Vec<_> = steps
            .iter()
            .map(|step| {
                let doing = match step.doing {
                    Doing::Ran => "ran",
                    Doing::Runnable => "runnable",
                    Doing::Blocked { .. } => "blocked",
                    Doing::Unknown => "unknown",
                };
                (step.thread, doing, step.from, step.to)
            })
            .collect();
        assert_eq!(found, expected);
        let sum: u64 = steps.iter().map(|step| step.to - step.from).sum();
        assert_eq!(sum, waits[0].duration);
    }

    #[test]
    fn a_path_leads_through_wakers_to_what_took_the_time() {
        // Thread 1 waits for 2, which waits for 3, which sleeps by a timer.
        check(
            &[
                wait(1, 100, 900, 920, 2),
                wait(2, 50, 700, 730, 3),
                wait(3, 200, 600, 610, NOBODY),
                wait(3, 0, 90, 95, 1),
            ],
            &[
                (3, "ran", 100, 200),
                (3, "blocked", 200, 600),
                (3, "runnable", 600, 610),
                (3, "ran", 610, 700),
                (2, "runnable", 700, 730),
                (2, "ran", 730, 900),
                (1, "runnable", 900, 920),
            ],
        );
    }

    #[test]
    fn a_path_ends_where_nothing_is_known() {
        check(&[wait(1, 100, 900, 900, NOBODY)], &[(1, "blocked", 100, 900)]);
        check(&[wait(1, 100, 900, 900, 99)], &[(99, "unknown", 100, 900)]);
        check(&[wait(1, 100, 900, 900, 2)], &[(2, "ran", 100, 900)]);
        let preempted = Wait { state: state::PREEMPTED, ..wait(2, 300, 300, 500, NOBODY) };
        check(
            &[wait(1, 100, 900, 900, 2), preempted],
            &[(2, "ran", 100, 300), (2, "runnable", 300, 500), (2, "ran", 500, 900)],
        );
        // Two that claim to have woken each other at one moment.
        check(
            &[wait(1, 100, 900, 900, 2), wait(2, 900, 900, 900, 1)],
            &[(2, "unknown", 100, 900)],
        );
    }
}
