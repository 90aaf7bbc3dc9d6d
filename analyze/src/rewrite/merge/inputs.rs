//! `Inputs`: what the traces to be merged are of, and whether they go together.

use std::collections::BTreeMap;

use ktape_format::{Meta, Trace};
use ktape_schema::Class;

use super::align::Place;
use super::joined::join;
use crate::context::{Host, Hosts, MAX_HOSTS, Part, end_of};
use crate::error::{Error, Result};
use crate::rewrite::REDACTED;

/// CPU numbers that the rings of recorders leave.
const MAX_CPUS: u32 = u16::MAX as u32 - MAX_HOSTS as u32;

/// A trace to be merged.
pub(super) struct Input<'t> {
    pub(super) trace: &'t Trace,
    /// The number of its host.
    pub(super) host: usize,
    /// The first of the traces that are of the same recording.
    pub(super) recording: usize,
}

/// A recording, which one or more traces are of.
pub(super) struct Recording {
    /// The first trace of it.
    pub(super) first: usize,
    pub(super) host: usize,
    /// What the traces have of it together.
    pub(super) part: Part,
    /// Monotonic time of its host.
    pub(super) start: u64,
    pub(super) end: u64,
    /// The records and rings that it has facts of, with the first and the last time of these.
    facts: Facts,
    /// What its kernel drew when it booted; empty when that is not known.
    boot_id: String,
}

type Facts = BTreeMap<(String, u16), (u64, u64)>;

/// All of them.
pub(super) struct Inputs<'t> {
    pub(super) list: Vec<Input<'t>>,
    pub(super) recordings: Vec<Recording>,
    pub(super) hosts: Hosts,
    /// Per host.
    pub(super) places: Vec<Place>,
    /// The host whose clock the others' times are put onto: it has run the longest, so no time becomes
    /// negative.
    pub(super) base: usize,
}

impl<'t> Inputs<'t> {
    pub(super) fn of(traces: &'t [Trace]) -> Result<Self> {
        let mut list: Vec<Input<'t>> = Vec::new();
        let mut hosts = 0;
        for trace in traces {
            let meta = trace.meta();
            let same = |test: fn(&Meta, &Meta) -> bool| {
                list.iter().position(|input| test(input.trace.meta(), meta))
            };
            let recording = same(same_recording).unwrap_or(list.len());
            let host = same(same_host).map_or(hosts, |input| list[input].host);
            hosts = hosts.max(host + 1);
            list.push(Input { trace, host, recording });
        }
        if hosts > MAX_HOSTS {
            return Err(refused(format!("{hosts} hosts: a trace has room for {MAX_HOSTS}")));
        }
        let recordings = recordings(&list)?;
        if recordings.len() > 1 {
            let merged = list.iter().find(|input| Hosts::of(input.trace.meta()).several());
            if let Some(merged) = merged {
                return Err(refused(format!(
                    "{} is of several hosts already: merge all traces at once",
                    merged.trace.path().display()
                )));
            }
            let timeless = list.iter().find(|input| input.trace.meta().start.realtime == 0);
            if let Some(timeless) = timeless {
                return Err(refused(format!(
                    "{} does not know times of the day, so others cannot be placed beside it: \
                     import what was recorded with `perf record -k CLOCK_MONOTONIC`",
                    timeless.trace.path().display()
                )));
            }
        }
        same_pseudonyms(&list)?;
        overlaps(&list, &recordings)?;
        alike(&list)?;
        let places: Vec<Place> = (0..hosts)
            .map(|host| {
                let own = list.iter().filter(|input| input.host == host);
                Place::of_traces(own.map(|input| input.trace))
            })
            .collect();
        let base = (0..hosts).min_by_key(|&host| places[host].middle()).unwrap_or(0);
        let hosts = name_hosts(&list, hosts)?;
        Ok(Self { list, recordings, hosts, places, base })
    }

    /// The traces with their hosts and recordings.
    pub(super) fn traces(&self) -> Vec<(&'t Trace, usize, usize)> {
        self.list.iter().map(|input| (input.trace, input.host, input.recording)).collect()
    }

    /// What the times of a host are moved by, ns.
    pub(super) fn shift(&self, host: usize) -> Result<u64> {
        if host == self.base {
            return Ok(0);
        }
        self.places[host].shift_to(self.places[self.base]).ok_or_else(|| {
            refused(format!("{}: its clocks make no sense", self.hosts.list()[host].name))
        })
    }

    /// Recordings of a host.
    pub(super) fn recordings_of(&self, host: usize) -> usize {
        self.recordings.iter().filter(|recording| recording.host == host).count()
    }
}

fn refused(what: String) -> Error {
    Error::Rewrite(what)
}

/// Parts of a recording keep its header, but for notes.
fn same_recording(a: &Meta, b: &Meta) -> bool {
    (&a.host, a.start, &a.command_line, &a.filters)
        == (&b.host, b.start, &b.command_line, &b.filters)
}

fn same_host(a: &Meta, b: &Meta) -> bool {
    let boot = (&a.host.boot_id, &a.host.hostname) == (&b.host.boot_id, &b.host.hostname);
    boot && (!a.host.boot_id.is_empty() || same_recording(a, b))
}

