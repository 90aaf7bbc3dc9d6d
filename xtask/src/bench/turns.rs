//! What recorders cost a database, in short turns within one long run of it.
//!
//! Two runs of pgbench differ by a tenth with nothing else on the machine, which hides a cost of some
//! percent. Within a run, the transactions of a turn with a recorder are compared with those of the
//! turns before and after it. The rate of an undisturbed run drifts by a tenth within seconds, and
//! less the shorter one looks: many short turns tell more than few long ones.

use super::measure;
use super::postgres::Postgres;
use super::process::{self, Process};
use super::recorder::{Programs, Recorder};
use super::table::{self, Values};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

/// What is run, and in which turns.
pub struct Plan {
    /// What it is called in the tables.
    pub name: &'static str,
    /// What pgbench runs.
    script: &'static [&'static str],
    /// The part of the transactions that is logged.
    sampled: f64,
    /// Turns of each recorder.
    turns: usize,
    /// How long transactions are counted in a turn.
    turn: Duration,
    /// Between a recorder's start and its turn.
    settle: Duration,
    /// The recorders that are of interest.
    pub measured: &'static [Recorder],
}

/// Reads of single rows. A start of ktape takes some 0.1 s of CPU time, and against eight clients that
/// want the CPUs, too, that lasts for a second (measured in slices of 200 ms: 15, 11, 4, 4 and 5 % of
/// the transactions, then 1 %). All transactions would be a gigabyte of log.
pub const SELECT: Plan = Plan {
    name: "pgbench-select",
    script: &["-S"],
    sampled: 0.25,
    turns: 60,
    turn: Duration::from_millis(400),
    settle: Duration::from_millis(1100),
    measured: &[Recorder::KtapeCheap, Recorder::KtapeSched, Recorder::Perf],
};

/// Small transactions, each with a flush to disk. A start with all probes takes 2 s of CPU time.
pub const TPCB: Plan = Plan {
    name: "pgbench-tpcb",
    script: &[],
    sampled: 1.0,
    turns: 12,
    turn: Duration::from_millis(1500),
    settle: Duration::from_secs(6),
    measured: &[Recorder::KtapeDefault, Recorder::KtapeAll, Recorder::PerfAll],
};

/// Between the recorder's end and the next turn without one, and before the first turn.
const PAUSE: Duration = Duration::from_millis(200);

/// For the clients to connect, and then to find their pace.
const WARM: Duration = Duration::from_secs(1);

/// Clients per CPU.
const CLIENTS: usize = 4;

/// The share of the transactions that each recorder costs, in percent, one value per turn.
pub type Losses = Vec<(Recorder, Values)>;

/// Measures and prints the losses with those of `recorders` that are of interest.
///
/// Turns in which nothing is started tell how far the medians can be trusted.
pub fn measure(
    plan: &Plan,
    recorders: &[Recorder],
    programs: &Programs,
    postgres: &Postgres,
    folder: &Path,
) -> Result<Losses> {
    let wanted = plan.measured.iter().copied().filter(|each| recorders.contains(each));
    let measured: Vec<Option<Recorder>> = [None].into_iter().chain(wanted.map(Some)).collect();
    let log = tempfile::Builder::new().prefix("ktape-bench-log").tempdir()?;
    // Each pair of turns takes a recorder's start and end on top, 1.3 s with perf.
    let longest = 2 * plan.turn + plan.settle + PAUSE + Duration::from_millis(1300);
    let seconds = (longest * (plan.turns * measured.len()) as u32).as_secs() + 5;
    let load = load(plan, postgres, seconds, log.path())?;

    let mut turns = Vec::new();
    let mut without = vec![turn(plan.turn)];
    for round in 0..plan.turns {
        eprintln!("{}: turn {} of {}", plan.name, round + 1, plan.turns);
        for at in 0..measured.len() {
            // In another order each time, so that none always follows the same one.
            let at = if round % 2 == 0 { at } else { measured.len() - 1 - at };
            let recorder = measured[(at + round / 2) % measured.len()];
            let file = folder.join("recording");
            let running =
                recorder.map(|each| measure::start(each, programs, &file, &[])).transpose()?;
            sleep(plan.settle);
            turns.push((recorder, turn(plan.turn)));
            if let (Some(recorder), Some(running)) = (recorder, running) {
                measure::end(running, recorder.tool())?;
                measure::clear(folder)?;
            }
            sleep(PAUSE);
            without.push(turn(plan.turn));
        }
    }
    // By then the log of the last turn is written; a client buffers some hundred lines.
    sleep(PAUSE);
    for pgbench in &load {
        ensure!(pgbench.is_alive(), "pgbench ended early: {}", pgbench.complaint());
    }
    for pgbench in load {
        pgbench.terminate()?;
    }
    let log = Log::read(log.path(), plan.sampled)?;
    let losses = measured.iter().map(|&recorder| {
        let own = turns.iter().enumerate().filter(|(_, (each, _))| *each == recorder);
        let loss = own.map(|(at, (_, turn))| {
            let alone = log.rate_between(&without[at], turn, &without[at + 1]);
            (1.0 - log.rate(turn) / alone) * 100.0
        });
        (recorder, loss.filter(|loss| loss.is_finite()).collect::<Values>())
    });
    let losses: Vec<_> = losses.collect();

    println!("\n## {}, recorders in turns of {:?} within one run", plan.name, plan.turn);
    let alone: Values = without.iter().map(|turn| log.rate(turn)).collect();
    println!("nothing: {} transactions per second, {} turns", alone.show(0), alone.len());
    let rows: Vec<_> = losses
        .iter()
        .map(|(recorder, loss)| {
            let quartile =
                |part| loss.quantile(part).map_or("-".into(), |loss| format!("{loss:.1}"));
            vec![
                recorder.map_or("(nothing)", Recorder::name).to_owned(),
                loss.len().to_string(),
                quartile(0.5),
                quartile(0.25),
                quartile(0.75),
            ]
        })
        .collect();
    table::print(&["recorder", "n", "lost %", "first quartile", "third quartile"], &rows);
    Ok(losses.into_iter().filter_map(|(recorder, loss)| Some((recorder?, loss))).collect())
}

