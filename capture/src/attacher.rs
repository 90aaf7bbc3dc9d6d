//! Programs in the files of other programs, as these come: Go programs when they are executed,
//! libraries when they are mapped.
//!
//! That takes CAP_SYS_ADMIN as long as the recording lasts. Capabilities belong to threads: one
//! thread keeps it, opens the files that processes execute and reads their tables of functions; all
//! others give it up as before.

use crate::error::{Error, Result, chain};
use crate::golang::{LONGEST, PROLOGUE, call_of, cheap_instruction};
use crate::libraries::is_named;
use crate::privileges;
use crate::symbols::{Elf, FileSource, Identity, Wish, identity, open_module};
use crate::uprobe;
use rustc_hash::FxHashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A program for a function.
pub(crate) struct UserFunction {
    pub(crate) program: OwnedFd,
    pub(crate) function: &'static str,
    pub(crate) place: UserPlace,
}

/// In which files a function is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserPlace {
    /// Those of a library.
    Library { name: &'static str, at_return: bool },
    /// Go programs.
    Go { learned: bool },
    /// Go programs: the only call of it by that function.
    GoCall { inside: &'static str },
}

/// Something that a process has mapped to execute it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Executable {
    pub(crate) tgid: u32,
    pub(crate) inode: u64,
    pub(crate) generation: u64,
    pub(crate) path: Vec<u8>,
}

/// Requests that wait at most: programs of more files than that are missed, and looked at when they
/// are executed again.
const WAITING: usize = 1024;

/// How long programs that tell names stay where none was of use: HPACK's table has been learned, or
/// there is nothing that they could tell.
const LEARNED_AFTER: Duration = Duration::from_secs(5);

/// They are not cheap, so on a busy host they go sooner: after so many streams of Go programs in a row
/// that were named without them, but not at once.
const LEARNED_STREAMS: u64 = 10_000;
const LEAST: Duration = Duration::from_secs(1);

/// So many do where all programs have come during the recording, and at most the first moments of a
/// connection were not seen.
const NEW_STREAMS: u64 = 100;

/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How names are told, in a map that the programs share: `struct h2_go_use`.
pub(crate) trait NamesInUse: Send {
    /// Says whether programs are there that tell them.
    fn set_attached(&mut self, attached: bool);
    /// What has come of it so far.
    fn use_of_names(&self) -> UseOfNames;
}

/// What programs that tell names have been good for.
#[derive(Clone, Copy, Default)]
pub(crate) struct UseOfNames {
    /// How often a name was of use.
    pub(crate) used: u64,
    /// Streams of Go programs that ended meanwhile.
    pub(crate) ended: u64,
    /// Those of them whose frames did not name all.
    pub(crate) nameless: u64,
}

/// What has been attached, and to what.
pub(crate) struct Attacher {
    functions: Vec<UserFunction>,
    /// Files that have been looked at.
    seen: FxHashSet<Identity>,
    links: Vec<OwnedFd>,
    /// Programs that tell names, and since when: all go together.
    learning: Vec<OwnedFd>,
    learning_since: Instant,
    names: Option<Box<dyn NamesInUse>>,
    /// When the last of these programs came, or a name was of use or missing.
    seen_use: UseOfNames,
    /// One of them was there before the recording.
    learning_old: bool,
    /// The recording has begun.
    recording: bool,
    warnings: Vec<String>,
}

impl Attacher {
    /// `names`: set if programs that tell names are to go once they are of no use.
    pub(crate) fn new(
        functions: Vec<UserFunction>,
        names: Option<Box<dyn NamesInUse>>,
    ) -> Attacher {
        Attacher {
            functions,
            seen: FxHashSet::default(),
            links: Vec::new(),
            learning: Vec::new(),
            learning_since: Instant::now(),
            names,
            seen_use: UseOfNames::default(),
            learning_old: false,
            recording: false,
            warnings: Vec::new(),
        }
    }

    /// Whether it has anything to attach.
    pub(crate) fn is_needed(&self) -> bool {
        !self.functions.is_empty()
    }

    /// A library that has its programs already.
    pub(crate) fn pass_over(&mut self, file: &File) {
        self.seen.extend(identity(file));
    }

    /// Looks at the program that a process executes.
    pub(crate) fn probe_process(&mut self, pid: u32) {
        let path = PathBuf::from(format!("/proc/{pid}/exe"));
        let Ok(named) = std::fs::read_link(&path) else { return };
        // A link of the kernel's: it leads to the file itself, even if that has been removed.
        if let Ok(source) = open_module(Wish { path: &path, pid: None, inode: None }) {
            self.probe(&source, &named);
        }
    }

