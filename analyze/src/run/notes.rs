//! What every answer must say about its own gaps: losses, damage, filters that could not apply.

use ktape_format::{LACKS, ProbeState, State};
use ktape_schema::{Class, by_id};

use super::Read;
use crate::answer::{Cell, Note, NoteKind};
use crate::context::{Context, Damage, Loss, Part, record_id};
use crate::import::note_name;
use crate::query::{Filter, RowFilter};

/// The notes of an answer that read `reads` through `filter`.
pub(super) fn of(
    cx: &Context<'_>,
    filter: &Filter,
    reads: &[Read],
    filtered: &[(&Read, &RowFilter<'_>)],
    unreadable: &[Damage],
) -> Vec<Note> {
    let mut notes = Vec::new();
    for read in reads {
        notes.extend(loss(cx, filter, read.record));
    }
    notes.extend(definitions(cx));
    notes.extend(gaps(cx, unreadable));
    notes.extend(strangers(cx, filter));
    notes.extend(reads.iter().flat_map(|read| imported(cx, read)));
    for read in reads {
        notes.extend(missing(cx, read));
    }
    for (read, rows) in filtered {
        let (record, options) = (read.record, rows.missing().join(", "));
        if !options.is_empty() {
            notes.push(Note::new(
                NoteKind::Filter,
                format!("{record} facts are left out: they do not state what {options} asks for"),
            ));
        } else if rows.names_processes() && cx.has_facts(record) {
            notes.push(Note::new(
                NoteKind::Filter,
                format!(
                    "{record} facts are of whole processes: --comm picks those whose first thread \
                     has such a name"
                ),
            ));
        }
    }
    notes
}

/// What of the recording is not in the file, or could not be read.
pub(crate) fn gaps(cx: &Context<'_>, unreadable: &[Damage]) -> Vec<Note> {
    let notes = [part(cx), unfinished(cx), damaged(cx), damages(unreadable)];
    notes.into_iter().flatten().chain(merged_parts(cx)).collect()
}

/// What an imported trace does not know of its facts.
fn imported(cx: &Context<'_>, read: &Read) -> impl Iterator<Item = Note> {
    let name = note_name(read.record);
    let notes =
        cx.meta().notes.iter().filter(move |note| note.0 == name && cx.has_facts(read.record));
    notes.map(|(_, text)| Note::new(NoteKind::About, text.clone()))
}

/// What is asked for and not in the trace: a time, processes, threads.
fn strangers(cx: &Context<'_>, filter: &Filter) -> impl Iterator<Item = Note> {
    let local = |tid| cx.hosts().local_tid(tid);
    let no_process =
        |pid: &&u32| !cx.tasks().processes().iter().any(|known| local(known.pid) == **pid);
    let no_thread =
        |tid: &&u32| !cx.tasks().threads().iter().any(|known| local(known.tid) == **tid);
    let mut unknown: Vec<String> = Vec::new();
    unknown.extend(filter.pids.iter().filter(no_process).map(|pid| format!("process {pid}")));
    unknown.extend(filter.tids.iter().filter(no_thread).map(|tid| format!("thread {tid}")));
    let outside = filter.from > cx.end() || filter.to < cx.start();
    let outside = outside.then(|| "the window of --time lies outside of the recording".to_owned());
    let unknown = (!unknown.is_empty())
        .then(|| format!("the trace has no definition of {}", unknown.join(", ")));
    let notes = [outside, unknown].into_iter().flatten();
    notes.map(|text| Note::new(NoteKind::Filter, text))
}

/// What was lost of a record in the window, on the CPUs that are asked for.
pub(crate) fn loss(cx: &Context<'_>, filter: &Filter, record: &str) -> Option<Note> {
    if !cx.lost_any() {
        return None;
    }
    let id = record_id(cx.trace(), record)?;
    let loss = cx.losses().within(id, filter.from, filter.to, |cpu| filter.passes_cpu(cpu));
    if loss.lost == 0 {
        return None;
    }
    let percent = Cell::Percent { part: loss.lost, whole: loss.produced };
    let part = cx.part().is_some_and(Part::picks_tasks);
    let whose = if part || filter.picks_tasks() || filter.min_duration > 0 {
        "; whose they were is not known, the filters cannot tell"
    } else {
        ""
    };
    let (what, full) = match by_id(id).and_then(|desc| desc.sums) {
        Some(sums) => (sums.unit.to_owned(), format!("{} was", sums.table)),
        None => (format!("{record} facts"), "buffers were".to_owned()),
    };
    let text = format!(
        "LOST {} of {} {what} ({}) in this window: the kernel's {full} full{whose}",
        loss.lost,
        loss.produced,
        percent.plain()
    );
    let facts = vec![
        ("record", Cell::text(record)),
        ("lost", Cell::Count(loss.lost)),
        ("produced", Cell::Count(loss.produced)),
    ];
    Some(Note { kind: NoteKind::Loss, text, facts })
}

/// What was lost of that which gives facts their meaning. It may have been lost before the window
/// and be missing in it, so this counts the whole recording.
pub(crate) fn definitions(cx: &Context<'_>) -> Option<Note> {
    if !cx.lost_any() {
        return None;
    }
    let mut sum = Loss::default();
    let mut kinds = Vec::new();
    for (id, loss) in cx.losses().totals() {
        let ours = u16::try_from(id).ok().and_then(by_id);
        let listed = cx.meta().schema.iter().find(|schema| u32::from(schema.id) == id);
        let class = listed.map(|schema| schema.class).or(ours.map(|desc| desc.class as u8));
        if class == Some(Class::Fact as u8) {
            continue;
        }
        sum.produced = sum.produced.saturating_add(loss.produced);
        sum.lost = sum.lost.saturating_add(loss.lost);
        let kind = match ours.map(|desc| desc.name) {
            Some("wire_stack") => "stacks",
            Some("wire_fork") => "starts of threads",
            Some("wire_exec") => "programs of processes",
            Some("wire_comm") => "names of threads",
            Some("wire_exit") => "ends of threads",
            _ => "others",
        };
        if loss.lost > 0 && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if sum.lost == 0 {
        return None;
    }
    let text = format!(
        "LOST {} of {} definitions ({}): some threads or stacks may be unnamed or missing",
        sum.lost,
        sum.produced,
        kinds.join(", ")
    );
    let facts = vec![
        ("lost", Cell::Count(sum.lost)),
        ("produced", Cell::Count(sum.produced)),
        ("kinds", Cell::List(kinds.into_iter().map(Cell::text).collect())),
    ];
    Some(Note { kind: NoteKind::Loss, text, facts })
}

/// What of a recording the trace has, when it was trimmed.
fn part(cx: &Context<'_>) -> Option<Note> {
    let text = cx.part()?.text(cx.start());
    let text = format!("the trace was trimmed, this is about a part of the recording: {text}");
    Some(Note::new(NoteKind::Filter, text))
}

/// What a merged trace has of recordings that were trimmed before.
fn merged_parts(cx: &Context<'_>) -> impl Iterator<Item = Note> {
    let parts = cx.meta().notes.iter().filter(|note| note.0 == crate::rewrite::MERGED_PART);
    parts.map(|(_, text)| {
        let text = format!("only a part of a recording was merged: {text}");
        Note::new(NoteKind::Filter, text)
    })
}

fn unfinished(cx: &Context<'_>) -> Option<Note> {
    if cx.trace().is_finished() {
        return None;
    }
    let symbolized = cx.meta().notes.iter().any(|(name, _)| name == "symbolized from");
    let names = match symbolized {
        true => "",
        false => "; functions outside the kernel have no names until `ktape symbolize` finds them",
    };
    let text = format!(
        "the recording was not finished: facts of its last second may be missing, waits and calls \
         that were open are, and losses after the last reading of the counters are not known{names}"
    );
    Some(Note::new(NoteKind::Unfinished, text))
}

fn damaged(cx: &Context<'_>) -> Option<Note> {
    let State::Damaged(damages) = cx.trace().state() else {
        let note = cx.meta().notes.iter().find(|(name, _)| name == LACKS)?;
        let text =
            format!("DAMAGED: the trace was recovered from one that was, without {}", note.1);
        return Some(Note::new(NoteKind::Damage, text));
    };
    let bytes = damages.iter().map(|damage| damage.len).fold(0, u64::saturating_add);
    let offsets = list(damages.iter().map(|damage| damage.offset));
    let text = format!(
        "DAMAGED: {bytes} bytes of the trace are unreadable, at offset {offsets}; what they held \
         is not in this answer"
    );
    let facts =
        vec![("places", Cell::Count(damages.len() as u64)), ("size_bytes", Cell::Bytes(bytes))];
    Some(Note { kind: NoteKind::Damage, text, facts })
}

fn damages(unreadable: &[Damage]) -> Option<Note> {
    let first = unreadable.first()?;
    let chunks = unreadable.chunk_by(|a, b| a.offset == b.offset).count();
    let offsets = list(unreadable.chunk_by(|a, b| a.offset == b.offset).map(|same| same[0].offset));
    let text = format!(
        "DAMAGED: {chunks} chunks could not be read and are left out, at offset {offsets} (the \
         first: {})",
        first.what
    );
    Some(Note { kind: NoteKind::Damage, text, facts: vec![("chunks", Cell::Count(chunks as u64))] })
}

/// The first few of some offsets.
fn list(offsets: impl Iterator<Item = u64>) -> String {
    const SHOWN: usize = 5;
    let all: Vec<u64> = offsets.collect();
    let shown: Vec<String> = all.iter().take(SHOWN).map(u64::to_string).collect();
    let more = if all.len() > SHOWN { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Why a trace has none of a record that a report lives on.
fn missing(cx: &Context<'_>, read: &Read) -> Option<Note> {
    if read.optional {
        return None;
    }
    if cx.has_facts(read.record) {
        return None;
    }
    let record = read.record;
    if cx.part().is_some_and(|part| !part.keeps(record)) {
        let text = format!("the trace has no {record} facts: they were trimmed away");
        return Some(Note::new(NoteKind::Missing, text));
    }
    let probe = cx.meta().probes.iter().find(|probe| probe.records.iter().any(|r| r == record));
    let why = match probe {
        None => "no probe that makes them was asked for".to_owned(),
        Some(probe) if probe.state == ProbeState::Attached => {
            format!("probe {} was attached and saw none", probe.name)
        }
        Some(probe) => format!("probe {} was skipped: {}", probe.name, probe.reason),
    };
    Some(Note::new(NoteKind::Missing, format!("the trace has no {record} facts: {why}")))
}
