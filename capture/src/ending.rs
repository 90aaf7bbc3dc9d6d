//! The end of the launched command, once the trace is whole.

use crate::command::Launched;
use crate::error::Result;
use crate::poll::Poll;
use crate::signals::Signals;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// A Ctrl-C reaches the command as well: its own handler has this long, from the end of the trace
/// on, to end it.
const GRACE: Duration = Duration::from_millis(200);

/// How long a command may take to end before somebody is told.
const PATIENCE: Duration = Duration::from_secs(2);

/// A launched command at the end of its recording. Dropped, it is asked to end and not waited for.
pub struct Ending {
    command: Launched,
    signals: Signals,
    by_signal: bool,
}

impl Ending {
    /// `by_signal`: that is what ended the recording.
    pub(crate) fn new(command: Launched, signals: Signals, by_signal: bool) -> Ending {
        Ending { command, signals, by_signal }
    }

    /// Ends the command and its descendants (SIGTERM) unless it has ended by itself, and waits for
    /// it. Gives its exit status as a shell would; 0 when it is the recorder that ended it.
    ///
    /// One that does not end is never killed: `still_runs` is told its process id, once, after two
    /// seconds, and another signal to this process leaves it running.
    pub fn end(mut self, still_runs: &mut dyn FnMut(u32)) -> Result<i32> {
        let poll = Poll::new()?;
        poll.add(self.command.as_raw_fd())?;
        poll.add(self.signals.as_raw_fd())?;
        let from = Instant::now();
        while self.by_signal && !self.command.has_ended() {
            let Some(left) = GRACE.checked_sub(from.elapsed()) else { break };
            poll.wait(left);
        }
        if self.command.has_ended() {
            return self.command.wait();
        }
        // More than one may have come of one Ctrl-C: timeout(1) sends its own twice.
        self.signals.forget();
        self.command.terminate();
        let from = Instant::now();
        let mut told = false;
        while !self.command.has_ended() {
            if self.signals.pending() {
                self.command.leave();
                return Ok(0);
            }
            if !told && from.elapsed() >= PATIENCE {
                still_runs(self.command.pid);
                told = true;
            }
            poll.wait(PATIENCE.saturating_sub(from.elapsed()).max(Duration::from_millis(100)));
        }
        self.command.wait().map(|_| 0)
    }
}
