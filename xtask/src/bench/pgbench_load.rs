//! pgbench that goes on while recorders come and go, and logs when each transaction ended.

use super::postgres::Postgres;
use super::process::{self, Process};
use super::recorder::Recorder;
use super::turns::{Load, Plan, Progress};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

/// What pgbench does, and in which turns recorders are measured beside it.
pub struct Script {
    pub plan: Plan,
    /// Its arguments.
    args: &'static [&'static str],
    clients: Clients,
    /// The part of the transactions that is logged.
    sampled: f64,
}

/// Who wants transactions, again and again.
#[derive(Clone, Copy)]
enum Clients {
    /// So many on each CPU, each with its server on its own CPU: which of them share one would else
    /// change by the second, and the rate with it.
    OnEachCpu(usize),
    /// A single one, which with its server leaves the CPUs idle for most of the time.
    One,
}

/// Reads of single rows. A start of ktape takes some 0.1 s of CPU time, and against eight clients that
/// want the CPUs, too, that lasts for a second (measured in slices of 200 ms: 15, 11, 4, 4 and 5 % of
/// the transactions, then 1 %). All transactions would be a gigabyte of log.
pub const SELECT: Script = Script {
    plan: Plan {
        name: "pgbench-select",
        unit: "transactions",
        turns: 60,
        turn: Duration::from_millis(400),
        settle: Duration::from_millis(1100),
        measured: &[Recorder::KtapeCheap, Recorder::KtapeSched, Recorder::Perf],
    },
    args: &["-S"],
    clients: Clients::OnEachCpu(4),
    sampled: 0.25,
};

/// Small transactions, each with a flush to disk. A start with all probes takes 2 s of CPU time.
pub const TPCB: Script = Script {
    plan: Plan {
        name: "pgbench-tpcb",
        unit: "transactions",
        turns: 12,
        turn: Duration::from_millis(1500),
        settle: Duration::from_secs(6),
        measured: &[Recorder::KtapeDefault, Recorder::KtapeAll, Recorder::PerfAll],
    },
    args: &[],
    clients: Clients::OnEachCpu(4),
    sampled: 1.0,
};

/// The same where a transaction waits for the disk and not for a CPU.
pub const TPCB_OF_ONE: Script = Script {
    plan: Plan {
        name: "pgbench-tpcb, one client",
        measured: &[Recorder::KtapeDefault, Recorder::KtapeAll],
        ..TPCB.plan
    },
    clients: Clients::One,
    ..TPCB
};

/// For the clients to connect, and then to find their pace.
const WARM: Duration = Duration::from_secs(1);

/// The clients.
pub struct Pgbench {
    running: Vec<Process>,
    log: tempfile::TempDir,
    sampled: f64,
}

impl Pgbench {
    /// Starts the clients, and waits until they work.
    pub fn start(script: &Script, postgres: &Postgres, seconds: u64) -> Result<Self> {
        let log = tempfile::Builder::new().prefix("ktape-bench-log").tempdir()?;
        let mut running = Vec::new();
        let mut start = |name: &str, clients: usize, cpu: Option<usize>| -> Result<()> {
            let folder = log.path().join(name);
            std::fs::create_dir(&folder)?;
            let mut pgbench = postgres.pgbench_named(name, clients);
            pgbench.args(["-n", "-l", "--sampling-rate", &script.sampled.to_string()]);
            pgbench.args(script.args);
            pgbench.args(["-T", &seconds.to_string()]);
            pgbench.arg("--log-prefix").arg(folder.join("log"));
            let pgbench = Process::start(pgbench.stdout(Stdio::null()), &folder)?;
            if let Some(cpu) = cpu {
                process::keep_on_cpu(pgbench.id(), cpu)?;
            }
            sleep(WARM);
            let servers = postgres.servers_of(name)?;
            ensure!(servers.len() == clients, "{} servers serve {clients} clients", servers.len());
            for server in servers {
                if let Some(cpu) = cpu {
                    process::keep_on_cpu(server, cpu)?;
                }
            }
            running.push(pgbench);
            Ok(())
        };
        match script.clients {
            Clients::OnEachCpu(clients) => {
                for cpu in 0..std::thread::available_parallelism()?.get() {
                    start(&format!("cpu{cpu}"), clients, Some(cpu))?;
                }
            }
            Clients::One => start("one", 1, None)?,
        }
        sleep(WARM);
        Ok(Self { running, log, sampled: script.sampled })
    }
}

impl Load for Pgbench {
    fn check_alive(&self) -> Result<()> {
        for pgbench in &self.running {
            ensure!(pgbench.is_alive(), "pgbench ended early: {}", pgbench.complaint());
        }
        Ok(())
    }

    /// Reads what the threads of pgbench have written, one file each.
    fn end(self) -> Result<Progress> {
        for pgbench in self.running {
            pgbench.terminate()?;
        }
        let mut ends = Vec::new();
        for of_cpu in std::fs::read_dir(self.log.path())? {
            for entry in std::fs::read_dir(of_cpu?.path())? {
                let path = entry?.path();
                if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")) {
                    let file = std::fs::File::open(&path).context("cannot read pgbench's log")?;
                    for line in BufReader::new(file).lines() {
                        ends.extend(end_of(&line?));
                    }
                }
            }
        }
        Ok(Progress::of_ends(ends, 1.0 / self.sampled))
    }
}

/// Reads `client transaction latency script seconds microseconds`.
fn end_of(line: &str) -> Option<u64> {
    let mut words = line.split(' ').skip(4).map(str::parse::<u64>);
    Some(words.next()?.ok()? * 1_000_000 + words.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::end_of;

    #[test]
    fn a_line_of_the_log_says_when() {
        assert_eq!(end_of("0 199 2241 0 1175850568 995598"), Some(1_175_850_568_995_598));
        assert_eq!(end_of("0 199 2241"), None);
    }
}
