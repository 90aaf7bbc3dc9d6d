//! `io`: slow operations on files.

/// What an operation does (`io.op`).
pub mod io_op {
    /// read, pread, readv, preadv.
    pub const READ: u8 = 1;
    /// write, pwrite, writev, pwritev.
    pub const WRITE: u8 = 2;
    /// fsync, fdatasync, sync_file_range, msync, syncfs, sync.
    pub const SYNC: u8 = 3;
    /// open, openat, openat2, creat.
    pub const OPEN: u8 = 4;
    /// fallocate.
    pub const ALLOCATE: u8 = 5;
    /// truncate, ftruncate.
    pub const TRUNCATE: u8 = 6;
    /// sendfile, splice, copy_file_range.
    pub const COPY: u8 = 7;
    /// getdents.
    pub const LIST: u8 = 8;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (1, "read"),
        (2, "write"),
        (3, "sync"),
        (4, "open"),
        (5, "allocate"),
        (6, "truncate"),
        (7, "copy"),
        (8, "list"),
    ];
}

/// What a file is (`io.kind`).
pub mod file_kind {
    /// No file is known: sync, msync, or an operation that failed before there was one.
    pub const NONE: u8 = 0;
    /// S_IFREG.
    pub const REGULAR: u8 = 1;
    /// S_IFDIR.
    pub const DIRECTORY: u8 = 2;
    /// S_IFBLK: a disk without a file system in between.
    pub const BLOCK_DEVICE: u8 = 3;
    /// S_IFCHR: terminals and other character devices.
    pub const CHARACTER_DEVICE: u8 = 4;
    /// S_IFIFO.
    pub const PIPE: u8 = 5;
    /// S_IFSOCK.
    pub const SOCKET: u8 = 6;
    /// Files without a place in a file system: eventfd, timerfd, inotify, perf events.
    pub const ANONYMOUS: u8 = 7;
    /// Any other.
    pub const OTHER: u8 = 8;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "none"),
        (1, "regular"),
        (2, "directory"),
        (3, "block_device"),
        (4, "character_device"),
        (5, "pipe"),
        (6, "socket"),
        (7, "anonymous"),
        (8, "other"),
    ];
}

/// Bits of `io.flags`.
pub mod io_flag {
    /// Still going on when the recording stopped; `duration` is what had passed by then.
    pub const OPEN: u16 = 1;
    /// It had begun before the recording started; `duration` is counted from its start.
    pub const BEGAN_BEFORE: u16 = 2;
    /// The file is open with O_DIRECT.
    pub const DIRECT: u16 = 4;
    /// The file is open with O_SYNC or O_DSYNC.
    pub const SYNC: u16 = 8;
    /// The file is open with O_APPEND.
    pub const APPEND: u16 = 16;
    /// The descriptor was closed or given to another file meanwhile: which file it was is not known.
    pub const REPLACED: u16 = 32;
    /// `path` is what the program passed, not where the file was found.
    pub const AS_PASSED: u16 = 64;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (1, "open"),
        (2, "began_before"),
        (4, "direct"),
        (8, "sync"),
        (16, "append"),
        (32, "replaced"),
        (64, "as_passed"),
    ];
}

crate::record! {
    /// A system call on a file took at least as long as the threshold (or had not returned when the recording stopped).
    Io = 32 as "io", Fact {
        /// When it returned; the stop of the recording when open.
        end: u64 [TimeNs],
        /// How long it took.
        duration: u64 [DurNs],
        /// Bytes that it read, wrote or copied (what it returned); 0 when it failed or does not tell.
        bytes: u64 [Bytes],
        /// Bytes that it was asked for; 0 where a call has no such number.
        requested: u64 [Bytes],
        /// Where in the file it began; -1 when not known.
        offset: i64 [Number],
        /// Inode of the file (`inode.i_ino`); 0 when not known.
        inode: u64 [Number],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// Where the file is, from the root of all mounts that the process sees.
        path: u32 [StringId],
        /// Type of its file system (`file_system_type.name`).
        fs: u32 [StringId],
        /// Number of its file system (`super_block.s_dev`).
        device: u32 [DeviceId],
        /// Kernel stack of an open one: where it waits; 0 otherwise.
        kstack: u32 [StackId],
        /// User stack at its return; 0 when open or none was taken.
        ustack: u32 [StackId],
        /// The CPU on which it returned.
        cpu: u32 [Cpu],
        /// The system call.
        nr: u16 [Syscall],
        /// 0, or the errno that it failed with.
        error: u16 [Number],
        /// See `io_flag`.
        flags: u16 [Flags(io_flag::NAMES)],
        /// What it does.
        op: u8 [Enum(io_op::NAMES)],
        /// What the file is.
        kind: u8 [Enum(file_kind::NAMES)],
    }
}
