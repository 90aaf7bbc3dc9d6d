//! The header of a merged trace.

use ktape_format::{ClockPair, Meta, ProbeMeta, ProbeState, RecordSchema};

use super::inputs::Inputs;
use crate::context::Part;
use crate::error::{Error, Result};
use crate::rewrite::chunks::gap_notes;

/// The note of a merged trace for each recording that it has only a part of.
pub(crate) const MERGED_PART: &str = "merged part";
const FROM: &str = "merged from";
const CLOCKS: &str = "merged clocks";

/// The header of the new trace.
pub(super) fn header(inputs: &Inputs<'_>) -> Result<Meta> {
    let metas: Vec<&Meta> = inputs.list.iter().map(|input| input.trace.meta()).collect();
    let Some(first) = metas.first() else { return Ok(Meta::default()) };
    let mut meta = (*first).clone();
    meta.notes.clear();
    meta.schema = schema(&metas)?;
    for input in &inputs.list {
        let gone = |name: &str| Part::is_note(name) || name == FROM;
        let own = input.trace.meta().notes.iter().filter(|note| !gone(&note.0)).cloned();
        for note in own.chain(gap_notes(input.trace)) {
            if !meta.notes.contains(&note) {
                meta.notes.push(note);
            }
        }
    }
    if inputs.recordings.len() == 1 {
        inputs.recordings[0].part.note(&mut meta);
    } else {
        several(inputs, &metas, &mut meta)?;
    }
    let names = inputs.list.iter().map(|input| file_name(input.trace.path()));
    meta.notes.push((FROM.to_owned(), names.collect::<Vec<_>>().join(", ")));
    Ok(meta)
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What several recordings have in common, and what each of them adds.
fn several(inputs: &Inputs<'_>, metas: &[&Meta], meta: &mut Meta) -> Result<()> {
    let mut part = Part { windows: Vec::new(), ..Part::whole() };
    let mut cut = true;
    let mut start: Option<ClockPair> = None;
    let mut parts = Vec::new();
    meta.probes.clear();
    meta.filters.clear();
    for recording in &inputs.recordings {
        let own = metas[recording.first];
        let shift = inputs.shift(recording.host)?;
        let moved = |time: u64| time.saturating_add(shift);
        let begun = ClockPair {
            mono: moved(own.start.mono),
            realtime: own.start.realtime,
            boottime: moved(own.start.boottime),
        };
        start = Some(start.filter(|start| start.mono <= begun.mono).unwrap_or(begun));
        own.probes.iter().for_each(|probe| add_probe(&mut meta.probes, probe));
        for filter in &own.filters {
            if !meta.filters.contains(filter) {
                meta.filters.push(filter.clone());
            }
        }
        part.end = part.end.max(moved(recording.end));
        part.facts.extend_from_slice(&recording.part.facts);
        let (from, to) = recording.part.hull();
        cut &= (from, to) != (0, u64::MAX);
        let place = |time: u64, open: u64, stop: u64| moved(if time == open { stop } else { time });
        part.windows.push((
            place(from, 0, recording.start),
            place(to, u64::MAX, recording.end.saturating_add(1)),
        ));
        if !recording.part.is_whole() {
            let name = &inputs.hosts.list()[recording.host].name;
            parts.push(format!("{name}: {}", recording.part.text(recording.start)));
        }
    }
    meta.start = start.unwrap_or(meta.start);
    part.facts.sort_unstable();
    part.facts.dedup();
    if cut {
        part.windows.sort_unstable();
        part.windows.dedup_by(|next, before| {
            let touch = next.0 <= before.1;
            if touch {
                before.1 = before.1.max(next.1);
            }
            touch
        });
        part.note(meta);
    }
    meta.notes.extend(parts.into_iter().map(|text| (MERGED_PART.to_owned(), text)));
    if metas.iter().any(|other| other.command_line != meta.command_line) {
        meta.command_line = vec!["ktape".to_owned(), "merge".to_owned()];
        meta.command_line.extend(inputs.list.iter().map(|input| file_name(input.trace.path())));
    }
    if inputs.hosts.several() {
        hosts(inputs, metas, meta)?;
    }
    Ok(())
}

/// What several hosts are together, and how their clocks were aligned.
fn hosts(inputs: &Inputs<'_>, metas: &[&Meta], meta: &mut Meta) -> Result<()> {
    let firsts = (0..inputs.hosts.list().len())
        .filter_map(|host| inputs.list.iter().position(|input| input.host == host));
    let own: Vec<_> = firsts.map(|first| &metas[first].host).collect();
    let distinct = |text: fn(&ktape_format::Host) -> &str| {
        let mut texts: Vec<&str> = own.iter().map(|host| text(host)).collect();
        texts.sort_unstable();
        texts.dedup();
        texts.join(", ")
    };
    let (kernel, version) = (distinct(|host| &host.kernel), distinct(|host| &host.version));
    let names = inputs.hosts.list().iter().map(|host| host.name.clone()).collect::<Vec<_>>();
    let host = &mut meta.host;
    host.hostname = names.join(", ");
    (host.kernel, host.version) = (kernel, version);
    host.boot_id = own.iter().map(|host| host.boot_id.as_str()).collect::<Vec<_>>().join(", ");
    host.cpus = own.iter().map(|host| host.cpus).fold(0, u32::saturating_add);
    host.possible_cpus = own.iter().map(|host| host.possible_cpus).fold(0, u32::saturating_add);
    host.mem_bytes = own.iter().map(|host| host.mem_bytes).fold(0, u64::saturating_add);
    inputs.hosts.note(meta);
    for (host, name) in names.iter().enumerate() {
        let (shift, spread) = (inputs.shift(host)?, inputs.places[host].spread());
        let text = format!(
            "{name}: moved by {}, its own clock readings differ by up to {}",
            crate::context::seconds(shift),
            crate::context::seconds(spread)
        );
        meta.notes.push((CLOCKS.to_owned(), text));
    }
    Ok(())
}

/// Adds what a recording says of a probe to what others say.
fn add_probe(probes: &mut Vec<ProbeMeta>, probe: &ProbeMeta) {
    let Some(known) = probes.iter_mut().find(|known| known.name == probe.name) else {
        probes.push(probe.clone());
        return;
    };
    if probe.state == ProbeState::Attached {
        known.state = ProbeState::Attached;
    }
    let add = |list: &mut Vec<String>, more: &[String]| {
        let new: Vec<String> = more.iter().filter(|text| !list.contains(text)).cloned().collect();
        list.extend(new);
    };
    add(&mut known.attached, &probe.attached);
    add(&mut known.records, &probe.records);
    for knob in &probe.knobs {
        if !known.knobs.contains(knob) {
            known.knobs.push(knob.clone());
        }
    }
    if known.reason.is_empty() {
        known.reason.clone_from(&probe.reason);
    }
}

/// All records with all fields that any of the traces has.
fn schema(metas: &[&Meta]) -> Result<Vec<RecordSchema>> {
    let mut all: Vec<RecordSchema> = Vec::new();
    for record in metas.iter().flat_map(|meta| &meta.schema) {
        let apart = |what: &str| {
            Err(Error::Rewrite(format!("record {}: the traces disagree about {what}", record.name)))
        };
        let by_name = all.iter().position(|known| known.name == record.name);
        let by_id = all.iter().position(|known| known.id == record.id);
        let Some(at) = by_name else {
            if by_id.is_some() {
                return apart("its number");
            }
            all.push(record.clone());
            continue;
        };
        let known = &mut all[at];
        if by_id != Some(at) || known.class != record.class {
            return apart("its number or class");
        }
        for field in &record.fields {
            match known.fields.iter().find(|known| known.name == field.name) {
                Some(same) if (same.ty, &same.kind) == (field.ty, &field.kind) => {}
                Some(_) => return apart(&format!("its field {}", field.name)),
                None => known.fields.push(field.clone()),
            }
        }
    }
    Ok(all)
}
