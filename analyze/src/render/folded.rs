//! Stacks as folded lines: `root;...;leaf value`, the common input of flame graph programs.

use std::collections::BTreeMap;

use super::escape::escape_folded;
use super::units;
use crate::answer::{Answer, Block, FrameKind, StackRow, Stacks};

/// All stacks of an answer, folded, weighed by their first value, sorted by their text. Stacks that
/// read the same are one line.
pub fn folded(answer: &Answer) -> Vec<u8> {
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for block in &answer.blocks {
        let Block::Stacks(stacks) = block else { continue };
        let names = escaped(stacks);
        for row in &stacks.rows {
            let Some(Ok(weight)) = row.values.first().map(|value| units::number(value).parse())
            else {
                continue;
            };
            let line = lines.entry(line(&names, row)).or_insert(0);
            *line = line.saturating_add(weight);
        }
    }
    let mut out = String::new();
    for (line, weight) in lines.iter().filter(|(_, weight)| **weight > 0) {
        out.push_str(line);
        out.push(' ');
        out.push_str(&weight.to_string());
        out.push('\n');
    }
    out.into_bytes()
}

/// One stack, folded, without its weight.
pub(super) fn stack_line(stacks: &Stacks, row: &StackRow) -> String {
    let mut out = String::new();
    for &(kind, name) in &row.frames {
        frame(&mut out, kind, &escape_folded(&stacks.names[name as usize]));
    }
    out
}

fn escaped(stacks: &Stacks) -> Vec<String> {
    stacks.names.iter().map(|name| escape_folded(name)).collect()
}

fn line(names: &[String], row: &StackRow) -> String {
    let mut out = String::new();
    for &(kind, name) in &row.frames {
        frame(&mut out, kind, &names[name as usize]);
    }
    out
}

fn frame(out: &mut String, kind: FrameKind, name: &str) {
    if !out.is_empty() {
        out.push(';');
    }
    out.push_str(name);
    out.push_str(match kind {
        FrameKind::Kernel => "_[k]",
        FrameKind::Inlined => "_[i]",
        FrameKind::Comm | FrameKind::User | FrameKind::Mark => "",
    });
}
