//! `ParquetExport`: which records, and how small.

/// Which records are exported, and how.
#[derive(clap::Args, Clone, Debug)]
pub struct ParquetExport {
    /// Export these records only [default: all facts]. Definitions may be named too, like
    /// task_start,task_exit.
    #[arg(long, value_name = "RECORD,..", value_delimiter = ',')]
    pub record: Vec<String>,
    /// Compress with this zstd level, 1 to 22.
    #[arg(long, value_name = "LEVEL", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=22))]
    pub level: i32,
}
