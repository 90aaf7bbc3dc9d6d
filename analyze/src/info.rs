//! `ktape info`: what is in a trace.

mod sizes;

use std::collections::BTreeMap;

use ktape_format::Trace;
use ktape_schema::{Class, stack_end, stack_side, stack_unwind};

use crate::answer::{Answer, Block, Cell, Facts, Note, NoteKind, Show, Table};
use crate::capture_facts::{self, RecordUse};
use crate::context::{Context, Needs};

/// What is told of a trace.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct InfoOptions {
    /// Show where the bytes are instead: per record and column, with the codecs chosen.
    #[arg(long)]
    pub sizes: bool,
}

/// Tells what a trace is: header, probes, records with rows, bytes and losses, quality of stacks.
/// Reads definitions only; the facts stay unread.
pub fn info(trace: &Trace, options: InfoOptions) -> Answer {
    if options.sizes {
        let blocks = vec![Block::Table(sizes::sizes(trace))];
        return Answer { report: "info", window: None, blocks, notes: Vec::new() };
    }
    let cx = Context::load(trace, Needs::CODE);
    cx.load_all();
    let uses = capture_facts::records(&cx);
    let mut blocks = vec![Block::Heading("Capture".to_owned())];
    blocks.push(Block::Facts(capture_facts::host(&cx)));
    blocks.push(Block::Heading("File".to_owned()));
    blocks.push(Block::Facts(file(trace, &uses)));
    blocks.push(Block::Table(capture_facts::probes(&cx)));
    let meta = cx.meta();
    blocks.extend(pairs("filters", "Filters while recording", &meta.filters).map(Block::Table));
    blocks.extend(pairs("meta_notes", "Said by the recorder", &meta.notes).map(Block::Table));
    blocks.push(Block::Table(records(&uses)));
    blocks.push(Block::Table(stacks(&cx)));
    blocks.extend(coverage(&cx));
    blocks.extend(programs(&cx));
    Answer { report: "info", window: None, blocks, notes: notes(&cx, &uses) }
}

fn file(trace: &Trace, uses: &[RecordUse]) -> Facts {
    let sum = |value: fn(&RecordUse) -> u64| uses.iter().map(value).fold(0, u64::saturating_add);
    let rows = sum(|record| record.rows);
    let facts = uses.iter().filter(|record| record.class == Class::Fact);
    let (fact_rows, fact_bytes) = facts
        .fold((0u64, 0u64), |(rows, bytes), record| (rows + record.rows, bytes + record.bytes));
    let damages = trace.state().damages();
    let damaged = damages.iter().map(|damage| damage.len).fold(0, u64::saturating_add);
    Facts {
        key: "file",
        rows: vec![
            ("size_bytes", "size", Cell::Bytes(trace.size())),
            ("chunks", "chunks", Cell::Count(trace.chunks().len() as u64)),
            ("rows", "rows", Cell::Count(rows)),
            ("facts", "facts", Cell::Count(fact_rows)),
            ("bytes_per_fact", "bytes per fact", hundredths(fact_bytes, fact_rows)),
            ("file_bytes_per_fact", "file bytes per fact", hundredths(trace.size(), fact_rows)),
            ("unreadable_bytes", "unreadable", Cell::Bytes(damaged)),
            ("unreadable_places", "  in places", Cell::Count(damages.len() as u64)),
            ("checked", "  of", Cell::text("heads and definitions; ktape verify checks all")),
        ],
        ..Facts::default()
    }
}

/// A quotient with two digits.
fn hundredths(part: u64, whole: u64) -> Cell {
    if whole == 0 { Cell::None } else { Cell::Quotient { part, whole } }
}

fn pairs(key: &'static str, title: &str, pairs: &[(String, String)]) -> Option<Table> {
    if pairs.is_empty() {
        return None;
    }
    let mut table = Table::plain(key, &[("name", "name"), ("value", "value")]);
    table.title = title.to_owned();
    table.rows =
        pairs.iter().map(|(name, value)| vec![Cell::text(name), Cell::text(value)]).collect();
    Some(table)
}

