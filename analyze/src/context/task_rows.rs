//! Builds [`Tasks`] from the rows that define them.

use std::collections::BTreeMap;

use ktape_schema::task_flag;

use ktape_format::{Batch, ChunkInfo, Tgids};

use super::loader::Loader;
use super::tasks::{Exec, Process, SEVERAL, TID_LIMIT, Tasks, Thread, Usage};

/// A thread as `task_start` states it (or as some other row implies it).
#[derive(Clone, Copy, Default)]
struct Start {
    time: u64,
    seen: u64,
    tid: u32,
    tgid: u32,
    parent: u32,
    uid: u32,
    comm: u32,
    cmdline: u32,
    exe: u32,
    flags: u32,
}

#[derive(Clone, Copy)]
struct Exit {
    time: u64,
    start: u64,
    run: u64,
    tid: u32,
    tgid: u32,
    code: u32,
}

struct Rows {
    starts: Vec<Start>,
    execs: Vec<(u32, Exec)>,
    /// Execs by another thread than the first: when, in which process, by which thread. The first
    /// thread ends before, and this one goes on under its number (`de_thread()` in fs/exec.c).
    takeovers: Vec<(u64, u32, u32)>,
    comms: Vec<(u64, u32, u32, u32)>,
    exits: Vec<Exit>,
    runs: Vec<(u32, u32, Usage)>,
}

/// Loads the tasks; where `pids` names processes, at least those of these.
pub(super) fn load(loader: &mut Loader<'_>, pids: &[u32]) -> Tasks {
    let mut rows = read(loader, pids);
    imply_starts(&mut rows);
    let (threads, births) = threads(&mut rows.starts);
    let mut tasks = Tasks { threads, ..Tasks::default() };
    index_threads(&mut tasks);
    apply(&mut tasks, &rows);
    processes(&mut tasks, &births, &rows.execs);
    tasks
}

