//! The committed traces show what their workloads said.

use ktape_format::{State, Trace, verify};
use ktape_tests::facts::{number, off_by, report, rows_where};
use ktape_tests::samples;
use ktape_tests::workload::{lines, number as parse};
use serde_json::{Value, json};

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
fn the_requests_of_h2load_are_streams_of_both_ends() {
    let counts = samples::counts("h2load");
    // "requests: N total, N started, N done, N succeeded, ..."
    let words = &lines(&counts, "requests:")[0];
    let succeeded = words.iter().position(|word| word == "succeeded,").expect("the count");
    let requests = parse(&words[succeeded - 1]);
    let answer = report(&samples::path("h2load"), &["h2", "--by", "method"]);
    let found = rows_where(&answer, "methods", "method", &json!("/file.bin"));
    assert_eq!(found.len(), 2, "{answer}");
    for row in found {
        assert_eq!(number(row, "streams"), requests, "{row}");
        assert_eq!(number(row, "response_bytes"), 1009 * requests, "{row}");
        assert_eq!(number(row, "open") + number(row, "resets") + number(row, "cut"), 0, "{row}");
    }
    assert_eq!((number(&answer, "connections"), number(&answer, "desyncs")), (6, 0));
}

#[test]
fn the_calls_of_grpc_have_their_methods_and_statuses() {
    grpc("grpc", "plaintext");
    grpc("grpc-tls", "go");
}

