//! `Answer` and the blocks that it is made of.

use super::Cell;

/// The answer of a report.
///
/// JSON: one object with `report` (the name), `window` (`from_ns`, `to_ns`: since the start of the
/// recording), then every block under its key, and `notes` (see [`Note`]). A block without a key adds
/// its members to the object that it stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Name of the report.
    pub report: &'static str,
    /// What it is about, in nanoseconds since the start of the recording.
    pub window: Option<(i64, i64)>,
    /// What it says.
    pub blocks: Vec<Block>,
    /// What else the reader must know, most important first.
    pub notes: Vec<Note>,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A title over what follows. Only in text.
    Heading(String),
    /// Names and values. JSON: an object.
    Facts(Facts),
    /// Rows. JSON: an array of objects, or an object of objects ([`Shape::Map`]).
    Table(Table),
    /// A distribution. JSON: an array of `{low_UNIT, high_UNIT, count}`.
    Histogram(Histogram),
    /// Stacks with values. JSON: an array of `{VALUE.., stack: "root;..;leaf", frames: [..]}`.
    Stacks(Stacks),
    /// Blocks under one key. JSON: an object.
    Group(Group),
}

/// In which formats a block appears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// In all.
    #[default]
    All,
    /// In JSON only: what other programs expect there and people read elsewhere.
    Json,
    /// In text only.
    Text,
}

/// Blocks under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// JSON key.
    pub key: &'static str,
    /// Its blocks.
    pub blocks: Vec<Block>,
    /// Where it appears.
    pub show: Show,
}

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// JSON key; empty to add the members to the object around it.
    pub key: &'static str,
    /// JSON key (snake_case, unit at its end), label, value.
    pub rows: Vec<(&'static str, &'static str, Cell)>,
    /// Where it appears.
    pub show: Show,
}

/// How the rows of a table become JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// An array of objects.
    #[default]
    Rows,
    /// An object: the first column is the key, the others make the value. Keys must be unique.
    Map,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// JSON and CSV key, and the word for `--sort`: snake_case, unit at its end.
    pub key: &'static str,
    /// Header in text; empty to leave the column out of text.
    pub label: &'static str,
}

/// Rows of cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// JSON key; `# key` in CSV.
    pub key: &'static str,
    /// Title in text; empty for none.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each as long as `columns`, in the report's own total order.
    pub rows: Vec<Vec<Cell>>,
    /// Its shape in JSON.
    pub shape: Shape,
    /// Where it appears.
    pub show: Show,
    /// Whether `--sort` and `--top` apply to it.
    pub main: bool,
    /// For one to which only `--top` applies: how many rows it has without, in every format.
    pub top: Option<usize>,
    /// Rows that `--top` took away.
    pub left_out: u64,
    /// Rows that the report did not keep.
    pub not_kept: u64,
}

impl Table {
    /// A table that `--sort` and `--top` apply to.
    pub fn main(key: &'static str, columns: &[(&'static str, &'static str)]) -> Self {
        Self { main: true, ..Self::plain(key, columns) }
    }

    /// A table of the first so many rows in its own order, or as many as `--top` says.
    pub fn top(key: &'static str, columns: &[(&'static str, &'static str)], rows: usize) -> Self {
        Self { top: Some(rows), ..Self::plain(key, columns) }
    }

    /// A table that always shows all its rows in its own order.
    pub fn plain(key: &'static str, columns: &[(&'static str, &'static str)]) -> Self {
        let columns = columns.iter().map(|&(key, label)| Column { key, label }).collect();
        Self { key, columns, ..Self::default() }
    }
}

/// A distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// JSON key.
    pub key: &'static str,
    /// Title in text.
    pub title: String,
    /// What the bounds are.
    pub unit: Unit,
    /// Buckets, rising.
    pub buckets: Vec<crate::run::Bucket>,
}

/// What the bounds of a [`Histogram`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds: `low_ns` in JSON.
    Ns,
    /// Bytes: `low_bytes` in JSON.
    Bytes,
}

impl Unit {
    /// Its name at the end of JSON keys.
    pub fn suffix(self) -> &'static str {
        match self {
            Unit::Ns => "ns",
            Unit::Bytes => "bytes",
        }
    }

    /// A bound as a cell.
    pub fn cell(self, bound: u64) -> Cell {
        match self {
            Unit::Ns => Cell::DurNs(bound),
            Unit::Bytes => Cell::Bytes(bound),
        }
    }
}

/// What kind of code a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameKind {
    /// The name of the thread, at the root.
    Comm,
    /// User code.
    User,
    /// Kernel code: `_[k]` in folded stacks.
    Kernel,
    /// Inlined into the frame before it: `_[i]` in folded stacks.
    Inlined,
    /// Not code: `[truncated]`, `[no stack]`.
    Mark,
}

/// A stack with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackRow {
    /// Root first: kind, and index into [`Stacks::names`].
    pub frames: Vec<(FrameKind, u32)>,
    /// One value per [`Stacks::columns`]; the first one is what folded stacks weigh.
    pub values: Vec<Cell>,
}

/// Stacks with values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stacks {
    /// JSON key.
    pub key: &'static str,
    /// Title in text.
    pub title: String,
    /// What the values are.
    pub columns: Vec<Column>,
    /// Names of frames, each once.
    pub names: Vec<Vec<u8>>,
    /// The stacks, in the report's own total order.
    pub rows: Vec<StackRow>,
    /// Whether `--sort` and `--top` apply to them.
    pub main: bool,
    /// For those to which only `--top` applies: how many there are without, in every format.
    pub top: Option<usize>,
    /// Rows that `--top` took away.
    pub left_out: u64,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// Facts were lost while recording.
    Loss,
    /// Parts of the file cannot be read.
    Damage,
    /// The recording was not finished.
    Unfinished,
    /// The trace has none of what the report lives on.
    Missing,
    /// A filter could not be applied.
    Filter,
    /// How to read the numbers.
    About,
}

impl NoteKind {
    /// Its name in JSON and CSV.
    pub fn name(self) -> &'static str {
        match self {
            NoteKind::Loss => "loss",
            NoteKind::Damage => "damage",
            NoteKind::Unfinished => "unfinished",
            NoteKind::Missing => "missing",
            NoteKind::Filter => "filter",
            NoteKind::About => "about",
        }
    }

    /// Whether the answer is less than the truth because of it.
    pub fn is_warning(self) -> bool {
        self != NoteKind::About
    }
}

/// Something that the reader must know. JSON: `{kind, text, ..facts}` in the array `notes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// The note in words.
    pub text: String,
    /// The numbers in it, for programs.
    pub facts: Vec<(&'static str, Cell)>,
}

impl Note {
    /// A note without numbers.
    pub fn new(kind: NoteKind, text: String) -> Self {
        Self { kind, text, facts: Vec::new() }
    }
}
