//! What can go wrong with a trace file.

use std::path::PathBuf;

/// An error of this crate. Says which file and where in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Reading failed.
    #[error("cannot read {} at offset {offset}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// Why.
        source: std::io::Error,
    },
    /// Writing failed; the bytes before `offset` are a valid trace without trailer.
    #[error("cannot write the trace at offset {offset}")]
    Write {
        /// How many bytes had been written before.
        offset: u64,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not begin with the magic of a trace.
    #[error("{} is not a ktape trace", path.display())]
    NotATrace {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later format than this program knows.
    #[error(
        "{} has trace format {major}.{minor}, this ktape reads up to {}.x: use a newer ktape",
        path.display(),
        crate::limits::MAJOR
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its major format version.
        major: u16,
        /// Its minor format version.
        minor: u16,
    },
    /// The header is cut off or damaged.
    #[error("header of {} at offset {offset}: {what}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A chunk, or a column of it, is damaged.
    #[error("{}: chunk at offset {offset}, record {record}{}: {what}", path.display(), Column(column))]
    Chunk {
        /// The file.
        path: PathBuf,
        /// Where the chunk begins.
        offset: u64,
        /// Name of the record, or its number when the schema does not name it.
        record: String,
        /// Name of the column; empty when the head itself is damaged.
        column: String,
        /// What is wrong.
        what: String,
    },
    /// What was to be written does not fit the format.
    #[error("cannot write record {record}: {what}")]
    Input {
        /// Name of the record.
        record: String,
        /// What does not fit.
        what: String,
    },
    /// The metadata does not fit the header.
    #[error("cannot write the metadata: {what}")]
    Meta {
        /// Why not.
        what: String,
    },
}

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// `, column x` when there is one.
struct Column<'a>(&'a str);

impl std::fmt::Display for Column<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ", column {}", self.0) }
    }
}

/// Why a block of bytes cannot be decoded; the caller adds file, offset and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bad(pub(crate) String);

impl From<&str> for Bad {
    fn from(what: &str) -> Bad {
        Bad(what.to_owned())
    }
}
