//! `Tasks`: the threads and processes of a trace, found by number and time.

use ktape_schema::task_flag;

use super::strings::UNKNOWN;

/// A thread for good, whatever becomes of its number: an index into [`Tasks::threads`], or the bare
/// (process, thread) numbers of a fact whose thread the trace does not define.
///
/// As a `u64` it is a key for [`crate::run::Slots`]: small for defined threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadKey(pub u64);

/// A process for good: an index into [`Tasks::processes`], or the bare number of an undefined one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey(pub u64);

/// Marks keys that carry bare numbers.
const BARE: u64 = 1 << 63;

impl ThreadKey {
    fn bare(tid: u32, tgid: u32) -> Self {
        Self(BARE | u64::from(tgid) << 32 | u64::from(tid))
    }
}

impl ProcessKey {
    /// The key of a process that the trace does not define.
    pub(super) fn bare(tgid: u32) -> Self {
        Self(BARE | u64::from(tgid))
    }

    /// The key of [`Tasks::processes`]`[index]`.
    pub fn index(index: u32) -> Self {
        Self(u64::from(index))
    }
}

/// CPU time of a thread at one moment, cumulative since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// When it was read, monotonic ns.
    pub time: u64,
    /// Time on a CPU, ns.
    pub run: u64,
    /// Time runnable but waiting, ns; 0 when read at exit.
    pub wait: u64,
    /// Times it was given a CPU; 0 when read at exit.
    pub slices: u64,
}

/// One thread, from its start to its exit.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    /// Its number while it lived.
    pub tid: u32,
    /// Number of its process.
    pub tgid: u32,
    /// When it started, monotonic ns.
    pub start: u64,
    /// When the recorder first knew of it.
    pub seen: u64,
    /// When it ended; `None` when it outlived the recording.
    pub end: Option<u64>,
    /// Its exit status as wait(2) gives it.
    pub exit_code: Option<u32>,
    /// Index of its process in [`Tasks::processes`].
    pub process: u32,
    /// String id of its last name.
    pub comm: u32,
    /// `task_flag` bits.
    pub flags: u32,
    /// The first reading of its CPU time.
    pub first_usage: Option<Usage>,
    /// The last one: at its exit or at the stop of the recording.
    pub last_usage: Option<Usage>,
    /// Its names with the time from which each holds, by time.
    pub names: Vec<(u64, u32)>,
}

/// A program that a process ran from some time on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exec {
    /// From when on.
    pub time: u64,
    /// String id of the name it gave the process.
    pub comm: u32,
    /// String id of the command line.
    pub cmdline: u32,
    /// String id of the path of the executable.
    pub exe: u32,
    /// Real user id.
    pub uid: u32,
}

/// One process: (pid, start time) names it.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Its number while it lived.
    pub pid: u32,
    /// When it started, monotonic ns.
    pub start: u64,
    /// When its last known thread ended; `None` when it outlived the recording.
    pub end: Option<u64>,
    /// Exit status of its first thread.
    pub exit_code: Option<u32>,
    /// Number of the process that created it; 0 for none.
    pub parent_pid: u32,
    /// Index of that process; the parents of a process never form a circle.
    pub parent: Option<u32>,
    /// Real user id, of the last exec.
    pub uid: u32,
    /// String id of its last name (that of its first thread).
    pub comm: u32,
    /// String id of its last command line.
    pub cmdline: u32,
    /// String id of its last executable.
    pub exe: u32,
    /// `task_flag` bits of its first thread.
    pub flags: u32,
    /// Programs that it ran after the one that it was born with, by time.
    pub execs: Vec<Exec>,
    /// Its threads: indices into [`Tasks::threads`], by (tid, start).
    pub threads: Vec<u32>,
}

impl Process {
    /// Whether it only woke somebody that was recorded: nothing was recorded of itself.
    pub fn is_bystander(&self) -> bool {
        self.flags & task_flag::BYSTANDER != 0
    }
}

/// Threads and processes.
#[derive(Debug, Default)]
pub struct Tasks {
    pub(super) threads: Vec<Thread>,
    pub(super) processes: Vec<Process>,
    /// By tid, below [`TID_LIMIT`]: 0 = none; else index + 1 of its first thread, with [`SEVERAL`]
    /// set when the number was used again.
    pub(super) by_tid: Vec<u32>,
    /// (pid, start, process index), sorted.
    pub(super) by_pid: Vec<(u32, u64, u32)>,
    pub(super) reused: bool,
}

/// The kernel's own limit of thread numbers (PID_MAX_LIMIT, include/linux/threads.h).
pub(super) const TID_LIMIT: u32 = 4 * 1024 * 1024;
/// The thread number was used more than once.
pub(super) const SEVERAL: u32 = 1 << 31;

