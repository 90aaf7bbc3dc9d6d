//! One program and its place: verified by the kernel, and attached.

use crate::error::chain;
use crate::probe::Attach;
use crate::symbols::Elf;
use crate::{golang, libraries, uprobe};
use aya::Btf;
use aya::programs::perf_event::{
    HardwareEvent, PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent,
};
use aya::programs::{BtfTracePoint, FEntry, KProbe, PerfEvent, Program, TracePoint, UProbe};
use std::os::fd::AsFd;

/// What attached links are kept as: dropping one detaches the program.
pub(crate) type Link = Box<dyn std::any::Any + Send>;

/// Whether this kernel is one before a version; `why` not otherwise.
pub(crate) fn before(kernel: (u32, u32), why: &str) -> std::result::Result<(), String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_err(|error| format!("/proc/sys/kernel/osrelease: {error}"))?;
    if crate::setup::kernel_version(&release) < kernel {
        return Ok(());
    }
    Err(format!("from kernel {}.{} on {why}", kernel.0, kernel.1))
}

macro_rules! typed {
    ($kind:ty, $program:expr) => {{
        let program: &mut $kind = $program.try_into().map_err(|error| text(&error))?;
        program
    }};
}

/// Has the kernel verify a program, unless it has.
pub(crate) fn load(
    program: &mut Program,
    how: &Attach,
    btf: &Btf,
) -> std::result::Result<(), String> {
    if program.fd().is_ok() {
        return Ok(());
    }
    let loaded = match *how {
        Attach::TpBtf { tracepoint, .. } => typed!(BtfTracePoint, program).load(tracepoint, btf),
        Attach::Fentry { function, .. } => typed!(FEntry, program).load(function, btf),
        Attach::Kprobe { .. } => typed!(KProbe, program).load(),
        Attach::Tracepoint { .. } => typed!(TracePoint, program).load(),
        Attach::Uprobe { .. } | Attach::Go { .. } | Attach::GoCall { .. } => {
            typed!(UProbe, program).load()
        }
        Attach::Sampling { .. } | Attach::PageFaults { .. } | Attach::Counter { .. } => {
            typed!(PerfEvent, program).load()
        }
        Attach::All(_) | Attach::Before { .. } | Attach::Together { .. } => Ok(()),
    };
    loaded.map_err(|error| text(&error))
}

/// Attaches a loaded program: a link for each place.
pub(crate) fn attach(
    program: &mut Program,
    how: &Attach,
    cpus: &[u32],
    rate: SamplePolicy,
    cycles: bool,
) -> std::result::Result<Vec<Link>, String> {
    fn one<T: std::any::Any + Send>(
        link: std::result::Result<T, aya::programs::ProgramError>,
    ) -> std::result::Result<Vec<Link>, String> {
        link.map(|link| vec![Box::new(link) as Link]).map_err(|error| text(&error))
    }
    match *how {
        Attach::TpBtf { .. } => {
            let program = typed!(BtfTracePoint, program);
            let id = program.attach().map_err(|error| text(&error))?;
            one(program.take_link(id))
        }
        Attach::Fentry { .. } => {
            let program = typed!(FEntry, program);
            let id = program.attach().map_err(|error| text(&error))?;
            one(program.take_link(id))
        }
        Attach::Kprobe { function, .. } => {
            let program = typed!(KProbe, program);
            let id = program.attach(function, 0).map_err(|error| text(&error))?;
            one(program.take_link(id))
        }
        Attach::Tracepoint { category, name, .. } => {
            let program = typed!(TracePoint, program);
            let id = program.attach(category, name).map_err(|error| text(&error))?;
            one(program.take_link(id))
        }
        Attach::Uprobe { library, function, at_return, .. } => {
            let program = typed!(UProbe, program).fd().map_err(|error| text(&error))?;
            let mut links: Vec<Link> = Vec::new();
            let mut reason = format!("there is no {library}.so on this host");
            for (path, source) in libraries::files(library) {
                // One of several versions may lack the function.
                let made = Elf::open(&source)
                    .map_err(|error| text(&error))
                    .and_then(|elf| {
                        let offset = elf.functions(&[function]).pop().flatten();
                        offset.ok_or_else(|| format!("there is no {function} in it"))
                    })
                    .and_then(|offset| {
                        uprobe::attach(program.as_fd(), source.file(), offset, at_return)
                            .map_err(|error| text(&error))
                    });
                match made {
                    Ok(link) => links.push(Box::new(link)),
                    Err(error) => reason = format!("{}: {error}", path.display()),
                }
            }
            if links.is_empty() { Err(reason) } else { Ok(links) }
        }
        // In programs as they are found: see `attacher.rs`.
        Attach::Go { .. } | Attach::GoCall { .. } if !golang::KNOWN => Err(golang::UNKNOWN.into()),
        Attach::Go { .. } | Attach::GoCall { .. } => Ok(Vec::new()),
        Attach::Sampling { .. } | Attach::PageFaults { .. } | Attach::Counter { .. } => {
            let (event, policy) = perf_event(how, rate, cycles);
            let program = typed!(PerfEvent, program);
            let mut links: Vec<Link> = Vec::new();
            for &cpu in cpus {
                let scope = PerfEventScope::AllProcessesOneCpu { cpu };
                let id =
                    program.attach(event, scope, policy, false).map_err(|error| text(&error))?;
                links.append(&mut one(program.take_link(id))?);
            }
            Ok(links)
        }
        Attach::All(_) | Attach::Before { .. } | Attach::Together { .. } => Ok(Vec::new()),
    }
}

/// The event of a way to attach, and how often it calls the program.
fn perf_event(how: &Attach, rate: SamplePolicy, cycles: bool) -> (PerfEventConfig, SamplePolicy) {
    match how {
        Attach::PageFaults { major: true, .. } => {
            (PerfEventConfig::Software(SoftwareEvent::PageFaultsMaj), SamplePolicy::Period(1))
        }
        Attach::PageFaults { .. } => {
            (PerfEventConfig::Software(SoftwareEvent::PageFaultsMin), SamplePolicy::Period(1))
        }
        Attach::Counter { event, .. } => {
            let rate = match (event.default_period(), rate) {
                (Some(period), SamplePolicy::Frequency(_)) => SamplePolicy::Period(period),
                _ => rate,
            };
            (event.config(), rate)
        }
        _ if cycles => (PerfEventConfig::Hardware(HardwareEvent::CpuCycles), rate),
        _ => (PerfEventConfig::Software(SoftwareEvent::CpuClock), rate),
    }
}

/// The error in a line; a verifier's log is pages long and its verdict stands at the end.
pub(crate) fn text(error: &dyn std::error::Error) -> String {
    let all = chain(error);
    let mut lines: Vec<&str> = all.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() > 6 {
        lines.drain(1..lines.len() - 5);
    }
    lines.join(" | ")
}
