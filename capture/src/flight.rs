//! The last moments of a recording, in memory (`--overwrite`).
//!
//! They are kept as segments of encoded chunks, each of which defines all that its facts name, so that
//! the oldest can be dropped whole. A dump is the segments one after another: an ordinary trace.

use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::load::Load;
use crate::made::Made;
use crate::names::Question;
use crate::options::Output;
use crate::output::{Sink, create, sync_folder};
use crate::privileges;
use crate::recording::{Closing, Opening};
use crate::reel::Reel;
use crate::stamp::stamped;
use crate::summary::{DumpCause, News};
use crate::switched::{Making, gone};
use ktape_format::schema::{Loss, ProgramRun};
use ktape_format::{ChunkInfo, Meta, Trace};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// A segment that is whole.
struct Segment {
    /// Its chunks, as they will lie in the file.
    chunks: Vec<(ChunkInfo, Box<[u8]>)>,
    /// Loss counters, from the start of the recording.
    losses: Vec<Loss>,
    questions: Vec<Question>,
    runs: Vec<ProgramRun>,
    opening: Opening,
    end: u64,
    /// What all this takes in memory.
    bytes: u64,
}

/// The segment that is being recorded.
struct Current {
    reel: Reel,
    losses: Vec<Loss>,
    questions: Vec<Question>,
    opening: Opening,
}

/// A dump that is being written.
struct Dumping {
    thread: JoinHandle<Result<u64>>,
    path: PathBuf,
    identity: Option<Identity>,
}

/// What is kept.
pub(crate) struct Flight {
    making: Making,
    /// The last moments that a dump is to have.
    time: Duration,
    /// The most that segments may take.
    budget: u64,
    current: Option<Current>,
    past: VecDeque<Arc<Segment>>,
    /// Dropped here, but a dump is not done with them.
    leaving: Vec<Weak<Segment>>,
    /// The first segment of the recording was dropped.
    dropped: bool,
    dumping: Option<Dumping>,
    dumped: Made,
    written: u64,
    files: usize,
}

/// Segments that the time and the room for it are cut into: a dump has an eighth more than it must,
/// and each defines its tasks and stacks again.
pub(crate) const SEGMENTS: u32 = 8;

impl Flight {
    /// Keeps so much time in at most so many bytes.
    pub(crate) fn new(making: Making, time: Duration, budget: u64) -> Result<Flight> {
        let opening = Opening { start: making.meta.start, base: Vec::new() };
        let current = Some(begin(&making, opening)?);
        let dumped = Made::new(making.keep);
        Ok(Flight {
            making,
            time,
            budget,
            current,
            past: VecDeque::new(),
            leaving: Vec::new(),
            dropped: false,
            dumping: None,
            dumped,
            written: 0,
            files: 0,
        })
    }

    /// Takes rows.
    pub(crate) fn load(&mut self, load: &mut Load) -> Result<()> {
        if let Some(current) = &mut self.current {
            current.losses.append(&mut load.losses);
            current.reel.load(load)?;
        }
        self.make_room();
        if self.dumping.as_ref().is_some_and(|dumping| dumping.thread.is_finished()) {
            self.wait();
        }
        Ok(())
    }

    /// Takes a question that is answered when there is a dump.
    pub(crate) fn names(&mut self, question: Question) {
        if let Some(current) = &mut self.current {
            current.questions.push(question);
        }
    }

    /// Ends the segment.
    pub(crate) fn close(&mut self, closing: Closing) {
        let Some(Current { reel, losses, mut questions, opening }) = self.current.take() else {
            return;
        };
        questions.push(closing.question);
        let chunks = reel.into_chunks();
        let bytes = chunks.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
            + size_of_val(chunks.as_slice())
            + size_of_val(losses.as_slice())
            + size_of_val(closing.runs.as_slice())
            + questions.iter().map(Question::bytes).sum::<usize>();
        let Closing { runs, end, .. } = closing;
        let bytes = bytes as u64;
        self.past.push_back(Arc::new(Segment {
            chunks,
            losses,
            questions,
            runs,
            opening,
            end,
            bytes,
        }));
        // A dump may follow at once.
        self.leaving.retain(|segment| segment.strong_count() > 0);
        self.make_room_but(1);
    }

    /// Ends the segment and begins another.
    pub(crate) fn next(&mut self, closing: Closing, opening: Opening) -> Result<()> {
        let from = opening.start.mono.saturating_sub(self.time.as_nanos() as u64);
        self.close(closing);
        // The oldest is not needed when those after it are enough.
        while self.past.get(1).is_some_and(|second| second.opening.start.mono <= from) {
            self.drop_oldest();
        }
        self.current = Some(begin(&self.making, opening)?);
        Ok(())
    }

