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
}

impl Idle {
    /// Whether a wait is idle; counts it then.
    #[inline]
    pub(crate) fn takes(
        &mut self,
        cx: &Context<'_>,
        thread: ThreadKey,
        state: u8,
        flags: u8,
    ) -> bool {
        let kernel = waits_for_work(cx, thread, state);
        let whole = !kernel && is_whole(flags);
        self.kernel += u64::from(kernel);
        self.whole += u64::from(whole);
        kernel || whole
    }

    /// Adds what another scan left out.
    pub(crate) fn merge(&mut self, from: Idle) {
        self.whole += from.whole;
        self.kernel += from.kernel;
    }

    /// What was left out, in words.
    pub(crate) fn note(self) -> Option<Note> {
        let whole = (self.whole > 0).then(|| {
            format!("{} threads that were off the CPU during the whole recording", self.whole)
        });
        let kernel = (self.kernel > 0)
            .then(|| format!("{} waits of kernel threads that had nothing to do", self.kernel));
        let list: Vec<String> = [whole, kernel].into_iter().flatten().collect();
        let text = format!(
            "left out: {}; report offcpu --idle counts them, report stalls --all lists them",
            list.join(" and ")
        );
        (!list.is_empty()).then(|| Note::new(NoteKind::About, text))
    }
}

/// Kernel threads sleep interruptibly, or in the state made for it, while they have nothing to do.
#[inline]
pub(crate) fn waits_for_work(cx: &Context<'_>, thread: ThreadKey, state: u8) -> bool {
    match state {
        off_cpu_state::IDLE => true,
        off_cpu_state::SLEEPING => {
            cx.tasks().thread(thread).is_some_and(|thread| thread.flags & task_flag::KTHREAD != 0)
        }
        _ => false,
    }
}
