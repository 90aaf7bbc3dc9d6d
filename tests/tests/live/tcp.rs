//! TCP connections whose ends know what they did, and what the kernel counts in their namespaces.

use std::path::Path;

use crate::syscalls::check_shared;
use ktape_format::Trace;
use ktape_tests::facts::{losses, number, off_by, report, rows, rows_where};
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::recorder::{Folder, Recorder, record};
use ktape_tests::running::Running;
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::{Value, json};

/// The number behind a word of a line.
fn after(line: &[String], word: &str) -> u64 {
    let at = line.iter().position(|known| known == word);
    parse(&line[at.unwrap_or_else(|| panic!("no {word} in {line:?}")) + 1])
}

/// Records a workload with `-e tcp/SETTINGS`, which may name more probes; gives what it said.
fn recorded(trace: &Path, settings: &str, name: &str, args: &[&str]) -> String {
    let program = workload(name);
    let command = [&[program.to_str().expect("UTF-8")], args].concat();
    let probes = format!("tcp/every=100ms{settings}");
    let said = record(trace, &["-e", &probes], &command).expect(0).text();
    let file = Trace::open(trace).expect("a trace");
    for record in ["tcp_connection", "tcp_state", "tcp_sample"] {
        let (produced, lost) = losses(&file, record);
        assert_eq!(lost, 0, "{record}");
        assert_eq!(rows(&file, record, ["connection"]).len() as u64, produced, "{record}");
    }
    said
}

fn connections(trace: &Path, args: &[&str]) -> Vec<Value> {
    let answer = report(trace, &[&["tcp"], args].concat());
    answer["connections"].as_array().expect("a table").clone()
}

fn needs_tun() -> Result<(), NotRun> {
    match std::fs::File::open("/dev/net/tun") {
        Ok(_) => Ok(()),
        Err(error) => Err(NotRun(format!("/dev/net/tun: {error} (kernel module tun)"))),
    }
}

pub(crate) fn loss_and_delay() -> Result<(), NotRun> {
    needs_tun()?;
    needs_program("ss", "iproute2")?;
    let folder = Folder::new();
    let trace = folder.file("path.ktape");
    // Every 41st data segment is dropped, each packet takes 5 ms.
    let said = recorded(&trace, "/", "tcp_path", &["1000003", "41", "5000"]);
    let line = |what: &str| lines(&said, what)[0].clone();
    let (client, server, path) = (line("client"), line("server"), line("path"));
    let pid = |line: &[String]| parse(&line[1]);
    let all = connections(&trace, &[]);
    assert_eq!(all.len(), 3, "{all:?}");

    let of = |pid: u64, outcome: &str| {
        let mut found =
            all.iter().filter(|row| row["pid"] == json!(pid) && row["outcome"] == json!(outcome));
        found.next().unwrap_or_else(|| panic!("no connection of {pid} is {outcome}")).clone()
    };
    let ours = of(pid(&client), "closed");
    let theirs = of(pid(&server), "closed");
    assert_eq!((&ours["owner"], &theirs["owner"]), (&json!("connect"), &json!("accept")));
    assert_eq!(ours["local"], json!(format!("10.71.0.1:{}", after(&client, "port"))));
    assert_eq!(ours["local"], theirs["remote"]);
    assert_eq!(theirs["local"], json!("10.71.0.2:7919"));

    // What was sent and not a second time is what the client wrote; SYN and FIN count as acknowledged,
    // a FIN as received.
    let (sent, received) = (after(&client, "sent"), after(&client, "received"));
    let again = number(&ours, "lifetime_retransmitted_bytes");
    assert_eq!(number(&ours, "sent_bytes") - again, sent);
    assert_eq!(number(&ours, "acked_bytes"), sent + 2);
    assert_eq!(number(&ours, "received_bytes"), received + 1);
    assert_eq!(number(&theirs, "received_bytes"), sent + 1);
    assert_eq!(number(&theirs, "sent_bytes"), received);

    let kernel = line("kernel");
    let segments = after(&kernel, "RetransSegs");
    let answer = report(&trace, &["tcp", "--by", "host"]);
    assert!(segments > 0);
    assert_eq!(number(&answer["summary"], "retransmitted_segments"), segments);
    assert_eq!(number(&ours, "retransmitted_segments"), segments);
    assert_eq!(
        number(&ours, "lifetime_retransmitted_bytes"),
        number(&answer["summary"], "retransmitted_bytes")
    );
    assert_eq!(after(&path, "seen_again"), segments);
    say(format!(
        "{segments} segments sent again, as the kernel counts and the path saw; {} dropped",
        after(&path, "dropped")
    ));

    // The client measured around its connect(2).
    let connect = number(&ours, "connect_ns");
    let measured = after(&client, "connect_ns");
    assert!(connect >= 10_000_000 && connect <= measured, "{connect} ns, measured {measured} ns");
    assert!(measured - connect < 2_000_000, "{connect} ns, measured {measured} ns");
    let handshake = number(&theirs, "connect_ns");
    assert!((10_000_000..=connect + 2_000_000).contains(&handshake), "{handshake} ns");
    say(format!(
        "connect {connect} ns, the client's clock {measured} ns, handshake {handshake} ns"
    ));

    // Nothing was carried between what ss said and the end of the wait after it.
    let info = line("tcp_info");
    let ss = lines(&said, "ss").into_iter().flatten().find_map(|word| {
        let rtt = word.strip_prefix("rtt:")?.split('/').next()?.parse::<f64>().ok()?;
        Some((rtt * 1000.0) as u64)
    });
    let ss = ss.expect("ss tells the rtt");
    let file = Trace::open(&trace).expect("a trace");
    let id = number(&ours, "connection");
    let mut samples: Vec<[u64; 3]> = rows(&file, "tcp_sample", ["time", "srtt_us", "connection"]);
    samples.retain(|row| row[2] == id);
    samples.sort_unstable();
    assert!(samples.len() >= 10, "{} samples", samples.len());
    let last = samples[samples.len() - 1][1];
    say(format!("srtt {last} us, ss {ss} us, TCP_INFO {} us", after(&info, "rtt_us")));
    assert!(off_by(last, ss) <= 10.0 && off_by(last, after(&info, "rtt_us")) <= 10.0);
    assert_eq!(number(&ours, "samples"), samples.len() as u64);

    let refused = of(pid(&line("refused")), "connect_failed");
    assert_eq!(refused["error"], json!("ECONNREFUSED"));
    assert_eq!(refused["remote"], json!("10.71.0.2:7921"));
    assert_eq!(after(&line("refused"), "error"), 111);
    Ok(())
}