    /// Bytes in memory, with what a dump has not written yet.
    pub(crate) fn held(&self) -> u64 {
        let leaving = self.leaving.iter().filter_map(Weak::upgrade).map(|segment| segment.bytes);
        let past = self.past.iter().map(|segment| segment.bytes);
        self.written_here() + leaving.chain(past).sum::<u64>()
    }

    /// Bytes of the segment so far.
    pub(crate) fn written_here(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| {
            current.reel.written() + size_of_val(current.losses.as_slice()) as u64
        })
    }

    fn make_room(&mut self) {
        self.leaving.retain(|segment| segment.strong_count() > 0);
        self.make_room_but(0);
    }

    /// Drops the oldest segments while there is too much, but not the last ones.
    fn make_room_but(&mut self, kept: usize) {
        while self.held() > self.budget && self.past.len() > kept {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.past.pop_front() {
            self.dropped = true;
            self.leaving.push(Arc::downgrade(&oldest));
            drop(oldest);
            self.leaving.retain(|segment| segment.strong_count() > 0);
        }
    }

    /// Writes all segments that are whole to a file: at the end to the one that was asked for, else to
    /// `NAME.TIME`, and by a thread of its own. That one may fail: the recording goes on.
    pub(crate) fn dump(&mut self, cause: DumpCause) -> Result<()> {
        if cause == DumpCause::End {
            self.wait();
            let path = self.making.path.clone();
            let Some(dump) = self.taken(path.clone(), cause) else { return self.no_segment() };
            let sink = Sink::open(&Output::File(path.clone()))?;
            if self.making.sync {
                sync_folder(&path)?;
            }
            let identity = Identity::of_name(&path);
            match dump.write(sink) {
                Ok(bytes) => self.written += bytes,
                Err(error) => {
                    remove_if_empty(&path, identity);
                    return Err(error);
                }
            }
            self.files += 1;
            return Ok(());
        }
        if self.dumping.as_ref().is_some_and(|dumping| !dumping.thread.is_finished()) {
            return self.no_dump("the previous dump is still being written".into());
        }
        self.wait();
        let path = stamped(&self.making.path);
        let Some(dump) = self.taken(path.clone(), cause) else { return self.no_segment() };
        let file = match create(&path) {
            Ok(file) => file,
            Err(error) => return self.no_dump(crate::error::chain(&error)),
        };
        let identity = Identity::of_file(&file);
        let news = self.making.news.clone();
        let write = move || {
            // It reads files of other users' processes.
            let written = privileges::drop_unneeded().and_then(|()| dump.write(Sink::File(file)));
            if let Err(error) = &written {
                drop(news.send(News::NoDump(crate::error::chain(error))));
            }
            written
        };
        let thread = std::thread::Builder::new().name("ktape-dump".into()).spawn(write);
        let thread = thread.map_err(Error::io("start", "a thread"))?;
        self.dumping = Some(Dumping { thread, path, identity });
        Ok(())
    }

    fn no_segment(&self) -> Result<()> {
        self.no_dump("there was no room for one segment: give --overwrite more".into())
    }

    fn no_dump(&self, why: String) -> Result<()> {
        // Nobody may listen any more.
        drop(self.making.news.send(News::NoDump(why)));
        Ok(())
    }

    /// The segments for a dump; `None` when there is none.
    fn taken(&self, path: PathBuf, cause: DumpCause) -> Option<Dump> {
        let (first, last) = (self.past.front()?, self.past.back()?);
        let span = Duration::from_nanos(last.end.saturating_sub(first.opening.start.mono));
        let short = self.dropped && span < self.time;
        let segments = self.past.clone();
        Some(Dump { segments, making: self.making.clone(), path, cause, span, short })
    }

    fn wait(&mut self) {
        let Some(Dumping { thread, path, identity }) = self.dumping.take() else { return };
        match thread.join() {
            Ok(Err(_)) => remove_if_empty(&path, identity),
            Ok(Ok(bytes)) => {
                self.written += bytes;
                self.files += 1;
                self.dumped.add(path, identity);
            }
            Err(_) => {
                let why = crate::error::chain(&gone("the thread that writes a dump"));
                drop(self.making.news.send(News::NoDump(why)));
            }
        }
    }

    /// Waits for a dump that is being written; gives bytes and files of all dumps.
    pub(crate) fn finish(mut self) -> Result<(u64, usize)> {
        self.wait();
        Ok((self.written, self.files))
    }
}

