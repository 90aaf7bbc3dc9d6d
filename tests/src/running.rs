//! `Running`: a workload that the test talks to.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::workload::workload;

/// A workload that runs beside the test; killed when dropped.
pub struct Running {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a workload.
    pub fn start(name: &str, args: &[&str]) -> Self {
        let mut child = Command::new(workload(name))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the workload runs");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdin, stdout }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its next line, split at blanks.
    pub fn line(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the workload writes text");
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// Lets it go on: a line on its standard input.
    pub fn go_on(&mut self) {
        self.stdin.write_all(b"\n").expect("the workload reads");
    }

    /// Waits until all of its threads sleep, and gives each thread's id and its switches so far
    /// (`/proc/PID/task/TID/status`).
    pub fn asleep(&self) -> Vec<(u32, u64)> {
        loop {
            let before = self.switches();
            std::thread::sleep(std::time::Duration::from_millis(20));
            let after = self.switches();
            if before == after && after.iter().all(|task| task.2) {
                return after.into_iter().map(|(tid, switches, _)| (tid, switches)).collect();
            }
        }
    }

    fn switches(&self) -> Vec<(u32, u64, bool)> {
        let folder = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
        let mut tasks: Vec<_> = folder
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
                let value = |key: &str| {
                    let line = status.lines().find(|line| line.starts_with(key))?;
                    line.split_whitespace().nth(1).map(str::to_owned)
                };
                let count = |key: &str| value(key)?.parse::<u64>().ok();
                let switches =
                    count("voluntary_ctxt_switches")? + count("nonvoluntary_ctxt_switches")?;
                let tid = entry.file_name().to_str()?.parse().ok()?;
                Some((tid, switches, value("State:")? == "S"))
            })
            .collect();
        tasks.sort_unstable();
        tasks
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone, if it came to its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
