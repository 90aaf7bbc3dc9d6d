//! What became of each module, as an answer.

use std::cmp::Reverse;

use ktape_schema::module_kind;

use crate::answer::{Answer, Block, Cell, Facts, Note, Table};

/// What became of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) id: u32,
    pub(super) path: Vec<u8>,
    pub(super) build_id: Vec<u8>,
    pub(super) kind: u32,
    /// Frames in it.
    pub(super) frames: u64,
    /// Those of them that had no name and have one now.
    pub(super) named: u64,
    /// Those of them that have a source line now.
    pub(super) lines: u64,
    /// Functions that were inlined into them.
    pub(super) inlined: u64,
    /// The file that the names came from; empty for none.
    pub(super) file: String,
    /// Why there is none, or what to know of it.
    pub(super) why: String,
}

pub(super) fn answer(mut outcomes: Vec<Outcome>, notes: Vec<Note>) -> Answer {
    outcomes.sort_by_key(|module| (Reverse(module.frames), module.id));
    let sum = |value: fn(&Outcome) -> u64| outcomes.iter().map(value).sum::<u64>();
    let facts = Facts {
        rows: vec![
            ("modules", "modules", Cell::Count(outcomes.len() as u64)),
            ("frames", "frames", Cell::Count(sum(|module| module.frames))),
            ("named", "  newly named", Cell::Count(sum(|module| module.named))),
            ("with_line", "  with source line", Cell::Count(sum(|module| module.lines))),
            ("inlined", "inlined functions", Cell::Count(sum(|module| module.inlined))),
        ],
        ..Facts::default()
    };
    let columns = [
        ("module", "module"),
        ("kind", ""),
        ("build_id", ""),
        ("frames", "frames"),
        ("named", "named"),
        ("with_line", "with line"),
        ("inlined", "inlined"),
        ("file", "from"),
        ("why", "why"),
    ];
    let mut table = Table::main("module_list", &columns);
    table.rows = outcomes
        .iter()
        .map(|module| {
            let text = |text: &str| match text {
                "" => Cell::None,
                text => Cell::text(text),
            };
            vec![
                Cell::text(&module.path),
                Cell::name(module_kind::NAMES, module.kind),
                Cell::text(&module.build_id),
                Cell::Count(module.frames),
                Cell::Count(module.named),
                Cell::Count(module.lines),
                Cell::Count(module.inlined),
                text(&module.file),
                text(&module.why),
            ]
        })
        .collect();
    let blocks =
        vec![Block::Heading("Symbols".to_owned()), Block::Facts(facts), Block::Table(table)];
    Answer { report: "symbolize", window: None, blocks, notes }
}
