//! The probe `locks`: waits for locks, those of programs and those of the kernel.

use crate::probe::{Attach, AttachPoint, Knob, KnobKind, Optional, not_preempted, Probe, Walk};
use ktape_format::schema::{FutexWait, LockContention};

/// `locks/kernel=all/`.
const KERNEL: u64 = 1;

const fn enter(name: &'static str) -> Attach {
    Attach::Tracepoint { program: "futex_enter", category: "syscalls", name }
}

const fn exit(name: &'static str) -> Attach {
    Attach::Tracepoint { program: "futex_exit", category: "syscalls", name }
}

pub(super) const PROBE: Probe = Probe {
    name: "locks",
    about: "every wait in a futex call with its lock, owner, waker and stack, and for locks of the kernel",
    cost: "1.2 us per wait, below 0.1 us per system call of any kind",
    default: false,
    always: false,
    records: &[FutexWait::DESC, LockContention::DESC],
    attach: &[
        AttachPoint {
            what: "a thread is woken",
            alternatives: &[Attach::TpBtf {
                program: "futex_waking",
                tracepoint: "sched_waking",
            }],
        },
        AttachPoint {
            what: "a futex call begins and returns",
            alternatives: &[
                super::syscalls::TOGETHER,
                Attach::All(&[
                    exit("sys_exit_futex"),
                    exit("sys_exit_futex_wait"),
                    exit("sys_exit_futex_waitv"),
                    enter("sys_enter_futex"),
                    enter("sys_enter_futex_wait"),
                    enter("sys_enter_futex_waitv"),
                ]),
                // Before 6.7 there is no futex_wait, before 5.16 no futex_waitv.
                Attach::All(&[
                    exit("sys_exit_futex"),
                    exit("sys_exit_futex_waitv"),
                    enter("sys_enter_futex"),
                    enter("sys_enter_futex_waitv"),
                ]),
                Attach::All(&[exit("sys_exit_futex"), enter("sys_enter_futex")]),
                not_preempted(&Attach::All(&[
                        Attach::TpBtf { program: "futex_exit_any", tracepoint: "sys_exit" },
                        Attach::TpBtf { program: "futex_enter_any", tracepoint: "sys_enter" },
                    ])),
                Attach::All(&[
                    Attach::Tracepoint {
                        program: "futex_exit",
                        category: "raw_syscalls",
                        name: "sys_exit",
                    },
                    Attach::Tracepoint {
                        program: "futex_enter",
                        category: "raw_syscalls",
                        name: "sys_enter",
                    },
                ]),
            ],
        },
    ],
    optional: &[Optional {
        knob: ("kernel", &[KERNEL]),
        point: AttachPoint {
            what: "a lock of the kernel is waited for",
            alternatives: &[Attach::All(&[
                Attach::TpBtf { program: "contention_end", tracepoint: "contention_end" },
                Attach::TpBtf { program: "contention_begin", tracepoint: "contention_begin" },
            ])],
        },
    }],
    walks: &[
        Walk {
            program: "futex_open",
            over: "task",
            record: FutexWait::DESC,
            at_start: true,
            every: None,
        },
        Walk {
            program: "contention_open",
            over: "task",
            record: LockContention::DESC,
            at_start: false,
            every: None,
        },
    ],
    maps: &["lock_ids"],
    needs: &[],
    knobs: &[
        Knob {
            name: "min",
            about: "leave out shorter waits in futex calls (default 0: record all)",
            symbol: "futex_min_ns",
            kind: KnobKind::Duration,
            default: 0,
        },
        Knob {
            name: "stacks",
            about: "take the user stacks of waits in futex calls: `all` (default) or `none`",
            symbol: "futex_stacks",
            kind: KnobKind::Choice(&[("none", 0), ("all", 1)]),
            default: 1,
        },
        Knob {
            name: "kernel",
            about: "waits for locks of the kernel (from 5.19 on): `all` (default) or `none`",
            symbol: "",
            kind: KnobKind::Choice(&[("none", 0), ("all", KERNEL)]),
            default: KERNEL,
        },
        Knob {
            name: "kernel_min",
            about: "leave out shorter waits for locks of the kernel (default 10us)",
            symbol: "contention_min_ns",
            kind: KnobKind::Duration,
            default: 10_000,
        },
    ],
    totals: &[],
};
