//! The checks: what is recorded of which workload, and which counts are right.
//!
//! A probe has one entry or more here. A probe without one is only seen to attach and to record.
//! The machine has two CPUs, 1 GiB, a disk of 64 MiB of zeroes (`/dev/vda`), the interface `lo`, all of
//! busybox, and the programs of tests/workloads that entries name. Counts are compared, never times.

use super::recording::Recording;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// One recording, one report of it, and what must be in that.
pub struct Check {
    /// The probe that it is about.
    pub probe: &'static str,
    /// Arguments of `ktape record`.
    pub record: &'static [&'static str],
    /// Programs of tests/workloads that the command runs.
    pub programs: &'static [&'static str],
    /// What runs meanwhile, found in the path; what executes itself needs its own: `/bin/NAME`.
    pub command: &'static [&'static str],
    /// Arguments of `ktape report`; `--format json` comes by itself.
    pub report: &'static [&'static str],
    /// Looks at the recording and at the report's answer, and says what it found.
    pub check: fn(&Recording<'_>, &Value) -> Result<String>,
}

/// All checks.
pub const CHECKS: &[Check] = &[
    Check {
        probe: "lifecycle",
        record: &["-e", "sched,cpu,syscalls"],
        programs: &["forks"],
        command: &["/bin/forks"],
        report: &["tree"],
        check: children,
    },
    Check {
        probe: "sched",
        record: &["-e", "sched"],
        programs: &["waits"],
        command: &["waits"],
        report: &["offcpu", "--by", "thread"],
        check: waits,
    },
    Check {
        probe: "sched",
        record: &["-e", "sched,syscalls"],
        programs: &[],
        command: &["dd", "if=/dev/vda", "of=/dev/null", "bs=4096", "count=101", "iflag=direct"],
        report: &["syscalls"],
        check: disk_waits,
    },
    Check {
        probe: "cpu",
        record: &["-e", "cpu", "-F", "499"],
        programs: &["forks"],
        command: &["/bin/forks"],
        report: &["cpu"],
        check: samples,
    },
    Check {
        probe: "syscalls",
        record: &["-e", "syscalls"],
        programs: &["calls"],
        command: &["calls"],
        report: &["syscalls"],
        check: calls,
    },
];

/// The rows of a table of an answer in which a key has a value.
fn rows<'a>(answer: &'a Value, table: &str, key: &str, value: &Value) -> Vec<&'a Value> {
    let rows = answer[table].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().filter(|row| row[key] == *value).collect()
}

/// The one row of a table in which a key has a value.
fn row<'a>(answer: &'a Value, table: &str, key: &str, value: &Value) -> Result<&'a Value> {
    let found = rows(answer, table, key, value);
    ensure!(found.len() == 1, "{} rows of {table} with {key} {value}", found.len());
    Ok(found[0])
}

/// A number of an answer.
fn number(row: &Value, key: &str) -> Result<u64> {
    row[key].as_u64().with_context(|| format!("no number {key} in {row}"))
}

/// A word that is a number.
fn parse(word: &str) -> Result<u64> {
    word.parse().with_context(|| format!("`{word}` is no number"))
}

/// Each short-lived child has its name, parent, arguments and exit status.
fn children(recording: &Recording<'_>, tree: &Value) -> Result<String> {
    let parents = recording.said("parent");
    let parent = parse(parents.first().context("no parent")?[1])?;
    let children = recording.said("child");
    ensure!(children.len() == 53, "{} children said something", children.len());
    for words in &children {
        let [pid, number, status] = [parse(words[1])?, parse(words[2])?, parse(words[3])?];
        let row = row(tree, "processes", "pid", &json!(pid))?;
        ensure!(row["comm"] == json!(format!("short-{number}")), "name: {row}");
        ensure!(row["parent_pid"] == json!(parent), "parent {parent}: {row}");
        ensure!(
            row["command_line"] == json!(format!("/bin/forks child {number}")),
            "arguments: {row}"
        );
        ensure!(row["exit_code"] == json!(status), "status {status}: {row}");
    }
    let all = number(tree, "process_count")?;
    ensure!(all == 54, "{all} processes in the tree, not 53 and their parent");
    Ok("53 children with names, arguments, parent and exit status".to_owned())
}

