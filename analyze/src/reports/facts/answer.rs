//! What `report facts` shows.

use std::cmp::Reverse;

use ktape_schema::{Field, Kind, Type};

use super::groups::{Groups, Key, Sum};
use super::{Asked, Facts as Flags};
use crate::answer::{Answer, Block, Cell, Facts, Table};
use crate::context::Context;
use crate::run::{BoundedKey, Fold};

/// The groups as a table, the largest first, in the order of time where intervals are told apart.
pub(super) fn answer(flags: &Flags, asked: &Asked, cx: &Context<'_>, groups: Groups) -> Answer {
    let mut groups = groups.into_sorted();
    let mut all = Sum::default();
    groups.iter().for_each(|(_, sum)| all.fold(sum.clone()));
    let of = asked.of;
    groups.sort_by_key(|(key, sum)| {
        let size = if of.is_some() { sum.total } else { sum.count };
        (key[0], Reverse(size), *key)
    });
    let mut facts = Facts { key: "summary", ..Facts::default() };
    facts.rows.push(("record", "record", Cell::text(asked.desc.name)));
    facts.rows.push(("count", "count", Cell::Count(all.count)));
    if let Some(of) = of {
        facts.rows.push(("of", "of", Cell::text(of.name)));
        let keys = of_keys(of);
        let cells = of_cells(of, &all);
        facts.rows.extend(keys.into_iter().zip(cells).map(|((key, label), cell)| (key, label, cell)));
    }
    let mut columns = head(flags, asked);
    columns.push(("count", "count"));
    columns.extend(of.iter().flat_map(|of| of_keys(of)));
    let mut table = Table::main("groups", &columns);
    for (key, sum) in &groups {
        let mut row = head_cells(flags, asked, cx, *key);
        row.push(Cell::Count(sum.count));
        row.extend(of.iter().flat_map(|of| of_cells(of, sum)));
        table.rows.push(row);
    }
    let mut blocks = vec![
        Block::Heading(format!("Facts of {}", asked.desc.name)),
        Block::Facts(facts),
        Block::Table(table),
    ];
    if let (true, Some(of)) = (flags.histogram, of) {
        blocks.push(Block::Table(histogram(flags, asked, cx, of, &groups)));
    }
    Answer { blocks, ..Answer::default() }
}

fn histogram(
    flags: &Flags,
    asked: &Asked,
    cx: &Context<'_>,
    of: &Field,
    groups: &[(Key, Sum)],
) -> Table {
    let mut columns = head(flags, asked);
    columns.extend(match of.kind {
        Kind::DurNs => [("low_ns", "from"), ("high_ns", "to")],
        Kind::Bytes => [("low_bytes", "from"), ("high_bytes", "to")],
        _ => [("low", "from"), ("high", "to")],
    });
    columns.push(("count", "count"));
    let mut table = Table::plain("histogram", &columns);
    table.title = format!("Distribution of {}", of.name);
    for (key, sum) in groups {
        let counts = sum.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        for (power, &count) in counts {
            let low = if power == 0 { 0 } else { 1 << power };
            let high = u64::MAX >> (63 - power);
            let mut row = head_cells(flags, asked, cx, *key);
            row.extend([number(of.kind, low), number(of.kind, high), Cell::Count(count)]);
            table.rows.push(row);
        }
    }
    table
}

/// The columns that say which group a row is of.
fn head(flags: &Flags, asked: &Asked) -> Vec<(&'static str, &'static str)> {
    let mut columns = Vec::new();
    if flags.every.is_some() {
        columns.push(("time_ns", "time"));
    }
    let mut comms = [("comm", "name"), ("other_comm", "name")].into_iter();
    for field in &asked.by {
        columns.push((field.name, field.name));
        if matches!(field.kind, Kind::Tid | Kind::Tgid) {
            columns.extend(comms.next());
        }
    }
    columns
}

fn head_cells(flags: &Flags, asked: &Asked, cx: &Context<'_>, key: Key) -> Vec<Cell> {
    if key == Key::OTHERS {
        let mut cells = vec![Cell::None; head(flags, asked).len()];
        if let Some(first) = cells.first_mut() {
            *first = Cell::others();
        }
        return cells;
    }
    let mut cells = Vec::new();
    if let Some(every) = flags.every {
        cells.push(Cell::Time(i64::try_from(key[0].saturating_mul(every)).unwrap_or(i64::MAX)));
    }
    for (field, &value) in asked.by.iter().zip(&key[1..]) {
        let id = u32::try_from(value).unwrap_or(u32::MAX);
        match field.kind {
            Kind::Tid => {
                let thread = cx.tasks().thread_key(id, 0, u64::MAX);
                let name = if id == 0 { Cell::None } else { Cell::text(cx.thread_comm(thread)) };
                cells.extend([Cell::Tid(id), name]);
            }
            Kind::Tgid => {
                let process = cx.tasks().process_key(id, u64::MAX);
                let name = if id == 0 { Cell::None } else { Cell::text(cx.process_comm(process)) };
                cells.extend([Cell::Pid(id), name]);
            }
            Kind::Cpu => cells.push(Cell::Cpu(id)),
            Kind::Enum(names) => cells.push(Cell::name(names, value)),
            Kind::Flags(names) => {
                let bits = names.iter().filter(|(bit, _)| value & bit != 0);
                cells.push(Cell::List(bits.map(|(_, name)| Cell::text(name)).collect()));
            }
            Kind::Syscall if id == crate::syscall_table::NO_SYSCALL => cells.push(Cell::None),
            Kind::Syscall => cells.push(Cell::text(cx.syscalls().name(id).as_bytes())),
            Kind::StringId => cells.push(Cell::text(cx.strings().get(id))),
            Kind::DeviceId => cells.push(Cell::text(cx.device_name(id))),
            _ if matches!(field.ty, Type::I32 | Type::I64) => cells.push(Cell::Int(value as i64)),
            kind => cells.push(number(kind, value)),
        }
    }
    cells
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
