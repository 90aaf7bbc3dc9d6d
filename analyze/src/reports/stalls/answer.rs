//! The blocks of the stalls answer.

use ktape_schema::{fact_flag, off_cpu_state, task_flag};

use super::{Stall, State, threshold};
use crate::answer::{Answer, Block, Cell, Facts, Note, NoteKind};
use crate::context::{Context, ThreadKey};
use crate::fact_list::{FactList, Row};
use crate::query::Filter;
use crate::wait_class::{WaitClass, state_name};

/// Keys, and labels in text.
const COLUMNS: [(&str, &str); 21] = [
    ("duration_ns", "waited"),
    ("open", ""),
    ("began_before", ""),
    ("start_ns", "from"),
    ("end_ns", ""),
    ("tid", "tid"),
    ("pid", "pid"),
    ("comm", "thread"),
    ("process", "process"),
    ("state", "state"),
    ("class", "for"),
    ("syscall", "call"),
    ("runq_ns", "runq"),
    ("waker_comm", "woken by"),
    ("waker_tid", "its tid"),
    ("waker_pid", ""),
    ("waker_process", ""),
    ("cpu", ""),
    ("prev_cpu", ""),
    ("late_stack", ""),
    ("by_interrupt", ""),
];

pub(super) fn answer(cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
    let threshold = threshold(filter.min_duration);
    let given = filter.min_duration > 0;
    let counted = |any: u64, by_default: u64| if given { any } else { by_default };
    let open = counted(state.open.kept.added(), state.open.by_default);
    let over = counted(state.over.kept.added(), state.over.by_default);
    let idle = counted(state.idle.0, state.idle.1);

    let stalls: Vec<Stall> = [state.open, state.over]
        .into_iter()
        .flat_map(|waits| waits.kept.into_sorted())
        .filter(|stall| stall.duration >= threshold)
        .collect();
    let mut classes = [0u64; WaitClass::COUNT];
    let mut list = FactList::new(cx, "stalls", &COLUMNS);
    for stall in &stalls {
        classes[cx.wait_classes().index(stall.state, stall.syscall)] += 1;
        list.push(row(cx, stall));
    }
    list.not_kept = (open + over).saturating_sub(stalls.len() as u64);
    let facts = Facts {
        rows: vec![
            ("threshold_ns", "from", Cell::DurNs(threshold)),
            ("count", "stalls", Cell::Count(open + over)),
            ("open_count", "  still open", Cell::Count(open)),
            ("idle_count", "left out, idle", Cell::Count(idle)),
        ],
        ..Facts::default()
    };
    let mut by_class = Facts { key: "by_class", ..Facts::default() };
    by_class.rows = WaitClass::ALL
        .iter()
        .zip(classes)
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| (class.name(), label(*class), Cell::Count(count)))
        .collect();
    let mut blocks = vec![
        Block::Heading("Stalls".to_owned()),
        Block::Facts(facts),
        Block::Facts(by_class),
    ];
    blocks.extend(list.into_blocks("where the thread left the CPU"));
    Answer { blocks, notes: notes(cx, idle, &stalls), ..Answer::default() }
}

fn label(class: WaitClass) -> &'static str {
    match class {
        WaitClass::Sleep => "  for sleep",
        WaitClass::Io => "  for io",
        WaitClass::Lock => "  for lock",
        WaitClass::Poll => "  for poll",
        WaitClass::Child => "  for child",
        WaitClass::Runq => "  for a CPU",
        WaitClass::Other => "  for other",
    }
}

fn row(cx: &Context<'_>, stall: &Stall) -> Row {
    let tasks = cx.tasks();
    let (thread, end) = (ThreadKey(stall.thread.0), stall.end.0);
    let waker = (stall.waker != 0)
        .then(|| tasks.thread_key(stall.waker, stall.waker_tgid, end.saturating_sub(stall.runq)));
    let open = stall.is(fact_flag::OPEN);
    // Whoever was still runnable needed nobody to wake it.
    let runnable = matches!(
        stall.state,
        off_cpu_state::PREEMPTED | off_cpu_state::NEW | off_cpu_state::YIELDED
    );
    let by_interrupt = waker.is_none() && !open && !runnable;
    let waker_name = match waker {
        Some(waker) => Cell::text(cx.thread_comm_at(waker, end)),
        None if by_interrupt => Cell::text("interrupt"),
        None => Cell::None,
    };
    let cells = vec![
        Cell::DurNs(stall.duration),
        Cell::Bool(open),
        Cell::Bool(stall.is(fact_flag::BEGAN_BEFORE)),
        Cell::Time(cx.offset(end.saturating_sub(stall.duration))),
        Cell::Time(cx.offset(end)),
        Cell::Tid(tasks.tid(thread)),
        Cell::Pid(tasks.tgid(thread)),
        Cell::text(cx.thread_comm_at(thread, end)),
        Cell::text(cx.process_comm(tasks.process_of(thread))),
        Cell::text(state_name(stall.state)),
        Cell::text(cx.wait_classes().class(stall.state, stall.syscall).name()),
        Cell::text(cx.syscalls().name(stall.syscall.into())),
        Cell::DurNs(stall.runq),
        waker_name,
        Cell::maybe(waker, |waker| Cell::Tid(tasks.tid(waker))),
        Cell::maybe(waker, |waker| Cell::Pid(tasks.tgid(waker))),
        Cell::maybe(waker, |waker| Cell::text(cx.process_comm(tasks.process_of(waker)))),
        Cell::maybe((!open).then_some(stall.cpu), |cpu| Cell::Cpu(cpu.into())),
        Cell::Cpu(stall.prev_cpu.into()),
        Cell::Bool(stall.is(fact_flag::LATE_STACK)),
        Cell::Bool(by_interrupt),
    ];
    let mark = match (open, stall.is(fact_flag::BEGAN_BEFORE)) {
        (true, true) => "open, began before",
        (true, false) => "open",
        (false, true) => "began before",
        (false, false) => "",
    };
    Row {
        cells,
        mark,
        comm: cx.thread_comm_at(thread, end).to_vec(),
        ustack: stall.ustack,
        kstack: stall.kstack,
    }
}

fn notes(cx: &Context<'_>, idle: u64, stalls: &[Stall]) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut about = |text: String| notes.push(Note::new(NoteKind::About, text));
    if idle > 0 {
        about(format!(
            "left out: {idle} waits of kernel threads that wait for work (state idle, or asleep \
             interruptibly); --all shows them"
        ));
    }
    if stalls.iter().any(|stall| stall.is(fact_flag::BEGAN_BEFORE)) {
        about(
            "waits that began before the recording are counted from its first sight of them: they \
             were longer"
                .to_owned(),
        );
    }
    let of_kernel = |stall: &Stall| {
        let thread = cx.tasks().thread(ThreadKey(stall.thread.0));
        thread.is_some_and(|thread| thread.flags & task_flag::KTHREAD != 0)
    };
    let before = |stall: &Stall| {
        stall.is(fact_flag::BEGAN_BEFORE) && stall.ustack == 0 && !of_kernel(stall)
    };
    if stalls.iter().any(before) {
        about("of waits that began before the recording only the kernel stack is known".to_owned());
    }
    if stalls.iter().any(|stall| stall.waker != 0) {
        about(
            "woken by: who ran where the wake-up came from; network packets that interrupted it are \
             told as its doing"
                .to_owned(),
        );
    }
    if stalls.iter().any(|stall| stall.is(fact_flag::LATE_STACK)) {
        about("some kernel stacks were taken at the end of the wait (late_stack)".to_owned());
    }
    notes
}
