//! `cargo xtask`: everything the project does to itself.

mod bench;
mod bless;
mod bpf;
mod codegen;
mod fleet;
mod fuzz;
mod generated;
mod ids;
mod kernel_test;
mod new;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The project's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write what is generated from the schema: the C header, EVENTS.md and ids.lock.
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
    /// Prove the rules of the house; exit 1 if one is broken.
    Tidy,
    /// Measure ktape beside its peers.
    Bench(bench::Args),
    /// Run the commands of docs/fleet.md; exit 1 unless ktape, DuckDB and Spark agree.
    Fleet(fleet::Args),
    /// Record known workloads on other kernels, in virtual machines; exit 1 if a count is wrong.
    KernelTest(kernel_test::Args),
    /// Look for input that breaks what reads it; exit 1 if there is some.
    Fuzz(fuzz::Args),
    /// Write the expected answers of the golden tests anew.
    Bless,
    /// Write the skeleton of a probe: its record, its kernel program, its attachments.
    NewProbe(new::probe::Args),
    /// Write the skeleton of a report.
    NewReport(new::report::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Codegen { check } => codegen::run(check)?,
        Command::Bpf { check } => bpf::run(check)?,
        Command::Tidy => return tidy::run(),
        Command::Bench(args) => bench::run(&args)?,
        Command::Fleet(args) => fleet::run(&args)?,
        Command::KernelTest(args) => return kernel_test::run(&args),
        Command::Fuzz(args) => return fuzz::run(&args),
        Command::Bless => bless::run()?,
        Command::NewProbe(args) => new::probe::run(&args)?,
        Command::NewReport(args) => new::report::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
