//! A process that is measured: its CPU time, peak memory and end.
//!
//! The standard library reaps a child without asking what it used; hence wait4(2) here, and the few
//! other system calls that a bench needs.
#![expect(unsafe_code, reason = "wait4, kill, clock_gettime, unshare and sched_setaffinity")]

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How long a process may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running process; asked to end, then killed, when dropped.
pub struct Process {
    child: Child,
    /// Just before the process was created, in nanoseconds of CLOCK_MONOTONIC.
    pub began: u64,
    /// What it complains of.
    pub stderr: PathBuf,
    reaped: bool,
}

/// What a process used, with those of its children that it waited for.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Largest resident set, in bytes, of the largest of these processes. It contains mapped files,
    /// and is never below that of this program, which the child was for a moment.
    pub peak: u64,
    pub status: ExitStatus,
}

impl Process {
    /// Starts it; its standard error goes to a file in `folder` for the case that it fails.
    pub fn start(command: &mut Command, folder: &Path) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let name = Path::new(&program).file_name().context("a program has a name")?;
        let stderr = folder.join(name).with_extension("stderr");
        let file = File::create(&stderr).context("cannot create a file for standard error")?;
        command.stderr(file);
        let began = monotonic();
        let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        Ok(Self { child, began, stderr, reaped: false })
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    }

    /// Its standard output, when that is a pipe.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGINT and waits: what it used, and how long it took to end.
    pub fn interrupt(mut self) -> Result<(Usage, Duration)> {
        let asked = Instant::now();
        kill(self.child.id(), libc::SIGINT);
        loop {
            if let Some(usage) = self.reap(libc::WNOHANG)? {
                return Ok((usage, asked.elapsed()));
            }
            if asked.elapsed() > PATIENCE {
                bail!("it does not end after SIGINT");
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Sends SIGTERM, which pgbench heeds where it ignores SIGINT, and waits.
    pub fn terminate(mut self) -> Result<()> {
        kill(self.child.id(), libc::SIGTERM);
        self.reap(0).map(drop)
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<Usage> {
        Ok(self.reap(0)?.expect("wait4 without WNOHANG waits"))
    }

    /// The last lines of its standard error, in one.
    pub fn complaint(&self) -> String {
        complaint(&self.stderr)
    }

    fn reap(&mut self, flags: i32) -> Result<Option<Usage>> {
        use std::os::unix::process::ExitStatusExt;
        let mut status = 0;
        // SAFETY: a rusage is integers, for which zero is a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        let pid = self.child.id() as libc::pid_t;
        // SAFETY: both pointers are to locals that outlive the call.
        let found = unsafe { libc::wait4(pid, &mut status, flags, &mut usage) };
        if found < 0 {
            return Err(io::Error::last_os_error()).context("cannot wait for a process");
        }
        if found == 0 {
            return Ok(None);
        }
        self.reaped = true;
        let time = |time: libc::timeval| {
            Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
        };
        Ok(Some(Usage {
            cpu: time(usage.ru_utime) + time(usage.ru_stime),
            peak: usage.ru_maxrss as u64 * 1024,
            status: ExitStatus::from_raw(status),
        }))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        // A recorder that is killed outright may leave the kernel tracing.
        kill(self.child.id(), libc::SIGINT);
        for _ in 0..500 {
            if !matches!(self.reap(libc::WNOHANG), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        kill(self.child.id(), libc::SIGKILL);
        drop(self.reap(0));
    }
}

/// The last lines of a file of complaints, in one.
pub fn complaint(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Gives this process, and those that it starts, mount points of their own.
pub fn own_mounts() -> io::Result<()> {
    // SAFETY: takes no pointer.
    match unsafe { libc::unshare(libc::CLONE_NEWNS) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps the calling thread on one CPU.
pub fn stay_on_cpu(cpu: usize) -> io::Result<()> {
    keep_on_cpu(0, cpu)
}

/// Keeps a thread on one CPU, and what it starts from now on; 0 is the calling one.
pub fn keep_on_cpu(tid: u32, cpu: usize) -> io::Result<()> {
    // SAFETY: a cpu_set_t is integers, for which zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: CPU_SET writes inside the set; it checks the index.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the pointer is to a local of the size given.
    match unsafe { libc::sched_setaffinity(tid as libc::pid_t, size_of_val(&set), &set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn kill(pid: u32, signal: i32) {
    // SAFETY: takes no pointer; the process is our child and not yet waited for.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}
