//! /proc/PID/stat, schedstat and status: what a thread is.

/// What `stat` of a process or thread says, as far as it is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat<'a> {
    /// The thread's id.
    pub pid: u32,
    /// The name: any bytes, at most 15 (kernel threads: at most 63).
    pub comm: &'a [u8],
    /// State letter, as in ps(1).
    pub state: u8,
    /// The parent process; 0 when it has none.
    pub ppid: u32,
    /// `task_struct.flags`.
    pub flags: u32,
    /// When it started: clock ticks since boot on CLOCK_BOOTTIME, rounded down.
    pub start_ticks: u64,
}

/// `PF_KTHREAD` of include/linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;

/// `PF_EXITING` of include/linux/sched.h: set before the tracepoint `sched_process_exit`.
const PF_EXITING: u32 = 0x4;

impl Stat<'_> {
    /// Reads the text of /proc/PID/stat or /proc/PID/task/TID/stat.
    ///
    /// The name stands in parentheses and may hold parentheses, blanks and newlines itself: it
    /// ends at the last closing one.
    pub(super) fn parse(text: &[u8]) -> Option<Stat<'_>> {
        let open = text.iter().position(|&b| b == b'(')?;
        let close = text.iter().rposition(|&b| b == b')')?;
        let comm = text.get(open + 1..close)?;
        let pid = number(text[..open].trim_ascii())?;
        // proc_pid_stat(5) counts from 1: the state is field 3.
        let mut fields = text[close + 1..].trim_ascii().split(|&b| b == b' ');
        let state = *fields.next()?.first()?;
        let ppid = number(fields.next()?)?;
        let flags = number(fields.nth(4)?)?;
        let start_ticks = number(fields.nth(12)?)?;
        Some(Stat { pid, comm, state, ppid, flags, start_ticks })
    }

    /// Whether it is a thread of the kernel.
    pub(super) fn is_kthread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }

    /// Whether it is ending, or has ended and only waits for its parent to ask (a zombie).
    pub(super) fn has_ended(&self) -> bool {
        self.flags & PF_EXITING != 0 || matches!(self.state, b'Z' | b'X')
    }

    /// When it started, in nanoseconds on CLOCK_BOOTTIME; `ticks_per_second` is
    /// sysconf(_SC_CLK_TCK). Up to one tick (10 ms) early.
    pub(super) fn start_boottime_ns(&self, ticks_per_second: u64) -> u64 {
        let ns = u128::from(self.start_ticks) * 1_000_000_000 / u128::from(ticks_per_second.max(1));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

/// What `schedstat` of a thread says: all zero when the kernel has no CONFIG_SCHED_INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SchedStat {
    /// Nanoseconds on a CPU.
    pub run_ns: u64,
    /// Nanoseconds on a run queue, waiting for a CPU.
    pub wait_ns: u64,
    /// Times it got a CPU.
    pub slices: u64,
}

impl SchedStat {
    /// Reads the text of /proc/PID/task/TID/schedstat.
    pub(crate) fn parse(text: &[u8]) -> Option<SchedStat> {
        let mut fields = text.trim_ascii().split(|&b| b == b' ');
        Some(SchedStat {
            run_ns: number(fields.next()?)?,
            wait_ns: number(fields.next()?)?,
            slices: number(fields.next()?)?,
        })
    }
}

/// The real user id in the text of /proc/PID/status.
///
/// The owner of /proc/PID would be cheaper but is another thing: the effective user id, and root
/// for every process that is not dumpable, such as daemons that gave up their privileges.
pub(super) fn uid_of_status(text: &[u8]) -> Option<u32> {
    status_number(text, b"Uid:\t")
}

/// The process of a thread in the text of its /proc/TID/status.
pub(super) fn tgid_of_status(text: &[u8]) -> Option<u32> {
    status_number(text, b"Tgid:\t")
}

fn status_number(text: &[u8], key: &[u8]) -> Option<u32> {
    // Name: comes first; the kernel escapes newlines in it, so it cannot fake this line.
    let line = text.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(key))?;
    number(line.split(|&b| b == b'\t').next()?)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "S 12 7 7 0 -1 2129984 1 2 3 4 5 6 7 8 20 0 9 0 123456 1000 50 0 0\n";

    fn check(text: &str, comm: &str) {
        let stat = Stat::parse(text.as_bytes()).expect(text);
        assert_eq!(stat.comm, comm.as_bytes());
        assert_eq!((stat.pid, stat.state, stat.ppid), (7, b'S', 12));
        assert_eq!(stat.start_ticks, 123456);
        assert!(stat.is_kthread());
        assert_eq!(stat.start_boottime_ns(100), 1_234_560_000_000);
    }

    #[test]
    fn names_of_any_kind() {
        check(&format!("7 (bash) {TAIL}"), "bash");
        check(&format!("7 (a b) {TAIL}"), "a b");
        check(&format!("7 ()) S 1 (x) {TAIL}"), ")) S 1 (x");
        check(&format!("7 () {TAIL}"), "");
        check(&format!("7 (a\n) b) {TAIL}"), "a\n) b");
    }

    #[test]
    fn broken() {
        for text in ["", "7", "7 (x", "7 )x(", "7 (x)", "7 (x) S", "x (x) S 1 2 3", "7 (x) S 1 2"] {
            assert_eq!(Stat::parse(text.as_bytes()), None, "{text}");
        }
        let huge = "7 (x) S 1 7 7 0 -1 0 1 2 3 4 5 6 7 8 20 0 9 0 18446744073709551615 1";
        assert_eq!(Stat::parse(huge.as_bytes()).unwrap().start_boottime_ns(100), u64::MAX);
    }

    #[test]
    fn scheduling() {
        let expected = SchedStat { run_ns: 11, wait_ns: 22, slices: 3 };
        assert_eq!(SchedStat::parse(b"11 22 3\n"), Some(expected));
        assert_eq!(SchedStat::parse(b"11 22\n"), None);
    }

    #[test]
    fn user() {
        let text = b"Name:\tUid:\\n\nUmask:\t0022\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n";
        assert_eq!(uid_of_status(text), Some(1000));
        assert_eq!(uid_of_status(b"Name:\tx\n"), None);
        assert_eq!(tgid_of_status(b"Name:\tx\nTgid:\t7\nPid:\t9\n"), Some(7));
    }
}
