//! Sums per stack as rows of names, for reports and exports.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use crate::answer::{Cell, Column, FrameKind, StackRow, Stacks};
use crate::context::{Context, ThreadKey};
use crate::run::{Fold, StackSums, Sum};
use crate::stack_names::StackNames;

/// Most bytes that the stacks of an answer take, names written out; a recording has a hundredth of
/// that. Without a limit, a hostile trace of some kilobytes could ask for any amount of memory.
const MOST_BYTES: usize = 192 << 20;

/// Names the stacks of `sums`, the name of the thread at the root, and adds up those that read the
/// same. `values` makes the cells of a row; rows go from the largest total down, then by their text.
/// What goes beyond [`MOST_BYTES`], the smallest stacks, counts as `[smaller stacks]` of its thread.
pub(crate) fn name_stacks(
    cx: &Context<'_>,
    sums: StackSums,
    key: &'static str,
    columns: &[(&'static str, &'static str)],
    values: impl Fn(&Sum) -> Vec<Cell>,
) -> Stacks {
    let mut names = StackNames::new(cx);
    let mut rows: FxHashMap<Vec<(FrameKind, u32)>, Sum> = FxHashMap::default();
    let mut places = Vec::new();
    let mut frames = Vec::new();
    let mut kept = 0usize;
    let mut sums = sums.into_sorted();
    sums.sort_by_key(|(_, sum)| Reverse(sum.total));
    for (stack, sum) in sums {
        let comm = names.id(cx.thread_comm(ThreadKey(stack.thread)));
        frames.clear();
        frames.push((FrameKind::Comm, comm));
        if kept < MOST_BYTES {
            names.places(stack.ustack, stack.kstack, &mut places);
            frames.extend(places.iter().map(|place| (place.kind, place.name)));
        } else {
            frames.push((FrameKind::Mark, names.id(b"[smaller stacks]")));
        }
        match rows.get_mut(frames.as_slice()) {
            Some(row) => row.fold(sum),
            None => {
                let bytes = |frame: &(FrameKind, u32)| 8 + names.name(frame.1).len();
                kept += frames.iter().map(bytes).sum::<usize>();
                rows.insert(frames.clone(), sum);
            }
        }
    }
    let names = names.into_names();
    let mut rows: Vec<(Vec<(FrameKind, u32)>, Sum)> = rows.into_iter().collect();
    let text = |frames: &[(FrameKind, u32)]| {
        let frames = frames.iter().map(|&(kind, name)| (names[name as usize].as_slice(), kind));
        frames.collect::<Vec<_>>()
    };
    rows.sort_by(|a, b| b.1.total.cmp(&a.1.total).then_with(|| text(&a.0).cmp(&text(&b.0))));
    Stacks {
        key,
        columns: columns.iter().map(|&(key, label)| Column { key, label }).collect(),
        rows: rows
            .into_iter()
            .map(|(frames, sum)| StackRow { frames, values: values(&sum) })
            .collect(),
        names,
        main: true,
        ..Stacks::default()
    }
}
