//! `Launch`: a recorder that runs a command, both in a process group of their own, as a shell with
//! job control starts them.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use ktape_tests::binary::ktape;
use ktape_tests::recorder::send;

/// A running `ktape record ARGS -o TRACE -- COMMAND`; killed with its command when dropped.
pub(crate) struct Launch {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    said: String,
    running: bool,
}

impl Launch {
    /// Starts it.
    pub(crate) fn start(trace: &Path, args: &[&str], command: &[&str]) -> Self {
        let mut run = Command::new(ktape());
        run.arg("record").args(args).arg("-o").arg(trace).arg("--").args(command);
        run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = run.spawn().expect("ktape runs");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, stdout, stderr, said: String::new(), running: true }
    }

    /// Waits for the next line of the command: it runs, then.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    /// Reads what the recorder says until a line contains this; gives all that it has said.
    #[track_caller]
    pub(crate) fn says(&mut self, part: &str) -> &str {
        let from = self.said.len();
        while !self.said[from..].contains(part) {
            let read = self.stderr.read_line(&mut self.said).expect("text");
            assert!(read > 0, "{part} is not in: {}", self.said);
        }
        &self.said
    }

    /// Presses Ctrl-C: a SIGINT to the recorder and its command.
    pub(crate) fn ctrl_c(&self) {
        let group = i32::try_from(self.child.id()).expect("a process id");
        kill(-group, libc::SIGINT);
    }

    /// Sends a signal to the recorder alone.
    pub(crate) fn signal(&self, signal: i32) {
        send(self.child.id(), signal);
    }

    /// Waits for its end; gives its exit status as a shell has it and all that it said.
    pub(crate) fn end(mut self) -> (i32, String) {
        // Not to the end of the pipe: a command that is left running holds it open.
        let status = self.child.wait().expect("our child");
        self.running = false;
        (
            status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            std::mem::take(&mut self.said),
        )
    }

    /// As [`Launch::end`], with the rest of what it says, for a command that ends as well.
    pub(crate) fn end_of_both(mut self) -> (i32, String) {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).expect("text");
        self.said.push_str(&rest);
        self.end()
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        if self.running {
            // Nobody has waited for the recorder yet, so that the group's number is its own.
            kill(-i32::try_from(self.child.id()).expect("a process id"), libc::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

#[expect(unsafe_code, reason = "kill(2)")]
fn kill(to: i32, signal: i32) {
    // SAFETY: a plain system call without pointers.
    unsafe { libc::kill(to, signal) };
}
