//! Idle waits: those that answers about waiting leave out, since nobody waited there for anything
//! that was asked of it.

use ktape_schema::{off_cpu_state, task_flag};

use crate::answer::{Note, NoteKind};
use crate::context::{Context, ThreadKey};
use crate::wait_class::is_whole;

/// How many waits were left out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Idle {
    /// As long as the recording: mostly daemons.
    whole: u64,
    /// Of kernel threads for work.
    kernel: u64,
    /// Of those threads, too, but the time until they then got a CPU counts.
    cut: u64,
}

impl Idle {
    /// The part of a wait's duration that is not idle, ns: of a kernel thread that waited for work
    /// the time that it then waited for a CPU. `None` when all of it is: that part is shorter than
    /// what --min-duration asks for, or the wait is as long as the recording, and no threads
    /// were chosen: of those, one that hangs is what was looked for. Counts what it takes away.
    #[inline]
    pub(crate) fn rest(
        &mut self,
        cx: &Context<'_>,
        thread: ThreadKey,
        state: u8,
        flags: u8,
        (duration, runq): (u64, u64),
    ) -> Option<u64> {
        if waits_for_work(cx, thread, state) {
            let rest = runq.min(duration);
            let counts = rest >= cx.least_duration().max(1);
            *(if counts { &mut self.cut } else { &mut self.kernel }) += 1;
            return counts.then_some(rest);
        }
        if is_whole(flags) && !cx.chose_threads() {
            self.whole += 1;
            return None;
        }
        Some(duration)
    }

    /// Adds what another scan left out.
    pub(crate) fn merge(&mut self, from: Idle) {
        self.whole += from.whole;
        self.kernel += from.kernel;
        self.cut += from.cut;
    }

    /// What was left out, in words.
    pub(crate) fn note(self) -> Option<Note> {
        let whole = (self.whole > 0).then(|| {
            format!("{} threads that were off the CPU during the whole recording", self.whole)
        });
        let kernel = (self.kernel > 0)
            .then(|| format!("{} waits of kernel threads for something to do", self.kernel));
        let cut = (self.cut > 0)
            .then(|| format!("of {} more, all but the time until they got a CPU", self.cut));
        let list: Vec<String> = [whole, kernel, cut].into_iter().flatten().collect();
        let text = format!(
            "not counted: {}; report offcpu --idle counts them, report stalls --all lists them",
            list.join(", ")
        );
        (!list.is_empty()).then(|| Note::new(NoteKind::About, text))
    }
}

/// Kernel threads sleep interruptibly, or in the state made for it, while they have nothing to do.
#[inline]
pub(crate) fn waits_for_work(cx: &Context<'_>, thread: ThreadKey, state: u8) -> bool {
    matches!(state, off_cpu_state::IDLE | off_cpu_state::SLEEPING)
        && cx.tasks().thread(thread).is_some_and(|thread| thread.flags & task_flag::KTHREAD != 0)
}
