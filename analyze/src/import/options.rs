//! What `ktape import perf` can be told.

use std::path::PathBuf;

/// How to read a perf.data file.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ImportPerf {
    /// Name the kernel's functions by this copy of /proc/kallsyms, taken as root on the recorded host
    /// before its next boot. perf.data has no names of functions.
    #[arg(long, value_name = "FILE")]
    pub kallsyms: Option<PathBuf>,
}
