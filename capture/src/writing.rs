//! The thread that encodes, compresses and writes, and the queue to it.
//!
//! The thread that drains the rings does none of that: a chunk takes milliseconds, and a disk can
//! take seconds. When the queue is full it waits; meanwhile the rings fill, and what finds them full
//! is lost and counted by the kernel programs.

use crate::error::{Error, Result};
use crate::load::Load;
use crate::names::Question;
use crate::patience::{Patience, Pauses};
use crate::recording::{Closing, Opening, Recording};
use crate::summary::{DumpCause, News};
use crate::{cpu_usage, privileges, switched};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Jobs that wait at most. With the load that is being filled and the one that is being written there
/// are never more than four loads, of [`crate::tape::load_bytes`] each.
const WAITING: usize = 2;

/// What is to be done, in this order.
pub(crate) enum Job {
    /// Write rows.
    Load(Load),
    /// Find names and write them.
    Names(Question),
    /// End the segment and begin another.
    Next(Closing, Opening),
    /// End the last segment.
    Close(Closing),
    /// Write what is held in memory to a file.
    Dump(DumpCause),
}

/// The thread at work.
pub(crate) struct Writing {
    jobs: Option<SyncSender<Job>>,
    /// Those that found the queue full once nobody waited any more: what the end of a recording makes.
    late: VecDeque<Job>,
    patience: Patience,
    /// Loads that have been written, to be filled again.
    empty: Receiver<Load>,
    news: Receiver<News>,
    state: Arc<State>,
    thread: Option<JoinHandle<Result<Written>>>,
}

/// What the thread has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// How many there are.
    pub(crate) files: usize,
    /// CPU time of the thread, without the names and the end of the last file.
    pub(crate) cpu: Duration,
}

/// What the other thread may know.
#[derive(Default)]
struct State {
    written: AtomicU64,
    here: AtomicU64,
    /// The segment that this is of.
    segment: AtomicU32,
    failed: AtomicBool,
}

impl Writing {
    /// Starts the thread, which gives up the recorder's privileges first. `news` is where the
    /// recording tells of its files. `sync`: what is secured is to reach the disk, this often.
    pub(crate) fn start(
        recording: Recording,
        news: Receiver<News>,
        sync: Option<Duration>,
    ) -> Result<Writing> {
        let (jobs, to_do) = sync_channel(WAITING);
        let (done, empty) = sync_channel(WAITING + 2);
        let state = Arc::new(State::default());
        state.note(&recording);
        let shared = Arc::clone(&state);
        let work = move || {
            let dropped = match &recording {
                Recording::One { .. } => privileges::drop_unneeded(),
                Recording::Switched(_) | Recording::Flight(_) => privileges::keep_for_files(),
            };
            let written = dropped.and_then(|()| write(recording, sync, &to_do, &done, &shared));
            shared.failed.store(written.is_err(), Ordering::Release);
            written
        };
        let thread = std::thread::Builder::new()
            .name("ktape-write".into())
            .spawn(work)
            .map_err(Error::io("start", "a thread"))?;
        let (jobs, thread) = (Some(jobs), Some(thread));
        let (late, patience) = (VecDeque::new(), Patience::default());
        Ok(Writing { jobs, late, patience, empty, news, state, thread })
    }

    /// Waits no longer than that for a full queue from now on.
    pub(crate) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// Nothing is recorded any more: waits until it is told to give up.
    pub(crate) fn begin_last(&mut self) {
        self.patience.begin_last();
    }

    /// Hands over a job; waits while the queue is full. Once that has taken too long while it is
    /// recorded, keeps it for the next call. The error is that of the thread, if it has ended.
    pub(crate) fn send(&mut self, job: Job) -> Result<()> {
        self.late.push_back(job);
        let mut pauses = Pauses::new();
        while !self.hand_over()? {
            if self.patience.is_over() {
                return if self.patience.is_last() { self.give_up() } else { Ok(()) };
            }
            pauses.pause();
        }
        Ok(())
    }

