//! Answers as text for people: aligned, with units, in colour when asked.

use unicode_width::UnicodeWidthStr;

use super::escape::{escape_folded, escape_text};
use super::units;
use crate::answer::{
    Answer, Block, Cell, Column, Facts, FrameKind, Histogram, Note, Show, Stacks, Table,
};
use crate::run::Bucket;

/// Whether text is coloured (ANSI SGR).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    #[default]
    Plain,
    /// Bold headings, warnings in red, kernel frames dim.
    Color,
}

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[1;31m";
const RESET: &str = "\x1b[0m";

/// Writes an answer. Warnings stand first; every text of the trace is escaped.
pub fn text(answer: &Answer, style: Style) -> Vec<u8> {
    let mut page = Page { out: String::new(), style };
    answer.notes.iter().filter(|note| note.kind.is_warning()).for_each(|note| page.note(note));
    page.blocks(&answer.blocks);
    let about: Vec<&Note> = answer.notes.iter().filter(|note| !note.kind.is_warning()).collect();
    if !about.is_empty() {
        page.gap();
        about.into_iter().for_each(|note| page.note(note));
    }
    page.out.into_bytes()
}

struct Page {
    out: String,
    style: Style,
}

impl Page {
    fn paint(&mut self, code: &str, text: &str) {
        match self.style {
            Style::Plain => self.out.push_str(text),
            Style::Color => {
                self.out.push_str(code);
                self.out.push_str(text);
                self.out.push_str(RESET);
            }
        }
    }

    fn end_line(&mut self) {
        let kept = self.out.trim_end_matches(' ').len();
        self.out.truncate(kept);
        self.out.push('\n');
    }

    /// An empty line between two blocks.
    fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn title(&mut self, title: &str) {
        self.gap();
        if !title.is_empty() {
            let title = escape_text(title.as_bytes());
            self.paint(BOLD, &title);
            self.end_line();
        }
    }

    fn note(&mut self, note: &Note) {
        let text = escape_text(note.text.as_bytes());
        if note.kind.is_warning() {
            self.paint(RED, "warning: ");
        } else {
            self.out.push_str("note: ");
        }
        self.out.push_str(&text);
        self.end_line();
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Heading(title) => self.title(title),
                Block::Facts(facts) if facts.show != Show::Json => self.facts(facts),
                Block::Table(table) if table.show != Show::Json => self.table(table),
                // People need no header over nothing.
                Block::Histogram(histogram) if histogram.buckets.is_empty() => {}
                Block::Histogram(histogram) => self.histogram(histogram),
                Block::Stacks(stacks) => self.stacks(stacks),
                Block::Group(group) if group.show != Show::Json => self.blocks(&group.blocks),
                Block::Facts(_) | Block::Table(_) | Block::Group(_) => {}
            }
        }
    }

    fn facts(&mut self, facts: &Facts) {
        let rows: Vec<_> = facts.rows.iter().filter(|(_, label, _)| !label.is_empty()).collect();
        let wide = rows.iter().map(|(_, label, _)| label.width()).max().unwrap_or(0);
        for (_, label, value) in rows {
            self.out.push_str(label);
            self.out.push_str(&" ".repeat(wide - label.width() + 2));
            self.out.push_str(&units::human(value));
            self.end_line();
        }
    }

    fn table(&mut self, table: &Table) {
        self.title(&table.title);
        let shown: Vec<usize> =
            (0..table.columns.len()).filter(|&at| !table.columns[at].label.is_empty()).collect();
        let rows: Vec<Vec<String>> = table
            .rows
            .iter()
            .map(|row| shown.iter().map(|&at| units::human(&row[at])).collect())
            .collect();
        let right: Vec<bool> = shown.iter().map(|&at| is_right(table, at)).collect();
        let labels: Vec<&str> = shown.iter().map(|&at| table.columns[at].label).collect();
        self.aligned(&labels, &rows, &right);
        self.left_out(table.left_out, table.not_kept);
    }

    /// A header and rows, in columns two spaces apart.
    fn aligned(&mut self, labels: &[&str], rows: &[Vec<String>], right: &[bool]) {
        let wide: Vec<usize> = (0..labels.len())
            .map(|at| {
                let cells = rows.iter().map(|row| row[at].width());
                cells.max().unwrap_or(0).max(labels[at].width())
            })
            .collect();
        let header = columns(labels.iter().copied(), &wide, right);
        self.paint(BOLD, header.trim_end());
        self.end_line();
        for row in rows {
            let line = columns(row.iter().map(String::as_str), &wide, right);
            self.out.push_str(&line);
            self.end_line();
        }
    }

    /// How many rows are not shown: those that --top took away, and those that were not kept.
    fn left_out(&mut self, rows: u64, not_kept: u64) {
        let hint = match (rows, not_kept) {
            (0, 0) => return,
            (_, 0) => "--top 0 shows all".to_owned(),
            (0, _) => "--time, --pid or --min-duration show those of a part".to_owned(),
            _ => format!("--top 0 shows {rows} of them"),
        };
        let all = rows.saturating_add(not_kept);
        self.out.push_str(&format!("... {all} more ({hint})\n"));
    }

    fn histogram(&mut self, histogram: &Histogram) {
        const BAR: u128 = 40;
        self.title(&histogram.title);
        let most = histogram.buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
        let rows: Vec<Vec<String>> = without_gaps(&histogram.buckets)
            .iter()
            .map(|bucket| {
                let bar = (u128::from(bucket.count) * BAR).div_ceil(u128::from(most));
                vec![
                    units::human(&histogram.unit.cell(bucket.low)),
                    units::human(&histogram.unit.cell(bucket.high)),
                    bucket.count.to_string(),
                    "#".repeat(bar as usize),
                ]
            })
            .collect();
        self.aligned(&["from", "to", "count", ""], &rows, &[true, true, true, false]);
    }

    fn stacks(&mut self, stacks: &Stacks) {
        self.title(&stacks.title);
        let names: Vec<String> = stacks.names.iter().map(|name| escape_folded(name)).collect();
        for row in &stacks.rows {
            for (Column { label, .. }, value) in stacks.columns.iter().zip(&row.values) {
                if label.is_empty() {
                    continue;
                }
                let value = units::human(value);
                self.paint(BOLD, &value);
                self.out.push_str(&format!(" {label}  "));
            }
            self.end_line();
            // Leaf first, as people read a stack trace.
            for &(kind, name) in row.frames.iter().rev() {
                let name = &names[name as usize];
                self.out.push_str("    ");
                match kind {
                    FrameKind::Kernel => self.paint(DIM, &format!("{name}_[k]")),
                    FrameKind::Inlined => self.out.push_str(&format!("{name}_[i]")),
                    FrameKind::Comm | FrameKind::User | FrameKind::Mark => self.out.push_str(name),
                }
                self.end_line();
            }
            self.out.push('\n');
        }
        self.left_out(stacks.left_out, 0);
    }
}

