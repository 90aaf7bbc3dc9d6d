//! `FactList`: single facts, one by one, each with its stack.

use crate::answer::{Block, Cell, Column, FrameKind, Show, StackRow, Stacks, Table};
use crate::context::Context;
use crate::stack_names::StackNames;

/// One fact of a list.
pub(crate) struct Row {
    /// One per column.
    pub(crate) cells: Vec<Cell>,
    /// What the text's table says behind the row: `open`, or nothing.
    pub(crate) mark: &'static str,
    /// Name of the thread, the root of its stack.
    pub(crate) comm: Vec<u8>,
    /// User stack id; 0 for none.
    pub(crate) ustack: u32,
    /// Kernel stack id; 0 for none.
    pub(crate) kstack: u32,
}

/// Single facts in the order in which they are pushed.
///
/// In JSON and CSV a list of facts that each have a stack. People get a table first, to see the facts
/// at one glance, and the stacks after it; without the stacks when none was taken.
pub(crate) struct FactList<'a> {
    key: &'static str,
    columns: Vec<Column>,
    /// Title in text.
    pub(crate) title: String,
    /// Facts that were too many to keep.
    pub(crate) not_kept: u64,
    names: StackNames<'a>,
    rows: Vec<Row>,
}

/// Columns that also stand over the stack in text, where they are not hidden.
const OVER_STACK: [&str; 5] = ["duration_ns", "syscall", "tid", "pid", "comm"];

impl<'a> FactList<'a> {
    /// An empty list. Columns are (key, label); an empty label hides a column from text.
    pub(crate) fn new(
        cx: &'a Context<'a>,
        key: &'static str,
        columns: &[(&'static str, &'static str)],
    ) -> Self {
        Self {
            key,
            columns: columns.iter().map(|&(key, label)| Column { key, label }).collect(),
            title: String::new(),
            not_kept: 0,
            names: StackNames::new(cx),
            rows: Vec::new(),
        }
    }

    /// Adds a fact.
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Number of facts.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The blocks. `stacks` says in text what the stacks are.
    pub(crate) fn into_blocks(mut self, stacks: &str) -> Vec<Block> {
        let marked = self.rows.iter().any(|row| !row.mark.is_empty());
        let has_stacks = self.rows.iter().any(|row| row.ustack != 0 || row.kstack != 0);
        let mut table = Table {
            key: self.key,
            title: std::mem::take(&mut self.title),
            columns: self.columns.clone(),
            show: match (self.rows.is_empty(), has_stacks) {
                (true, _) => Show::Json,
                (false, true) => Show::Text,
                (false, false) => Show::All,
            },
            main: true,
            not_kept: self.not_kept,
            ..Table::default()
        };
        if marked {
            table.columns.push(Column { key: "mark", label: " " });
        }
        table.rows = self
            .rows
            .iter()
            .map(|row| {
                let mut cells = row.cells.clone();
                cells.extend(marked.then(|| Cell::text(row.mark)));
                cells
            })
            .collect();
        let mut blocks = vec![Block::Table(table)];
        if has_stacks {
            blocks.push(Block::Stacks(self.stacks(stacks)));
        }
        blocks
    }

    fn stacks(mut self, title: &str) -> Stacks {
        let mut places = Vec::new();
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            let comm = self.names.id(&row.comm);
            self.names.places(row.ustack, row.kstack, &mut places);
            let mut frames = vec![(FrameKind::Comm, comm)];
            frames.extend(places.iter().map(|place| (place.kind, place.name)));
            rows.push(StackRow { frames, values: row.cells });
        }
        let columns = self.columns.into_iter().map(|column| {
            let shown = OVER_STACK.contains(&column.key);
            Column { label: if shown { column.label } else { "" }, ..column }
        });
        Stacks {
            key: self.key,
            title: format!("Their stacks, {title}"),
            columns: columns.collect(),
            names: self.names.into_names(),
            rows,
            main: true,
            ..Stacks::default()
        }
    }
}