impl Tasks {
    /// All threads, by (tid, start).
    pub fn threads(&self) -> &[Thread] {
        &self.threads
    }

    /// All processes, by (pid, start).
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// Whether some thread number belongs to more than one thread. If not, the `time` of
    /// [`Tasks::thread_key`] does not matter, and reports need not read the time column for it.
    pub fn reused(&self) -> bool {
        self.reused
    }

    /// The thread that had this number at this time. One table load for most threads.
    #[inline]
    pub fn thread_key(&self, tid: u32, tgid: u32, time: u64) -> ThreadKey {
        match self.by_tid.get(tid as usize) {
            Some(&entry) if entry != 0 && entry & SEVERAL == 0 => ThreadKey(u64::from(entry - 1)),
            Some(0) => ThreadKey::bare(tid, tgid),
            _ => self.thread_key_slow(tid, tgid, time),
        }
    }

    #[cold]
    fn thread_key_slow(&self, tid: u32, tgid: u32, time: u64) -> ThreadKey {
        match self.thread_at(tid, time) {
            Some(index) => ThreadKey(u64::from(index)),
            None => ThreadKey::bare(tid, tgid),
        }
    }

    /// Index of the thread that had this number at this time: the last one to start by then, or
    /// the first one at all when none had.
    pub fn thread_at(&self, tid: u32, time: u64) -> Option<u32> {
        let from = self.threads.partition_point(|thread| thread.tid < tid);
        let upto = self.threads.partition_point(|thread| (thread.tid, thread.start) <= (tid, time));
        let index = if upto > from { upto - 1 } else { from };
        (self.threads.get(index)?.tid == tid).then_some(index as u32)
    }

    /// The process that had this number at this time.
    pub fn process_key(&self, pid: u32, time: u64) -> ProcessKey {
        self.process_at(pid, time).map_or(ProcessKey::bare(pid), ProcessKey::index)
    }

    /// Index of the process that had this number at this time, chosen as in [`Tasks::thread_at`].
    pub fn process_at(&self, pid: u32, time: u64) -> Option<u32> {
        let from = self.by_pid.partition_point(|entry| entry.0 < pid);
        let upto = self.by_pid.partition_point(|entry| (entry.0, entry.1) <= (pid, time));
        let index = if upto > from { upto - 1 } else { from };
        let entry = self.by_pid.get(index)?;
        (entry.0 == pid).then_some(entry.2)
    }

    /// What the trace says of a thread; `None` when it only has its number.
    pub fn thread(&self, key: ThreadKey) -> Option<&Thread> {
        if key.0 & BARE != 0 {
            return None;
        }
        self.threads.get(key.0 as usize)
    }

    /// What the trace says of a process; `None` when it only has its number.
    pub fn process(&self, key: ProcessKey) -> Option<&Process> {
        if key.0 & BARE != 0 {
            return None;
        }
        self.processes.get(key.0 as usize)
    }

    /// The process of a thread.
    pub fn process_of(&self, key: ThreadKey) -> ProcessKey {
        match self.thread(key) {
            Some(thread) => ProcessKey::index(thread.process),
            None => self.process_key(self.tgid(key), u64::MAX),
        }
    }

    /// Number of a thread.
    pub fn tid(&self, key: ThreadKey) -> u32 {
        self.thread(key).map_or(key.0 as u32, |thread| thread.tid)
    }

    /// Number of a thread's process.
    pub fn tgid(&self, key: ThreadKey) -> u32 {
        self.thread(key).map_or((key.0 >> 32) as u32 & 0x7fff_ffff, |thread| thread.tgid)
    }

    /// Number of a process.
    pub fn pid(&self, key: ProcessKey) -> u32 {
        self.process(key).map_or(key.0 as u32, |process| process.pid)
    }

    /// String id of a thread's last name; `None` when it has none.
    pub fn thread_comm(&self, key: ThreadKey) -> Option<u32> {
        self.thread(key).map(|thread| thread.comm).filter(|&comm| comm != 0)
    }

    /// String id of the name that a thread had at a time.
    pub fn thread_comm_at(&self, key: ThreadKey, time: u64) -> Option<u32> {
        let thread = self.thread(key)?;
        let upto = thread.names.partition_point(|name| name.0 <= time).max(1);
        thread.names.get(upto - 1).map(|name| name.1).filter(|&comm| comm != 0)
    }

    /// String id of a process's last name.
    pub fn process_comm(&self, key: ProcessKey) -> Option<u32> {
        self.process(key).map(|process| process.comm).filter(|&comm| comm != 0)
    }
}

/// The text of an optional string id.
pub(crate) fn text_or_unknown<'a>(strings: super::Strings<'a>, id: Option<u32>) -> &'a [u8] {
    id.map_or(UNKNOWN, |id| strings.get(id))
}
