//! `cargo xtask`: everything the project does to itself.

mod bpf;
mod codegen;
mod generated;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write what is generated from the schema: the C header and EVENTS.md.
    Codegen {
        /// Change nothing; fail if a file is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Compile the kernel programs into ebpf/prebuilt.
    Bpf {
        /// Change nothing; fail if an object differs.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Codegen { check } => codegen::run(check),
        Command::Bpf { check } => bpf::run(check),
    }
}
