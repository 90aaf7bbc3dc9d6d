//! Processes that are gone before anybody could look at them in /proc.

use ktape_tests::facts::{number, report, rows_where};
use ktape_tests::live::{NotRun, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, record};
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::json;

pub(crate) fn known() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("forks.ktape");
    let program = workload("forks");
    let program = program.to_str().expect("UTF-8");
    let ran = record(&trace, &["-e", "all", "-F", "997"], &[program]).expect(0).text();
    let parent = parse(&lines(&ran, "parent")[0][1]);
    let children = lines(&ran, "child");
    assert_eq!(children.len(), 53);
    let tree = report(&trace, &["tree"]);
    for words in &children {
        let (pid, number_of, status) = (parse(&words[1]), parse(&words[2]), parse(&words[3]));
        let found = rows_where(&tree, "processes", "pid", &json!(pid));
        assert_eq!(found.len(), 1, "child {number_of} ({pid}) in {tree}");
        let row = found[0];
        assert_eq!(row["comm"], json!(format!("short-{number_of}")), "{row}");
        assert_eq!(row["parent_pid"], json!(parent), "{row}");
        assert_eq!(row["command_line"], json!(format!("{program} child {number_of}")), "{row}");
        assert_eq!(row["executable"], json!(program), "{row}");
        assert_eq!(row["exit_code"], json!(status), "{row}");
        assert!(number(row, "lifetime_ns") >= 20_000_000, "{row}");
        let cpu = number(row, "cpu_ns");
        assert!((20_000_000..40_000_000).contains(&cpu), "20 ms of CPU: {row}");
        let offcpu = report(&trace, &["offcpu", "--pid", &pid.to_string()]);
        assert!(number(&offcpu["summary"], "total_events") >= 1, "{pid}: {offcpu}");
    }
    // Its function has a name in every child's stacks.
    let folded = Ran::on(&trace, &["export", "folded"]).expect(0).text();
    let mut named = 0;
    for words in &children {
        let prefix = format!("short-{};", words[2]);
        let found = folded
            .lines()
            .any(|line| line.starts_with(&prefix) && line.contains(";short_lived_work"));
        named += u32::from(found);
    }
    say(format!(
        "{} children of {parent}; short_lived_work named in the stacks of {named}",
        children.len()
    ));
    assert_eq!(named, 53, "{folded}");
    Ok(())
}
