//! What `report facts` shows.

use ktape_schema::{Field, Kind, Type};

use super::groups::{Key, Sum};
use super::rows::{FIELDS, Row, Rows};
use super::{Asked, Facts as Flags, HOST};
use crate::answer::{Answer, Block, Cell, Column, Facts, StackRow, Stacks, Table};
use crate::context::Context;
use crate::render::folded_frames;
use crate::run::{BoundedKey, Fold};
use crate::syscall_table::NO_SYSCALL;

/// The groups, the largest first, in the order of time where intervals are told apart: as a table, or
/// as stacks.
pub(super) fn answer(flags: &Flags, asked: &Asked, cx: &Context<'_>, rows: Rows) -> Answer {
    let Rows { list, names, .. } = rows;
    let mut all = Sum::default();
    list.iter().for_each(|row| all.fold(row.sum.clone()));
    let groups = list.len();
    let shown: Vec<Row> = list.into_iter().filter(|row| row.sum.count >= flags.at_least).collect();
    let of = asked.of;
    let mut facts = Facts { key: "summary", ..Facts::default() };
    facts.rows.push(("record", "record", Cell::text(asked.desc.name)));
    facts.rows.push(("count", "count", Cell::Count(all.count)));
    if let Some(of) = of {
        facts.rows.push(("of", "of", Cell::text(of.name)));
        let keys = of_keys(of);
        let cells = of_cells(of, &all);
        facts.rows.extend(keys.into_iter().zip(cells).map(|((key, label), cell)| (key, label, cell)));
    }
    if flags.at_least > 1 {
        let fewer = Cell::Count((groups - shown.len()) as u64);
        facts.rows.push(("smaller_groups", "smaller groups", fewer));
    }
    let head = Head { flags, asked, cx };
    let mut columns = head.columns();
    columns.push(("count", "count"));
    columns.extend(of.iter().flat_map(|of| of_keys(of)));
    let kind = of.map_or(Kind::Number, |of| of.kind);
    columns.extend(asked.percentiles.iter().map(|percentile| percentile.key(kind)));
    let cells = |row: &Row| {
        let mut cells = head.cells(row.key);
        cells.push(Cell::Count(row.sum.count));
        cells.extend(of.iter().flat_map(|of| of_cells(of, &row.sum)));
        cells.extend(row.percentiles.iter().map(|&value| number(kind, value)));
        cells
    };
    let mut blocks =
        vec![Block::Heading(format!("Facts of {}", asked.desc.name)), Block::Facts(facts)];
    let histogram = of.filter(|_| flags.histogram);
    let histogram = histogram.map(|of| histogram_of(&head, of, &names, &shown));
    if asked.by_stack() {
        let row = |row: &Row| StackRow { frames: row.frames.clone(), values: cells(row) };
        blocks.push(Block::Stacks(Stacks {
            key: "groups",
            columns: columns.iter().map(|&(key, label)| Column { key, label }).collect(),
            names,
            rows: shown.iter().map(row).collect(),
            main: true,
            ..Stacks::default()
        }));
    } else {
        let mut table = Table::main("groups", &columns);
        table.rows = shown.iter().map(cells).collect();
        blocks.push(Block::Table(table));
    }
    blocks.extend(histogram.map(Block::Table));
    Answer { blocks, ..Answer::default() }
}

fn histogram_of(head: &Head<'_>, of: &Field, names: &[Vec<u8>], rows: &[Row]) -> Table {
    let mut columns = head.columns();
    if head.asked.by_stack() {
        columns.push(("stack", "stack"));
    }
    columns.extend(match of.kind {
        Kind::DurNs => [("low_ns", "from"), ("high_ns", "to")],
        Kind::Bytes => [("low_bytes", "from"), ("high_bytes", "to")],
        _ => [("low", "from"), ("high", "to")],
    });
    columns.push(("count", "count"));
    let mut table = Table::plain("histogram", &columns);
    table.title = format!("Distribution of {}", of.name);
    for row in rows {
        let mut group = head.cells(row.key);
        if head.asked.by_stack() {
            group.push(Cell::text(folded_frames(names, &row.frames)));
        }
        let counts = row.sum.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        for (power, &count) in counts {
            let low = if power == 0 { 0 } else { 1 << power };
            let high = u64::MAX >> (63 - power);
            let mut cells = group.clone();
            cells.extend([number(of.kind, low), number(of.kind, high), Cell::Count(count)]);
            table.rows.push(cells);
        }
    }
    table
}

