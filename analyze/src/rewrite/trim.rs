//! `trim`: a part of a trace.

use std::io::Write;

use ktape_format::{Batch, ChunkInfo, Options, RecordSchema, Trace, Writer};
use ktape_schema::{Class, Kind};

use super::chunks::{Chunks, check_schema, gap_notes};
use super::ids::Ids;
use super::kept_processes::KeptProcesses;
use super::outcome::answer;
use super::role::{Role, is_id};
use crate::answer::{Answer, Note, NoteKind};
use crate::context::{Context, Needs, Part};
use crate::error::{Error, Result};
use crate::query::{Filter, FilterArgs, RowFilter};
use crate::run::gaps;

/// Which part of a trace to keep. A fact belongs to the window in which it ends, and one that ends at
/// the very end of a window to the next window: so `--time 0s,1s` and `--time 1s,` share nothing and
/// leave nothing out.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Trim {
    /// The filters of reports.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Only facts of these records, as `ktape info` lists them.
    #[arg(long, value_name = "RECORD,..", value_delimiter = ',')]
    pub record: Vec<String>,
    /// Only facts that these probes made.
    #[arg(long, value_name = "PROBE,..", value_delimiter = ',')]
    pub probe: Vec<String>,
}

/// Writes a trace of those facts that pass, with the definitions that they need, and tells what it
/// has. Its reports are those of `trace` with the same filters.
///
/// # Errors
///
/// When an option means nothing here, the trace is of a newer ktape with wider fields, or `out`
/// cannot be written.
pub fn trim(trace: &Trace, options: &Trim, out: impl Write) -> Result<Answer> {
    check_schema(trace)?;
    let cx = Context::load(trace, Needs::CODE);
    let cut = Cut::new(&cx, options)?;
    let mut chunks = Chunks::new(trace);
    let needed = cut.needed(&mut chunks);
    let mut meta = trace.meta().clone();
    meta.notes.extend(gap_notes(trace));
    cut.part.note(&mut meta);
    let mut writer = Writer::new(out, meta, Options::default())?;
    let mut keep = Vec::new();
    for (index, chunk, schema) in chunks.all() {
        if !cut.passes_chunk(chunk, schema) || !chunks.read_all(index, schema) {
            continue;
        }
        cut.apply(chunk, schema, &needed, &mut chunks.batch, &mut keep);
        writer.columns(schema, chunk.ring, &chunks.batch)?;
    }
    let (_, written) = writer.finish()?;
    let damages = chunks.into_damages(&cx.damages());
    // Of which part the old trace was is no news of the new one.
    let said = gaps(&cx, &damages).into_iter().filter(|note| note.kind != NoteKind::Filter);
    let kept = (!cut.part.is_whole()).then(|| {
        let text = format!("kept of the recording: {}", cut.part.text(cx.start()));
        Note::new(NoteKind::About, text)
    });
    Ok(answer("trim", "Trimmed trace", &[trace], &written, said.chain(kept).collect()))
}

/// Definitions that are kept.
pub(super) struct Needed {
    ids: Ids,
    processes: KeptProcesses,
}

/// What is kept, placed in a trace.
pub(super) struct Cut<'a> {
    cx: &'a Context<'a>,
    /// As reports have it.
    filter: Filter,
    /// With a window that leaves out its own end.
    rows: Filter,
    part: Part,
}

impl<'a> Cut<'a> {
    /// All that is of use in a trace: that which nothing names is left out.
    pub(super) fn all(cx: &'a Context<'a>) -> Result<Self> {
        Self::new(cx, &Trim::default())
    }

