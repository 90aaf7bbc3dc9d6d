//! From options to attached programs: what can run here, with which settings, and why not.

use crate::attacher::{Attacher, UserFunction, UserPlace};
use crate::counting::{self, Counting};
use crate::error::{Error, Result};
use crate::kernel::{self, Global, Kernel, Moment};
use crate::options::{Options, ProbeChoice, Targets};
use crate::probe::{Needs, OF_NO_CPU, Probe};
use crate::probes::{PROBES, by_name};
use crate::proc::{self, Anchor, Capability, HostFacts};
use crate::{clock, libraries, sideband, targets};
use ktape_format::schema::{Desc, TaskRun};
use ktape_format::{ProbeMeta, ProbeState};
use std::path::Path;

/// A probe with the values of its knobs.
pub(crate) struct Chosen {
    pub(crate) probe: &'static Probe,
    pub(crate) values: Vec<u64>,
    pub(crate) explicit: bool,
}

impl Chosen {
    /// The value of a knob.
    pub(crate) fn value(&self, knob: &str) -> Option<u64> {
        let at = self.probe.knobs.iter().position(|known| known.name == knob)?;
        Some(self.values[at])
    }
}

/// Reads the choices: names to probes, texts to values; adds what is always attached.
pub(crate) fn choose(choices: &[ProbeChoice]) -> Result<Vec<Chosen>> {
    if choices.is_empty() {
        return Err(Error::NoProbe);
    }
    for choice in choices {
        match by_name(&choice.name) {
            None => return Err(Error::NoSuchProbe(choice.name.clone())),
            Some(probe) if probe.always => return Err(Error::AlwaysProbe(choice.name.clone())),
            Some(_) => {}
        }
    }
    let mut chosen = Vec::new();
    for probe in PROBES {
        let choice = choices.iter().rev().find(|choice| choice.name == probe.name);
        if choice.is_none() && !probe.always {
            continue;
        }
        let mut values: Vec<u64> = probe.knobs.iter().map(|knob| knob.default).collect();
        for (name, text) in choices
            .iter()
            .filter(|choice| choice.name == probe.name)
            .flat_map(|choice| &choice.knobs)
        {
            let at = probe.knobs.iter().position(|knob| knob.name == *name);
            let fail = |message| Error::Knob { probe: probe.name.into(), message };
            let at = at.ok_or_else(|| {
                let names: Vec<&str> = probe.knobs.iter().map(|knob| knob.name).collect();
                fail(format!("there is no setting {name}, but {}", names.join(", ")))
            })?;
            values[at] = probe.knobs[at].parse(text).map_err(fail)?;
        }
        let explicit = choices.iter().any(|choice| choice.name == probe.name && choice.explicit);
        chosen.push(Chosen { probe, values, explicit });
    }
    Ok(chosen)
}

/// Programs in the kernel, and what became of each probe.
pub(crate) struct Setup {
    pub(crate) kernel: Kernel,
    /// When the first program was about to be attached.
    pub(crate) start: Anchor,
    /// The CPU time that the threads of targets had had by then.
    pub(crate) run_times: Vec<TaskRun>,
    pub(crate) probes: Vec<ProbeMeta>,
    /// Those that are attached.
    pub(crate) attached: Vec<Chosen>,
    /// What they do without, and why.
    pub(crate) missing: Vec<String>,
    /// What goes into the files of other programs.
    pub(crate) attacher: Attacher,
    /// Only into those of processes that are recorded by number.
    pub(crate) by_target: bool,
}

/// A variable of four bytes.
fn half(symbol: &'static str, value: u32) -> Global {
    Global { symbol, bytes: value.to_ne_bytes().to_vec() }
}

/// A version as the programs compare it.
fn version_code(version: (u32, u32)) -> u32 {
    version.0 << 16 | version.1 << 8
}

/// Bytes of the definition ring for so many CPUs: what they send at the start of a recording, when
/// every stack is new, and as much again.
fn definition_bytes(cpus: usize) -> u32 {
    let bytes = (cpus as u32).saturating_mul(512 << 10).next_power_of_two();
    bytes.clamp(2 << 20, 64 << 20)
}

/// Kernel memory that other programs may hold until the ring is full is not ours to wait for: wake
/// the reader when a ring is a sixteenth full.
const WAKES_PER_RING: u64 = 16;

