//! The thread that encodes, compresses and writes, and the queue to it.
//!
//! The thread that drains the rings does none of that: a chunk takes milliseconds, and a disk can
//! take seconds. When the queue is full it waits; meanwhile the rings fill, and what finds them full
//! is lost and counted by the kernel programs.

use crate::error::{Error, Result};
use crate::load::Load;
use crate::names::Question;
use crate::reel::Reel;
use crate::{cpu_usage, privileges};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Jobs that wait at most. With the load that is being filled and the one that is being written there
/// are never more than four loads, of [`crate::tape::load_bytes`] each.
const WAITING: usize = 2;

/// What is to be done, in this order.
pub(crate) enum Job {
    /// Write rows.
    Load(Load),
    /// Find names and write them.
    Names(Question),
}

/// The thread at work.
pub(crate) struct Writing {
    jobs: Option<SyncSender<Job>>,
    /// Loads that have been written, to be filled again.
    empty: Receiver<Load>,
    state: Arc<State>,
    thread: Option<JoinHandle<Result<Written>>>,
}

/// What the thread has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// CPU time of the thread.
    pub(crate) cpu: Duration,
}

/// What the other thread may know.
#[derive(Default)]
struct State {
    written: AtomicU64,
    failed: AtomicBool,
}

impl Writing {
    /// Starts the thread, which gives up the recorder's privileges first.
    pub(crate) fn start(reel: Reel) -> Result<Writing> {
        let (jobs, to_do) = sync_channel(WAITING);
        let (done, empty) = sync_channel(WAITING + 2);
        let state = Arc::new(State::default());
        state.written.store(reel.written(), Ordering::Relaxed);
        let shared = Arc::clone(&state);
        let work = move || {
            let written =
                privileges::drop_unneeded().and_then(|()| write(reel, &to_do, &done, &shared));
            shared.failed.store(written.is_err(), Ordering::Release);
            written
        };
        let thread = std::thread::Builder::new()
            .name("ktape-write".into())
            .spawn(work)
            .map_err(Error::io("start", "a thread"))?;
        Ok(Writing { jobs: Some(jobs), empty, state, thread: Some(thread) })
    }

    /// Hands over a job; waits while the queue is full. The error is that of the thread, if it has
    /// ended.
    pub(crate) fn send(&mut self, job: Job) -> Result<()> {
        match &self.jobs {
            Some(jobs) if jobs.send(job).is_ok() => Ok(()),
            _ => self.finish().map(|_| ()),
        }
    }

    /// A load to fill, if one has been written.
    pub(crate) fn empty(&self) -> Option<Load> {
        self.empty.try_recv().ok()
    }

    /// The error of the thread, if it has failed.
    pub(crate) fn check(&mut self) -> Result<()> {
        if self.state.failed.load(Ordering::Acquire) { self.finish().map(|_| ()) } else { Ok(()) }
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.state.written.load(Ordering::Relaxed)
    }

    /// Waits until all that was handed over is written, and the trailer.
    pub(crate) fn finish(&mut self) -> Result<Written> {
        self.jobs = None;
        let gone = || Error::Io {
            action: "go on in",
            path: "the thread that writes".into(),
            source: std::io::ErrorKind::Other.into(),
        };
        self.thread.take().ok_or_else(gone)?.join().map_err(|_| gone())?
    }
}

fn write(
    mut reel: Reel,
    jobs: &Receiver<Job>,
    done: &SyncSender<Load>,
    state: &State,
) -> Result<Written> {
    for job in jobs {
        match job {
            Job::Load(mut load) => {
                reel.load(&load)?;
                load.clear();
                // Nobody may want it any more.
                drop(done.try_send(load));
            }
            Job::Names(question) => reel.names(&question)?,
        }
        state.written.store(reel.written(), Ordering::Relaxed);
    }
    let bytes = reel.finish()?.bytes;
    Ok(Written { bytes, cpu: cpu_usage::of_thread() })
}