    fn new(cx: &'a Context<'a>, options: &Trim) -> Result<Self> {
        let mut filter = options.filter.resolve(cx)?;
        if let Some(part) = cx.part() {
            within_part(&mut filter, part, &options.filter)?;
        }
        if filter.to >= cx.end() {
            filter.to = u64::MAX;
        }
        if filter.from <= cx.start() {
            filter.from = 0;
        }
        let mut rows = filter.clone();
        if filter.to != u64::MAX {
            rows.to = filter.to.saturating_sub(1);
        }
        if filter.from >= filter.to {
            return Err(Error::Option {
                option: "--time",
                value: options.filter.time.clone().unwrap_or_default(),
                reason: "this window holds nothing of the trace".to_owned(),
            });
        }
        let mut part = cx.part().cloned().unwrap_or_else(Part::whole);
        part.windows = part
            .windows
            .iter()
            .map(|&(from, to)| (from.max(filter.from), to.min(filter.to)))
            .filter(|(from, to)| from < to)
            .collect();
        if part.windows.is_empty() {
            part.windows.push((filter.from, filter.to));
        }
        part.pids.clone_from(&filter.pids);
        part.tids.clone_from(&filter.tids);
        for (list, more) in
            [(&mut part.comm, &options.filter.comm), (&mut part.hosts, &options.filter.host)]
        {
            if list.is_empty() {
                list.clone_from(more);
            }
        }
        part.cpus.clone_from(&filter.cpus);
        part.min_duration = filter.min_duration;
        let chosen = records(cx, options)?;
        part.records = match (part.records.is_empty(), chosen.is_empty()) {
            (_, true) => part.records,
            (true, false) => chosen,
            (false, false) => {
                let both: Vec<String> =
                    chosen.into_iter().filter(|name| part.records.contains(name)).collect();
                if both.is_empty() {
                    return Err(Error::Option {
                        option: "--record",
                        value: options.record.join(","),
                        reason: format!("the trace only has {}", part.records.join(", ")),
                    });
                }
                both
            }
        };
        part.end = cx.end();
        let facts = cx.meta().schema.iter().filter(|schema| schema.class == Class::Fact as u8);
        part.facts = facts
            .filter(|schema| cx.has_facts(&schema.name))
            .map(|schema| schema.name.clone())
            .collect();
        Ok(Self { cx, filter, rows, part })
    }

    /// Reads what facts name, and finds what that needs.
    pub(super) fn needed(&self, chunks: &mut Chunks<'_>) -> Needed {
        let mut needed = Needed { ids: Ids::default(), processes: KeptProcesses::default() };
        let mut keep = Vec::new();
        // Facts tell which processes are kept, and the definitions of these name texts and modules.
        for facts in [true, false] {
            for (index, chunk, schema) in chunks.all() {
                let role = Role::of(schema);
                if (role == Role::Fact) != facts
                    || matches!(role, Role::Entry(_) | Role::Symbol)
                    || !self.passes_chunk(chunk, schema)
                {
                    continue;
                }
                if !chunks.read(index, &self.columns(chunk, schema)) {
                    continue;
                }
                self.apply(chunk, schema, &needed, &mut chunks.batch, &mut keep);
                needed.ids.take(self.cx, schema, &chunks.batch);
                if facts {
                    needed.processes.take(self.cx, schema, &chunks.batch);
                }
            }
            if facts {
                needed.processes.close(self.cx, &self.filter);
            }
        }
        needed.ids.close(self.cx);
        needed
    }

    /// The columns that decide about the rows of a chunk and tell what they name.
    fn columns<'c>(&'c self, chunk: &ChunkInfo, schema: &'c RecordSchema) -> Vec<&'c str> {
        let named =
            |kind: &str| is_id(kind) || [Kind::Tid.name(), Kind::Tgid.name()].contains(&kind);
        let mut columns: Vec<&str> = schema
            .fields
            .iter()
            .filter(|field| named(&field.kind))
            .map(|field| &*field.name)
            .collect();
        let mut add = |name: &'c str| {
            if !columns.contains(&name) {
                columns.push(name);
            }
        };
        match Role::of(schema) {
            Role::Process { tgid, time } => [tgid, time].into_iter().for_each(add),
            Role::Coverage => add("end"),
            Role::Loss => ["record", "cpu"].into_iter().for_each(add),
            _ => {}
        }
        if Role::of(schema) == Role::Fact {
            RowFilter::new(self.cx, &self.rows, schema).columns(chunk, &mut columns);
        }
        columns
    }

    fn passes_chunk(&self, chunk: &ChunkInfo, schema: &RecordSchema) -> bool {
        Role::of(schema) != Role::Fact
            || (self.part.keeps(&schema.name)
                && RowFilter::new(self.cx, &self.rows, schema).passes_chunk(chunk))
    }

    /// Drops the rows that are not kept.
    pub(super) fn apply(
        &self,
        chunk: &ChunkInfo,
        schema: &RecordSchema,
        needed: &Needed,
        batch: &mut Batch,
        keep: &mut Vec<bool>,
    ) {
        let cx = self.cx;
        keep.clear();
        match Role::of(schema) {
            Role::Fact => {
                return RowFilter::new(cx, &self.rows, schema).apply(chunk, batch, keep);
            }
            Role::Other => return,
            Role::Entry(kind) => {
                let Some(ids) = needed.ids.of(kind) else { return };
                keep.extend(batch.u32("id").iter().map(|id| ids.contains(id)));
            }
            Role::Symbol => {
                let frames = batch.u32("frame").iter();
                keep.extend(frames.map(|frame| needed.ids.frames.contains(frame)));
            }
            Role::Process { tgid, time } => {
                let rows = batch.u32(tgid).iter().zip(batch.u64(time));
                keep.extend(rows.map(|(&tgid, &time)| needed.processes.keeps(cx, tgid, time)));
            }
            Role::Coverage => {
                let window = self.rows.from..=self.rows.to;
                keep.extend(batch.u64("end").iter().map(|end| window.contains(end)));
            }
            Role::Loss => {
                let rows = batch.u32("record").iter().zip(batch.u32("cpu"));
                keep.extend(rows.map(|(&record, &cpu)| self.keeps_loss(record, cpu)));
            }
        }
        if keep.contains(&false) {
            batch.retain(keep);
        }
    }

    /// Counters are cumulative, so all readings are kept of the records and CPUs that are.
    fn keeps_loss(&self, record: u32, cpu: u32) -> bool {
        let schema = u16::try_from(record).ok().and_then(|id| self.cx.trace().record_by_id(id));
        match schema.filter(|schema| schema.class == Class::Fact as u8) {
            Some(fact) => self.part.keeps(&fact.name) && self.filter.passes_cpu(cpu),
            None => true,
        }
    }
}

