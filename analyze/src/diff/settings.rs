//! What was recorded differently on the two sides.

use ktape_format::{Meta, ProbeMeta, ProbeState, filter_name};

use super::Side;
use crate::answer::{Note, NoteKind};
use crate::run::Read;

/// Why one side has no facts of a record; `None` when it was recorded.
pub(super) fn lacks(side: &Side<'_>, read: &Read) -> Option<String> {
    let record = read.record;
    let kept = side.cx.part().is_none_or(|part| part.keeps(record));
    if kept && side.cx.was_recorded(record) {
        return None;
    }
    let name = side.name;
    let probe = probes(&side.cx, record).next();
    Some(match probe {
        _ if !kept => format!("the trace {name} has no {record} facts: they were trimmed away"),
        Some(probe) => format!(
            "the trace {name} has no {record} facts: probe {} was skipped: {}",
            probe.name, probe.reason
        ),
        None => {
            let maker = maker(record);
            format!("the trace {name} has no {record} facts: record it with -e {maker}")
        }
    })
}

/// The probe that makes a record, as the command line of `record` has it.
fn maker(record: &str) -> &'static str {
    match record {
        "off_cpu" => "sched",
        "cpu_sample" => "cpu",
        "syscall_count" => "syscalls",
        "io" => "io",
        "block_io" => "block",
        "futex_wait" | "lock_contention" => "locks",
        "tcp_connection" => "tcp",
        _ => "h2",
    }
}

fn probes<'a>(
    cx: &'a crate::context::Context<'_>,
    record: &'a str,
) -> impl Iterator<Item = &'a ProbeMeta> {
    cx.meta().probes.iter().filter(move |probe| probe.records.iter().any(|made| made == record))
}

/// Notes about what else than the program may make a difference: hosts, filters, and settings of the
/// probes that make `reads`.
pub(super) fn notes(before: &Side<'_>, after: &Side<'_>, reads: &[Read]) -> Vec<Note> {
    let (one, other) = (before.cx.meta(), after.cx.meta());
    let mut notes: Vec<Note> = hosts(one, other).into_iter().collect();
    let mut differs = |what: &str, before: String, after: String| {
        if before != after {
            let text = format!("{what} before: {before}; after: {after}");
            notes.push(Note::new(NoteKind::Filter, text));
        }
    };
    differs("filters of the recording", filters(one), filters(other));
    let mut seen = Vec::new();
    for read in reads {
        for probe in probes(&before.cx, read.record) {
            let same = |other: &&ProbeMeta| other.name == probe.name;
            let Some(other) = probes(&after.cx, read.record).find(same) else { continue };
            let attached = |probe: &ProbeMeta| probe.state == ProbeState::Attached;
            if !seen.contains(&&probe.name) && attached(probe) && attached(other) {
                seen.push(&probe.name);
                let what = format!("settings of probe {}", probe.name);
                differs(&what, pairs(probe.knobs.iter()), pairs(other.knobs.iter()));
            }
        }
    }
    notes
}

fn hosts(before: &Meta, after: &Meta) -> Option<Note> {
    let text = |meta: &Meta| {
        let host = &meta.host;
        format!("{} ({}, {} CPUs, kernel {})", host.hostname, host.arch, host.cpus, host.kernel)
    };
    let (before, after) = (text(before), text(after));
    let differ = before != after;
    let text = format!("the hosts differ, before: {before}; after: {after}");
    differ.then(|| Note::new(NoteKind::Filter, text))
}

/// Which filters were in force; the numbers of processes differ from recording to recording.
fn filters(meta: &Meta) -> String {
    let numbers = [filter_name::PID, filter_name::TID, filter_name::COMMAND];
    let filters = meta.filters.iter().map(|(name, value)| match numbers.contains(&name.as_str()) {
        true => name.clone(),
        false => format!("{name}={value}"),
    });
    list(filters.collect())
}

fn pairs<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> String {
    list(pairs.map(|(name, value)| format!("{name}={value}")).collect())
}

fn list(mut texts: Vec<String>) -> String {
    texts.sort_unstable();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}
