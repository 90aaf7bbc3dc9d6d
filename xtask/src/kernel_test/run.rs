//! The recordings that a guest makes: one for all checks that record the same.

use super::checks::Check;
use super::recording::Listed;
use anyhow::{Result, bail};

/// One recording of one workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its name in the guest, and of its files.
    pub name: String,
    record: Vec<String>,
    command: Vec<String>,
}

impl Run {
    fn new(record: &[&str], command: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let words = record.iter().chain(command).flat_map(|word| {
            word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty())
        });
        let name: Vec<&str> = words.collect();
        let mut name = name.join("-");
        name.truncate(60);
        Self { name, record: owned(record), command: owned(command) }
    }

    /// The run that a check looks at.
    pub fn of(check: &Check) -> Self {
        Self::new(check.record, check.command)
    }

    /// Whether a probe can be recorded at all: for those that nothing else is known of.
    pub fn bare(probe: &str) -> Self {
        Self::new(&["-e", probe], &["true"])
    }

    /// What the guest's shell runs.
    pub fn script(&self) -> String {
        let quoted: Vec<String> = ["ktape", "record", "-q", "-o", "trace"]
            .into_iter()
            .map(str::to_owned)
            .chain(self.record.iter().map(|word| quote(word)))
            .chain(["--".to_owned()])
            .chain(self.command.iter().map(|word| quote(word)))
            .collect();
        format!("exec {}\n", quoted.join(" "))
    }
}

/// A word as the shell takes it unchanged.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The runs for these checks, each once, and a bare one for each probe without a check.
pub fn all(checks: &[Check], probes: &[Listed]) -> Result<Vec<Run>> {
    let checked = checks.iter().map(Run::of);
    let unchecked = probes
        .iter()
        .filter(|probe| !probe.always && !checks.iter().any(|check| check.probe == probe.name))
        .map(|probe| Run::bare(&probe.name));
    let mut runs: Vec<Run> = Vec::new();
    for run in checked.chain(unchecked) {
        if runs.contains(&run) {
            continue;
        }
        if runs.iter().any(|other| other.name == run.name) {
            bail!("two runs are named {}: make their arguments differ in a word", run.name);
        }
        runs.push(run);
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_and_quoted() {
        let run = Run::new(&["-e", "a/b=1ms/"], &["sh", "-c", "echo 'x'; y"]);
        assert_eq!(run.name, "e-a-b-1ms-sh-c-echo-x-y");
        assert_eq!(
            run.script(),
            "exec ktape record -q -o trace '-e' 'a/b=1ms/' -- 'sh' '-c' 'echo '\\''x'\\''; y'\n"
        );
    }

    #[test]
    fn every_probe_has_a_run() {
        let listed =
            |name: &str, always| Listed { name: name.to_owned(), always, here: Ok(String::new()) };
        let runs = all(&[], &[listed("a", true), listed("b", false)]).unwrap();
        assert_eq!(runs, [Run::bare("b")]);
    }
}