/// Loads and attaches. `command` is the process that was launched, `held` the same if it waits for
/// the recorder, `program` what it will run.
pub(crate) fn attach(
    options: &Options,
    host: &HostFacts,
    command: Option<u32>,
    held: Option<u32>,
    program: Option<&Path>,
) -> Result<Setup> {
    let chosen = choose(&options.probes)?;
    let version = kernel_version(&host.release);
    let cycles = sideband::has_hardware_cycles();

    for choice in chosen.iter().filter(|choice| choice.explicit) {
        if let Some(reason) = missing(choice.probe, version) {
            return Err(Error::Probe { probe: choice.probe.name.into(), reason });
        }
    }

    let wanted = &options.targets;
    if let Some(cpu) = wanted.cpus.iter().find(|cpu| !host.online.iter().any(|at| at == **cpu)) {
        return Err(Error::Target(format!("there is no CPU {cpu} online")));
    }
    let only_command = command.is_some() && !options.system_wide;
    let by_target = only_command || wanted.are_by_number();
    let children = only_command || (wanted.children && by_target);
    let mut globals = targets::globals(wanted, by_target, children)?;
    globals.push(half("self_tgid", std::process::id()));
    globals.push(half("cpus", host.possible.bound()));
    globals.push(half("held_tgid", held.unwrap_or(0)));
    globals.push(half("kernel_version", version_code(version)));
    globals.push(half("wake_bytes", (u64::from(options.ring_bytes) / WAKES_PER_RING) as u32));
    let cpus = cpu_list(host);
    let definitions = definition_bytes(cpus.len());
    let waiting = u64::from(definitions) / 2;
    globals.push(Global { symbol: "wake_definitions", bytes: waiting.to_ne_bytes().to_vec() });
    globals.push(Global { symbol: "cpu_event", bytes: vec![if cycles { 2 } else { 1 }] });
    globals.push(half("page_bytes", host.page_size));
    // One that cannot run here may not even be in the object, nor its settings.
    let can_be = |choice: &&Chosen| missing(choice.probe, version).is_none();
    for choice in chosen.iter().filter(can_be) {
        for (knob, &value) in choice.probe.knobs.iter().zip(&choice.values) {
            if !knob.symbol.is_empty() {
                globals.push(Global { symbol: knob.symbol, bytes: knob.bytes(value) });
            }
        }
    }

    let possible = host.possible.bound();
    let events = chosen.iter().find_map(|choice| choice.value(counting::KNOB));
    let counting = events.map(|events| Counting::open(events, &cpus)).unwrap_or_default();
    let (available, uncounted) = (counting.available(u64::MAX), counting.missing.clone());
    globals.push(half("counters_counted", counting.counted as u32));
    globals.push(Global { symbol: "counters_on", bytes: vec![events.is_some().into()] });
    let period = chosen.iter().filter(|choice| choice.value(counting::KNOB).is_some());
    let period = period.filter_map(|choice| choice.value("period")).max().unwrap_or(0);
    let switches = counting::Event::ContextSwitches.period(events.unwrap_or(0), period);
    globals.push(Global { symbol: "counters_switches", bytes: switches.to_ne_bytes().to_vec() });

    let wanted_probes: Vec<&Probe> = chosen.iter().map(|choice| choice.probe).collect();
    let (mut kernel, btf) = Kernel::load(
        &wanted_probes,
        &globals,
        possible,
        &cpus,
        options.ring_bytes,
        definitions,
        kernel::is_recent(version),
    )?;
    kernel.count(counting)?;
    kernel.do_without(&options.without);
    let numbered = targets::numbered(wanted)?;
    for target in &numbered {
        kernel.add_target(target.id, target.thread)?;
    }
    if let Some(pid) = command {
        kernel.add_target(pid, false)?;
    }

    // Without it, names come from /proc/kallsyms.
    kernel.load_names(&btf).ok();
    kernel.share(chosen.iter().filter(can_be).map(|choice| choice.probe.name).collect());
    // Before the start: the recording has all of them from its first moment on.
    let value = |choice: &Chosen, knob: &str| match knob {
        counting::KNOB => choice.value(knob).map(|events| events & available),
        _ => choice.value(knob),
    };
    for choice in chosen.iter().filter(can_be) {
        kernel.prepare(choice.probe, &|knob| value(choice, knob), &btf);
    }
    let start = clock::now();
    kernel.set_moment(Moment::Start, start.mono)?;
    // Not with the rest of /proc: what they run until then is part of the recording.
    let run_times = numbered.iter().flat_map(targets::Numbered::run_times).collect();
    let mut probes = Vec::new();
    let mut attached = Vec::new();
    let mut all_missing = Vec::new();
    for choice in chosen {
        let outcome = missing(choice.probe, version).map_or(Ok(()), Err).and_then(|()| {
            kernel.attach(choice.probe, &|knob| value(&choice, knob), &btf, &cpus, cycles)
        });
        let mut meta = ProbeMeta {
            name: choice.probe.name.into(),
            records: choice.probe.records.iter().map(|desc: &&Desc| desc.name.into()).collect(),
            knobs: choice
                .probe
                .knobs
                .iter()
                .zip(&choice.values)
                .map(|(knob, &value)| (knob.name.into(), knob.show(value)))
                .collect(),
            ..ProbeMeta::default()
        };
        match outcome {
            Ok(how) => {
                let mut without = how.missing;
                if choice.value(counting::KNOB).is_some() && !uncounted.is_empty() {
                    without.push(uncounted.clone());
                }
                if !wanted.cpus.is_empty() {
                    without.extend(left_out_by_cpu(choice.probe));
                }
                let reasons = [how.passed_over].into_iter().chain(without.iter().cloned());
                let reasons: Vec<String> = reasons.filter(|reason| !reason.is_empty()).collect();
                meta.state = ProbeState::Attached;
                meta.attached = how.points;
                meta.reason = reasons.join("; ");
                let name = choice.probe.name;
                all_missing.extend(without.iter().map(|why| format!("probe {name}: {why}")));
                attached.push(choice);
            }
            Err(reason) if choice.explicit || choice.probe.always => {
                return Err(Error::Probe { probe: choice.probe.name.into(), reason });
            }
            Err(reason) => {
                meta.state = ProbeState::Skipped;
                meta.reason = reason;
            }
        }
        probes.push(meta);
    }
    if attached.iter().all(|choice| choice.probe.always) {
        let reasons: Vec<&str> = probes.iter().map(|probe| probe.reason.as_str()).collect();
        return Err(Error::Load(
            "no probe can run on this host: ".to_owned() + &reasons.join("; "),
            "",
        ));
    }
    let mut attacher = user_programs(&mut kernel)?;
    if attacher.is_needed() {
        if let Some(path) = program {
            attacher.probe_file(path);
        }
        let pids = if by_target { kernel.target_ids() } else { proc::processes() };
        pids.into_iter()
            .filter(|&pid| Some(pid) != held)
            .for_each(|pid| attacher.probe_process(pid));
    }
    // From here on the kernel takes out those that end.
    for target in numbered.iter().filter(|target| !target.is_alive()) {
        kernel.remove_target(target.id, target.thread);
    }
    let missing = all_missing;
    Ok(Setup { kernel, start, run_times, probes, attached, missing, attacher, by_target })
}

