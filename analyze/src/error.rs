//! `Error`: what can go wrong between a trace and an answer.

/// Why there is no answer.
///
/// Damage inside a trace is not among them: what can be read is answered, and the answer's notes
/// name what could not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened or is no trace.
    #[error(transparent)]
    Format(#[from] ktape_format::Error),
    /// An option's value does not mean anything here.
    #[error("{option} {value:?}: {reason}")]
    Option {
        /// The option as it is written on the command line.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// The threads that scan the trace could not be started.
    #[error("starting {threads} scanning threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Why not.
        source: std::io::Error,
    },
    /// What was asked for could not be written.
    #[error("writing: {0}")]
    Write(#[source] std::io::Error),
    /// The trace could not be given other names.
    #[error("symbolizing: {0}")]
    Symbolize(String),
    /// A file of an export could not be written.
    #[error("writing {}", path.display())]
    Export {
        /// Which one.
        path: std::path::PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A trace could not be made of those that are there.
    #[error("{0}")]
    Rewrite(String),
    /// A file of another recorder could not be made a trace of.
    #[error("{}: {what}", path.display())]
    Import {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// A file besides the trace could not be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Two traces, or two windows, cannot be compared.
    #[error("comparing: {0}")]
    Compare(String),
    /// The flame graph could not be drawn.
    #[error("drawing the flame graph: {0}")]
    FlameGraph(String),
}

impl Error {
    /// Whether the person at the command line asked for something impossible (exit code 2).
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Option { .. })
    }
}

/// What functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;
