//! Where the segments of a recording go: into a file, into one file after another, or into memory.

use crate::error::Result;
use crate::flight::Flight;
use crate::load::Load;
use crate::names::Question;
use crate::reel::Reel;
use crate::summary::DumpCause;
use crate::switched::Switched;
use ktape_format::ClockPair;
use ktape_format::schema::{Loss, ProgramRun};

/// What is told at the end of a segment.
pub(crate) struct Closing {
    /// The frames whose names are wanted.
    pub(crate) question: Question,
    /// What each kernel program did in this segment.
    pub(crate) runs: Vec<ProgramRun>,
    /// Its end on the monotonic clock.
    pub(crate) end: u64,
}

/// How a segment begins.
pub(crate) struct Opening {
    /// When.
    pub(crate) start: ClockPair,
    /// The loss counters by then.
    pub(crate) base: Vec<Loss>,
}

/// The places.
pub(crate) enum Recording {
    /// One file.
    One { reel: Reel, sync: bool },
    /// One after another.
    Switched(Switched),
    /// Memory.
    Flight(Flight),
}

impl Recording {
    /// Takes rows.
    pub(crate) fn load(&mut self, load: &mut Load) -> Result<()> {
        match self {
            Recording::One { reel, .. } => reel.load(load),
            Recording::Switched(files) => {
                files.look_after()?;
                files.reel().load(load)
            }
            Recording::Flight(flight) => flight.load(load),
        }
    }

    /// Finds names, before the end of a segment.
    pub(crate) fn names(&mut self, question: Question) -> Result<()> {
        match self {
            Recording::One { reel, .. } => reel.names(&question),
            Recording::Switched(files) => files.reel().names(&question),
            Recording::Flight(flight) => {
                flight.names(question);
                Ok(())
            }
        }
    }

    /// Ends a segment and begins another.
    pub(crate) fn next(&mut self, closing: Closing, opening: Opening) -> Result<()> {
        match self {
            // Nobody asks for it.
            Recording::One { reel, .. } => reel.closing(&closing),
            Recording::Switched(files) => files.next(closing, opening),
            Recording::Flight(flight) => flight.next(closing, opening),
        }
    }

    /// Ends the last segment.
    pub(crate) fn close(&mut self, closing: Closing) -> Result<()> {
        match self {
            Recording::One { reel, .. } => reel.closing(&closing),
            Recording::Switched(files) => files.close(closing),
            Recording::Flight(flight) => {
                flight.close(closing);
                Ok(())
            }
        }
    }

    /// Writes what is held in memory to a file.
    pub(crate) fn dump(&mut self, cause: DumpCause) -> Result<()> {
        match self {
            Recording::One { .. } | Recording::Switched(_) => Ok(()),
            Recording::Flight(flight) => flight.dump(cause),
        }
    }

    /// Has what was written reach the disk.
    pub(crate) fn sync(&mut self) -> Result<()> {
        match self {
            Recording::One { reel, .. } => reel.sync(),
            Recording::Switched(files) => files.reel().sync(),
            Recording::Flight(_) => Ok(()),
        }
    }

    /// Bytes written so far to all files, or held in memory.
    pub(crate) fn written(&self) -> u64 {
        match self {
            Recording::One { reel, .. } => reel.written(),
            Recording::Switched(files) => files.written(),
            Recording::Flight(flight) => flight.held(),
        }
    }

    /// Bytes of the segment so far.
    pub(crate) fn written_here(&self) -> u64 {
        match self {
            Recording::One { reel, .. } => reel.written(),
            Recording::Switched(files) => files.written_here(),
            Recording::Flight(flight) => flight.written_here(),
        }
    }

    /// Waits until everything is on its way to the disk; gives bytes and files. A file that was not
    /// closed gets no trailer: it does not pass for a finished one.
    pub(crate) fn finish(self, closed: bool) -> Result<(u64, usize)> {
        match self {
            Recording::One { reel, .. } if !closed => Ok((reel.written(), 1)),
            Recording::One { reel, sync } => Ok((reel.finish(sync)?.bytes, 1)),
            Recording::Switched(files) => files.finish(),
            Recording::Flight(flight) => flight.finish(),
        }
    }
}
