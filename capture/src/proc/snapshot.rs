//! Every process and thread of the host, as /proc shows them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use crate::proc::clock::{Anchor, anchor};
use crate::proc::stat::{Stat, uid_of_status};
use crate::proc::{Error, Result};

/// Longest command line that is kept, in bytes.
const MAX_CMDLINE: usize = 4096;

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    /// Its id.
    pub tid: u32,
    /// When it started, in nanoseconds on CLOCK_MONOTONIC. /proc counts in clock ticks: up to
    /// 10 ms too early.
    pub start: u64,
    /// Its name: any bytes.
    pub comm: Vec<u8>,
}

/// A process and its threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its id.
    pub tgid: u32,
    /// The parent process; 0 when it has none.
    pub parent: u32,
    /// Real user id.
    pub uid: u32,
    /// Whether it is a thread of the kernel.
    pub kthread: bool,
    /// Arguments joined by blanks, cut at 4096 bytes; empty for kernel threads, zombies, and
    /// processes that overwrote it with nothing.
    pub cmdline: Vec<u8>,
    /// Path of the executable in the process's mount namespace; `None` for kernel threads and
    /// zombies, and where CAP_SYS_PTRACE is wanting.
    pub exe: Option<Vec<u8>>,
    /// The executable was unlinked (replaced by an update, say).
    pub exe_deleted: bool,
    /// The threads in order of their ids, the first thread (tid = tgid) among them.
    pub threads: Vec<Thread>,
}

/// All processes at one moment, give or take: the walk is not atomic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// In order of their ids.
    pub processes: Vec<Process>,
}

impl Snapshot {
    /// Walks /proc: 10 us a thread (0.1 s for 10 000) and 30 us a process. What vanishes on the way
    /// is left out, as is what cannot be read (hidepid mounts).
    pub(crate) fn take() -> Result<Snapshot> {
        let mut reader = Reader::new()?;
        let mut processes = Vec::new();
        for pid in ids(Path::new("/proc"))? {
            processes.extend(reader.process(pid).ok());
        }
        Ok(Snapshot { processes })
    }

    /// The process with this id.
    #[cfg(test)]
    pub(crate) fn process(&self, tgid: u32) -> Option<&Process> {
        let at = self.processes.binary_search_by_key(&tgid, |process| process.tgid).ok()?;
        Some(&self.processes[at])
    }
}

impl Process {
    /// Reads one process, for those that start after the snapshot. An [`Error::is_gone`] says that
    /// there is none any more.
    ///
    /// Costs as much as its share of a snapshot, and the clocks are read anew.
    pub(crate) fn read(pid: u32) -> Result<Process> {
        Reader::new()?.process(pid)
    }

    /// The first thread: the one that the process has its id from. A process whose first thread
    /// has ended keeps it as a zombie until the others end too.
    #[cfg(test)]
    pub(crate) fn first_thread(&self) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.tid == self.tgid)
    }
}

/// What is the same for every process read: the clocks, and a buffer.
struct Reader {
    anchor: Anchor,
    ticks_per_second: u64,
    buffer: Vec<u8>,
}

impl Reader {
    fn new() -> Result<Reader> {
        Ok(Reader {
            anchor: anchor()?,
            ticks_per_second: ticks_per_second(),
            buffer: Vec::with_capacity(MAX_CMDLINE),
        })
    }

    fn process(&mut self, pid: u32) -> Result<Process> {
        let mut process = Process {
            tgid: pid,
            parent: 0,
            uid: 0,
            kthread: false,
            cmdline: Vec::new(),
            exe: None,
            exe_deleted: false,
            threads: Vec::new(),
        };
        self.read(&format!("/proc/{pid}/status"), MAX_CMDLINE)?;
        process.uid = uid_of_status(&self.buffer).unwrap_or(0);
        // /proc/PID/stat would add up all threads of the process first; the threads' do not.
        for tid in ids(Path::new(&format!("/proc/{pid}/task")))? {
            let path = format!("/proc/{pid}/task/{tid}/stat");
            match self.read(&path, MAX_CMDLINE) {
                Err(error) if error.is_gone() => continue,
                read => read?,
            }
            let stat = Stat::parse(&self.buffer)
                .ok_or(Error::Text { path: path.into(), what: "not a stat line" })?;
            process.parent = stat.ppid;
            process.kthread = stat.is_kthread();
            let started = stat.start_boottime_ns(self.ticks_per_second);
            process.threads.push(Thread {
                tid,
                start: self.anchor.mono_of_boottime(started),
                comm: stat.comm.to_vec(),
            });
        }
        if process.threads.is_empty() {
            let source = io::Error::from_raw_os_error(libc::ESRCH);
            return Err(Error::Read { path: format!("/proc/{pid}/task").into(), source });
        }
        if !process.kthread {
            // One byte more than is kept, to know whether the last argument is whole.
            if self.read(&format!("/proc/{pid}/cmdline"), MAX_CMDLINE + 1).is_ok() {
                process.cmdline = join_args(&self.buffer);
            }
            if let Ok(path) = fs::read_link(format!("/proc/{pid}/exe")) {
                let mut exe = path.into_os_string().into_vec();
                if let Some(path) = exe.strip_suffix(b" (deleted)") {
                    process.exe_deleted = true;
                    exe.truncate(path.len());
                }
                process.exe = Some(exe);
            }
        }
        Ok(process)
    }

