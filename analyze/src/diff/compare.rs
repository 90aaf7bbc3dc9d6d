//! `diff`: puts the groups of both sides beside each other.

use std::cmp::{Ordering, Reverse};

use rustc_hash::FxHashMap;

use super::certainty::{Certainty, LEAST};
use super::grid::Grid;
use super::group::Sum;
use super::label::{Label, Names, labelled};
use super::measure::{Measure, Measured};
use super::{By, Side, Subject, answer, settings};
use crate::answer::{Answer, Cell, FrameKind, Note, NoteKind};
use crate::error::{Error, Result};
use crate::run::fold;
use crate::wait_class::WaitClass;

/// What is asked of two sides.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// What to compare; empty for all that both sides recorded.
    pub subjects: Vec<Subject>,
    /// What a row is; `None` for what is usual.
    pub by: Option<By>,
    /// How many threads scan; 0 for one per CPU.
    pub threads: usize,
}

/// One group on both sides.
pub(super) struct Row {
    pub(super) label: Label,
    pub(super) before: Sum,
    pub(super) after: Sum,
    /// By how much its time per second of the window grew, ns (or cycles) a second.
    pub(super) change: i64,
    pub(super) certainty: Certainty,
    /// What most of its waiting is for, after.
    pub(super) class: Option<WaitClass>,
}

impl Row {
    /// Whether it takes more time than before, and that is none of chance.
    pub(super) fn is_slower(&self) -> bool {
        self.change > 0 && self.certainty.is_sure()
    }

    /// Whether it takes less time than before, and that is none of chance.
    pub(super) fn is_faster(&self) -> bool {
        self.change < 0 && self.certainty.is_sure()
    }
}

/// One subject on both sides.
pub(super) struct Compared {
    pub(super) subject: Subject,
    pub(super) by: By,
    /// Before and after.
    pub(super) grids: [Grid; 2],
    /// Whether times are cycles, and not nanoseconds.
    pub(super) cycles: bool,
    pub(super) names: Vec<Vec<u8>>,
    /// What surely got slower first, by how much.
    pub(super) rows: Vec<Row>,
    /// Rows that got surely slower, surely faster, and others.
    pub(super) counts: [u64; 3],
    pub(super) notes: Vec<Note>,
}

/// Rows of a subject that an answer keeps at each end.
const KEPT: usize = 5_000;

impl Compared {
    /// Leaves out the rows in the middle, which changed least, when there are very many.
    fn keep_both_ends(&mut self) {
        let Some(middle) = self.rows.len().checked_sub(2 * KEPT).filter(|&middle| middle > 0)
        else {
            return;
        };
        self.rows.drain(KEPT..KEPT + middle);
        let name = self.subject.name();
        let text = format!("{name}: {middle} rows, those that changed least, are left out");
        self.notes.push(Note::new(NoteKind::About, text));
    }
}

/// Tells what got slower from one side to the other.
///
/// # Errors
///
/// [`Error::Compare`] when a side did not record what is asked for, or nothing that the other did;
/// [`Error::Option`] when a row cannot be what is asked for.
pub fn diff(before: &Side<'_>, after: &Side<'_>, asked: &Asked) -> Result<Answer> {
    let (subjects, mut notes) = subjects(before, after, asked)?;
    let mut all = Vec::new();
    for subject in subjects {
        let mut compared = compare(before, after, subject, asked)?;
        compared.keep_both_ends();
        all.push(compared);
    }
    for note in all.iter_mut().flat_map(|compared| compared.notes.drain(..)) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    // Warnings first; the order among them stays.
    notes.sort_by_key(|note| !note.kind.is_warning());
    Ok(answer::answer(before, after, &all, notes))
}

/// What is to be compared, and notes about what is not.
fn subjects(
    before: &Side<'_>,
    after: &Side<'_>,
    asked: &Asked,
) -> Result<(Vec<Subject>, Vec<Note>)> {
    if !asked.subjects.is_empty() {
        refuse_what_is_missing(before, after, &asked.subjects)?;
        return Ok((asked.subjects.clone(), Vec::new()));
    }
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for subject in Subject::ALL {
        if asked.by.is_some_and(|by| !subject.ways().contains(&by)) {
            continue;
        }
        match &lacks(before, after, subject)[..] {
            [] => found.push(subject),
            [one] => {
                let text = format!("{} is left out: {one}", subject.name());
                notes.push(Note::new(NoteKind::Missing, text));
            }
            _ => {}
        }
    }
    if found.is_empty() {
        let text = "the two have no facts in common that could be compared".to_owned();
        return Err(Error::Compare(text));
    }
    Ok((found, notes))
}

/// Refuses what a side did not record.
pub(super) fn refuse_what_is_missing(
    before: &Side<'_>,
    after: &Side<'_>,
    subjects: &[Subject],
) -> Result<()> {
    for &subject in subjects {
        if let Some(why) = lacks(before, after, subject).first() {
            return Err(Error::Compare(format!("{}: {why}", subject.name())));
        }
    }
    Ok(())
}

/// What sides did not record, and why.
fn lacks(before: &Side<'_>, after: &Side<'_>, subject: Subject) -> Vec<String> {
    let reads = subject.reads();
    let needed = reads.iter().filter(|read| !read.optional);
    needed
        .flat_map(|read| [before, after].into_iter().filter_map(|side| settings::lacks(side, read)))
        .collect()
}

