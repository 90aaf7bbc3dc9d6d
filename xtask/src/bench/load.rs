//! The load that is recorded once by each recorder, so that reports can be compared.

use super::postgres::Postgres;
use super::workload;
use anyhow::{Context, Result};

/// A load in equal passes: each does the same work, however slowly a recorder lets it.
pub struct Load {
    postgres: Postgres,
}

impl Load {
    /// Gets it ready.
    pub fn new() -> Result<Self> {
        Ok(Self { postgres: Postgres::start()? })
    }

    /// What a pass is.
    pub const PASS: &str = "pgbench -S with 400 000 transactions, 10 groups of messaging, \
                            a switch storm of 100 000";

    /// Does the work once: some 0.8 million switches in 8 s here.
    pub fn pass(&self) -> Result<()> {
        let mut pgbench = self.postgres.pgbench();
        workload::figure(pgbench.args(["-n", "-S", "-t", "50000"]), "tps = ")?;
        workload::messaging("600")?;
        workload::storm("100000")?;
        Ok(())
    }

    /// Repeats it until the kernel has switched this often; how many passes that were.
    pub fn until(&self, switches: u64) -> Result<usize> {
        let end = context_switches()? + switches;
        let mut passes = 0;
        while context_switches()? < end {
            self.pass()?;
            passes += 1;
        }
        Ok(passes)
    }
}

/// Context switches since the machine started.
fn context_switches() -> Result<u64> {
    let stat = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = stat.lines().find_map(|line| line.strip_prefix("ctxt "));
    line.and_then(|number| number.trim().parse().ok()).context("/proc/stat has no ctxt")
}