/// The rows of one process, with how it is known.
fn of_process(all: &[Value], pid: u64, direction: &str, owner: &str) -> Vec<Value> {
    let mut found: Vec<Value> =
        all.iter().filter(|row| row["pid"] == json!(pid)).cloned().collect();
    found.retain(|row| row["direction"] == json!(direction) && row["owner"] == json!(owner));
    found
}

fn short_lived(settings: &str, owner: &str) {
    let folder = Folder::new();
    let trace = folder.file("short.ktape");
    let said = recorded(&trace, settings, "tcp_sockets", &["short", "97"]);
    let accepts = !settings.contains("accept=off");
    check_shared(&trace, "tcp", accepts && settings.contains(",io,"));
    let all = connections(&trace, &["--top", "0"]);
    for (who, direction, how) in [("client", "active", "connect"), ("server", "passive", owner)] {
        let line = &lines(&said, who)[0];
        let found = of_process(&all, parse(&line[1]), direction, how);
        assert_eq!(found.len() as u64, after(line, "connections"), "{who} of {}", all.len());
        let (sent, received) = (after(line, "sent"), after(line, "received"));
        for row in &found {
            assert_eq!(number(row, "sent_bytes"), sent, "{row}");
            assert_eq!(number(row, "received_bytes"), received + 1, "{row}");
            assert_eq!(row["outcome"], json!("closed"), "{row}");
        }
        let v6 = found.iter().filter(|row| {
            row["remote"].as_str().is_some_and(|remote| remote.starts_with("[::1]:"))
        });
        assert_eq!(v6.count(), 13, "{who}");
    }
    assert_eq!(all.len(), 2 * 97);
    say(format!("97 connections on each side, 13 by IPv6, each with its process ({owner})"));
}

pub(crate) fn processes() -> Result<(), NotRun> {
    short_lived("/", "accept");
    Ok(())
}

pub(crate) fn together() -> Result<(), NotRun> {
    short_lived("/,io,locks,syscalls", "accept");
    Ok(())
}

pub(crate) fn closers() -> Result<(), NotRun> {
    short_lived(",accept=off/", "close");
    short_lived(",accept=off/,io,locks,syscalls", "close");
    Ok(())
}

pub(crate) fn full_queue() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("queue.ktape");
    let said = recorded(&trace, "/", "tcp_sockets", &["queue", "11"]);
    let answer = report(&trace, &["tcp"]);
    let line = &lines(&said, "listener")[0];
    let listener = rows_where(&answer, "listeners", "pid", &json!(parse(&line[1])))[0];
    assert_eq!(listener["local"], json!(format!("127.0.0.1:{}", after(line, "port"))));
    // One more than the limit is let in.
    assert_eq!(number(listener, "max_backlog"), 3);
    assert_eq!(number(listener, "most_backlog"), 4);
    assert!(number(listener, "full_samples") >= 5, "{listener}");
    let kernel = &lines(&said, "kernel")[0];
    let syns = rows_where(&answer, "retransmits", "kind", &json!("syn"))[0];
    assert_eq!(number(syns, "segments"), after(kernel, "RetransSegs"));
    assert_eq!(number(&answer["summary"], "retransmitted_segments"), after(kernel, "RetransSegs"));
    // Counted since the namespace was first seen.
    let counters = &answer["counters"][0];
    assert!(number(counters, "listen_overflows") <= after(kernel, "ListenOverflows"));
    assert!(number(counters, "listen_overflows") > 0, "{answer}");
    say(format!(
        "a queue of 4 at a limit of 3 in {} of {} samples; {} SYNs sent again, as the kernel counts",
        number(listener, "full_samples"),
        number(listener, "samples"),
        number(syns, "segments")
    ));
    Ok(())
}

