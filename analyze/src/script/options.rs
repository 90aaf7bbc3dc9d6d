//! `Script`: which rows, and how.

/// Which rows are written, and how.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Script {
    /// Rows of these records only [default: all facts]. Definitions may be named too, like
    /// task_start,task_exit.
    #[arg(long, value_name = "RECORD,..", value_delimiter = ',')]
    pub record: Vec<String>,
    /// Write one line of text per row, or one JSON object (NDJSON) with all fields as they are stored.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub format: Form,
    /// Show stacks: indented lines in text, arrays of frames in JSON.
    #[arg(short = 'g', long)]
    pub stacks: bool,
}

/// How a row is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// `thread pid/tid [cpu] seconds since the start: record: field=value ..`
    #[default]
    Text,
    /// `{"record": .., "comm": .., "start": .., field: value, ..}`
    Json,
}
