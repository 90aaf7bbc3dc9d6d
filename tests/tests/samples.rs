//! The committed traces show what their workloads said.

use ktape_format::{State, Trace, verify};
use ktape_tests::facts::{number, off_by, report, rows_where};
use ktape_tests::samples;
use ktape_tests::workload::{lines, number as parse};
use serde_json::json;

#[test]
fn each_is_whole_small_and_told_of() {
    let readme = samples::path("README").with_extension("md");
    let readme = std::fs::read_to_string(readme).expect("samples/README.md");
    for name in samples::names() {
        let path = samples::path(&name);
        let trace = Trace::open(&path).expect("a trace");
        assert!(matches!(trace.state(), State::Complete), "{name}");
        assert_eq!(verify(&trace), [], "{name}");
        assert!(trace.size() < 1 << 20, "{name}: {} bytes", trace.size());
        assert!(readme.contains(&format!("{name}.ktape")), "{name} is not in samples/README.md");
        assert!(!samples::counts(&name).is_empty(), "{name}");
    }
}

#[test]
fn waits_are_as_long_as_their_threads_said() {
    let path = samples::path("waits");
    let start = Trace::open(&path).expect("the sample").meta().start.mono;
    let counts = samples::counts("waits");
    for name in ["sleeper", "reader", "writer", "holder", "locker"] {
        let words = &lines(&counts, name)[0];
        let value = |at: usize| parse(&words[at]);
        let (tid, switches, from, to, cpu) =
            (value(1), value(3) + value(4), value(6), value(7), value(8));
        let time = format!("{}ns,{}ns", from - start, to - start);
        let answer = report(&path, &["offcpu", "--by", "thread", "--time", &time]);
        let row = rows_where(&answer, "threads", "tid", &json!(tid))[0];
        assert_eq!(number(row, "count"), switches, "{name}");
        let (total, off_cpu) = (number(row, "total_time_ns"), to - from - cpu);
        assert!(
            off_by(total, off_cpu) <= 2.0,
            "{name}: {total} ns, by its own clocks {off_cpu} ns"
        );
    }
}

#[test]
fn calls_are_as_many_as_their_processes_made() {
    for words in ["child", "parent"].iter().flat_map(|who| lines(&samples::counts("calls"), who)) {
        let (pid, call, count, errors) = (&words[1], &words[2], parse(&words[3]), parse(&words[4]));
        let answer = report(&samples::path("calls"), &["syscalls", "--pid", pid]);
        let row = rows_where(&answer, "syscalls", "syscall", &json!(call))[0];
        assert_eq!(
            (number(row, "count"), number(row, "errors")),
            (count, errors),
            "{call} of {pid}"
        );
    }
}

#[test]
fn every_short_lived_process_is_in_the_tree() {
    let tree = report(&samples::path("forks"), &["tree"]);
    let counts = samples::counts("forks");
    let parent = parse(&lines(&counts, "parent")[0][1]);
    let children = lines(&counts, "child");
    assert_eq!(children.len(), 53);
    for words in children {
        let [pid, of, status] = [1, 2, 3].map(|at| parse(&words[at]));
        let row = rows_where(&tree, "processes", "pid", &json!(pid))[0];
        assert_eq!(row["comm"], json!(format!("short-{of}")), "{row}");
        assert_eq!(row["parent_pid"], json!(parent), "{row}");
        assert_eq!(row["exit_code"], json!(status), "{row}");
    }
}

#[test]
fn the_transactions_of_pgbench_are_in_its_system_calls() {
    let counts = samples::counts("pgbench");
    // "number of transactions actually processed: N"
    let line = counts.lines().find(|line| line.contains("actually processed")).expect("the count");
    let digits = line.rsplit(' ').next().expect("a word").split('/').next().expect("a number");
    let transactions = parse(digits);
    // Each of the seven queries of a transaction is one message to the server and one answer.
    let answer = report(&samples::path("pgbench"), &["syscalls", "--comm", "pgbench"]);
    let sent = rows_where(&answer, "syscalls", "syscall", &json!("sendto"));
    let sent = number(sent[0], "count");
    assert!(sent >= 7 * transactions, "{sent} messages for {transactions} transactions");
    assert!(sent <= 7 * transactions + 200, "{sent} messages for {transactions} transactions");
}

#[test]
fn every_compiler_of_the_build_is_in_the_tree() {
    let tree = report(&samples::path("build"), &["tree"]);
    let compiled = parse(&lines(&samples::counts("build"), "compiled")[0][1]);
    for name in ["cc1", "as"] {
        let found = rows_where(&tree, "processes", "comm", &json!(name)).len() as u64;
        assert_eq!(found, compiled, "processes named {name}");
    }
    assert_eq!(rows_where(&tree, "processes", "comm", &json!("make")).len(), 1);
}

#[test]
fn locks_were_waited_for_as_often_as_their_threads_said() {
    let counts = samples::counts("locks");
    let answer = report(&samples::path("locks"), &["locks"]);
    for kind in ["mutex", "pi", "timed"] {
        let words = &lines(&counts, kind)[0];
        let word = u64::from_str_radix(&words[4], 16).expect("an address");
        let row = rows_where(&answer, "locks", "address", &json!(word))[0];
        assert_eq!(number(row, "count"), parse(&words[2]), "{kind}");
        assert_eq!(number(row, "max_owner_tid"), parse(&words[5]), "{kind}");
        assert!(off_by(number(row, "total_ns"), parse(&words[3])) <= 3.0, "{kind}: {row}");
    }
    let words = &lines(&counts, "contend")[0];
    let row = rows_where(&answer, "kernel_locks", "kind", &json!("rwsem"))[0];
    assert_eq!(number(row, "count"), parse(&words[3]), "{row}");
    assert!(off_by(number(row, "total_ns"), parse(&words[4])) <= 3.0, "{row}");
}

#[test]
fn page_faults_are_as_many_as_the_kernel_told_the_process() {
    let counts = samples::counts("memory");
    let all = &lines(&counts, "all")[0];
    let by_process = report(&samples::path("memory"), &["mem", "--pid", &all[1]]);
    let row = rows_where(&by_process, "processes", "pid", &json!(parse(&all[1])))[0];
    assert_eq!(number(row, "major_faults"), parse(&all[3]), "{row}");
    let anonymous = parse(&lines(&counts, "memory")[0][2]) * 1024;
    assert!(number(row, "anon_bytes").abs_diff(anonymous) <= 8 * 4096, "{row}");
    let by_stack = report(&samples::path("memory"), &["mem", "--by", "stack"]);
    let stacks = by_stack["stacks"].as_array().expect("stacks");
    for (function, key, part) in
        [("touch_memory", "minor_faults", "minor"), ("touch_file", "major_faults", "major")]
    {
        let row = stacks
            .iter()
            .find(|row| row["stack"].as_str().is_some_and(|stack| stack.ends_with(function)))
            .unwrap_or_else(|| panic!("no {function} in {by_stack:#}"));
        assert_eq!(number(row, key), parse(&lines(&counts, part)[0][2]), "{row}");
    }
}