fn recordings(list: &[Input<'_>]) -> Result<Vec<Recording>> {
    let mut recordings = Vec::new();
    for (first, input) in list.iter().enumerate().filter(|(at, input)| input.recording == *at) {
        let own: Vec<&Trace> =
            list.iter().filter(|input| input.recording == first).map(|input| input.trace).collect();
        let parts: Vec<(String, Part)> = own
            .iter()
            .map(|trace| {
                let part = Part::of(trace.meta()).unwrap_or_else(Part::whole);
                (trace.path().display().to_string(), part)
            })
            .collect();
        let part = join(&parts)?;
        let end = own.iter().map(|trace| end_of(trace)).max().unwrap_or(0).max(part.end);
        let start = input.trace.meta().start.mono;
        let mut facts = Facts::new();
        own.iter().for_each(|trace| add_facts(trace, &mut facts));
        let boot_id = input.trace.meta().host.boot_id.clone();
        recordings.push(Recording { first, host: input.host, part, start, end, facts, boot_id });
    }
    Ok(recordings)
}

fn add_facts(trace: &Trace, facts: &mut Facts) {
    for chunk in trace.chunks() {
        let record = trace.record_by_id(chunk.record);
        let Some(record) = record.filter(|record| record.class == Class::Fact as u8) else {
            continue;
        };
        let place = (record.name.clone(), chunk.ring);
        let (first, last) = facts.entry(place).or_insert((chunk.first, chunk.last));
        (*first, *last) = ((*first).min(chunk.first), (*last).max(chunk.last));
    }
}

impl Recording {
    /// A record of which another one may have the same facts. A kernel keeps its boot id when its host
    /// is renamed, and shares it with containers.
    ///
    /// By the facts of each ring, not by when the recordings ran: files that follow each other overlap
    /// by the moment that it takes to change from one to the next.
    fn shared(&self, other: &Recording) -> Option<&str> {
        let boot = !self.boot_id.is_empty() && self.boot_id == other.boot_id;
        let mut facts = self.facts.iter().filter(|_| boot || self.host == other.host);
        let found = facts.find(|(place, own)| {
            let other = other.facts.get(*place);
            other.is_some_and(|other| own.0 <= other.1 && other.0 <= own.1)
        });
        found.map(|((record, _), _)| record.as_str())
    }
}

/// Two recordings of a host at the same time have the same facts, and they would count twice.
fn overlaps(list: &[Input<'_>], recordings: &[Recording]) -> Result<()> {
    for (at, one) in recordings.iter().enumerate() {
        for other in &recordings[..at] {
            if let Some(both) = one.shared(other) {
                return Err(refused(format!(
                    "{} and {} were recorded on one host at the same time, and both have {both} \
                     facts, which would count twice: trim one of them by time or by records",
                    list[other.first].trace.path().display(),
                    list[one.first].trace.path().display(),
                )));
            }
        }
    }
    Ok(())
}

/// Under another key, or none, the same host has another boot id and the same text another name: nobody
/// could tell whether facts count twice.
fn same_pseudonyms(list: &[Input<'_>]) -> Result<()> {
    let Some(first) = list.first() else { return Ok(()) };
    let keys = |input: &Input<'_>| -> Vec<String> {
        let notes = input.trace.meta().notes.iter().filter(|note| note.0 == REDACTED);
        notes.map(|note| note.1.clone()).collect()
    };
    let Some(other) = list.iter().find(|input| keys(input) != keys(first)) else { return Ok(()) };
    Err(refused(format!(
        "{} and {} are not redacted with one key, so it cannot be told whether they have facts in \
         common: merge the originals, then redact",
        first.trace.path().display(),
        other.trace.path().display()
    )))
}

/// Numbers of system calls and sizes of pages must mean the same everywhere.
fn alike(list: &[Input<'_>]) -> Result<()> {
    let Some(first) = list.first() else { return Ok(()) };
    for input in list {
        let (a, b) = (&first.trace.meta().host, &input.trace.meta().host);
        if a.arch != b.arch || a.page_size != b.page_size {
            return Err(refused(format!(
                "{} is of {} with pages of {} bytes, {} of {} with {}: numbers of system calls and \
                 pages of both cannot be told apart in one trace",
                first.trace.path().display(),
                a.arch,
                a.page_size,
                input.trace.path().display(),
                b.arch,
                b.page_size
            )));
        }
    }
    Ok(())
}

/// Gives each host a name of its own and a range of CPUs.
fn name_hosts(list: &[Input<'_>], count: usize) -> Result<Hosts> {
    if let (1, Some(only)) = (count, list.first()) {
        // Parts of a trace of several hosts count as one host, too: its numbers stay.
        let name = only.trace.meta().host.hostname.clone();
        return Ok(Hosts::new(vec![Host { name, first_cpu: 0, cpus: u32::MAX }]));
    }
    let mut hosts: Vec<Host> = Vec::new();
    let mut first_cpu = 0u32;
    for number in 0..count {
        let own = || list.iter().filter(|input| input.host == number).map(|input| input.trace);
        let cpus = own().map(cpus).max().unwrap_or(1);
        let name = own().next().map_or("", |trace| &trace.meta().host.hostname);
        let is_free = |name: &str| hosts.iter().all(|host| host.name != name);
        let name = (1..)
            .map(|again| match again {
                1 => name.to_owned(),
                again => format!("{name}#{again}"),
            })
            .find(|name| is_free(name))
            .unwrap_or_default();
        hosts.push(Host { name, first_cpu, cpus });
        first_cpu = first_cpu.saturating_add(cpus);
    }
    if first_cpu > MAX_CPUS {
        return Err(refused(format!("{first_cpu} CPUs: a trace has room for {MAX_CPUS}")));
    }
    Ok(Hosts::new(hosts))
}

/// How many numbers of CPUs a host has.
fn cpus(trace: &Trace) -> u32 {
    let host = &trace.meta().host;
    let is_fact =
        |record| trace.record_by_id(record).is_some_and(|schema| schema.class == Class::Fact as u8);
    let rings = trace.chunks().iter();
    let rings = rings.filter(|chunk| chunk.ring != u16::MAX && is_fact(chunk.record));
    let rings = rings.map(|chunk| u32::from(chunk.ring) + 1).max().unwrap_or(1);
    host.possible_cpus.max(host.cpus).max(rings)
}
