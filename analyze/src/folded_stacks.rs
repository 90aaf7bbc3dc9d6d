//! Sums per stack as rows of names, for reports and exports.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use crate::answer::{Cell, Column, FrameKind, StackRow, Stacks};
use crate::context::{Context, ThreadKey};
use crate::run::{Fold, StackSums, Sum};
use crate::stack_names::StackNames;

/// Most bytes that the stacks of an answer take, names written out; a recording has a hundredth of
/// that. Without a limit, a hostile trace of some kilobytes could ask for any amount of memory.
pub(crate) const MOST_BYTES: usize = 192 << 20;

/// What stacks are called that find no room of their own.
pub(crate) const SMALLER_STACKS: &[u8] = b"[smaller stacks]";

/// A stack that is to be named.
pub(crate) struct Named<'a> {
    /// Whose it is: the root.
    pub comm: &'a [u8],
    /// Its user and its kernel part; `None` for what was not told apart.
    pub parts: Option<(u32, u32)>,
}

impl Named<'_> {
    /// What was not told apart.
    pub(crate) const OTHERS: Self = Named { comm: b"[others]", parts: None };
}

/// Names the stacks of `sums`, the name of the thread at the root, and adds up those that read the
/// same. `values` makes the cells of a row; rows go from the largest total down, then by their text.
pub(crate) fn name_stacks(
    cx: &Context<'_>,
    sums: StackSums,
    key: &'static str,
    columns: &[(&'static str, &'static str)],
    values: impl Fn(&Sum) -> Vec<Cell>,
) -> Stacks {
    let sums = sums.into_sorted().into_iter().map(|(stack, sum)| {
        let comm = cx.thread_comm(ThreadKey(stack.thread));
        (Named { comm, parts: Some((stack.ustack, stack.kstack)) }, sum)
    });
    let mut stacks = name_sums(cx, sums.collect(), columns, |sum| sum.total, values);
    stacks.key = key;
    stacks
}

/// Names the stacks of any sums, and adds up those that read the same; rows go from the largest
/// `order` down, then by their text. See [`name_rows`].
pub(crate) fn name_sums<S: Fold, O: Ord>(
    cx: &Context<'_>,
    sums: Vec<(Named<'_>, S)>,
    columns: &[(&'static str, &'static str)],
    order: impl Fn(&S) -> O,
    values: impl Fn(&S) -> Vec<Cell>,
) -> Stacks {
    let (names, mut rows) = name_rows(cx, sums, MOST_BYTES, &order);
    let text = |frames: &[(FrameKind, u32)]| {
        let frames = frames.iter().map(|&(kind, name)| (names[name as usize].as_slice(), kind));
        frames.collect::<Vec<_>>()
    };
    rows.sort_by(|a, b| order(&b.1).cmp(&order(&a.1)).then_with(|| text(&a.0).cmp(&text(&b.0))));
    Stacks {
        key: "stacks",
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

/// Frames of a stack, root first: kind, and index into a list of names.
pub(crate) type Frames = Vec<(FrameKind, u32)>;

/// The names of all frames, and the sums by stack, those that read the same added up, in no
/// order. What goes beyond `most_bytes` of names written out, the stacks with the smallest `order`,
/// counts as `[smaller stacks]` of its thread.
pub(crate) fn name_rows<S: Fold, O: Ord>(
    cx: &Context<'_>,
    mut sums: Vec<(Named<'_>, S)>,
    most_bytes: usize,
    order: impl Fn(&S) -> O,
) -> (Vec<Vec<u8>>, Vec<(Frames, S)>) {
    let mut names = StackNames::new(cx);
    let mut rows: FxHashMap<Frames, S> = FxHashMap::default();
    let mut places = Vec::new();
    let mut frames = Vec::new();
    let mut kept = 0usize;
    sums.sort_by_cached_key(|(_, sum)| Reverse(order(sum)));
    for (stack, sum) in sums {
        frames.clear();
        frames.push((FrameKind::Comm, names.id(stack.comm)));
        match stack.parts {
            Some((ustack, kstack)) if kept < most_bytes => {
                names.places(ustack, kstack, &mut places);
                frames.extend(places.iter().map(|place| (place.kind, place.name)));
            }
            Some(_) => frames.push((FrameKind::Mark, names.id(SMALLER_STACKS))),
            None => {}
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
    (names.into_names(), rows.into_iter().collect())
}
