//! `Output`: how an answer is written.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use ktape_analyze::answer::{Answer, Note, NoteKind};
use ktape_analyze::render::{self, Style};

/// How to write an answer.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Output {
    /// Sort by this column, largest first; COLUMN:asc turns it round.
    #[arg(long, global = true, value_name = "COLUMN")]
    sort: Option<String>,
    /// Show this many rows, 0 for all [default: 20 in text, all in json and csv].
    #[arg(long, global = true, value_name = "ROWS")]
    top: Option<usize>,
    /// Write text for people, or json or csv with raw numbers.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Colour the text.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Text,
    Json,
    Csv,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Color {
    /// When standard output is a terminal and NO_COLOR is not set.
    #[default]
    Auto,
    Always,
    Never,
}

/// Rows that text shows when nobody says otherwise.
const TEXT_ROWS: usize = 20;

impl Output {
    /// Sorts, cuts and writes an answer to standard output.
    pub(crate) fn write(&self, mut answer: Answer) -> anyhow::Result<()> {
        if let Some(column) = &self.sort {
            answer.sort(column)?;
        }
        answer.top(self.top, if self.format == Format::Text { TEXT_ROWS } else { 0 });
        write(&match self.format {
            Format::Text => render::text(&answer, self.style()),
            Format::Json => render::json(&answer),
            Format::Csv => render::csv(&answer),
        })
    }

    fn style(&self) -> Style {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self.color {
            Color::Always => Style::Color,
            Color::Auto if !no_color && std::io::stdout().is_terminal() => Style::Color,
            Color::Auto | Color::Never => Style::Plain,
        }
    }
}

/// Writes to standard output, at once.
pub(crate) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context("writing to standard output")
}

/// Writes to a file; - is standard output.
pub(crate) fn write_to(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        return write(bytes);
    }
    std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// For forms that have no place for notes: what the reader must know goes to standard error.
pub(crate) fn warn(notes: &[Note]) {
    for note in notes.iter().filter(|note| note.kind != NoteKind::About) {
        let text = render::escape_text(note.text.as_bytes());
        let _ = writeln!(std::io::stderr(), "ktape: warning: {text}");
    }
}
