//! The blocks of the CPU answer.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::weight::{Scale, Weight};
use super::{By, State};
use crate::answer::{Answer, Block, Cell, Facts, FrameKind, Table};
use crate::context::{Context, ProcessKey, ThreadKey};
use crate::run::StackKey;
use crate::stack_names::{Place, StackNames};

/// A function: whether it is the kernel's, its name, its module.
pub(crate) type Function = (bool, u32, u32);

/// The samples of each stack, and of all.
fn weigh(state: State) -> (BTreeMap<StackKey, Weight>, Weight) {
    let mut samples: BTreeMap<StackKey, Weight> = BTreeMap::new();
    for (key, sum) in state.clock.into_sorted() {
        samples.entry(key).or_default().add(Weight::clock(sum));
    }
    for (key, sum) in state.cycles.into_sorted() {
        samples.entry(key).or_default().add(Weight::cycles(sum));
    }
    let mut all = Weight::default();
    samples.values().for_each(|weight| all.add(*weight));
    (samples, all)
}

/// The functions that most samples interrupted, for the overview: the first so many rows.
pub(crate) fn top_functions(cx: &Context<'_>, state: State, rows: usize) -> Table {
    let (samples, all) = weigh(state);
    let table = functions(cx, &mut StackNames::new(cx), &samples, Scale::of(all), false);
    Table {
        key: "top_functions",
        title: "Most CPU, by function".to_owned(),
        main: false,
        top: Some(rows),
        ..table
    }
}

pub(super) fn answer(by: By, cx: &Context<'_>, state: State) -> Answer {
    let (samples, all) = weigh(state);
    let scale = Scale::of(all);
    let mut names = StackNames::new(cx);
    let table = match by {
        By::Function => functions(cx, &mut names, &samples, scale, false),
        By::Module => functions(cx, &mut names, &samples, scale, true),
        By::Process => tasks(cx, &mut names, &samples, scale, true),
        By::Thread => tasks(cx, &mut names, &samples, scale, false),
    };
    let mut rows = vec![("samples", "samples", Cell::Count(all.samples))];
    rows.push(("time_ns", if scale.has_time() { "CPU time" } else { "" }, Cell::DurNs(all.ns)));
    rows.push(("cycles", if scale.has_cycles() { "cycles" } else { "" }, Cell::Count(all.cycles)));
    let summary = Facts { key: "summary", rows, ..Facts::default() };
    let heading = Block::Heading("CPU profile".to_owned());
    Answer {
        blocks: vec![heading, Block::Facts(summary), Block::Table(table)],
        ..Answer::default()
    }
}

/// What each sample of a stack counts for: the innermost function, and every function on it once.
pub(crate) fn functions_of(places: &[Place], found: &mut Vec<Function>) {
    found.clear();
    let mut kernel = false;
    for place in places {
        match place.kind {
            FrameKind::Kernel => kernel = true,
            FrameKind::User => kernel = false,
            FrameKind::Mark if places.len() > 1 => continue,
            FrameKind::Inlined | FrameKind::Mark | FrameKind::Comm => {}
        }
        found.push((kernel, place.name, place.module));
    }
}

#[derive(Clone, Copy, Default)]
struct SelfTotal {
    own: Weight,
    total: Weight,
    /// The last stack that counted for it, plus one.
    seen: usize,
}

/// Functions, or with `modules` what they belong to, by self weight.
fn functions(
    cx: &Context<'_>,
    names: &mut StackNames<'_>,
    samples: &BTreeMap<StackKey, Weight>,
    scale: Scale,
    modules: bool,
) -> Table {
    let mut stacks: BTreeMap<(u32, u32), Weight> = BTreeMap::new();
    for (key, weight) in samples {
        stacks.entry((key.ustack, key.kstack)).or_default().add(*weight);
    }
    let mut sums: FxHashMap<Function, SelfTotal> = FxHashMap::default();
    let (mut places, mut found) = (Vec::new(), Vec::new());
    for (stack, ((ustack, kstack), weight)) in stacks.into_iter().enumerate() {
        names.places(ustack, kstack, &mut places);
        functions_of(&places, &mut found);
        if modules {
            found.iter_mut().for_each(|function| function.1 = 0);
        }
        for function in &found {
            let sum = sums.entry(*function).or_default();
            if sum.seen != stack + 1 {
                sum.seen = stack + 1;
                sum.total.add(weight);
            }
        }
        if let Some(leaf) = found.last() {
            sums.entry(*leaf).or_default().own.add(weight);
        }
    }
    let name = |function: &Function| -> &[u8] {
        if modules { cx.strings().get(function.2) } else { names.name(function.1) }
    };
    let mut rows: Vec<(Function, SelfTotal)> = sums.into_iter().collect();
    rows.sort_by(|(a, x), (b, y)| {
        let order = |sum: &SelfTotal| Reverse((scale.value(sum.own), scale.value(sum.total)));
        let text = |function: &Function| (name(function).to_vec(), cx.strings().get(function.2).to_vec());
        order(x).cmp(&order(y)).then_with(|| text(a).cmp(&text(b))).then(a.cmp(b))
    });
    let mut table = Table::main(if modules { "modules" } else { "functions" }, &function_columns(scale, modules));
    table.title = if modules { "By module" } else { "By function" }.to_owned();
    table.rows = rows
        .iter()
        .map(|(function, sum)| {
            let mut row = vec![
                scale.share(sum.own),
                scale.share(sum.total),
                Cell::Count(sum.own.samples),
                Cell::Count(sum.total.samples),
                Cell::DurNs(sum.own.ns),
                Cell::DurNs(sum.total.ns),
                Cell::Count(sum.own.cycles),
                Cell::Count(sum.total.cycles),
            ];
            if !modules {
                row.push(Cell::Symbol(names.name(function.1).to_vec()));
            }
            row.push(module_cell(cx, function.2));
            row.push(Cell::text(if function.0 { "kernel" } else { "user" }));
            row
        })
        .collect();
    table
}

