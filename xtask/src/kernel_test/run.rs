//! The recordings that a guest makes: one for all checks that record the same.

use super::checks::Check;
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

/// The runs for these checks, each once.
pub fn all(checks: &[Check]) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    for run in checks.iter().map(Run::of) {
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
}
