//! The launched command: held until the recording is ready, then followed to its end.

use crate::error::{Error, Result};
use crate::privileges;
use crate::proc::Snapshot;
use std::ffi::{OsStr, OsString};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::thread::JoinHandle;

/// A command that was started.
pub(crate) struct Launched {
    name: String,
    /// Its process id, known before it runs.
    pub(crate) pid: u32,
    go: Option<PipeWriter>,
    waiter: JoinHandle<io::Result<ExitStatus>>,
    /// Becomes readable when the command has ended (or could not be run).
    pub(crate) ended: PipeReader,
}

/// Says why a command cannot be run before anything is done for it: execvp(3) looks for a name
/// without a slash in PATH. Gives the path, so that the command's own calls do not begin with that
/// search.
fn find(name: &OsStr) -> io::Result<PathBuf> {
    let executable = |path: PathBuf| -> io::Result<PathBuf> {
        let meta = std::fs::metadata(&path)?;
        if meta.is_file() && meta.permissions().mode() & 0o111 != 0 {
            return Ok(path);
        }
        Err(io::ErrorKind::PermissionDenied.into())
    };
    if name.as_bytes().contains(&b'/') {
        return executable(PathBuf::from(name));
    }
    let paths = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut result = Err(io::ErrorKind::NotFound.into());
    for folder in std::env::split_paths(&paths) {
        match executable(folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => result = Err(error),
            Err(_) => {}
            Ok(path) => return Ok(path),
        }
    }
    result
}

impl Launched {
    /// Forks the command; it waits before its exec until [`Launched::release`].
    #[expect(unsafe_code, reason = "pre_exec is the only place between fork and exec")]
    ///
    /// `stdout_taken`: the trace goes to standard output, so the command's goes to standard error.
    pub(crate) fn hold(command: &[OsString], stdout_taken: bool) -> Result<Launched> {
        let name = command[0].to_string_lossy().into_owned();
        let path =
            find(&command[0]).map_err(|source| Error::Command { command: name.clone(), source })?;
        let pipe = || io::pipe().map_err(Error::io("make", "a pipe"));
        let (pid_reader, pid_writer) = pipe()?;
        let (go_reader, go_writer) = pipe()?;
        let (ended, ended_writer) = pipe()?;
        let mut run = std::process::Command::new(path);
        run.arg0(&command[0]).args(&command[1..]);
        if stdout_taken {
            let stderr = std::io::stderr().as_fd().try_clone_to_owned();
            run.stdout(stderr.map_err(Error::io("copy", "standard error"))?);
        }
        let (go_fd, go_writer_fd, pid_fd) =
            (go_reader.as_raw_fd(), go_writer.as_raw_fd(), pid_writer.as_raw_fd());
        // SAFETY: only calls that are safe after fork: getpid, write, close, read.
        unsafe {
            run.pre_exec(move || {
                let pid = libc::getpid().to_ne_bytes();
                if libc::write(pid_fd, pid.as_ptr().cast(), pid.len()) != pid.len() as isize {
                    return Err(io::Error::last_os_error());
                }
                // Own copy of the writing end: without closing it, the end of the recorder would
                // go unnoticed.
                libc::close(go_writer_fd);
                let mut byte = 0u8;
                if libc::read(go_fd, (&raw mut byte).cast(), 1) != 1 {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Ok(())
            });
        }
        // spawn() returns only when exec succeeded or failed, so it cannot run on this thread.
        let waiter = std::thread::Builder::new()
            .name("command".into())
            .spawn(move || {
                let child = run.spawn();
                // Capabilities are a thread's own.
                privileges::drop_unneeded().ok();
                drop((go_reader, pid_writer));
                let status = child.and_then(|mut child: Child| child.wait());
                drop(ended_writer);
                status
            })
            .map_err(Error::io("start", "a thread"))?;
        let mut pid = [0; 4];
        let mut pid_reader = pid_reader;
        pid_reader
            .read_exact(&mut pid)
            .map_err(|source| Error::Command { command: name.clone(), source })?;
        Ok(Launched { name, pid: u32::from_ne_bytes(pid), go: Some(go_writer), waiter, ended })
    }

    /// Lets the command run.
    pub(crate) fn release(&mut self) -> Result<()> {
        let Some(mut go) = self.go.take() else { return Ok(()) };
        go.write_all(&[1]).map_err(Error::io("release", self.name.clone()))
    }

    /// Asks it to end (SIGTERM), if it still runs, and so its children and theirs: a shell that is
    /// told to end does not tell them. What has made itself independent (a daemon) stays.
    #[expect(unsafe_code, reason = "kill(2)")]
    pub(crate) fn terminate(&self) {
        if self.waiter.is_finished() {
            return;
        }
        let children = Snapshot::take().map(|all| all.descendants(self.pid)).unwrap_or_default();
        for pid in std::iter::once(self.pid).chain(children) {
            // SAFETY: a plain system call. The command is our unreaped child, so its id is its own;
            // the others were its descendants a moment ago.
            unsafe { libc::kill(pid as libc::pid_t, libc::SIGTERM) };
        }
    }

    /// Waits for it; gives its exit status as a shell would: 128 + signal when a signal ended it.
    pub(crate) fn wait(self) -> Result<i32> {
        let Launched { name, waiter, go, .. } = self;
        drop(go);
        let status = waiter.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        match status {
            Ok(status) => Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))),
            Err(source) => Err(Error::Command { command: name, source }),
        }
    }
}
