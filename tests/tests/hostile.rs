//! Damaged and lying traces against everything that reads them.
//!
//! `ktape-format` cuts a small trace at every byte and flips 100 000 others; here the whole of the
//! analysis runs: bytes are changed, and, behind valid checksums, values. In a process of its own
//! that may have 512 MiB of address space.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use clap::Command as Clap;
use ktape_analyze::answer::Answer;
use ktape_analyze::diff::{Asked, Side, Subject, diff, difference_flamegraph, difference_folded};
use ktape_analyze::export::{Of, StackExport, flamegraph};
use ktape_analyze::query::FilterArgs;
use ktape_analyze::render::{self, Style};
use ktape_analyze::reports::REPORTS;
use ktape_analyze::rewrite::{Redact, Secret, Trim, merge, redact, trim};
use ktape_analyze::run::{Query, run};
use ktape_analyze::script::{Form, Script, script};
use ktape_format::schema::Class;
use ktape_format::{Batch, Column, Decoder, Options, TextColumn, Trace, Writer, recover, verify};
use ktape_tests::facts::report;
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

#[track_caller]
fn no_escape(what: &str, bytes: &[u8]) {
    assert!(!bytes.contains(&0x1b), "an escape sequence in {what}");
}

fn rendered(what: &str, answer: &Answer) {
    no_escape(what, &render::text(answer, Style::Plain));
    no_escape(what, &render::csv(answer));
    no_escape(what, &render::folded(answer));
    let json = render::json(answer);
    no_escape(what, &json);
    if let Err(error) = serde_json::from_slice::<serde_json::Value>(&json) {
        panic!("the JSON of {what} is none: {error}");
    }
}

/// Everything that can be asked of a trace. Errors are answers, panics are not.
fn ask_all(path: &Path) -> usize {
    let trace = match Trace::open(path) {
        Ok(trace) => trace,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return 0;
        }
    };
    let mut answers = 0;
    for entry in REPORTS {
        let matches = entry.augment(Clap::new("report")).get_matches_from(["report"]);
        let query = Query { threads: 2, ..Query::default() };
        if let Ok(answer) = entry.run(&matches, &trace, &query) {
            rendered(entry.name, &answer);
            answers += 1;
        }
    }
    compared(&trace);
    for of in [Of::Cpu, Of::Offcpu] {
        if let Ok(answer) = run(&StackExport { of }, &trace, &Query::default()) {
            let folded = render::folded(&answer);
            no_escape("folded", &folded);
            if let Ok(svg) = flamegraph(&folded, of) {
                no_escape("the flame graph", &svg);
            }
        }
    }
    rendered(
        "info",
        &ktape_analyze::info::info(&trace, ktape_analyze::info::InfoOptions::default()),
    );
    for format in [Form::Text, Form::Json] {
        let mut lines = Vec::new();
        let how = Script { record: Vec::new(), format, stacks: true };
        if script(&trace, &FilterArgs::default(), &how, &mut lines).is_ok() {
            no_escape("script", &lines);
        }
    }
    for problem in verify(&trace) {
        assert!(problem.to_string().contains("offset"), "{problem}");
    }
    for dangling in ktape_analyze::dangling::dangling(&trace) {
        assert!(!dangling.to_string().is_empty());
    }
    rewritten(path, &trace);
    let mut saved = Vec::new();
    if recover(path, &mut saved).is_ok() {
        assert!(Trace::from_stream(&saved[..]).is_ok(), "what recover writes can be read");
    }
    answers
}

/// A part of a trace against all of it.
fn compared(trace: &Trace) {
    let part = FilterArgs { time: Some("10ms,".to_owned()), ..FilterArgs::default() };
    let (Ok(before), Ok(after)) =
        (Side::before(trace, &part), Side::after(trace, &FilterArgs::default()))
    else {
        return;
    };
    let asked = Asked { threads: 2, ..Asked::default() };
    if let Ok(answer) = diff(&before, &after, &asked) {
        rendered("diff", &answer);
    }
    for subject in [Subject::Offcpu, Subject::Syscalls] {
        if let Ok((folded, _)) = difference_folded(&before, &after, subject, &asked) {
            no_escape("the folded difference", &folded);
            if let Ok(svg) = difference_flamegraph(&folded, subject) {
                no_escape("the flame graph of the difference", &svg);
            }
        }
    }
}

/// Traces made of a trace: refused, or readable.
fn rewritten(path: &Path, trace: &Trace) {
    let read = |what: &str, bytes: &[u8]| {
        Trace::from_stream(bytes).unwrap_or_else(|error| panic!("{what}: {error}"))
    };
    let cut = |time: &str| {
        let filter = FilterArgs { time: Some(time.to_owned()), ..FilterArgs::default() };
        let mut out = Vec::new();
        let done = trim(trace, &Trim { filter, ..Trim::default() }, &mut out).ok()?;
        rendered("trim", &done);
        Some(read("trim", &out))
    };
    let parts: Vec<Trace> = [",50ms", "50ms,"].into_iter().filter_map(cut).collect();
    static ELSEWHERE: OnceLock<Vec<u8>> = OnceLock::new();
    let elsewhere = ELSEWHERE.get_or_init(elsewhere);
    let other = Trace::from_stream(&elsewhere[..]).expect("a sound trace");
    let again = Trace::open(path).expect("it could be opened");
    for traces in [parts, vec![again, other]] {
        let mut out = Vec::new();
        if let Ok(done) = merge(&traces, &mut out) {
            rendered("merge", &done);
            read("merge", &out);
        }
    }
    let secret = Secret::new(b"0123456789abcdef").expect("a key");
    let mut out = Vec::new();
    if let Ok(done) = redact(trace, &Redact::default(), &[], &secret, Some(&mut out)) {
        rendered("redact", &done);
        read("redact", &out);
    }
}

