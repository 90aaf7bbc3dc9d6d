//! All that can be asked of a trace, with what must hold for every answer.

use std::path::Path;
use std::sync::OnceLock;

use clap::{ArgMatches, Command as Clap};
use ktape_analyze::answer::Answer;
use ktape_analyze::dangling::dangling;
use ktape_analyze::diff::{Asked, Side, Subject, diff, difference_flamegraph, difference_folded};
use ktape_analyze::export::{Of, ParquetExport, StackExport, flamegraph, parquet};
use ktape_analyze::info::{InfoOptions, info};
use ktape_analyze::query::FilterArgs;
use ktape_analyze::render::{self, Style};
use ktape_analyze::reports::REPORTS;
use ktape_analyze::rewrite::{Redact, Secret, Trim, merge, redact, trim};
use ktape_analyze::run::{Entry, Query, run};
use ktape_analyze::script::{Form, Script, script};
use ktape_format::{Batch, Decoder, Options, State, Trace, Writer, recover, verify};

use crate::harmless::{drawn, harmless, harmless_lines};
use crate::samples;

/// Checks what every renderer makes of an answer.
pub fn rendered(what: &str, answer: &Answer) {
    harmless(what, &render::text(answer, Style::Plain));
    harmless(what, &render::csv(answer));
    harmless(what, &render::folded(answer));
    let json = render::json(answer);
    harmless(what, &json);
    if let Err(error) = serde_json::from_slice::<serde_json::Value>(&json) {
        panic!("the JSON of {what} is none: {error}");
    }
}

/// The flags of a report: none, or `choice` takes one of what its `--by` may be (or none).
pub fn asked_for(report: &Entry, choice: Option<usize>) -> ArgMatches {
    let command = report.augment(Clap::new("report"));
    let by = command.get_arguments().find(|flag| flag.get_id() == "by");
    let groups = by.map(|by| by.get_possible_values()).unwrap_or_default();
    let group = choice.and_then(|choice| groups.get(choice % (groups.len() + 1)));
    let flags = group.map(|group| format!("--by={}", group.get_name()));
    command.get_matches_from(["report".to_owned()].into_iter().chain(flags))
}

/// Asks everything that can be asked of a trace, and returns how many reports answered. Errors are
/// answers, panics are not.
pub fn ask_all(path: &Path, threads: usize) -> usize {
    let trace = match Trace::open(path) {
        Ok(trace) => trace,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return 0;
        }
    };
    let answers = reported(&trace, threads, None);
    compared(&trace, threads);
    scripted(&trace);
    rendered("info", &info(&trace, InfoOptions::default()));
    checked(&trace);
    rewritten(path, &trace);
    recovered(path);
    answers
}

/// Runs all reports and draws stacks, and returns how many reports answered. Each is grouped as
/// `choice` says.
pub fn reported(trace: &Trace, threads: usize, choice: Option<usize>) -> usize {
    let mut answers = 0;
    for entry in REPORTS {
        let query = Query { threads, ..Query::default() };
        if let Ok(answer) = entry.run(&asked_for(entry, choice), trace, &query) {
            rendered(entry.name, &answer);
            answers += 1;
        }
    }
    for of in [Of::Cpu, Of::Offcpu] {
        if let Ok(answer) = run(&StackExport { of }, trace, &Query::default()) {
            let folded = render::folded(&answer);
            harmless("folded", &folded);
            if let Ok(svg) = flamegraph(&folded, of) {
                drawn("the flame graph", &svg);
            }
        }
    }
    answers
}

/// Writes all facts as lines.
pub fn scripted(trace: &Trace) {
    for format in [Form::Text, Form::Json] {
        let mut lines = Vec::new();
        let how = Script { record: Vec::new(), format, stacks: true };
        if script(trace, &FilterArgs::default(), &how, &mut lines).is_ok() {
            harmless_lines("script", &lines);
        }
    }
}

/// Writes all facts as Parquet files into a folder.
pub fn tabulated(trace: &Trace, folder: &Path) {
    let options = ParquetExport { record: Vec::new(), level: 1 };
    if let Ok(done) = parquet(trace, &FilterArgs::default(), &options, folder) {
        for (path, _) in done.files {
            assert_eq!(path.parent(), Some(folder), "{}", path.display());
            std::fs::remove_file(path).expect("the file that was told");
        }
    }
}

/// Looks for damage and for ids that nothing defines.
pub fn checked(trace: &Trace) {
    for problem in verify(trace) {
        assert!(problem.to_string().contains("offset"), "{problem}");
    }
    for dangling in dangling(trace) {
        assert!(!dangling.to_string().is_empty());
    }
}

/// Saves what can be saved, which is a whole trace.
pub fn recovered(path: &Path) {
    let mut saved = Vec::new();
    if let Ok(recovered) = recover(path, &mut saved) {
        let again = Trace::from_stream(&saved[..]).expect("what recover writes can be read");
        assert_eq!(*again.state(), State::Complete);
        assert_eq!(verify(&again), [], "{recovered:?}");
    }
}

/// Compares a part of a trace with all of it.
pub fn compared(trace: &Trace, threads: usize) {
    let part = FilterArgs { time: Some("10ms,".to_owned()), ..FilterArgs::default() };
    let (Ok(before), Ok(after)) =
        (Side::before(trace, &part), Side::after(trace, &FilterArgs::default()))
    else {
        return;
    };
    let asked = Asked { threads, ..Asked::default() };
    if let Ok(answer) = diff(&before, &after, &asked) {
        rendered("diff", &answer);
    }
    for subject in [Subject::Offcpu, Subject::Syscalls] {
        if let Ok((folded, _)) = difference_folded(&before, &after, subject, &asked) {
            harmless("the folded difference", &folded);
            if let Ok(svg) = difference_flamegraph(&folded, subject) {
                drawn("the flame graph of the difference", &svg);
            }
        }
    }
}

/// Makes traces of a trace: it is refused, or they are readable.
pub fn rewritten(path: &Path, trace: &Trace) {
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
