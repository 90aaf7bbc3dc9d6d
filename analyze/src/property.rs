//! The property that every report has: how a trace is cut changes nothing.

use clap::Command;
use ktape_format::Trace;

use crate::export::{Of, StackExport};
use crate::query::FilterArgs;
use crate::render::{Style, csv, folded, json, text};
use crate::reports::REPORTS;
use crate::run::{Entry, Query, run};
use crate::testing::busy;

/// All ways to ask a report that differ in more than a number: one per value of each `--by`.
fn flags(entry: &Entry) -> Vec<Vec<String>> {
    let mut all = vec![vec![]];
    for arg in entry.command().get_arguments() {
        let Some(long) = arg.get_long() else { continue };
        for value in arg.get_possible_values() {
            if arg.get_action().takes_values() {
                all.push(vec![format!("--{long}"), value.get_name().to_owned()]);
            }
        }
    }
    if entry.name == "facts" {
        let more = [
            "--by tid",
            "--by waker,state --histogram",
            "--every 100us --count",
            "--by host,ustack,kstack --percentile 50,99",
            "--by state,kstack --every 500us --percentile 99.9 --histogram --at-least 3",
        ];
        all.extend(more.map(|words| words.split(' ').map(str::to_owned).collect()));
    }
    all
}

fn answer(entry: &Entry, flags: &[String], trace: &Trace, query: &Query) -> Vec<u8> {
    let arguments = std::iter::once("report".to_owned()).chain(flags.iter().cloned());
    let matches = entry.augment(Command::new("report")).get_matches_from(arguments);
    let answer = entry.run(&matches, trace, query).expect("an answer");
    [json(&answer), csv(&answer), text(&answer, Style::Plain), folded(&answer)].concat()
}

fn queries() -> Vec<FilterArgs> {
    let time = FilterArgs { time: Some("100us,600us".into()), ..FilterArgs::default() };
    let who = FilterArgs {
        pid: vec![104, 112],
        comm: vec!["*re*".into(), "!thread-2".into()],
        cpu: vec!["0".into()],
        ..FilterArgs::default()
    };
    let long = FilterArgs {
        tid: vec![101, 105, 113],
        min_duration: Some("1us".into()),
        ..FilterArgs::default()
    };
    vec![FilterArgs::default(), time, who, long]
}

#[test]
fn however_a_trace_is_cut_the_answer_is_the_same() {
    for seed in 0..3 {
        let tape = busy(seed, 700);
        let (whole, cuts) = (tape.trace(), [tape.cut(seed * 2 + 1), tape.cut(seed * 2 + 2)]);
        for entry in REPORTS {
            for flags in flags(entry) {
                for filter in queries() {
                    let query = |threads| Query { filter: filter.clone(), threads };
                    let expected = size_free(answer(entry, &flags, &whole, &query(1)));
                    for cut in &cuts {
                        for threads in 1..=3 {
                            let found = size_free(answer(entry, &flags, cut, &query(threads)));
                            assert!(found == expected, "{} {flags:?} {filter:?}", entry.name);
                        }
                    }
                }
            }
        }
    }
}

/// Without the lines that tell how large the file is, which cutting may change.
fn size_free(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).expect("renderers write UTF-8");
    let lines =
        text.lines().filter(|line| !line.contains("size_bytes") && !line.contains("file size"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn exports_do_not_depend_on_the_cut_either() {
    let tape = busy(5, 900);
    for of in [Of::Cpu, Of::Offcpu] {
        let lines = |trace: &Trace, threads| {
            let query = Query { threads, ..Query::default() };
            folded(&run(&StackExport { of }, trace, &query).expect("an answer"))
        };
        let expected = lines(&tape.trace(), 1);
        assert!(!expected.is_empty());
        for (seed, threads) in [(1, 1), (2, 2), (3, 3)] {
            assert_eq!(lines(&tape.cut(seed), threads), expected);
        }
    }
}

#[test]
fn every_file_in_reports_is_in_the_list() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reports");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of the reports")
        .filter_map(|entry| {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            name.strip_suffix(".rs").map(str::to_owned)
        })
        .filter(|name| name != "mod")
        .collect();
    let mut listed: Vec<String> = REPORTS.iter().map(|entry| entry.name.to_owned()).collect();
    files.sort_unstable();
    listed.sort_unstable();
    assert_eq!(files, listed);
}

#[test]
fn every_report_explains_itself() {
    for entry in REPORTS {
        assert!(entry.command().get_about().is_some(), "{} has no help", entry.name);
    }
}
