//! Threads and processes: what the kernel programs and /proc tell of them becomes definitions.

use crate::bits::TidSet;
use crate::proc::{Process, SchedStat, Snapshot, Thread};
use crate::tape::Tape;
use ktape_format::schema::{
    TaskComm, TaskExec, TaskExit, TaskRun, TaskStart, WireComm, WireExec, WireExit, WireFork,
    task_flag,
};
use rustc_hash::FxHashMap;

/// Longest command line that is kept, in bytes.
const MAX_CMDLINE: usize = 4096;

/// What a process runs: ids of texts.
#[derive(Clone, Copy, Default)]
struct Program {
    cmdline: u32,
    exe: u32,
}

/// The threads that the trace has a definition of.
#[derive(Default)]
pub(crate) struct Tasks {
    known: TidSet,
    kthreads: TidSet,
    programs: FxHashMap<u32, Program>,
    /// Forks before this time are in the snapshot already, if their thread is.
    snapshot_end: u64,
    /// Processes that ended since the last call of [`Tasks::take_gone`].
    gone: Vec<u32>,
    command: u32,
}

impl Tasks {
    /// Marks a process as the one that the recorder launched.
    pub(crate) fn set_command(&mut self, tgid: u32) {
        self.command = tgid;
    }

    /// Every thread of the host.
    pub(crate) fn snapshot(&mut self, snapshot: &Snapshot, now: u64, tape: &mut Tape) {
        for process in &snapshot.processes {
            for thread in &process.threads {
                if !self.known.contains(thread.tid) {
                    self.thread(process, thread, now, task_flag::SNAPSHOT, tape);
                }
            }
        }
        self.snapshot_end = now;
    }

    fn thread(&mut self, process: &Process, thread: &Thread, now: u64, flags: u32, tape: &mut Tape) {
        let mut program = Program::default();
        if thread.tid == process.tgid {
            program.cmdline = tape.text(&process.cmdline);
            program.exe = tape.text(process.exe.as_deref().unwrap_or_default());
            self.programs.insert(process.tgid, program);
        }
        self.known.insert(thread.tid);
        if process.kthread {
            self.kthreads.insert(thread.tid);
        }
        let row = TaskStart {
            time: thread.start.min(now),
            seen: now,
            tid: thread.tid,
            tgid: process.tgid,
            parent: process.parent,
            uid: process.uid,
            comm: tape.text(&thread.comm),
            cmdline: program.cmdline,
            exe: program.exe,
            flags: flags
                | if process.kthread { task_flag::KTHREAD } else { 0 }
                | if thread.tid == self.command { task_flag::COMMAND } else { 0 },
        };
        tape.define(TaskStart::DESC, &row.encode());
    }

    /// A thread was created.
    pub(crate) fn fork(&mut self, fork: &WireFork, tape: &mut Tape) {
        if fork.time < self.snapshot_end && self.known.contains(fork.tid) {
            return;
        }
        let mut program = Program::default();
        if fork.tid == fork.tgid {
            program = self.programs.get(&fork.parent).copied().unwrap_or_default();
            self.programs.insert(fork.tgid, program);
        }
        self.known.insert(fork.tid);
        if fork.flags & task_flag::KTHREAD != 0 {
            self.kthreads.insert(fork.tid);
        } else {
            self.kthreads.remove(fork.tid);
        }
        let row = TaskStart {
            time: fork.start,
            seen: fork.time,
            tid: fork.tid,
            tgid: fork.tgid,
            parent: fork.parent,
            uid: fork.uid,
            comm: tape.text(&comm(fork.comm0, fork.comm1)),
            cmdline: program.cmdline,
            exe: program.exe,
            flags: fork.flags,
        };
        tape.define(TaskStart::DESC, &row.encode());
    }

