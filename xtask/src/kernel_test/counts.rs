//! Which counts are right: what each check of [`super::checks`] looks at.

use super::recording::Recording;
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;

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
pub fn children(recording: &Recording<'_>, tree: &Value) -> Result<String> {
    let parents = recording.said("parent");
    let parent = parse(parents.first().context("no parent")?[1])?;
    let children = recording.said("child");
    ensure!(children.len() == 53, "{} children said something", children.len());
    let mut wrong = Vec::new();
    for words in &children {
        let [pid, number, status] = [parse(words[1])?, parse(words[2])?, parse(words[3])?];
        let row = row(tree, "processes", "pid", &json!(pid))?;
        let expected = [
            ("comm", json!(format!("short-{number}"))),
            ("parent_pid", json!(parent)),
            ("command_line", json!(format!("/bin/forks child {number}"))),
            ("exit_code", json!(status)),
        ];
        let differs = expected.iter().filter(|(key, value)| row[*key] != *value);
        wrong.extend(differs.map(|(key, value)| format!("{key} is not {value}: {row}")));
    }
    let rest = passed_over(recording, "lifecycle", &wrong)?;
    let all = number(tree, "process_count")?;
    ensure!(all == 54, "{all} processes in the tree, not 53 and their parent");
    Ok(format!("53 children with names, arguments, parent and exit status{rest}"))
}

