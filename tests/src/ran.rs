//! `Ran`: a program that was run to its end, with a time limit.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::binary::ktape;

/// No command of these tests takes longer on a machine that works.
const LIMIT: Duration = Duration::from_secs(300);

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Ran {
    /// Runs a command with `input` on its standard input; panics when it takes over five minutes.
    pub fn of(command: &mut Command, input: &[u8]) -> Self {
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let mut stdin = child.stdin.take().expect("a pipe");
        let (mut stdout, mut stderr) =
            (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = std::thread::scope(|scope| {
            // A reader that does not want it all is no error here.
            scope.spawn(move || stdin.write_all(input));
            scope.spawn(|| stdout.read_to_end(&mut out));
            scope.spawn(|| stderr.read_to_end(&mut err));
            loop {
                if let Some(status) = child.try_wait().expect("our child") {
                    break status;
                }
                if began.elapsed() > LIMIT {
                    child.kill().expect("our child");
                    panic!("{command:?} did not end within {LIMIT:?}");
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let stderr = String::from_utf8_lossy(&err).into_owned();
        Self { status, stdout: out, stderr, elapsed: began.elapsed() }
    }

    /// Runs `ktape` with these arguments.
    pub fn ktape(args: &[&str]) -> Self {
        Self::of(Command::new(ktape()).args(args), &[])
    }

    /// Runs `ktape` with these arguments on a trace: `-i TRACE`.
    pub fn on(trace: &Path, args: &[&str]) -> Self {
        Self::of(Command::new(ktape()).args(args).arg("-i").arg(trace), &[])
    }

    /// The exit code, or 128 + the signal that ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("ktape writes UTF-8")
    }

    /// Itself, when it ended with this code; panics with what it said otherwise.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(
            self.code() == code,
            "exit code {}, not {code}; stderr:\n{}stdout:\n{}",
            self.code(),
            self.stderr,
            String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(2000)])
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).expect("JSON")
    }
}
