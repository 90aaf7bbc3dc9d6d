//! The reports that the overview tells in a few lines each, if the trace has their facts.

use ktape_format::Batch;
use ktape_schema::by_name;

use crate::answer::{Block, Group, Show, Table};
use crate::context::Context;
use crate::query::Filter;
use crate::reports::block::Block as Disks;
use crate::reports::counters::Counters;
use crate::reports::h2::H2;
use crate::reports::io::Io;
use crate::reports::locks::Locks;
use crate::reports::mem::Mem;
use crate::reports::tcp::Tcp;
use crate::run::{Read, Report};

/// Rows of each table, unless --top asks for others.
const TOP: usize = 5;

/// Declares the reports: under which key each stands, and which it is. The only list of them.
macro_rules! parts {
    ($($key:ident: $report:ty,)+) => {
        /// What each of the reports has folded.
        #[derive(Debug, Default)]
        pub(super) struct Parts {
            $($key: <$report as Report>::State,)+
        }

        impl Parts {
            /// What they read, each record once.
            pub(super) fn reads(cx: &Context<'_>) -> Vec<Read> {
                let mut all: Vec<Read> = Vec::new();
                $(<$report>::default().reads(cx).into_iter().for_each(|read| add(&mut all, read));)+
                all
            }

            pub(super) fn scan(&mut self, cx: &Context<'_>, batch: &Batch) {
                $({
                    let report = <$report>::default();
                    if reads(&report, cx, batch) {
                        report.scan(cx, batch, &mut self.$key);
                    }
                })+
            }

            pub(super) fn merge(&mut self, from: Parts) {
                $(<$report>::default().merge(&mut self.$key, from.$key);)+
            }

            /// The blocks of those of which the trace has facts.
            pub(super) fn finish(self, cx: &Context<'_>, filter: &Filter) -> Vec<Block> {
                let mut blocks = Vec::new();
                $({
                    let report = <$report>::default();
                    if report.reads(cx).iter().any(|read| cx.has_facts(read.record)) {
                        let answer = report.finish(cx, filter, self.$key);
                        blocks.push(few(stringify!($key), answer.blocks));
                    }
                })+
                blocks
            }
        }
    };
}

parts! {
    io: Io,
    block: Disks,
    tcp: Tcp,
    h2: H2,
    locks: Locks,
    mem: Mem,
    counters: Counters,
}

/// Adds what one of them reads.
fn add(all: &mut Vec<Read>, read: Read) {
    match all.iter_mut().find(|known| known.record == read.record) {
        Some(known) => {
            let new = read.columns.iter().filter(|column| !known.columns.contains(column));
            let new: Vec<&'static str> = new.copied().collect();
            known.columns.extend(new);
        }
        None => all.push(Read { optional: true, ..read }),
    }
}

fn reads<R: Report>(report: &R, cx: &Context<'_>, batch: &Batch) -> bool {
    let of = |read: &Read| by_name(read.record).is_some_and(|desc| desc.id == batch.record());
    report.reads(cx).iter().any(of)
}

/// Of a report's blocks the heading, the first facts and the first rows of its main table.
fn few(key: &'static str, blocks: Vec<Block>) -> Block {
    let (mut facts, mut tables) = (0, 0);
    let first = |block: &Block| match block {
        Block::Heading(_) => facts + tables == 0,
        Block::Facts(_) => {
            facts += 1;
            facts == 1
        }
        Block::Table(table) if table.main => {
            tables += 1;
            tables == 1
        }
        _ => false,
    };
    let blocks = blocks.into_iter().filter({
        let mut first = first;
        move |block| first(block)
    });
    let blocks = blocks.map(|block| match block {
        Block::Table(table) => Block::Table(Table { main: false, top: Some(TOP), ..table }),
        other => other,
    });
    Block::Group(Group { key, blocks: blocks.collect(), show: Show::All })
}