    fn read(&mut self, path: &str, limit: usize) -> Result<()> {
        self.buffer.clear();
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        File::open(path)
            .and_then(|file| file.take(limit).read_to_end(&mut self.buffer))
            .map(|_| ())
            .map_err(|source| Error::Read { path: path.into(), source })
    }
}

/// Arguments as one line: NULs at the end dropped, those between become blanks, cut at 4096 bytes.
pub(crate) fn join_args(cmdline: &[u8]) -> Vec<u8> {
    let len = cmdline.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
    cmdline[..len.min(MAX_CMDLINE)].iter().map(|&b| if b == 0 { b' ' } else { b }).collect()
}

/// The entries of a folder that are numbers, in order.
pub(super) fn ids(path: &Path) -> Result<Vec<u32>> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut ids = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        // A process that ends while its tasks are listed ends the list with an error.
        let Ok(entry) = entry else { break };
        ids.extend(entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    ids.sort_unstable();
    Ok(ids)
}

#[expect(unsafe_code, reason = "sysconf is a libc call")]
fn ticks_per_second() -> u64 {
    // SAFETY: sysconf has no preconditions.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    // 100 on every architecture of ours (USER_HZ).
    u64::try_from(ticks).ok().filter(|&ticks| ticks > 0).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn command_lines() {
        let check = |text: &[u8], line: &str| assert_eq!(join_args(text), line.as_bytes());
        check(b"", "");
        check(b"\0\0", "");
        check(b"cat\0", "cat");
        check(b"sh\0-c\0echo a  b\0", "sh -c echo a  b");
        check(b"a\0\0b\0\0\0", "a  b");
        check(b"nginx: worker", "nginx: worker");
        assert_eq!(join_args(&[b'x'; 5000]).len(), 4096);
    }

    #[test]
    fn this_process() {
        let snapshot = Snapshot::take().unwrap();
        let own = snapshot.process(std::process::id()).expect("this process");
        assert_eq!(own.parent, std::os::unix::process::parent_id());
        let exe = std::env::current_exe().unwrap();
        assert_eq!(own.exe.as_deref(), Some(exe.as_os_str().as_encoded_bytes()));
        let args: Vec<_> = std::env::args().collect();
        assert_eq!(own.cmdline, args.join(" ").into_bytes());
        assert!(!own.kthread);
        let comm = fs::read(format!("/proc/self/task/{}/comm", own.tgid)).unwrap();
        assert_eq!(own.first_thread().unwrap().comm, comm.trim_ascii_end());
        assert!(own.threads.len() >= 2, "the test harness runs tests in threads of their own");
        assert!(own.threads.is_sorted_by_key(|t| t.tid));
        // A container has no kernel threads.
        let kthreadd = snapshot.process(2);
        let kthreadd = kthreadd.filter(|p| p.first_thread().unwrap().comm == b"kthreadd");
        if let Some(kthreadd) = kthreadd {
            assert!(kthreadd.kthread && kthreadd.exe.is_none() && kthreadd.cmdline.is_empty());
        }
    }

    #[test]
    fn start_of_a_child() {
        let before = anchor().unwrap().mono;
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let after = anchor().unwrap().mono;
        let start = Process::read(child.id()).unwrap().first_thread().unwrap().start;
        child.kill().unwrap();
        child.wait().unwrap();
        const TICK: u64 = 10_000_000;
        assert!(start + 2 * TICK >= before && start <= after + TICK, "{before} {start} {after}");
        assert!(Process::read(child.id()).unwrap_err().is_gone());
    }

    #[test]
    fn real_user_of_a_child() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let uid = Process::read(child.id()).unwrap().uid;
        child.kill().unwrap();
        child.wait().unwrap();
        let own = fs::read("/proc/self/status").unwrap();
        assert_eq!(Some(uid), uid_of_status(&own));
    }
}
