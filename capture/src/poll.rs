//! Waiting for rings, signals and the command: epoll, edge-triggered.

use crate::error::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// A set of descriptors to wait on.
///
/// Edge-triggered, because a ring buffer is readable as long as it holds data: level-triggered, it
/// would wake the reader for every fact, whatever the kernel programs say (`BPF_RB_NO_WAKEUP`).
pub(crate) struct Poll {
    epoll: OwnedFd,
}

impl Poll {
    #[expect(unsafe_code, reason = "epoll_create1(2)")]
    pub(crate) fn new() -> Result<Poll> {
        // SAFETY: a plain system call; the descriptor is ours.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(Error::io("make", "an epoll set")(std::io::Error::last_os_error()));
        }
        // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
        Ok(Poll { epoll: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Adds a descriptor.
    #[expect(unsafe_code, reason = "epoll_ctl(2)")]
    pub(crate) fn add(&self, fd: RawFd) -> Result<()> {
        let mut event =
            libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: fd as u64 };
        // SAFETY: both descriptors are open, `event` outlives the call.
        let done = unsafe {
            libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event)
        };
        if done < 0 {
            return Err(Error::io("wait on", "a descriptor")(std::io::Error::last_os_error()));
        }
        Ok(())
    }

    /// Waits until one of them has something new, or the timeout.
    #[expect(unsafe_code, reason = "epoll_wait(2)")]
    pub(crate) fn wait(&self, timeout: Duration) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 16];
        let millis = timeout.as_millis().min(10_000) as libc::c_int;
        // SAFETY: `events` has room for 16. An error (a signal) is as good as a timeout: the
        // caller looks at everything each time.
        unsafe {
            libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), 16, millis);
        }
    }
}