/// The columns that say which group a row is of, but for its stack.
struct Head<'a> {
    flags: &'a Flags,
    asked: &'a Asked,
    cx: &'a Context<'a>,
}

impl Head<'_> {
    fn fields(&self) -> impl Iterator<Item = (usize, &'static Field)> {
        let fields = (FIELDS..).zip(self.asked.by.iter().copied());
        fields.filter(|(_, field)| field.kind != Kind::StackId)
    }

    fn columns(&self) -> Vec<(&'static str, &'static str)> {
        let mut columns = Vec::new();
        if self.flags.every.is_some() {
            columns.push(("time_ns", "time"));
        }
        if self.asked.host {
            columns.push((HOST, HOST));
        }
        let mut comms = [("comm", "name"), ("other_comm", "name")].into_iter();
        for (_, field) in self.fields() {
            columns.push((field.name, field.name));
            if matches!(field.kind, Kind::Tid | Kind::Tgid) {
                columns.extend(comms.next());
            }
        }
        columns
    }

    fn cells(&self, key: Key) -> Vec<Cell> {
        let cx = self.cx;
        if key == Key::OTHERS {
            let mut cells = vec![Cell::None; self.columns().len()];
            if let Some(first) = cells.first_mut() {
                *first = Cell::others();
            }
            return cells;
        }
        let mut cells = Vec::new();
        if let Some(every) = self.flags.every {
            cells.push(Cell::Time(i64::try_from(key[0].saturating_mul(every)).unwrap_or(i64::MAX)));
        }
        if self.asked.host {
            let host = usize::try_from(key[1]).ok().and_then(|host| cx.hosts().list().get(host));
            cells.push(Cell::maybe(host, |host| Cell::text(&host.name)));
        }
        // A column with the host of each row is added to other answers about several hosts.
        let local = |kind: &str, id: u32| {
            let local = if self.asked.host { cx.hosts().local(kind, id.into()) } else { id.into() };
            u32::try_from(local).unwrap_or(id)
        };
        for (at, field) in self.fields() {
            let value = key[at];
            let id = u32::try_from(value).unwrap_or(u32::MAX);
            match field.kind {
                Kind::Tid => {
                    let thread = cx.tasks().thread_key(id, 0, u64::MAX);
                    let name =
                        if id == 0 { Cell::None } else { Cell::text(cx.thread_comm(thread)) };
                    cells.extend([Cell::Tid(local("tid", id)), name]);
                }
                Kind::Tgid => {
                    let process = cx.tasks().process_key(id, u64::MAX);
                    let name =
                        if id == 0 { Cell::None } else { Cell::text(cx.process_comm(process)) };
                    cells.extend([Cell::Pid(local("tgid", id)), name]);
                }
                Kind::Cpu => cells.push(Cell::Cpu(local("cpu", id))),
                Kind::Enum(names) => cells.push(Cell::name(names, value)),
                Kind::Flags(names) => {
                    let bits = names.iter().filter(|(bit, _)| value & bit != 0);
                    cells.push(Cell::List(bits.map(|(_, name)| Cell::text(name)).collect()));
                }
                Kind::Syscall if id == NO_SYSCALL => cells.push(Cell::None),
                Kind::Syscall => cells.push(Cell::text(cx.syscalls().name(id).as_bytes())),
                Kind::StringId => cells.push(Cell::text(cx.strings().get(id))),
                Kind::DeviceId => cells.push(Cell::text(cx.device_name(id))),
                _ if matches!(field.ty, Type::I32 | Type::I64) => {
                    cells.push(Cell::Int(value as i64));
                }
                kind => cells.push(number(kind, value)),
            }
        }
        cells
    }
}

fn number(kind: Kind, value: u64) -> Cell {
    match kind {
        Kind::DurNs => Cell::DurNs(value),
        Kind::Bytes => Cell::Bytes(value),
        Kind::Address => Cell::Hex(value),
        _ => Cell::Count(value),
    }
}

/// The columns of the field that is added up.
fn of_keys(of: &Field) -> [(&'static str, &'static str); 3] {
    match of.kind {
        Kind::DurNs => [("total_ns", "total"), ("avg_ns", "average"), ("max_ns", "max")],
        Kind::Bytes => [("total_bytes", "total"), ("avg_bytes", "average"), ("max_bytes", "max")],
        _ => [("total", "total"), ("avg", "average"), ("max", "max")],
    }
}

fn of_cells(of: &Field, sum: &Sum) -> [Cell; 3] {
    let avg = sum.total.checked_div(sum.count).unwrap_or(0);
    [sum.total, avg, sum.max].map(|value| number(of.kind, value))
}