    /// A process runs another program; `rest` is the path and the arguments.
    pub(crate) fn exec(&mut self, exec: &WireExec, rest: &[u8], tape: &mut Tape) {
        let (exe, args) = rest.split_at(rest.len().min(exec.exe_len as usize));
        let args = &args[..args.len().min(exec.args_len as usize)];
        let program = Program { cmdline: tape.text(&join_args(args)), exe: tape.text(exe) };
        self.programs.insert(exec.tgid, program);
        let row = TaskExec {
            time: exec.time,
            tgid: exec.tgid,
            old_tid: exec.old_tid,
            comm: tape.text(&comm(exec.comm0, exec.comm1)),
            cmdline: program.cmdline,
            exe: program.exe,
            uid: exec.uid,
        };
        tape.define(TaskExec::DESC, &row.encode());
    }

    /// A thread took another name.
    pub(crate) fn comm(&mut self, change: &WireComm, tape: &mut Tape) {
        let row = TaskComm {
            time: change.time,
            tid: change.tid,
            tgid: change.tgid,
            comm: tape.text(&comm(change.comm0, change.comm1)),
            flags: 0,
        };
        tape.define(TaskComm::DESC, &row.encode());
    }

    /// A thread ended. Its id stays known: facts of it may still lie in a ring.
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
        tape.define(TaskExit::DESC, &row.encode());
        if exit.live == 0 {
            self.programs.remove(&exit.tgid);
            self.gone.push(exit.tgid);
        }
    }

    /// CPU time of every thread that is alive.
    pub(crate) fn run_times(&mut self, snapshot: &Snapshot, now: u64, tape: &mut Tape) {
        for process in &snapshot.processes {
            for thread in &process.threads {
                let path = format!("/proc/{}/task/{}/schedstat", process.tgid, thread.tid);
                let Some(sched) =
                    std::fs::read(path).ok().and_then(|text| SchedStat::parse(&text))
                else {
                    continue;
                };
                let row = TaskRun {
                    time: now,
                    run: sched.run_ns,
                    wait: sched.wait_ns,
                    slices: sched.slices,
                    tid: thread.tid,
                    tgid: process.tgid,
                };
                tape.define(TaskRun::DESC, &row.encode());
            }
        }
    }

    /// Makes sure that a thread which a fact names has a definition.
    pub(crate) fn know(&mut self, tid: u32, tgid: u32, now: u64, tape: &mut Tape) {
        if tid == 0 || self.known.contains(tid) {
            return;
        }
        if let Ok(process) = Process::read(tgid)
            && let Some(thread) = process.threads.iter().find(|thread| thread.tid == tid)
        {
            let thread = thread.clone();
            self.thread(&process, &thread, now, task_flag::SNAPSHOT, tape);
            return;
        }
        self.known.insert(tid);
        let row = TaskStart {
            time: 0,
            seen: now,
            tid,
            tgid,
            flags: task_flag::UNKNOWN,
            ..TaskStart::default()
        };
        tape.define(TaskStart::DESC, &row.encode());
    }

    /// Whether a thread belongs to the kernel.
    pub(crate) fn is_kthread(&self, tid: u32) -> bool {
        self.kthreads.contains(tid)
    }

    /// Whether a thread has a definition.
    pub(crate) fn is_known(&self, tid: u32) -> bool {
        self.known.contains(tid)
    }

    /// The processes that ended since the last call.
    pub(crate) fn take_gone(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.gone)
    }
}

/// A thread name from its two words.
fn comm(low: u64, high: u64) -> Vec<u8> {
    let mut bytes = low.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&high.to_ne_bytes());
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(len);
    bytes
}

/// NUL-separated arguments, joined by blanks.
fn join_args(args: &[u8]) -> Vec<u8> {
    let end = args.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
    let mut joined: Vec<u8> =
        args[..end].iter().map(|&byte| if byte == 0 { b' ' } else { byte }).collect();
    joined.truncate(MAX_CMDLINE);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arguments() {
        assert_eq!(comm(u64::from_ne_bytes(*b"abcdefgh"), u64::from_ne_bytes(*b"ij\0\0\0\0\0\0")), b"abcdefghij");
        assert_eq!(join_args(b"ls\0-l\0\0"), b"ls -l");
        assert_eq!(join_args(b"\0\0"), b"");
    }
}
