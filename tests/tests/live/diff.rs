//! What got slower between two recordings.

use std::path::{Path, PathBuf};

use ktape_tests::live::{NotRun, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, record};
use ktape_tests::workload::{lines, number, workload};

/// Records three seconds of a worker and of a holder that sleeps `how` the mutex; how many turns of the
/// worker were slow.
fn recording(trace: &Path, how: &str) -> u64 {
    let program = workload("held");
    let command = [program.to_str().expect("UTF-8"), how, "3"];
    let ran = record(trace, &["-e", "sched,locks,syscalls"], &command).expect(0);
    number(&lines(&ran.text(), "worker").remove(0)[3])
}

fn diff(paths: &[&Path; 2], args: &[&str]) -> Ran {
    let paths = paths.map(|path| path.to_str().expect("UTF-8"));
    Ran::ktape(&[&["diff"], &paths[..], args].concat()).expect(0)
}

/// A wait of 20 ms for a mutex, ten times a second, is what got slower, in every report that shows it.
pub(crate) fn injected_wait() -> Result<(), NotRun> {
    let folder = Folder::new();
    let (fast, slow): (PathBuf, PathBuf) = (folder.file("fast.ktape"), folder.file("slow.ktape"));
    let before = recording(&fast, "beside");
    let after = recording(&slow, "with");
    say(format!("slow turns of the worker: {before} before, {after} after"));
    let answer = diff(&[&fast, &slow], &["--format", "json"]).json();
    let first = &answer["offcpu"]["stacks"][0];
    say(format!("first: {first}"));
    let stack = first["stack"].as_str().expect("a stack");
    assert!(stack.starts_with("worker;") && stack.contains(";take_turn;"), "{answer}");
    assert_eq!(first["class"], "lock");
    assert_eq!(first["sure_percentage"].as_f64(), Some(99.9), "{first}");
    // 20 ms in each 100 ms are 200 ms in a second; sleeps are longer on a busy machine.
    let change = first["change_ns_per_s"].as_i64().expect("a number");
    assert!((120_000_000..400_000_000).contains(&change), "{first}");
    let lock = answer["locks"]["stacks"][0]["stack"].as_str().expect("a stack");
    assert!(lock.starts_with("worker;") && lock.contains(";take_turn;"), "{lock}");
    let call = &answer["syscalls"]["groups"][0];
    assert_eq!((&call["comm"], &call["syscall"]), (&"held".into(), &"futex".into()), "{call}");
    // Turned round it is what got faster.
    let turned = diff(&[&slow, &fast], &["--of", "offcpu", "--format", "json"]).json();
    let rows = turned["offcpu"]["stacks"].as_array().expect("rows");
    let last = rows.last().expect("a row");
    assert_eq!(last["stack"], stack, "{last}");
    assert_eq!(last["change_ns_per_s"].as_i64(), Some(-change));
    // Folded: the same stack with 0 or little before.
    let folded = diff(&[&fast, &slow], &["--folded"]).text();
    let line = folded.lines().find(|line| line.starts_with(stack)).expect("its line");
    let numbers: Vec<u64> =
        line[stack.len()..].split_whitespace().map(|word| number(word)).collect();
    assert!(numbers[1] > 5 * numbers[0], "{line}");
    let svg = diff(&[&fast, &slow], &["--flamegraph"]).text();
    assert!(svg.contains("<svg") && svg.contains("take_turn"), "{}", &svg[..svg.len().min(500)]);
    Ok(())
}

/// Two windows of one recording are alike: the wait for the mutex is not surely longer, or not by much.
pub(crate) fn nothing_changed() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("same.ktape");
    recording(&trace, "with");
    let path = trace.to_str().expect("UTF-8");
    let windows = ["--against", "0.1s,1.4s", "--time", "1.5s,2.8s", "--of", "offcpu"];
    let found = Ran::ktape(&[&["diff", path, "--format", "json"], &windows[..]].concat());
    let answer = found.expect(0).json();
    let rows = answer["offcpu"]["stacks"].as_array().expect("rows");
    let mutex =
        rows.iter().find(|row| row["stack"].as_str().expect("text").contains(";take_turn;"));
    let mutex = mutex.expect("the wait for the mutex is in both windows");
    say(format!("{mutex}"));
    let change = mutex["change_ns_per_s"].as_i64().expect("a number");
    assert!(mutex["sure_percentage"].is_null() || change.abs() < 50_000_000, "{mutex}");
    Ok(())
}
