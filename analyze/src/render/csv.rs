//! Answers as CSV (RFC 4180): raw numbers, keys as header.

use super::escape::escape_text;
use super::folded::stack_line;
use super::units;
use crate::answer::{Answer, Block, Cell, Column, Show};

/// Writes the tables, facts, histograms and stacks of an answer, each with its header line. When
/// there are several, a line `# key` stands before each. Notes come last, as a table `notes`.
///
/// Texts are escaped as in text output, so that each record is one line; nothing else is changed.
pub fn csv(answer: &Answer) -> Vec<u8> {
    let mut sections = Vec::new();
    collect(&answer.blocks, "", &mut sections);
    if !answer.notes.is_empty() {
        let rows = answer.notes.iter();
        let rows =
            rows.map(|note| vec![note.kind.name().to_owned(), escape_text(note.text.as_bytes())]);
        sections.push(Section {
            name: "notes".to_owned(),
            header: vec!["kind".to_owned(), "text".to_owned()],
            rows: rows.collect(),
        });
    }
    let several = sections.len() > 1;
    let mut out = String::new();
    for section in &sections {
        if several {
            out.push_str(&format!("# {}\n", section.name));
        }
        line(&mut out, &section.header);
        section.rows.iter().for_each(|row| line(&mut out, row));
    }
    out.into_bytes()
}

struct Section {
    name: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn collect(blocks: &[Block], under: &str, sections: &mut Vec<Section>) {
    let path = |key: &str| match (under, key) {
        ("", key) => key.to_owned(),
        (under, "") => under.to_owned(),
        (under, key) => format!("{under}.{key}"),
    };
    for block in blocks {
        match block {
            Block::Facts(facts) if facts.show == Show::All => sections.push(Section {
                name: path(facts.key),
                header: vec!["key".to_owned(), "value".to_owned()],
                rows: facts
                    .rows
                    .iter()
                    .map(|(key, _, value)| vec![(*key).to_owned(), field(value)])
                    .collect(),
            }),
            Block::Table(table) if table.show == Show::All => sections.push(Section {
                name: path(table.key),
                header: header(&table.columns),
                rows: table.rows.iter().map(|row| row.iter().map(field).collect()).collect(),
            }),
            Block::Histogram(histogram) => sections.push(Section {
                name: path(histogram.key),
                header: vec![
                    format!("low_{}", histogram.unit.suffix()),
                    format!("high_{}", histogram.unit.suffix()),
                    "count".to_owned(),
                ],
                rows: histogram
                    .buckets
                    .iter()
                    .map(|bucket| {
                        [bucket.low, bucket.high, bucket.count].map(|n| n.to_string()).to_vec()
                    })
                    .collect(),
            }),
            Block::Stacks(stacks) => {
                let mut columns = header(&stacks.columns);
                columns.push("stack".to_owned());
                let rows = stacks.rows.iter().map(|row| {
                    let mut fields: Vec<String> = row.values.iter().map(field).collect();
                    fields.push(stack_line(stacks, row));
                    fields
                });
                sections.push(Section {
                    name: path(stacks.key),
                    header: columns,
                    rows: rows.collect(),
                });
            }
            Block::Group(group) if group.show == Show::All => {
                collect(&group.blocks, &path(group.key), sections);
            }
            Block::Heading(_) | Block::Facts(_) | Block::Table(_) | Block::Group(_) => {}
        }
    }
}

fn header(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.key.to_owned()).collect()
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::None => String::new(),
        Cell::Text(_) | Cell::Symbol(_) => units::human(cell),
        Cell::List(cells) => cells.iter().map(field).collect::<Vec<_>>().join(" "),
        number => units::number(number),
    }
}

fn line(out: &mut String, fields: &[String]) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if field.contains(['"', ',', '\n', '\r']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(field);
        }
    }
    out.push('\n');
}
