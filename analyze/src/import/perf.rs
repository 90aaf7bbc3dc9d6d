//! `import_perf`: the whole step.

use std::io::Write;
use std::path::Path;

use ktape_format::{ClockPair, Host, Meta, ProbeMeta, ProbeState};
use ktape_schema::{CpuSample, OffCpu};

use super::events::Events;
use super::features::Features;
use super::file::PerfFile;
use super::header::Header;
use super::importer::{Importer, Unused};
use super::kallsyms::Kallsyms;
use super::kernel::Kernel;
use super::losses::Losses;
use super::mappings::Mappings;
use super::options::ImportPerf;
use super::ordered::{Record, read};
use super::outcome;
use super::stacks::Stacks;
use super::tape::Tape;
use super::tasks::Tasks;
use super::waits::Waits;
use crate::answer::Answer;
use crate::error::Result;

/// Most bytes of records before the first that has a time: perf's account of what was there.
const MAX_EARLY: usize = 256 << 20;
const CLOCK_MONOTONIC: i32 = 1;

/// The name of the notes in the header that say what the facts of a record lack.
pub(crate) fn note_name(record: &str) -> String {
    format!("imported {record}")
}

/// Writes a trace of a perf.data file: waits, CPU samples, processes, stacks and losses. The answer
/// says what of the file is in it.
///
/// # Errors
///
/// When the file is none of perf, is not finished, compressed, of the other byte order, from a pipe
/// or has nothing of use, or the trace cannot be written. What is damaged within its records is left
/// out, and the answer says so.
pub fn import_perf(path: &Path, options: &ImportPerf, out: &mut dyn Write) -> Result<Answer> {
    let file = PerfFile::open(path)?;
    let header = Header::read(&file)?;
    let features = Features::read(&file, &header)?;
    let kallsyms = options.kallsyms.as_deref().map(Kallsyms::read).transpose()?;
    let data = header.data;
    let events = Events::of(&file, header.events, &features)?;
    let mut out = Some(out);
    let mut kallsyms = Some(Kernel::new(kallsyms));
    let mut early: Vec<Record> = Vec::new();
    let mut early_bytes = 0;
    let mut importer: Option<Importer<'_, '_>> = None;
    let ended = read(&file, data, &events, |record| {
        if let Some(importer) = &mut importer {
            return importer.record(record);
        }
        if record.time == 0 {
            early_bytes += record.body.len() + 64;
            if early_bytes > MAX_EARLY {
                return Err(file.fail("damaged: its records have no times"));
            }
            early.push(record.clone());
            return Ok(());
        }
        let (Some(out), Some(kernel)) = (out.take(), kallsyms.take()) else { return Ok(()) };
        let start = record.time;
        let tape = Tape::new(out, meta(&file, &features, &events, start))?;
        let mut made = Importer {
            file: &file,
            events: &events,
            arch: &features.arch,
            tape,
            tasks: Tasks::new(start, !events.switches.is_empty()),
            waits: Waits::new(start),
            mappings: Mappings::new(features.build_ids.clone()),
            kernel,
            stacks: Stacks::default(),
            losses: Losses::default(),
            unused: Unused::default(),
            now: start,
        };
        for record in std::mem::take(&mut early) {
            made.record(&record)?;
        }
        made.tasks.tell_snapshot(&mut made.tape);
        let taken = made.record(record);
        importer = Some(made);
        taken
    })?;
    let Some(mut importer) = importer else {
        return Err(file.fail("it has no records with times: nothing was recorded"));
    };
    importer.end();
    outcome::answer(importer, &ended)
}

/// The header of the trace.
fn meta(file: &PerfFile, features: &Features, events: &Events, start: u64) -> Meta {
    let name = file.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let calendar = features.clocks.map(|(realtime, clock)| {
        if start >= clock {
            realtime.saturating_add(start - clock)
        } else {
            realtime.saturating_sub(clock - start)
        }
    });
    let mut notes = vec![
        ("imported from".to_owned(), format!("{name} (perf {})", features.perf_version)),
        ("imported clock".to_owned(), clock(events, calendar.is_some())),
    ];
    notes.extend(lacks(events).into_iter().map(|(record, text)| (note_name(record), text)));
    let host = Host {
        hostname: features.hostname.clone(),
        kernel: features.release.clone(),
        arch: features.arch.clone(),
        cpus: features.cpus,
        possible_cpus: features.possible_cpus,
        mem_bytes: features.mem_bytes,
        ..Host::default()
    };
    Meta {
        ktape_version: env!("CARGO_PKG_VERSION").to_owned(),
        host,
        command_line: features.command_line.clone(),
        probes: probes(events),
        start: ClockPair { mono: start, realtime: calendar.unwrap_or(0), boottime: 0 },
        notes,
        ..Meta::default()
    }
}

/// Which clock the times are of.
fn clock(events: &Events, calendar: bool) -> String {
    let clock = match events.clock() {
        Some(CLOCK_MONOTONIC) => "CLOCK_MONOTONIC".to_owned(),
        Some(other) => format!("clock {other} of clock_gettime(2)"),
        None => "perf's own (perf record -k CLOCK_MONOTONIC takes the kernel's)".to_owned(),
    };
    match calendar {
        true => clock,
        false => format!("{clock}; times of the day are not known"),
    }
}

/// What the facts of a record do not tell, for the notes of reports.
fn lacks(events: &Events) -> Vec<(&'static str, String)> {
    let mut lacks = Vec::new();
    let (off_cpu, sample) = (OffCpu::DESC.name, CpuSample::DESC.name);
    if !events.switches.is_empty() {
        lacks.push((
            off_cpu,
            "imported from perf, which tells no system calls, and disk waits as uninterruptible \
             ones; waits that had begun before the first switch are left out"
                .to_owned(),
        ));
        if !events.wakes.iter().any(|name| !name.ends_with("_new")) {
            lacks.push((
                off_cpu,
                "wake-ups were not recorded: time on the run queue is that of preempted threads \
                 alone, and wakers are not known (perf record -e sched:sched_waking)"
                    .to_owned(),
            ));
        }
    }
    if !events.tell_cpus() {
        let text = "CPUs were not recorded: all facts stand under CPU 0 (perf record --sample-cpu)";
        lacks.extend([off_cpu, sample].map(|record| (record, text.to_owned())));
    }
    if !events.have_chains() {
        let text = "call chains were not recorded (perf record -g)";
        lacks.extend([off_cpu, sample].map(|record| (record, text.to_owned())));
    }
    lacks
}

/// What perf's events stand for.
fn probes(events: &Events) -> Vec<ProbeMeta> {
    let probe = |name: &str, attached: Vec<String>, record: &str, events: &str| {
        let reason = match attached.is_empty() {
            true => format!("the imported file has no {events}"),
            false => String::new(),
        };
        ProbeMeta {
            name: name.to_owned(),
            state: if attached.is_empty() { ProbeState::Skipped } else { ProbeState::Attached },
            attached,
            reason,
            knobs: Vec::new(),
            records: vec![record.to_owned()],
        }
    };
    let named = |kind: &str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{kind}:{name}")).collect()
    };
    let switches = match events.switches.is_empty() {
        true => Vec::new(),
        false => named("tracepoint", &[&events.switches[..], &events.wakes].concat()),
    };
    let samples = named("perf_event", &events.samples);
    vec![
        probe("sched", switches, OffCpu::DESC.name, "sched:sched_switch"),
        probe("cpu", samples, CpuSample::DESC.name, "cpu-clock, task-clock or cycles"),
    ]
}
