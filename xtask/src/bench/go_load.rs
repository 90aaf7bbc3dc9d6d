//! gRPC-Go over TLS, 16 calls at a time, client and server in one process: what the probes of Go cost.

use super::process::Process;
use super::recorder::Recorder;
use super::tools;
use super::turns::{Load, Plan, Progress};
use crate::generated::root;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// For its first second or so a recording also hooks what tells names that it did not see go by, which
/// costs a busy program a third of its rate; until then nothing is counted.
pub const CALLS: Plan = Plan {
    name: "gRPC-Go",
    unit: "calls",
    turns: 12,
    turn: Duration::from_millis(1500),
    settle: Duration::from_secs(6),
    measured: &[Recorder::KtapeH2],
};

/// For the calls to find their pace.
const WARM: Duration = Duration::from_secs(2);

/// Builds the load (`tests/workloads/grpc.go`) with the newest Go and gRPC, fetched once.
pub fn build() -> Result<PathBuf> {
    let workloads = root().join("tests/workloads");
    let home = tools::target()?.join("bench-tools");
    let newest = home.join("newest-go");
    std::fs::create_dir_all(&home).context("cannot make a folder for Go")?;
    let fetch = |command: &mut Command| -> Result<()> {
        let out = command.output().context("cannot run what builds the load")?;
        ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr).trim_end());
        Ok(())
    };
    fetch(Command::new("sh").arg(workloads.join("newest-go.sh")).arg(&newest))
        .context("newest-go.sh cannot fetch the newest Go")?;
    let program = home.join("grpc");
    let go = newest.join("go");
    fetch(
        Command::new(go.join("bin/go"))
            .args(["build", "-o"])
            .args([&program, &workloads.join("grpc.go")])
            .env("GOROOT", &go)
            .env("GOPATH", newest.join("gocode"))
            .env("GOCACHE", home.join("go-cache"))
            .env("GO111MODULE", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", ""),
    )
    .context("go cannot build the load")?;
    Ok(program)
}

/// The running load.
pub struct Calls {
    running: Process,
    said: PathBuf,
    folder: tempfile::TempDir,
}

impl Calls {
    pub fn start(program: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ktape-bench-go").tempdir()?;
        let said = folder.path().join("said");
        let out = File::create(&said).context("cannot create a file for the load")?;
        let mut command = Command::new(program);
        command.args(["rates", "tls"]).stdin(Stdio::null()).stdout(out);
        let running = Process::start(&mut command, folder.path())?;
        sleep(WARM);
        Ok(Self { running, said, folder })
    }
}

impl Load for Calls {
    fn check_alive(&self) -> Result<()> {
        ensure!(self.running.is_alive(), "the calls ended early: {}", self.running.complaint());
        Ok(())
    }

    fn end(self) -> Result<Progress> {
        self.running.terminate()?;
        let said = std::fs::read_to_string(&self.said).context("cannot read what was called")?;
        drop(self.folder);
        Ok(Progress::of_totals(said.lines().filter_map(total_of).collect()))
    }
}

/// Reads `at microseconds calls`.
fn total_of(line: &str) -> Option<(u64, f64)> {
    let (time, calls) = line.strip_prefix("at ")?.split_once(' ')?;
    Some((time.parse().ok()?, calls.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::total_of;

    #[test]
    fn a_line_says_how_many_calls_there_were() {
        assert_eq!(total_of("at 1700000000000000 17"), Some((1_700_000_000_000_000, 17.0)));
        assert_eq!(total_of("at 1700000000000000"), None);
        assert_eq!(total_of("ready"), None);
    }
}
