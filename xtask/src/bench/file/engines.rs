//! How long ktape and the engines take for the same questions, and whether they agree.

use super::super::acceptance::Bar;
use super::super::idle;
use super::super::recorder::Programs;
use super::super::table::{self, Values};
use super::python::Python;
use super::questions::{self, ALL, WINDOW};
use super::{PATIENCE, Runs, once};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What an engine took for a question.
struct Asked {
    engine: String,
    file: String,
    question: String,
    wall_ms: f64,
    cpu_ms: f64,
    rows: Value,
}

/// Prints the times; what of the bars is reached.
pub(super) fn bars(
    programs: &Programs,
    trace: &Path,
    python: &Python,
    parquet: &Path,
    rounds: usize,
    folder: &Path,
) -> Result<Vec<Bar>> {
    let question = std::fs::read(parquet.join("question.json")).context("the question")?;
    let question: Value = serde_json::from_slice(&question).context("the question is JSON")?;
    let prepared = serde_json::json!({ "question": question });
    let window = questions::window(&prepared)?;
    let mut bars = Vec::new();
    let mut peak = 0.0f64;
    for threads in [1, 2] {
        let mut ours = vec![Runs::default(); ALL.len()];
        let ask = |ours: &mut Vec<Runs>, rounds: usize| -> Result<()> {
            for _ in 0..rounds {
                for (runs, what) in ours.iter_mut().zip(ALL) {
                    let mut command = questions::command(programs, what, &window);
                    command.args(["-j", &threads.to_string(), "-i"]).arg(trace);
                    runs.0.push(once(&mut command, folder)?);
                }
            }
            Ok(())
        };
        idle::wait(PATIENCE);
        ask(&mut ours, rounds.div_ceil(2))?;
        idle::wait(PATIENCE);
        let peers = asked(&python.query(parquet, threads, rounds)?)?;
        idle::wait(PATIENCE);
        ask(&mut ours, rounds / 2)?;
        print(threads, &ours, &peers);
        for (runs, what) in ours.iter().zip(ALL) {
            peak = peak.max(runs.peak());
            bars.extend(compare(programs, trace, &prepared, what, threads, runs, &peers)?);
        }
        if threads == 1 {
            let window_runs = &ours[ALL.iter().position(|what| *what == WINDOW).unwrap_or(0)];
            bars.push(command_line(python, parquet, &question, window_runs, rounds, folder)?);
        }
    }
    bars.push(Bar::measured("memory of each answer", format!("{peak:.1} MiB"), peak < 300.0));
    Ok(bars)
}

fn asked(said: &Value) -> Result<Vec<Asked>> {
    let times = |row: &Value, key: &str| {
        let times = row[key].as_array().into_iter().flatten().filter_map(Value::as_f64);
        times.map(|seconds| seconds * 1e3).collect::<Values>().median().unwrap_or(f64::NAN)
    };
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = said.as_array().context("the peers list what they were asked")?;
    Ok(rows
        .iter()
        .map(|row| Asked {
            engine: text(row, "engine"),
            file: text(row, "file"),
            question: text(row, "question"),
            wall_ms: times(row, "wall_s"),
            cpu_ms: times(row, "cpu_s"),
            rows: row["rows"].clone(),
        })
        .collect())
}

/// The fastest on any file.
fn fastest<'a>(peers: &'a [Asked], question: &str) -> Option<&'a Asked> {
    let of = peers.iter().filter(|asked| asked.question == question);
    of.min_by(|a, b| a.wall_ms.total_cmp(&b.wall_ms))
}

