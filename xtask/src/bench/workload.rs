//! The loads that recorders are measured on.

use super::postgres::Postgres;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::process::Command;

/// A load that says itself how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Two threads of one CPU that pass a byte to and fro: nothing but switches. Pinned, because the
    /// scheduler puts them on one CPU or on two, which differ by a factor of ten.
    Storm,
    /// 400 processes in 10 groups that send messages to each other.
    Messaging,
    /// Reads of single rows, from memory.
    PgbenchSelect,
    /// Small transactions, each with a flush to disk.
    PgbenchTpcb,
}

impl Workload {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Storm, Self::Messaging, Self::PgbenchSelect, Self::PgbenchTpcb];

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Storm => "storm",
            Self::Messaging => "messaging",
            Self::PgbenchSelect => "pgbench-select",
            Self::PgbenchTpcb => "pgbench-tpcb",
        }
    }

    /// What is run.
    pub fn command_line(self, quick: bool) -> String {
        match self {
            Self::Storm => {
                format!("taskset -c 1 perf bench sched pipe -l {}", storm_loops(quick))
            }
            Self::Messaging => {
                format!("perf bench sched messaging -g 10 -l {}", messaging_loops(quick))
            }
            Self::PgbenchSelect => format!("pgbench -c 8 -j 2 -n -S -T {}", seconds(quick)),
            Self::PgbenchTpcb => format!("pgbench -c 8 -j 2 -T {}", seconds(quick)),
        }
    }

    /// Whether it needs a database.
    pub fn needs_postgres(self) -> bool {
        matches!(self, Self::PgbenchSelect | Self::PgbenchTpcb)
    }

    /// What has to be done before each run, unmeasured and unrecorded.
    pub fn prepare(self, postgres: Option<&Postgres>) -> Result<()> {
        match (self, postgres) {
            (Self::PgbenchTpcb, Some(postgres)) => postgres.checkpoint(),
            _ => Ok(()),
        }
    }

    /// Runs it; the seconds that it took, for pgbench those of one transaction.
    pub fn run(self, postgres: Option<&Postgres>, quick: bool) -> Result<f64> {
        let pgbench = |args: &[&str]| {
            let mut command = postgres.context("no PostgreSQL runs")?.pgbench();
            let tps = figure(command.args(args), "tps = ")?;
            Ok(1.0 / tps)
        };
        match self {
            Self::Storm => storm(storm_loops(quick)),
            Self::Messaging => messaging(messaging_loops(quick)),
            Self::PgbenchSelect => pgbench(&["-n", "-S", "-T", seconds(quick)]),
            Self::PgbenchTpcb => pgbench(&["-T", seconds(quick)]),
        }
    }
}

fn storm_loops(quick: bool) -> &'static str {
    if quick { "100000" } else { "300000" }
}

fn messaging_loops(quick: bool) -> &'static str {
    if quick { "200" } else { "600" }
}

fn seconds(quick: bool) -> &'static str {
    if quick { "2" } else { "4" }
}

/// The switch storm; its seconds.
pub fn storm(loops: &str) -> Result<f64> {
    let args = ["-c", "1", "perf", "bench", "sched", "pipe", "-l", loops];
    figure(Command::new("taskset").args(args), "Total time: ")
}

/// The messaging groups; their seconds.
pub fn messaging(loops: &str) -> Result<f64> {
    let args = ["bench", "sched", "messaging", "-g", "10", "-l", loops];
    figure(Command::new("perf").args(args), "Total time: ")
}

/// Runs a command and reads the number after `label` from what it writes.
pub fn figure(command: &mut Command, label: &str) -> Result<f64> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.output().with_context(|| format!("cannot run {program}"))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let number = text
        .split_once(label)
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .and_then(|word| word.parse().ok());
    match number {
        Some(number) if out.status.success() => Ok(number),
        _ => {
            let said = String::from_utf8_lossy(&out.stderr);
            bail!("{program} failed: {}", said.lines().last().unwrap_or("it says no time"))
        }
    }
}
