//! `SyscallClass`: what a system call is about, by its name.

use crate::syscall_table::SyscallTable;

/// What a system call is about.
///
/// Told from the name alone, since numbers differ by architecture. `read` and `write` are file input
/// and output whatever the descriptor is: a count per process does not say. Each name stands in one
/// list below; a number that the tables do not know is [`SyscallClass::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyscallClass {
    /// Files, directories and descriptors, asynchronous and io_uring calls included.
    FileIo,
    /// Address space: mappings, protection, advice, placement.
    Memory,
    /// Processes and threads: creation, end, scheduling, limits, prctl.
    Process,
    /// Signals.
    Signal,
    /// Between threads and processes: pipes, futexes, System V and POSIX queues, shared memory.
    Ipc,
    /// Sockets.
    Network,
    /// Clocks, timers and sleeps.
    Time,
    /// Identities, capabilities, keys, random numbers, security modules.
    Security,
    /// The machine: mounts, modules, names, tracing.
    System,
    /// Waiting for any of several things: poll, select, epoll, eventfd, timerfd, inotify.
    Event,
    /// Historical calls, and numbers without a name.
    Other,
}

impl SyscallClass {
    /// Number of classes.
    pub const COUNT: usize = 11;

    /// All of them, in order.
    pub const ALL: [SyscallClass; SyscallClass::COUNT] = [
        SyscallClass::FileIo,
        SyscallClass::Memory,
        SyscallClass::Process,
        SyscallClass::Signal,
        SyscallClass::Ipc,
        SyscallClass::Network,
        SyscallClass::Time,
        SyscallClass::Security,
        SyscallClass::System,
        SyscallClass::Event,
        SyscallClass::Other,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            SyscallClass::FileIo => "file_io",
            SyscallClass::Memory => "memory",
            SyscallClass::Process => "process",
            SyscallClass::Signal => "signal",
            SyscallClass::Ipc => "ipc",
            SyscallClass::Network => "network",
            SyscallClass::Time => "time",
            SyscallClass::Security => "security",
            SyscallClass::System => "system",
            SyscallClass::Event => "event",
            SyscallClass::Other => "other",
        }
    }

    /// The class of a system call of an architecture.
    pub fn of(table: SyscallTable, nr: u32) -> Self {
        table.get(nr).map_or(SyscallClass::Other, SyscallClass::of_name)
    }

    /// The class of the system call with this name.
    pub fn of_name(name: &str) -> Self {
        let found = LISTS.iter().find(|(_, names)| names.contains(&name));
        found.map_or(SyscallClass::Other, |(class, _)| *class)
    }
}