fn read(loader: &mut Loader<'_>, pids: &[u32]) -> Rows {
    let chosen = |tgid: u32| pids.is_empty() || pids.contains(&tgid);
    let wanted = |chunk: &ChunkInfo| match &chunk.tgids {
        Tgids::Few(tgids) => pids.is_empty() || pids.iter().any(|pid| tgids.contains(pid)),
        _ => true,
    };
    // The rows of a batch that are of the processes named.
    let rows = |batch: &Batch| {
        let tgids = batch.u32("tgid");
        (0..batch.rows()).filter(|&row| chosen(tgids[row])).collect::<Vec<usize>>()
    };
    let mut starts = Vec::new();
    let columns =
        ["time", "seen", "tid", "tgid", "parent", "uid", "comm", "cmdline", "exe", "flags"];
    loader.each_of("task_start", &columns, wanted, |batch| {
        let [time, seen] = ["time", "seen"].map(|name| batch.u64(name));
        let [tid, tgid, parent, uid, comm, cmdline, exe, flags] =
            ["tid", "tgid", "parent", "uid", "comm", "cmdline", "exe", "flags"]
                .map(|name| batch.u32(name));
        starts.extend(rows(batch).into_iter().map(|row| Start {
            time: time[row],
            seen: seen[row],
            tid: tid[row],
            tgid: tgid[row],
            parent: parent[row],
            uid: uid[row],
            comm: comm[row],
            cmdline: cmdline[row],
            exe: exe[row],
            flags: flags[row],
        }));
    });
    let mut execs = Vec::new();
    let mut takeovers = Vec::new();
    let columns = ["time", "tgid", "old_tid", "comm", "cmdline", "exe", "uid"];
    loader.each_of("task_exec", &columns, wanted, |batch| {
        let time = batch.u64("time");
        let [tgid, old_tid, comm, cmdline, exe, uid] =
            ["tgid", "old_tid", "comm", "cmdline", "exe", "uid"].map(|name| batch.u32(name));
        for row in rows(batch) {
            if old_tid[row] != tgid[row] {
                takeovers.push((time[row], tgid[row], old_tid[row]));
            }
            let exec = Exec {
                time: time[row],
                comm: comm[row],
                cmdline: cmdline[row],
                exe: exe[row],
                uid: uid[row],
            };
            execs.push((tgid[row], exec));
        }
    });
    let mut comms = Vec::new();
    loader.each_of("task_comm", &["time", "tid", "tgid", "comm"], wanted, |batch| {
        let time = batch.u64("time");
        let [tid, tgid, comm] = ["tid", "tgid", "comm"].map(|name| batch.u32(name));
        let rows = rows(batch).into_iter();
        comms.extend(rows.map(|row| (time[row], tid[row], tgid[row], comm[row])));
    });
    let mut exits = Vec::new();
    let columns = ["time", "start", "run", "tid", "tgid", "code"];
    loader.each_of("task_exit", &columns, wanted, |batch| {
        let [time, start, run] = ["time", "start", "run"].map(|name| batch.u64(name));
        let [tid, tgid, code] = ["tid", "tgid", "code"].map(|name| batch.u32(name));
        exits.extend(rows(batch).into_iter().map(|row| Exit {
            time: time[row],
            start: start[row],
            run: run[row],
            tid: tid[row],
            tgid: tgid[row],
            code: code[row],
        }));
    });
    let mut runs = Vec::new();
    let columns = ["time", "run", "wait", "slices", "tid", "tgid"];
    loader.each_of("task_run", &columns, wanted, |batch| {
        let [time, run, wait, slices] =
            ["time", "run", "wait", "slices"].map(|name| batch.u64(name));
        let [tid, tgid] = ["tid", "tgid"].map(|name| batch.u32(name));
        runs.extend(rows(batch).into_iter().map(|row| {
            let usage =
                Usage { time: time[row], run: run[row], wait: wait[row], slices: slices[row] };
            (tid[row], tgid[row], usage)
        }));
    });
    execs.sort_by_key(|(tgid, exec)| (exec.time, *tgid, exec.comm));
    comms.sort_unstable();
    takeovers.sort_unstable();
    exits.sort_by_key(|exit| (exit.time, exit.tid, exit.start));
    runs.sort_by_key(|(tid, _, usage)| (usage.time, *tid, usage.run));
    Rows { starts, execs, takeovers, comms, exits, runs }
}

/// Adds a start for every thread that another row names but no `task_start` does, and for the first
/// thread of every process, so that each name of a task finds one.
fn imply_starts(rows: &mut Rows) {
    rows.starts.sort_by_key(|start| (start.tid, start.time, start.seen, start.flags));
    let mut known: Vec<u32> = rows.starts.iter().map(|start| start.tid).collect();
    known.dedup();
    let unknown = |time, seen, tid, tgid| Start {
        time,
        seen,
        tid,
        tgid,
        flags: task_flag::UNKNOWN,
        ..Start::default()
    };
    let mut implied: Vec<Start> = Vec::new();
    implied
        .extend(rows.exits.iter().map(|exit| unknown(exit.start, exit.time, exit.tid, exit.tgid)));
    implied
        .extend(rows.execs.iter().map(|(tgid, exec)| unknown(exec.time, exec.time, *tgid, *tgid)));
    implied.extend(rows.comms.iter().map(|&(time, tid, tgid, _)| unknown(time, time, tid, tgid)));
    implied.extend(
        rows.runs.iter().map(|&(tid, tgid, use_)| unknown(use_.time, use_.time, tid, tgid)),
    );
    implied.extend(
        rows.starts.iter().map(|start| unknown(start.time, start.seen, start.tgid, start.tgid)),
    );
    let leaders: Vec<Start> =
        implied.iter().map(|start| Start { tid: start.tgid, ..*start }).collect();
    implied.extend(leaders);
    implied.retain(|start| start.tid != 0 && known.binary_search(&start.tid).is_err());
    implied.sort_by_key(|start| (start.tid, start.time, start.seen, start.tgid));
    implied.dedup_by_key(|start| start.tid);
    rows.starts.extend(implied);
}