/// Keeps of what is asked for what a trimmed trace still has. Two lists of names have no common one:
/// together they would read as either of both.
fn within_part(filter: &mut Filter, part: &Part, args: &FilterArgs) -> Result<()> {
    let outside = |option, value: String, there: String| Error::Option {
        option,
        value,
        reason: format!("the trace was trimmed to {there}"),
    };
    let list = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    for (option, chosen, there) in
        [("--pid", &mut filter.pids, &part.pids), ("--tid", &mut filter.tids, &part.tids)]
    {
        let value = list(chosen);
        chosen.retain(|number| there.is_empty() || there.contains(number));
        if chosen.is_empty() && !there.is_empty() {
            return Err(outside(option, value, list(there)));
        }
    }
    if !part.cpus.is_empty() {
        let pairs = filter.cpus.iter().flat_map(|&a| part.cpus.iter().map(move |&b| (a, b)));
        let both = pairs.map(|(a, b)| (a.0.max(b.0), a.1.min(b.1)));
        let mut both: Vec<(u32, u32)> = both.filter(|range| range.0 <= range.1).collect();
        both.sort_unstable();
        both.dedup();
        if both.is_empty() {
            let ranges = part.cpus.iter().map(|(low, high)| format!("{low}-{high}"));
            return Err(outside("--cpu", args.cpu.join(","), ranges.collect::<Vec<_>>().join(",")));
        }
        filter.cpus = both;
    }
    for (option, chosen, there) in
        [("--comm", &args.comm, &part.comm), ("--host", &args.host, &part.hosts)]
    {
        if !chosen.is_empty() && !there.is_empty() && chosen != there {
            let there = format!("{} by {option} already: trim the whole one", there.join(","));
            return Err(outside(option, chosen.join(","), there));
        }
    }
    Ok(())
}

/// The records that --record and --probe name.
fn records(cx: &Context<'_>, options: &Trim) -> Result<Vec<String>> {
    let mut chosen: Vec<String> = Vec::new();
    let known: Vec<&str> = cx
        .meta()
        .schema
        .iter()
        .filter(|schema| schema.class == Class::Fact as u8)
        .map(|schema| &*schema.name)
        .collect();
    let unknown = |option, value: &String, what: &str, there: &[&str]| Error::Option {
        option,
        value: value.clone(),
        reason: format!("the trace has no such {what}; there are {}", there.join(", ")),
    };
    for name in &options.record {
        if !known.contains(&name.as_str()) {
            return Err(unknown("--record", name, "fact", &known));
        }
        chosen.push(name.clone());
    }
    for name in &options.probe {
        let probes: Vec<&str> = cx.meta().probes.iter().map(|probe| &*probe.name).collect();
        match cx.meta().probes.iter().find(|probe| probe.name == *name) {
            Some(probe) if !probe.records.is_empty() => chosen.extend_from_slice(&probe.records),
            Some(_) => {
                return Err(Error::Option {
                    option: "--probe",
                    value: name.clone(),
                    reason: "it made no records".to_owned(),
                });
            }
            None => return Err(unknown("--probe", name, "probe", &probes)),
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}