fn begin(making: &Making, opening: Opening) -> Result<Current> {
    let meta = Meta { start: opening.start, ..making.meta.clone() };
    let reel =
        Reel::new(Sink::Memory(Vec::new()), Path::new("(memory)").into(), meta, making.level)?;
    Ok(Current { reel, losses: Vec::new(), questions: Vec::new(), opening })
}

/// A dump on its way.
struct Dump {
    segments: VecDeque<Arc<Segment>>,
    making: Making,
    path: PathBuf,
    cause: DumpCause,
    span: Duration,
    short: bool,
}

impl Dump {
    /// Writes it; lets go of each segment as it is written.
    fn write(self, sink: Sink) -> Result<u64> {
        self.write_all(sink).map_err(|error| match error {
            Error::Write { path, source } => Error::Dump { path, source },
            other => other,
        })
    }

    fn write_all(mut self, sink: Sink) -> Result<u64> {
        let Making { meta, level, sync, news, .. } = self.making;
        let Some(first) = self.segments.front() else { return Ok(0) };
        let meta = Meta { start: first.opening.start, ..meta };
        let mut reel = Reel::new(sink, self.path.clone(), meta, level)?;
        reel.set_base(&first.opening.base);
        let question =
            Question::all_of(self.segments.iter().flat_map(|segment| &segment.questions));
        let runs = sum(self.segments.iter().flat_map(|segment| &segment.runs));
        while let Some(segment) = self.segments.pop_front() {
            for (info, bytes) in &segment.chunks {
                reel.copy(info, bytes)?;
            }
            reel.losses(&segment.losses)?;
        }
        reel.definitions(ProgramRun::DESC, &runs)?;
        reel.names(&question)?;
        let bytes = reel.finish(sync)?.bytes;
        let Dump { path, cause, span, short, .. } = self;
        // Nobody may listen any more.
        drop(news.send(News::File { path, bytes, span, cause: Some(cause), short }));
        Ok(bytes)
    }
}

/// Removes what is left of a dump that failed, unless it holds something or is another file by now.
fn remove_if_empty(path: &Path, identity: Option<Identity>) {
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_file || Identity::of_name(path) != identity {
        return;
    }
    if Trace::open(path).map_or(true, |trace| trace.chunks().is_empty()) {
        std::fs::remove_file(path).ok();
    }
}

/// What each program did in all segments, as rows.
fn sum<'a>(runs: impl Iterator<Item = &'a ProgramRun>) -> Vec<u8> {
    let mut sums: BTreeMap<(u32, u32), ProgramRun> = BTreeMap::new();
    for run in runs {
        let sum = sums.entry((run.probe, run.program)).or_insert(ProgramRun {
            runs: 0,
            run: 0,
            missed: 0,
            ..*run
        });
        sum.time = sum.time.max(run.time);
        sum.runs += run.runs;
        sum.run += run.run;
        sum.missed += run.missed;
    }
    sums.values().flat_map(ProgramRun::encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    /// One that has room for nothing, in an empty folder.
    fn flight(folder: &Path) -> (Flight, Receiver<News>) {
        let (news, told) = channel();
        let (path, meta) = (folder.join("t.ktape"), Meta::default());
        let making = Making { path, meta, level: 1, sync: false, keep: None, news };
        (Flight::new(making, Duration::from_secs(1), 0).expect("memory"), told)
    }

    fn closing() -> Closing {
        Closing { question: Question::all_of(std::iter::empty()), runs: Vec::new(), end: 0 }
    }

    #[test]
    fn a_dump_has_the_last_segment_at_least() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut flight, told) = flight(folder.path());
        flight.close(closing());
        flight.dump(DumpCause::Signal).expect("a dump");
        assert_eq!(flight.finish().expect("written").1, 1);
        assert!(matches!(told.try_recv(), Ok(News::File { .. })));
    }

    #[test]
    fn a_dump_of_nothing_leaves_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut flight, told) = flight(folder.path());
        for cause in [DumpCause::Signal, DumpCause::End] {
            flight.dump(cause).expect("none");
            let told = told.try_recv();
            assert!(matches!(&told, Ok(News::NoDump(why)) if why.contains("room")), "{told:?}");
        }
        assert_eq!(folder.path().read_dir().expect("a folder").count(), 0);
    }

    #[test]
    fn what_is_left_of_a_failed_dump_goes_unless_it_holds_something() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.ktape");
        std::fs::write(&path, "").expect("a file");
        remove_if_empty(&path, None);
        assert!(path.exists(), "not ours");
        remove_if_empty(&path, Identity::of_name(&path));
        assert!(!path.exists());
    }
}
