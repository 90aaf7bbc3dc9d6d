//! The blocks of the timeline.

use super::grid::Grid;
use super::measure::{MEASURES, Measure};
use super::{State, Timeline};
use crate::answer::{Answer, Block, Cell, Column, Facts, Note, NoteKind, Table};
use crate::context::Context;

/// A measure with its numbers.
struct Row {
    measure: &'static Measure,
    values: Vec<u64>,
}

pub(super) fn answer(report: &Timeline, cx: &Context<'_>, mut state: State) -> Answer {
    let grid = Grid::of(cx.window(), report.every);
    let chosen = report.measures(cx);
    let rows: Vec<Row> = chosen
        .iter()
        .map(|&at| {
            let values = std::mem::take(state.series(at)).into_values(&grid);
            Row { measure: &MEASURES[at], values }
        })
        .collect();
    let with = report.with.as_ref().and_then(|name| {
        let at = MEASURES.iter().position(|measure| measure.name == *name)?;
        let known = rows.iter().find(|row| row.measure.name == MEASURES[at].name);
        Some(known.map_or_else(
            || std::mem::take(state.series(at)).into_values(&grid),
            |row| row.values.clone(),
        ))
    });
    let facts = Facts {
        rows: vec![
            ("interval_ns", "interval", Cell::DurNs(grid.every)),
            ("interval_count", "intervals", Cell::Count(grid.count as u64)),
        ],
        ..Facts::default()
    };
    let blocks = vec![
        Block::Heading("Timeline".to_owned()),
        Block::Facts(facts),
        Block::Table(measures(&rows, &grid, with.as_deref(), report.with.as_deref())),
        Block::Table(intervals(cx, &rows, &grid)),
    ];
    Answer { blocks, notes: notes(report, &rows, &grid), ..Answer::default() }
}

/// One row per measure: its average, its peak and when that was, and its course.
fn measures(rows: &[Row], grid: &Grid, with: Option<&[u64]>, name: Option<&str>) -> Table {
    let columns = [
        ("measure", "measure"),
        ("average", "average"),
        ("max", "max"),
        ("max_at_ns", "at"),
        ("correlation_percent", if name.is_some() { "correlation %" } else { "" }),
        ("about", "of an interval: what"),
        ("course", "course"),
    ];
    let mut table = Table::plain("measures", &columns);
    if name.is_none() {
        table.columns.remove(4);
    }
    for Row { measure, values } in rows {
        let (at, max) = peak(values);
        let mut row = vec![
            Cell::text(measure.name),
            measure.average(values, grid.to - grid.from),
            measure.cell(max, grid.interval(at).1),
            Cell::Time(offset(grid, at)),
        ];
        if name.is_some() {
            row.push(Cell::maybe(
                with.and_then(|with| correlation(values, with)),
                Cell::Int,
            ));
        }
        row.push(Cell::text(measure.about));
        row.push(Cell::text(sparkline(values)));
        table.rows.push(row);
    }
    table
}

/// Start of an interval since the start of the window, ns.
fn offset(grid: &Grid, at: usize) -> i64 {
    i64::try_from(grid.interval(at).0 - grid.from).unwrap_or(i64::MAX)
}

/// The first of the highest, and its height.
fn peak(values: &[u64]) -> (usize, u64) {
    values.iter().enumerate().fold((0, 0), |(at, max), (next, &value)| {
        if value > max { (next, value) } else { (at, max) }
    })
}

/// Columns of a sparkline: intervals side by side share one when there are more, the highest shows.
const WIDTH: usize = 60;

/// Heights from none to the highest of all.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

fn sparkline(values: &[u64]) -> String {
    let max = u128::from(peak(values).1.max(1));
    let width = values.len().div_ceil(WIDTH).max(1);
    let bar = |part: &[u64]| {
        let value = u128::from(part.iter().copied().max().unwrap_or(0));
        BARS[(value * (BARS.len() as u128 - 1)).div_ceil(max) as usize]
    };
    values.chunks(width).map(bar).collect()
}

