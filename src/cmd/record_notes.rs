//! What `ktape record` says on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ktape_capture::{
    DumpCause, End, Files, News, Options, Output, Overwrite, Progress, Summary, units,
};
use ktape_format::schema::{Class, Desc, by_name};
use std::io::IsTerminal;

pub(super) fn progress_bar(quiet: bool) -> ProgressBar {
    let target = if quiet || !std::io::stderr().is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{spinner} recording {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Passes on what a recording tells.
#[expect(clippy::print_stderr, reason = "notes go to stderr")]
pub(super) fn tell(bar: &ProgressBar, news: &News, options: &Options, quiet: bool) {
    let note = |text: String| {
        if !quiet {
            bar.suspend(|| eprintln!("ktape: {text}"));
        }
    };
    match news {
        News::Progress(progress) => show(bar, progress),
        News::Holding => {
            let Files::Overwritten(Overwrite { time, bytes, .. }) = &options.files else { return };
            note(format!(
                "the last {} are kept in memory, at most {}; kill -USR2 {} writes them to a file",
                units::show_duration(time.as_nanos() as u64),
                size(*bytes),
                std::process::id(),
            ));
        }
        News::File { path, bytes, span, cause, short } => {
            let cause = match cause {
                None => String::new(),
                Some(DumpCause::Signal) => " (SIGUSR2)".to_owned(),
                Some(DumpCause::End) => " (the end)".to_owned(),
                Some(DumpCause::Stall { duration, tid }) => {
                    format!(" (thread {tid} was stalled for {:.3} s)", duration.as_secs_f64())
                }
            };
            let short =
                if *short { ", as much as there was room for: --overwrite=SIZE" } else { "" };
            note(format!(
                "wrote {:.3} s, {}, to {}{cause}{short}",
                span.as_secs_f64(),
                size(*bytes),
                path.display()
            ));
        }
        News::NoDump(why) => bar.suspend(|| eprintln!("ktape: no dump was made: {why}")),
    }
}

fn show(bar: &ProgressBar, progress: &Progress) {
    let lost = if progress.lost > 0 { format!(", LOST {}", progress.lost) } else { String::new() };
    bar.set_message(format!(
        "{:.0} s, {} facts, {}{lost}",
        progress.elapsed.as_secs_f64(),
        progress.facts,
        size(progress.bytes)
    ));
    bar.tick();
}

#[expect(clippy::print_stderr, reason = "the summary goes to stderr, as perf's does")]
pub(super) fn print_summary(summary: &Summary, options: &Options) {
    for (probe, reason) in &summary.skipped {
        eprintln!("ktape: probe {probe} was left out: {reason}");
    }
    for warning in &summary.warnings {
        eprintln!("ktape: {warning}");
    }
    let facts: u64 = summary
        .outcomes
        .iter()
        .filter(|outcome| is_fact(outcome.record))
        .map(|outcome| outcome.recorded)
        .sum();
    let to = match &options.output {
        Output::File(path) => path.display().to_string(),
        Output::Stdout => "standard output".into(),
    };
    let each = if facts > 0 {
        format!(" ({:.1} bytes each)", summary.bytes as f64 / facts as f64)
    } else {
        String::new()
    };
    let seconds = summary.duration.as_secs_f64();
    match (&options.files, summary.files) {
        (Files::Overwritten(_), 0) => {
            eprintln!(
                "ktape: recorded {facts} facts in {seconds:.3} s, and kept none: no dump was due"
            );
        }
        (Files::Overwritten(_), files) => eprintln!(
            "ktape: recorded {facts} facts in {seconds:.3} s; {files} {} with {}",
            if files == 1 { "dump" } else { "dumps" },
            size(summary.bytes)
        ),
        (Files::Switched { .. }, files) => eprintln!(
            "ktape: recorded {facts} facts in {seconds:.3} s, {}{each} in {files} files {to}.TIME",
            size(summary.bytes)
        ),
        (Files::One, _) => eprintln!(
            "ktape: recorded {facts} facts in {seconds:.3} s, {}{each} in {to}",
            size(summary.bytes)
        ),
    }
    match summary.end {
        Some(End::Gone) => eprintln!("ktape: all that was asked for has ended"),
        Some(End::Size) => eprintln!("ktape: the trace has reached its --max-size"),
        _ => {}
    }
    if facts == 0 {
        eprintln!(
            "ktape: no facts: what was asked for did nothing that these probes see, or runs where \
             kernel programs do not (as the agents of some virtual machines)"
        );
    }
    for outcome in &summary.outcomes {
        if is_fact(outcome.record) {
            eprintln!("ktape:   {:<16} {:>12}", outcome.record, outcome.recorded);
        }
        if outcome.lost > 0 {
            let sums = by_name(outcome.record).and_then(|desc| desc.sums);
            eprintln!(
                "ktape:   LOST {} of {} {} ({:.1} %): {}",
                outcome.lost,
                outcome.produced,
                sums.map_or(outcome.record, |sums| sums.unit),
                outcome.lost as f64 * 100.0 / outcome.produced as f64,
                remedy(outcome.record)
            );
        }
    }
    eprintln!(
        "ktape: the recorder's process took {:.2} s of CPU ({:.3} s to drain the rings, {:.3} s to \
         encode and write) and {} of memory",
        summary.cpu.as_secs_f64(),
        summary.draining.as_secs_f64(),
        summary.writing.as_secs_f64(),
        size(summary.peak_bytes)
    );
}

/// What loses less of a record.
fn remedy(record: &str) -> String {
    match by_name(record) {
        Some(Desc { sums: Some(sums), .. }) => {
            format!("the kernel's {} was full; a filter loses less", sums.table)
        }
        _ if is_fact(record) => "a larger ring (-m) or a filter loses less".to_owned(),
        _ => "some stacks or names are missing; a filter loses less".to_owned(),
    }
}

fn is_fact(record: &str) -> bool {
    by_name(record).is_some_and(|desc| desc.class == Class::Fact)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