/// Starts the clients, as many on each CPU as the others, each with its server on its own CPU: which
/// of them share one would else change by the second, and the rate with it.
fn load(plan: &Plan, postgres: &Postgres, seconds: u64, folder: &Path) -> Result<Vec<Process>> {
    let cpus = std::thread::available_parallelism()?.get();
    let mut load = Vec::new();
    for cpu in 0..cpus {
        let name = format!("cpu{cpu}");
        let folder = folder.join(&name);
        std::fs::create_dir(&folder)?;
        let mut pgbench = postgres.pgbench_named(&name, CLIENTS);
        pgbench.args(["-n", "-l", "--sampling-rate", &plan.sampled.to_string()]);
        pgbench.args(plan.script);
        pgbench.args(["-T", &seconds.to_string()]);
        pgbench.arg("--log-prefix").arg(folder.join("log"));
        let pgbench = Process::start(pgbench.stdout(Stdio::null()), &folder)?;
        process::keep_on_cpu(pgbench.id(), cpu)?;
        sleep(WARM);
        let servers = postgres.servers_of(&name)?;
        ensure!(servers.len() == CLIENTS, "{} servers serve {CLIENTS} clients", servers.len());
        for server in servers {
            process::keep_on_cpu(server, cpu)?;
        }
        load.push(pgbench);
    }
    sleep(WARM);
    Ok(load)
}

/// From when to when transactions are counted, in microseconds of the wall clock.
struct Turn {
    begin: u64,
    end: u64,
}

fn turn(length: Duration) -> Turn {
    let now = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_micros() as u64
    };
    let begin = now();
    sleep(length);
    Turn { begin, end: now() }
}

impl Turn {
    fn middle(&self) -> u64 {
        u64::midpoint(self.begin, self.end)
    }
}

/// When each transaction ended that was logged, in microseconds of the wall clock.
struct Log {
    ends: Vec<u64>,
    sampled: f64,
}

impl Log {
    /// Reads what the threads of pgbench have written, one file each.
    fn read(folder: &Path, sampled: f64) -> Result<Self> {
        let mut ends = Vec::new();
        for of_cpu in std::fs::read_dir(folder)? {
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
        ends.sort_unstable();
        Ok(Self { ends, sampled })
    }

    /// The rate to expect at `turn` from that of the turns around it, the nearer of which tells more.
    fn rate_between(&self, before: &Turn, turn: &Turn, after: &Turn) -> f64 {
        let [from, at, to] = [before, turn, after].map(Turn::middle);
        let part = (at - from) as f64 / (to - from) as f64;
        self.rate(before) * (1.0 - part) + self.rate(after) * part
    }

    /// Transactions per second.
    fn rate(&self, turn: &Turn) -> f64 {
        let before = |time| self.ends.partition_point(|&end| end < time);
        let logged = before(turn.end) - before(turn.begin);
        logged as f64 / self.sampled * 1e6 / (turn.end - turn.begin) as f64
    }
}

/// Reads `client transaction latency script seconds microseconds`.
fn end_of(line: &str) -> Option<u64> {
    let mut words = line.split(' ').skip(4).map(str::parse::<u64>);
    Some(words.next()?.ok()? * 1_000_000 + words.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::{Log, Turn, end_of};

    #[test]
    fn rates() {
        assert_eq!(end_of("0 199 2241 0 1175850568 995598"), Some(1_175_850_568_995_598));
        assert_eq!(end_of("0 199 2241"), None);
        let log = |ends| Log { ends, sampled: 0.5 };
        let rate = log(vec![9, 10, 14, 20]).rate(&Turn { begin: 10, end: 20 });
        assert_eq!(rate, 400_000.0);
        // From one turn with none to one with all, three quarters of the way.
        let [before, turn, after] =
            [0, 6, 8].map(|begin| Turn { begin: 100 + begin, end: 102 + begin });
        let log = log(vec![108, 109]);
        assert_eq!(log.rate_between(&before, &turn, &after), log.rate(&after) * 0.75);
    }
}
