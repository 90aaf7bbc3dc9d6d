//! The blocks of the wakeups answer.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::path::{Doing, Step, Waits};
use super::wait::{NOBODY, Wait};
use super::{By, State, Sums, Wakeups};
use crate::answer::{Answer, Block, Cell, Note, NoteKind, Table};
use crate::context::{Context, ProcessKey, ThreadKey};
use crate::run::Fold;
use crate::wait_class::state_name;

/// What is told of the waker and the woken.
const PAIR: [(&str, &str); 11] = [
    ("waker_tid", "waker tid"),
    ("waker_pid", "waker pid"),
    ("waker_comm", "waker"),
    ("tid", "tid"),
    ("pid", "pid"),
    ("comm", "woken"),
    ("count", "waits"),
    ("total_ns", "blocked"),
    ("avg_ns", "average"),
    ("max_ns", "max"),
    ("percentage", "share"),
];

const WAITS: [(&str, &str); 7] = [
    ("wait", "wait"),
    ("start_ns", "from"),
    ("duration_ns", "for"),
    ("tid", "tid"),
    ("pid", "pid"),
    ("comm", "thread"),
    ("syscall", "call"),
];

const PATHS: [(&str, &str); 9] = [
    ("wait", "wait"),
    ("total_ns", "of it"),
    ("percentage", "share"),
    ("steps", "steps"),
    ("tid", "tid"),
    ("pid", "pid"),
    ("comm", "thread"),
    ("what", "what"),
    ("syscall", "call"),
];

const STEPS: [(&str, &str); 8] = [
    ("wait", "wait"),
    ("start_ns", "from"),
    ("duration_ns", "for"),
    ("tid", "tid"),
    ("pid", "pid"),
    ("comm", "thread"),
    ("what", "what"),
    ("syscall", "call"),
];

/// What a path adds up to is told of so many things; the others are one.
const SUMMED: usize = 8;

pub(super) fn answer(report: &Wakeups, cx: &Context<'_>, state: State) -> Answer {
    let added = state.waits.added();
    let waits = state.waits.into_sorted();
    let shortest = waits.last().map(|wait| wait.duration).filter(|_| added > waits.len() as u64);
    let followed: Vec<Wait> = waits
        .iter()
        .filter(|wait| report.follows(cx, wait))
        .take(report.paths as usize)
        .copied()
        .collect();
    let waits = Waits::new(waits);
    let known = |thread: u64| {
        let process = cx.tasks().process_of(ThreadKey(thread));
        cx.tasks().process(process).is_some_and(|process| !process.is_bystander())
    };
    let mut list = Table::plain("waits", &WAITS);
    list.title = "The longest waits".to_owned();
    let mut paths = Table::plain("paths", &PATHS);
    paths.title = "What they were for".to_owned();
    let mut steps = Table::plain("steps", &STEPS);
    steps.title = "Step by step".to_owned();
    for (number, wait) in (1..).zip(&followed) {
        let path = waits.path(wait, &known);
        list.rows.push(wait_row(cx, number, wait));
        paths.rows.extend(sums(cx, number, wait, &path));
        if report.steps {
            steps.rows.extend(path.iter().map(|step| step_row(cx, number, step)));
        }
    }
    let mut blocks = vec![
        Block::Heading("Wake-ups".to_owned()),
        Block::Table(pairs(report.by, cx, state.pairs.into_sorted())),
        Block::Table(list),
        Block::Table(paths),
    ];
    if report.steps {
        blocks.push(Block::Table(steps));
    }
    let mut notes: Vec<Note> = state.idle.note().into_iter().collect();
    let mut about = |text: String| notes.push(Note::new(NoteKind::About, text));
    if let Some(shortest) = shortest {
        about(format!(
            "paths lead through the {} longest waits only: `ran` can be waits of up to {}",
            super::KEPT,
            Cell::DurNs(shortest).plain()
        ));
    }
    about(
        "a waker is who ran where the wake-up came from; network packets that interrupted it are told \
         as its doing"
            .to_owned(),
    );
    Answer { blocks, notes, ..Answer::default() }
}

fn wait_row(cx: &Context<'_>, number: u64, wait: &Wait) -> Vec<Cell> {
    let thread = ThreadKey(wait.thread);
    vec![
        Cell::Count(number),
        Cell::Time(cx.offset(wait.start())),
        Cell::DurNs(wait.duration),
        Cell::Tid(cx.tasks().tid(thread)),
        Cell::Pid(cx.tasks().tgid(thread)),
        Cell::text(cx.thread_comm_at(thread, wait.end)),
        Cell::text(cx.syscalls().name(wait.syscall.into())),
    ]
}

