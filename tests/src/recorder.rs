//! `Recorder`: a `ktape record` that runs beside the test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use crate::binary::ktape;
use crate::ran::Ran;

/// A folder of one test's files, removed at its end.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// An empty one.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs `ktape record ARGS -o TRACE -- COMMAND` to its end.
pub fn record(trace: &Path, args: &[&str], command: &[&str]) -> Ran {
    let mut run = Command::new(ktape());
    run.arg("record").args(args).arg("-o").arg(trace);
    if !command.is_empty() {
        run.arg("--").args(command);
    }
    Ran::of(&mut run, &[])
}

/// A running recorder; killed when dropped.
pub struct Recorder {
    child: Child,
}

/// How a recorder ended.
pub struct Stopped {
    /// As a shell gives it.
    pub code: i32,
    /// What it wrote to standard error.
    pub stderr: String,
    /// From the signal to the end of the process.
    pub took: Duration,
}

impl Recorder {
    /// Starts `ktape record ARGS -o TRACE` and waits until its probes are attached.
    #[track_caller]
    pub fn start(trace: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(ktape());
        command.arg("record").args(args).arg("-o").arg(trace);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ktape runs");
        let mut recorder = Self { child };
        let began = Instant::now();
        // The header is written after the probes are attached.
        while !trace.metadata().is_ok_and(|file| file.len() > 0) {
            if recorder.child.try_wait().expect("our child").is_some() {
                panic!("the recorder ended early: {}", recorder.stop(libc::SIGINT).stderr);
            }
            assert!(began.elapsed() < Duration::from_secs(20), "the recorder does not start");
            std::thread::sleep(Duration::from_millis(2));
        }
        recorder
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal and waits for its end.
    pub fn stop(mut self, signal: i32) -> Stopped {
        let began = Instant::now();
        send(self.child.id(), signal);
        self.end(began)
    }

    /// Waits until it ends by itself.
    pub fn wait(mut self) -> Stopped {
        self.end(Instant::now())
    }

    fn end(&mut self, began: Instant) -> Stopped {
        use std::os::unix::process::ExitStatusExt;
        let mut stderr = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("UTF-8");
        let status = self.child.wait().expect("our child");
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Stopped { code, stderr, took: began.elapsed() }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Already gone, unless the test panicked.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running recorder that keeps the last moments in memory; killed when dropped.
pub struct Holding {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// What it wrote to standard error so far.
    text: String,
}

impl Holding {
    /// Starts `ktape record ARGS -o TRACE` and waits until it says that it keeps something.
    #[track_caller]
    pub fn start(trace: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(ktape());
        command.arg("record").args(args).arg("-o").arg(trace);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("ktape runs");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut holding = Self { child, stderr, text: String::new() };
        holding.told(|line| line.contains("kill -USR2"));
        holding
    }

    /// Sends it a signal.
    pub fn send(&self, signal: i32) {
        send(self.child.id(), signal);
    }

    /// Waits for a line on standard error.
    #[track_caller]
    pub fn told(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).expect("UTF-8");
            assert!(read > 0, "it ended: {}", self.text);
            self.text.push_str(&line);
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Waits for its end; gives its exit code and all of standard error.
    pub fn end(mut self) -> (i32, String) {
        self.stderr.read_to_string(&mut self.text).expect("UTF-8");
        let status = self.child.wait().expect("our child");
        (status.code().unwrap_or(-1), std::mem::take(&mut self.text))
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        // Already gone, unless the test panicked.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that this test started.
#[expect(unsafe_code, reason = "kill(2)")]
pub fn send(pid: u32, signal: i32) {
    // SAFETY: a plain system call without pointers.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}
