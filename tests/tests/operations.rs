//! Traces made of traces: parts become whole again, and hosts stay apart. Over all samples and all
//! reports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ktape_analyze::reports::REPORTS;
use ktape_format::{Batch, Decoder, Options, Trace, Writer};
use ktape_tests::facts::{self, report, texts};
use ktape_tests::made::{each_sample, made, text};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::Folder;
use ktape_tests::samples;
use serde_json::Value as Json;

/// One trace of several.
#[track_caller]
fn merged(parts: &[&Path], folder: &Folder) -> PathBuf {
    let path = folder.file("merged.ktape");
    let parts: Vec<&str> = parts.iter().map(|part| text(part)).collect();
    Ran::ktape(&[&["merge", "-o", text(&path)], &parts[..]].concat()).expect(0);
    Ran::on(&path, &["verify"]).expect(0);
    path
}

/// An answer without the lines that tell how large the file is.
fn answer(trace: &Path, args: &[&str]) -> String {
    let said = Ran::on(trace, args).expect(0).text();
    let lines =
        said.lines().filter(|line| !line.contains("file size") && !line.contains("size_bytes"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Everything that is asked of two traces that must not differ.
fn same_answers(what: &str, found: &Path, expected: &Path) {
    for entry in REPORTS {
        for format in ["text", "json", "csv"] {
            let args = ["report", entry.name, "--format", format];
            let same = answer(found, &args) == answer(expected, &args);
            assert!(same, "{what}: report {} --format {format}", entry.name);
        }
    }
    for args in [&["script", "--format", "json"][..], &["export", "folded", "--of", "offcpu"]] {
        let (found, expected) = (answer(found, args), answer(expected, args));
        let differ = found.lines().zip(expected.lines()).find(|(a, b)| a != b);
        assert!(found == expected, "{what}: {args:?}: {differ:?}");
    }
}

/// Nanoseconds from the start to the end of a recording.
fn length(sample: &Path) -> u64 {
    report(sample, &["offcpu"])["window"]["to_ns"].as_u64().expect("a length")
}

#[test]
fn parts_by_time_become_whole_again() {
    each_sample(|name, folder| {
        let whole = samples::path(name);
        let end = length(&whole);
        let (a, b) = (end / 3, end / 3 * 2);
        let part = |name: &str, time: &str| made("trim", &whole, folder, name, &["--time", time]);
        let first = part("1.ktape", &format!(",{a}ns"));
        let second = part("2.ktape", &format!("{a}ns,{b}ns"));
        let third = part("3.ktape", &format!("{b}ns,"));
        // Cut at the very end of a fact, which only one of both may have.
        let trace = Trace::open(&whole).expect("the sample");
        let mut ends = facts::rows(&trace, "off_cpu", ["end"]);
        ends.sort_unstable();
        if let Some([at]) = ends.get(ends.len() / 2) {
            let at = at - trace.meta().start.mono;
            let before = part("before.ktape", &format!(",{at}ns"));
            let after = part("after.ktape", &format!("{at}ns,"));
            same_answers(name, &merged(&[&before, &after], folder), &whole);
        }
        // In any order, and of parts of parts.
        same_answers(name, &merged(&[&third, &first, &second], folder), &whole);
        let half = format!("{}ns", end / 2);
        let time = [format!(",{half}"), format!("{half},")];
        let left = made("trim", &second, folder, "left.ktape", &["--time", &time[0]]);
        let right = made("trim", &second, folder, "right.ktape", &["--time", &time[1]]);
        same_answers(name, &merged(&[&left, &first, &third, &right], folder), &whole);
    });
}

#[test]
fn parts_by_record_become_whole_again() {
    each_sample(|name, folder| {
        let whole = samples::path(name);
        let trace = Trace::open(&whole).expect("the sample");
        let facts: Vec<String> = trace
            .meta()
            .schema
            .iter()
            .filter(|record| trace.chunks().iter().any(|chunk| chunk.record == record.id))
            .filter(|record| record.class == 1)
            .map(|record| record.name.clone())
            .collect();
        let parts: Vec<PathBuf> = facts
            .iter()
            .map(|fact| made("trim", &whole, folder, fact, &["--record", fact]))
            .collect();
        let parts: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
        same_answers(name, &merged(&parts, folder), &whole);
    });
}

/// A JSON answer without what tells that, or how, a trace is a part.
fn plain(mut answer: Json) -> Json {
    let notes = answer["notes"].as_array_mut().expect("notes");
    notes.retain(|note| !note["text"].as_str().is_some_and(|text| text.contains("was trimmed")));
    answer
}

/// Process, thread and name of the thread that waited longest.
fn longest(trace: &Path) -> [String; 3] {
    let row = report(trace, &["offcpu", "--by", "thread"])["threads"][0].clone();
    let number =
        |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("{key} of {row}")).to_string();
    [number("pid"), number("tid"), row["comm"].as_str().expect("a name").to_owned()]
}

#[test]
fn a_part_answers_as_the_whole_does_with_the_same_filters() {
    each_sample(|name, folder| {
        let whole = samples::path(name);
        let end = length(&whole);
        let time = format!("{}ns,{}ns", end / 4, end / 5 * 4);
        let mut filters: Vec<Vec<String>> =
            [["--time", &*time], ["--cpu", "0"], ["--min-duration", "100us"]]
                .map(|filter| filter.map(str::to_owned).to_vec())
                .to_vec();
        // Reports are many; what threads are chosen by is the same code for all samples.
        if ["waits", "calls", "pgbench"].contains(&name) {
            let [pid, tid, comm] = longest(&whole);
            let but = format!("!{comm}");
            let chosen = [("--pid", pid), ("--tid", tid), ("--comm", comm), ("--comm", but)];
            filters.extend(chosen.map(|(option, value)| vec![option.to_owned(), value]));
        }
        for filter in &filters {
            let filter: Vec<&str> = filter.iter().map(String::as_str).collect();
            let part = made("trim", &whole, folder, "part.ktape", &filter);
            // The overview tells the rows of the file; a part of some names has those, too, that its
            // threads descend from and were woken by.
            let is_other =
                |name: &str| name == "overview" || (name == "tree" && filter[0] == "--comm");
            for entry in REPORTS.iter().filter(|entry| !is_other(entry.name)) {
                let of_part = report(&part, &[entry.name]);
                let told = of_part["notes"].to_string().contains("was trimmed");
                assert!(told, "{name}: nobody may take a part for the whole");
                let asked = [&[entry.name], &filter[..]].concat();
                let same = plain(of_part) == report(&whole, &asked);
                assert!(same, "{name}: report {} {filter:?}", entry.name);
            }
        }
    });
}

#[test]
fn a_part_of_some_processes_has_them_and_those_that_they_name() {
    let (folder, whole) = (Folder::new(), samples::path("pgbench"));
    let part = made("trim", &whole, &folder, "part.ktape", &["--comm", "pgbench"]);
    let rows = |trace: &Path, args: &[&str]| report(trace, args)["processes"].clone();
    let by = ["offcpu", "--by", "process"];
    let asked = [&by[..], &["--comm", "pgbench"]].concat();
    assert_eq!(rows(&part, &by), rows(&whole, &asked));
    // Its ancestors, and postgres, which woke it; nobody else.
    let tree = Ran::on(&part, &["report", "tree"]).expect(0).text();
    assert!(tree.contains("runuser") && tree.contains("pgbench") && tree.contains("postgres"));
    let dangling = Ran::on(&part, &["verify"]).expect(0).text();
    assert!(dangling.contains("nothing is wrong"), "{dangling}");
    let strings = |trace: &Path| texts(&Trace::open(trace).expect("a trace")).len();
    assert!(strings(&part) < strings(&whole), "texts that nothing names are gone");
}

/// A copy of a trace as if another host had recorded it, whose clocks are others.
fn elsewhere(of: &Path, to: &Path, hostname: &str, later: u64) {
    let trace = Trace::open(of).expect("a trace");
    let mut meta = trace.meta().clone();
    hostname.clone_into(&mut meta.host.hostname);
    meta.host.boot_id = format!("boot of {hostname}");
    meta.start.realtime += later;
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).expect("a header");
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let schema = trace.record_by_id(chunk.record).expect("a record");
        let columns: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
        decoder.read(&trace, index, &columns, &mut batch).expect("a chunk");
        if schema.name == "clock" {
            let at = columns.iter().position(|name| *name == "realtime").expect("a field");
            assert!(batch.update(at, |time| time + later));
        }
        writer.columns(schema, chunk.ring, &batch).expect("written to memory");
    }
    std::fs::write(to, writer.finish().expect("written to memory").0).expect("a file");
}

