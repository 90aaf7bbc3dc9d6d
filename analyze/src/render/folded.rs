//! Stacks as folded lines: `root;...;leaf value`, the common input of flame graph programs.

use super::escape::escape_folded;
use super::units;
use crate::answer::{Answer, Block, FrameKind, StackRow, Stacks};

/// All stacks of an answer, folded, weighed by their first value, sorted frame by frame. Stacks that
/// read the same are one line.
pub fn folded(answer: &Answer) -> Vec<u8> {
    let all: Vec<&Stacks> = answer
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Stacks(stacks) => Some(stacks),
            _ => None,
        })
        .collect();
    let texts = FrameTexts::of(&all);
    let mut rows: Vec<(Vec<u32>, u64)> = Vec::new();
    for (block, stacks) in all.iter().enumerate() {
        for row in &stacks.rows {
            if let Some(Ok(weight)) = row.values.first().map(|value| units::number(value).parse()) {
                rows.push((texts.ranks(block, row), weight));
            }
        }
    }
    rows.sort_unstable();
    let mut out = String::new();
    for same in rows.chunk_by(|a, b| a.0 == b.0) {
        let weight = same.iter().fold(0u64, |sum, row| sum.saturating_add(row.1));
        if weight == 0 {
            continue;
        }
        for (at, &rank) in same[0].0.iter().enumerate() {
            if at > 0 {
                out.push(';');
            }
            out.push_str(&texts.sorted[rank as usize]);
        }
        out.push(' ');
        out.push_str(&weight.to_string());
        out.push('\n');
    }
    out.into_bytes()
}

/// The texts of all frames, escaped, with their suffix, each once. Rows are compared by where their
/// frames stand in the sorted list: no line is built only to be compared.
struct FrameTexts {
    sorted: Vec<String>,
    /// By block, then by name: (kind, rank).
    ranks: Vec<Vec<Vec<(FrameKind, u32)>>>,
}

impl FrameTexts {
    fn of(all: &[&Stacks]) -> Self {
        let mut kinds: Vec<Vec<Vec<(FrameKind, u32)>>> =
            all.iter().map(|stacks| vec![Vec::new(); stacks.names.len()]).collect();
        for (stacks, kinds) in all.iter().zip(&mut kinds) {
            for &(kind, name) in stacks.rows.iter().flat_map(|row| &row.frames) {
                let known = &mut kinds[name as usize];
                if known.iter().all(|entry| entry.0 != kind) {
                    known.push((kind, 0));
                }
            }
        }
        let text = |block: usize, name: usize, kind: FrameKind| {
            format!("{}{}", escape_folded(&all[block].names[name]), suffix(kind))
        };
        let mut sorted = Vec::new();
        for (block, names) in kinds.iter().enumerate() {
            for (name, entries) in names.iter().enumerate() {
                sorted.extend(entries.iter().map(|entry| text(block, name, entry.0)));
            }
        }
        sorted.sort_unstable();
        sorted.dedup();
        for (block, names) in kinds.iter_mut().enumerate() {
            for (name, entries) in names.iter_mut().enumerate() {
                for entry in entries {
                    let rank = sorted.binary_search(&text(block, name, entry.0));
                    entry.1 = rank.unwrap_or_default() as u32;
                }
            }
        }
        Self { sorted, ranks: kinds }
    }

    fn ranks(&self, block: usize, row: &StackRow) -> Vec<u32> {
        let rank = |&(kind, name): &(FrameKind, u32)| {
            let entries = &self.ranks[block][name as usize];
            entries.iter().find(|entry| entry.0 == kind).map_or(0, |entry| entry.1)
        };
        row.frames.iter().map(rank).collect()
    }
}

/// One stack, folded, without its weight.
pub(super) fn stack_line(stacks: &Stacks, row: &StackRow) -> String {
    folded_frames(&stacks.names, &row.frames)
}

/// The frames of a stack, folded; their names by index.
pub(crate) fn folded_frames(names: &[Vec<u8>], frames: &[(FrameKind, u32)]) -> String {
    let mut out = String::new();
    for &(kind, name) in frames {
        frame(&mut out, kind, &escape_folded(&names[name as usize]));
    }
    out
}

fn frame(out: &mut String, kind: FrameKind, name: &str) {
    if !out.is_empty() {
        out.push(';');
    }
    out.push_str(name);
    out.push_str(suffix(kind));
}

/// What tells the kinds of frames apart in a folded line.
pub(crate) fn suffix(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Kernel => "_[k]",
        FrameKind::Inlined => "_[i]",
        FrameKind::Comm | FrameKind::User | FrameKind::Mark => "",
    }
}