/// What the steps of a path add up to, by thread and what it did; the longest first.
fn sums(cx: &Context<'_>, number: u64, wait: &Wait, path: &[Step]) -> Vec<Vec<Cell>> {
    let mut sums: BTreeMap<(u64, Doing), (u64, u64)> = BTreeMap::new();
    for step in path {
        let sum = sums.entry((step.thread, step.doing)).or_default();
        sum.0 += step.to - step.from;
        sum.1 += 1;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(key, (total, _))| (Reverse(*total), *key));
    let row = |total: u64, steps: u64, what: [Cell; 5]| {
        let share = Cell::Percent { part: total, whole: wait.duration };
        let mut cells = vec![Cell::Count(number), Cell::DurNs(total), share, Cell::Count(steps)];
        cells.extend(what);
        cells
    };
    let mut rows: Vec<Vec<Cell>> = sums
        .iter()
        .take(SUMMED)
        .map(|&((thread, doing), (total, steps))| {
            row(total, steps, what(cx, thread, doing, wait.end))
        })
        .collect();
    if let Some(rest) = sums.get(SUMMED..).filter(|rest| !rest.is_empty()) {
        let add = |sum: (u64, u64), part: (u64, u64)| (sum.0 + part.0, sum.1 + part.1);
        let (total, steps) = rest.iter().map(|&(_, part)| part).fold((0, 0), add);
        let others = format!("{} others", rest.len());
        rows.push(row(
            total,
            steps,
            [Cell::None, Cell::None, Cell::None, Cell::text(others), Cell::None],
        ));
    }
    rows
}

fn step_row(cx: &Context<'_>, number: u64, step: &Step) -> Vec<Cell> {
    let mut cells = vec![
        Cell::Count(number),
        Cell::Time(cx.offset(step.from)),
        Cell::DurNs(step.to - step.from),
    ];
    cells.extend(what(cx, step.thread, step.doing, step.to));
    cells
}

/// Who did what: thread, process, name, what, system call.
fn what(cx: &Context<'_>, thread: u64, doing: Doing, time: u64) -> [Cell; 5] {
    let thread = ThreadKey(thread);
    let (what, call) = match doing {
        Doing::Ran => ("ran".to_owned(), None),
        Doing::Runnable => ("waited for a CPU".to_owned(), None),
        Doing::Unknown => ("not recorded".to_owned(), None),
        Doing::Blocked { syscall, state } => {
            let class = cx.wait_classes().class(state, syscall).name();
            (format!("waited for {class} ({})", state_name(state)), Some(syscall))
        }
    };
    [
        Cell::Tid(cx.tasks().tid(thread)),
        Cell::Pid(cx.tasks().tgid(thread)),
        Cell::text(cx.thread_comm_at(thread, time)),
        Cell::text(what),
        Cell::maybe(call, |call| Cell::text(cx.syscalls().name(call.into()))),
    ]
}

fn pairs(by: By, cx: &Context<'_>, pairs: Vec<((u64, u64), Sums)>) -> Table {
    let tasks = cx.tasks();
    let part = |key: u64| match (key, by) {
        (NOBODY, _) | (_, By::Thread) => key,
        (_, By::Process) => tasks.process_of(ThreadKey(key)).0,
    };
    let mut sums: BTreeMap<(u64, u64), Sums> = BTreeMap::new();
    for ((waker, woken), from) in pairs {
        sums.entry((part(waker), part(woken))).or_default().fold(from);
    }
    let all = sums.values().fold(0, |all: u64, sums| all.saturating_add(sums.total));
    let mut rows: Vec<((u64, u64), Sums)> = sums.into_iter().collect();
    rows.sort_by_key(|(key, sums)| (Reverse(sums.total), *key));
    let mut table = Table::main("wakeups", &PAIR);
    table.title = "Who ended whose waits".to_owned();
    table.rows = rows
        .into_iter()
        .map(|((waker, woken), sums)| {
            let mut cells = who(by, cx, waker);
            cells.extend(who(by, cx, woken));
            cells.extend([
                Cell::Count(sums.count),
                Cell::DurNs(sums.total),
                Cell::DurNs(sums.total.checked_div(sums.count).unwrap_or(0)),
                Cell::DurNs(sums.max),
                Cell::Percent { part: sums.total, whole: all },
            ]);
            cells
        })
        .collect();
    if by == By::Process {
        // Threads are not told apart.
        for at in [3, 0] {
            table.columns.remove(at);
            table.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
    }
    table
}

/// Thread number, process number, name.
fn who(by: By, cx: &Context<'_>, key: u64) -> Vec<Cell> {
    let tasks = cx.tasks();
    match by {
        _ if key == NOBODY => vec![Cell::None, Cell::None, Cell::text("interrupt")],
        By::Process => {
            let process = ProcessKey(key);
            let name = Cell::text(cx.process_comm(process));
            vec![Cell::None, Cell::Pid(tasks.pid(process)), name]
        }
        By::Thread => {
            let thread = ThreadKey(key);
            let name = Cell::text(cx.thread_comm(thread));
            vec![Cell::Tid(tasks.tid(thread)), Cell::Pid(tasks.tgid(thread)), name]
        }
    }
}