fn print(threads: usize, ours: &[Runs], peers: &[Asked]) {
    println!(
        "\n## {threads} threads: ktape as a whole process, engines open and query in a warm one; \
         median ms (CPU)"
    );
    let mut heads = vec!["", "file"];
    heads.extend(ALL);
    let mut row = vec!["ktape".to_owned(), "ktape".to_owned()];
    row.extend(ours.iter().map(|runs| format!("{:.1} ({:.1})", runs.wall(), runs.cpu())));
    let mut rows = vec![row];
    let mut places: Vec<(&str, &str)> = Vec::new();
    for asked in peers {
        let place = (asked.engine.as_str(), asked.file.as_str());
        if !places.contains(&place) {
            places.push(place);
        }
    }
    for (engine, file) in places {
        let mut row = vec![engine.to_owned(), file.to_owned()];
        for question in ALL {
            let found = peers.iter().find(|asked| {
                asked.engine == engine && asked.file == file && asked.question == question
            });
            row.push(found.map_or("-".to_owned(), |asked| {
                format!("{:.1} ({:.1})", asked.wall_ms, asked.cpu_ms)
            }));
        }
        rows.push(row);
    }
    table::print(&heads, &rows);
}

fn compare(
    programs: &Programs,
    trace: &Path,
    prepared: &Value,
    what: &str,
    threads: usize,
    runs: &Runs,
    peers: &[Asked],
) -> Result<Vec<Bar>> {
    let rows = questions::rows(programs, trace, what, prepared)?;
    let other = peers.iter().find(|asked| asked.question == what && asked.rows != rows);
    let same = Bar::measured(
        format!("{what}, {threads} threads: all answers equal"),
        match other {
            None => "yes".to_owned(),
            Some(other) => format!("{} on {} differs", other.engine, other.file),
        },
        other.is_none(),
    );
    let fastest = fastest(peers, what).context("no engine was asked")?;
    let ours = runs.wall();
    let speed = if what == WINDOW {
        let what = format!("{what}, {threads} threads: at most 5 ms as a whole process");
        Bar::measured(what, format!("{ours:.1} ms"), ours <= 5.0)
    } else {
        let ratio = ours / fastest.wall_ms;
        Bar::measured(
            format!("{what}, {threads} threads: at most 0.7 of the fastest engine"),
            format!(
                "{ours:.1} ms against {:.1} ms ({} on {}): {ratio:.2}",
                fastest.wall_ms, fastest.engine, fastest.file
            ),
            ratio <= 0.7,
        )
    };
    Ok(vec![same, speed])
}

/// The window as whole processes: ktape beside DuckDB's command line.
fn command_line(
    python: &Python,
    parquet: &Path,
    question: &Value,
    ours: &Runs,
    rounds: usize,
    folder: &Path,
) -> Result<Bar> {
    let number = |key: &str| question[key].as_u64().with_context(|| format!("no {key}"));
    let low = number("start")? + number("second")? * 1_000_000_000;
    let pid = number("pid")?;
    let mut best: Option<(f64, &str)> = None;
    for file in ["plain", "dictionary", "lz4", "zstd3", "zstd19"] {
        let path = parquet.join(format!("{file}.parquet"));
        let sql = format!(
            "set threads = 1; select tid, sum(duration) as total, count(*), max(duration) from \
             '{}' where tgid = {pid} and \"end\" between {low} and {} group by tid \
             order by total desc, tid limit 20",
            path.display(),
            low + 1_000_000_000
        );
        let runs = (0..rounds)
            .map(|_| once(Command::new(python.duckdb()).args(["-json", "-c", &sql]), folder))
            .collect::<Result<Vec<_>>>();
        let runs = match runs {
            Ok(runs) => Runs(runs),
            // It is older than the library, and does not know every encoding.
            Err(error) => {
                println!("DuckDB's command line cannot ask {file}: {error:#}");
                continue;
            }
        };
        if best.is_none_or(|(wall, _)| runs.wall() < wall) {
            best = Some((runs.wall(), file));
        }
    }
    let (wall, file) = best.context("DuckDB was not asked")?;
    let ratio = ours.wall() / wall;
    Ok(Bar::measured(
        "process in a second: at most a quarter of DuckDB's command line",
        format!("{:.1} ms against {wall:.1} ms on {file}: {ratio:.2}", ours.wall()),
        ratio <= 0.25,
    ))
}
