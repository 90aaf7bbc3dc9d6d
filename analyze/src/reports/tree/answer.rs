//! The blocks of the tree answer.

use ktape_schema::{OffCpu, task_flag};

use super::order::lines;
use super::{State, Waits};
use crate::answer::{Answer, Block, Cell, Facts, Note, NoteKind, Table};
use crate::context::{Context, Process, ProcessKey, ThreadKey};
use crate::cpu_time;
use crate::query::Filter;
use crate::run::Fold;

/// Deeper lines are not indented further: a hostile chain must not fill the page.
const MAX_INDENT: usize = 32;

const COLUMNS: [(&str, &str); 23] = [
    ("tree", "process"),
    ("pid", "pid"),
    ("depth", ""),
    ("parent_pid", ""),
    ("parent_start_ns", ""),
    ("comm", ""),
    ("start_ns", ""),
    ("from", "from"),
    ("end_ns", ""),
    ("to", "to"),
    ("lifetime_ns", "lived"),
    ("threads", "threads"),
    ("cpu_ns", "CPU"),
    ("off_cpu_ns", "off-CPU"),
    ("waits", "waits"),
    ("runq_ns", "runq"),
    ("exit_code", ""),
    ("exit_signal", ""),
    ("result", "result"),
    ("uid", ""),
    ("executable", ""),
    ("command_line", ""),
    ("command", "command"),
];

pub(super) fn answer(all: bool, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
    let tasks = cx.tasks();
    let mut waits: Vec<Waits> = vec![Waits::default(); tasks.processes().len()];
    let mut strangers = Waits::default();
    for (key, of_thread) in state.threads.into_sorted() {
        let process = tasks.process_of(ThreadKey(key));
        let sum = usize::try_from(process.0).ok().and_then(|index| waits.get_mut(index));
        sum.unwrap_or(&mut strangers).fold(of_thread);
    }
    let parents: Vec<Option<u32>> =
        tasks.processes().iter().map(|process| process.parent).collect();
    let mut kernel = (0u64, None);
    let shown: Vec<bool> = (0u32..)
        .zip(tasks.processes())
        .map(|(index, process)| {
            if !passes(cx, filter, process) {
                return false;
            }
            let hidden = !all && process.flags & task_flag::KTHREAD != 0;
            if hidden {
                kernel.0 += 1;
                let sums: (u64, Option<u64>) = kernel;
                kernel.1 = add(sums.1, cpu_time::of_process(cx, process));
            }
            // What is known only because a fact or a child named it says nothing here, unless it waited.
            let empty = process.flags & task_flag::UNKNOWN != 0
                && process.comm == 0
                && waits[index as usize].count == 0;
            !hidden && !empty && !process.is_bystander()
        })
        .collect();
    let rank = |process: u32| {
        let process = &tasks.processes()[process as usize];
        (process.start, process.pid)
    };
    let mut table = Table::top("processes", &COLUMNS, usize::MAX);
    let mut sum = Sum::default();
    for line in lines(&parents, &shown, rank) {
        let process = &tasks.processes()[line.process as usize];
        let waits = waits[line.process as usize];
        sum.add(cx, process, waits);
        table.rows.push(row(cx, line.process, line.depth, waits));
    }
    let blocks = vec![
        Block::Heading("Process tree".to_owned()),
        Block::Facts(sum.facts()),
        Block::Table(table),
    ];
    Answer { blocks, notes: notes(cx, filter, kernel, strangers), ..Answer::default() }
}

fn add(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (one, other) => one.or(other),
    }
}

/// A process passes when it lived in the window, and one of its threads is asked for.
fn passes(cx: &Context<'_>, filter: &Filter, process: &Process) -> bool {
    let (from, to) = filter.window(cx);
    if process.start > to || process.end.is_some_and(|end| end < from) {
        return false;
    }
    if !filter.passes_pid(process.pid) {
        return false;
    }
    if filter.tids.is_empty() && filter.globs.is_empty() {
        return true;
    }
    process.threads.iter().any(|&index| {
        let key = ThreadKey(index.into());
        filter.passes_tid(cx.tasks().tid(key)) && filter.passes_name(cx, key, to)
    })
}

/// Over all lines.
#[derive(Default)]
struct Sum {
    processes: u64,
    threads: u64,
    born: u64,
    ended: u64,
    cpu: Option<u64>,
    waits: Waits,
}

impl Sum {
    fn add(&mut self, cx: &Context<'_>, process: &Process, waits: Waits) {
        self.processes += 1;
        self.threads += process.threads.len() as u64;
        self.born += u64::from(start(process) >= cx.start());
        self.ended += u64::from(process.end.is_some());
        self.cpu = add(self.cpu, cpu_time::of_process(cx, process));
        self.waits.fold(waits);
    }

    fn facts(&self) -> Facts {
        Facts {
            rows: vec![
                ("process_count", "processes", Cell::Count(self.processes)),
                ("born_count", "  born", Cell::Count(self.born)),
                ("ended_count", "  ended", Cell::Count(self.ended)),
                ("thread_count", "threads", Cell::Count(self.threads)),
                ("cpu_ns", "CPU time", Cell::maybe(self.cpu, Cell::DurNs)),
                ("off_cpu_ns", "off-CPU time", Cell::DurNs(self.waits.off_cpu)),
                ("runq_ns", "  of it run queue", Cell::DurNs(self.waits.runq)),
            ],
            ..Facts::default()
        }
    }
}

/// When a process began; the launched command is held before its exec until everything is ready.
fn start(process: &Process) -> u64 {
    let launched = process.flags & task_flag::COMMAND != 0;
    match process.execs.first() {
        Some(exec) if launched => exec.time,
        _ => process.start,
    }
}