    /// Looks at a program that will be executed.
    pub(crate) fn probe_file(&mut self, path: &Path) {
        let Ok(path) = &path.canonicalize() else { return };
        if let Ok(source) = open_module(Wish { path, pid: None, inode: None }) {
            self.probe(&source, path);
        }
    }

    fn probe_executable(&mut self, executable: &Executable) {
        let path = Path::new(OsStr::from_bytes(&executable.path));
        let wish = Wish { path, pid: Some(executable.tgid), inode: Some(executable.inode) };
        match open_module(wish) {
            Ok(source) => self.probe(&source, path),
            // Its own file can be opened even if no path leads there any more.
            Err(_) => self.probe_process(executable.tgid),
        }
    }

    /// Attaches what belongs into a file that has not been looked at before.
    fn probe(&mut self, source: &FileSource, path: &Path) {
        if self.seen.len() >= MOST_SEEN {
            self.seen.clear();
        }
        let Ok(identity) = identity(source.file()) else { return };
        if !self.seen.insert(identity) {
            return;
        }
        let Ok(elf) = Elf::open(source) else { return };
        let library: Vec<usize> = (0..self.functions.len())
            .filter(|&at| match self.functions[at].place {
                UserPlace::Library { name, .. } => is_named(path, name),
                UserPlace::Go { .. } | UserPlace::GoCall { .. } => false,
            })
            .collect();
        if library.is_empty() {
            self.probe_go(&elf, source, path);
            return;
        }
        let names: Vec<&str> = library.iter().map(|&at| self.functions[at].function).collect();
        for (&at, offset) in library.iter().zip(elf.functions(&names)) {
            if let (Some(offset), UserPlace::Library { at_return, .. }) =
                (offset, self.functions[at].place)
            {
                self.attach(at, source, path, offset, at_return);
            }
        }
    }

    fn probe_go(&mut self, elf: &Elf<&FileSource>, source: &FileSource, path: &Path) {
        let mut names: Vec<&str> = Vec::new();
        for known in &self.functions {
            match known.place {
                UserPlace::Library { .. } => {}
                UserPlace::Go { .. } => names.push(known.function),
                UserPlace::GoCall { inside } => names.extend([known.function, inside]),
            }
        }
        if names.is_empty() {
            return;
        }
        names.sort_unstable();
        names.dedup();
        let Some(found) = elf.go_functions(&names) else { return };
        let code_of = |name: &str| names.binary_search(&name).ok().and_then(|at| found[at]);
        // A function of which only the call of another one tells what it gives.
        let mut mute = None;
        let mut places = Vec::new();
        for (at, known) in self.functions.iter().enumerate() {
            match known.place {
                UserPlace::Go { .. } => {
                    let Some(code) = code_of(known.function) else { continue };
                    let begins = elf.code(code, PROLOGUE).ok();
                    let cheap = begins.and_then(|begins| cheap_instruction(&begins));
                    places.push((at, cheap.map(|skipped| code.offset + skipped)));
                }
                UserPlace::GoCall { inside } => {
                    let Some(code) = code_of(inside) else { continue };
                    mute.get_or_insert(inside);
                    let Some(callee) = code_of(known.function) else { continue };
                    let body = elf.code(code, LONGEST).unwrap_or_default();
                    if let Some(skipped) = call_of(&body, code.offset, callee.offset) {
                        places.push((at, Some(code.offset + skipped)));
                    }
                }
                UserPlace::Library { .. } => {}
            }
        }
        let place = |&(at, _): &(usize, Option<u64>)| self.functions[at].place;
        let calls = places.iter().any(|at| matches!(place(at), UserPlace::GoCall { .. }));
        if let Some(inside) = mute.filter(|_| !calls) {
            // What is written alone would be half of the truth.
            places.retain(|at| place(at) == UserPlace::Go { learned: true });
            self.warn(inside, path, "it calls nothing that would tell what it gives");
        }
        for (at, offset) in places {
            match offset {
                Some(offset) => self.attach(at, source, path, offset, false),
                None => {
                    let function = self.functions[at].function;
                    self.warn(function, path, "it begins in no way that is known");
                }
            }
        }
    }

