//! The measures of a timeline: one list.

use ktape_format::Batch;
use ktape_schema::{Type, by_name, sample_event};

use super::grid::Grid;
use super::series::Series;
use crate::answer::Cell;
use crate::context::Context;
use crate::idle::Idle;
use crate::wait_class::WaitClass;

/// Something that is told for each interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    /// Its name on the command line, and its key.
    pub(super) name: &'static str,
    /// Its header in text.
    pub(super) label: &'static str,
    /// What it is, in words.
    pub(super) about: &'static str,
    /// The record whose facts it is made of.
    pub(super) record: &'static str,
    what: What,
}

/// How a measure is made of facts.
#[derive(Clone, Copy, Debug)]
enum What {
    /// How many end in the interval; what was still open at the stop has not.
    Count,
    /// The sum of a column of those that end in the interval.
    Sum(&'static str),
    /// The same of a column of 4 bytes.
    Small(&'static str),
    /// The same of a column of bytes, in MiB.
    Mebibytes(&'static str),
    /// How many are going on at a time, on average: from `end - duration` to `end`.
    Going,
    /// CPU time by samples, as the number of CPUs that are busy.
    Cpus,
    /// Threads that wait for a CPU, on average.
    Runnable,
    /// Threads that wait for something else, on average; for what, if not for anything.
    Blocked(Option<WaitClass>),
}

/// All measures, in the order of the answer.
pub(super) const MEASURES: &[Measure] = &[
    Measure {
        name: "cpus",
        label: "CPUs",
        about: "CPUs busy, by samples",
        record: "cpu_sample",
        what: What::Cpus,
    },
    Measure {
        name: "runnable",
        label: "runnable",
        about: "threads that wait for a CPU",
        record: "off_cpu",
        what: What::Runnable,
    },
    Measure {
        name: "blocked",
        label: "blocked",
        about: "threads that wait for something else",
        record: "off_cpu",
        what: What::Blocked(None),
    },
    Measure {
        name: "blocked_io",
        label: "on io",
        about: "of them, for input or output",
        record: "off_cpu",
        what: What::Blocked(Some(WaitClass::Io)),
    },
    Measure {
        name: "blocked_lock",
        label: "on locks",
        about: "of them, for a lock or another thread",
        record: "off_cpu",
        what: What::Blocked(Some(WaitClass::Lock)),
    },
    Measure {
        name: "waits",
        label: "waits",
        about: "off-CPU intervals that end",
        record: "off_cpu",
        what: What::Count,
    },
    Measure {
        name: "syscalls",
        label: "syscalls",
        about: "system calls, counted once a second",
        record: "syscall_count",
        what: What::Sum("count"),
    },
    Measure {
        name: "slow_syscalls",
        label: "slow calls",
        about: "slow system calls under way",
        record: "syscall_slow",
        what: What::Going,
    },
    Measure {
        name: "io",
        label: "slow io",
        about: "slow operations on files under way",
        record: "io",
        what: What::Going,
    },
    Measure {
        name: "disk",
        label: "disk",
        about: "disk requests in flight",
        record: "block_io",
        what: What::Going,
    },
    Measure {
        name: "disk_requests",
        label: "requests",
        about: "disk requests that complete",
        record: "block_io",
        what: What::Count,
    },
    Measure {
        name: "disk_mib",
        label: "disk MiB",
        about: "MiB that they move",
        record: "block_io",
        what: What::Mebibytes("bytes"),
    },
    Measure {
        name: "locks",
        label: "locks",
        about: "futex waits under way",
        record: "futex_wait",
        what: What::Going,
    },
    Measure {
        name: "kernel_locks",
        label: "kernel locks",
        about: "waits for locks of the kernel under way",
        record: "lock_contention",
        what: What::Going,
    },
    Measure {
        name: "connections",
        label: "connections",
        about: "TCP connections that end",
        record: "tcp_connection",
        what: What::Count,
    },
    Measure {
        name: "retransmits",
        label: "retransmits",
        about: "TCP segments sent again",
        record: "tcp_retransmit",
        what: What::Small("segments"),
    },
    Measure {
        name: "resets",
        label: "resets",
        about: "TCP resets",
        record: "tcp_reset",
        what: What::Count,
    },
    Measure {
        name: "streams",
        label: "streams",
        about: "HTTP/2 streams under way",
        record: "h2_stream",
        what: What::Going,
    },
    Measure {
        name: "streams_ended",
        label: "ended",
        about: "HTTP/2 streams that end",
        record: "h2_stream",
        what: What::Count,
    },
    Measure {
        name: "faults",
        label: "faults",
        about: "minor page faults, counted once a second",
        record: "fault_total",
        what: What::Sum("count"),
    },
    Measure {
        name: "major_faults",
        label: "major faults",
        about: "page faults that read from a device",
        record: "page_fault",
        what: What::Count,
    },
];

impl Measure {
    /// The columns that it looks at.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let time = self.time();
        match self.what {
            What::Count => std::iter::once(time).chain(self.open_flag().map(|_| "flags")).collect(),
            What::Sum(column) | What::Small(column) | What::Mebibytes(column) => vec![time, column],
            What::Going => vec![time, "duration"],
            What::Cpus => vec![time, "weight", "event"],
            What::Runnable => vec![time, "runq"],
            What::Blocked(_) => {
                vec![time, "duration", "runq", "tid", "tgid", "state", "syscall", "flags"]
            }
        }
    }

    /// The column that says when a fact ends.
    fn time(&self) -> &'static str {
        let record = by_name(self.record);
        record.and_then(|desc| Some(desc.fields[desc.time_field()?].name)).unwrap_or_default()
    }

    /// The bit of `flags` that says that a fact was still open at the stop, and the field's type.
    fn open_flag(&self) -> Option<(Type, u64)> {
        let desc = by_name(self.record)?;
        let field = &desc.fields[desc.field("flags")?];
        let open = field.kind.names().iter().find(|(_, name)| *name == "open")?.0;
        Some((field.ty, open))
    }

    /// Whether a batch holds facts of its record.
    pub(super) fn is_of(&self, batch: &Batch) -> bool {
        by_name(self.record).is_some_and(|desc| desc.id == batch.record())
    }

    /// Adds the rows of a batch.
    pub(super) fn add(&self, cx: &Context<'_>, batch: &Batch, grid: &Grid, series: &mut Series) {
        let ends = batch.u64(self.time());
        match self.what {
            What::Count => {
                let is_open = |row: usize| match self.open_flag() {
                    Some((Type::U8, open)) => u64::from(batch.u8("flags")[row]) & open != 0,
                    Some((Type::U16, open)) => u64::from(batch.u16("flags")[row]) & open != 0,
                    _ => false,
                };
                let over = (0..batch.rows()).filter(|&row| !is_open(row));
                over.for_each(|row| series.add(grid, ends[row], 1));
            }
            What::Sum(column) | What::Mebibytes(column) => {
                let values = ends.iter().zip(batch.u64(column));
                values.for_each(|(&end, &value)| series.add(grid, end, value));
            }
            What::Small(column) => {
                let values = ends.iter().zip(batch.u32(column));
                values.for_each(|(&end, &value)| series.add(grid, end, value.into()));
            }
            What::Going => {
                let spans = ends.iter().zip(batch.u64("duration"));
                spans.for_each(|(&end, &length)| {
                    series.add_time(grid, end.saturating_sub(length), end);
                });
            }
            What::Cpus => {
                let (weights, events) = (batch.u64("weight"), batch.u8("event"));
                for row in (0..batch.rows()).filter(|&row| events[row] == sample_event::CPU_CLOCK) {
                    // A sample stands for the time before it.
                    let start = ends[row].saturating_sub(weights[row]);
                    series.add_time(grid, start, ends[row]);
                }
            }
            What::Runnable => {
                let spans = ends.iter().zip(batch.u64("runq"));
                spans.for_each(|(&end, &runq)| {
                    series.add_time(grid, end.saturating_sub(runq), end);
                });
            }
            What::Blocked(class) => blocked(cx, batch, class, grid, series),
        }
    }

    /// The number of an interval as a cell.
    pub(super) fn cell(&self, value: u64, interval_ns: u64) -> Cell {
        match self.what {
            What::Count | What::Sum(_) | What::Small(_) => Cell::Count(value),
            What::Mebibytes(_) => Cell::Quotient { part: value, whole: 1 << 20 },
            What::Going | What::Cpus | What::Runnable | What::Blocked(_) => {
                Cell::Quotient { part: value, whole: interval_ns }
            }
        }
    }

    /// The average over all intervals as a cell; the window is so long.
    pub(super) fn average(&self, values: &[u64], window_ns: u64) -> Cell {
        let sum = values.iter().fold(0, |sum: u64, &value| sum.saturating_add(value));
        let intervals = (values.len() as u64).max(1);
        let whole = match self.what {
            What::Count | What::Sum(_) | What::Small(_) => intervals,
            What::Mebibytes(_) => intervals << 20,
            What::Going | What::Cpus | What::Runnable | What::Blocked(_) => window_ns,
        };
        Cell::Quotient { part: sum, whole }
    }

    /// Whether idle waits are left out of it.
    pub(super) fn leaves_out_idle(&self) -> bool {
        matches!(self.what, What::Blocked(_))
    }
}

fn blocked(
    cx: &Context<'_>,
    batch: &Batch,
    class: Option<WaitClass>,
    grid: &Grid,
    series: &mut Series,
) {
    let (ends, durations, runqs) = (batch.u64("end"), batch.u64("duration"), batch.u64("runq"));
    let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
    let (states, calls, flags) = (batch.u8("state"), batch.u16("syscall"), batch.u8("flags"));
    let mut idle = Idle::default();
    for row in 0..batch.rows() {
        let (duration, runq) = (durations[row], runqs[row]);
        if runq >= duration
            || class.is_some_and(|class| cx.wait_classes().class(states[row], calls[row]) != class)
        {
            continue;
        }
        let thread = cx.tasks().thread_key(tids[row], tgids[row], ends[row]);
        // What is left of a kernel thread's idle wait is its time on the run queue.
        let rest = idle.rest(cx, thread, states[row], flags[row], (duration, runq));
        if rest.is_some_and(|rest| rest > runq) {
            let end = ends[row];
            series.add_time(grid, end.saturating_sub(duration), end.saturating_sub(runq));
        }
    }
}
