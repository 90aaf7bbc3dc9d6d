//! What every account of a trace says: host, time, probes, records.

use std::collections::BTreeMap;

use ktape_format::{ProbeState, State};
use ktape_schema::{Class, Type, by_id};

use crate::answer::{Cell, Facts, Table};
use crate::context::{Context, Loss, Part};

/// The recorded host and the recording.
pub(crate) fn host(cx: &Context<'_>) -> Facts {
    let (meta, trace) = (cx.meta(), cx.trace());
    let host = &meta.host;
    let state = match trace.state() {
        State::Damaged(_) => "damaged",
        _ if trace.is_finished() => "complete",
        _ => "unfinished",
    };
    Facts {
        key: "capture",
        rows: vec![
            ("hostname", "host", Cell::text(&host.hostname)),
            ("kernel", "kernel", Cell::text(&host.kernel)),
            ("arch", "arch", Cell::text(&host.arch)),
            ("cpus", "CPUs", Cell::Count(host.cpus.into())),
            ("memory_bytes", "memory", Cell::Bytes(host.mem_bytes)),
            ("started_realtime_ns", "started", started(cx)),
            ("duration_ns", "duration", Cell::DurNs(cx.end() - cx.start())),
            ("command_line", "recorded by", Cell::text(meta.command_line.join(" "))),
            ("ktape_version", "ktape", Cell::text(&meta.ktape_version)),
            ("size_bytes", "file size", Cell::Bytes(trace.size())),
            ("state", "state", Cell::text(state)),
        ],
        ..Facts::default()
    }
}

/// When it started; nothing where only its own clock is known (`ktape import`).
fn started(cx: &Context<'_>) -> Cell {
    match cx.clocks().realtime(cx.start()) {
        0 => Cell::None,
        realtime => Cell::Calendar(realtime),
    }
}

/// What became of each probe.
pub(crate) fn probes(cx: &Context<'_>) -> Table {
    let columns = [
        ("probe", "probe"),
        ("state", "state"),
        ("attached", "attached to"),
        ("knobs", "settings"),
        ("records", "records"),
        ("reason", "why"),
    ];
    let mut table = Table::plain("probes", &columns);
    table.title = "Probes".to_owned();
    table.rows = cx
        .meta()
        .probes
        .iter()
        .map(|probe| {
            let state = match probe.state {
                ProbeState::Attached => "attached",
                ProbeState::Skipped => "skipped",
                ProbeState::Unknown => "unknown",
            };
            let knobs = probe.knobs.iter().map(|(name, value)| format!("{name}={value}"));
            vec![
                Cell::text(&probe.name),
                Cell::text(state),
                Cell::List(probe.attached.iter().map(Cell::text).collect()),
                Cell::List(knobs.map(Cell::text).collect()),
                Cell::List(probe.records.iter().map(Cell::text).collect()),
                Cell::text(&probe.reason),
            ]
        })
        .collect();
    table
}

/// Rows and bytes in the file per record, and what was lost of it.
#[derive(Clone, Debug)]
pub(crate) struct RecordUse {
    pub(crate) name: String,
    /// A wire message has no rows; it is here because some were lost.
    pub(crate) class: Class,
    pub(crate) chunks: u64,
    pub(crate) rows: u64,
    /// In the file.
    pub(crate) bytes: u64,
    /// As they lay in the ring; 0 for records with texts.
    pub(crate) raw_bytes: u64,
    pub(crate) loss: Option<Loss>,
}

/// All records that the trace has rows of or lost some of, facts first, by id.
pub(crate) fn records(cx: &Context<'_>) -> Vec<RecordUse> {
    let mut uses: Vec<RecordUse> = Vec::new();
    // Of a part, what its window lost.
    let (from, to) = cx.part().map_or((0, u64::MAX), Part::hull);
    let within = |(id, total): (u32, Loss)| match u16::try_from(id) {
        Ok(record) => (id, cx.losses().within(record, from, to, |_| true)),
        Err(_) => (id, total),
    };
    let mut losses: BTreeMap<u32, Loss> = cx.losses().totals().into_iter().map(within).collect();
    let mut schemas: Vec<_> = cx.meta().schema.iter().collect();
    schemas.sort_by_key(|schema| (schema.class, schema.id));
    for schema in schemas {
        let mut row_bytes = 0u64;
        let mut texts = false;
        for field in &schema.fields {
            match Type::from_code(field.ty) {
                Some(ty) if ty != Type::Text => row_bytes += ty.size() as u64,
                _ => texts = true,
            }
        }
        let mut found = RecordUse {
            name: schema.name.clone(),
            class: match schema.class == Class::Fact as u8 {
                true => Class::Fact,
                false => Class::Definition,
            },
            chunks: 0,
            rows: 0,
            bytes: 0,
            raw_bytes: 0,
            loss: losses.remove(&schema.id.into()),
        };
        for chunk in cx.trace().chunks().iter().filter(|chunk| chunk.record == schema.id) {
            found.chunks += 1;
            found.rows += u64::from(chunk.rows);
            found.bytes += u64::from(chunk.len);
        }
        found.raw_bytes = if texts { 0 } else { found.rows.saturating_mul(row_bytes) };
        if found.chunks > 0 || found.loss.is_some_and(|loss| loss.produced > 0) {
            uses.push(found);
        }
    }
    uses.extend(losses.into_iter().filter(|(_, loss)| loss.lost > 0).map(|(id, loss)| RecordUse {
        name: name(id),
        class: Class::Wire,
        chunks: 0,
        rows: 0,
        bytes: 0,
        raw_bytes: 0,
        loss: Some(loss),
    }));
    uses
}

/// The name of a record that the file's schema does not list.
fn name(id: u32) -> String {
    let known = u16::try_from(id).ok().and_then(by_id);
    known.map_or_else(|| format!("record {id}"), |desc| desc.name.to_owned())
}
