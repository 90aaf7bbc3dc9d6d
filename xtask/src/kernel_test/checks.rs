//! The checks: what is recorded of which workload, and which counts are right.
//!
//! Every probe has one entry or more here.
//! The machine has two CPUs, 1 GiB, a disk of 64 MiB of zeroes (`/dev/vda`), a file system on another
//! one (`/disk`), the interface `lo`, all of busybox, and the programs of tests/workloads that entries
//! name. Counts are compared, never times.

use super::counts;
use super::recording::Recording;
use anyhow::Result;
use serde_json::Value;

/// One recording, one report of it, and what must be in that.
pub struct Check {
    /// The probe that it is about.
    pub probe: &'static str,
    /// Arguments of `ktape record`.
    pub record: &'static [&'static str],
    /// Programs of tests/workloads that the command runs.
    pub programs: &'static [&'static str],
    /// What runs meanwhile, found in the path; what executes itself needs its own: `/bin/NAME`.
    pub command: &'static [&'static str],
    /// The way in which it must have been attached at some place.
    pub way: Option<&'static str>,
    /// Arguments of `ktape report`; `--format json` comes by itself.
    pub report: &'static [&'static str],
    /// Looks at the recording and at the report's answer, and says what it found.
    pub check: fn(&Recording<'_>, &Value) -> Result<String>,
}

/// All checks.
pub const CHECKS: &[Check] = &[
    Check {
        probe: "lifecycle",
        record: &["-e", "sched,cpu,syscalls"],
        programs: &["forks"],
        command: &["/bin/forks"],
        way: None,
        report: &["tree"],
        check: counts::children,
    },
    Check {
        probe: "sched",
        record: &["-e", "sched"],
        programs: &["waits"],
        command: &["waits"],
        way: None,
        report: &["offcpu", "--by", "thread"],
        check: counts::waits,
    },
    Check {
        probe: "sched",
        record: &["-e", "sched,syscalls"],
        programs: &[],
        command: &["dd", "if=/dev/vda", "of=/dev/null", "bs=4096", "count=101", "iflag=direct"],
        way: None,
        report: &["syscalls"],
        check: counts::disk_waits,
    },
    Check {
        probe: "cpu",
        record: &["-e", "cpu", "-F", "499"],
        programs: &["forks"],
        command: &["/bin/forks"],
        way: None,
        report: &["cpu"],
        check: counts::samples,
    },
    Check {
        probe: "syscalls",
        record: &["-e", "syscalls"],
        programs: &["calls"],
        command: &["calls"],
        way: None,
        report: &["syscalls"],
        check: counts::calls,
    },
    Check {
        probe: "block",
        record: &["-a", "-e", "block"],
        programs: &["disk"],
        command: &["disk", "/dev/vda"],
        way: None,
        report: &["block"],
        check: counts::requests,
    },
    Check {
        probe: "block",
        record: &["-a", "--comm", "disk", "-e", "block"],
        programs: &["disk"],
        // Bios and requests of both have the same addresses, one after the other.
        command: &[
            "sh",
            "-c",
            "dd if=/dev/vda of=/dev/null bs=4096 count=211 iflag=direct & disk /dev/vda; wait",
        ],
        way: None,
        report: &["block"],
        check: counts::requests_of_one,
    },
    Check {
        probe: "io",
        record: &["-e", "io/min=0s/"],
        programs: &["disk"],
        command: &["disk", "/dev/vda"],
        way: None,
        report: &["io", "--top", "0"],
        check: counts::file_calls,
    },
    Check {
        probe: "io",
        record: &["-e", "io/min=200ms,kinds=all/"],
        programs: &["crowd"],
        command: &["crowd"],
        way: None,
        report: &["io"],
        check: counts::crowd_of_readers,
    },
    Check {
        probe: "tcp",
        record: &["-e", "tcp"],
        programs: &["tcp_sockets"],
        command: &["tcp_sockets", "short", "97"],
        way: None,
        report: &["tcp", "--top", "0"],
        check: counts::connections,
    },
    Check {
        probe: "tcp",
        record: &["-e", "tcp"],
        programs: &["crowd"],
        command: &["crowd"],
        way: Some("fentry"),
        report: &["tcp"],
        check: counts::crowd_of_accepts,
    },
    Check {
        probe: "tcp",
        record: &["-e", "tcp", "--without", "fentry"],
        programs: &["crowd"],
        command: &["crowd"],
        way: Some("kprobe"),
        report: &["tcp"],
        check: counts::crowd_of_accepts,
    },
    Check {
        probe: "tcp",
        record: &["-e", "tcp", "--without", "fentry,kprobe"],
        programs: &["crowd"],
        command: &["crowd"],
        way: Some("tracepoint"),
        report: &["tcp"],
        check: counts::crowd_of_accepts,
    },
    Check {
        probe: "h2",
        record: &["-e", "h2"],
        programs: &["streams"],
        command: &["streams"],
        way: None,
        report: &["h2"],
        check: counts::streams,
    },
    Check {
        probe: "locks",
        record: &["-e", "locks"],
        programs: &["futexes"],
        command: &["futexes"],
        way: None,
        report: &["locks"],
        check: counts::futex_waits,
    },
    Check {
        probe: "counters",
        record: &["-e", "counters"],
        programs: &["counters"],
        command: &["counters"],
        way: None,
        report: &["counters"],
        check: counts::counters,
    },
    Check {
        probe: "mem",
        record: &["-e", "mem"],
        programs: &["faults"],
        command: &["faults", "/disk/file"],
        way: None,
        report: &["mem", "--by", "stack"],
        check: counts::faults,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::root;
    use crate::tidy::lists;

    #[test]
    fn checks_name_what_there_is() {
        let (probes, reports) = lists::probes_and_reports(&root()).unwrap();
        for probe in &probes {
            assert!(CHECKS.iter().any(|check| check.probe == probe), "no check of {probe}");
        }
        for check in CHECKS {
            assert!(probes.iter().any(|probe| probe == check.probe), "probe {}", check.probe);
            let report = check.report.first().copied().unwrap_or("overview");
            assert!(reports.iter().any(|known| known == report), "report {report}");
            for name in check.programs {
                let source = root().join("tests/workloads").join(name).with_extension("c");
                assert!(source.exists(), "{}", source.display());
            }
        }
    }
}
