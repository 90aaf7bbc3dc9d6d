//! Damaged and lying traces against everything that reads them.
//!
//! `ktape-format` cuts a small trace at every byte and flips 100 000 others; here the whole of the
//! analysis runs: bytes are changed, and, behind valid checksums, values. In a process of its own
//! that may have 512 MiB of address space.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use clap::Command as Clap;
use ktape_analyze::export::{Of, StackExport};
use ktape_analyze::reports::REPORTS;
use ktape_analyze::run::{Query, run};
use ktape_format::{Batch, Column, Decoder, Options, Trace, Writer};
use ktape_tests::asked::{ask_all, compared, rewritten, tabulated};
use ktape_tests::facts::report;
use ktape_tests::lies::{damaged, lying};
use ktape_tests::ran::Ran;
use ktape_tests::random::Random;
use ktape_tests::recorder::Folder;
use ktape_tests::samples;

/// Bytes of all damaged and lying traces that are made of one sample, and how many of them there are
/// at least and at most.
const BYTES: u64 = 4_000_000;
const FEWEST: u64 = 40;
const MOST: u64 = 400;

/// Tells this program to be the process with little memory.
const CHILD: &str = "KTAPE_HOSTILE_CHILD";

/// Valid traces whose rows and texts take next to no bytes: every row names a new thread and new
/// stacks, or a call that no kernel has; texts are as long as they may be.
fn bombs() -> Vec<Vec<u8>> {
    let calm = Trace::open(&samples::path("calls")).expect("the sample");
    let start = || {
        let options = Options::default();
        Writer::new(Vec::new(), calm.meta().clone(), options).expect("a header")
    };
    let fill = |record: &str, rows: u32, chunks: u32| {
        let record = calm.record(record).expect("a record");
        let mut writer = start();
        for chunk in 0..chunks {
            let counts = || (0..rows).map(move |row| 1 + chunk * rows + row);
            let columns = record.fields.iter().map(|field| {
                let column = match (field.name.as_str(), field.ty) {
                    ("tid" | "nr" | "kstack" | "ustack", _) => Column::U32(counts().collect()),
                    (_, 1) => Column::U8(vec![1; rows as usize]),
                    (_, 2) => Column::U16(vec![1; rows as usize]),
                    (_, 3) => Column::U32(vec![1; rows as usize]),
                    _ => Column::U64(vec![calm.meta().start.mono; rows as usize]),
                };
                (field.name.clone(), column)
            });
            let batch = Batch::from_columns(record.id, 0, columns.collect());
            writer.columns(record, 0, &batch).expect("written to memory");
        }
        writer.finish().expect("written to memory").0
    };
    let mut texts = start();
    for id in 1..1000 {
        texts.texts(&[(id, vec![0; 1 << 20])]).expect("written to memory");
    }
    let texts = texts.finish().expect("written to memory").0;
    vec![fill("off_cpu", 1 << 15, 64), fill("syscall_count", 1 << 15, 64), texts]
}

/// The process may have 512 MiB, so an answer is all that needs to be checked.
fn survive(bomb: &[u8], path: &Path) {
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    std::fs::write(path, bomb).expect("a file");
    let trace = Trace::open(path).expect("a trace");
    for entry in REPORTS {
        // `facts` groups by fields, whatever they are called.
        let by = if entry.name == "facts" { "kstack" } else { "stack" };
        for flags in [&["report"][..], &["report", "--by", by]] {
            let matches = entry.augment(Clap::new("report")).try_get_matches_from(flags);
            let Ok(matches) = matches else { continue };
            let query = Query { threads: 2, ..Query::default() };
            entry.run(&matches, &trace, &query).expect("an answer");
        }
    }
    compared(&trace, 2);
    tabulated(&trace, &path.with_extension("parquet"));
    run(&StackExport { of: Of::Offcpu }, &trace, &Query::default()).expect("stacks");
    ktape_analyze::info::info(&trace, ktape_analyze::info::InfoOptions::default());
    ktape_analyze::dangling::dangling(&trace);
    rewritten(path, &trace);
}

