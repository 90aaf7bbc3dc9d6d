//! Threads and processes, as perf's records tell of them.

use ktape_schema::{TaskComm, TaskExec, TaskExit, TaskRun, TaskStart, task_flag};
use rustc_hash::FxHashMap;

use super::tape::Tape;
use super::waits::Usage;

/// The longest name of a thread, in bytes (TASK_COMM_LEN).
const MAX_COMM: usize = 16;

/// The kernel's thread that all others of the kernel descend from.
const KTHREADD: u32 = 2;

#[derive(Clone, Debug, Default)]
struct Task {
    tgid: u32,
    parent: u32,
    comm: Vec<u8>,
    /// When it was made; `None` when that was not seen.
    forked: Option<u64>,
    gone: bool,
}

/// All threads of a recording.
pub(super) struct Tasks {
    tasks: FxHashMap<u32, Task>,
    /// Threads that are alive, by process.
    alive: FxHashMap<u32, u32>,
    start: u64,
    /// Whether the threads that perf told of at the start are in the trace.
    told: bool,
    /// Whether there are switches, from which CPU times follow.
    timed: bool,
}

impl Tasks {
    pub(super) fn new(start: u64, timed: bool) -> Self {
        let (tasks, alive) = (FxHashMap::default(), FxHashMap::default());
        Self { tasks, alive, start, told: false, timed }
    }

    /// The process of a thread; the thread itself when it is not known.
    pub(super) fn tgid(&self, tid: u32) -> u32 {
        self.tasks.get(&tid).map_or(tid, |task| task.tgid)
    }

    /// Defines the threads that were there at the start, in order.
    pub(super) fn tell_snapshot(&mut self, tape: &mut Tape<'_>) {
        self.told = true;
        let mut tids: Vec<u32> = self.tasks.keys().copied().collect();
        tids.sort_unstable();
        for tid in tids {
            self.tell(tid, self.start, tape);
        }
    }

    /// A thread that a record names: it is defined if nothing told of it. Its name is cut at what the
    /// kernel has: each fork takes it along.
    pub(super) fn meet(
        &mut self,
        tid: u32,
        tgid: u32,
        comm: &[u8],
        time: u64,
        tape: &mut Tape<'_>,
    ) {
        if self.tasks.contains_key(&tid) {
            return;
        }
        // perf gives no process to one that is about to end.
        let tgid = if tgid == 0 || tgid == u32::MAX { tid } else { tgid };
        if tgid != tid {
            self.meet(tgid, tgid, b"", time, tape);
        }
        let comm = cut(comm).to_vec();
        self.insert(tid, Task { tgid, comm, ..Task::default() });
        if self.told {
            self.tell(tid, time, tape);
        }
    }

    /// PERF_RECORD_FORK; `time` is `None` for those that perf made up for what was there.
    pub(super) fn fork(
        &mut self,
        [pid, ppid, tid, ptid]: [u32; 4],
        time: Option<u64>,
        tape: &mut Tape<'_>,
    ) {
        if self.told && time.is_none() && self.tasks.contains_key(&tid) {
            return;
        }
        let by = self.tasks.get(&ptid).or_else(|| self.tasks.get(&ppid));
        let comm = by.map(|task| task.comm.clone()).unwrap_or_default();
        let own = self.tasks.get(&pid).filter(|_| pid == ppid && pid != tid);
        let parent = own.map_or(if pid == ppid { 0 } else { ppid }, |process| process.parent);
        self.insert(tid, Task { tgid: pid, parent, comm, forked: time, gone: false });
        if self.told {
            self.tell(tid, time.unwrap_or(self.start), tape);
        }
    }

    /// PERF_RECORD_COMM.
    pub(super) fn comm(
        &mut self,
        (pid, tid): (u32, u32),
        comm: &[u8],
        exec: bool,
        time: Option<u64>,
        tape: &mut Tape<'_>,
    ) {
        let comm = cut(comm);
        self.meet(tid, pid, comm, time.unwrap_or(self.start), tape);
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let (Some(time), true) = (time, self.told) else {
            if !self.told {
                task.comm = comm.to_vec();
            }
            return;
        };
        let tgid = task.tgid;
        let id = tape.text(comm);
        if exec {
            let row = TaskExec { time, tgid, old_tid: tid, comm: id, ..TaskExec::default() };
            tape.define(TaskExec::DESC, &row.encode());
        } else if task.comm != comm {
            tape.define(TaskComm::DESC, &TaskComm { time, tid, tgid, comm: id, flags: 0 }.encode());
        }
        task.comm = comm.to_vec();
    }

    /// PERF_RECORD_EXIT.
    pub(super) fn exit(&mut self, tid: u32, time: u64, run: u64, tape: &mut Tape<'_>) {
        let Some(task) = self.tasks.get_mut(&tid).filter(|task| !task.gone) else { return };
        task.gone = true;
        let tgid = task.tgid;
        let start = task.forked.unwrap_or(before(self.start));
        let alive = self.alive.entry(tgid).or_default();
        *alive = alive.saturating_sub(1);
        // Without switches nothing is known of its CPU time, which the record states.
        if self.timed {
            let row = TaskExit { time, start, run, tid, tgid, code: 0, live: *alive };
            tape.define(TaskExit::DESC, &row.encode());
        }
    }

    /// CPU times since the start, at the end.
    pub(super) fn tell_usage(&self, time: u64, usage: impl Fn(u32) -> Usage, tape: &mut Tape<'_>) {
        if !self.timed {
            return;
        }
        let mut alive: Vec<(&u32, &Task)> =
            self.tasks.iter().filter(|(_, task)| !task.gone).collect();
        alive.sort_unstable_by_key(|(tid, _)| **tid);
        for (&tid, task) in alive {
            let Usage { run, wait, slices } = usage(tid);
            let row = TaskRun { time, run, wait, slices, tid, tgid: task.tgid };
            tape.define(TaskRun::DESC, &row.encode());
        }
    }

    fn insert(&mut self, tid: u32, task: Task) {
        let tgid = task.tgid;
        let old = self.tasks.insert(tid, task);
        if let Some(old) = old.filter(|old| !old.gone) {
            let alive = self.alive.entry(old.tgid).or_default();
            *alive = alive.saturating_sub(1);
        }
        *self.alive.entry(tgid).or_default() += 1;
    }

    fn tell(&self, tid: u32, seen: u64, tape: &mut Tape<'_>) {
        let Some(task) = self.tasks.get(&tid) else { return };
        let mut flags = 0;
        if task.forked.is_none() {
            flags |= if task.comm.is_empty() { task_flag::UNKNOWN } else { task_flag::SNAPSHOT };
        }
        if task.tgid == KTHREADD || task.parent == KTHREADD {
            flags |= task_flag::KTHREAD;
        }
        let row = TaskStart {
            // When others started is not in the file; only that it was before.
            time: task.forked.unwrap_or(before(self.start)),
            seen,
            tid,
            tgid: task.tgid,
            parent: task.parent,
            comm: tape.text(&task.comm),
            flags,
            ..TaskStart::default()
        };
        tape.define(TaskStart::DESC, &row.encode());
        if self.timed && task.forked.is_none() {
            let (time, tgid) = (self.start, task.tgid);
            tape.define(TaskRun::DESC, &TaskRun { time, tid, tgid, ..TaskRun::default() }.encode());
        }
    }
}

fn cut(comm: &[u8]) -> &[u8] {
    comm.get(..MAX_COMM).unwrap_or(comm)
}

/// The last moment before the start.
fn before(start: u64) -> u64 {
    start.saturating_sub(1)
}
