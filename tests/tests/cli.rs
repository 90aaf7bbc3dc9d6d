//! The command line: exit codes, messages, help.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ktape_tests::binary::ktape;
use ktape_tests::ran::Ran;
use ktape_tests::recorder::Folder;
use ktape_tests::samples;

/// Runs `ktape` without a trace: its exit code, and words that standard error must have.
#[track_caller]
fn check(args: &[&str], code: i32, words: &[&str]) {
    let ran = Ran::ktape(args).expect(code);
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` in: {}", ran.stderr);
    }
    if code != 0 {
        assert!(ran.stdout.is_empty(), "answers only on standard output: {}", ran.text());
    }
}

fn sample() -> PathBuf {
    samples::path("waits")
}

#[test]
fn usage_errors_are_2_and_name_what_is_known() {
    check(&[], 2, &["Usage"]);
    check(&["nonsense"], 2, &["nonsense"]);
    check(&["report", "nonsense"], 2, &["nonsense", "offcpu"]);
    let trace = sample();
    let trace = trace.to_str().expect("UTF-8");
    check(&["report", trace], 2, &[&format!("-i {trace}")]);
    check(&["export", "folded", trace], 2, &[&format!("-i {trace}")]);
    check(&["diff", trace], 2, &["second trace", "--against", "--time"]);
    check(&["diff", trace, "--against", "0,1s"], 2, &["--time"]);
    check(&["diff", trace, trace, "--against", "soon"], 2, &["--against", "soon"]);
    check(&["diff", trace, trace, "--of", "nonsense"], 2, &["nonsense", "offcpu"]);
    check(&["diff", trace, trace, "--of", "cpu", "--by", "peer"], 2, &["peer", "function"]);
    check(&["diff", trace, trace, "--of", "io"], 1, &["io", "the trace before", "-e io"]);
    check(&["diff", trace, trace, "--of", "cpu,offcpu", "--folded"], 2, &["--of"]);
    check(&["record", "-e", "nonsense", "--", "true"], 2, &["nonsense", "ktape probes"]);
    check(&["record", "-e", "sched/nonsense=1/", "--", "true"], 2, &["nonsense", "stacks"]);
    check(&["record", "-e", "sched/stacks=maybe/", "--", "true"], 2, &["maybe", "long"]);
    check(&["record", "-e", "sched/stacks/", "--", "true"], 2, &["NAME=VALUE"]);
    check(&["record", "-m", "5000", "--", "true"], 2, &["power of two"]);
    check(&["record", "-d", "soon", "--", "true"], 2, &["soon"]);
    check(&["record", "--stacks", "some", "--", "true"], 2, &["some"]);
    check(&["record", "-g", "--stacks", "none", "--", "true"], 2, &["-g", "stacks=none"]);
    check(&["record", "-g", "-e", "sched/stacks=none/", "--", "true"], 2, &["-g", "sched"]);
    check(&["record", "--call-graph", "fp", "--stacks", "none"], 2, &["-g", "stacks=none"]);
    check(&["record", "--call-graph", "dwarf", "--", "true"], 2, &["dwarf", "fp"]);
    check(&["record", "-e", "sched", "-F", "99", "--", "true"], 2, &["cpu", "-e"]);
    check(&["record", "--min-duration", "sched", "--", "true"], 2, &["PROBE=DURATION"]);
    check(&["completions", "nonsense"], 2, &["nonsense", "bash"]);
}

/// What cannot be recorded together is refused before anything is recorded.
#[test]
fn files_that_contradict_each_other_are_usage_errors() {
    let refused = |args: &[&str], words: &[&str]| {
        check(&[&["record"], args, &["--", "true"]].concat(), 2, words);
    };
    refused(&["--switch-output=soon"], &["--switch-output", "100M", "10m", "signal", "soon"]);
    refused(&["--switch-output=100"], &["--switch-output", "100M"]);
    refused(&["--switch-output=0s"], &["--switch-output", "0s"]);
    refused(&["--switch-output", "-o", "-"], &["--switch-output", "-o"]);
    refused(&["--overwrite", "-o", "-"], &["--overwrite", "-o"]);
    refused(&["--overwrite", "-o", "/dev/null"], &["--overwrite", "-o"]);
    refused(&["--overwrite=much"], &["--overwrite", "30s,32M", "much"]);
    refused(&["--overwrite=4K"], &["--overwrite", "1M"]);
    refused(&["--overwrite", "--switch-output"], &["--switch-output", "--overwrite"]);
    refused(&["--overwrite", "--max-size", "1G"], &["--max-size", "--overwrite=64M"]);
    refused(&["--dump-on-stall", "1s"], &["--dump-on-stall", "--overwrite"]);
    refused(
        &["--overwrite", "--dump-on-stall", "1s", "-e", "cpu"],
        &["--dump-on-stall", "-e sched"],
    );
    refused(&["--overwrite", "--dump-on-stall", "long"], &["long"]);
    refused(&["--dump-at-end"], &["--overwrite"]);
    refused(&["--switch-max-files", "3"], &["--switch-output"]);
    refused(&["--switch-output", "--switch-max-files", "0"], &["--switch-max-files"]);
    refused(&["--sync=often"], &["often"]);
}

#[test]
fn wrong_filters_are_usage_errors_too() {
    let trace = sample();
    for args in [
        &["report", "--time", "yesterday"][..],
        &["report", "offcpu", "--min-duration", "long"],
        &["report", "offcpu", "--cpu", "a-b"],
        &["report", "offcpu", "--sort", "nonsense"],
        &["report", "offcpu", "--by", "nonsense"],
        &["report", "offcpu", "--format", "xml"],
        &["script", "--record", "nonsense"],
    ] {
        let ran = Ran::on(&trace, args).expect(2);
        let given = args[args.len() - 1];
        assert!(ran.stderr.contains(given), "`{given}` in: {}", ran.stderr);
        assert!(ran.stdout.is_empty());
    }
}

#[test]
fn files_that_cannot_be_read_are_1_with_their_name() {
    let folder = Folder::new();
    for command in [
        &["report"][..],
        &["report", "cpu"],
        &["info"],
        &["verify"],
        &["script"],
        &["export", "folded"],
    ] {
        let missing = folder.file("missing.ktape");
        let ran = Ran::on(&missing, command).expect(1);
        assert!(ran.stderr.contains("missing.ktape"), "{}", ran.stderr);
        assert!(ran.stderr.contains("No such file"), "{}", ran.stderr);
        let other = folder.file("other.ktape");
        std::fs::write(&other, b"#!/bin/sh\necho I am no trace\n").expect("a file");
        let ran = Ran::on(&other, command).expect(1);
        assert!(ran.stderr.contains("other.ktape"), "{}", ran.stderr);
        assert!(ran.stderr.contains("trace"), "{}", ran.stderr);
        let ran = Ran::on(&folder.file("."), command).expect(1);
        assert!(!ran.stderr.is_empty());
        let empty = folder.file("empty.ktape");
        std::fs::write(&empty, b"").expect("a file");
        let ran = Ran::on(&empty, command).expect(1);
        assert!(ran.stderr.contains("empty.ktape"), "{}", ran.stderr);
    }
    let mut run = Command::new(ktape());
    let ran = Ran::of(run.args(["report", "-i", "-"]), b"no trace").expect(1);
    assert!(!ran.stderr.is_empty());
}

/// What is read, and any other trace, stays what it is; anything else is replaced as a whole.
#[test]
fn nothing_writes_over_a_trace() {
    let folder = Folder::new();
    let (trace, other) = (folder.file("a.ktape"), folder.file("b.ktape"));
    let bytes = std::fs::read(sample()).expect("the sample");
    for path in [&trace, &other] {
        std::fs::write(path, &bytes).expect("a file");
    }
    let link = folder.file("link");
    std::os::unix::fs::symlink(&trace, &link).expect("a link");
    let name = |path: &PathBuf| path.to_str().expect("UTF-8").to_owned();
    let (a, b, link) = (name(&trace), name(&other), name(&link));
    for to in [&a, &b, &link] {
        check(&["export", "-i", &a, "-o", to, "folded"], 1, &["write to another file"]);
        check(&["export", "-i", &a, "-o", to, "flamegraph"], 1, &["write to another file"]);
        check(&["diff", &a, &a, "--folded", "-o", to], 1, &["write to another file"]);
    }
    for path in [&trace, &other] {
        assert!(std::fs::read(path).expect("a file") == bytes, "{}", path.display());
    }
    // A trace goes to no name that standard output has elsewhere.
    check(&["trim", "-i", &a, "-o", "-"], 2, &["-o"]);
    check(&["merge", &a, "-o", "-"], 2, &["-o"]);
    let (svg, reached) = (folder.file("x.svg"), folder.file("link.svg"));
    std::fs::write(&svg, "old").expect("a file");
    std::os::unix::fs::symlink("x.svg", &reached).expect("a link");
    check(&["export", "-i", &a, "-o", &name(&reached), "flamegraph"], 0, &[]);
    assert!(std::fs::read(&svg).expect("a file").starts_with(b"<?xml"));
    assert!(reached.is_symlink());
    check(&["export", "-i", &a, "-o", "/dev/null", "folded"], 0, &[]);
    let names = std::fs::read_dir(svg.parent().expect("a folder")).expect("it");
    assert_eq!(names.count(), 5, "nothing is left beside them");
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn a_newer_format_is_refused_by_its_version() {
    let folder = Folder::new();
    let newer = folder.file("newer.ktape");
    let mut bytes = std::fs::read(sample()).expect("the sample");
    bytes[8] = 9;
    let crc = crc32c(&bytes[..20]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&newer, &bytes).expect("a file");
    let ran = Ran::on(&newer, &["report"]).expect(1);
    assert!(
        ran.stderr.contains("newer.ktape") && ran.stderr.contains("format 9.0"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let trace = sample();
    for args in [
        &["script"][..],
        &["script", "--format", "json"],
        &["export", "flamegraph", "--of", "offcpu"],
        &["report", "--format", "json"],
    ] {
        let mut child = Command::new(ktape())
            .args(args)
            .arg("-i")
            .arg(&trace)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ktape runs");
        let mut first = [0];
        child.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("an answer");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ktape ends");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A trace against itself: nothing is slower. What is asked for in another order comes so, and goes
/// into a file as it goes to standard output.
#[test]
fn a_trace_does_not_differ_from_itself() {
    let trace = sample();
    let trace = trace.to_str().expect("UTF-8");
    let diff = |args: &[&str]| Ran::ktape(&[&["diff", trace, trace], args].concat()).expect(0);
    let answer = diff(&["--of", "offcpu", "--by", "thread", "--format", "json"]).json();
    assert_eq!((&answer["offcpu"]["slower"], &answer["offcpu"]["faster"]), (&0.into(), &0.into()));
    for row in answer["offcpu"]["groups"].as_array().expect("rows") {
        assert_eq!((&row["change_ns_per_s"], &row["ratio"]), (&0.into(), &1.0.into()), "{row}");
    }
    let sorted = diff(&["--sort", "after_per_s", "--top", "1", "--format", "csv"]).text();
    assert!(sorted.contains("change_ns_per_s,sure_percentage"), "{sorted}");
    for line in diff(&["--folded"]).text().lines() {
        let numbers: Vec<&str> = line.rsplitn(3, ' ').take(2).collect();
        assert_eq!(numbers[0], numbers[1], "{line}");
    }
    let folder = Folder::new();
    let file = folder.file("diff.svg");
    diff(&["--flamegraph", "-o", file.to_str().expect("UTF-8")]);
    let svg = std::fs::read(&file).expect("an SVG");
    assert_eq!(svg, diff(&["--flamegraph"]).stdout);
}

#[test]
fn colours_only_for_terminals_or_on_demand() {
    let colored = |args: &[&str], no_color: &str| {
        let mut run = Command::new(ktape());
        run.args(["report", "offcpu"]).args(args).arg("-i").arg(sample()).env("NO_COLOR", no_color);
        Ran::of(&mut run, &[]).expect(0).stdout.contains(&0x1b)
    };
    assert!(!colored(&[], ""));
    assert!(!colored(&["--color", "never"], ""));
    assert!(colored(&["--color", "always"], ""));
    // Asked for is asked for.
    assert!(colored(&["--color", "always"], "1"));
    // On a terminal, NO_COLOR decides.
    let terminal = |no_color: &str| {
        let shell = format!("{} report offcpu -i {}", ktape().display(), sample().display());
        let mut run = Command::new("script");
        run.args(["-qec", &shell, "/dev/null"]).env("NO_COLOR", no_color).env("TERM", "xterm");
        Ran::of(&mut run, &[]).stdout.contains(&0x1b)
    };
    if Command::new("script").arg("--version").output().is_ok() {
        assert!(terminal(""), "a terminal gets colours");
        assert!(!terminal("1"), "but not with NO_COLOR");
    }
}

/// The names of a command's subcommands, from its help.
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| !["Commands:", "Reports:"].contains(&line.trim()))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("    "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

/// Asks a command and all below it for help; each says what it is for.
fn help(path: &[String]) -> usize {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("-h");
    let short = Ran::ktape(&args).expect(0).text();
    let first = short.lines().next().unwrap_or_default();
    assert!(
        first.len() > 10 && !first.starts_with("Usage"),
        "{path:?} has no first sentence: {short}"
    );
    assert!(short.contains("Usage: ktape"), "{path:?}: {short}");
    args.pop();
    args.push("--help");
    let long = Ran::ktape(&args).expect(0).text();
    assert!(long.contains("Usage: ktape"), "{path:?}: {long}");
    // What rustdoc wants escaped, people would see as it stands.
    assert!(!long.contains(r"\["), "{path:?}: {long}");
    let below = subcommands(&short);
    1 + below.iter().map(|name| help(&[path, std::slice::from_ref(name)].concat())).sum::<usize>()
}

#[test]
fn everything_has_help() {
    let pages = help(&[]);
    // All commands, all reports, both exports.
    assert!(pages > 12 + ktape_analyze::reports::REPORTS.len(), "{pages} pages");
    assert!(Ran::ktape(&["--version"]).expect(0).text().starts_with("ktape "));
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Ran::ktape(&["completions", shell]).expect(0).text();
        assert!(script.contains("ktape") && script.contains("report"), "{shell}");
    }
    let page = Ran::ktape(&["man"]).expect(0).text();
    assert!(page.contains(".TH ktape 1"), "{page}");
    let folder = Folder::new();
    let path = folder.file("man");
    std::fs::create_dir(&path).expect("a folder");
    Ran::ktape(&["man", "--dir", path.to_str().expect("UTF-8")]).expect(0);
    assert!(path.join("ktape.1").exists());
    let pages = std::fs::read_dir(&path).expect("the folder").count();
    assert!(pages > 8, "{pages} manual pages");
    // What groff says of a page that it cannot read.
    if Command::new("man").arg("--version").output().is_ok() {
        let mut run = Command::new("man");
        let ran = Ran::of(run.args(["-l", "--warnings"]).arg(path.join("ktape.1")), &[]);
        assert!(ran.code() != 0 || ran.text().contains("ktape"), "{}", ran.stderr);
    }
}

#[test]
fn verify_is_0_for_whole_traces() {
    for name in samples::names() {
        let ran = Ran::on(&samples::path(&name), &["verify"]).expect(0);
        assert!(ran.text().contains("complete"), "{name}: {}", ran.text());
    }
}