pub(crate) fn aborts() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("abort.ktape");
    let said = recorded(&trace, "/", "tcp_sockets", &["abort", "43"]);
    let answer = report(&trace, &["tcp", "--by", "host"]);
    let summary = &answer["summary"];
    let kernel = &lines(&said, "kernel")[0];
    assert_eq!(after(kernel, "OutRsts"), 43);
    assert_eq!((number(summary, "aborted"), number(summary, "reset_by_peer")), (43, 43));
    let count = |way: &str| -> u64 {
        let found = rows_where(&answer, "resets", "direction", &json!(way));
        found.into_iter().map(|row| number(row, "count")).sum()
    };
    assert_eq!((count("sent"), count("received")), (43, 43), "{answer}");
    let reasons: Vec<&str> = rows_where(&answer, "resets", "direction", &json!("sent"))
        .into_iter()
        .filter_map(|row| row["reason"].as_str())
        .collect();
    say(format!("43 resets sent and received; sent for {reasons:?}"));
    Ok(())
}

pub(crate) fn refusals() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("refused.ktape");
    let program = workload("tcp_sockets");
    // The whole host: a RST that answers for no socket is of no process.
    let command = [program.to_str().expect("UTF-8"), "refused", "59"];
    let said = record(&trace, &["-a", "-e", "tcp"], &command).expect(0).text();
    let line = &lines(&said, "refused")[0];
    assert_eq!(after(&lines(&said, "kernel")[0], "OutRsts"), 59);
    let answer = report(&trace, &["tcp", "--by", "host"]);
    let port = json!(format!("127.0.0.1:{}", after(line, "port")));
    let failed = rows_where(&answer, "failed_connects", "remote", &port)[0];
    assert_eq!(failed["error"], json!("ECONNREFUSED"));
    assert_eq!(number(failed, "count"), 59);
    // Those without a socket are seen by kernels that have a reason for them (6.10).
    let reasons = rows_where(&answer, "resets", "reason", &json!("no_socket"));
    let strays: u64 = reasons.iter().map(|row| number(row, "without_socket")).sum();
    say(format!("59 connects refused, {strays} RSTs without a socket"));
    assert!(strays == 0 || strays >= 59, "{answer}");
    Ok(())
}

pub(crate) fn zero_window() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("zero.ktape");
    let said = recorded(&trace, "/", "tcp_sockets", &["zero", "3000017"]);
    let line = &lines(&said, "reader")[0];
    let (bytes, all) = (after(line, "bytes"), connections(&trace, &[]));
    let reader = &of_process(&all, parse(&line[1]), "passive", "accept")[0];
    let writer = &of_process(&all, after(line, "writer"), "active", "connect")[0];
    assert_eq!(number(reader, "received_bytes"), bytes + 1);
    assert_eq!(
        number(writer, "sent_bytes") - number(writer, "lifetime_retransmitted_bytes"),
        bytes
    );
    assert!(after(&lines(&said, "kernel")[0], "TCPToZeroWindowAdv") > 0);
    let zero = number(reader, "zero_window_samples");
    say(format!("a window of 0 in {zero} of {} samples", number(reader, "samples")));
    assert!(zero >= 3, "{reader}");
    Ok(())
}

pub(crate) fn before() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("before.ktape");
    let mut quiet = Running::start("tcp_sockets", &["quiet"]);
    let line = quiet.line();
    let (client, server) = (after(&line, "client"), after(&line, "server"));
    let pid = format!("{client},{server}");
    let recorder = Recorder::start(&trace, &["-e", "tcp/every=100ms/", "-p", &pid]);
    quiet.go_on();
    assert_eq!(quiet.line(), ["sent", "1013"]);
    // The samples of a tenth of a second later know of it.
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    quiet.go_on();
    let all = connections(&trace, &[]);
    assert_eq!(all.len(), 2, "{all:?}");
    let own = &of_process(&all, client, "unknown", "file")[0];
    let other = &of_process(&all, server, "unknown", "file")[0];
    assert_eq!((number(own, "sent_bytes"), number(other, "received_bytes")), (1013, 1013));
    for row in [own, other] {
        assert_eq!((&row["open"], &row["began_before"]), (&json!(true), &json!(true)), "{row}");
        assert!(number(row, "samples") >= 3, "{row}");
        // Another network namespace than that of the recorder.
        let recorder = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
        assert_ne!(format!("net:[{}]", row["netns"]), recorder.to_string_lossy(), "{row}");
    }
    Ok(())
}