/// Rows of a table without the members that `without` names, in any order.
fn rows(answer: &Json, table: &str, without: &[&str]) -> Vec<String> {
    let rows = answer[table].as_array().unwrap_or_else(|| panic!("no {table} in {answer}"));
    let mut rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let mut row = row.as_object().expect("a row").clone();
            without.iter().for_each(|key| drop(row.remove(*key)));
            Json::Object(row).to_string()
        })
        .collect();
    rows.sort_unstable();
    rows
}

#[test]
fn hosts_are_kept_apart() {
    let seen = Mutex::new(BTreeSet::new());
    each_sample(|name, folder| {
        let (here, there) = (samples::path(name), folder.file("there.ktape"));
        let second = 1_000_000_000;
        elsewhere(&here, &there, "elsewhere", second);
        let both = merged(&[&here, &there], folder);
        let host = Trace::open(&here).expect("the sample").meta().host.hostname.clone();
        let single = report(&here, &["offcpu", "--by", "thread"]);
        let apart = report(&both, &["offcpu", "--by", "thread"]);
        // The same threads twice, each with its numbers and times; shares are of both.
        let skip = ["host", "start_ns", "percentage"];
        let once = rows(&single, "threads", &skip);
        let mut twice = [once.clone(), once.clone()].concat();
        twice.sort_unstable();
        assert_eq!(rows(&apart, "threads", &skip), twice, "{name}");
        for (host, shift) in [(&*host, 0), ("elsewhere", second as i64)] {
            let args = ["offcpu", "--by", "thread", "--host", host];
            let one = report(&both, &args);
            assert_eq!(rows(&one, "threads", &["host", "start_ns"]), {
                rows(&single, "threads", &["start_ns"])
            });
            let starts = |answer: &Json, by: i64| {
                let rows = answer["threads"].as_array().expect("rows").iter();
                rows.filter_map(|row| Some(row["start_ns"].as_i64()? + by)).collect::<Vec<_>>()
            };
            assert_eq!(starts(&one, 0), starts(&single, shift), "{name}: clocks are aligned");
        }
        // Other numbers that only mean something at home, and the count of all facts.
        for (args, table) in [
            (&["tcp", "--by", "connection"][..], "connections"),
            (&["io", "--by", "file"], "files"),
            (&["locks", "--by", "lock"], "kernel_locks"),
        ] {
            let (single, apart) = (report(&here, args), report(&both, args));
            let count = |answer: &Json| answer[table].as_array().map_or(0, Vec::len);
            assert_eq!(count(&apart), 2 * count(&single), "{name}: {args:?}");
            if count(&single) > 0 {
                seen.lock().expect("no panic").insert(table);
            }
        }
        let only = made("trim", &both, folder, "only.ktape", &["--host", "elsewhere"]);
        let of_one = report(&only, &["offcpu", "--by", "thread"]);
        assert_eq!(rows(&of_one, "threads", &[]), {
            let args = ["offcpu", "--by", "thread", "--host", "elsewhere"];
            rows(&report(&both, &args), "threads", &[])
        });
        assert!(of_one["notes"].to_string().contains("host elsewhere"), "{name}: it is a part");
        // And cut in two again, parts of it become whole.
        let middle = length(&both) / 2;
        let part = |name: &str, time: String| made("trim", &both, folder, name, &["--time", &time]);
        let left = part("left.ktape", format!(",{middle}ns"));
        let right = part("right.ktape", format!("{middle}ns,"));
        let whole = folder.file("whole.ktape");
        std::fs::rename(&both, &whole).expect("a file");
        same_answers(name, &merged(&[&left, &right], folder), &whole);
    });
    // Twice nothing is nothing.
    let seen: Vec<&str> = seen.into_inner().expect("no panic").into_iter().collect();
    assert_eq!(seen, ["connections", "files", "kernel_locks"]);
}

