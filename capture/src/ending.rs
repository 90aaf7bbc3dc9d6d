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
    cause: Cause,
}

/// What ended the recording, as far as the command is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A signal.
    Signal,
    /// What the user asked for: it is the command's end as well.
    Recorder,
    /// A limit or a failure of the recorder's own, which must not cost the command anything.
    Other,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself; its exit status as a shell would give it.
    Itself(i32),
    /// It was asked to.
    Asked,
    /// It still runs.
    Left,
}

impl Ending {
    pub(crate) fn new(command: Launched, signals: Signals, cause: Cause) -> Ending {
        Ending { command, signals, cause }
    }

    /// Waits for the command, after asking it and its descendants to end (SIGTERM) if -d or a signal
    /// ended the recording and it has not ended by itself.
    ///
    /// One that does not end is never killed: `still_runs` is told its process id, once, after two
    /// seconds, and another signal to this process leaves it running.
    pub fn end(mut self, still_runs: &mut dyn FnMut(u32)) -> Result<Ended> {
        let poll = Poll::new()?;
        poll.add(self.command.as_raw_fd())?;
        poll.add(self.signals.as_raw_fd())?;
        let from = Instant::now();
        while self.cause == Cause::Signal && !self.command.has_ended() {
            let Some(left) = GRACE.checked_sub(from.elapsed()) else { break };
            poll.wait(left);
        }
        if self.command.has_ended() {
            return self.command.wait().map(Ended::Itself);
        }
        // More than one may have come of one Ctrl-C: timeout(1) sends its own twice.
        self.signals.forget();
        let asked = self.cause != Cause::Other;
        if asked {
            self.command.terminate();
        }
        let from = Instant::now();
        let mut told = false;
        while !self.command.has_ended() {
            if self.signals.pending() {
                self.command.leave();
                return Ok(Ended::Left);
            }
            if !told && from.elapsed() >= PATIENCE {
                still_runs(self.command.pid);
                told = true;
            }
            poll.wait(PATIENCE.saturating_sub(from.elapsed()).max(Duration::from_millis(100)));
        }
        let status = self.command.wait()?;
        Ok(if asked { Ended::Asked } else { Ended::Itself(status) })
    }
}