fn row(cx: &Context<'_>, index: u32, depth: usize, waits: Waits) -> Vec<Cell> {
    let process = &cx.tasks().processes()[index as usize];
    let comm = cx.process_comm(ProcessKey::index(index));
    let mut name = vec![b' '; 2 * depth.min(MAX_INDENT)];
    name.extend_from_slice(comm);
    let parent = process.parent.map(|parent| &cx.tasks().processes()[parent as usize]);
    let start = start(process);
    let before = start < cx.start();
    let known = start > 0;
    // Of chosen processes, the family is told, but nothing is recorded of it.
    let recorded =
        waits.count > 0 || (cx.meta().filters.is_empty() && cx.was_recorded(OffCpu::DESC.name));
    let recorded = recorded.then_some(());
    let last = process.end.unwrap_or(cx.end());
    let code = process.exit_code.filter(|_| process.end.is_some());
    vec![
        Cell::Text(name),
        Cell::Pid(process.pid),
        Cell::Count(depth as u64),
        Cell::Pid(process.parent_pid),
        Cell::maybe(parent, |parent| Cell::Time(cx.offset(self::start(parent)))),
        Cell::text(comm),
        Cell::maybe(known.then_some(start), |start| Cell::Time(cx.offset(start))),
        if before { Cell::text("before") } else { Cell::text(Cell::Time(cx.offset(start)).plain()) },
        Cell::maybe(process.end, |end| Cell::Time(cx.offset(end))),
        match process.end {
            Some(end) => Cell::text(Cell::Time(cx.offset(end)).plain()),
            None => Cell::text("after"),
        },
        Cell::maybe(known.then(|| last.saturating_sub(start)), Cell::DurNs),
        Cell::Count(process.threads.len() as u64),
        Cell::maybe(cpu_time::of_process(cx, process), Cell::DurNs),
        Cell::maybe(recorded, |()| Cell::DurNs(waits.off_cpu)),
        Cell::maybe(recorded, |()| Cell::Count(waits.count)),
        Cell::maybe(recorded, |()| Cell::DurNs(waits.runq)),
        Cell::maybe(code.filter(|code| code & 0x7f == 0), |code| Cell::Count((code >> 8).into())),
        Cell::maybe(code.map(|code| code & 0x7f).filter(|&signal| signal != 0), |signal| {
            Cell::Count(signal.into())
        }),
        Cell::maybe(code, |code| Cell::text(result(code))),
        Cell::Count(process.uid.into()),
        Cell::text(cx.strings().get(process.exe)),
        Cell::text(cx.strings().get(process.cmdline)),
        Cell::Text(cut(cx.strings().get(process.cmdline))),
    ]
}

/// Characters of a command line that fit on a page.
const MAX_COMMAND: usize = 100;

/// The beginning of a text that is too long for a line, with `..` after it.
fn cut(text: &[u8]) -> Vec<u8> {
    let pieces = text.utf8_chunks().flat_map(|chunk| {
        let chars = chunk.valid().chars().map(char::len_utf8);
        chars.chain(chunk.invalid().iter().map(|_| 1))
    });
    let kept: usize = pieces.take(MAX_COMMAND).sum();
    let mut out = text[..kept].to_vec();
    if kept < text.len() {
        out.extend_from_slice(b"..");
    }
    out
}

/// An exit status as wait(2) gives it, in words.
fn result(code: u32) -> String {
    let (status, signal) = (code >> 8 & 0xff, code & 0x7f);
    let core = if code & 0x80 != 0 { ", core" } else { "" };
    match signal {
        0 => format!("exit {status}"),
        _ => match SIGNALS.get(signal as usize).filter(|name| !name.is_empty()) {
            Some(name) => format!("{name}{core}"),
            None => format!("signal {signal}{core}"),
        },
    }
}

/// By number, of x86-64 and aarch64 (include/uapi/asm-generic/signal.h).
const SIGNALS: [&str; 32] = [
    "", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL",
    "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD",
    "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ",
    "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
];

fn notes(
    cx: &Context<'_>,
    filter: &Filter,
    kernel: (u64, Option<u64>),
    strangers: Waits,
) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut about = |text: String| notes.push(Note::new(NoteKind::About, text));
    if kernel.0 > 0 {
        let cpu = Cell::DurNs(kernel.1.unwrap_or(0)).plain();
        about(format!(
            "left out: {} kernel threads with {cpu} of CPU time; --all shows them",
            kernel.0
        ));
    }
    if filter.window(cx) != (cx.start(), cx.end()) {
        about(
            "CPU time is that of the whole recording, not of the window: it is read at its ends only"
                .to_owned(),
        );
    }
    if strangers.count > 0 {
        about(format!(
            "{} waits, {} in all, belong to processes that the trace does not define",
            strangers.count,
            Cell::DurNs(strangers.off_cpu).plain()
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::{cut, result};

    #[test]
    fn exit_status_in_words() {
        let check = |code, expected: &str| assert_eq!(result(code), expected, "{code:#x}");
        check(0, "exit 0");
        check(0x0300, "exit 3");
        check(0xff00, "exit 255");
        check(9, "SIGKILL");
        check(0x8b, "SIGSEGV, core");
        check(34, "signal 34");
    }

    #[test]
    fn long_commands_are_cut_between_characters() {
        let check = |text: &[u8], expected: &[u8]| assert_eq!(cut(text), expected);
        check(b"", b"");
        check(&[b'a'; 100], &[b'a'; 100]);
        check(&[b'a'; 101], &[&[b'a'; 100][..], b".."].concat());
        check("\u{e9}".repeat(2000).as_bytes(), ("\u{e9}".repeat(100) + "..").as_bytes());
        check(&[0xff; 300], &[&[0xff; 100][..], b".."].concat());
    }
}
