//! `Rows`: groups as they are shown, those whose stacks read the same added up.

use std::cmp::Reverse;

use ktape_schema::Kind;
use rustc_hash::FxHashMap;

use super::Asked;
use super::groups::{Groups, Key, Sum};
use crate::answer::FrameKind;
use crate::context::Context;
use crate::folded_stacks::{Frames, MOST_BYTES};
use crate::run::{BoundedKey, Fold};
use crate::stack_names::StackNames;

/// Where the fields begin in a key.
pub(super) const FIELDS: usize = 2;

/// One group.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// The lowest key of those that it stands for.
    pub(super) key: Key,
    /// Its stack: user code first, then the kernel. Empty when stacks are not told apart.
    pub(super) frames: Frames,
    pub(super) sum: Sum,
    /// One number per percentile that is asked for, once found.
    pub(super) percentiles: Vec<u64>,
}

/// All groups, the largest first, in the order of time where intervals are told apart.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) list: Vec<Row>,
    /// Names of frames.
    pub(super) names: Vec<Vec<u8>>,
    /// Which row a key is in.
    places: FxHashMap<Key, u32>,
}

impl Rows {
    pub(super) fn of(asked: &Asked, cx: &Context<'_>, groups: Groups) -> Self {
        let mut groups = groups.into_sorted();
        let size = |sum: &Sum| if asked.of.is_some() { sum.total } else { sum.count };
        groups.sort_by_key(|(key, sum)| (key[0], Reverse(size(sum)), *key));
        if !asked.by_stack() {
            let places = groups.iter().map(|group| group.0).zip(0..).collect();
            let row = |(key, sum)| Row { key, sum, ..Row::default() };
            let list = groups.into_iter().map(row).collect();
            return Self { list, places, names: Vec::new() };
        }
        let (mut same, names) = fold_stacks(asked, cx, groups);
        same.sort_by_key(|(row, _)| (row.key[0], Reverse(size(&row.sum)), row.key));
        let mut rows = Rows { names, ..Rows::default() };
        for (place, (row, keys)) in (0..).zip(same) {
            rows.places.extend(keys.into_iter().map(|key| (key, place)));
            rows.list.push(row);
        }
        rows
    }

    /// The row that the facts of a key are in.
    pub(super) fn place(&self, key: Key) -> Option<u32> {
        self.places.get(&key).or_else(|| self.places.get(&Key::OTHERS)).copied()
    }
}

/// A row, and the keys that are in it.
type Same = (Row, Vec<Key>);

/// Adds up the groups whose stacks read the same, and tells the keys of each sum, and the names of
/// frames. Once all names written out take too many bytes, the stacks that are left are one.
fn fold_stacks(
    asked: &Asked,
    cx: &Context<'_>,
    groups: Vec<(Key, Sum)>,
) -> (Vec<Same>, Vec<Vec<u8>>) {
    let stack = |kernel: bool| {
        let mut by = asked.by.iter();
        let at = by.position(|field| {
            field.kind == Kind::StackId && kernel == (field.name == "kstack")
        });
        at.map(|at| at + FIELDS)
    };
    let (user, kernel) = (stack(false), stack(true));
    let mut names = StackNames::new(cx);
    let mut rows: Vec<Same> = Vec::new();
    let mut known: FxHashMap<(Key, Frames), usize> = FxHashMap::default();
    let (mut places, mut kept) = (Vec::new(), 0);
    for (key, sum) in groups {
        let mut frames = Frames::new();
        let mut rest = key;
        if key == Key::OTHERS {
            frames.push((FrameKind::Mark, names.id(b"[others]")));
        } else {
            let mut id = |at: Option<usize>| {
                at.map_or(0, |at| u32::try_from(std::mem::take(&mut rest[at])).unwrap_or(u32::MAX))
            };
            let (user, kernel) = (id(user), id(kernel));
            if kept < MOST_BYTES {
                names.places(user, kernel, &mut places);
                frames.extend(places.iter().map(|place| (place.kind, place.name)));
            } else {
                frames.push((FrameKind::Mark, names.id(b"[smaller stacks]")));
            }
        }
        let bytes = frames.iter().map(|frame| 8 + names.name(frame.1).len()).sum::<usize>();
        let place = *known.entry((rest, frames)).or_insert_with_key(|(_, frames)| {
            kept += 2 * bytes;
            rows.push((Row { key, frames: frames.clone(), ..Row::default() }, Vec::new()));
            rows.len() - 1
        });
        let (row, keys) = &mut rows[place];
        row.key = row.key.min(key);
        row.sum.fold(sum);
        keys.push(key);
    }
    (rows, names.into_names())
}