#[test]
fn recordings_of_one_boot_are_of_one_host() {
    let folder = Folder::new();
    let traces = [samples::path("calls"), samples::path("waits")];
    let both = merged(&[&traces[0], &traces[1]], &folder);
    for (by, table) in [("process", "processes"), ("thread", "threads")] {
        let skip = ["start_ns", "percentage"];
        let args = ["offcpu", "--by", by];
        let mut apart: Vec<String> =
            traces.iter().flat_map(|trace| rows(&report(trace, &args), table, &skip)).collect();
        apart.sort_unstable();
        assert_eq!(rows(&report(&both, &args), table, &skip), apart);
    }
    // What was produced and lost adds up, though each recorder began at zero.
    let produced = |trace: &Path| -> u64 {
        let info = Ran::on(trace, &["info", "--format", "json"]).expect(0).json();
        let records = info["records"].as_array().expect("records");
        records.iter().filter_map(|row| row["produced"].as_u64()).sum()
    };
    assert_eq!(produced(&both), produced(&traces[0]) + produced(&traces[1]));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let (folder, whole) = (Folder::new(), samples::path("waits"));
    let out = folder.file("out.ktape");
    let refused = |args: &[&str], code: i32, word: &str| {
        let ran = Ran::ktape(args).expect(code);
        assert!(ran.stderr.contains(word), "`{word}` in: {}", ran.stderr);
        assert!(!out.exists(), "nothing is left half");
    };
    let sample = text(&whole);
    let to = ["-o", text(&out)];
    refused(&[&["merge", sample, sample], &to[..]].concat(), 1, "count twice");
    let part = made("trim", &whole, &folder, "part.ktape", &["--time", "100ms,200ms"]);
    refused(&[&["merge", sample, text(&part)], &to[..]].concat(), 1, "count twice");
    let of = made("trim", &whole, &folder, "of.ktape", &["--time", "200ms,", "--cpu", "0"]);
    refused(&[&["merge", text(&part), text(&of)], &to[..]].concat(), 1, "cut by time");
    refused(&["merge", sample, "-o", sample], 1, "the trace itself");
    let trim = ["trim", "-i", sample, "-o", text(&out)];
    refused(&[&trim[..], &["--time", "1ms,1ms"]].concat(), 2, "holds nothing");
    refused(&[&trim[..], &["--record", "nonsense"]].concat(), 2, "off_cpu");
    refused(&[&trim[..], &["--probe", "nonsense"]].concat(), 2, "sched");
    refused(&["report", "--host", "nonsense", "-i", sample], 2, "no such host");
    refused(&["redact", "-i", sample], 2, "--output");
    refused(
        &[&["redact", "-i", sample], &to[..], &["--write-key", text(&out)]].concat(),
        1,
        "both",
    );
    // A trace that is whole but for its place: the key goes with it.
    let (new, taken) = (folder.file("new-key"), folder.file("taken"));
    std::fs::create_dir(&taken).expect("a folder");
    let keyed = ["redact", "-i", sample, "--write-key", text(&new), "-o"];
    refused(&[&keyed[..], &[text(&taken)]].concat(), 2, "folder");
    let beyond = taken.join("nowhere").join("x.ktape");
    refused(&[&keyed[..], &[text(&beyond)]].concat(), 1, "nowhere");
    assert!(!new.exists(), "no key without a trace");
    let short = folder.file("short");
    std::fs::write(&short, "secret").expect("a file");
    let keyed = ["--key-file", text(&short)];
    refused(&[&["redact", "-i", sample], &to[..], &keyed].concat(), 1, "at least 16");
    let notes = folder.file("notes");
    std::fs::write(&notes, "my notes").expect("a file");
    refused(&["trim", "-i", sample, "-o", text(&notes)], 2, "no ktape trace");
    assert_eq!(std::fs::read(&notes).expect("still there"), b"my notes");
}
