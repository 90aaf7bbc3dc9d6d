//! What `bench capture` has measured, by load and recorder.

use super::measure::Sample;
use super::recorder::Recorder;
use super::table::{self, Values};
use super::workload::Workload;

/// A run and what it is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub sample: Sample,
    /// The load's time over the mean of those without a recorder before and after.
    pub slowdown: f64,
}

/// All runs of a load.
pub struct Results {
    pub workload: Workload,
    /// The load's seconds with no recorder.
    pub nothing: Vec<f64>,
    pub recorders: Vec<Runs>,
    /// How many pairs of recorders were measured again, because something else was busy.
    pub repeated: usize,
    /// How many were kept although something else was busy, after too many repetitions.
    pub unsteady: usize,
}

/// All runs of a recorder.
pub struct Runs {
    pub recorder: Recorder,
    pub runs: Vec<Run>,
    /// Why there are no more.
    pub failed: Option<String>,
}

impl Runs {
    /// A figure of each run that has it.
    pub fn values(&self, of: impl Fn(&Run) -> Option<f64>) -> Values {
        self.runs.iter().filter_map(of).collect()
    }

    pub fn slowdown(&self) -> Values {
        self.values(|run| Some(run.slowdown))
    }

    pub fn cpu(&self) -> Values {
        self.values(|run| Some(run.sample.cpu_s))
    }

    /// In MiB.
    pub fn peak(&self) -> Values {
        self.values(|run| Some(run.sample.peak as f64 / f64::from(1 << 20)))
    }

    pub fn stop(&self) -> Values {
        self.values(|run| Some(run.sample.stop_s))
    }

    pub fn off_cpu_bytes(&self) -> Values {
        self.values(|run| run.sample.contents.off_cpu_bytes)
    }

    pub fn both_stacks(&self) -> Values {
        self.values(|run| run.sample.contents.both_stacks)
    }

    fn row(&self) -> Vec<String> {
        let written = |of: fn(&Sample) -> f64, decimals| {
            let values = self.values(|run| (run.sample.file > 0).then(|| of(&run.sample)));
            values.show_median(decimals)
        };
        vec![
            self.recorder.name().to_owned(),
            self.runs.len().to_string(),
            self.slowdown().show(3),
            self.cpu().show(2),
            self.peak().show(1),
            self.stop().show(2),
            written(|sample| sample.file as f64 / 1e6, 2),
            written(|sample| sample.contents.facts as f64, 0),
            written(|sample| sample.file as f64 / sample.contents.facts as f64, 2),
            written(|sample| sample.contents.lost as f64, 0),
            self.off_cpu_bytes().show_median(2),
            self.both_stacks().show_median(2),
        ]
    }
}

const HEADS: &[&str] = &[
    "recorder",
    "n",
    "slowdown",
    "CPU s",
    "peak MiB",
    "stop s",
    "file MB",
    "facts",
    "B/fact",
    "lost",
    "B/off_cpu",
    "both %",
];

impl Results {
    /// Nothing measured yet.
    pub fn new(workload: Workload, recorders: Vec<Runs>) -> Self {
        Self { workload, nothing: Vec::new(), recorders, repeated: 0, unsteady: 0 }
    }

    pub fn of(&self, recorder: Recorder) -> Option<&Runs> {
        self.recorders.iter().find(|runs| runs.recorder == recorder && !runs.runs.is_empty())
    }

    /// Prints a row for each recorder that ran, and why others did not.
    pub fn print(&self, command_line: &str) {
        println!("\n## {}: {command_line}", self.workload.name());
        let (unit, scale) =
            if self.workload.needs_postgres() { ("us per transaction", 1e6) } else { ("s", 1.0) };
        let scaled: Values = self.nothing.iter().map(|seconds| seconds * scale).collect();
        println!("nothing: {} {unit}, {} runs", scaled.show(3), scaled.len());
        println!(
            "{} pairs repeated because the runs with nothing differed, {} kept although they did",
            self.repeated, self.unsteady
        );
        let ran = self.recorders.iter().filter(|runs| !runs.runs.is_empty());
        let rows: Vec<_> = ran.map(Runs::row).collect();
        table::print(HEADS, &rows);
        for runs in &self.recorders {
            if let Some(why) = &runs.failed {
                let how = if runs.runs.is_empty() { "was not measured" } else { "failed later" };
                println!("{} {how}: {why}", runs.recorder.name());
            }
        }
    }
}
