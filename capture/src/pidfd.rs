//! Processes by descriptor: unlike a number, it never comes to mean another process.

use crate::proc;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A process, alive or not. Becomes readable when it has ended.
pub(crate) struct Pidfd(OwnedFd);

impl Pidfd {
    /// The process that has this number now: `pidfd_open(2)`, from kernel 5.3 on.
    #[expect(unsafe_code, reason = "libc has no wrapper for pidfd_open(2)")]
    pub(crate) fn open(pid: u32) -> io::Result<Pidfd> {
        // SAFETY: a plain system call without pointers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
        let fd = RawFd::try_from(fd).ok().filter(|&fd| fd >= 0);
        let fd = fd.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
        Ok(Pidfd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The same process that a walk of /proc has seen; `None` when that one has gone.
    pub(crate) fn of(seen: proc::Descendant) -> Option<Pidfd> {
        let pidfd = Pidfd::open(seen.pid).ok()?;
        (proc::thread_start(seen.pid) == Some(seen.start)).then_some(pidfd)
    }

    /// Sends it a signal, unless it has ended: `pidfd_send_signal(2)`, from kernel 5.1 on.
    #[expect(unsafe_code, reason = "libc has no wrapper for pidfd_send_signal(2)")]
    pub(crate) fn signal(&self, signal: libc::c_int) {
        let (fd, info) = (self.0.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
        // SAFETY: the descriptor is open, and a null siginfo stands for that of kill(2).
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, info, 0) };
    }
}

impl AsRawFd for Pidfd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    #[test]
    fn only_the_process_that_was_seen() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let start = proc::thread_start(child.id()).unwrap();
        // As if the number had come to another process meanwhile.
        assert!(Pidfd::of(proc::Descendant { pid: child.id(), start: start + 1 }).is_none());
        let pidfd = Pidfd::of(proc::Descendant { pid: child.id(), start }).unwrap();
        pidfd.signal(libc::SIGTERM);
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
        // It has no number any more.
        pidfd.signal(libc::SIGTERM);
        assert!(Pidfd::of(proc::Descendant { pid: child.id(), start }).is_none());
    }
}
