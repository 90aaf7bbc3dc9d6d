//! `WaitClass`: what a thread that is off the CPU waits for.

use ktape_schema::{fact_flag, off_cpu_state as state};

use crate::syscall_table::SyscallTable;

/// What a wait is for, told from the thread's state and the system call that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum WaitClass {
    /// It asked to sleep: nanosleep, pause.
    Sleep,
    /// Input or output: a block device (I/O wait state), or a call that moves data or waits for a
    /// peer: read, write, fsync, send, receive, accept, connect.
    Io,
    /// A lock, or another thread: futex, which also serves condition variables and joins; file locks,
    /// semaphores.
    Lock,
    /// Any of several events: poll, select, epoll_wait, io_getevents, sigwait.
    Poll,
    /// A child or another process: wait4, waitid, vfork.
    Child,
    /// A CPU: it was preempted, yielded, or new.
    Runq,
    /// Anything else: page faults, kernel threads without work, stopped threads.
    Other,
}

impl WaitClass {
    /// Number of classes.
    pub const COUNT: usize = 7;

    /// All of them, in order.
    pub const ALL: [WaitClass; WaitClass::COUNT] = [
        WaitClass::Sleep,
        WaitClass::Io,
        WaitClass::Lock,
        WaitClass::Poll,
        WaitClass::Child,
        WaitClass::Runq,
        WaitClass::Other,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            WaitClass::Sleep => "sleep",
            WaitClass::Io => "io",
            WaitClass::Lock => "lock",
            WaitClass::Poll => "poll",
            WaitClass::Child => "child",
            WaitClass::Runq => "runq",
            WaitClass::Other => "other",
        }
    }

    fn of_call(name: &str) -> Self {
        match name {
            "nanosleep" | "clock_nanosleep" | "pause" => WaitClass::Sleep,
            "futex" | "futex_wait" | "futex_waitv" | "futex_requeue" | "flock" | "fcntl"
            | "semop" | "semtimedop" => WaitClass::Lock,
            "poll" | "ppoll" | "select" | "pselect6" | "epoll_wait" | "epoll_pwait"
            | "epoll_pwait2" | "io_getevents" | "io_pgetevents" | "io_uring_enter"
            | "rt_sigtimedwait" | "rt_sigsuspend" => WaitClass::Poll,
            "wait4" | "waitid" | "vfork" | "ptrace" => WaitClass::Child,
            "read" | "write" | "pread64" | "pwrite64" | "readv" | "writev" | "preadv"
            | "pwritev" | "preadv2" | "pwritev2" | "fsync" | "fdatasync" | "sync" | "syncfs"
            | "msync" | "sync_file_range" | "sendfile" | "splice" | "tee" | "vmsplice"
            | "copy_file_range" | "recvfrom" | "recvmsg" | "recvmmsg" | "sendto" | "sendmsg"
            | "sendmmsg" | "accept" | "accept4" | "connect" | "open" | "openat" | "openat2"
            | "creat" | "close" | "stat" | "fstat" | "lstat" | "newfstatat" | "statx"
            | "getdents" | "getdents64" | "unlink" | "unlinkat" | "rename" | "renameat"
            | "renameat2" | "mkdir" | "mkdirat" | "rmdir" | "truncate" | "ftruncate"
            | "fallocate" | "readahead" | "io_submit" | "msgrcv" | "msgsnd" | "mq_timedreceive"
            | "mq_timedsend" | "ioctl" => WaitClass::Io,
            _ => WaitClass::Other,
        }
    }
}

/// Looks classes up by one load per fact.
#[derive(Clone, Debug)]
pub struct WaitClasses {
    /// state * CALLS + system call.
    classes: Vec<u8>,
}

/// System calls by number; the last entry stands for all others and for none.
const CALLS: usize = 1024;
const STATES: usize = 16;

impl WaitClasses {
    /// The classes on an architecture, as `uname -m` names it.
    pub fn of(arch: &str) -> Self {
        let table = SyscallTable::of(arch);
        let mut classes = vec![WaitClass::Other as u8; STATES * CALLS];
        for row in 0..STATES {
            let calls = &mut classes[row * CALLS..(row + 1) * CALLS];
            match row as u8 {
                state::PREEMPTED | state::NEW | state::YIELDED => calls.fill(WaitClass::Runq as u8),
                state::IO_WAIT => calls.fill(WaitClass::Io as u8),
                state::SLEEPING | state::UNINTERRUPTIBLE => {
                    for &(nr, name) in table.all() {
                        if let Some(class) = calls[..CALLS - 1].get_mut(usize::from(nr)) {
                            *class = WaitClass::of_call(name) as u8;
                        }
                    }
                }
                _ => {}
            }
        }
        Self { classes }
    }

    /// Index of a wait's class in [`WaitClass::ALL`].
    #[inline]
    pub fn index(&self, state: u8, syscall: u16) -> usize {
        let row = (state as usize).min(STATES - 1);
        usize::from(self.classes[row * CALLS + (syscall as usize).min(CALLS - 1)])
    }

    /// A wait's class.
    pub fn class(&self, state: u8, syscall: u16) -> WaitClass {
        WaitClass::ALL[self.index(state, syscall)]
    }
}

/// Whether a wait with these flags is as long as the recording: it had begun before and had not ended
/// at the stop.
pub(crate) fn is_whole(flags: u8) -> bool {
    const WHOLE: u16 = fact_flag::OPEN | fact_flag::BEGAN_BEFORE;
    u16::from(flags) & WHOLE == WHOLE
}

/// The name of a state that a thread left the CPU in.
pub(crate) fn state_name(value: u8) -> &'static str {
    let names = state::NAMES;
    names.iter().find(|entry| entry.0 == u64::from(value)).map_or("unknown", |entry| entry.1)
}

#[cfg(test)]
mod tests {
    use super::{WaitClass, WaitClasses};
    use ktape_schema::off_cpu_state as state;

    fn check(arch: &str, state: u8, syscall: u16, expected: WaitClass) {
        assert_eq!(
            WaitClasses::of(arch).class(state, syscall),
            expected,
            "{arch} {state} {syscall}"
        );
    }

    #[test]
    fn classes_follow_state_and_call() {
        for (index, class) in WaitClass::ALL.iter().enumerate() {
            assert_eq!(*class as usize, index);
        }
        check("x86_64", state::SLEEPING, 35, WaitClass::Sleep);
        check("x86_64", state::SLEEPING, 230, WaitClass::Sleep);
        check("x86_64", state::SLEEPING, 202, WaitClass::Lock);
        check("x86_64", state::SLEEPING, 0, WaitClass::Io);
        check("x86_64", state::SLEEPING, 7, WaitClass::Poll);
        check("x86_64", state::SLEEPING, 61, WaitClass::Child);
        check("x86_64", state::SLEEPING, 65535, WaitClass::Other);
        check("x86_64", state::IO_WAIT, 65535, WaitClass::Io);
        check("x86_64", state::PREEMPTED, 202, WaitClass::Runq);
        check("x86_64", state::NEW, 65535, WaitClass::Runq);
        check("x86_64", state::YIELDED, 24, WaitClass::Runq);
        check("x86_64", state::IDLE, 65535, WaitClass::Other);
        check("x86_64", 255, 0, WaitClass::Other);
        check("aarch64", state::SLEEPING, 98, WaitClass::Lock);
        check("aarch64", state::SLEEPING, 202, WaitClass::Io);
        check("sparc", state::SLEEPING, 202, WaitClass::Other);
    }
}
