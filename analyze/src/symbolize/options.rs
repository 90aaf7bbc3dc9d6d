//! `Symbolize`: where to look for files.

use std::path::PathBuf;

/// Where to look for the files that a trace was recorded with. A file counts only when its build-id is
/// the one in the trace.
///
/// In this order: the module's own path, the same path below each --symfs, then by build-id in
/// /usr/lib/debug and in each --debug-dir. The first one with debug information is taken.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Symbolize {
    /// Look for modules below this directory, as if it were the root of the recorded host.
    #[arg(long, value_name = "DIR")]
    pub symfs: Vec<PathBuf>,
    /// Look for DIR/.build-id/xx/yyyy.debug.
    #[arg(long, value_name = "DIR")]
    pub debug_dir: Vec<PathBuf>,
    /// The kernel image with debug information.
    #[arg(long, value_name = "FILE")]
    pub vmlinux: Option<PathBuf>,
}
