//! Differential folded stacks, and the flame graph of them.

use super::compare::{Asked, Compared, compare, refuse_what_is_missing};
use super::grid::scaled;
use super::{By, Side, Subject};
use crate::answer::Note;
use crate::error::{Error, Result};
use crate::export::draw;
use crate::render::{escape_folded, frame_suffix};

/// What both sides have, as lines `root;..;leaf BEFORE AFTER`, sorted, with the notes about it.
///
/// Numbers are nanoseconds (of samples of cycles, cycles); those of BEFORE are taken to a window as long
/// as that of AFTER. Rows that are no stacks have their columns as frames.
///
/// # Errors
///
/// As [`super::diff`].
pub fn difference_folded(
    before: &Side<'_>,
    after: &Side<'_>,
    subject: Subject,
    asked: &Asked,
) -> Result<(Vec<u8>, Vec<Note>)> {
    refuse_what_is_missing(before, after, &[subject])?;
    let by = asked.by.unwrap_or(match subject {
        Subject::Cpu => By::Stack,
        _ => subject.ways()[0],
    });
    let compared = compare(before, after, subject, &Asked { by: Some(by), ..asked.clone() })?;
    let mut lines = lines(&compared);
    lines.sort_unstable();
    // Escaped texts may be alike.
    let mut out = String::new();
    for same in lines.chunk_by(|a, b| a.0 == b.0) {
        let sum =
            |of: fn(&(String, u64, u64)) -> u64| same.iter().map(of).fold(0, u64::saturating_add);
        out.push_str(&format!("{} {} {}\n", same[0].0, sum(|line| line.1), sum(|line| line.2)));
    }
    Ok((out.into_bytes(), compared.notes))
}

fn lines(compared: &Compared) -> Vec<(String, u64, u64)> {
    let [one, other] = compared.grids;
    let names: Vec<String> = compared.names.iter().map(|name| escape_folded(name)).collect();
    let rows = compared.rows.iter().map(|row| {
        let frame =
            |&(kind, name): &(_, u32)| format!("{}{}", names[name as usize], frame_suffix(kind));
        let frames: Vec<String> = row.label.iter().map(frame).collect();
        let before = scaled(row.before.total, other.length, one.length);
        (frames.join(";"), before, row.after.total)
    });
    rows.filter(|line| (line.1, line.2) != (0, 0)).collect()
}

/// Draws lines of [`difference_folded`] as one SVG: as wide as after, red where it grew, blue where it
/// shrank.
///
/// # Errors
///
/// [`Error::FlameGraph`] when there is nothing to draw.
pub fn difference_flamegraph(folded: &[u8], subject: Subject) -> Result<Vec<u8>> {
    let text = String::from_utf8_lossy(folded);
    let wrong = |text: &str| Err(Error::FlameGraph(text.to_owned()));
    let mut sums = [0u128; 2];
    for line in text.lines() {
        for (sum, number) in sums.iter_mut().zip(line.rsplit(' ')) {
            *sum += u128::from(number.parse::<u64>().unwrap_or(0));
        }
    }
    if sums[0] == 0 {
        return wrong("there is nothing in the window after");
    }
    // inferno adds the weights up without looking, and subtracts them as signed numbers.
    if sums.into_iter().any(|sum| sum > u128::from(u64::MAX >> 2)) {
        return wrong("the weights of the stacks add up to more than 2^62");
    }
    draw(&text, format!("{}: difference", subject.title()), "ns or cycles")
}