/// A sound trace of another host than all samples.
fn elsewhere() -> Vec<u8> {
    let trace = Trace::open(&samples::path("waits")).expect("the sample");
    let mut meta = trace.meta().clone();
    meta.host.boot_id.push_str(", elsewhere");
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).expect("a header");
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let schema = trace.record_by_id(chunk.record).expect("a record");
        let columns: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
        decoder.read(&trace, index, &columns, &mut batch).expect("a chunk");
        writer.columns(schema, chunk.ring, &batch).expect("written to memory");
    }
    writer.finish().expect("written to memory").0
}

/// A copy with some bytes wrong, doubled, gone or cut off.
fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len());
        let len = 1 + random.below(64).min(bytes.len() - at - 1);
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at..at + len].fill(0),
            2 => bytes[at..at + len].fill(0xff),
            3 => bytes[at..at + len].iter_mut().for_each(|byte| *byte = random.below(256) as u8),
            4 => drop(bytes.drain(at..at + len)),
            _ if random.below(4) == 0 => bytes.truncate(at + 1),
            _ => {
                let part = bytes[at..at + len].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

/// A valid trace in which some values are lies, and texts are attacks on terminals.
fn lying(trace: &Trace, random: &mut Random) -> Vec<u8> {
    let attack = "\u{1b}]0;owned\u{7}\u{1b}[2J<script>alert(1)</script>;,\"\n\r\t\0";
    let mut meta = trace.meta().clone();
    if random.below(2) == 0 {
        meta.host.hostname.push_str(attack);
        meta.host.kernel.push_str(attack);
        meta.command_line.push(attack.to_owned());
        meta.notes.push((attack.to_owned(), attack.to_owned()));
        for probe in &mut meta.probes {
            probe.name.push_str(attack);
            probe.reason.push_str(attack);
        }
        for (name, value) in [
            ("trimmed time", "start to 0.05s, 0.2s to end, 9s to 1s"),
            ("trimmed pid", "1, 99999999999, x"),
            ("merged host", "a: CPUs 7 to 9"),
            ("merged host", "b: CPUs 0 to 4294967295"),
        ] {
            if random.below(2) == 0 {
                meta.notes.push((name.to_owned(), value.to_owned()));
            }
        }
        meta.start.realtime = u64::MAX;
        meta.host.cpus = u32::MAX;
    }
    let huge = random.below(10) == 0;
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).expect("a header");
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let record = trace.record_by_id(chunk.record).expect("a record");
        let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
        decoder.read(trace, index, &names, &mut batch).expect("a readable chunk");
        // A definition that is gone leaves its ids dangling.
        if random.below(20) == 0 {
            continue;
        }
        let huge = huge && record.class == Class::Fact as u8;
        let columns = batch.names().map(str::to_owned).collect::<Vec<_>>();
        let columns = columns
            .into_iter()
            .enumerate()
            .map(|(at, name)| {
                let mut column = batch.column(at).clone();
                if let (Column::U64(values), true) = (&mut column, huge) {
                    // Whatever is added up is more than a number holds.
                    values.fill(u64::MAX - at as u64);
                } else if random.below(4) == 0 {
                    lie(&mut column, attack.as_bytes(), random);
                }
                (name, column)
            })
            .collect();
        let batch = Batch::from_columns(chunk.record, chunk.ring, columns);
        writer.columns(record, chunk.ring, &batch).expect("written to memory");
    }
    writer.finish().expect("written to memory").0
}

fn lie(column: &mut Column, attack: &[u8], random: &mut Random) {
    let values = [0, 1, 2, 255, u64::from(u16::MAX), u64::from(u32::MAX), 1 << 63, u64::MAX];
    let (which, every) = (values[random.below(values.len())], 1 + random.below(9));
    let mut wrong = |at: usize| {
        at.is_multiple_of(every)
            .then(|| if random.below(2) == 0 { which } else { random.below(1 << 31) as u64 })
    };
    macro_rules! lie {
        ($values:expr, $ty:ty) => {
            for (at, value) in $values.iter_mut().enumerate() {
                if let Some(lie) = wrong(at) {
                    *value = lie as $ty;
                }
            }
        };
    }
    match column {
        Column::U8(values) => lie!(values, u8),
        Column::U16(values) => lie!(values, u16),
        Column::U32(values) => lie!(values, u32),
        Column::U64(values) => lie!(values, u64),
        Column::I32(values) => lie!(values, i32),
        Column::I64(values) => lie!(values, i64),
        Column::Text(texts) => {
            let mut lies = TextColumn::default();
            let old = texts.texts();
            for at in 0..old.len() {
                let text = [old.get(at), if wrong(at).is_some() { attack } else { b"" }].concat();
                lies.push(&text);
            }
            *texts = lies;
        }
    }
}

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
    compared(&trace);
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
                false => lying(&trace, &mut random),
            };
            std::fs::write(&path, hostile).expect("a file");
            match std::panic::catch_unwind(|| ask_all(&path)) {
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
