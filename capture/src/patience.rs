//! How long the recorder waits for an output that does not go on.

use crate::signals::Count;
use std::time::{Duration, Instant};

/// More than one signal may come of one Ctrl-C: timeout(1) sends its own twice.
const AT_ONCE: Duration = Duration::from_millis(200);

/// The first and the longest pause between two looks at whether it goes on.
const PAUSES: [Duration; 2] = [Duration::from_micros(100), Duration::from_millis(20)];

/// What ends the wait: while it is recorded a signal or the end of the time for it, since the programs
/// are to be detached before anybody waits on; after that another signal.
#[derive(Default)]
pub(crate) struct Patience {
    signals: Option<Count>,
    until: Option<Instant>,
    last: Option<Last>,
}

/// Nothing is recorded any more.
#[derive(Clone, Copy)]
struct Last {
    since: Instant,
    /// Signals that came before, or at once with such.
    known: usize,
}

impl Patience {
    /// While it is recorded.
    pub(crate) fn new(signals: Count, until: Option<Instant>) -> Patience {
        Patience { signals: Some(signals), until, last: None }
    }

    /// Nothing is recorded any more.
    pub(crate) fn begin_last(&mut self) {
        let known = self.count();
        self.last.get_or_insert(Last { since: Instant::now(), known });
    }

    /// Whether nothing is recorded any more.
    pub(crate) fn is_last(&self) -> bool {
        self.last.is_some()
    }

    /// Whether to wait no longer.
    pub(crate) fn is_over(&mut self) -> bool {
        let count = self.count();
        let Some(last) = &mut self.last else {
            return count > 0 || self.until.is_some_and(|until| Instant::now() >= until);
        };
        // The first one asks for the end, which has come.
        if last.known == 0 && count > 0 {
            *last = Last { since: Instant::now(), known: count };
        }
        if last.since.elapsed() < AT_ONCE {
            last.known = count;
        }
        count > last.known
    }

    fn count(&self) -> usize {
        self.signals.as_ref().map_or(0, Count::get)
    }
}

/// Pauses that grow.
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Pauses {
        Pauses(PAUSES[0])
    }

    pub(crate) fn pause(&mut self) {
        std::thread::sleep(self.0);
        self.0 = (2 * self.0).min(PAUSES[1]);
    }
}
