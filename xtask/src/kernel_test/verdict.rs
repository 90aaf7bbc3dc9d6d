//! What came of each check on each kernel, and the table of it.

use std::process::ExitCode;

/// One line of the table.
#[derive(Clone)]
pub struct Verdict {
    kernel: String,
    probe: String,
    /// The run that it is about, when it is about one.
    run: Option<String>,
    outcome: Outcome,
}

/// What came of it.
#[derive(Clone)]
pub enum Outcome {
    /// All counts are right: what was counted, and how the probe was attached.
    Right(String, Vec<String>),
    /// The probe itself says that this kernel lacks what it needs.
    Lacking(String),
    /// The kernel was not run.
    NotRun(String),
    Failed(String),
}

/// Characters of a reason that the table shows.
const WIDEST: usize = 72;

/// Places that are named; of more, the first, and how many.
const MOST_SHOWN: usize = 3;

impl Verdict {
    pub fn new(kernel: &str, probe: &str, outcome: Outcome) -> Self {
        Self { kernel: kernel.to_owned(), probe: probe.to_owned(), run: None, outcome }
    }

    /// Names the run that it is about.
    pub fn of_run(self, run: &str) -> Self {
        Self { run: Some(run.to_owned()), ..self }
    }

    /// The run whose recording is wrong.
    pub fn failed_run(&self) -> Option<&str> {
        self.run.as_deref().filter(|_| matches!(self.outcome, Outcome::Failed(_)))
    }

    /// Says that it is of a run that had failed before.
    pub fn at_second_try(&mut self) {
        if let Outcome::Right(found, _) = &mut self.outcome {
            *found = format!("at the second try: {found}");
        }
    }

    /// Whether it is about the same probe in the same run.
    pub fn is_of_same(&self, other: &Self) -> bool {
        (&self.probe, &self.run) == (&other.probe, &other.run)
    }

    pub fn not_run(kernel: &str, why: String) -> Self {
        Self::new(kernel, "all", Outcome::NotRun(why))
    }

    /// Kernel, probe, outcome, what was found, and where it was attached.
    fn cells(&self) -> [String; 5] {
        let (word, text, how) = match &self.outcome {
            Outcome::Right(found, how) => ("ok", found, ways(how)),
            Outcome::Lacking(why) => ("lacking", why, String::new()),
            Outcome::NotRun(why) => ("NOT RUN", why, String::new()),
            Outcome::Failed(why) => ("FAILED", why, String::new()),
        };
        // Whatever is longer was told when it was found.
        let line = text.lines().next().unwrap_or_default();
        let mut first: String = line.chars().take(WIDEST).collect();
        if first.len() < line.len() {
            first += "..";
        }
        [self.kernel.clone(), self.probe.clone(), word.to_owned(), first, how]
    }

    /// Says in full what is wrong.
    pub fn tell(&self, told: &mut String) {
        if let Outcome::Failed(why) = &self.outcome {
            *told += &format!("FAILED   {}: {why}\n", self.probe);
        }
    }
}

/// Places by the way to attach: `tp_btf sched_switch sched_waking, perf_event`.
fn ways(places: &[String]) -> String {
    let mut by_way: Vec<(&str, Vec<&str>)> = Vec::new();
    for place in places.iter().flat_map(|point| point.split(", ")) {
        let (way, what) = place.split_once(':').unwrap_or((place, ""));
        match by_way.iter_mut().find(|(known, _)| *known == way) {
            Some((_, all)) => all.push(what),
            None => by_way.push((way, vec![what])),
        }
    }
    let shown = by_way.into_iter().map(|(way, all)| {
        let more = all.len().saturating_sub(MOST_SHOWN);
        let names = all[..all.len() - more].join(" ");
        if more > 0 { format!("{way} {names} +{more}") } else { format!("{way} {names}") }
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Prints the table, and a line that counts. The exit status is 1 when something failed.
pub fn print(verdicts: &[Verdict]) -> ExitCode {
    let head = ["kernel", "probe", "outcome", "counted, or why not", "attached to"];
    let rows: Vec<[String; 5]> = std::iter::once(head.map(str::to_owned))
        .chain(verdicts.iter().map(Verdict::cells))
        .collect();
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [a, b, c, d] = [width(0), width(1), width(2), width(3)];
    for [kernel, probe, word, text, how] in &rows {
        println!("{}", format!("{kernel:a$}  {probe:b$}  {word:c$}  {text:d$}  {how}").trim_end());
    }
    let count = |wanted: fn(&Outcome) -> bool| {
        verdicts.iter().filter(|verdict| wanted(&verdict.outcome)).count()
    };
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let not_run = count(|outcome| matches!(outcome, Outcome::NotRun(_)));
    for verdict in verdicts {
        if let Outcome::NotRun(why) = &verdict.outcome {
            println!("NOT RUN: kernel {}: {why}", verdict.kernel);
        }
    }
    let passed = verdicts.len() - failed - not_run;
    println!("\nkernels: {passed} passed, {failed} failed, {not_run} not run");
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_by_the_way_to_attach() {
        let places = ["tp_btf:a", "tp_btf:b, tp_btf:c", "tp_btf:d", "perf_event:x"];
        let places = places.map(str::to_owned);
        assert_eq!(ways(&places), "tp_btf a b c +1, perf_event x");
    }
}
