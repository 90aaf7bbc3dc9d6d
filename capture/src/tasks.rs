//! Threads and processes: what the kernel programs and /proc tell of them becomes definitions.

use crate::bits::TidSet;
use crate::clock;
use crate::proc::{self, Process, SchedStat, Snapshot, Thread, join_args};
use crate::tape::Tape;
use ktape_format::schema::{
    TaskComm, TaskExec, TaskExit, TaskRun, TaskStart, WireComm, WireExec, WireExit, WireFork,
    task_flag,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;

/// What a process runs.
#[derive(Clone, Default)]
struct Program {
    cmdline: Rc<[u8]>,
    exe: Rc<[u8]>,
}

/// The first and the last reading of a thread's CPU time: what lies between them is the recording's.
#[derive(Clone, Copy, Default)]
struct RunTimes {
    first: Option<TaskRun>,
    last: Option<TaskRun>,
}

impl RunTimes {
    fn add(&mut self, row: TaskRun) {
        match self.first {
            None => self.first = Some(row),
            Some(_) => self.last = Some(row),
        }
    }

    fn define(&self, tape: &mut Tape) {
        for row in [self.first, self.last].iter().flatten() {
            tape.define(TaskRun::DESC, &row.encode());
        }
    }
}

/// A thread that no fact has named yet.
struct Waiting {
    row: TaskStart,
    comm: Vec<u8>,
    run_times: RunTimes,
    /// Its end, if that has come: facts of it may still lie in a ring.
    exit: Option<TaskExit>,
}

/// A thread that lives, as a later segment will define it.
struct Kept {
    row: TaskStart,
    comm: Vec<u8>,
    /// Its end: facts of it may still lie in a ring.
    exit: Option<TaskExit>,
}

/// The threads of the host, and which of them the trace defines.
///
/// A recording of the whole host defines them all. One with filters defines those that its facts
/// name and their children, and of a thread that only woke somebody no more than the name: a trace
/// of one command does not tell what else ran on the host.
#[derive(Default)]
pub(crate) struct Tasks {
    only_named: bool,
    told: TidSet,
    /// Those of them that facts are about.
    subjects: TidSet,
    kthreads: TidSet,
    programs: FxHashMap<u32, Program>,
    waiting: FxHashMap<u32, Waiting>,
    /// Threads of which no more than the name is told so far, as [`Tasks::tell`] got them.
    bystanders: FxHashMap<u32, (TaskStart, RunTimes)>,
    /// Threads that have ended and are not told whole, and when, until the next
    /// [`Tasks::forget_gone`].
    ended: Vec<(u32, u64)>,
    /// Forks before this time are in the snapshot already, if their thread is.
    snapshot_end: u64,
    /// Processes that ended since the last call of [`Tasks::forget_gone`].
    gone: FxHashSet<u32>,
    command: u32,
    /// All threads, where segments follow that have to define them again.
    kept: Option<FxHashMap<u32, Kept>>,
}

impl Tasks {
    /// `only_named`: define only threads that facts name. `command`: the process that the recorder
    /// launched. `keeps`: there will be segments, which define threads again.
    pub(crate) fn new(only_named: bool, command: Option<u32>, keeps: bool) -> Tasks {
        let kept = keeps.then(FxHashMap::default);
        Tasks { only_named, command: command.unwrap_or(0), kept, ..Tasks::default() }
    }

    /// A new segment begins: defines the threads that are alive, or waits for facts that name them.
    pub(crate) fn retell(&mut self, now: u64, tape: &mut Tape) {
        let Some(kept) = self.kept.take() else { return };
        self.told.clear();
        self.subjects.clear();
        self.waiting.clear();
        self.bystanders.clear();
        let mut tids: Vec<u32> = kept.keys().copied().collect();
        tids.sort_unstable();
        for Kept { row, comm, exit } in tids.iter().filter_map(|tid| kept.get(tid)) {
            let row = TaskStart { seen: now, flags: row.flags | task_flag::SNAPSHOT, ..*row };
            let (comm, exit) = (comm.clone(), *exit);
            if exit.is_some() || self.only_named && row.tid != self.command {
                let run_times = RunTimes::default();
                self.waiting.insert(row.tid, Waiting { row, comm, run_times, exit });
            } else {
                self.tell(row, &comm, true, tape);
            }
        }
        self.kept = Some(kept);
    }

    /// Forgets threads that began before this moment and are not among those that were alive after it:
    /// their ends were lost. Ends whose facts may still lie in a ring are known.
    pub(crate) fn bury(&mut self, alive: &TidSet, before: u64) {
        let Some(kept) = &mut self.kept else { return };
        let programs = &mut self.programs;
        kept.retain(|&tid, Kept { row, exit, .. }| {
            let lives = alive.contains(tid) || exit.is_some() || row.time >= before;
            if !lives && tid == row.tgid {
                programs.remove(&tid);
            }
            lives
        });
    }

    /// Every thread of the host.
    pub(crate) fn snapshot(&mut self, snapshot: &Snapshot, now: u64, tape: &mut Tape) {
        for process in &snapshot.processes {
            for thread in &process.threads {
                if !self.told.contains(thread.tid) && !self.waiting.contains_key(&thread.tid) {
                    self.thread(process, thread, now, tape);
                }
            }
        }
        self.snapshot_end = now;
    }

    /// A thread that was found in /proc.
    fn thread(&mut self, process: &Process, thread: &Thread, now: u64, tape: &mut Tape) {
        if thread.tid == process.tgid {
            let program = Program {
                cmdline: process.cmdline.as_slice().into(),
                exe: process.exe.as_deref().unwrap_or_default().into(),
            };
            self.programs.insert(process.tgid, program);
        }
        let row = TaskStart {
            time: thread.start.min(now),
            seen: now,
            tid: thread.tid,
            tgid: process.tgid,
            parent: process.parent,
            uid: process.uid,
            flags: task_flag::SNAPSHOT | if process.kthread { task_flag::KTHREAD } else { 0 },
            ..TaskStart::default()
        };
        self.start(row, thread.comm.clone(), tape);
    }

    /// A thread exists: defines it now, or when a fact names it.
    fn start(&mut self, mut row: TaskStart, comm: Vec<u8>, tape: &mut Tape) {
        if row.flags & task_flag::KTHREAD != 0 {
            self.kthreads.insert(row.tid);
        } else {
            self.kthreads.remove(row.tid);
        }
        if row.tid == self.command {
            row.flags |= task_flag::COMMAND;
        }
        self.told.remove(row.tid);
        self.subjects.remove(row.tid);
        self.bystanders.remove(&row.tid);
        if let Some(kept) = &mut self.kept {
            kept.insert(row.tid, Kept { row, comm: comm.clone(), exit: None });
        }
        if self.only_named && !self.is_family(&row) && row.tid != self.command {
            let run_times = RunTimes::default();
            self.waiting.insert(row.tid, Waiting { row, comm, run_times, exit: None });
        } else {
            self.tell(row, &comm, true, tape);
        }
    }

    /// Whether facts are about its parent, or its process.
    fn is_family(&self, row: &TaskStart) -> bool {
        [row.parent, row.tgid].iter().any(|&tid| self.subjects.contains(tid))
    }

    /// Writes a definition; without its command line if it is not the recording's business.
    fn tell(&mut self, mut row: TaskStart, comm: &[u8], whole: bool, tape: &mut Tape) {
        row.comm = tape.text(comm);
        if !whole {
            self.bystanders.insert(row.tid, (row, RunTimes::default()));
        }
        if row.tid == row.tgid
            && whole
            && let Some(program) = self.programs.get(&row.tgid)
        {
            row.cmdline = tape.text(&program.cmdline);
            row.exe = tape.text(&program.exe);
        }
        self.told.insert(row.tid);
        if whole {
            self.subjects.insert(row.tid);
        } else {
            row.flags |= task_flag::BYSTANDER;
        }
        tape.define(TaskStart::DESC, &row.encode());
    }

    /// A thread was created.
    pub(crate) fn fork(&mut self, fork: &WireFork, tape: &mut Tape) {
        let found = self.told.contains(fork.tid) || self.waiting.contains_key(&fork.tid);
        if fork.time < self.snapshot_end && found {
            return;
        }
        if fork.tid == fork.tgid {
            self.gone.remove(&fork.tgid);
            let program = self.programs.get(&fork.parent).cloned().unwrap_or_default();
            self.programs.insert(fork.tgid, program);
        }
        let row = TaskStart {
            time: fork.start,
            seen: fork.time,
            tid: fork.tid,
            tgid: fork.tgid,
            parent: fork.parent,
            uid: fork.uid,
            flags: fork.flags,
            ..TaskStart::default()
        };
        self.start(row, comm(fork.comm0, fork.comm1), tape);
    }

    /// A process runs another program; `rest` is the path and the arguments.
    pub(crate) fn exec(&mut self, exec: &WireExec, rest: &[u8], tape: &mut Tape) {
        let (exe, args) = rest.split_at(rest.len().min(exec.exe_len as usize));
        let args = &args[..args.len().min(exec.args_len as usize)];
        let program = Program { cmdline: join_args(args).into(), exe: exe.into() };
        let name = comm(exec.comm0, exec.comm1);
        if let Some(kept) = &mut self.kept {
            if exec.old_tid != exec.tgid {
                kept.remove(&exec.old_tid);
            }
            if let Some(kept) = kept.get_mut(&exec.tgid) {
                kept.comm.clone_from(&name);
                kept.row.uid = exec.uid;
                kept.exit = None;
            }
        }
        if let Some(waiting) = self.waiting.get_mut(&exec.tgid) {
            waiting.comm = name;
            waiting.row.uid = exec.uid;
        } else if let Some((row, _)) = self.bystanders.get_mut(&exec.tgid) {
            // Its new name comes by itself, as a change of the name.
            row.uid = exec.uid;
        } else {
            let row = TaskExec {
                time: exec.time,
                tgid: exec.tgid,
                old_tid: exec.old_tid,
                cmdline: tape.text(&program.cmdline),
                exe: tape.text(&program.exe),
                comm: tape.text(&name),
                uid: exec.uid,
            };
            tape.define(TaskExec::DESC, &row.encode());
        }
        self.programs.insert(exec.tgid, program);
    }

    /// A thread took another name.
    pub(crate) fn comm(&mut self, change: &WireComm, tape: &mut Tape) {
        let name = comm(change.comm0, change.comm1);
        if let Some(kept) = self.kept.as_mut().and_then(|kept| kept.get_mut(&change.tid)) {
            kept.comm.clone_from(&name);
        }
        if let Some(waiting) = self.waiting.get_mut(&change.tid) {
            waiting.comm = name;
            return;
        }
        let row = TaskComm {
            time: change.time,
            tid: change.tid,
            tgid: change.tgid,
            comm: tape.text(&name),
            flags: 0,
        };
        tape.define(TaskComm::DESC, &row.encode());
    }

    /// A thread ended.
    pub(crate) fn exit(&mut self, exit: &WireExit, tape: &mut Tape) {
        let row = TaskExit {
            time: exit.time,
            start: exit.start,
            run: exit.run,
            tid: exit.tid,
            tgid: exit.tgid,
            code: exit.code,
            live: exit.live,
        };
        if !self.told.contains(exit.tid) && !self.waiting.contains_key(&exit.tid) {
            // It was there before the recording, and too short for the snapshot.
            let row = TaskStart {
                time: exit.start,
                seen: exit.time,
                tid: exit.tid,
                tgid: exit.tgid,
                parent: exit.parent,
                uid: exit.uid,
                flags: task_flag::SNAPSHOT,
                ..TaskStart::default()
            };
            self.start(row, comm(exit.comm0, exit.comm1), tape);
        }
        if let Some(kept) = self.kept.as_mut().and_then(|kept| kept.get_mut(&exit.tid)) {
            kept.exit = Some(row);
        }
        if let Some(waiting) = self.waiting.get_mut(&exit.tid) {
            waiting.exit = Some(row);
        } else {
            tape.define(TaskExit::DESC, &row.encode());
        }
        if self.only_named || self.kept.is_some() {
            self.ended.push((exit.tid, exit.time));
        }
        if exit.live == 0 {
            self.gone.insert(exit.tgid);
        }
    }

    /// Reads the CPU time of every thread that is alive: at the start and at the stop. 5 us each, a
    /// fraction of a snapshot: what runs meanwhile counts as well.
    pub(crate) fn run_times(&mut self, tape: &mut Tape) {
        for tgid in proc::processes() {
            for tid in proc::threads(tgid) {
                if let Some(row) = run_time(tid, tgid) {
                    self.run_time(&row, tape);
                }
            }
        }
    }

    /// Takes a reading of a thread's CPU time: writes it, or keeps it for the day that a fact is
    /// about the thread.
    pub(crate) fn run_time(&mut self, row: &TaskRun, tape: &mut Tape) {
        if let Some(waiting) = self.waiting.get_mut(&row.tid) {
            waiting.run_times.add(*row);
        } else if let Some((_, run_times)) = self.bystanders.get_mut(&row.tid) {
            run_times.add(*row);
        } else if self.told.contains(row.tid) {
            tape.define(TaskRun::DESC, &row.encode());
        }
    }

    /// Whether a thread that a fact names has all the definition that it needs.
    pub(crate) fn is_known(&self, tid: u32, subject: bool) -> bool {
        // Who facts are about has been told.
        tid == 0 || if subject { self.subjects.contains(tid) } else { self.told.contains(tid) }
    }

    /// Sees to it that a thread [is known](Tasks::is_known). `subject`: the fact is about it, it is
    /// not just its waker.
    pub(crate) fn know(&mut self, tid: u32, tgid: u32, subject: bool, now: u64, tape: &mut Tape) {
        if subject {
            self.promote(tgid, tape);
            self.promote(tid, tape);
            self.subjects.insert(tid);
        }
        if self.told.contains(tid) {
            return;
        }
        if !self.waiting.contains_key(&tid)
            && let Ok(process) = Process::read(tgid)
            && let Some(thread) = process.threads.iter().find(|thread| thread.tid == tid)
        {
            let thread = thread.clone();
            self.thread(&process, &thread, now, tape);
        }
        // A thread has its command line from its process.
        for tid in [tgid, tid] {
            if let Some(waiting) = self.waiting.remove(&tid) {
                let whole = subject || self.is_family(&waiting.row);
                self.tell(waiting.row, &waiting.comm, whole, tape);
                if whole {
                    waiting.run_times.define(tape);
                } else if let Some((_, run_times)) = self.bystanders.get_mut(&tid) {
                    *run_times = waiting.run_times;
                }
                if let Some(exit) = waiting.exit {
                    tape.define(TaskExit::DESC, &exit.encode());
                } else if whole && waiting.run_times.first.is_none() {
                    self.read_run_time(tid, tgid, tape);
                }
            }
        }
        if !self.told.contains(tid) {
            self.told.insert(tid);
            let flags = task_flag::UNKNOWN;
            let row = TaskStart { seen: now, tid, tgid, flags, ..TaskStart::default() };
            tape.define(TaskStart::DESC, &row.encode());
        }
    }

    /// Facts are about a thread that so far had only woken somebody: tells the rest of it.
    fn promote(&mut self, tid: u32, tape: &mut Tape) {
        let Some((mut row, run_times)) = self.bystanders.remove(&tid) else { return };
        if row.tid == row.tgid
            && let Some(program) = self.programs.get(&tid)
        {
            row.cmdline = tape.text(&program.cmdline);
            row.exe = tape.text(&program.exe);
        }
        tape.define(TaskStart::DESC, &row.encode());
        self.subjects.insert(tid);
        run_times.define(tape);
        if run_times.first.is_none() {
            self.read_run_time(tid, row.tgid, tape);
        }
    }

    /// Writes the CPU time of a thread of which there is no reading yet.
    fn read_run_time(&mut self, tid: u32, tgid: u32, tape: &mut Tape) {
        if let Some(row) = run_time(tid, tgid) {
            self.run_time(&row, tape);
        }
    }

    /// Whether a thread belongs to the kernel.
    pub(crate) fn is_kthread(&self, tid: u32) -> bool {
        self.kthreads.contains(tid)
    }

    /// The processes that ended since the last call of [`Tasks::forget_gone`], in order.
    pub(crate) fn gone(&self) -> Vec<u32> {
        let mut gone: Vec<u32> = self.gone.iter().copied().collect();
        gone.sort_unstable();
        gone
    }

    /// Drops what is kept of ended threads, once the facts about them are written.
    pub(crate) fn forget_gone(&mut self) {
        for (tid, time) in std::mem::take(&mut self.ended) {
            if let Some(kept) = &mut self.kept
                && kept.get(&tid).and_then(|kept| kept.exit).is_some_and(|exit| exit.time == time)
            {
                kept.remove(&tid);
            }
            // Unless its number is another thread's by now.
            if self.waiting.get(&tid).is_some_and(|waiting| waiting.exit.is_some()) {
                self.waiting.remove(&tid);
            }
            if self.bystanders.get(&tid).is_some_and(|(row, _)| row.time <= time) {
                self.bystanders.remove(&tid);
            }
        }
        for tgid in std::mem::take(&mut self.gone) {
            self.programs.remove(&tgid);
        }
    }
}

/// The CPU time that a thread has had by now; `None` when it has gone.
pub(crate) fn run_time(tid: u32, tgid: u32) -> Option<TaskRun> {
    let text = std::fs::read(format!("/proc/{tgid}/task/{tid}/schedstat")).ok()?;
    let SchedStat { run_ns: run, wait_ns: wait, slices } = SchedStat::parse(&text)?;
    Some(TaskRun { time: clock::monotonic(), run, wait, slices, tid, tgid })
}

/// A thread name from its two words.
fn comm(low: u64, high: u64) -> Vec<u8> {
    let mut bytes = low.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&high.to_ne_bytes());
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(len);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(
            comm(u64::from_ne_bytes(*b"abcdefgh"), u64::from_ne_bytes(*b"ij\0\0\0\0\0\0")),
            b"abcdefghij"
        );
    }
}
