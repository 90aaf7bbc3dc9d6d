//! Which processes and threads are alive, who they are, and who descends from whom.

use std::fs;
use std::path::Path;

use crate::proc::snapshot::ids;
use crate::proc::stat::{Stat, tgid_of_status};

/// A process that descends from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descendant {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot: with the id it names one process for good.
    pub start: u64,
}

/// The process that a thread belongs to; `None` when there is no such thread.
pub(crate) fn process_of(tid: u32) -> Option<u32> {
    tgid_of_status(&fs::read(format!("/proc/{tid}/status")).ok()?)
}

/// When a thread started, in clock ticks since boot; `None` when there is none of this number, or
/// it has ended, be it that nobody has waited for it yet (a zombie).
pub(crate) fn thread_start(tid: u32) -> Option<u64> {
    let text = fs::read(format!("/proc/{tid}/task/{tid}/stat")).ok()?;
    Stat::parse(&text).filter(|stat| !stat.has_ended()).map(|stat| stat.start_ticks)
}

/// When a process started, as [`thread_start`] has it: it lives as long as any of its threads.
pub(crate) fn process_start(tgid: u32) -> Option<u64> {
    let threads = threads(tgid);
    let alive = threads.iter().any(|&tid| thread_start(tid).is_some());
    let text = fs::read(format!("/proc/{tgid}/task/{tgid}/stat")).ok()?;
    Stat::parse(&text).filter(|_| alive).map(|stat| stat.start_ticks)
}

/// All processes of the host, in order.
pub(crate) fn processes() -> Vec<u32> {
    ids(Path::new("/proc")).unwrap_or_default()
}

/// The threads of a process, in order; none when it has gone.
pub(crate) fn threads(tgid: u32) -> Vec<u32> {
    ids(Path::new(&format!("/proc/{tgid}/task"))).unwrap_or_default()
}

/// The children of a process, theirs, and so on. Walks /proc: some 10 us a process.
pub(crate) fn descendants(of: u32) -> Vec<Descendant> {
    let mut families = Vec::new();
    for pid in processes() {
        // /proc/PID/stat would add up all threads of the process first; the threads' do not.
        let Ok(text) = fs::read(format!("/proc/{pid}/task/{pid}/stat")) else { continue };
        if let Some(stat) = Stat::parse(&text) {
            families.push((stat.ppid, Descendant { pid, start: stat.start_ticks }));
        }
    }
    families.sort_unstable_by_key(|(parent, child)| (*parent, child.pid));
    below(of, &families)
}

/// Follows (parent, child) pairs, in order of parents, from a process down.
fn below(of: u32, families: &[(u32, Descendant)]) -> Vec<Descendant> {
    let mut found: Vec<Descendant> = Vec::new();
    let (mut at, mut parent) = (0, of);
    // Each process has one parent, so that none is found twice, but for one that is its own.
    while found.len() <= families.len() {
        let from = families.partition_point(|family| family.0 < parent);
        let children = families[from..].iter().take_while(|family| family.0 == parent);
        found.extend(children.map(|family| family.1));
        let Some(next) = found.get(at) else { break };
        parent = next.pid;
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn families() {
        let child = |pid| Descendant { pid, start: 0 };
        let pairs = [(0, child(1)), (1, child(10)), (1, child(11)), (10, child(5)), (5, child(6))];
        let mut pairs = pairs.to_vec();
        pairs.sort_unstable_by_key(|(parent, child)| (*parent, child.pid));
        let below = |of| below(of, &pairs).iter().map(|child| child.pid).collect::<Vec<_>>();
        assert_eq!(below(1), [10, 11, 5, 6]);
        assert_eq!(below(6), [0; 0]);
    }

    #[test]
    fn a_zombie_has_ended() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        assert_eq!(process_of(pid), Some(pid));
        assert!(process_start(pid).is_some() && process_start(pid) == thread_start(pid));
        assert!(descendants(std::process::id()).iter().any(|child| child.pid == pid));
        drop(child.stdin.take());
        while thread_start(pid).is_some() {
            std::thread::yield_now();
        }
        assert!(Path::new(&format!("/proc/{pid}")).exists(), "nobody has waited for it");
        assert_eq!((process_start(pid), thread_start(pid)), (None, None));
        child.wait().unwrap();
        assert_eq!((process_start(pid), process_of(pid)), (None, None));
    }
}