/// Every wait of five threads is one that the kernel has counted as a switch.
fn waits(recording: &Recording<'_>, by_thread: &Value) -> Result<String> {
    // Threads that left the CPU without waiting for anything: preempted, new, yielded.
    const RUNNABLE: [&str; 3] = ["preempted", "new", "yielded"];
    let facts = recording.facts("off_cpu")?;
    let mut total = 0;
    for name in ["reader", "locker", "sleeper", "writer", "holder"] {
        let lines = recording.said(name);
        let words = lines.first().with_context(|| format!("{name} said nothing"))?;
        let [tid, planned, voluntary, involuntary] =
            [parse(words[1])?, parse(words[2])?, parse(words[3])?, parse(words[4])?];
        let [from, to] = [parse(words[6])?, parse(words[7])?];
        let of_thread: Vec<&Value> =
            facts.iter().filter(|fact| fact["tid"] == json!(tid)).collect();
        let row = row(by_thread, "threads", "tid", &json!(tid))?;
        let reported = number(row, "count")?;
        ensure!(
            reported == of_thread.len() as u64,
            "{name}: {reported} waits in the report, {} in the trace",
            of_thread.len()
        );
        let (mut slept, mut preempted) = (0_u64, 0_u64);
        for fact in of_thread {
            let end = number(fact, "end")?;
            if end > from && end <= to {
                let state = fact["state_name"].as_str().context("a state")?;
                match RUNNABLE.contains(&state) {
                    true => preempted += 1,
                    false => slept += 1,
                }
            }
        }
        ensure!(slept == voluntary, "{name}: {slept} waits, {voluntary} by /proc");
        if ["sleeper", "writer"].contains(&name) {
            ensure!(slept == planned, "{name}: {slept} waits for {planned} sleeps");
        }
        // The thread reads the counters and the clock one after the other, and can be preempted
        // between them.
        ensure!(
            preempted.abs_diff(involuntary) <= 1,
            "{name}: preempted {preempted} times, {involuntary} by /proc"
        );
        total += slept;
    }
    Ok(format!("{total} waits of five threads, as many as the kernel counted"))
}

/// Reads past the page cache wait for the disk, and the kernel says so (`in_iowait`).
fn disk_waits(recording: &Recording<'_>, syscalls: &Value) -> Result<String> {
    let reads = number(row(syscalls, "syscalls", "syscall", &json!("read"))?, "count")?;
    let facts = recording.facts("off_cpu")?;
    let count = |key: &str, value: &str| facts.iter().filter(|fact| fact[key] == value).count();
    let waited = count("state_name", "io_wait");
    let in_read = facts
        .iter()
        .filter(|fact| fact["state_name"] == "io_wait" && fact["syscall_name"] == "read");
    let in_read = in_read.count();
    ensure!(reads >= 101, "{reads} calls of read for 101 blocks");
    // A disk can be faster than its reader is in going to sleep.
    ensure!(
        in_read > 0 && in_read as u64 <= reads && waited >= in_read,
        "{in_read} waits for the disk in {reads} reads, {waited} in all"
    );
    Ok(format!("{in_read} waits for the disk in 101 direct reads"))
}

/// Every sample is of some function, and the one that works has its name. How many it gets is a matter
/// of time: an emulated machine is busier with making processes.
fn samples(recording: &Recording<'_>, cpu: &Value) -> Result<String> {
    let taken = number(&cpu["summary"], "samples")?;
    let stored = recording.facts("cpu_sample")?.len() as u64;
    ensure!(taken == stored, "{taken} samples in the report, {stored} in the trace");
    let functions = cpu["functions"].as_array().context("no functions")?;
    let counts = functions.iter().map(|row| number(row, "self_samples"));
    let sum: u64 = counts.sum::<Result<u64>>()?;
    ensure!(sum == taken, "{sum} samples in functions, {taken} in all");
    let row = row(cpu, "functions", "function", &json!("short_lived_work"))?;
    let inside = number(row, "self_samples")?;
    ensure!(inside > 0, "no sample in the function that works");
    Ok(format!("{taken} samples, {inside} of them in the function that works"))
}

/// System calls are as many as were made, and so are those that failed.
fn calls(recording: &Recording<'_>, syscalls: &Value) -> Result<String> {
    let said = [recording.said("parent"), recording.said("child")].concat();
    ensure!(said.len() == 8, "{} lines of the workload", said.len());
    let mut total = 0;
    for words in said {
        let (call, count, errors) = (words[2], parse(words[3])?, parse(words[4])?);
        let row = row(syscalls, "syscalls", "syscall", &json!(call))?;
        let found = (number(row, "count")?, number(row, "errors")?);
        ensure!(
            found == (count, errors),
            "{call}: {} calls and {} errors, not {count} and {errors}",
            found.0,
            found.1
        );
        total += count;
    }
    Ok(format!("{total} calls of eight kinds, exactly"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::root;
    use crate::tidy::lists;

    #[test]
    fn checks_name_what_there_is() {
        let (probes, reports) = lists::probes_and_reports(&root()).unwrap();
        for check in CHECKS {
            assert!(probes.iter().any(|probe| probe == check.probe), "probe {}", check.probe);
            let report = check.report.first().copied().unwrap_or("overview");
            assert!(reports.iter().any(|known| known == report), "report {report}");
            for name in check.programs {
                let source = root().join("tests/workloads").join(name).with_extension("c");
                assert!(source.exists(), "{}", source.display());
            }
        }
    }
}