fn module_cell(cx: &Context<'_>, path: u32) -> Cell {
    if path == 0 { Cell::None } else { Cell::text(cx.strings().get(path)) }
}

fn function_columns(scale: Scale, modules: bool) -> Vec<(&'static str, &'static str)> {
    let (time, cycles) = (scale.has_time(), scale.has_cycles());
    let mut columns = vec![
        ("self_percentage", "self"),
        ("total_percentage", "total"),
        ("self_samples", "samples"),
        ("total_samples", "in all"),
        ("self_time_ns", if time { "self time" } else { "" }),
        ("total_time_ns", if time { "total time" } else { "" }),
        ("self_cycles", if cycles { "self cycles" } else { "" }),
        ("total_cycles", if cycles { "total cycles" } else { "" }),
    ];
    if !modules {
        columns.push(("function", "function"));
    }
    columns.extend([("module", "module"), ("side", "side")]);
    columns
}

/// Processes or threads, each with the function that most of its samples interrupted.
fn tasks(
    cx: &Context<'_>,
    names: &mut StackNames<'_>,
    samples: &BTreeMap<StackKey, Weight>,
    scale: Scale,
    processes: bool,
) -> Table {
    let tasks = cx.tasks();
    let mut sums: BTreeMap<u64, (Weight, BTreeMap<Function, Weight>)> = BTreeMap::new();
    let (mut places, mut found) = (Vec::new(), Vec::new());
    for (key, weight) in samples {
        let thread = ThreadKey(key.thread);
        let task = if processes { tasks.process_of(thread).0 } else { thread.0 };
        let (sum, functions) = sums.entry(task).or_default();
        sum.add(*weight);
        names.places(key.ustack, key.kstack, &mut places);
        functions_of(&places, &mut found);
        if let Some(leaf) = found.last() {
            functions.entry(*leaf).or_default().add(*weight);
        }
    }
    let mut rows: Vec<_> = sums.into_iter().collect();
    let ids = |task: u64| match processes {
        true => (tasks.pid(ProcessKey(task)), 0),
        false => (tasks.tgid(ThreadKey(task)), tasks.tid(ThreadKey(task))),
    };
    rows.sort_by_key(|(task, (sum, _))| (Reverse(scale.value(*sum)), ids(*task), *task));
    let mut columns = vec![("pid", "pid"), ("start_ns", "")];
    if !processes {
        columns.insert(0, ("tid", "tid"));
    }
    columns.extend([
        ("comm", if processes { "process" } else { "thread" }),
        ("percentage", "share"),
        ("samples", "samples"),
        ("time_ns", if scale.has_time() { "time" } else { "" }),
        ("cycles", if scale.has_cycles() { "cycles" } else { "" }),
        ("top_function", "most in"),
        ("top_function_percentage", "of it"),
    ]);
    let mut table = Table::main(if processes { "processes" } else { "threads" }, &columns);
    table.title = if processes { "By process" } else { "By thread" }.to_owned();
    table.rows = rows
        .into_iter()
        .map(|(task, (sum, functions))| {
            let top = functions.into_iter().max_by(|(a, x), (b, y)| {
                let text = |function: &Function| Reverse(names.name(function.1));
                scale.value(*x).cmp(&scale.value(*y)).then_with(|| text(a).cmp(&text(b))).then(b.cmp(a))
            });
            let (pid, tid) = ids(task);
            let (start, comm) = if processes {
                let key = ProcessKey(task);
                (tasks.process(key).map(|process| process.start), cx.process_comm(key))
            } else {
                let key = ThreadKey(task);
                (tasks.thread(key).map(|thread| thread.start), cx.thread_comm(key))
            };
            let mut row = vec![Cell::Pid(pid), Cell::maybe(start, |start| Cell::Time(cx.offset(start)))];
            if !processes {
                row.insert(0, Cell::Tid(tid));
            }
            row.extend([
                Cell::text(comm),
                scale.share(sum),
                Cell::Count(sum.samples),
                Cell::DurNs(sum.ns),
                Cell::Count(sum.cycles),
                Cell::maybe(top, |(function, _)| Cell::Symbol(names.name(function.1).to_vec())),
                Cell::maybe(top, |(_, weight)| Cell::Percent {
                    part: scale.value(weight),
                    whole: scale.value(sum),
                }),
            ]);
            row
        })
        .collect();
    table
}
