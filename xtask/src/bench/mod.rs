//! `cargo xtask bench`: ktape beside its peers, on the same load, in one run.
//!
//! Runs alternate, so that whatever else the machine does meets all of them; medians and ratios are
//! printed, and the bars that the project has set itself with what was measured. No exit status
//! depends on a time: a time is a matter of the machine, and for a person to judge.

mod acceptance;
mod capture;
mod capture_bars;
mod cost;
mod count;
mod file;
mod first_event;
mod flood;
mod go_load;
mod idle;
mod load;
mod measure;
mod pgbench_load;
mod postgres;
mod process;
mod recorder;
mod recordings;
mod replay;
mod results;
mod spent;
mod table;
pub mod tools;
mod trace_cmd;
mod turns;
mod workload;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measure ktape beside perf, trace-cmd and offcputime.
#[derive(Parser)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// What recording costs: slowdown, CPU, memory, bytes, losses, start and stop.
    Capture(capture::Args),
    /// What all probes cost a database, beside perf with fewer events, and what h2 costs a gRPC-Go program.
    Cost(cost::Args),
    /// The trace file beside Parquet, pcodec, DuckDB, Polars and DataFusion: bytes, speed, memory.
    File(file::Args),
    /// What reporting costs: time and memory on recordings of the same load.
    Replay(replay::Args),
}

pub fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Capture(args) => capture::run(args),
        What::Cost(args) => cost::run(args),
        What::File(args) => file::run(args),
        What::Replay(args) => replay::run(args),
    }
}
