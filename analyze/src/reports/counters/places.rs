//! Where events happen: functions and stacks, by samples.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_schema::counter_event;

use super::SampleKey;
use crate::answer::{Cell, Note, NoteKind, Stacks, Table};
use crate::context::{Context, ThreadKey};
use crate::enum_name::enum_name;
use crate::folded_stacks::{Named, name_sums};
use crate::reports::cpu::{Function, functions_of};
use crate::run::{BoundedKey, Fold, Sum};
use crate::stack_names::StackNames;

/// The name of an event, as perf has it.
fn name(event: u8) -> String {
    match event == SampleKey::OTHERS.event {
        true => "[others]".to_owned(),
        false => enum_name(counter_event::NAMES, event).replace('_', "-"),
    }
}

/// What was sampled of each event.
fn totals(samples: &[(SampleKey, Sum)]) -> BTreeMap<u8, Sum> {
    let mut totals: BTreeMap<u8, Sum> = BTreeMap::new();
    for (key, sum) in samples {
        totals.entry(key.event).or_default().fold(*sum);
    }
    totals
}

/// That counts are estimates, unless each sample stood for one event.
fn estimates(totals: &BTreeMap<u8, Sum>) -> Option<Note> {
    let estimated: Vec<String> = totals
        .iter()
        .filter(|(_, sum)| sum.max > 1)
        .map(|(event, sum)| format!("{} by {} samples", name(*event), sum.count))
        .collect();
    (!estimated.is_empty()).then(|| {
        let text = format!(
            "counts by function and stack are estimates ({}); those of processes are exact",
            estimated.join(", ")
        );
        Note::new(NoteKind::About, text)
    })
}

#[derive(Clone, Copy, Default)]
struct SelfTotal {
    own: Sum,
    total: Sum,
    /// The last stack that counted for it, plus one.
    seen: usize,
}

/// Functions by event.
pub(super) fn functions(
    cx: &Context<'_>,
    samples: Vec<(SampleKey, Sum)>,
) -> (Table, Option<Note>) {
    let totals = totals(&samples);
    let mut stacks: BTreeMap<(u8, u32, u32), Sum> = BTreeMap::new();
    for (key, sum) in samples {
        stacks.entry((key.event, key.stack.ustack, key.stack.kstack)).or_default().fold(sum);
    }
    let mut names = StackNames::new(cx);
    let mut sums: BTreeMap<(u8, Function), SelfTotal> = BTreeMap::new();
    let (mut places, mut found) = (Vec::new(), Vec::new());
    for (at, ((event, ustack, kstack), sum)) in stacks.into_iter().enumerate() {
        names.places(ustack, kstack, &mut places);
        functions_of(&places, &mut found);
        for function in &found {
            let of = sums.entry((event, *function)).or_default();
            if of.seen != at + 1 {
                of.seen = at + 1;
                of.total.fold(sum);
            }
        }
        if let Some(leaf) = found.last() {
            sums.entry((event, *leaf)).or_default().own.fold(sum);
        }
    }
    let mut rows: Vec<((u8, Function), SelfTotal)> = sums.into_iter().collect();
    rows.sort_by_cached_key(|((event, function), sum)| {
        let counts = (Reverse(sum.own.total), Reverse(sum.total.total));
        let text = (names.name(function.1).to_vec(), cx.strings().get(function.2).to_vec());
        (*event, counts, text, *function)
    });
    let columns = [
        ("event", "event"),
        ("self_percentage", "self"),
        ("total_percentage", "total"),
        ("self_count", "count"),
        ("total_count", "in all"),
        ("self_samples", "samples"),
        ("function", "function"),
        ("module", "module"),
        ("side", "side"),
    ];
    let mut table = Table::main("functions", &columns);
    table.title = "By function".to_owned();
    table.rows = rows
        .iter()
        .map(|((event, function), sum)| {
            let whole = totals.get(event).map_or(0, |sum| sum.total);
            let module = cx.strings().get(function.2);
            vec![
                Cell::text(name(*event)),
                Cell::Percent { part: sum.own.total, whole },
                Cell::Percent { part: sum.total.total, whole },
                Cell::Count(sum.own.total),
                Cell::Count(sum.total.total),
                Cell::Count(sum.own.count),
                Cell::Symbol(names.name(function.1).to_vec()),
                if module.is_empty() { Cell::None } else { Cell::text(module) },
                Cell::text(if function.0 { "kernel" } else { "user" }),
            ]
        })
        .collect();
    (table, estimates(&totals))
}

/// Stacks of the first event that was sampled.
pub(super) fn stacks(cx: &Context<'_>, samples: Vec<(SampleKey, Sum)>) -> (Stacks, Option<Note>) {
    let mut totals = totals(&samples);
    let event = totals.keys().next().copied().unwrap_or_default();
    totals.retain(|of, _| *of == event);
    let sums: Vec<(Named<'_>, Sum)> = samples
        .into_iter()
        .filter(|(key, _)| key.event == event)
        .map(|(key, sum)| {
            let stack = key.stack;
            let named = match key == SampleKey::OTHERS {
                true => Named::OTHERS,
                false => Named {
                    comm: cx.thread_comm(ThreadKey(stack.thread)),
                    parts: Some((stack.ustack, stack.kstack)),
                },
            };
            (named, sum)
        })
        .collect();
    let columns = [("count", "count"), ("samples", "samples")];
    let order = |sum: &Sum| (sum.total, sum.count);
    let mut stacks = name_sums(cx, sums, &columns, order, |sum| {
        vec![Cell::Count(sum.total), Cell::Count(sum.count)]
    });
    stacks.title = match stacks.rows.is_empty() {
        true => "By stack".to_owned(),
        false => format!("By stack: {}", name(event)),
    };
    (stacks, estimates(&totals))
}
