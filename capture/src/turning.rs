//! When a segment ends, and when the last ones are dumped.

use crate::error::Result;
use crate::flight::SEGMENTS;
use crate::options::{Files, Overwrite, Switch};
use crate::signals::Request;
use crate::stall::Stall;
use crate::summary::DumpCause;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

/// A segment is at least this long unless somebody asks: each defines the host's tasks anew.
const LEAST: Duration = Duration::from_millis(100);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing.
    Nothing,
    /// The segment ends, and another begins.
    Next,
    /// The same, and what is held is dumped.
    Dump(DumpCause),
}

/// Watches over the segments of a recording.
pub(crate) struct Turning {
    files: Files,
    request: Option<Request>,
    /// When the segment began.
    since: Instant,
    /// When the last dump for a stall was.
    stalled: Option<Instant>,
}

impl Turning {
    /// Catches SIGUSR2 from now on, if it means anything.
    pub(crate) fn new(files: &Files) -> Result<Turning> {
        let request = (*files != Files::One).then(Request::watch).transpose()?;
        Ok(Turning { files: files.clone(), request, since: Instant::now(), stalled: None })
    }

    /// The first segment begins: what came before took its time.
    pub(crate) fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// Whether there is more than one segment.
    pub(crate) fn has_segments(&self) -> bool {
        self.files != Files::One
    }

    /// What wakes the recorder.
    pub(crate) fn fd(&self) -> Option<RawFd> {
        self.request.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// What is due, with so many bytes in this segment, and after such a stall.
    pub(crate) fn due(&mut self, bytes: u64, stall: Option<Stall>) -> Due {
        let asked = self.request.as_mut().is_some_and(Request::take);
        let age = self.since.elapsed();
        let due = match &self.files {
            Files::One => Due::Nothing,
            Files::Switched { at, .. } => match *at {
                _ if asked => Due::Next,
                Some(Switch::Size(size)) if bytes >= size && age >= LEAST => Due::Next,
                Some(Switch::Time(time)) if age >= time => Due::Next,
                _ => Due::Nothing,
            },
            Files::Overwritten(_) if asked => Due::Dump(DumpCause::Signal),
            Files::Overwritten(Overwrite { time, bytes: budget, .. }) => {
                // The next one would hold much of what this one does.
                let again = self.stalled.is_none_or(|stalled| stalled.elapsed() >= *time);
                match stall.filter(|_| again) {
                    Some(Stall { duration, tid }) => {
                        self.stalled = Some(Instant::now());
                        let duration = Duration::from_nanos(duration);
                        Due::Dump(DumpCause::Stall { duration, tid })
                    }
                    None if age < LEAST => Due::Nothing,
                    None if age >= *time / SEGMENTS => Due::Next,
                    None if bytes >= budget / u64::from(SEGMENTS) => Due::Next,
                    None => Due::Nothing,
                }
            }
        };
        if due != Due::Nothing {
            self.since = Instant::now();
        }
        due
    }

    /// Whether there is a dump at the end. `succeeded`: what became of the command, if it has ended.
    pub(crate) fn dumps_at_end(&self, succeeded: Option<bool>) -> bool {
        match &self.files {
            Files::One | Files::Switched { .. } => false,
            Files::Overwritten(overwrite) => overwrite.at_end || succeeded != Some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segment_begins_with_the_recording() {
        let at = Some(Switch::Time(Duration::from_millis(300)));
        let mut turning = Turning::new(&Files::Switched { at, keep: None }).expect("signals");
        std::thread::sleep(Duration::from_millis(350));
        assert_eq!(turning.due(0, None), Due::Next, "a wait counts");
        std::thread::sleep(Duration::from_millis(350));
        turning.begin();
        assert_eq!(turning.due(0, None), Due::Nothing);
    }
}