fn records(uses: &[RecordUse]) -> Table {
    let columns = [
        ("record", "record"),
        ("class", "class"),
        ("chunks", "chunks"),
        ("rows", "rows"),
        ("size_bytes", "bytes"),
        ("bytes_per_row", "per row"),
        ("ratio", "ratio"),
        ("produced", "produced"),
        ("lost", "lost"),
        ("lost_percentage", "lost of all"),
    ];
    let mut table = Table::plain("records", &columns);
    table.title = "Records".to_owned();
    table.rows = uses
        .iter()
        .map(|record| {
            vec![
                Cell::text(&record.name),
                Cell::text(match record.class {
                    Class::Fact => "fact",
                    Class::Definition => "definition",
                    Class::Wire => "message",
                }),
                Cell::Count(record.chunks),
                Cell::Count(record.rows),
                Cell::Bytes(record.bytes),
                hundredths(record.bytes, record.rows),
                if record.raw_bytes == 0 {
                    Cell::None
                } else {
                    hundredths(record.raw_bytes, record.bytes)
                },
                Cell::maybe(record.loss, |loss| Cell::Count(loss.produced)),
                Cell::maybe(record.loss, |loss| Cell::Count(loss.lost)),
                Cell::maybe(record.loss, |loss| Cell::Percent {
                    part: loss.lost,
                    whole: loss.produced,
                }),
            ]
        })
        .collect();
    table
}

/// How the stacks were unwound and how far the walks came.
fn stacks(cx: &Context<'_>) -> Table {
    let mut counts: BTreeMap<(u8, u8, u8), u64> = BTreeMap::new();
    let mut sides: BTreeMap<u8, u64> = BTreeMap::new();
    for (_, stack) in cx.code().stacks() {
        *counts.entry((stack.side, stack.unwind, stack.end)).or_default() += 1;
        *sides.entry(stack.side).or_default() += 1;
    }
    let columns = [
        ("side", "side"),
        ("unwind", "unwound by"),
        ("end", "walk"),
        ("stacks", "stacks"),
        ("percentage", "of side"),
    ];
    let mut table = Table::plain("stacks", &columns);
    table.title = "Distinct stacks".to_owned();
    table.rows = counts
        .iter()
        .map(|(&(side, unwind, end), &count)| {
            vec![
                Cell::name(stack_side::NAMES, side),
                Cell::name(stack_unwind::NAMES, unwind),
                Cell::name(stack_end::NAMES, end),
                Cell::Count(count),
                Cell::Percent { part: count, whole: sides[&side] },
            ]
        })
        .collect();
    table
}

/// What the kernel programs cost, if that was counted, and which were passed over.
fn programs(cx: &Context<'_>) -> Option<Block> {
    let columns = [
        ("program", "program"),
        ("probe", "probe"),
        ("runs", "runs"),
        ("total_ns", "total"),
        ("avg_ns", "each"),
        ("percentage", "of all CPUs"),
        ("missed", "passed over"),
    ];
    let mut table = Table::plain("programs", &columns);
    table.title = "Kernel programs".to_owned();
    let span = cx.end().saturating_sub(cx.start());
    let whole = span.saturating_mul(cx.meta().host.cpus.into());
    table.rows = cx
        .program_runs()
        .iter()
        .map(|run| {
            vec![
                Cell::text(cx.strings().get(run.program)),
                Cell::text(cx.strings().get(run.probe)),
                Cell::Count(run.runs),
                Cell::DurNs(run.run),
                Cell::DurNs(run.run.checked_div(run.runs).unwrap_or(0)),
                Cell::Percent { part: run.run, whole },
                Cell::Count(run.missed),
            ]
        })
        .collect();
    (!table.rows.is_empty()).then_some(Block::Table(table))
}

fn coverage(cx: &Context<'_>) -> Vec<Block> {
    let sum = cx.coverages().within(0, u64::MAX);
    if sum.waits == 0 {
        return Vec::new();
    }
    let share = |part| Cell::Percent { part, whole: sum.total };
    let facts = Facts {
        key: "stack_coverage",
        rows: vec![
            ("threshold_ns", "from", Cell::DurNs(sum.threshold)),
            ("waits", "number", Cell::Count(sum.waits)),
            ("total_ns", "total", Cell::DurNs(sum.total)),
            ("both_percentage", "with kernel and user stack", share(sum.both)),
            ("kernel_only_percentage", "with kernel stack only", share(sum.kernel_only)),
            ("taken", "stacks taken", Cell::Count(sum.taken)),
        ],
        show: Show::All,
    };
    vec![Block::Heading("Stacks of long waits".to_owned()), Block::Facts(facts)]
}

fn notes(cx: &Context<'_>, uses: &[RecordUse]) -> Vec<Note> {
    let lost: u64 = uses
        .iter()
        .filter_map(|record| record.loss)
        .map(|loss| loss.lost)
        .fold(0, u64::saturating_add);
    let mut notes = Vec::new();
    if lost > 0 {
        let text = format!("LOST {lost} rows in all; the table of records says of which");
        notes.push(Note { kind: NoteKind::Loss, text, facts: vec![("lost", Cell::Count(lost))] });
    }
    notes.extend(crate::run::gaps(cx, &cx.damages()));
    notes
}
