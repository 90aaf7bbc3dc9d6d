//! `report runqlat`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_format::Batch;

use crate::answer::{Answer, Block, Cell, Facts, Histogram, Table, Unit};
use crate::context::{Context, ProcessKey, ThreadKey};
use crate::query::Filter;
use crate::run::{Fold, LogHistogram, Read, Report, Slots};
use crate::task_cells;

/// Run-queue latency: how long runnable threads waited for a CPU.
///
/// One count for every time that a thread was given a CPU after it was woken or preempted; wake-ups
/// that the recording did not see have no delay and do not count. Percentiles
/// are at most 1/32 above the true ones; the maximum is exact.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct RunqLat {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A process.
    #[default]
    Process,
    /// A thread.
    Thread,
    /// The CPU that was given.
    Cpu,
}

/// Delays per thread, or per CPU.
#[derive(Debug, Default)]
pub struct State {
    delays: Slots<Delays>,
}

/// The delays of one thread or CPU.
#[derive(Debug, Default)]
struct Delays {
    histogram: LogHistogram,
    total: u64,
}

impl Delays {
    fn add(&mut self, delay: u64) {
        self.histogram.add(delay);
        self.total = self.total.wrapping_add(delay);
    }

    fn merge(&mut self, from: &Delays) {
        self.histogram.merge(&from.histogram);
        self.total = self.total.wrapping_add(from.total);
    }
}

impl Fold for Delays {
    fn fold(&mut self, from: Delays) {
        self.merge(&from);
    }
}

impl Report for RunqLat {
    const NAME: &'static str = "runqlat";
    type State = State;

    fn reads(&self, cx: &Context<'_>) -> Vec<Read> {
        let mut read = Read::of("off_cpu", &["runq"]);
        match self.by {
            By::Cpu => read.columns.push("cpu"),
            By::Process | By::Thread => {
                read.columns.extend(["tid", "tgid"]);
                if cx.tasks().reused() {
                    read.columns.push("end");
                }
            }
        }
        vec![read]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let delays = batch.u64("runq");
        let ids = match self.by {
            By::Cpu => None,
            By::Process | By::Thread => Some((batch.u32("tid"), batch.u32("tgid"))),
        };
        let times = (self.by != By::Cpu && cx.tasks().reused()).then(|| batch.u64("end"));
        for row in 0..batch.rows() {
            // Still waiting for its event, or its wake-up was not seen: no delay is known.
            if delays[row] == 0 {
                continue;
            }
            let key = match ids {
                None => u64::from(batch.u16("cpu")[row]),
                Some((tids, tgids)) => {
                    let time = times.map_or(0, |times| times[row]);
                    cx.tasks().thread_key(tids[row], tgids[row], time).0
                }
            };
            state.delays.at(key).add(delays[row]);
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.delays.merge(from.delays);
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: State) -> Answer {
        let parts: Vec<(u64, Delays)> = state
            .delays
            .into_sorted()
            .into_iter()
            .filter(|(_, delays)| delays.histogram.count() > 0)
            .collect();
        let mut all = Delays::default();
        parts.iter().for_each(|(_, delays)| all.merge(delays));
        let names = LATENCY.map(|(key, label, _)| (key, label));
        let facts = names.iter().zip(cells(&all)).map(|(&(key, label), cell)| (key, label, cell));
        let summary = Facts { key: "summary", rows: facts.collect(), ..Facts::default() };
        let histogram = Histogram {
            key: "histogram",
            title: String::new(),
            unit: Unit::Ns,
            buckets: all.histogram.log2(),
        };
        Answer {
            blocks: vec![
                Block::Heading("Run-queue latency".to_owned()),
                Block::Facts(summary),
                Block::Histogram(histogram),
                Block::Table(table(self.by, cx, parts)),
            ],
            ..Answer::default()
        }
    }
}

/// JSON key, label, per mille (0: not a percentile).
const LATENCY: [(&str, &str, u64); 9] = [
    ("count", "count", 0),
    ("total_ns", "total", 0),
    ("avg_ns", "average", 0),
    ("p50_ns", "p50", 500),
    ("p90_ns", "p90", 900),
    ("p95_ns", "p95", 950),
    ("p99_ns", "p99", 990),
    ("p999_ns", "p99.9", 999),
    ("max_ns", "max", 0),
];

fn cells(delays: &Delays) -> [Cell; 9] {
    let count = delays.histogram.count();
    LATENCY.map(|(key, _, per_mille)| match key {
        "count" => Cell::Count(count),
        "total_ns" => Cell::DurNs(delays.total),
        "avg_ns" => Cell::DurNs(delays.total.checked_div(count).unwrap_or(0)),
        "max_ns" => Cell::DurNs(delays.histogram.max()),
        _ => Cell::DurNs(delays.histogram.percentile(per_mille)),
    })
}

/// What identifies a row, as cells and for the order, with its delays.
type Row = (Vec<Cell>, (u32, u32, u64), Delays);

fn table(by: By, cx: &Context<'_>, parts: Vec<(u64, Delays)>) -> Table {
    let tasks = cx.tasks();
    let mut rows: Vec<Row> = match by {
        By::Cpu => parts
            .into_iter()
            .map(|(cpu, delays)| (vec![Cell::Cpu(cpu as u32)], (0, 0, cpu), delays))
            .collect(),
        By::Thread => parts
            .into_iter()
            .map(|(key, delays)| {
                let key = ThreadKey(key);
                let (tid, pid) = (tasks.tid(key), tasks.tgid(key));
                (task_cells::thread(cx, key), (pid, tid, key.0), delays)
            })
            .collect(),
        By::Process => {
            let mut sums: BTreeMap<ProcessKey, Delays> = BTreeMap::new();
            for (key, delays) in parts {
                sums.entry(tasks.process_of(ThreadKey(key))).or_default().merge(&delays);
            }
            let row = |(key, delays): (ProcessKey, Delays)| {
                (task_cells::process(cx, key), (tasks.pid(key), 0, key.0), delays)
            };
            sums.into_iter().map(row).collect()
        }
    };
    rows.sort_by_key(|(_, id, delays)| (Reverse(delays.total), *id));
    let (key, title, mut columns) = match by {
        By::Cpu => ("cpus", "By CPU", vec![("cpu", "cpu")]),
        By::Thread => ("threads", "By thread", task_cells::THREAD.to_vec()),
        By::Process => ("processes", "By process", task_cells::PROCESS.to_vec()),
    };
    columns.extend(LATENCY.map(|(key, label, _)| (key, label)));
    let mut table = Table::main(key, &columns);
    table.title = title.to_owned();
    table.rows = rows
        .into_iter()
        .map(|(mut row, _, delays)| {
            row.extend(cells(&delays));
            row
        })
        .collect();
    table
}
