//! `--sort` and `--top`, applied to a finished answer.

use std::cmp::Ordering;

use super::{Answer, Block, Cell, Column};
use crate::error::{Error, Result};

impl Answer {
    /// Sorts the main tables and stacks by the column with this key or label, largest (for text:
    /// first) first, or the other way round with `:asc` or `:desc` behind it. Ties keep the report's
    /// own order, which has none.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when no main table has such a column, or one has several of this label; it
    /// lists those there are.
    pub fn sort(&mut self, by: &str) -> Result<()> {
        let (name, direction) = match by.split_once(':') {
            Some((name, "asc")) => (name, Some(Ordering::Less)),
            Some((name, "desc")) => (name, Some(Ordering::Greater)),
            Some((_, other)) => {
                return Err(wrong(by, format!("`:{other}` is neither :asc nor :desc")));
            }
            None => (by, None),
        };
        let mut found = false;
        let mut keys = Vec::new();
        let mut alike = Vec::new();
        for_main(&mut self.blocks, &mut |columns, rows| {
            keys.extend(columns.iter().map(|column| column.key));
            let key = columns.iter().position(|column| column.key == name);
            let labels = columns
                .iter()
                .enumerate()
                .filter(|(_, column)| column.label.eq_ignore_ascii_case(name));
            let labels: Vec<usize> = labels.map(|(at, _)| at).collect();
            let at = match (key, &labels[..]) {
                (Some(at), _) | (None, &[at]) => at,
                (None, several) => {
                    alike.extend(several.iter().map(|&at| columns[at].key));
                    return;
                }
            };
            found = true;
            rows.sort(at, direction);
        });
        if !alike.is_empty() {
            return Err(wrong(by, format!("several columns are called so: {}", alike.join(", "))));
        }
        if found {
            return Ok(());
        }
        if keys.is_empty() {
            return Err(wrong(by, "this report has an order of its own".to_owned()));
        }
        keys.sort_unstable();
        keys.dedup();
        Err(wrong(by, format!("there is no such column; there are {}", keys.join(", "))))
    }

    /// Keeps the first `asked` rows (0 for all) of the main tables and stacks and of those that have
    /// a number of rows of their own, and counts the others. When nobody asks, it is `usual` rows of
    /// the former.
    pub fn top(&mut self, asked: Option<usize>, usual: usize) {
        let all = |rows| if rows == 0 { usize::MAX } else { rows };
        let main = all(asked.unwrap_or(usual));
        for_main(&mut self.blocks, &mut |_, rows| rows.truncate(main));
        truncate_own(&mut self.blocks, &|own| asked.map_or(own, all));
    }
}

/// Keeps so many rows of those that have a number of rows of their own.
fn truncate_own(blocks: &mut [Block], most: &dyn Fn(usize) -> usize) {
    for block in blocks {
        let (rows, own) = match block {
            Block::Table(table) => (Rows::Table(&mut table.rows, &mut table.left_out), table.top),
            Block::Stacks(stacks) => {
                (Rows::Stacks(&mut stacks.rows, &mut stacks.left_out), stacks.top)
            }
            Block::Group(group) => {
                truncate_own(&mut group.blocks, most);
                continue;
            }
            _ => continue,
        };
        if let Some(own) = own {
            rows.truncate(most(own));
        }
    }
}

fn wrong(value: &str, reason: String) -> Error {
    Error::Option { option: "--sort", value: value.to_owned(), reason }
}

/// The rows of a main table or of stacks.
enum Rows<'a> {
    Table(&'a mut Vec<Vec<Cell>>, &'a mut u64),
    Stacks(&'a mut Vec<super::StackRow>, &'a mut u64),
}

impl Rows<'_> {
    fn sort(self, at: usize, direction: Option<Ordering>) {
        match self {
            Rows::Table(rows, _) => rows.sort_by(|a, b| order(&a[at], &b[at], direction)),
            Rows::Stacks(rows, _) => {
                rows.sort_by(|a, b| order(&a.values[at], &b.values[at], direction));
            }
        }
    }

    fn truncate(self, top: usize) {
        let (len, left_out) = match self {
            Rows::Table(rows, left_out) => {
                let len = rows.len();
                rows.truncate(top);
                (len, left_out)
            }
            Rows::Stacks(rows, left_out) => {
                let len = rows.len();
                rows.truncate(top);
                (len, left_out)
            }
        };
        *left_out += len.saturating_sub(top) as u64;
    }
}

fn for_main(blocks: &mut [Block], visit: &mut dyn FnMut(&[Column], Rows<'_>)) {
    for block in blocks {
        match block {
            Block::Table(table) if table.main => {
                visit(&table.columns, Rows::Table(&mut table.rows, &mut table.left_out));
            }
            Block::Stacks(stacks) if stacks.main => {
                visit(&stacks.columns, Rows::Stacks(&mut stacks.rows, &mut stacks.left_out));
            }
            Block::Group(group) => for_main(&mut group.blocks, visit),
            _ => {}
        }
    }
}

/// Cells without a value come last whichever the direction.
fn order(a: &Cell, b: &Cell, direction: Option<Ordering>) -> Ordering {
    match (a, b) {
        (Cell::None, Cell::None) => return Ordering::Equal,
        (Cell::None, _) => return Ordering::Greater,
        (_, Cell::None) => return Ordering::Less,
        _ => {}
    }
    let default = if a.is_number() { Ordering::Greater } else { Ordering::Less };
    let rising = rising(a, b);
    if direction.unwrap_or(default) == Ordering::Greater { rising.reverse() } else { rising }
}

fn rising(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Text(a) | Cell::Symbol(a), Cell::Text(b) | Cell::Symbol(b)) => a.cmp(b),
        (Cell::List(a), Cell::List(b)) => a.len().cmp(&b.len()),
        _ => {
            let ((a, below_a), (b, below_b)) = (number(a), number(b));
            // u64 times u64 may pass i128 by one bit: hence saturating.
            (a.saturating_mul(below_b)).cmp(&b.saturating_mul(below_a))
        }
    }
}

/// A cell's number as a fraction.
fn number(cell: &Cell) -> (i128, i128) {
    match *cell {
        Cell::Count(n) | Cell::DurNs(n) | Cell::Millis(n) | Cell::Bytes(n) | Cell::Hex(n) => {
            (n.into(), 1)
        }
        Cell::Calendar(n) => (n.into(), 1),
        Cell::Int(n) | Cell::Longer(n) | Cell::Time(n) => (n.into(), 1),
        Cell::Tid(n) | Cell::Pid(n) | Cell::Cpu(n) => (n.into(), 1),
        Cell::Bool(yes) => (yes.into(), 1),
        Cell::Percent { part, whole } | Cell::Quotient { part, whole } => {
            (part.into(), i128::from(whole.max(1)))
        }
        Cell::Rate { count, per_ns } => (count.into(), i128::from(per_ns.max(1))),
        Cell::None | Cell::Text(_) | Cell::Symbol(_) | Cell::List(_) => (0, 1),
    }
}
