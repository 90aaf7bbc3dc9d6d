//! What came of each probe on each kernel, and the table of it.

use std::process::ExitCode;

/// One line of the table.
pub struct Verdict {
    kernel: String,
    what: String,
    outcome: Outcome,
}

/// What came of it.
pub enum Outcome {
    /// All counts are right; how it was attached.
    Right(String),
    /// Recorded, but there is no workload whose counts are known; how it was attached.
    Uncounted(String),
    /// The probe itself says that this kernel lacks what it needs.
    Lacking(String),
    /// The kernel was not run.
    NotRun(String),
    Failed(String),
}

impl Verdict {
    pub fn new(kernel: &str, what: &str, outcome: Outcome) -> Self {
        Self { kernel: kernel.to_owned(), what: what.to_owned(), outcome }
    }

    pub fn not_run(kernel: &str, why: String) -> Self {
        Self::new(kernel, "all", Outcome::NotRun(why))
    }

    fn cells(&self) -> [&str; 4] {
        let (word, text) = match &self.outcome {
            Outcome::Right(how) => ("ok", how),
            Outcome::Uncounted(how) => ("records", how),
            Outcome::Lacking(why) => ("lacking", why),
            Outcome::NotRun(why) => ("NOT RUN", why),
            Outcome::Failed(why) => ("FAILED", why),
        };
        // Whatever has more lines was printed when it was found.
        [&self.kernel, &self.what, word, text.lines().next().unwrap_or("")]
    }
}

/// Prints the table, and a line that counts. The exit status is 1 when something failed.
pub fn print(verdicts: &[Verdict]) -> ExitCode {
    let head = ["kernel", "probe", "outcome", "attached to, or why not"];
    let rows: Vec<[&str; 4]> =
        std::iter::once(head).chain(verdicts.iter().map(Verdict::cells)).collect();
    let width = |column: usize| {
        rows.iter().map(|row: &[&str; 4]| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    println!();
    for [kernel, what, word, text] in &rows {
        let [a, b, c] = widths;
        println!("{kernel:a$}  {what:b$}  {word:c$}  {text}");
    }
    let count = |wanted: fn(&Outcome) -> bool| {
        verdicts.iter().filter(|verdict| wanted(&verdict.outcome)).count()
    };
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let not_run = count(|outcome| matches!(outcome, Outcome::NotRun(_)));
    let passed = verdicts.len() - failed - not_run;
    println!("\nkernels: {passed} passed, {failed} failed, {not_run} not run");
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
