//! What became of a run, as libFuzzer told it.

use std::path::PathBuf;

/// What became of a run.
#[derive(Debug)]
pub struct Outcome {
    target: &'static str,
    fine: bool,
    seconds: u64,
    executions: u64,
    /// Places in the code that were reached, and how often and with which numbers.
    coverage: u64,
    features: u64,
    /// Inputs that were kept, and their bytes.
    corpus: String,
    memory_mb: u64,
    /// The input that was found, and the line that says what it did.
    artifact: Option<String>,
    why: String,
    log: PathBuf,
}

impl Outcome {
    pub const HEADER: &str =
        "target       executions   per s    cov     ft         corpus   MB  seconds";

    /// Reads the log of a run.
    pub fn read(target: &'static str, fine: bool, seconds: u64, said: &str, log: PathBuf) -> Self {
        let status = said.lines().rev().find(|line| line.contains(" cov: ")).unwrap_or_default();
        let after = |line: &str, name: &str| -> String {
            let rest = line.split_once(name).map_or("", |(_, rest)| rest);
            rest.split_whitespace().next().unwrap_or_default().to_owned()
        };
        let number = |text: String| text.parse().unwrap_or(0);
        let stat = |name: &str| {
            let line = said.lines().rev().find(|line| line.starts_with(name)).unwrap_or_default();
            number(after(line, ": "))
        };
        let artifact = said.lines().find_map(|line| line.split_once("Test unit written to "));
        let reasons = ["panicked at", "an allocation of", "ERROR: libFuzzer"];
        let why = reasons.iter().find_map(|why| {
            let mut lines = said.lines().skip_while(|line| !line.contains(why));
            Some(format!("{}\n  {}", lines.next()?, lines.next().unwrap_or_default()))
        });
        Self {
            target,
            fine,
            seconds,
            executions: stat("stat::number_of_executed_units"),
            coverage: number(after(status, " cov: ")),
            features: number(after(status, " ft: ")),
            corpus: after(status, " corp: "),
            memory_mb: stat("stat::peak_rss_mb"),
            artifact: artifact.map(|(_, path)| path.to_owned()),
            why: why.unwrap_or_default(),
            log,
        }
    }

    /// One line of a table.
    pub fn line(&self) -> String {
        let per_second = self.executions / self.seconds.max(1);
        format!(
            "{:10} {:12} {per_second:7} {:6} {:6} {:>14} {:4} {:8} {}",
            self.target,
            self.executions,
            self.coverage,
            self.features,
            self.corpus,
            self.memory_mb,
            self.seconds,
            if self.fine { "" } else { "FINDING" }
        )
    }

    /// What was found, where it is, and how to see it again; `None` when nothing was.
    pub fn finding(&self) -> Option<String> {
        if self.fine {
            return None;
        }
        let target = self.target;
        let again = self.artifact.as_ref().map_or_else(String::new, |path| {
            format!("  again: cargo xtask fuzz {target} --input {path}\n")
        });
        Some(format!("{target}: {}\n{again}  log: {}", self.why.trim(), self.log.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_read() {
        let said = "INFO: seed corpus: files: 3\n#3\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0\n\
            #900\tDONE   cov: 70 ft: 80 corp: 9/10Kb lim: 4096 exec/s: 450 rss: 40Mb\n\
            stat::number_of_executed_units: 900\nstat::peak_rss_mb: 41\n";
        let outcome = Outcome::read("open", true, 2, said, PathBuf::new());
        assert_eq!(
            outcome.line().split_whitespace().collect::<Vec<_>>().join(" "),
            "open 900 450 70 80 9/10Kb 41 2"
        );
        assert!(outcome.finding().is_none());
    }

    #[test]
    fn findings_say_how_to_see_them_again() {
        let said = "#3\tNEW    cov: 5 ft: 6 corp: 1/1b exec/s: 0\nthread 'main' panicked at a.rs:1:2:\n\
            index out of bounds\nartifact_prefix='x/'; Test unit written to x/crash-1\n";
        let found = Outcome::read("open", false, 2, said, "log".into()).finding().unwrap();
        for part in ["a.rs:1:2", "index out of", "fuzz open --input x/crash-1", "log: log"] {
            assert!(found.contains(part), "{found}");
        }
    }
}