    fn attach(
        &mut self,
        at: usize,
        source: &FileSource,
        path: &Path,
        offset: u64,
        at_return: bool,
    ) {
        let function = &self.functions[at];
        match uprobe::attach(function.program.as_fd(), source.file(), offset, at_return) {
            Ok(link) if function.place == (UserPlace::Go { learned: true }) => {
                if let Some(names) = &mut self.names {
                    names.set_attached(true);
                    self.seen_use = names.use_of_names();
                }
                self.learning_old |= !self.recording;
                self.learning_since = Instant::now();
                self.learning.push(link);
            }
            Ok(link) => self.links.push(link),
            Err(error) => {
                let function = function.function;
                self.warn(function, path, &chain(&error));
            }
        }
    }

    fn warn(&mut self, function: &str, path: &Path, what: &str) {
        const MOST: usize = 20;
        if self.warnings.len() < MOST {
            self.warnings.push(format!("{}: {function} is not seen: {what}", path.display()));
        }
    }

    /// Takes programs out that tell names which frames tell by now.
    fn look_for_use(&mut self) {
        let Some(names) = &mut self.names else { return };
        let now = names.use_of_names();
        if now.used != self.seen_use.used {
            self.learning_since = Instant::now();
        }
        if (now.used, now.nameless) != (self.seen_use.used, self.seen_use.nameless) {
            self.seen_use = now;
        }
        let enough = if self.learning_old { LEARNED_STREAMS } else { NEW_STREAMS };
        let row = now.ended - self.seen_use.ended;
        let since = self.learning_since.elapsed();
        let learned = since >= LEARNED_AFTER || since >= LEAST && row >= enough;
        if learned && !self.learning.is_empty() {
            names.set_attached(false);
            self.learning.clear();
            self.learning_old = false;
        }
    }

    fn end(mut self) -> Attachments {
        self.links.append(&mut self.learning);
        Attachments { links: self.links, warnings: self.warnings }
    }

    /// Serves requests on a thread of its own until the other end is dropped.
    pub(crate) fn start(self) -> Result<Attaching> {
        let (requests, receiver) = sync_channel(WAITING);
        let stopped = Arc::new(AtomicBool::new(false));
        let seen_stopped = Arc::clone(&stopped);
        let thread = std::thread::Builder::new()
            .name("ktape-attach".into())
            .spawn(move || self.serve(&receiver, &seen_stopped))
            .map_err(Error::io("start", "a thread that attaches programs"))?;
        Ok(Attaching {
            requests: Some(requests),
            stopped,
            thread: Some(thread),
            seen: FxHashSet::default(),
        })
    }

    fn serve(mut self, requests: &Receiver<Executable>, stopped: &AtomicBool) -> Attachments {
        if let Err(error) = privileges::keep_for_attaching() {
            // Nothing of strangers is read with all privileges.
            self.warnings.push(format!("programs that come later are not seen: {}", chain(&error)));
            return self.end();
        }
        self.recording = true;
        let mut looked = Instant::now();
        loop {
            let request = match self.learning.is_empty() {
                true => requests.recv().map_err(RecvTimeoutError::from),
                false => requests.recv_timeout(LOOK_EVERY),
            };
            match request {
                // What still waits at the stop is nobody's business any more.
                Ok(_) if stopped.load(Ordering::Relaxed) => return self.end(),
                Ok(executable) => self.probe_executable(&executable),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                self.look_for_use();
            }
        }
    }
}

/// What it comes to in the end.
#[derive(Default)]
pub(crate) struct Attachments {
    /// Dropping one detaches it.
    pub(crate) links: Vec<OwnedFd>,
    /// What could not be attached.
    pub(crate) warnings: Vec<String>,
}

/// The thread that attaches.
pub(crate) struct Attaching {
    requests: Option<SyncSender<Executable>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<Attachments>>,
    /// What it was asked for: device, inode and its generation.
    seen: FxHashSet<((u32, u32), u64, u64)>,
}

/// Files that are remembered at most; then all are asked for once more.
const MOST_SEEN: usize = 1 << 16;

impl Attaching {
    /// Has it look at a file, once.
    pub(crate) fn look_at(&mut self, device: (u32, u32), executable: Executable) {
        if self.seen.len() >= MOST_SEEN {
            self.seen.clear();
        }
        let key = (device, executable.inode, executable.generation);
        if self.seen.insert(key)
            && let Some(requests) = &self.requests
            && requests.try_send(executable).is_err()
        {
            self.seen.remove(&key);
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&mut self) -> Attachments {
        self.stopped.store(true, Ordering::Relaxed);
        self.requests = None;
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Attaching {
    fn drop(&mut self) {
        self.stop();
    }
}
