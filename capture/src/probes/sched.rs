//! The probe `sched`: one fact per off-CPU interval.

use crate::probe::{Attach, AttachPoint, Knob, KnobKind, Optional, Probe, Walk};
use ktape_format::schema::OffCpu;

/// `sched/stacks=long/`.
const LONG: u64 = 1;

pub(super) const PROBE: Probe = Probe {
    name: "sched",
    about: "every off-CPU interval: how long, why, woken by whom, with the stacks of long waits",
    cost: "1.2 us per context switch with its wake-up, 4 us more where a stack is taken",
    default: true,
    always: false,
    records: &[OffCpu::DESC],
    attach: &[
        // Ends before beginnings: see interrupt.bpf.h.
        AttachPoint {
            what: "a device's interrupt handler ends",
            alternatives: &[Attach::TpBtf { program: "interrupt_irq_exit", tracepoint: "irq_handler_exit" }],
        },
        AttachPoint {
            what: "a device's interrupt handler begins",
            alternatives: &[Attach::TpBtf { program: "interrupt_irq_entry", tracepoint: "irq_handler_entry" }],
        },
        AttachPoint {
            what: "a timer's handler ends",
            alternatives: &[Attach::TpBtf { program: "interrupt_timer_exit", tracepoint: "hrtimer_expire_exit" }],
        },
        AttachPoint {
            what: "a timer's handler begins",
            alternatives: &[Attach::TpBtf { program: "interrupt_timer_entry", tracepoint: "hrtimer_expire_entry" }],
        },
        AttachPoint {
            what: "a softirq ends",
            alternatives: &[Attach::TpBtf { program: "interrupt_softirq_exit", tracepoint: "softirq_exit" }],
        },
        AttachPoint {
            what: "a softirq begins",
            alternatives: &[Attach::TpBtf { program: "interrupt_softirq_entry", tracepoint: "softirq_entry" }],
        },
        AttachPoint {
            what: "a CPU changes threads",
            alternatives: &[Attach::TpBtf { program: "sched_switch", tracepoint: "sched_switch" }],
        },
        AttachPoint {
            what: "a thread is woken",
            alternatives: &[Attach::TpBtf { program: "sched_waking", tracepoint: "sched_waking" }],
        },
        AttachPoint {
            what: "a new thread is woken for the first time",
            alternatives: &[Attach::TpBtf {
                program: "sched_wakeup_new",
                tracepoint: "sched_wakeup_new",
            }],
        },
    ],
    optional: &[Optional {
        knob: ("stacks", &[LONG]),
        point: AttachPoint {
            what: "a thread returns to user mode",
            alternatives: &[Attach::Before {
                kernel: (6, 19),
                why: "it does not tell all returns",
                how: &Attach::TpBtf { program: "rseq_update", tracepoint: "rseq_update" },
            }],
        },
    }],
    walks: &[Walk {
        program: "sched_open",
        over: "task",
        record: OffCpu::DESC,
        at_start: true,
        every: None,
    }],
    maps: &["thread_places"],
    needs: &[],
    knobs: &[
        Knob {
            name: "stacks",
            about: "whose stacks are taken: of waits predicted to be `long` (default), of `all`, of `none`",
            symbol: "sched_stacks",
            kind: KnobKind::Choice(&[("none", 0), ("long", LONG), ("all", 2)]),
            default: LONG,
        },
        Knob {
            name: "long",
            about: "what counts as a long wait (default 1ms)",
            symbol: "sched_long_ns",
            kind: KnobKind::Duration,
            default: 1_000_000,
        },
        Knob {
            name: "min",
            about: "leave out intervals shorter than this (default 0: record all)",
            symbol: "sched_min_ns",
            kind: KnobKind::Duration,
            default: 0,
        },
    ],
    totals: &[],
};
