//! One file after another (`--switch-output`).
//!
//! The file that is being written has the name that was asked for; when it is whole it is called
//! `NAME.TIME`, as perf does. Its names and trailer are written by a thread of their own, while the
//! next file is being recorded.

use crate::error::{Error, Result};
use crate::output::{Sink, create, sync_folder};
use crate::recording::{Closing, Opening};
use crate::reel::Reel;
use crate::stamp::stamped;
use crate::summary::News;
use ktape_format::Meta;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

/// How files are made.
#[derive(Clone)]
pub(crate) struct Making {
    /// What the file is called that is being written.
    pub(crate) path: PathBuf,
    /// The header; its start is that of each file.
    pub(crate) meta: Meta,
    /// zstd level.
    pub(crate) level: i32,
    /// Whether they are to reach the disk.
    pub(crate) sync: bool,
    /// How many are kept.
    pub(crate) keep: Option<usize>,
    /// Who is told of them.
    pub(crate) news: Sender<News>,
}

/// The files.
pub(crate) struct Switched {
    making: Making,
    reel: Reel,
    /// The start of the file.
    since: u64,
    finishing: Option<JoinHandle<Result<u64>>>,
    /// Files that are whole, the oldest first.
    made: VecDeque<PathBuf>,
    count: usize,
    /// Bytes of files before this one, without their ends.
    before: u64,
    /// The end of the last file, once it was told.
    closing: Option<Closing>,
}

impl Switched {
    /// Begins with a file that is open already.
    pub(crate) fn new(making: Making, reel: Reel) -> Switched {
        let since = making.meta.start.mono;
        let (finishing, made, closing) = (None, VecDeque::new(), None);
        Switched { making, reel, since, finishing, made, count: 0, before: 0, closing }
    }

    /// The file that is being written.
    pub(crate) fn reel(&mut self) -> &mut Reel {
        &mut self.reel
    }

    /// Goes on in a new file.
    pub(crate) fn next(&mut self, closing: Closing, opening: Opening) -> Result<()> {
        let path = self.put_aside()?;
        let Making { meta, level, .. } = &self.making;
        let meta = Meta { start: opening.start, ..meta.clone() };
        let sink = Sink::File(create(&self.making.path)?);
        let mut reel = Reel::new(sink, self.making.path.clone(), meta, *level)?;
        reel.set_base(&opening.base);
        if self.making.sync {
            sync_folder(&self.making.path)?;
        }
        let whole = std::mem::replace(&mut self.reel, reel);
        self.before += whole.written();
        let since = std::mem::replace(&mut self.since, opening.start.mono);
        self.wait()?;
        let making = self.making.clone();
        let thread = std::thread::Builder::new()
            .name("ktape-finish".into())
            .spawn(move || finish(whole, path, &closing, since, &making))
            .map_err(Error::io("start", "a thread"))?;
        self.finishing = Some(thread);
        Ok(())
    }

    /// Ends the last file.
    pub(crate) fn close(&mut self, closing: Closing) -> Result<()> {
        self.wait()?;
        self.closing = Some(closing);
        Ok(())
    }

    /// Gives the file its last name, and removes the oldest if there are too many.
    fn put_aside(&mut self) -> Result<PathBuf> {
        let path = stamped(&self.making.path);
        std::fs::rename(&self.making.path, &path)
            .map_err(Error::io("rename the trace to", path.clone()))?;
        self.count += 1;
        self.made.push_back(path.clone());
        remove_oldest(&mut self.made, self.making.keep);
        Ok(path)
    }

    fn wait(&mut self) -> Result<()> {
        match self.finishing.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(_))) => Ok(()),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(gone("the thread that finishes a file")),
        }
    }

    /// Bytes written so far to all files.
    pub(crate) fn written(&self) -> u64 {
        self.before + self.reel.written()
    }

    /// To this one.
    pub(crate) fn written_here(&self) -> u64 {
        self.reel.written()
    }

    /// Writes the end of the last file; gives bytes and files. One whose end was never told keeps the
    /// name that was asked for, and gets no trailer.
    pub(crate) fn finish(mut self) -> Result<(u64, usize)> {
        self.wait()?;
        match self.closing.take() {
            None => Ok((self.written(), self.count + 1)),
            Some(closing) => {
                let path = self.put_aside()?;
                let bytes = finish(self.reel, path, &closing, self.since, &self.making)?;
                Ok((self.before + bytes, self.count))
            }
        }
    }
}

/// Writes the end of a file.
fn finish(
    mut reel: Reel,
    path: PathBuf,
    closing: &Closing,
    since: u64,
    making: &Making,
) -> Result<u64> {
    reel.closing(closing)?;
    let bytes = reel.finish(making.sync)?.bytes;
    let span = Duration::from_nanos(closing.end.saturating_sub(since));
    // Nobody may listen any more.
    drop(making.news.send(News::File { path, bytes, span, cause: None, short: false }));
    Ok(bytes)
}

/// Removes the oldest files when there are more than are kept. One that is gone already is no error.
pub(crate) fn remove_oldest(made: &mut VecDeque<PathBuf>, keep: Option<usize>) {
    while keep.is_some_and(|keep| made.len() > keep)
        && let Some(oldest) = made.pop_front()
    {
        std::fs::remove_file(oldest).ok();
    }
}

/// The error of a thread that panicked.
pub(crate) fn gone(which: &str) -> Error {
    let source = std::io::Error::other("it ended unexpectedly");
    Error::Io { action: "wait for", path: which.into(), source }
}