/// Pearson's correlation, in percent; `None` where one of them never changes.
fn correlation(xs: &[u64], ys: &[u64]) -> Option<i64> {
    // The highest has 31 bits: sums of 100 000 products fit, and roots are precise.
    let scaled = |values: &[u64]| {
        let zeros = peak(values).1.leading_zeros();
        let scale = |value: u64| (u128::from(value) << zeros) >> 33;
        values.iter().map(|&value| scale(value) as i128).collect::<Vec<i128>>()
    };
    let (xs, ys) = (scaled(xs), scaled(ys));
    let n = xs.len() as i128;
    let (sum_x, sum_y) = (xs.iter().sum::<i128>(), ys.iter().sum::<i128>());
    let product = |a: &[i128], b: &[i128]| a.iter().zip(b).map(|(a, b)| a * b).sum::<i128>();
    let covariance = n * product(&xs, &ys) - sum_x * sum_y;
    let spread = |values: &[i128], sum: i128| {
        u128::try_from(n * product(values, values) - sum * sum).unwrap_or(0).isqrt()
    };
    let both = i128::try_from(spread(&xs, sum_x) * spread(&ys, sum_y)).ok()?;
    let percent = (covariance * 100).checked_div(both)?;
    i64::try_from(percent.clamp(-100, 100)).ok()
}

/// One row per interval.
fn intervals(cx: &Context<'_>, rows: &[Row], grid: &Grid) -> Table {
    let mut table = Table::plain("intervals", &[("start_ns", "from")]);
    table.title = format!("Each {}", Cell::DurNs(grid.every).plain());
    table
        .columns
        .extend(rows.iter().map(|row| Column { key: row.measure.name, label: row.measure.label }));
    table.rows = (0..grid.count)
        .map(|at| {
            let (start, length) = grid.interval(at);
            let mut cells = vec![Cell::Time(cx.offset(start))];
            cells.extend(rows.iter().map(|row| row.measure.cell(row.values[at], length)));
            cells
        })
        .collect();
    table
}

fn notes(report: &Timeline, rows: &[Row], grid: &Grid) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut about = |text: String| notes.push(Note::new(NoteKind::About, text));
    if let Some(asked) = report.every.filter(|&asked| asked != grid.every) {
        about(format!(
            "intervals of {} would be too many: use --time for a part",
            Cell::DurNs(asked).plain()
        ));
    }
    if rows.iter().any(|row| row.measure.leaves_out_idle()) {
        about(
            "blocked: without kernel threads that wait for work, and threads that wait during the \
             whole recording"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::{correlation, sparkline};

    #[test]
    fn correlations_are_those_of_pearson() {
        let check = |xs: &[u64], ys: &[u64], expected| {
            assert_eq!(correlation(xs, ys), expected, "{xs:?} {ys:?}");
        };
        check(&[1, 2, 3], &[10, 20, 30], Some(100));
        check(&[1, 2, 3], &[30, 20, 10], Some(-100));
        check(&[1, 2, 3, 4], &[1, 0, 0, 1], Some(0));
        check(&[1, 2, 3, 4, 5], &[2, 4, 5, 4, 5], Some(77));
        check(&[1, 1, 1], &[1, 2, 3], None);
        check(&[], &[], None);
        check(&[0, u64::MAX, 0], &[0, u64::MAX / 2, 1], Some(100));
    }

    #[test]
    fn sparklines_show_what_is_not_nothing() {
        assert_eq!(sparkline(&[0, 1, 50, 100]), "▁▂▅█");
        assert_eq!(sparkline(&[0, 0]), "▁▁");
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&vec![7; 100]).chars().count(), 50);
        assert_eq!(sparkline(&[u64::MAX, 0]), "█▁");
    }
}