    /// Leaves the thread alone, which waits in a system call.
    fn give_up<T>(&mut self) -> Result<T> {
        self.late.clear();
        self.jobs = None;
        self.thread = None;
        Err(Error::GivenUp)
    }

    /// Puts into the queue what it has room for; whether that was all.
    fn hand_over(&mut self) -> Result<bool> {
        while let Some(job) = self.late.pop_front() {
            let sent = match &self.jobs {
                Some(jobs) => jobs.try_send(job),
                None => Err(TrySendError::Disconnected(job)),
            };
            match sent {
                Ok(()) => {}
                Err(TrySendError::Full(job)) => {
                    self.late.push_front(job);
                    return Ok(false);
                }
                Err(TrySendError::Disconnected(_)) => {
                    self.late.clear();
                    return self.join().map(|_| true);
                }
            }
        }
        Ok(true)
    }

    /// A load to fill, if one has been written.
    pub(crate) fn empty(&self) -> Option<Load> {
        self.empty.try_recv().ok()
    }

    /// The error of the thread, if it has failed.
    pub(crate) fn check(&mut self) -> Result<()> {
        if self.state.failed.load(Ordering::Acquire) { self.join().map(|_| ()) } else { Ok(()) }
    }

    /// Bytes written so far, of all files.
    pub(crate) fn written(&self) -> u64 {
        self.state.written.load(Ordering::Relaxed)
    }

    /// Bytes of a segment; 0 while none of it is written.
    pub(crate) fn written_here(&self, segment: u32) -> u64 {
        match self.state.segment.load(Ordering::Acquire) == segment {
            true => self.state.here.load(Ordering::Relaxed),
            false => 0,
        }
    }

    /// What the recording has to tell.
    pub(crate) fn news(&self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// Waits until all that was handed over is written, and the trailer; a second signal gives that up.
    pub(crate) fn finish(&mut self) -> Result<Written> {
        self.begin_last();
        let mut pauses = Pauses::new();
        loop {
            if self.hand_over()? {
                self.jobs = None;
            }
            if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                return self.join();
            }
            if self.patience.is_over() {
                return self.give_up();
            }
            pauses.pause();
        }
    }

    /// What the thread came to, which has ended or is about to.
    fn join(&mut self) -> Result<Written> {
        self.jobs = None;
        let gone = || switched::gone("the thread that writes");
        self.thread.take().ok_or_else(gone)?.join().map_err(|_| gone())?
    }
}

impl State {
    fn note(&self, recording: &Recording) {
        self.written.store(recording.written(), Ordering::Relaxed);
        self.here.store(recording.written_here(), Ordering::Relaxed);
    }
}

fn write(
    mut recording: Recording,
    sync: Option<Duration>,
    jobs: &Receiver<Job>,
    done: &SyncSender<Load>,
    state: &State,
) -> Result<Written> {
    let mut synced = Instant::now();
    let mut cpu = None;
    for job in jobs {
        match job {
            Job::Load(mut load) => {
                recording.load(&mut load)?;
                if load.secured && sync.is_some_and(|every| synced.elapsed() >= every) {
                    recording.sync()?;
                    synced = Instant::now();
                }
                load.clear();
                // Nobody may want it any more.
                drop(done.try_send(load));
            }
            Job::Names(question) => recording.names(question)?,
            Job::Next(closing, opening) => {
                recording.next(closing, opening)?;
                state.note(&recording);
                state.segment.fetch_add(1, Ordering::Release);
            }
            Job::Close(closing) => {
                cpu = Some(cpu_usage::of_thread());
                recording.close(closing)?;
            }
            Job::Dump(cause) => recording.dump(cause)?,
        }
        state.note(&recording);
    }
    let (bytes, files) = recording.finish(cpu.is_some())?;
    Ok(Written { bytes, files, cpu: cpu.unwrap_or_else(cpu_usage::of_thread) })
}
