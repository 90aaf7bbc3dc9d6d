//! What of a file is in the new trace, as an answer.

use super::importer::Importer;
use super::ordered::Ended;
use crate::answer::{Answer, Block, Cell, Facts, Note, NoteKind, Table};
use crate::error::Result;

/// Finishes the trace, and tells what it has.
pub(super) fn answer(importer: Importer<'_, '_>, ended: &Ended) -> Result<Answer> {
    let Importer { waits, unused, losses, mappings, kernel, tape, file, .. } = importer;
    let written = tape.finish()?;
    let facts = Facts {
        rows: vec![
            ("size_bytes_before", "size of the file", Cell::Bytes(file.len())),
            ("size_bytes", "size of the trace", Cell::Bytes(written.bytes)),
            ("switches", "switches from threads", Cell::Count(waits.left)),
            ("open", "  open at the end", Cell::Count(waits.open)),
            ("unseen", "  return not seen", Cell::Count(waits.unseen)),
            ("from_before", "begun before the start", Cell::Count(waits.from_before)),
            ("other_samples", "samples of other events", Cell::Count(unused.other_events)),
            ("lost", "lost by perf", Cell::Count(losses.total())),
        ],
        ..Facts::default()
    };
    let mut table = Table::main("records", &[("record", "record"), ("rows", "rows")]);
    let mut records: Vec<_> = written.records.iter().collect();
    records.sort_by_key(|record| record.id);
    let row = |name: &str, rows| vec![Cell::text(name), Cell::Count(rows)];
    table.rows = records.iter().map(|record| row(&record.name, record.rows)).collect();
    let mut notes = Vec::new();
    let mut note = |kind, text: String| notes.push(Note::new(kind, text));
    if ended.cut_off {
        note(NoteKind::Unfinished, "the file is cut off: its end is missing".to_owned());
    }
    let damaged = ended.damaged + unused.damaged;
    if damaged > 0 {
        note(NoteKind::Damage, format!("DAMAGED: {damaged} records could not be read"));
    }
    if ended.late > 0 {
        let text =
            format!("{} records came too late for their time, and have a later one", ended.late);
        note(NoteKind::Damage, text);
    }
    if waits.left > 0 && !waits.have_ends() {
        let text = "most switches back to threads are missing, so most waits are: perf records those \
                    of all processes (perf record -a), or of some with --switch-events";
        note(NoteKind::Missing, text.to_owned());
    }
    if losses.total() > 0 {
        let text = format!(
            "LOST {} records: waits in which some were lost can be too long (perf record -m)",
            losses.total()
        );
        note(NoteKind::Loss, text);
    }
    if unused.guests > 0 {
        let text = format!("{} samples of guests of the host are left out", unused.guests);
        note(NoteKind::About, text);
    }
    if mappings.left_out > 0 {
        let text =
            format!("{} mappings found no room: some frames have no module", mappings.left_out);
        note(NoteKind::About, text);
    }
    if kernel.hidden {
        let text = "where the kernel lay is not in the file: its frames are left out (perf record as \
                    root tells it)";
        note(NoteKind::About, text.to_owned());
    } else if !kernel.is_named() {
        let text = "functions of the kernel have no names: --kallsyms takes a copy of the recorded \
                    host's kallsyms, ktape symbolize --vmlinux debug information";
        note(NoteKind::About, text.to_owned());
    }
    let blocks =
        vec![Block::Heading("Imported".to_owned()), Block::Facts(facts), Block::Table(table)];
    Ok(Answer { report: "import", window: None, blocks, notes })
}
