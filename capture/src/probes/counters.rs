//! The probe `counters`: what the kernel and the CPU count of each thread, and where it happens.

use crate::counting::{Event, KNOB};
use crate::probe::{Attach, AttachPoint, Knob, KnobKind, Optional, Probe, Walk};
use ktape_format::schema::{CounterSample, CounterTotal};

macro_rules! overflows {
    ($($program:literal: $event:ident,)+) => {
        &[$(Optional {
            knob: (KNOB, &[Event::$event.bit()]),
            point: AttachPoint {
                what: concat!("the counter of ", stringify!($event), " overflows"),
                alternatives: &[Attach::Counter { program: $program, event: Event::$event }],
            },
        },)+]
    };
}

const fn named(event: Event) -> (&'static str, u64) {
    (event.name(), event.bit())
}

/// All but the clock of the CPU, which is there to be compared with.
const DEFAULT: u64 = 0xff & !Event::CpuClock.bit();

pub(super) const PROBE: Probe = Probe {
    name: "counters",
    about: "exact counts of each thread (switches, migrations, faults; cycles, misses where the \
            CPU tells) and samples of where",
    cost: "0.25 us per context switch, 0.6 us where the CPU's events are counted; 4 us per sample",
    default: false,
    always: false,
    records: &[CounterTotal::DESC, CounterSample::DESC],
    attach: &[AttachPoint {
        what: "a thread leaves the CPU",
        alternatives: &[Attach::TpBtf {
            program: "counters_switch",
            tracepoint: "sched_switch",
        }],
    }],
    // Switches are sampled by the program that is called for each of them.
    optional: overflows! {
        "counters_cycles": Cycles,
        "counters_instructions": Instructions,
        "counters_cache_misses": CacheMisses,
        "counters_branch_misses": BranchMisses,
        "counters_clock": CpuClock,
        "counters_migrations": CpuMigrations,
        "counters_faults": PageFaults,
    },
    walks: &[Walk {
        program: "counters_read",
        over: "task",
        record: CounterTotal::DESC,
        at_start: true,
        every: Some("every"),
    }],
    maps: &["counted_tids"],
    needs: &[],
    knobs: &[
        Knob {
            name: KNOB,
            about: "which events are sampled, and of the CPU's also counted: names with + between \
                    them (default all but cpu-clock); what the kernel counts is always told",
            symbol: "",
            kind: KnobKind::Set(&[
                named(Event::Cycles),
                named(Event::Instructions),
                named(Event::CacheMisses),
                named(Event::BranchMisses),
                named(Event::CpuClock),
                named(Event::ContextSwitches),
                named(Event::CpuMigrations),
                named(Event::PageFaults),
                ("none", 0),
            ]),
            default: DEFAULT,
        },
        Knob {
            name: "freq",
            about: "samples per second, CPU and event of the CPU (default 99)",
            symbol: "",
            kind: KnobKind::Number(1, 20_000),
            default: 99,
        },
        Knob {
            name: "period",
            about: "a sample each so many events instead; 1 for every one (default 0: by freq, of switches 101, \
                    of page faults 31, of migrations 1)",
            symbol: "",
            kind: KnobKind::Number(0, u64::MAX >> 1),
            default: 0,
        },
        Knob {
            name: "stacks",
            about: "take stacks with samples: `all` (default) or `none`",
            symbol: "counters_stacks",
            kind: KnobKind::Choice(&[("none", 0), ("all", 1)]),
            default: 1,
        },
        Knob {
            name: "every",
            about: "how often counts are read (default 1s)",
            symbol: "",
            kind: KnobKind::Duration,
            default: 1_000_000_000,
        },
    ],
    totals: &[],
};