/// Every name of the tables, once.
#[rustfmt::skip]
const LISTS: &[(SyscallClass, &[&str])] = &[
    (SyscallClass::FileIo, &[
        "read", "write", "open", "close", "stat", "fstat", "lstat", "lseek", "ioctl", "pread64",
        "pwrite64", "readv", "writev", "access", "dup", "dup2", "dup3", "sendfile", "fcntl", "flock",
        "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "truncate", "ftruncate",
        "fallocate", "getdents", "getdents64", "getcwd", "chdir", "fchdir", "rename", "renameat",
        "renameat2", "mkdir", "mkdirat", "rmdir", "creat", "link", "linkat", "unlink", "unlinkat",
        "symlink", "symlinkat", "readlink", "readlinkat", "chmod", "fchmod", "fchmodat", "fchmodat2",
        "chown", "fchown", "lchown", "fchownat", "umask", "utime", "utimes", "futimesat",
        "utimensat", "mknod", "mknodat", "statfs", "fstatfs", "ustat", "readahead", "fadvise64",
        "setxattr", "lsetxattr", "fsetxattr", "setxattrat", "getxattr", "lgetxattr", "fgetxattr",
        "getxattrat", "listxattr", "llistxattr", "flistxattr", "listxattrat", "removexattr",
        "lremovexattr", "fremovexattr", "removexattrat", "io_setup", "io_destroy", "io_getevents",
        "io_pgetevents", "io_submit", "io_cancel", "io_uring_setup", "io_uring_enter",
        "io_uring_register", "openat", "openat2", "close_range", "newfstatat", "statx", "faccessat",
        "faccessat2", "splice", "tee", "vmsplice", "copy_file_range", "preadv", "pwritev", "preadv2",
        "pwritev2", "name_to_handle_at", "open_by_handle_at", "cachestat", "file_getattr",
        "file_setattr",
    ]),
    (SyscallClass::Memory, &[
        "mmap", "mprotect", "munmap", "brk", "mremap", "msync", "mincore", "madvise", "mlock",
        "mlock2", "munlock", "mlockall", "munlockall", "remap_file_pages", "mbind", "set_mempolicy",
        "set_mempolicy_home_node", "get_mempolicy", "migrate_pages", "move_pages", "memfd_create",
        "memfd_secret", "pkey_mprotect", "pkey_alloc", "pkey_free", "process_madvise",
        "process_mrelease", "userfaultfd", "mseal", "map_shadow_stack",
    ]),
    (SyscallClass::Process, &[
        "clone", "clone3", "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4",
        "waitid", "getpid", "gettid", "getppid", "getpgrp", "getpgid", "setpgid", "getsid", "setsid",
        "sched_yield", "sched_setparam", "sched_getparam", "sched_setscheduler",
        "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min",
        "sched_rr_get_interval", "sched_setaffinity", "sched_getaffinity", "sched_setattr",
        "sched_getattr", "setpriority", "getpriority", "ioprio_set", "ioprio_get", "prctl",
        "arch_prctl", "personality", "set_tid_address", "set_robust_list", "get_robust_list",
        "set_thread_area", "get_thread_area", "modify_ldt", "rseq", "getcpu", "unshare", "setns",
        "getrlimit", "setrlimit", "prlimit64", "getrusage", "times", "ptrace", "kcmp", "pidfd_open",
        "pidfd_getfd",
    ]),
    (SyscallClass::Signal, &[
        "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
        "rt_sigqueueinfo", "rt_tgsigqueueinfo", "rt_sigsuspend", "sigaltstack", "kill", "tkill",
        "tgkill", "pause", "signalfd", "signalfd4", "pidfd_send_signal",
    ]),
    (SyscallClass::Ipc, &[
        "pipe", "pipe2", "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl",
        "semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink",
        "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr", "futex", "futex_waitv",
        "futex_wake", "futex_wait", "futex_requeue", "membarrier", "process_vm_readv",
        "process_vm_writev",
    ]),
    (SyscallClass::Network, &[
        "socket", "socketpair", "connect", "accept", "accept4", "sendto", "recvfrom", "sendmsg",
        "recvmsg", "sendmmsg", "recvmmsg", "shutdown", "bind", "listen", "getsockname",
        "getpeername", "setsockopt", "getsockopt",
    ]),
    (SyscallClass::Time, &[
        "nanosleep", "clock_nanosleep", "getitimer", "setitimer", "alarm", "gettimeofday",
        "settimeofday", "time", "adjtimex", "clock_adjtime", "clock_settime", "clock_gettime",
        "clock_getres", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun",
        "timer_delete",
    ]),
    (SyscallClass::Security, &[
        "getuid", "getgid", "geteuid", "getegid", "setuid", "setgid", "setreuid", "setregid",
        "getgroups", "setgroups", "setresuid", "getresuid", "setresgid", "getresgid", "setfsuid",
        "setfsgid", "capget", "capset", "chroot", "seccomp", "add_key", "request_key", "keyctl",
        "getrandom", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
        "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules",
    ]),
    (SyscallClass::System, &[
        "uname", "sysinfo", "syslog", "sethostname", "setdomainname", "reboot", "init_module",
        "finit_module", "delete_module", "create_module", "get_kernel_syms", "query_module",
        "kexec_load", "kexec_file_load", "iopl", "ioperm", "swapon", "swapoff", "mount", "umount2",
        "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree",
        "open_tree_attr", "mount_setattr", "statmount", "listmount", "quotactl", "quotactl_fd",
        "acct", "sysfs", "_sysctl", "vhangup", "bpf", "perf_event_open", "nfsservctl",
    ]),
    (SyscallClass::Event, &[
        "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl",
        "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl_old", "epoll_wait_old", "eventfd",
        "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "inotify_init",
        "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "fanotify_init", "fanotify_mark",
    ]),
    (SyscallClass::Other, &[
        "restart_syscall", "uprobe", "uretprobe", "lookup_dcookie", "uselib", "getpmsg", "putpmsg",
        "afs_syscall", "tuxcall", "security", "vserver",
    ]),
];

