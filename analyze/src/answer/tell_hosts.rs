//! Says of threads, processes and CPUs which host they are of, in answers about several hosts.

use super::{Answer, Block, Cell, Column, Facts, Shape, Table};
use crate::context::Hosts;

/// The column that tells the host.
const HOST: Column = Column { key: "host", label: "host" };

impl Answer {
    /// Gives tables with threads, processes or CPUs a column with their host, and shows the numbers
    /// that they had there. Facts outside of tables become `number@host`.
    pub(crate) fn tell_hosts(&mut self, hosts: &Hosts) {
        blocks(&mut self.blocks, hosts);
    }
}

fn blocks(list: &mut [Block], hosts: &Hosts) {
    for block in list {
        match block {
            Block::Table(table) => in_table(table, hosts),
            Block::Facts(facts) => in_facts(facts, hosts),
            Block::Group(group) => blocks(&mut group.blocks, hosts),
            Block::Stacks(stacks) => {
                let rows = stacks.rows.iter_mut().map(|row| &mut row.values);
                in_rows(&mut stacks.columns, rows.collect(), hosts);
            }
            Block::Heading(_) | Block::Histogram(_) => {}
        }
    }
}

fn in_table(table: &mut Table, hosts: &Hosts) {
    // The first column of a map is its key, which must stay the only one of its kind.
    if table.shape != Shape::Map {
        in_rows(&mut table.columns, table.rows.iter_mut().collect(), hosts);
    }
}

fn in_rows(columns: &mut Vec<Column>, rows: Vec<&mut Vec<Cell>>, hosts: &Hosts) {
    let first = |row: &&mut Vec<Cell>| row.iter().position(|cell| host_of(cell, hosts).is_some());
    let Some(at) = rows.iter().filter_map(first).min() else { return };
    if columns.iter().any(|column| column.key == HOST.key) {
        return;
    }
    columns.insert(at, HOST);
    for row in rows {
        // All that a row names is of one host.
        let host = row.iter().find_map(|cell| host_of(cell, hosts));
        let name = Cell::maybe(host, |host| Cell::text(&hosts.list()[host].name));
        row.iter_mut().for_each(|cell| make_local(cell, hosts));
        row.insert(at.min(row.len()), name);
    }
}

fn in_facts(facts: &mut Facts, hosts: &Hosts) {
    for (_, _, cell) in &mut facts.rows {
        if let Some(host) = host_of(cell, hosts) {
            make_local(cell, hosts);
            *cell = Cell::text(format!("{}@{}", cell.plain(), hosts.list()[host].name));
        }
    }
}

fn host_of(cell: &Cell, hosts: &Hosts) -> Option<usize> {
    match cell {
        Cell::Tid(tid) | Cell::Pid(tid) if *tid != 0 => Some(hosts.of_tid(*tid)),
        Cell::Cpu(cpu) => Some(hosts.of_cpu(*cpu)),
        Cell::List(cells) => cells.iter().find_map(|cell| host_of(cell, hosts)),
        _ => None,
    }
}

fn make_local(cell: &mut Cell, hosts: &Hosts) {
    match cell {
        Cell::Tid(tid) | Cell::Pid(tid) => *tid = hosts.local_tid(*tid),
        Cell::Cpu(cpu) => *cpu = hosts.local_cpu(*cpu),
        Cell::List(cells) => cells.iter_mut().for_each(|cell| make_local(cell, hosts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::answer::{Answer, Block, Cell, Table};
    use crate::context::{Host, Hosts};

    #[test]
    fn rows_tell_their_host() {
        let host = |name: &str, first_cpu| Host { name: name.into(), first_cpu, cpus: 2 };
        let hosts = Hosts::new(vec![host("a", 0), host("b", 2)]);
        let mut table = Table::main("threads", &[("comm", "comm"), ("tid", "tid"), ("cpu", "cpu")]);
        let row = |tid, cpu| vec![Cell::text("x"), Cell::Tid(tid), Cell::Cpu(cpu)];
        table.rows = vec![row(7, 1), row(7 | 1 << 22, 3), vec![Cell::text("[others]"); 3]];
        let mut answer = Answer { blocks: vec![Block::Table(table)], ..Answer::default() };
        answer.tell_hosts(&hosts);
        let Block::Table(table) = &answer.blocks[0] else { panic!("a table") };
        assert_eq!(table.columns[1].key, "host");
        let row = |host: &str| vec![Cell::text("x"), Cell::text(host), Cell::Tid(7), Cell::Cpu(1)];
        assert_eq!(table.rows[0], row("a"));
        assert_eq!(table.rows[1], row("b"));
        assert_eq!(table.rows[2][1], Cell::None);
    }
}
