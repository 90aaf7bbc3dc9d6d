//! A kernel is booted until each run has come to its end, and what was wrong was made twice.
//!
//! An emulated machine does not always get to its first process, now and then hangs, and does not always
//! do right. Runs that it did not come to are made in another one, as long as boots last; so are those
//! of which something is wrong, once, and the table says so: what is wrong twice is wrong. A kernel that
//! panics or complains is wrong at once.

use super::build::Built;
use super::guest;
use super::kernel::Kernel;
use super::machine::{self, Ended};
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
        *told += &format!("\n## {version}{}\n", kernel.note);
        let parts = guest::Parts { programs: self.programs, built: self.built, kernel };
        let mut results = Results::default();
        let mut of_machine = Vec::new();
        let mut due = Due::all(self.runs);
        for boots in 1.. {
            // Each has its own, so that traces and logs of what was wrong stay.
            let folder = &folder.join(format!("boot-{boots}"));
            std::fs::create_dir_all(folder).context("cannot make a folder for a machine")?;
            guest::pack(&parts, &due.runs, folder)?;
            let ended = machine::boot(&parts, folder)?;
            let came = Results::read(&folder.join(machine::RESULTS))?;
            let seconds = ended.elapsed.as_secs_f64();
            *told += &format!("boot {boots}: {} runs in {seconds:.1} s\n", due.runs.len());
            *told += &came.text("times").unwrap_or_default();
            let wrong = wrong(&ended, &came, folder, boots == BOOTS);
            if let Some(why) = wrong.first().cloned().or(ended.broken(&came)) {
                *told += &format!("{why}; its log:\n{}\n", machine::log_end(folder));
            }
            let fails = |why| Verdict::new(version, "the machine", Outcome::Failed(why));
            of_machine.extend(wrong.into_iter().map(fails));
            due.runs.iter().for_each(|run| results.forget(&run.name));
            results.add(came);
            let mut verdicts =
                recording::judge(version, self.built, &results, self.probes, self.runs, folder)?;
            for verdict in &mut verdicts {
                due.mark(verdict);
                verdict.tell(told);
            }
            due.after(self.runs, &results, &verdicts);
            if due.runs.is_empty() || boots == BOOTS {
                verdicts.extend(of_machine);
                return Ok(verdicts);
            }
        }
        unreachable!("the loop ends by itself")
    }
}

/// What is wrong with a machine whatever its runs show. That it hung is not, as long as another may do
/// better, nor what became of it before its first process.
fn wrong(ended: &Ended, came: &Results, folder: &Path, last: bool) -> Vec<String> {
    if !came.begun() && !last {
        return Vec::new();
    }
    let complaints = machine::complaints(folder).into_iter();
    let mut wrong: Vec<String> =
        complaints.map(|line| format!("the kernel complains: {line}")).collect();
    wrong.extend(ended.broken(came).filter(|_| last || !ended.hung()));
    wrong
}

/// The runs that are to be made.
struct Due {
    runs: Vec<Run>,
    /// What was wrong once.
    wrong: Vec<Verdict>,
}

impl Due {
    fn all(runs: &[Run]) -> Self {
        Self { runs: runs.to_vec(), wrong: Vec::new() }
    }

    /// Says of a verdict that it is of what was wrong before.
    fn mark(&self, verdict: &mut Verdict) {
        if self.wrong.iter().any(|wrong| wrong.is_of_same(verdict)) {
            verdict.at_second_try();
        }
    }

    /// What the machine did not come to, and what is wrong for the first time.
    fn after(&mut self, runs: &[Run], results: &Results, verdicts: &[Verdict]) {
        self.runs.clear();
        for run in runs {
            if !results.has(&run.name) {
                self.runs.push(run.clone());
                continue;
            }
            let failed = verdicts.iter().filter(|it| it.failed_run() == Some(&run.name));
            let known = self.wrong.len();
            for verdict in failed {
                if !self.wrong.iter().any(|wrong| wrong.is_of_same(verdict)) {
                    self.wrong.push(verdict.clone());
                }
            }
            if self.wrong.len() > known {
                self.runs.push(run.clone());
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
        results.add(Results::parse(sent.as_bytes()));
        let mut due = Due::all(runs);
        due.after(runs, &results, &verdicts);
        assert_eq!(due.runs, runs[1..]);
        // The next machine did not come to it: it is made all the same.
        results.forget(&runs[1].name);
        due.after(runs, &results, &verdicts);
        assert_eq!(due.runs, runs[1..]);
        results.add(Results::parse(sent.as_bytes()));
        due.after(runs, &results, &verdicts);
        assert_eq!(due.runs, runs[2..]);
    }
}
