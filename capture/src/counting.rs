//! Events that are counted by CPU while threads run: which there are, and the counters themselves.
//!
//! The kernel programs read them at each switch and hand what was counted to the thread that leaves
//! (counters.bpf.c). Events of the CPU and of the kernel are opened, read and sampled alike.

use crate::error::{Error, Result};
use crate::sideband::{self, PERF_TYPE_HARDWARE, PERF_TYPE_SOFTWARE};
use aya::programs::perf_event::{HardwareEvent, PerfEventConfig, SoftwareEvent};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// The knob that says which events.
pub(crate) const KNOB: &str = "events";

/// An event, by perf's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Cycles of the CPU.
    Cycles,
    /// Instructions that it retired.
    Instructions,
    /// Misses of its caches, mostly of the last level.
    CacheMisses,
    /// Branches that it predicted wrongly.
    BranchMisses,
    /// The kernel's clock of a CPU.
    CpuClock,
    /// A thread leaves the CPU to another one.
    ContextSwitches,
    /// A thread runs on another CPU than before.
    CpuMigrations,
    /// A page is touched that is not mapped.
    PageFaults,
}

/// Events that are counted by CPU: what numbers they have for perf_event_open(2), and the map of
/// counters.bpf.c that holds the counters, one per CPU.
const COUNTED: [(Event, u32, u64, &str); 5] = [
    (Event::Cycles, PERF_TYPE_HARDWARE, 0, "count_cycles"),
    (Event::Instructions, PERF_TYPE_HARDWARE, 1, "count_instructions"),
    (Event::CacheMisses, PERF_TYPE_HARDWARE, 3, "count_cache_misses"),
    (Event::BranchMisses, PERF_TYPE_HARDWARE, 5, "count_branch_misses"),
    (Event::CpuClock, PERF_TYPE_SOFTWARE, 0, "count_cpu_clock"),
];

impl Event {
    /// Every event.
    pub const ALL: [Event; 8] = [
        Event::Cycles,
        Event::Instructions,
        Event::CacheMisses,
        Event::BranchMisses,
        Event::CpuClock,
        Event::ContextSwitches,
        Event::CpuMigrations,
        Event::PageFaults,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Event::Cycles => "cycles",
            Event::Instructions => "instructions",
            Event::CacheMisses => "cache-misses",
            Event::BranchMisses => "branch-misses",
            Event::CpuClock => "cpu-clock",
            Event::ContextSwitches => "context-switches",
            Event::CpuMigrations => "cpu-migrations",
            Event::PageFaults => "page-faults",
        }
    }

    /// Its bit in the knob; of those that are counted by CPU also in `counter_total.counted`.
    pub const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// How many of it make a sample unless the user says. Events that the kernel's code counts cannot
    /// be sampled at a frequency: what a sample stands for is then told wrong, by a factor of ten and
    /// more (`perf_swevent_set_period()` of kernel/events/core.c moves to the adapted period while that
    /// of before is still being counted down).
    pub(crate) const fn default_period(self) -> Option<u64> {
        match self {
            Event::ContextSwitches => Some(101),
            Event::PageFaults => Some(31),
            Event::CpuMigrations => Some(1),
            _ => None,
        }
    }

    /// Of a kernel's event one in how many is sampled, by the settings of the probe: 0 for none.
    pub(crate) fn period(self, events: u64, period: u64) -> u64 {
        let chosen = if period > 0 { Some(period) } else { self.default_period() };
        if events & self.bit() == 0 { 0 } else { chosen.unwrap_or(0) }
    }

    /// What aya opens for it.
    pub(crate) fn config(self) -> PerfEventConfig {
        match self {
            Event::Cycles => PerfEventConfig::Hardware(HardwareEvent::CpuCycles),
            Event::Instructions => PerfEventConfig::Hardware(HardwareEvent::Instructions),
            Event::CacheMisses => PerfEventConfig::Hardware(HardwareEvent::CacheMisses),
            Event::BranchMisses => PerfEventConfig::Hardware(HardwareEvent::BranchMisses),
            Event::CpuClock => PerfEventConfig::Software(SoftwareEvent::CpuClock),
            Event::ContextSwitches => PerfEventConfig::Software(SoftwareEvent::ContextSwitches),
            Event::CpuMigrations => PerfEventConfig::Software(SoftwareEvent::CpuMigrations),
            Event::PageFaults => PerfEventConfig::Software(SoftwareEvent::PageFaults),
        }
    }
}

