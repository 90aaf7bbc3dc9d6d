//! `Label`: what a group is called, the same in every recording.

use ktape_schema::{block_op, h2_role, io_op, tcp_direction};
use rustc_hash::FxHashMap;

use super::By;
use super::group::{GroupKey, Sum};
use super::measure::Measured;
use crate::answer::FrameKind;
use crate::context::{Context, UNKNOWN};
use crate::enum_name::enum_name;
use crate::folded_stacks::{Named, SMALLER_STACKS, name_rows};
use crate::run::{BoundedKey, Fold};

/// The frames of a stack, root first, or the texts of a row: kind, and index into [`Names`].
pub(super) type Label = Vec<(FrameKind, u32)>;

/// Most bytes that the stacks of one side take, names written out.
const MOST_BYTES: usize = 32 << 20;

/// Texts of both sides, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) list: Vec<Vec<u8>>,
    ids: FxHashMap<Vec<u8>, u32>,
}

impl Names {
    fn id(&mut self, name: &[u8]) -> u32 {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = self.list.len() as u32;
        self.list.push(name.to_vec());
        self.ids.insert(name.to_vec(), id);
        id
    }
}

/// The sums of one side by label, and whether some found no room of their own: the groups of both
/// sides that did not are different ones.
pub(super) fn labelled(
    cx: &Context<'_>,
    by: By,
    measured: Measured,
    names: &mut Names,
) -> (Vec<(Label, Sum)>, bool) {
    let groups = measured.groups.into_sorted();
    let mut others = groups.iter().any(|group| group.0 == GroupKey::OTHERS);
    if by.is_of_stacks() {
        let rows = stacks(cx, by, groups, names);
        let smaller = names.ids.get(SMALLER_STACKS);
        let is_smaller = |row: &(Label, Sum)| row.0.iter().any(|frame| Some(&frame.1) == smaller);
        others |= rows.iter().any(is_smaller);
        return (rows, others);
    }
    let mut rows: FxHashMap<Label, Sum> = FxHashMap::default();
    for (key, sum) in groups {
        let texts = texts(cx, by, key);
        let label = texts.iter().map(|text| (FrameKind::Mark, names.id(text))).collect();
        rows.entry(label).or_default().fold(sum);
    }
    (rows.into_iter().collect(), others)
}

fn stacks(
    cx: &Context<'_>,
    by: By,
    groups: Vec<(GroupKey, Sum)>,
    names: &mut Names,
) -> Vec<(Label, Sum)> {
    let named = |(key, sum): (GroupKey, Sum)| {
        if key == GroupKey::OTHERS {
            return (Named::OTHERS, sum);
        }
        let parts = Some(((key.what >> 32) as u32, key.what as u32));
        (Named { comm: task(cx, key), parts }, sum)
    };
    let groups = groups.into_iter().map(named).collect();
    let (own, rows) = name_rows(cx, groups, MOST_BYTES, |sum: &Sum| sum.total);
    let ids: Vec<u32> = own.iter().map(|name| names.id(name)).collect();
    let mut labels: FxHashMap<Label, Sum> = FxHashMap::default();
    for (frames, sum) in rows {
        let mut frames = frames.into_iter().map(|(kind, name)| (kind, ids[name as usize]));
        let label = match by {
            By::Function => frames.next_back().into_iter().collect(),
            _ => frames.collect(),
        };
        labels.entry(label).or_default().fold(sum);
    }
    labels.into_iter().collect()
}

/// The name of a thread or process. Workers of the kernel have numbers in theirs, which another
/// recording would not have.
fn task<'a>(cx: &'a Context<'_>, key: GroupKey) -> &'a [u8] {
    let id = key.who.checked_sub(1).and_then(|id| u32::try_from(id).ok());
    match id.map_or(UNKNOWN, |id| cx.strings().get(id)) {
        name if name.starts_with(b"kworker/") => b"kworker",
        name => name,
    }
}

/// The texts of a row, as many as [`By::columns`].
fn texts(cx: &Context<'_>, by: By, key: GroupKey) -> Vec<Vec<u8>> {
    let columns = by.columns().len();
    if key == GroupKey::OTHERS {
        let mut texts = vec![Vec::new(); columns];
        texts.iter_mut().take(1).for_each(|first| *first = b"[others]".to_vec());
        return texts;
    }
    let what = key.what as u32;
    let text = |id: u32| match cx.strings().get(id) {
        [] => UNKNOWN.to_vec(),
        text => text.to_vec(),
    };
    let name = |names| enum_name(names, key.how).as_bytes().to_vec();
    let mut texts = vec![task(cx, key).to_vec()];
    match by {
        By::Call => texts.push(cx.syscalls().name(what).into_bytes()),
        By::File => texts.extend([name(io_op::NAMES), text(what)]),
        By::Disk => texts.extend([name(block_op::NAMES), cx.device_name(what)]),
        By::Peer => texts.extend([name(tcp_direction::NAMES), text(what)]),
        By::Method => texts.extend([name(h2_role::NAMES), text(what)]),
        By::Stack | By::Function | By::Process | By::Thread => {}
    }
    debug_assert_eq!(texts.len(), columns);
    texts
}
