//! The launched command: held until the recording is ready, then followed to its end.

use crate::error::{Error, Result};
use crate::pidfd::Pidfd;
use crate::proc;
use crate::signals::{SIGNALS, pending};
use std::ffi::{OsStr, OsString};
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::Child;
use std::thread::JoinHandle;

/// A command that was started. Dropped before [`Launched::wait`] or [`Launched::leave`], it never
/// runs, or is [asked to end](Launched::terminate) if it does: a recording that fails leaves nothing
/// behind.
pub(crate) struct Launched {
    name: String,
    /// The file that it will execute.
    pub(crate) program: PathBuf,
    /// Its process id, known before it runs.
    pub(crate) pid: u32,
    pidfd: Pidfd,
    go: Option<PipeWriter>,
    /// Gives the child once it has run its program. Nobody waits for a child but [`Launched::wait`],
    /// so that until then its number is no other's.
    spawner: Option<JoinHandle<io::Result<Child>>>,
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
        let (mut pid_reader, pid_writer) = pipe()?;
        let (go_reader, go_writer) = pipe()?;
        let mut run = std::process::Command::new(&path);
        run.arg0(&command[0]).args(&command[1..]);
        if stdout_taken {
            let stderr = std::io::stderr().as_fd().try_clone_to_owned();
            run.stdout(stderr.map_err(Error::io("copy", "standard error"))?);
        }
        let (go_fd, go_writer_fd, pid_fd) =
            (go_reader.as_raw_fd(), go_writer.as_raw_fd(), pid_writer.as_raw_fd());
        // SAFETY: only calls that are safe after fork: signal, getpid, write, close, read, _exit.
        unsafe {
            run.pre_exec(move || {
                // The recorder's handlers are inherited until exec: a Ctrl-C would be lost.
                for signal in SIGNALS {
                    libc::signal(signal, libc::SIG_DFL);
                }
                let pid = libc::getpid().to_ne_bytes();
                if libc::write(pid_fd, pid.as_ptr().cast(), pid.len()) != pid.len() as isize {
                    return Err(io::Error::last_os_error());
                }
                // Own copy of the writing end: without closing it, the end of the recorder would
                // go unnoticed.
                libc::close(go_writer_fd);
                let mut byte = 0u8;
                loop {
                    match libc::read(go_fd, (&raw mut byte).cast(), 1) {
                        1 => return Ok(()),
                        -1 if io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
                        // The recorder gave up. An error would go to a parent that may be gone,
                        // which std's child answers with an abort.
                        _ => libc::_exit(127),
                    }
                }
            });
        }
        // spawn() returns only when exec succeeded or failed, so it cannot run on this thread.
        let spawner = std::thread::Builder::new()
            .name("command".into())
            .spawn(move || {
                let child = run.spawn();
                drop((go_reader, pid_writer));
                child
            })
            .map_err(Error::io("start", "a thread"))?;
        let mut pid = [0; 4];
        let failed = |source| Error::Command { command: name.clone(), source };
        pid_reader.read_exact(&mut pid).map_err(failed)?;
        let pid = u32::from_ne_bytes(pid);
        let pidfd = Pidfd::open(pid).map_err(failed)?;
        Ok(Launched {
            name,
            program: path,
            pid,
            pidfd,
            go: Some(go_writer),
            spawner: Some(spawner),
        })
    }

    /// Lets the command run.
    pub(crate) fn release(&mut self) -> Result<()> {
        let Some(mut go) = self.go.take() else { return Ok(()) };
        match go.write_all(&[1]) {
            // A signal has ended it already: that is its exit status.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(Error::io("release", self.name.clone())),
        }
    }

    /// Whether it has ended, or could not be run. Its descriptor is readable then.
    pub(crate) fn has_ended(&self) -> bool {
        pending(&self.pidfd)
    }

    /// Whether it has ended with status 0. It stays to be waited for.
    #[expect(unsafe_code, reason = "waitid(2)")]
    pub(crate) fn succeeded(&self) -> bool {
        // SAFETY: an all-zero siginfo is valid, and the kernel fills it.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            libc::waitid(libc::P_PID, self.pid, &raw mut info, how) == 0
                && info.si_code == libc::CLD_EXITED
                && info.si_status() == 0
        }
    }

    /// Asks it to end (SIGTERM), and so its children and theirs: a shell that is told to end does
    /// not tell them. What has made itself independent (a daemon) stays.
    pub(crate) fn terminate(&self) {
        let children = proc::descendants(self.pid);
        self.pidfd.signal(libc::SIGTERM);
        for pidfd in children.into_iter().filter_map(Pidfd::of) {
            pidfd.signal(libc::SIGTERM);
        }
    }

    /// Waits for it; gives its exit status as a shell would: 128 + signal when a signal ended it.
    pub(crate) fn wait(mut self) -> Result<i32> {
        let child = match self.spawner.take().map(JoinHandle::join) {
            Some(Ok(child)) => child,
            _ => Err(io::ErrorKind::Other.into()),
        };
        match child.and_then(|mut child| child.wait()) {
            Ok(status) => Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))),
            Err(source) => Err(Error::Command { command: self.name.clone(), source }),
        }
    }

    /// Leaves it to itself.
    pub(crate) fn leave(mut self) {
        self.spawner = None;
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if self.spawner.is_some() && self.go.is_none() {
            self.terminate();
        }
    }
}

impl AsRawFd for Launched {
    fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }
}