/// What a probe does not record for some CPUs alone.
fn left_out_by_cpu(probe: &Probe) -> Option<String> {
    let names: Vec<&str> = probe
        .records
        .iter()
        .filter(|desc| OF_NO_CPU.iter().any(|whole| whole.id == desc.id))
        .map(|desc| desc.name)
        .collect();
    (!names.is_empty()).then(|| {
        format!("no {} facts with -C: they are of whole threads, on any CPU", names.join(", "))
    })
}

/// What goes into files as they come; the libraries that are here have it already.
fn user_programs(kernel: &mut Kernel) -> Result<Attacher> {
    let functions = kernel.user_functions()?;
    let learned = |function: &UserFunction| function.place == UserPlace::Go { learned: true };
    let names = functions.iter().any(learned).then(|| kernel.names_in_use()).transpose()?;
    let mut libraries: Vec<&str> = functions
        .iter()
        .filter_map(|function| match function.place {
            UserPlace::Library { name, .. } => Some(name),
            UserPlace::Go { .. } | UserPlace::GoCall { .. } => None,
        })
        .collect();
    libraries.dedup();
    let mut attacher = Attacher::new(functions, names);
    for library in libraries {
        libraries::files(library).iter().for_each(|(_, source)| attacher.pass_over(source.file()));
    }
    Ok(attacher)
}

/// Whether everything on the host is recorded: a CPU filter leaves out no thread.
pub(crate) fn whole_host(options: &Options) -> bool {
    let everyone = Targets { cpus: options.targets.cpus.clone(), ..Targets::default() };
    options.targets == everyone && (options.command.is_empty() || options.system_wide)
}