/// One thread per (tid, start), with the rows that it was born from beside it.
fn threads(starts: &mut [Start]) -> (Vec<Thread>, Vec<Start>) {
    starts.sort_by_key(|start| (start.tid, start.time, start.seen, start.flags));
    let mut births: Vec<Start> = Vec::with_capacity(starts.len());
    for start in starts.iter() {
        match births.last_mut() {
            // The same thread twice, as when the snapshot of /proc meets the fork: what one row lacks the other has.
            Some(last) if (last.tid, last.time) == (start.tid, start.time) => {
                last.parent = nonzero(last.parent, start.parent);
                last.comm = nonzero(last.comm, start.comm);
                last.cmdline = nonzero(last.cmdline, start.cmdline);
                last.exe = nonzero(last.exe, start.exe);
                last.uid = nonzero(last.uid, start.uid);
            }
            _ => births.push(*start),
        }
    }
    let threads = births
        .iter()
        .map(|start| Thread {
            tid: start.tid,
            tgid: start.tgid,
            start: start.time,
            seen: start.seen,
            comm: start.comm,
            flags: start.flags,
            names: vec![(start.time, start.comm)],
            ..Thread::default()
        })
        .collect();
    (threads, births)
}

fn nonzero(first: u32, second: u32) -> u32 {
    if first == 0 { second } else { first }
}

fn index_threads(tasks: &mut Tasks) {
    let highest =
        tasks.threads.iter().map(|thread| thread.tid).filter(|&tid| tid < TID_LIMIT).max();
    tasks.by_tid = vec![0; highest.map_or(0, |tid| tid as usize + 1)];
    for (index, thread) in (0u32..).zip(&tasks.threads) {
        let Some(entry) = tasks.by_tid.get_mut(thread.tid as usize) else { continue };
        if *entry == 0 {
            *entry = index + 1;
        } else {
            *entry |= SEVERAL;
            tasks.reused = true;
        }
    }
    // Numbers beyond the table are looked up by time always.
    tasks.reused |= tasks.threads.iter().any(|thread| thread.tid >= TID_LIMIT);
}

/// Gives threads their names, ends and CPU times.
fn apply(tasks: &mut Tasks, rows: &Rows) {
    let mut names: Vec<(u64, u32, u32)> =
        rows.comms.iter().map(|&(time, tid, _, comm)| (time, tid, comm)).collect();
    names.extend(rows.execs.iter().map(|(tgid, exec)| (exec.time, *tgid, exec.comm)));
    names.sort_unstable();
    for (time, tid, comm) in names {
        let Some(index) = tasks.thread_at(tid, time) else { continue };
        let thread = &mut tasks.threads[index as usize];
        thread.comm = comm;
        thread.names.push((time, comm));
    }
    for (tid, _, usage) in &rows.runs {
        let Some(index) = tasks.thread_at(*tid, usage.time) else { continue };
        let thread = &mut tasks.threads[index as usize];
        thread.first_usage.get_or_insert(*usage);
        thread.last_usage = Some(*usage);
    }
    let mut taken_over: BTreeMap<u32, u64> = BTreeMap::new();
    for &(time, tgid, tid) in &rows.takeovers {
        if let Some(index) = tasks.thread_at(tid, time) {
            tasks.threads[index as usize].end = Some(time);
        }
        if let Some(index) = tasks.thread_at(tgid, time) {
            taken_over.insert(index, time);
        }
    }
    for exit in &rows.exits {
        let Some(index) = tasks.thread_at(exit.tid, exit.time) else { continue };
        if taken_over.get(&index).is_some_and(|&time| exit.time <= time) {
            continue;
        }
        let thread = &mut tasks.threads[index as usize];
        thread.end = Some(exit.time);
        thread.exit_code = Some(exit.code);
        thread.last_usage = Some(Usage { time: exit.time, run: exit.run, ..Usage::default() });
    }
    for thread in &mut tasks.threads {
        // A row may stand before the start that it belongs to (clock of another CPU): names rise with time all the same.
        thread.names.sort_by_key(|name| name.0);
    }
}

