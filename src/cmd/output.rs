//! `Output`: how an answer is written.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use ktape_analyze::answer::{Answer, Note, NoteKind};
use ktape_analyze::render::{self, Style};
use ktape_format::limits::MAGIC;

use super::beside::{Beside, is_same};

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

/// Refuses to write over one of the traces that are read, or over any trace: it may be the only one.
pub(crate) fn check_target<'a>(
    path: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        return Ok(());
    }
    for input in inputs {
        if is_same(input, path) {
            bail!("{} is the trace itself: write to another file", path.display());
        }
    }
    let mut first = Vec::new();
    // What cannot be read is told when it cannot be written.
    if path.is_file()
        && let Ok(file) = File::open(path)
        && file.take(MAGIC.len() as u64).read_to_end(&mut first).is_ok()
        && first == MAGIC
    {
        bail!("{} is a ktape trace: write to another file", path.display());
    }
    Ok(())
}

/// Writes to a file that [`check_target`] has passed; - is standard output. A file that is there is
/// replaced when the new one is whole; a device or pipe is written to.
pub(crate) fn write_to(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        return write(bytes);
    }
    let writing = || format!("writing {}", path.display());
    // A link stays one: the file that it leads to is replaced.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let there = std::fs::metadata(&real).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return std::fs::write(&real, bytes).with_context(writing);
    }
    let beside = Beside::create(&real, 0o666)?;
    let mut file = beside.file()?;
    if let Some(there) = there {
        file.set_permissions(there.permissions()).with_context(writing)?;
    }
    file.write_all(bytes).with_context(writing)?;
    beside.place()
}

/// For forms that have no place for notes: what the reader must know goes to standard error.
pub(crate) fn warn(notes: &[Note]) {
    for note in notes.iter().filter(|note| note.kind != NoteKind::About) {
        let text = render::escape_text(note.text.as_bytes());
        let _ = writeln!(std::io::stderr(), "ktape: warning: {text}");
    }
}