/// Every wait of five threads is one that the kernel has counted as a switch.
pub fn waits(recording: &Recording<'_>, by_thread: &Value) -> Result<String> {
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
pub fn disk_waits(recording: &Recording<'_>, syscalls: &Value) -> Result<String> {
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
pub fn samples(recording: &Recording<'_>, cpu: &Value) -> Result<String> {
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

/// What a check says when what is wrong is no more than what the kernel passed over, which it may do
/// from 7.0 on, and which the trace tells; otherwise that is the error.
fn passed_over(recording: &Recording<'_>, probe: &str, wrong: &[String]) -> Result<String> {
    let missed = recording.missed(probe)?;
    let all = wrong.join("; ");
    ensure!(wrong.len() as u64 <= missed, "{all} ({missed} programs passed over)");
    match wrong.len() {
        0 => Ok(String::new()),
        some => Ok(format!(", {some} not: passed over by the kernel, as told")),
    }
}

/// System calls are as many as were made, and so are those that failed.
pub fn calls(recording: &Recording<'_>, syscalls: &Value) -> Result<String> {
    let said = [recording.said("parent"), recording.said("child")].concat();
    ensure!(said.len() == 8, "{} lines of the workload", said.len());
    let (mut total, mut wrong) = (0, Vec::new());
    for words in said {
        let (call, count, errors) = (words[2], parse(words[3])?, parse(words[4])?);
        let row = row(syscalls, "syscalls", "syscall", &json!(call))?;
        let found = number(row, "count")?;
        ensure!(found <= count, "{call}: {found} calls, not {count}");
        // All of a kind fail, or none.
        let failed = number(row, "errors")?;
        ensure!(failed == if errors == 0 { 0 } else { found }, "{call}: {failed} errors");
        wrong.extend((found..count).map(|_| format!("{found} calls of {call}, not {count}")));
        total += found;
    }
    let rest = passed_over(recording, "syscalls", &wrong)?;
    Ok(format!("{total} calls of eight kinds, exactly{rest}"))
}

/// The numbers of the one line of the workload that begins with a word.
fn numbers(recording: &Recording<'_>, first: &str) -> Result<Vec<u64>> {
    let lines = recording.said(first);
    ensure!(lines.len() == 1, "{} lines of the workload begin with {first}", lines.len());
    lines[0][1..].iter().map(|word| parse(word)).collect()
}

/// How often a call was made and its bytes, as the workload says.
fn call(recording: &Recording<'_>, name: &str) -> Result<(u64, u64)> {
    match numbers(recording, name)?[..] {
        [count, bytes] => Ok((count, bytes)),
        _ => bail!("{name}: not two numbers"),
    }
}

/// Requests to the disk, and their bytes, of these operations.
fn of_disk(answer: &Value, operations: &[&str]) -> Result<(u64, u64)> {
    let mut sum = (0, 0);
    for row in rows(answer, "devices", "device", &json!("vda")) {
        if operations.iter().any(|operation| row["operation"] == *operation) {
            sum.0 += number(row, "count")?;
            sum.1 += number(row, "total_bytes")?;
        }
    }
    Ok(sum)
}

/// Requests are those that /proc/diskstats counts, and those of the program are known as its own.
pub fn requests(recording: &Recording<'_>, block: &Value) -> Result<String> {
    let kernel = numbers(recording, "kernel")?;
    let (reads, writes) = (of_disk(block, &["read"])?, of_disk(block, &["write", "empty_flush"])?);
    let flushes = of_disk(block, &["flush"])?.0;
    let found = [reads.0, reads.1 / 512, writes.0, writes.1 / 512, flushes];
    ensure!(found[..] == kernel[..], "{found:?}, but /proc/diskstats {kernel:?}");
    made_by_disk(recording, &recording.report(&["block", "--comm", "disk"])?)?;
    Ok(format!("{} reads, {} writes, {flushes} flushes: as diskstats", reads.0, writes.0))
}

/// Requests are those that the program made.
fn made_by_disk(recording: &Recording<'_>, answer: &Value) -> Result<()> {
    for (operation, name) in [("read", "pread64"), ("write", "pwrite64"), ("empty_flush", "fsync")]
    {
        let (found, expected) = (of_disk(answer, &[operation])?, call(recording, name)?);
        ensure!(found == expected, "{operation}: {found:?} of the program, not {expected:?}");
    }
    Ok(())
}

/// Of two programs that use the disk, one is recorded: none of the other's requests is taken for its own.
pub fn requests_of_one(recording: &Recording<'_>, block: &Value) -> Result<String> {
    made_by_disk(recording, block)?;
    let all = number(&block["summary"], "count")?;
    Ok(format!("{all} requests of one of two programs"))
}

/// Calls on a file, with their bytes.
pub fn file_calls(recording: &Recording<'_>, io: &Value) -> Result<String> {
    let of_disk = rows(io, "calls", "path", &json!("/dev/vda"));
    let (mut total, mut wrong) = (0, Vec::new());
    for name in ["pwrite64", "pread64", "fsync"] {
        let of_call = || of_disk.iter().filter(|row| row["syscall"] == name);
        let bytes: u64 = of_call().map(|row| number(row, "io_bytes")).sum::<Result<u64>>()?;
        let (found, expected) = ((of_call().count() as u64, bytes), call(recording, name)?);
        let each = expected.1 / expected.0;
        ensure!(found.1 == found.0 * each && found.0 <= expected.0, "{name}: {found:?} of {each}");
        wrong.extend((found.0..expected.0).map(|_| format!("{name}: {found:?}, not {expected:?}")));
        total += found.0;
    }
    let rest = passed_over(recording, "io", &wrong)?;
    Ok(format!("{total} calls of three kinds, with their bytes{rest}"))
}

/// The threads of `crowd` and the bytes that each gets.
fn crowd(recording: &Recording<'_>) -> Result<[u64; 3]> {
    let said = numbers(recording, "crowd")?;
    said.try_into().map_err(|said| anyhow!("crowd said {said:?}"))
}

/// How many different threads facts are of.
fn threads(facts: &[&Value]) -> Result<usize> {
    let tids = facts.iter().map(|fact| number(fact, "tid"));
    Ok(tids.collect::<Result<BTreeSet<u64>>>()?.len())
}

/// Each of many threads that wait in read(2) at once is seen to come back.
pub fn crowd_of_readers(recording: &Recording<'_>, _: &Value) -> Result<String> {
    let [pid, count, bytes] = crowd(recording)?;
    let facts = recording.facts("io")?;
    let reads: Vec<&Value> = facts
        .iter()
        .filter(|fact| {
            fact["tgid"] == pid && fact["nr_name"] == "read" && fact["kind_name"] == "socket"
        })
        .collect();
    let (found, threads) = (reads.len() as u64, threads(&reads)? as u64);
    ensure!((found, threads) == (count, count), "{found} reads of {threads} threads, not {count}");
    for read in reads {
        ensure!(read["bytes"] == bytes && read["flags"] == 0, "not {bytes} bytes: {read}");
    }
    Ok(format!("{found} threads waited in read at once"))
}

/// Each of many threads that wait in accept(2) at once owns its connection.
pub fn crowd_of_accepts(recording: &Recording<'_>, tcp: &Value) -> Result<String> {
    let [pid, count, bytes] = crowd(recording)?;
    let facts = recording.facts("tcp_connection")?;
    let accepted: Vec<&Value> =
        facts.iter().filter(|fact| fact["tgid"] == pid && fact["owner_name"] == "accept").collect();
    let (found, threads) = (accepted.len() as u64, threads(&accepted)? as u64);
    ensure!(threads == found, "{found} accepted by {threads} threads");
    ensure!(found <= count, "{found} accepted, not {count}");
    let without = (found..count).map(|_| format!("one of {count} without who accepted it"));
    let rest = passed_over(recording, "tcp", &without.collect::<Vec<_>>())?;
    let summary = &tcp["summary"];
    let both = (number(summary, "active")?, number(summary, "passive")?);
    ensure!(both == (count, count), "{both:?} connections, not {count} on each side");
    let sent = number(summary, "sent_bytes")?;
    ensure!(sent == count * bytes, "{sent} bytes sent, not {count} times {bytes}");
    Ok(format!("{found} threads waited in accept at once, and own what they got{rest}"))
}

/// Connections of two processes, by IPv4 and IPv6, with owners and bytes.
pub fn connections(recording: &Recording<'_>, tcp: &Value) -> Result<String> {
    const COUNT: usize = 97;
    let all = tcp["connections"].as_array().context("no connections")?;
    ensure!(all.len() == 2 * COUNT, "{} connections, not {COUNT} on each side", all.len());
    for (who, direction, owner) in
        [("client", "active", "connect"), ("server", "passive", "accept")]
    {
        // Who, pid, connections, how many, sent, bytes, received, bytes.
        let lines = recording.said(who);
        let words = lines.first().with_context(|| format!("{who} said nothing"))?;
        let [pid, sent, received] = [parse(words[1])?, parse(words[5])?, parse(words[7])?];
        let of: Vec<&Value> = all.iter().filter(|row| row["pid"] == pid).collect();
        ensure!(of.len() == COUNT, "{} connections of the {who}", of.len());
        for row in &of {
            ensure!(row["direction"] == direction && row["owner"] == owner, "{who}: {row}");
            let bytes = (number(row, "sent_bytes")?, number(row, "received_bytes")?);
            // A FIN counts as a byte received, but where it found nothing but a socket that waited
            // for it (FIN_WAIT2, which the kernel leaves to a small one in its place).
            let fin = u64::from(row["state"] != "fin_wait2" || bytes.1 != received);
            ensure!(bytes == (sent, received + fin), "not {sent} and {received} bytes: {row}");
            ensure!(row["outcome"] == "closed", "{who}: {row}");
        }
        let v6 = of.iter().filter(|row| {
            row["remote"].as_str().is_some_and(|remote| remote.starts_with("[::1]:"))
        });
        ensure!(v6.count() == COUNT / 7, "connections of the {who} by IPv6");
    }
    Ok(format!("{COUNT} connections on each side, with owners and bytes"))
}

/// Streams of an HTTP/2 connection, on both of its sides.
pub fn streams(recording: &Recording<'_>, h2: &Value) -> Result<String> {
    let said = numbers(recording, "streams")?;
    let [client, server, count] = said.try_into().map_err(|said| anyhow!("{said:?}"))?;
    let (facts, connections) = (recording.facts("h2_stream")?, recording.facts("h2_connection")?);
    for (pid, role) in [(client, "client"), (server, "server")] {
        let of = facts.iter().filter(|fact| {
            let complete = fact["path_text"] == "/" && fact["status"] == 200;
            fact["tgid"] == pid && fact["role_name"] == role && complete
        });
        let found = of.count() as u64;
        ensure!(found == count, "{found} streams of the {role}, not {count}");
        let connection = connections.iter().find(|fact| fact["tgid"] == pid);
        let connection = connection.with_context(|| format!("no connection of the {role}"))?;
        let ended = connection["role_name"] == role && connection["end_reason_name"] == "closed";
        ensure!(ended, "not closed by the {role}: {connection}");
    }
    let all = (number(h2, "streams")?, number(h2, "streams_complete")?);
    ensure!(all == (2 * count, 2 * count), "{all:?} streams, not {count} on each side");
    Ok(format!("{count} streams on each side, with path and status"))
}

/// Waits in futex(2), those that time out and those that are ended by a wake.
pub fn futex_waits(recording: &Recording<'_>, _: &Value) -> Result<String> {
    let facts = recording.facts("futex_wait")?;
    let count = |tid: u64, result: &str| {
        let of = facts.iter().filter(|fact| fact["tid"] == tid && fact["result_name"] == result);
        of.collect::<Vec<_>>()
    };
    let (timed, woken) = (numbers(recording, "timed")?, numbers(recording, "woken")?);
    let found = count(timed[0], "timed_out").len() as u64;
    ensure!(found == timed[1], "{found} waits timed out, not {}", timed[1]);
    let ended = count(woken[0], "woken");
    ensure!(ended.len() as u64 == woken[1], "{} waits woken, not {}", ended.len(), woken[1]);
    for fact in ended {
        ensure!(fact["waker"] == woken[2], "not woken by {}: {fact}", woken[2]);
    }
    Ok(format!("{found} waits timed out, {} woken by who did it", woken[1]))
}

/// Context switches and page faults of a process are those that wait4(2) tells of it.
pub fn counters(recording: &Recording<'_>, answer: &Value) -> Result<String> {
    let lines = recording.said("child");
    let words = lines.first().context("no child")?;
    // Who, pid, touched, sleeps, moves, switches of both kinds, faults of both kinds, ..
    let pid = parse(words[1])?;
    let expected = [parse(words[5])?, parse(words[7])? + parse(words[8])?];
    let row = row(answer, "processes", "pid", &json!(pid))?;
    let found = [number(row, "voluntary_switches")?, number(row, "page_faults")?];
    ensure!(found == expected, "{found:?} switches and faults, {expected:?} by wait4");
    Ok(format!("{} voluntary switches, {} page faults: as wait4", found[0], found[1]))
}

/// Page faults are those of getrusage(2), and as many as pages were touched.
pub fn faults(recording: &Recording<'_>, mem: &Value) -> Result<String> {
    let stacks = mem["stacks"].as_array().context("no stacks")?;
    let mut totals = Vec::new();
    for (part, function, key, at) in
        [("minor", "touch_memory", "minor_faults", 2), ("major", "touch_file", "major_faults", 3)]
    {
        let said = numbers(recording, part)?;
        let (touched, counted) = (said[1], said[at]);
        ensure!(touched == counted, "{part}: {touched} pages touched, {counted} by getrusage");
        let below = stacks.iter().filter(|row| {
            row["stack"].as_str().is_some_and(|stack| stack.ends_with(&format!(";{function}")))
        });
        let found = below.map(|row| number(row, key)).sum::<Result<u64>>()?;
        ensure!(found == touched, "{part}: {found} faults in {function}, not {touched}");
        totals.push(found);
    }
    Ok(format!("{} minor and {} major faults: as getrusage", totals[0], totals[1]))
}
