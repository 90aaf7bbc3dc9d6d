//! The probe `io`: slow system calls on files.

use crate::probe::{Attach, AttachPoint, Knob, KnobKind, Needs, not_preempted, Probe, Walk};
use ktape_format::schema::Io;

pub(super) const PROBE: Probe = Probe {
    name: "io",
    about: "each slow read, write, sync, open or copy of a file, with its path and user stack",
    cost: "0.4 us per system call, 0.6 us on a file",
    default: false,
    always: false,
    records: &[Io::DESC],
    // The end first, so that no call is seen to begin that is not seen to end.
    attach: &[AttachPoint {
        what: "a system call begins and returns",
        alternatives: &[
            super::syscalls::TOGETHER,
            not_preempted(&Attach::All(&[
                    Attach::TpBtf { program: "io_sys_exit", tracepoint: "sys_exit" },
                    Attach::TpBtf { program: "io_sys_enter", tracepoint: "sys_enter" },
                ])),
            Attach::All(&[
                Attach::Tracepoint {
                    program: "io_exit_event",
                    category: "raw_syscalls",
                    name: "sys_exit",
                },
                Attach::Tracepoint {
                    program: "io_enter_event",
                    category: "raw_syscalls",
                    name: "sys_enter",
                },
            ]),
        ],
    }],
    optional: &[],
    walks: &[Walk {
        program: "io_open",
        over: "task",
        record: Io::DESC,
        at_start: true,
        every: None,
    }],
    maps: &[],
    needs: &[Needs::Kernel(5, 17)],
    knobs: &[
        Knob {
            name: "min",
            about: "record calls that take at least this long (default 5ms; 0: all)",
            symbol: "io_min_ns",
            kind: KnobKind::Duration,
            default: 5_000_000,
        },
        Knob {
            name: "kinds",
            about: "of which files: regular files, directories and block devices (`files`, default), or pipes, sockets, terminals and so on, too (`all`)",
            symbol: "io_kinds",
            kind: KnobKind::Choice(&[("files", 0), ("all", 1)]),
            default: 0,
        },
        Knob {
            name: "stacks",
            about: "take stacks: `all` (default) or `none`",
            symbol: "io_stacks",
            kind: KnobKind::Choice(&[("none", 0), ("all", 1)]),
            default: 1,
        },
    ],
    totals: &[],
};
