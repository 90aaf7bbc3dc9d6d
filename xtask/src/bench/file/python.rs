//! The peers' Python: an environment of its own below the target folder, with pinned versions.

use super::super::tools;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the numbers are compared with.
const PACKAGES: &[&str] = &[
    "numpy==2.4.6",
    "pyarrow==26.0.1",
    "duckdb==2.0.0",
    "duckdb-cli==1.5.6",
    "polars==2.1.0",
    "datafusion==55.0.0",
    "pcodec==1.1.0",
];

/// The peers, as a program.
const SCRIPT: &str = include_str!("peers.py");

/// The interpreter with the peers installed.
pub(super) struct Python {
    home: PathBuf,
    script: PathBuf,
}

impl Python {
    /// Installs what is missing.
    pub(super) fn ready() -> Result<Self> {
        let home = tools::target()?.join("bench-tools/python");
        let done = home.join("installed");
        let wanted = PACKAGES.join("\n");
        if std::fs::read_to_string(&done).ok().as_deref() != Some(&wanted) {
            eprintln!("installing {}", PACKAGES.join(", "));
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))
                .context("a virtual environment (apt-get install python3-venv)")?;
            run(Command::new(home.join("bin/pip")).args(["install", "--quiet"]).args(PACKAGES))?;
            std::fs::write(&done, &wanted).context("cannot note what is installed")?;
        }
        let script = home.join("peers.py");
        std::fs::write(&script, SCRIPT).context("cannot write the peers' script")?;
        Ok(Self { home, script })
    }

    /// What is compared, and by which interpreter.
    pub(super) fn versions(&self) -> Result<String> {
        let python = tools::version(&self.home.join("bin/python"));
        Ok(format!("{python}; {}", PACKAGES.join(", ")))
    }

    /// DuckDB's command line.
    pub(super) fn duckdb(&self) -> PathBuf {
        self.home.join("bin/duckdb")
    }

    /// Writes the Parquet files, and says how large they are.
    pub(super) fn prepare(&self, folder: &Path) -> Result<Value> {
        self.json(&["prepare".as_ref(), folder.as_os_str()])
    }

    /// Asks the questions with so many threads.
    pub(super) fn query(&self, folder: &Path, threads: usize, rounds: usize) -> Result<Value> {
        let (threads, rounds) = (threads.to_string(), rounds.to_string());
        self.json(&["query".as_ref(), folder.as_os_str(), threads.as_ref(), rounds.as_ref()])
    }

    fn json(&self, args: &[&std::ffi::OsStr]) -> Result<Value> {
        let out = run(Command::new(self.home.join("bin/python")).arg(&self.script).args(args))?;
        serde_json::from_slice(&out).context("the peers do not write JSON")
    }
}

fn run(command: &mut Command) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.output().with_context(|| format!("cannot run {program}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("{program}: {}", said.lines().last().unwrap_or_default());
    }
    Ok(out.stdout)
}