fn child() {
    let folder = Folder::new();
    let path = folder.file("hostile.ktape");
    bombs().iter().for_each(|bomb| survive(bomb, &path));
    let (mut files, mut answers, mut failed) = (0, 0, Vec::new());
    for name in samples::names() {
        let whole = samples::path(&name);
        let bytes = std::fs::read(&whole).expect("the sample");
        let trace = Trace::open(&whole).expect("the sample");
        let many = (BYTES / bytes.len() as u64).clamp(FEWEST, MOST);
        for seed in 0..many {
            let mut random = Random::new(seed);
            let hostile = match seed < many / 2 {
                true => damaged(&bytes, &mut random),
                false => lying(&trace, &mut random).expect("a sound sample"),
            };
            std::fs::write(&path, hostile).expect("a file");
            match std::panic::catch_unwind(|| ask_all(&path, 2)) {
                Ok(asked) => answers += asked,
                Err(_) => failed.push(format!("sample {name}, seed {seed}")),
            }
            files += 1;
        }
    }
    let mut line = String::new();
    let _ = writeln!(line, "{files} hostile traces, {answers} answers");
    std::fs::write(std::env::var_os(CHILD).expect("the path of the result"), line).expect("a file");
    let first = &failed[..failed.len().min(10)];
    assert!(failed.is_empty(), "{} of {files} traces: {first:?} ..", failed.len());
}

#[test]
fn nothing_panics_hangs_grows_or_talks_to_the_terminal() {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let folder = Folder::new();
    let result = folder.file("result");
    let mut run = Command::new("sh");
    // One arena: those of glibc reserve 64 MiB of addresses for each thread.
    run.args(["-c", "ulimit -v 524288; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "nothing_panics_hangs_grows_or_talks_to_the_terminal", "--nocapture"])
        .env(CHILD, &result)
        .env("MALLOC_ARENA_MAX", "1");
    let ran = Ran::of(&mut run, &[]).expect(0);
    let said = std::fs::read_to_string(&result).expect("the result");
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("{} in {:?}\n", said.trim(), ran.elapsed).as_bytes(),
    );
}

/// The answer without what tells of the damage and of the file, which differ.
fn facts_of(path: &Path, name: &str) -> String {
    let mut answer = report(path, &[name]);
    let object = answer.as_object_mut().expect("an object");
    object.remove("notes");
    object.remove("capture");
    answer.to_string()
}

#[test]
fn damage_is_named_by_its_offset_and_the_rest_is_saved() {
    let folder = Folder::new();
    let [broken, saved, rest] =
        ["broken", "saved", "rest"].map(|name| folder.file(name).with_extension("ktape"));
    let whole = samples::path("waits");
    let trace = Trace::open(&whole).expect("the sample");
    let bytes = std::fs::read(&whole).expect("the sample");
    let of = |name: &str| trace.record(name).expect("a record").id;
    // A byte within the first chunk of waits; the end in the middle of the last one.
    let first = trace.chunks().iter().find(|chunk| chunk.record == of("off_cpu"));
    let first = first.expect("a chunk of waits");
    let mut flipped = bytes.clone();
    flipped[(first.offset + u64::from(first.len) - 5) as usize] ^= 0x40;
    let last = trace.chunks().last().expect("chunks");
    let cut = bytes[..(last.offset + u64::from(last.len) / 2) as usize].to_vec();
    for (damaged, lost) in [(flipped, first), (cut, last)] {
        let _ = std::fs::remove_file(&saved);
        std::fs::write(&broken, &damaged).expect("a file");
        std::fs::write(&rest, without(&trace, lost.offset)).expect("a file");
        let verified = Ran::on(&broken, &["verify"]).expect(1).text();
        let offset = lost.offset.to_string();
        assert!(verified.contains(&offset), "offset {offset} in: {verified}");
        let to = saved.to_str().expect("UTF-8");
        let said = Ran::on(&broken, &["recover", "-o", to]).expect(1).text();
        assert!(said.contains("lost") && said.contains(&offset), "{said}");
        // What referred to the lost part may dangle; the file itself is whole.
        let verified = Ran::on(&saved, &["verify"]).text();
        assert!(verified.lines().any(|line| line.starts_with("complete")), "{verified}");
        for entry in REPORTS {
            assert_eq!(facts_of(&saved, entry.name), facts_of(&rest, entry.name), "{}", entry.name);
        }
        let again = Ran::on(&broken, &["recover", "-o", to]).expect(1);
        assert!(again.stderr.contains("saved.ktape"), "it overwrites nothing: {}", again.stderr);
    }
}

/// The trace without one chunk.
fn without(trace: &Trace, offset: u64) -> Vec<u8> {
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    let meta = trace.meta().clone();
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).expect("a header");
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let record = trace.record_by_id(chunk.record).expect("a record");
        let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
        if chunk.offset != offset {
            decoder.read(trace, index, &names, &mut batch).expect("a readable chunk");
            writer.columns(record, chunk.ring, &batch).expect("written to memory");
        }
    }
    writer.finish().expect("written to memory").0
}