/// The CPUs that run now.
pub(crate) fn cpu_list(host: &HostFacts) -> Vec<u32> {
    host.online.iter().collect()
}

/// `6.18.44-fc` is (6, 18).
pub(crate) fn kernel_version(release: &str) -> (u32, u32) {
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn missing(probe: &Probe, version: (u32, u32)) -> Option<String> {
    probe.needs.iter().find_map(|need| match *need {
        Needs::Kernel(major, minor) => (version < (major, minor)).then(|| {
            format!("needs kernel {major}.{minor} or later, this is {}.{}", version.0, version.1)
        }),
        Needs::Tracepoint(group, name) => {
            let path = format!("/sys/kernel/tracing/events/{group}/{name}");
            // Without tracefs nobody can tell: the attachment will.
            (Path::new("/sys/kernel/tracing/events").exists() && !Path::new(&path).exists())
                .then(|| format!("this kernel has no tracepoint {group}:{name}"))
        }
    })
}

/// Whether this process may record here at all.
pub(crate) fn check_host(host: &HostFacts) -> Result<()> {
    check_permission(host).and_then(|()| check_namespace())
}

fn check_permission(host: &HostFacts) -> Result<()> {
    let missing: Vec<&str> = [Capability::Bpf, Capability::Perfmon]
        .into_iter()
        .filter(|&capability| !host.capabilities.allows(capability))
        .map(Capability::name)
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::Permission { missing: missing.join(" and ") })
    }
}

/// The host's own pid namespace: PROC_PID_INIT_INO of include/uapi/linux/nsfs.h.
const HOST_PIDS: &str = "pid:[4026531836]";

/// The kernel programs see the host's numbers of processes; those that /proc shows must be the same.
fn check_namespace() -> Result<()> {
    match std::fs::read_link("/proc/self/ns/pid") {
        Ok(own) if own.as_os_str() != HOST_PIDS => Err(Error::Namespace),
        _ => Ok(()),
    }
}

/// Whether a probe can run here.
#[derive(Debug)]
pub struct Availability {
    /// The probe.
    pub probe: &'static Probe,
    /// Where it attached, or why it could not.
    pub result: std::result::Result<Vec<String>, String>,
    /// What it does without here, and why.
    pub missing: Vec<String>,
}

/// Tries every probe on this host by attaching it for a moment.
pub fn check() -> Result<Vec<Availability>> {
    let host = HostFacts::read()
        .map_err(|error| Error::Kernel { action: "ask the host", message: error.to_string() })?;
    let all = |result: std::result::Result<Vec<String>, String>| {
        let available =
            |&probe| Availability { probe, result: result.clone(), missing: Vec::new() };
        PROBES.iter().map(available).collect()
    };
    if let Err(error) = check_host(&host) {
        return Ok(all(Err(error.to_string())));
    }
    let version = kernel_version(&host.release);
    let cycles = sideband::has_hardware_cycles();
    let globals =
        [half("self_tgid", std::process::id()), half("kernel_version", version_code(version))];
    let page = host.page_size.max(4096);
    let cpus = cpu_list(&host);
    let recent = kernel::is_recent(version);
    let loaded = Kernel::load(PROBES, &globals, host.possible.bound(), &cpus, page, page, recent);
    let (mut kernel, btf) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return Ok(all(Err(crate::error::chain(&error)))),
    };
    Ok(PROBES
        .iter()
        .map(|&probe| {
            // One sample a second is enough to see whether there are any.
            let knob = |name: &str| match name {
                "freq" => Some(1),
                _ => probe.knobs.iter().find(|knob| knob.name == name).map(|knob| knob.default),
            };
            let events = knob(counting::KNOB);
            let one = cpus.get(..1).unwrap_or_default();
            let counting = Counting::open(events.unwrap_or(0), one);
            let knob = |name: &str| match name {
                counting::KNOB => events.map(|events| counting.available(events)),
                _ => knob(name),
            };
            let attached = missing(probe, version)
                .map_or(Ok(()), Err)
                .and_then(|()| kernel.attach(probe, &knob, &btf, &cpus, cycles));
            match attached {
                Ok(mut attached) => {
                    if !counting.missing.is_empty() {
                        attached.missing.push(counting.missing);
                    }
                    Availability { probe, result: Ok(attached.points), missing: attached.missing }
                }
                Err(reason) => Availability { probe, result: Err(reason), missing: Vec::new() },
            }
        })
        .collect())
}
