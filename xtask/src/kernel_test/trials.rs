//! A kernel is booted until each run has come to its end, and those whose counts were wrong were made twice.
//!
//! An emulated machine does not always get to its end (see machine.rs), nor does it always do right. Runs
//! that it did not come to are made in another one. A run that is wrong is made once more, and the table
//! says so: what is wrong twice is wrong.

use super::build::Built;
use super::guest;
use super::kernel::Kernel;
use super::machine;
use super::programs::Programs;
use super::recording::{self, Listed};
use super::results::Results;
use super::run::Run;
use super::verdict::{Outcome, Verdict};
use anyhow::{Context, Result};
use std::path::Path;

/// How often a kernel is booted at most.
const BOOTS: usize = 3;

/// What is the same on every kernel.
pub struct Trials<'a> {
    pub programs: &'a Programs,
    pub built: &'a Built,
    pub probes: &'a [Listed],
    pub runs: &'a [Run],
}

impl Trials<'_> {
    /// Boots one kernel, and judges what it recorded; `told` is what there is to say of it.
    pub fn of_kernel(
        &self,
        kernel: &Kernel,
        folder: &Path,
        told: &mut String,
    ) -> Result<Vec<Verdict>> {
        let version = &kernel.version;
        std::fs::create_dir_all(folder).context("cannot make a folder for a machine")?;
        *told += &format!("\n## {version}{}\n", kernel.note);
        let parts = guest::Parts { programs: self.programs, built: self.built, kernel };
        let mut results = Results::default();
        let mut of_machine = Vec::new();
        let mut due = Due::all(self.runs);
        for boots in 1.. {
            guest::pack(&parts, &due.runs, folder)?;
            let ended = machine::boot(&parts, folder)?;
            let came = Results::read(&folder.join(machine::RESULTS))?;
            let seconds = ended.elapsed.as_secs_f64();
            *told += &format!("boot {boots}: {} runs in {seconds:.1} s\n", due.runs.len());
            *told += &came.text("times").unwrap_or_default();
            let broken = ended.broken(&came);
            let complaints = machine::complaints(folder);
            if broken.is_some() || !complaints.is_empty() {
                let why = broken.as_deref().unwrap_or("the kernel complains");
                *told += &format!("{why}; its log:\n{}\n", machine::log_end(folder));
            }
            results.replace(came);
            let fails = |why| Verdict::new(version, "the machine", Outcome::Failed(why));
            let wrong = complaints.iter().map(|line| format!("the kernel complains: {line}"));
            of_machine.extend(wrong.map(fails));
            let mut verdicts =
                recording::judge(version, self.built, &results, self.probes, self.runs, folder)?;
            for verdict in &mut verdicts {
                due.mark(verdict);
                verdict.tell(told);
            }
            due.after(self.runs, &results, &verdicts);
            if due.runs.is_empty() || boots == BOOTS {
                if !due.runs.is_empty() {
                    of_machine.extend(broken.map(fails));
                }
                verdicts.extend(of_machine);
                return Ok(verdicts);
            }
        }
        unreachable!("the loop ends by itself")
    }
}

/// The runs that are to be made.
struct Due {
    runs: Vec<Run>,
    /// Those that were wrong once.
    wrong: Vec<String>,
}

impl Due {
    fn all(runs: &[Run]) -> Self {
        Self { runs: runs.to_vec(), wrong: Vec::new() }
    }

    /// Says of a verdict that it is of a run that was made a second time.
    fn mark(&self, verdict: &mut Verdict) {
        if self.wrong.iter().any(|run| verdict.is_of(run)) {
            verdict.at_second_try();
        }
    }

    /// What the machine did not come to, and what is wrong for the first time.
    fn after(&mut self, runs: &[Run], results: &Results, verdicts: &[Verdict]) {
        self.runs.clear();
        for run in runs {
            let missing = !results.has(&run.name);
            let failed = verdicts.iter().any(|verdict| verdict.failed_run() == Some(&run.name));
            let again = failed && !self.wrong.contains(&run.name);
            if missing || again {
                self.runs.push(run.clone());
            }
            if again && !missing {
                self.wrong.push(run.name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel_test::{checks, run};

    #[test]
    fn what_is_wrong_twice_is_not_made_again() {
        let runs = &run::all(checks::CHECKS).unwrap()[..3];
        let verdict = |at: usize, outcome| Verdict::new("1.2", "p", outcome).of_run(&runs[at].name);
        let verdicts = [
            verdict(0, Outcome::Right(String::new(), Vec::new())),
            verdict(1, Outcome::Failed("wrong".to_owned())),
            verdict(2, Outcome::Failed("it never ended".to_owned())),
        ];
        let mut results = Results::default();
        let sent: String =
            runs[..2].iter().map(|run| format!("@ {}/status 1\n0\n", run.name)).collect();
        results.replace(Results::parse(sent.as_bytes()));
        let mut due = Due::all(runs);
        due.after(runs, &results, &verdicts);
        assert_eq!(due.runs, runs[1..]);
        due.after(runs, &results, &verdicts);
        assert_eq!(due.runs, runs[2..]);
    }
}
