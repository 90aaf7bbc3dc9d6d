//! From one segment of a recording to the next.

use super::Session;
use crate::bits::TidSet;
use crate::clock;
use crate::error::Result;
use crate::kernel::{Kernel, Run};
use crate::proc::{self, Anchor};
use crate::recording::{Closing, Opening};
use crate::tasks::run_time;
use ktape_format::schema::{Clock, ProgramRun, TaskRun};

/// At the end of a segment the rings are drained so often at most: in a flood they are never empty.
const MOST_TURNS: usize = 8;

/// So many threads' CPU times are read before the rings are drained: half a millisecond.
const TIMES_PER_TURN: usize = 64;

impl Session<'_> {
    /// Ends a segment and begins the next one. The rings are drained in between: what takes long, the
    /// names of functions, is for the thread that writes.
    pub(super) fn turn_over(&mut self, kernel: &mut Kernel) -> Result<()> {
        let start = clock::now();
        self.walk_samples(kernel)?;
        self.count(kernel, start.mono, true)?;
        let (times, alive) = self.read_run_times(kernel)?;
        for _ in 0..MOST_TURNS {
            if !self.reader.turn(kernel, start.mono)? {
                break;
            }
        }
        let end = clock::now();
        let reader = &mut self.reader;
        times.iter().for_each(|row| reader.tasks.run_time(row, &mut reader.tape));
        let base = reader.settle(kernel, end.mono)?;
        let closing = self.closing(kernel, &end);
        let opening = Opening { start: clock::pair(&start), base };
        let reader = &mut self.reader;
        reader.tape.next_segment(closing, opening)?;
        reader.tape.define(Clock::DESC, &clock::row(&start).encode());
        reader.tasks.bury(&alive, start.mono);
        reader.retell(start.mono);
        times.iter().for_each(|row| reader.tasks.run_time(row, &mut reader.tape));
        self.walk_samples(kernel)
    }

    /// Takes the rows of the iterators that are walked again and again.
    fn walk_samples(&mut self, kernel: &mut Kernel) -> Result<()> {
        for at in 0..self.walks.len() {
            if self.walks[at].every.is_some() {
                self.walk(kernel, self.walks[at].walk)?;
            }
        }
        Ok(())
    }

    /// The CPU times of all threads, and which there are. Of thousands that takes as long as the rings can hold: they are
    /// drained meanwhile.
    fn read_run_times(&mut self, kernel: &mut Kernel) -> Result<(Vec<TaskRun>, TidSet)> {
        let (mut times, mut alive) = (Vec::new(), TidSet::default());
        for tgid in proc::processes() {
            for tid in proc::threads(tgid) {
                alive.insert(tid);
                times.extend(run_time(tid, tgid));
                if times.len().is_multiple_of(TIMES_PER_TURN) {
                    self.reader.turn(kernel, clock::monotonic())?;
                }
            }
        }
        Ok((times, alive))
    }

    /// What the end of a segment tells.
    pub(super) fn closing(&mut self, kernel: &mut Kernel, end: &Anchor) -> Closing {
        let reader = &mut self.reader;
        reader.tape.define(Clock::DESC, &clock::row(end).encode());
        let mut runs = Vec::new();
        for run in kernel.runs() {
            let before = self.runs.insert((run.probe, run.program), run);
            let before = before.as_ref();
            let ran = |run: &Run| run.took.as_nanos() as u64;
            runs.push(ProgramRun {
                time: end.mono,
                runs: run.runs.saturating_sub(before.map_or(0, |before| before.runs)),
                run: ran(&run).saturating_sub(before.map_or(0, ran)),
                missed: run.missed.saturating_sub(before.map_or(0, |before| before.missed)),
                program: reader.tape.text(run.program.as_bytes()),
                probe: reader.tape.text(run.probe.as_bytes()),
            });
        }
        Closing { question: reader.question(kernel), runs, end: end.mono }
    }
}