#[cfg(test)]
mod tests {
    use super::{LISTS, SyscallClass};
    use crate::syscall_table::SyscallTable;

    fn check(class: SyscallClass, names: &[&str]) {
        for name in names {
            assert_eq!(SyscallClass::of_name(name), class, "{name}");
        }
    }

    /// What denet 0.7 has in the wrong class, or in none.
    #[test]
    fn classes_follow_names_not_numbers() {
        check(
            SyscallClass::Event,
            &[
                "poll",
                "ppoll",
                "select",
                "pselect6",
                "epoll_create",
                "epoll_create1",
                "epoll_ctl",
                "epoll_wait",
                "epoll_pwait",
                "epoll_pwait2",
                "timerfd_create",
                "timerfd_settime",
                "eventfd2",
            ],
        );
        check(
            SyscallClass::FileIo,
            &[
                "splice",
                "tee",
                "vmsplice",
                "statfs",
                "fstatfs",
                "sync",
                "sync_file_range",
                "statx",
                "openat2",
                "faccessat2",
                "copy_file_range",
                "io_uring_setup",
                "io_uring_enter",
                "io_uring_register",
                "chown",
                "umask",
            ],
        );
        check(
            SyscallClass::Process,
            &[
                "getpid",
                "prctl",
                "unshare",
                "set_robust_list",
                "get_robust_list",
                "getrlimit",
                "getrusage",
                "clone3",
            ],
        );
        check(SyscallClass::Time, &["alarm", "setitimer", "getitimer", "clock_gettime"]);
        check(SyscallClass::Memory, &["move_pages", "mbind", "memfd_create", "brk"]);
        check(SyscallClass::Security, &["getrandom", "seccomp", "setuid"]);
        check(SyscallClass::Signal, &["kill", "tgkill", "signalfd4"]);
        check(SyscallClass::Ipc, &["futex", "pipe2", "futex_waitv"]);
        check(SyscallClass::Network, &["accept4", "sendmmsg", "socketpair"]);
        check(SyscallClass::System, &["bpf", "perf_event_open", "mount"]);
        check(SyscallClass::Other, &["no_such_call"]);
        for (arch, nr) in [("x86_64", 232), ("aarch64", 22)] {
            assert_eq!(SyscallClass::of(SyscallTable::of(arch), nr), SyscallClass::Event, "{arch}");
        }
        assert_eq!(SyscallClass::of(SyscallTable::of("sparc"), 0), SyscallClass::Other);
    }

    #[test]
    fn every_name_has_one_class_and_every_class_known_names() {
        let mut listed: Vec<&str> =
            LISTS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let count = listed.len();
        listed.sort_unstable();
        listed.dedup();
        assert_eq!(listed.len(), count, "a name stands in two lists");
        let mut known: Vec<&str> = ["x86_64", "aarch64"]
            .iter()
            .flat_map(|arch| SyscallTable::of(arch).all().iter().map(|entry| entry.1))
            .collect();
        known.sort_unstable();
        known.dedup();
        let missing: Vec<_> = known.iter().filter(|name| !listed.contains(name)).collect();
        assert!(missing.is_empty(), "without a class: {missing:?}");
        let strange: Vec<_> = listed.iter().filter(|name| !known.contains(name)).collect();
        assert!(strange.is_empty(), "in no table: {strange:?}");
        for (index, class) in SyscallClass::ALL.iter().enumerate() {
            assert_eq!(*class as usize, index);
        }
    }
}
