//! The probe `io`: slow system calls on files.

use crate::probe::{Attach, AttachPoint, Knob, KnobKind, Needs, Probe, Walk};
use ktape_format::schema::Io;

/// The end of each call first, so that none is seen to begin that is not seen to end.
macro_rules! calls {
    ($($call:literal,)+) => {
        /// At the functions of these system calls: others cost nothing.
        const KPROBES: &[Attach] = &[$(
            Attach::Kprobe { program: "io_kretprobe", function: concat!("__x64_sys_", $call) },
            Attach::Kprobe { program: "io_kprobe", function: concat!("__x64_sys_", $call) },
        )+];
    };
}

calls! {
    "read",
    "write",
    "pread64",
    "pwrite64",
    "readv",
    "writev",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "fallocate",
    "ftruncate",
    "truncate",
    "sendfile64",
    "splice",
    "copy_file_range",
    "msync",
    "syncfs",
    "sync",
    "open",
    "openat",
    "openat2",
    "creat",
    "getdents",
    "getdents64",
}

pub(super) const PROBE: Probe = Probe {
    name: "io",
    about: "each slow read, write, sync, open or copy of a file, with its path and user stack",
    cost: "0.4 us per system call, 0.6 us on a file (by kprobes only those on files)",
    default: false,
    always: false,
    records: &[Io::DESC],
    attach: &[AttachPoint {
        what: "a system call on a file begins and returns",
        alternatives: &[
            Attach::All(KPROBES),
            Attach::All(&[
                Attach::TpBtf { program: "io_sys_exit", tracepoint: "sys_exit" },
                Attach::TpBtf { program: "io_sys_enter", tracepoint: "sys_enter" },
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
    totals: None,
};
