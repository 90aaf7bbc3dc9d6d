//! The blocks of a comparison.

use super::compare::{Compared, Row};
use super::grid::Grid;
use super::group::Sum;
use super::{By, Side, Subject};
use crate::answer::{
    Answer, Block, Cell, Column, Facts, Group, Note, Show, StackRow, Stacks, Table,
};
use crate::render::frame_suffix;

/// Rows of each subject where several are compared, unless --top asks for others.
const FEW: usize = 5;

pub(super) fn answer(
    before: &Side<'_>,
    after: &Side<'_>,
    all: &[Compared],
    notes: Vec<Note>,
) -> Answer {
    let mut blocks =
        vec![Block::Heading("What got slower".to_owned()), Block::Table(sides(before, after))];
    let top = (all.len() > 1).then_some(FEW);
    blocks.extend(all.iter().map(|compared| subject(compared, top)));
    let (from, to) = after.window();
    let window = Some((after.cx.offset(from), after.cx.offset(to)));
    Answer { report: "diff", window, blocks, notes }
}

/// What is compared.
fn sides(before: &Side<'_>, after: &Side<'_>) -> Table {
    let columns = [
        ("side", ""),
        ("host", "host"),
        ("recorded", "recorded"),
        ("from_ns", "from"),
        ("to_ns", "to"),
        ("duration_ns", "duration"),
    ];
    let mut table = Table::plain("sides", &columns);
    table.columns[0] = Column { key: "side", label: "window" };
    for side in [before, after] {
        let (from, to) = side.window();
        let meta = side.cx.meta();
        table.rows.push(vec![
            Cell::text(side.name),
            Cell::text(&meta.host.hostname),
            Cell::Calendar(meta.start.realtime),
            Cell::Time(side.cx.offset(from)),
            Cell::Time(side.cx.offset(to)),
            Cell::DurNs(to - from),
        ]);
    }
    table
}

fn subject(compared: &Compared, top: Option<usize>) -> Block {
    let [one, other] = compared.grids;
    let [slower, faster, unsure] = compared.counts.map(Cell::Count);
    let rows = vec![
        ("slower", "surely slower", slower),
        ("faster", "surely faster", faster),
        ("unsure", "unsure", unsure),
        ("slice_ns", "", Cell::DurNs(one.slice)),
        ("slices_before", "", Cell::Count(one.slices() as u64)),
        ("slices_after", "", Cell::Count(other.slices() as u64)),
    ];
    let facts = Facts { key: "", rows, show: Show::All };
    let rows = match compared.by {
        By::Stack => Block::Stacks(Stacks { top, ..stacks(compared) }),
        _ => Block::Table(Table { top, ..table(compared) }),
    };
    let title = format!("{}, by {}", compared.subject.title(), compared.by.name());
    let blocks = vec![Block::Heading(title), Block::Facts(facts), rows];
    Block::Group(Group { key: compared.subject.name(), blocks, show: Show::All })
}

fn stacks(compared: &Compared) -> Stacks {
    let columns = columns(compared).into_iter().map(|(key, label)| Column { key, label }).collect();
    let rows = compared
        .rows
        .iter()
        .map(|row| StackRow { frames: row.label.clone(), values: cells(compared, row) });
    Stacks {
        key: "stacks",
        columns,
        names: compared.names.clone(),
        rows: rows.collect(),
        main: true,
        ..Stacks::default()
    }
}

fn table(compared: &Compared) -> Table {
    let mut all = columns(compared);
    all.extend(compared.by.columns());
    let mut table = Table::main("groups", &all);
    table.rows = compared
        .rows
        .iter()
        .map(|row| {
            let mut line = cells(compared, row);
            line.extend(row.label.iter().map(|&(kind, name)| {
                let mut text = compared.names[name as usize].clone();
                text.extend_from_slice(frame_suffix(kind).as_bytes());
                if compared.by == By::Function { Cell::Symbol(text) } else { Cell::Text(text) }
            }));
            line
        })
        .collect();
    table
}

/// The columns that every row begins with. Seconds are those of the window.
fn columns(compared: &Compared) -> Vec<(&'static str, &'static str)> {
    let mut columns = match compared.cycles {
        false => vec![
            ("change_ns_per_s", "more a second"),
            ("sure_percentage", "sure"),
            ("ratio", "times"),
            ("before_ns_per_s", "a second before"),
            ("after_ns_per_s", "a second after"),
            ("before_avg_ns", "each before"),
            ("after_avg_ns", "each after"),
        ],
        true => vec![
            ("change_cycles_per_s", "cycles more a second"),
            ("sure_percentage", "sure"),
            ("ratio", "times"),
            ("before_cycles_per_s", "a second before"),
            ("after_cycles_per_s", "a second after"),
            ("before_avg_cycles", ""),
            ("after_avg_cycles", ""),
        ],
    };
    columns.extend([
        ("before_per_s", "number before"),
        ("after_per_s", "number after"),
        ("before_count", ""),
        ("after_count", ""),
    ]);
    if compared.subject == Subject::Offcpu {
        columns.push(("class", "for"));
    }
    columns
}

fn cells(compared: &Compared, row: &Row) -> Vec<Cell> {
    let [one, other] = compared.grids;
    let time = |value| if compared.cycles { Cell::Count(value) } else { Cell::DurNs(value) };
    let change = match compared.cycles {
        true => Cell::Int(row.change),
        false => Cell::Longer(row.change),
    };
    let rate = |grid: Grid, sum: &Sum| Cell::Rate { count: sum.count, per_ns: grid.length };
    let (before, after) = (&row.before, &row.after);
    let seconds = (one.per_second(before.total), other.per_second(after.total));
    let average = |sum: &Sum| Cell::maybe(sum.total.checked_div(sum.count), time);
    let ratio = match seconds {
        (0, _) => Cell::None,
        (whole, part) => Cell::Quotient { part, whole },
    };
    let mut cells = vec![
        change,
        row.certainty.cell(),
        ratio,
        time(seconds.0),
        time(seconds.1),
        average(before),
        average(after),
        rate(one, before),
        rate(other, after),
        Cell::Count(before.count),
        Cell::Count(after.count),
    ];
    if compared.subject == Subject::Offcpu {
        cells.push(Cell::maybe(row.class, |class| Cell::text(class.name())));
    }
    cells
}
