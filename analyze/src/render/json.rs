//! Answers as JSON: [`Answer`] and its blocks tell the shape.

use std::fmt::Write;

use super::escape::is_dangerous;
use super::folded::stack_line;
use super::units;
use crate::answer::{
    Answer, Block, Cell, Column, Facts, FrameKind, Note, Shape, Show, Stacks, Table,
};

/// Writes an answer as one JSON object, indented, with a line break at its end.
///
/// Numbers are raw (units stand in the keys), members in a fixed order. Bytes of a trace that are
/// not UTF-8 are written `\x..` as text has them; whatever could disturb a terminal is escaped as
/// JSON has it, and means the same to a parser.
pub fn json(answer: &Answer) -> Vec<u8> {
    let mut out = Json::new();
    out.open('{');
    out.key("report");
    out.string(answer.report.as_bytes());
    if let Some((from, to)) = answer.window {
        out.key("window");
        out.open('{');
        out.key("from_ns");
        out.raw(&from.to_string());
        out.key("to_ns");
        out.raw(&to.to_string());
        out.close('}');
    }
    blocks(&mut out, &answer.blocks);
    out.key("notes");
    out.open('[');
    answer.notes.iter().for_each(|note| one_note(&mut out, note));
    out.close(']');
    out.close('}');
    out.finish()
}

fn blocks(out: &mut Json, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Heading(_) => {}
            Block::Facts(facts) if facts.show != Show::Text => one_facts(out, facts),
            Block::Table(table) if table.show != Show::Text => one_table(out, table),
            Block::Group(group) if group.show != Show::Text => {
                out.key(group.key);
                out.open('{');
                self::blocks(out, &group.blocks);
                out.close('}');
            }
            Block::Facts(_) | Block::Table(_) | Block::Group(_) => {}
            Block::Histogram(histogram) => {
                out.key(histogram.key);
                out.open('[');
                for bucket in &histogram.buckets {
                    out.item();
                    out.open('{');
                    for (name, value) in [("low", bucket.low), ("high", bucket.high)] {
                        out.key(&format!("{name}_{}", histogram.unit.suffix()));
                        out.raw(&value.to_string());
                    }
                    out.key("count");
                    out.raw(&bucket.count.to_string());
                    out.close('}');
                }
                out.close(']');
            }
            Block::Stacks(stacks) => one_stacks(out, stacks),
        }
    }
}

fn one_facts(out: &mut Json, facts: &Facts) {
    if !facts.key.is_empty() {
        out.key(facts.key);
        out.open('{');
    }
    for (key, _, value) in &facts.rows {
        out.key(key);
        cell(out, value);
    }
    if !facts.key.is_empty() {
        out.close('}');
    }
}

fn one_table(out: &mut Json, table: &Table) {
    out.key(table.key);
    let (open, close) = if table.shape == Shape::Map { ('{', '}') } else { ('[', ']') };
    out.open(open);
    for row in &table.rows {
        let skip = match table.shape {
            Shape::Rows => {
                out.item();
                0
            }
            Shape::Map => {
                out.key(&row.first().map(units::human).unwrap_or_default());
                1
            }
        };
        out.open('{');
        members(out, &table.columns[skip..], &row[skip..]);
        out.close('}');
    }
    out.close(close);
}

fn members(out: &mut Json, columns: &[Column], row: &[Cell]) {
    for (column, value) in columns.iter().zip(row) {
        out.key(column.key);
        cell(out, value);
    }
}

fn one_stacks(out: &mut Json, stacks: &Stacks) {
    out.key(stacks.key);
    out.open('[');
    for row in &stacks.rows {
        out.item();
        out.open('{');
        members(out, &stacks.columns, &row.values);
        out.key("stack");
        out.string(stack_line(stacks, row).as_bytes());
        out.key("frames");
        out.open('[');
        for &(kind, name) in &row.frames {
            out.item();
            out.open('{');
            out.key("name");
            out.string(&stacks.names[name as usize]);
            out.key("kind");
            out.string(frame_kind(kind).as_bytes());
            out.close('}');
        }
        out.close(']');
        out.close('}');
    }
    out.close(']');
}

fn frame_kind(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Comm => "comm",
        FrameKind::User => "user",
        FrameKind::Kernel => "kernel",
        FrameKind::Inlined => "inlined",
        FrameKind::Mark => "mark",
    }
}

fn one_note(out: &mut Json, note: &Note) {
    out.item();
    out.open('{');
    out.key("kind");
    out.string(note.kind.name().as_bytes());
    out.key("text");
    out.string(note.text.as_bytes());
    for (key, value) in &note.facts {
        out.key(key);
        cell(out, value);
    }
    out.close('}');
}

fn cell(out: &mut Json, value: &Cell) {
    match value {
        Cell::None => out.raw("null"),
        Cell::Text(text) | Cell::Symbol(text) => out.string(text),
        Cell::List(cells) => {
            out.open('[');
            for value in cells {
                out.item();
                cell(out, value);
            }
            out.close(']');
        }
        number => out.raw(&units::number(number)),
    }
}

/// Writes JSON text piece by piece.
#[derive(Debug, Default)]
pub struct Json {
    out: String,
    depth: usize,
    /// Something stands before the next member or element of the open object or array.
    begun: bool,
}

impl Json {
    /// An empty document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an object or an array.
    pub fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
        self.begun = false;
    }

    /// Closes it.
    pub fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        if self.begun {
            self.line();
        }
        self.out.push(bracket);
        self.begun = true;
    }

    /// Begins an element of an array.
    pub fn item(&mut self) {
        if self.begun {
            self.out.push(',');
        }
        self.line();
        self.begun = true;
    }

    /// Begins a member of an object.
    pub fn key(&mut self, key: &str) {
        self.item();
        self.string(key.as_bytes());
        self.out.push_str(": ");
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A text as a JSON string.
    pub fn string(&mut self, bytes: &[u8]) {
        string(&mut self.out, bytes);
    }

    /// The document, with a line break at its end.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.push('\n');
        self.out.into_bytes()
    }

    fn line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }
}

/// Appends a text as a JSON string; see [`json`] for what is escaped.
pub(crate) fn string(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                c if is_dangerous(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\\\x{byte:02x}");
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::string;

    fn check(bytes: &[u8], expected: &str) {
        let mut out = String::new();
        string(&mut out, bytes);
        let parsed: String = serde_json::from_str(&out).expect("valid JSON");
        assert_eq!(parsed, expected);
        assert!(out.chars().all(|c| !super::is_dangerous(c)), "{out:?}");
    }

    #[test]
    fn strings_parse_back() {
        check(b"plain", "plain");
        check(b"\"\\\n\t\x1b\x00", "\"\\\n\t\u{1b}\0");
        check("a\u{202e}\u{e0001}ü".as_bytes(), "a\u{202e}\u{e0001}ü");
        check(b"bad\xff", "bad\\xff");
    }
}