#[track_caller]
fn grpc(sample: &str, source: &str) {
    let counts = samples::counts(sample);
    let of = |what: &str| parse(&lines(&counts, what)[0][1]);
    let answer = report(&samples::path(sample), &["h2", "--by", "method"]);
    let failed = lines(&counts, "status").iter().map(|words| parse(&words[2])).sum();
    for (method, streams, resets, not_ok) in [
        ("Unary", of("unary"), 0, 0),
        ("Fail", failed, 0, failed),
        ("Hang", of("cancelled"), of("cancelled"), 0),
        ("Chat", of("chats"), 0, 0),
    ] {
        let path = format!("/demo.Echo/{method}");
        let found = rows_where(&answer, "methods", "method", &json!(path));
        assert_eq!(found.len(), 2, "{path} in {answer}");
        for row in found {
            let sums = ["streams", "resets", "grpc_failed"].map(|key| number(row, key));
            assert_eq!(sums, [streams, resets, not_ok], "{row}");
        }
    }
    for words in lines(&counts, "status") {
        let found = rows_where(&answer, "grpc_statuses", "code", &json!(parse(&words[1])));
        assert_eq!(number(found[0], "count"), 2 * parse(&words[2]), "status {}", words[1]);
    }
    let answer = report(&samples::path(sample), &["h2", "--by", "connection"]);
    assert_eq!(rows_where(&answer, "connections", "source", &json!(source)).len(), 2, "{answer}");
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
fn disk_requests_are_as_many_as_fio_and_the_kernel_counted() {
    let counts = samples::counts("disk");
    let json = &counts[counts.find('{').expect("JSON")..=counts.rfind('}').expect("JSON")];
    let fio: serde_json::Value = serde_json::from_str(json).expect("fio's JSON");
    let block = report(&samples::path("disk"), &["block"]);
    let disk = lines(&counts, "after")[0][3].clone();
    let of_disk = rows_where(&block, "devices", "device", &json!(disk));
    let found = |op: &str| {
        let row = of_disk.iter().find(|row| row["operation"] == json!(op)).expect("a row");
        (number(row, "count"), number(row, "total_bytes"))
    };
    let jobs = [
        ("write", "write", 1009, 4096),
        ("read", "read", 503, 8192),
        ("trim", "discard", 61, 65536),
    ];
    for (at, (what, op, count, bytes)) in jobs.into_iter().enumerate() {
        let job = &fio["jobs"][at][what];
        assert_eq!((number(job, "total_ios"), number(job, "io_bytes")), (count, count * bytes));
        assert_eq!(found(op), (count, count * bytes), "{op}");
    }
    // Fields of /proc/diskstats behind the name: reads, writes, discards and their sectors.
    let delta = |at: usize| {
        let of = |when: &str| parse(&lines(&counts, when)[0][at + 3]);
        of("after") - of("before")
    };
    let fsyncs = found("empty_flush").0;
    assert_eq!((delta(1), delta(3) * 512), found("read"));
    assert_eq!((delta(5), delta(7) * 512), (found("write").0 + fsyncs, found("write").1));
    assert_eq!((delta(12), delta(14) * 512), found("discard"));

    let io = report(&samples::path("disk"), &["io", "--by", "operation"]);
    let calls =
        |name: &str| number(rows_where(&io, "operations", "syscall", &json!(name))[0], "count");
    assert_eq!(calls("pwrite64"), 1009);
    assert_eq!(calls("fsync"), fsyncs);
    assert!(calls("pread64") >= 503);
}

#[test]
fn commits_wait_for_the_log() {
    let io = report(&samples::path("commits"), &["io", "--by", "operation"]);
    let syncs = rows_where(&io, "operations", "syscall", &json!("fdatasync"));
    let slow = number(syncs[0], "count");
    let block = report(&samples::path("commits"), &["block", "--by", "process"]);
    assert!(!block["processes"].as_array().expect("rows").is_empty());
    // A slow sync is one that waited for the device.
    let block = report(&samples::path("commits"), &["block"]);
    let flushes = rows_where(&block, "devices", "operation", &json!("empty_flush"));
    let flushes: u64 = flushes.iter().map(|row| number(row, "count")).sum();
    assert!(slow > 0 && flushes >= slow, "{slow} slow syncs, {flushes} flushes");
    let files = report(&samples::path("commits"), &["io", "--by", "file"]);
    let first = files["files"][0]["path"].as_str().expect("a path").to_owned();
    assert!(first.contains("/pg_wal/"), "{first}");
}

#[test]
fn clients_and_server_see_the_same_connections() {
    let tcp = report(&samples::path("commits"), &["tcp", "--by", "process"]);
    let of = |comm: &str| rows_where(&tcp, "processes", "comm", &json!(comm))[0].clone();
    let (client, server) = (of("pgbench"), of("postgres"));
    // One for each client, and one that asks how many rows there are.
    assert_eq!((number(&client, "active"), number(&client, "passive")), (5, 0));
    assert_eq!((number(&server, "active"), number(&server, "passive")), (0, 5));
    // A FIN counts as a byte received.
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (sent, received) = (number(from, "sent_bytes"), number(to, "received_bytes"));
        assert!((sent..=sent + 5).contains(&received), "{sent} bytes sent, {received} received");
    }
    let locks = report(&samples::path("commits"), &["locks"]);
    assert!(number(&locks["summary"], "count") > 0);
    assert_eq!(number(&locks["summary"], "open_count"), 0);
}