/// Compares one subject.
pub(super) fn compare(
    before: &Side<'_>,
    after: &Side<'_>,
    subject: Subject,
    asked: &Asked,
) -> Result<Compared> {
    let ways = subject.ways();
    let by = asked.by.unwrap_or(ways[0]);
    if !ways.contains(&by) {
        let known: Vec<&str> = ways.iter().map(|way| way.name()).collect();
        let reason = format!("{} is told apart by {}", subject.name(), known.join(", "));
        return Err(Error::Option { option: "--by", value: by.name().to_owned(), reason });
    }
    let grids = Grid::both(before.window(), after.window(), subject.least_slice());
    let reads = subject.reads();
    let mut notes = settings::notes(before, after, &reads);
    if grids.iter().any(|grid| grid.slices() < LEAST) {
        let text = format!(
            "{}: nothing can be told from chance, since a window has less than {LEAST} slices of {}",
            subject.name(),
            Cell::DurNs(grids[0].slice).plain()
        );
        notes.push(Note::new(NoteKind::Filter, text));
    }
    let mut names = Names::default();
    let mut rows: FxHashMap<Label, [Sum; 2]> = FxHashMap::default();
    let (mut cycles, mut others) = ([false; 2], [false; 2]);
    for (at, side) in [before, after].into_iter().enumerate() {
        let measure = Measure { subject, by, grid: grids[at] };
        let (measured, gaps) = fold(&measure, &side.cx, &side.filter, &reads, asked.threads)?;
        cycles[at] = has_cycles(side, &measured)?;
        let idle = measured.idle.note();
        let (sums, has_others) = labelled(&side.cx, by, measured, &mut names);
        others[at] = has_others;
        for (label, sum) in sums {
            rows.entry(label).or_default()[at] = sum;
        }
        if has_others {
            notes.push(others_note(subject, side));
        }
        for mut note in gaps.notes(&side.cx, &side.filter, &reads).into_iter().chain(idle) {
            note.text = format!("{}: {}", side.name, note.text);
            notes.push(note);
        }
    }
    let [one, other] = cycles;
    let empty = |at: usize| rows.values().all(|sums| sums[at].count == 0);
    if one != other && !empty(0) && !empty(1) {
        let text = "samples of one are of the CPU clock, those of the other of cycles";
        return Err(Error::Compare(format!("{}: {text}", subject.name())));
    }
    let names = names.list;
    let mut rows: Vec<Row> =
        rows.into_iter().map(|(label, sums)| row(grids, label, sums, others)).collect();
    rows.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| by_text(&names, a, b)));
    let count = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count() as u64;
    let counts =
        [count(Row::is_slower), count(Row::is_faster), count(|row| !row.certainty.is_sure())];
    Ok(Compared { subject, by, grids, cycles: one || other, names, rows, counts, notes })
}

/// That a side has more groups than there is room for.
fn others_note(subject: Subject, side: &Side<'_>) -> Note {
    let text = format!(
        "{}: {} has more groups than are told apart; the rest is in [others] and [smaller stacks], so \
         rows that only the other side has are not sure",
        subject.name(),
        side.name
    );
    Note::new(NoteKind::Filter, text)
}

/// Whether samples are of cycles; those of a trace with both kinds do not add up.
fn has_cycles(side: &Side<'_>, measured: &Measured) -> Result<bool> {
    if measured.clock && measured.cycles {
        let text = format!("samples {} are of the CPU clock and of cycles", side.name);
        return Err(Error::Compare(text));
    }
    Ok(measured.cycles)
}

/// `others`: whether a side has groups that were not told apart; what it lacks may be among them.
fn row(grids: [Grid; 2], label: Label, [before, after]: [Sum; 2], others: [bool; 2]) -> Row {
    let [one, other] = grids;
    let change =
        i128::from(other.per_second(after.total)) - i128::from(one.per_second(before.total));
    let change = i64::try_from(change).unwrap_or(if change < 0 { i64::MIN } else { i64::MAX });
    let (side, certainty) =
        Certainty::of(&before.all_slices(one.slices()), &after.all_slices(other.slices()));
    // Most slices went one way, and a few the other way, and farther.
    let agree = side == change.cmp(&0) || certainty == Certainty::Unknown;
    let certainty = if agree { certainty } else { Certainty::Chance };
    let hidden = (before.count == 0 && others[0]) || (after.count == 0 && others[1]);
    let certainty = if hidden { Certainty::Unknown } else { certainty };
    let class = after.class().or(before.class());
    Row { label, before, after, change, certainty, class }
}

/// What is sure first, and of that what got slower; there, waits that a program asked for come last:
/// a sleep is as long as it wanted. Then by how much.
fn order(row: &Row) -> (u8, Reverse<i64>) {
    let asked_for = row.class == Some(WaitClass::Sleep);
    let rank = match (row.is_slower(), asked_for) {
        (true, false) => 0,
        (true, true) => 1,
        (false, _) => 2,
    };
    (rank, Reverse(row.change))
}

fn by_text(names: &[Vec<u8>], a: &Row, b: &Row) -> Ordering {
    let text = |frame: &(FrameKind, u32)| (names[frame.1 as usize].as_slice(), frame.0);
    a.label.iter().map(text).cmp(b.label.iter().map(text))
}
