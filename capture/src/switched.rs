//! One file after another (`--switch-output`).
//!
//! The file that is being written has the name that was asked for; when it is whole it is called
//! `NAME.TIME`, as perf does. Its names and trailer are written by a thread of their own, while the
//! next file is being recorded.

use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::made::Made;
use crate::output::{Sink, create, sync_folder};
use crate::privileges;
use crate::recording::{Closing, Opening};
use crate::reel::Reel;
use crate::stamp::stamped;
use crate::summary::News;
use ktape_format::Meta;
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
    finishing: Option<Finishing>,
    made: Made,
    count: usize,
    /// Bytes of files before this one, without their ends.
    before: u64,
    /// The end of the last file, once it was told.
    closing: Option<Closing>,
}

/// A file whose end is being written.
struct Finishing {
    thread: JoinHandle<Result<u64>>,
    path: PathBuf,
    identity: Option<Identity>,
}

impl Switched {
    /// Begins with a file that is open already.
    pub(crate) fn new(making: Making, reel: Reel) -> Switched {
        let since = making.meta.start.mono;
        let (finishing, made, closing) = (None, Made::new(making.keep), None);
        Switched { making, reel, since, finishing, made, count: 0, before: 0, closing }
    }

    /// The file that is being written.
    pub(crate) fn reel(&mut self) -> &mut Reel {
        &mut self.reel
    }

    /// Removes the oldest file once a newer one is whole.
    pub(crate) fn look_after(&mut self) -> Result<()> {
        match &self.finishing {
            Some(finishing) if finishing.thread.is_finished() => self.wait(),
            _ => Ok(()),
        }
    }

    /// Goes on in a new file.
    pub(crate) fn next(&mut self, closing: Closing, opening: Opening) -> Result<()> {
        // What follows may be on the disk before the end of this file is.
        if self.making.sync {
            self.reel.sync()?;
        }
        let (path, identity) = self.put_aside()?;
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
        let (making, name) = (self.making.clone(), path.clone());
        let thread = std::thread::Builder::new()
            .name("ktape-finish".into())
            .spawn(move || {
                // It reads files of other users' processes.
                privileges::drop_unneeded()?;
                finish(whole, name, &closing, since, &making)
            })
            .map_err(Error::io("start", "a thread"))?;
        self.finishing = Some(Finishing { thread, path, identity });
        Ok(())
    }

    /// Ends the last file.
    pub(crate) fn close(&mut self, closing: Closing) -> Result<()> {
        self.wait()?;
        self.closing = Some(closing);
        Ok(())
    }

    /// Gives the file its last name, unless another one has that which was asked for by now: that is
    /// another recording's.
    fn put_aside(&mut self) -> Result<(PathBuf, Option<Identity>)> {
        let path = stamped(&self.making.path);
        let identity = self.reel.identity();
        if identity.is_none() || Identity::of_name(&self.making.path) != identity {
            let other = "it is another file by now: give each recording its own -o";
            let error = std::io::Error::other(other);
            return Err(Error::io("rename", self.making.path.clone())(error));
        }
        std::fs::rename(&self.making.path, &path)
            .map_err(Error::io("rename the trace to", path.clone()))?;
        self.count += 1;
        Ok((path, identity))
    }

    fn wait(&mut self) -> Result<()> {
        let Some(Finishing { thread, path, identity }) = self.finishing.take() else {
            return Ok(());
        };
        thread.join().map_err(|_| gone("the thread that finishes a file"))??;
        self.made.add(path, identity);
        Ok(())
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
                let (path, identity) = self.put_aside()?;
                let bytes = finish(self.reel, path.clone(), &closing, self.since, &self.making)?;
                self.made.add(path, identity);
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

/// The error of a thread that panicked.
pub(crate) fn gone(which: &str) -> Error {
    let source = std::io::Error::other("it ended unexpectedly");
    Error::Io { action: "wait for", path: which.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Question;
    use crate::options::Output;
    use std::sync::mpsc::channel;

    fn closing() -> Closing {
        Closing { question: Question::all_of(std::iter::empty()), runs: Vec::new(), end: 0 }
    }

    #[test]
    fn another_recordings_file_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.ktape");
        let begin = || {
            let (meta, (news, _)) = (Meta::default(), channel());
            let sink = Sink::open(&Output::File(path.clone())).expect("a file");
            let reel = Reel::new(sink, path.clone(), meta.clone(), 1).expect("a trace");
            let making =
                Making { path: path.clone(), meta, level: 1, sync: false, keep: Some(1), news };
            Switched::new(making, reel)
        };
        let mut first = begin();
        let mut second = begin();
        let opening = Opening { start: ktape_format::ClockPair::default(), base: Vec::new() };
        let error = first.next(closing(), opening).expect_err("it has lost its name");
        assert!(crate::error::chain(&error).contains("another file"), "{error}");
        first.close(closing()).expect("told");
        assert!(first.finish().is_err());
        second.close(closing()).expect("told");
        assert_eq!(second.finish().expect("whole").1, 1);
        assert!(!path.exists());
    }
}