#[test]
fn what_the_path_lost_was_sent_again() {
    let path = samples::path("tcp");
    let counts = samples::counts("tcp");
    let line = |what: &str| lines(&counts, what)[0].clone();
    let after = |what: &str, word: &str| {
        let line = line(what);
        let at = line.iter().position(|known| known == word).expect("a word");
        parse(&line[at + 1])
    };
    let answer = report(&path, &["tcp"]);
    let segments = after("kernel", "RetransSegs");
    assert_eq!(segments, after("path", "seen_again"));
    assert_eq!(number(&answer["summary"], "retransmitted_segments"), segments);
    let of = |who: &str, outcome: &str| {
        let pid = json!(parse(&line(who)[1]));
        let rows = rows_where(&answer, "connections", "pid", &pid);
        let mut rows = rows.into_iter().filter(|row| row["outcome"] == json!(outcome));
        rows.next().unwrap_or_else(|| panic!("{who} has no connection that is {outcome}")).clone()
    };
    let (client, server) = (of("client", "closed"), of("server", "closed"));
    let first = number(&client, "sent_bytes") - number(&client, "lifetime_retransmitted_bytes");
    assert_eq!(first, after("client", "sent"));
    // A FIN counts as a byte.
    assert_eq!(number(&server, "received_bytes"), after("client", "sent") + 1);
    assert_eq!(number(&server, "sent_bytes"), after("server", "sent"));
    let (srtt, told) = (number(&client, "avg_srtt_ns"), 1000 * after("tcp_info", "rtt_us"));
    assert!(off_by(srtt, told) <= 10.0, "{srtt} ns, by TCP_INFO {told} ns");
    let (connect, measured) = (number(&client, "connect_ns"), after("client", "connect_ns"));
    assert!(connect > 10_000_000 && connect <= measured, "{connect} ns of {measured} ns");
    assert_eq!(of("refused", "connect_failed")["error"], json!("ECONNREFUSED"));
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

#[test]
fn allocations_are_as_many_as_the_program_made() {
    let counts = samples::counts("heap");
    let answer = report(&samples::path("heap"), &["mem", "--by", "heap"]);
    let stacks = answer["stacks"].as_array().expect("stacks");
    for function in ["leak_some", "churn_calloc", "grow", "align", "work"] {
        let words = &lines(&counts, function)[0];
        let below = |row: &&Value| {
            row["stack"].as_str().is_some_and(|stack| stack.ends_with(&format!(";{function}")))
        };
        let sum =
            |key: &str| -> u64 { stacks.iter().filter(below).map(|row| number(row, key)).sum() };
        let told = |at: usize| parse(&words[at]);
        assert_eq!(sum("allocations"), told(1), "{function}");
        assert_eq!(sum("allocated_bytes"), told(2), "{function}");
        assert_eq!(sum("live_blocks"), told(1) - told(3), "{function}");
        assert_eq!(sum("live_bytes"), told(2) - told(4), "{function}");
    }
}

#[test]
fn names_of_files_churn_through_the_memory_of_the_kernel() {
    let answer = report(&samples::path("churn"), &["mem", "--by", "site"]);
    let sites = answer["sites"].as_array().expect("sites");
    let most = |what: &str| -> u64 {
        let of = sites.iter().filter(|row| row["what"] == json!(what));
        of.map(|row| number(row, "count")).max().unwrap_or(0)
    };
    // A name for each of 1009 files that is made and removed.
    assert!(most("cache_alloc") >= 2 * 1009, "{answer:#}");
    assert!(most("cache_free") >= 2 * 1009, "{answer:#}");
}

#[test]
fn counters_are_those_that_the_kernel_told_the_parent() {
    let counts = samples::counts("counters");
    let child = &lines(&counts, "child")[0];
    let answer = report(&samples::path("counters"), &["counters", "--pid", &child[1]]);
    let row = rows_where(&answer, "processes", "pid", &json!(parse(&child[1])))[0];
    assert_eq!(number(row, "voluntary_switches"), parse(&child[5]), "{row}");
    assert_eq!(number(row, "involuntary_switches"), parse(&child[6]), "{row}");
    assert_eq!(number(row, "page_faults"), parse(&child[7]) + parse(&child[8]), "{row}");
    assert_eq!(number(row, "cpu_time_ns") / 1000, parse(&child[9]), "{row}");
    assert_eq!(number(row, "cpu_migrations"), parse(&child[10]), "{row}");
    let by_function = ["counters", "--by", "function", "--event", "page-faults"];
    let answer = report(&samples::path("counters"), &by_function);
    let row = rows_where(&answer, "functions", "function", &json!("touch_pages"))[0];
    assert!(off_by(number(row, "total_count"), parse(&child[2])) <= 25.0, "{row}");
}