/// Without the empty buckets before the first that counts and after the last; three or more between
/// two that count are one line.
fn without_gaps(buckets: &[Bucket]) -> Vec<Bucket> {
    let mut out: Vec<Bucket> = Vec::new();
    for run in buckets.chunk_by(|a, b| (a.count == 0) == (b.count == 0)) {
        match run {
            [first, _, .., last] if first.count == 0 => {
                out.push(Bucket { high: last.high, ..*first });
            }
            _ => out.extend_from_slice(run),
        }
    }
    let filled = |bucket: &Bucket| bucket.count > 0;
    let first = out.iter().position(filled).unwrap_or(out.len());
    let end = out.iter().rposition(filled).map_or(first, |last| last + 1);
    out[first..end].to_vec()
}

/// Numbers to the right. A column without any value follows its header: left.
fn is_right(table: &Table, column: usize) -> bool {
    table
        .rows
        .iter()
        .map(|row| &row[column])
        .find(|cell| **cell != Cell::None)
        .is_some_and(Cell::is_number)
}

fn columns<'a>(cells: impl Iterator<Item = &'a str>, wide: &[usize], right: &[bool]) -> String {
    let mut out = String::new();
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.push_str("  ");
        }
        let fill = " ".repeat(wide[at].saturating_sub(cell.width()));
        if right[at] {
            out.push_str(&fill);
            out.push_str(cell);
        } else {
            out.push_str(cell);
            out.push_str(&fill);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::without_gaps;
    use crate::run::Bucket;

    /// Counts of buckets as wide as 1; what is left, as (low, high, count).
    fn check(counts: &[u64], expected: &[(u64, u64, u64)]) {
        let bucket = |(at, &count)| Bucket { low: at, high: at, count };
        let buckets: Vec<Bucket> = (0..).zip(counts).map(bucket).collect();
        let found = without_gaps(&buckets);
        let found: Vec<_> =
            found.iter().map(|found| (found.low, found.high, found.count)).collect();
        assert_eq!(found, expected, "{counts:?}");
    }

    #[test]
    fn a_histogram_shows_no_long_gaps() {
        check(&[], &[]);
        check(&[0, 0], &[]);
        check(&[0, 0, 0, 0, 5, 0], &[(4, 4, 5)]);
        check(&[2, 0, 0, 3], &[(0, 0, 2), (1, 1, 0), (2, 2, 0), (3, 3, 3)]);
        check(&[2, 0, 0, 0, 3, 0, 0, 0, 0], &[(0, 0, 2), (1, 3, 0), (4, 4, 3)]);
    }
}