/// Open counters: they count until this is dropped.
#[derive(Default)]
pub(crate) struct Counting {
    /// Map, CPU and counter.
    counters: Vec<(&'static str, u32, OwnedFd)>,
    /// Bits of the events that this host counts.
    pub(crate) counted: u64,
    /// Bits of those that were asked for and that it does not.
    absent: u64,
    /// Why not; empty when it counts all.
    pub(crate) missing: String,
}

impl Counting {
    /// Opens the counters of these events (bits) on these CPUs.
    pub(crate) fn open(events: u64, cpus: &[u32]) -> Counting {
        let mut counting = Counting::default();
        let mut refused: Vec<(Event, Option<i32>)> = Vec::new();
        for (event, kind, config, map) in COUNTED {
            if events & event.bit() == 0 {
                continue;
            }
            let open = |&cpu| Ok((map, cpu, sideband::open_counter(kind, config, cpu)?));
            let opened: std::io::Result<Vec<_>> = cpus.iter().map(open).collect();
            match opened {
                Ok(mut counters) => {
                    counting.counters.append(&mut counters);
                    counting.counted |= event.bit();
                }
                Err(error) => {
                    counting.absent |= event.bit();
                    refused.push((event, error.raw_os_error()));
                }
            }
        }
        counting.missing = reasons(&refused);
        counting
    }

    /// The events of these that can be had.
    pub(crate) fn available(&self, events: u64) -> u64 {
        events & !self.absent
    }

    /// Puts the counters where the kernel programs find them.
    pub(crate) fn hand_over<'a>(&self, map: impl Fn(&str) -> Option<BorrowedFd<'a>>) -> Result<()> {
        for (name, cpu, counter) in &self.counters {
            let Some(map) = map(name) else { continue };
            put(map, *cpu, counter.as_raw_fd())
                .map_err(Error::kernel("hand a counter to the programs"))?;
        }
        Ok(())
    }
}

/// Which events cannot be counted, and why.
fn reasons(refused: &[(Event, Option<i32>)]) -> String {
    let mut texts = Vec::new();
    for same in refused.chunk_by(|a, b| a.1 == b.1) {
        let names: Vec<&str> = same.iter().map(|(event, _)| event.name()).collect();
        let why = match same[0].1 {
            Some(libc::ENOENT) => {
                "perf_event_open gives ENOENT; virtual machines often hide the PMU".to_owned()
            }
            Some(libc::EOPNOTSUPP) => {
                "perf_event_open gives EOPNOTSUPP; this CPU does not count them".to_owned()
            }
            Some(libc::EACCES | libc::EPERM) => {
                "perf_event_open may not: it wants CAP_PERFMON, or a lower \
                 kernel.perf_event_paranoid"
                    .to_owned()
            }
            Some(number) => {
                format!("perf_event_open: {}", std::io::Error::from_raw_os_error(number))
            }
            None => "perf_event_open failed".to_owned(),
        };
        texts.push(format!("no hardware counters ({}): {why}", names.join(", ")));
    }
    texts.join("; ")
}

/// The part of `union bpf_attr` (include/uapi/linux/bpf.h) for a change of a map.
#[repr(C)]
struct MapChange {
    map: u32,
    _pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[expect(unsafe_code, reason = "aya puts only events of its own into such maps")]
fn put(map: BorrowedFd<'_>, at: u32, counter: i32) -> std::io::Result<()> {
    const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
    let change = MapChange {
        map: map.as_raw_fd() as u32,
        _pad: 0,
        key: (&raw const at) as u64,
        value: (&raw const counter) as u64,
        flags: 0,
    };
    // SAFETY: `change` and what it points to outlive the call, and have the sizes of the map's keys
    // and values.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_UPDATE_ELEM,
            &raw const change,
            size_of::<MapChange>() as libc::c_long,
        )
    };
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_the_events() {
        let check = |refused: &[(Event, Option<i32>)], expected: &str| {
            assert_eq!(reasons(refused), expected);
        };
        check(&[], "");
        check(
            &[(Event::Cycles, Some(libc::ENOENT)), (Event::CacheMisses, Some(libc::ENOENT))],
            "no hardware counters (cycles, cache-misses): perf_event_open gives ENOENT; virtual \
             machines often hide the PMU",
        );
        check(
            &[(Event::Cycles, None), (Event::CacheMisses, Some(libc::EOPNOTSUPP))],
            "no hardware counters (cycles): perf_event_open failed; no hardware counters \
             (cache-misses): perf_event_open gives EOPNOTSUPP; this CPU does not count them",
        );
    }

    #[test]
    fn bits_are_those_of_the_records() {
        use ktape_format::schema::{counted_event, counter_event};
        for (event, ..) in COUNTED {
            let name = event.name().replace('-', "_");
            assert!(counted_event::NAMES.contains(&(event.bit(), name.as_str())), "{name}");
        }
        for &(value, name) in counter_event::NAMES {
            let event = Event::ALL.iter().find(|event| event.name().replace('-', "_") == name);
            assert_eq!(event.map(|event| *event as u64 + 1), Some(value), "{name}");
        }
    }
}