/// A process per thread whose tid is its tgid, with the threads that lived while it did.
fn processes(tasks: &mut Tasks, births: &[Start], execs: &[(u32, Exec)]) {
    let mut leaders: Vec<(u32, u64, Option<usize>)> = tasks
        .threads
        .iter()
        .enumerate()
        .filter(|(_, thread)| thread.tid == thread.tgid)
        .map(|(index, thread)| (thread.tid, thread.start, Some(index)))
        .collect();
    // A number that only ever was another process's thread still stands for a process here.
    let mut orphans: Vec<(u32, u64, Option<usize>)> = tasks
        .threads
        .iter()
        .filter(|thread| leaders.binary_search_by_key(&thread.tgid, |leader| leader.0).is_err())
        .map(|thread| (thread.tgid, thread.start, None))
        .collect();
    orphans.sort_unstable();
    orphans.dedup_by_key(|orphan| orphan.0);
    leaders.extend(orphans);
    leaders.sort_unstable();
    for (process, &(pid, start, leader)) in (0u32..).zip(&leaders) {
        tasks.by_pid.push((pid, start, process));
        tasks.processes.push(match leader {
            Some(leader) => first_of(&tasks.threads[leader], &births[leader]),
            None => Process { pid, start, flags: task_flag::UNKNOWN, ..Process::default() },
        });
    }
    for index in 0..tasks.threads.len() {
        let thread = &tasks.threads[index];
        let Some(process) = tasks.process_at(thread.tgid, thread.start) else { continue };
        tasks.threads[index].process = process;
        let end = tasks.threads[index].end;
        let process = &mut tasks.processes[process as usize];
        process.end = match (process.threads.is_empty(), process.end, end) {
            (true, ..) => end,
            (false, Some(a), Some(b)) => Some(a.max(b)),
            (false, ..) => None,
        };
        process.threads.push(index as u32);
    }
    for (tgid, exec) in execs {
        let Some(process) = tasks.process_at(*tgid, exec.time) else { continue };
        let process = &mut tasks.processes[process as usize];
        process.execs.push(*exec);
        (process.cmdline, process.exe, process.uid) = (exec.cmdline, exec.exe, exec.uid);
    }
    link_parents(tasks);
}

fn first_of(thread: &Thread, birth: &Start) -> Process {
    Process {
        pid: thread.tid,
        start: thread.start,
        exit_code: thread.exit_code,
        parent_pid: birth.parent,
        uid: birth.uid,
        comm: thread.comm,
        cmdline: birth.cmdline,
        exe: birth.exe,
        flags: thread.flags,
        ..Process::default()
    }
}

/// Resolves parents by (pid, time of birth) and cuts circles, which only a hostile trace has.
fn link_parents(tasks: &mut Tasks) {
    for index in 0..tasks.processes.len() {
        let (pid, parent_pid) = (tasks.processes[index].pid, tasks.processes[index].parent_pid);
        if parent_pid != 0 && parent_pid != pid {
            let start = tasks.processes[index].start;
            tasks.processes[index].parent = tasks.process_at(parent_pid, start);
        }
    }
    // 0 = not looked at, 1 = on the path that is being walked, 2 = known to reach a root.
    let mut marks = vec![0u8; tasks.processes.len()];
    let mut path = Vec::new();
    for first in 0..tasks.processes.len() {
        let mut at = first;
        while marks[at] == 0 {
            marks[at] = 1;
            path.push(at);
            match tasks.processes[at].parent {
                Some(parent) if marks[parent as usize] == 1 => tasks.processes[at].parent = None,
                Some(parent) => at = parent as usize,
                None => {}
            }
        }
        for at in path.drain(..) {
            marks[at] = 2;
        }
    }
}
